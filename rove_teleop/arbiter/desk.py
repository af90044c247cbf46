"""ArbiterDesk: what arrives between two ticks, the tick, and when its state is to be told."""

from __future__ import annotations

from dataclasses import dataclass

from rove_core.action import ActionChunk
from rove_core.vocabulary import Mode
from rove_teleop.arbiter.arbiter import Arbiter, Tick
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.heartbeat import HeartbeatAnswer
from rove_teleop.arbiter.inputs import (
    Inputs,
    JointSample,
    OperatorSample,
    Request,
    TargetSample,
)

STATE_S = 0.1
"""The state is told on change and at least this often."""


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """One tick, and whether the arbiter's state is to be told now."""

    tick: Tick
    tell: bool


class ArbiterDesk:
    """Collects for an arbiter; whoever owns it delivers messages to it and ticks it.

    Args:
        arbiter: that decides.

    Attributes:
        joints: newest measured joints since the last tick.
        frames, targets, chunks, answers, refused: what arrived since the last tick, in order.
    """

    def __init__(self, arbiter: Arbiter) -> None:
        self.arbiter = arbiter
        self.joints: JointSample | None = None
        self.frames: list[OperatorSample] = []
        self.targets: list[TargetSample] = []
        self.chunks: list[ActionChunk] = []
        self.answers: list[HeartbeatAnswer] = []
        self.refused: list[str] = []
        self._question = ""  # about a policy that nobody has agreed to
        self._told_transition, self._told_at = -1, 0.0

    def policy(self, digest: str, approved: bool) -> None:
        """Take what the policy says of itself: its digest ("" for none), who agreed to it."""
        self._question = ""
        if digest and not approved:
            self._question = f"policy {digest[:12]} is new here: may it drive?"

    def question(self, decision: Decision) -> str:
        """Return what a person has to answer now, "" when nothing."""
        return self._question if decision.mode is Mode.IDLE else ""

    def tick(
        self,
        ros_ns: int,
        now: float,
        requests: tuple[Request, ...] = (),
        takeover_refused: str = "",
    ) -> Turned:
        """Decide one tick with what arrived; see ``Arbiter.tick`` and ``Inputs``."""
        inputs = Inputs(
            ros_ns=ros_ns,
            joints=self.joints,
            frames=tuple(self.frames),
            targets=tuple(self.targets),
            chunks=tuple(self.chunks),
            requests=requests,
            heartbeats=tuple(self.answers),
            refused=tuple(self.refused),
            takeover_refused=takeover_refused,
            rollout_refused=self._question,
        )
        self.joints = None
        for waiting in (self.frames, self.targets, self.chunks, self.answers, self.refused):
            waiting.clear()  # type: ignore[attr-defined]
        tick = self.arbiter.tick(inputs, now)
        tell = now - self._told_at >= STATE_S or tick.decision.transition != self._told_transition
        if tell:
            self._told_transition, self._told_at = tick.decision.transition, now
        return Turned(tick, tell)
