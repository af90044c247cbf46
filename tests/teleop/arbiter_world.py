"""A world around the arbiter for its tests: a clock, a robot, an operator, retargeting, a policy.

Everything that would be a process is a switch here; :meth:`World.tick` moves the clocks by 5 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from rove_core.action import ActionChunk
from rove_core.vocabulary import Button, EpisodeKind, Mode, Outcome
from rove_teleop.arbiter.decision import Answer, Decision
from rove_teleop.arbiter.inputs import (
    Inputs,
    JointSample,
    OperatorSample,
    Request,
    StartEpisode,
    StopEpisode,
    TargetSample,
)
from rove_teleop.arbiter.lease import LEASES_PER_EPOCH
from rove_teleop.arbiter.machine import step
from rove_teleop.arbiter.state import ArbiterState, initial_state
from rove_teleop.arbiter.transitions import Transition

DT = 0.005
NS = 1_000_000_000
N = 3
FIRST = 7 * LEASES_PER_EPOCH + 1
"""Number of the first lease of this world's epoch."""
ROLLOUT = StartEpisode(EpisodeKind.ROLLOUT, "erase", "erase the left stroke", 3, "Ada")
DEMONSTRATION = StartEpisode(EpisodeKind.DEMONSTRATION, "erase", "erase it", 4, "Ada")
STOP = StopEpisode(Outcome.SUCCESS, "done")


@dataclass
class Operator:
    """An operator's device; it learns its lease one tick late, like a real one."""

    name: str
    sending: bool = True
    lease: int = 0
    sequence: int = 0
    buttons: Button = Button.NONE
    squeeze: float = 0.0


@dataclass
class World:
    """The world; ``history`` keeps every transition, ``decision`` is the newest."""

    size: int = N
    state: ArbiterState = field(default_factory=lambda: initial_state(7, N))
    now: float = 100.0
    ros_ns: int = 50 * NS
    ticks: int = 0
    joints: np.ndarray = field(default_factory=lambda: np.zeros(N))
    command: np.ndarray | None = None
    robot_alive: bool = True
    clock_alive: bool = True
    operators: dict[str, Operator] = field(default_factory=dict)
    teleop_alive: bool = True
    target_valid: bool = True
    position_error: float = 0.0
    orientation_error: float = 0.0
    policy_alive: bool = False
    policy_delay: int = 40 * NS // 1000
    chunk_id: int = 0
    takeover_refused: str = ""
    decision: Decision | None = None
    history: list[Transition] = field(default_factory=list)
    change: Callable[[Inputs], Inputs] | None = None

    @property
    def mode(self) -> Mode:
        return self.state.mode

    @property
    def told(self) -> Decision:
        assert self.decision is not None
        return self.decision

    def tick(self, *requests: Request, n: int = 1) -> Decision:
        """Let ``n`` ticks pass; the requests come in the first."""
        for _ in range(n):
            self.now += DT
            self.ticks += 1
            if self.clock_alive:
                self.ros_ns += int(DT * NS)
            inputs = self._inputs(requests)
            if self.change is not None:
                inputs = self.change(inputs)
            self.state, self.decision = step(self.state, inputs, self.now)
            if self.decision.anchor is not None:
                self.command = np.array(self.decision.anchor)
            for operator in self.operators.values():
                held = self.decision.lease_holder == operator.name
                operator.lease = self.decision.lease if held else 0
            self.history += self.decision.transitions
            requests = ()
        return self.told

    def ask(self, request: Request) -> Answer:
        """Ask in one tick and return the answer."""
        return self.tick(request).answers[0]

    def _inputs(self, requests: tuple[Request, ...]) -> Inputs:
        frames, targets = [], []
        for operator in self.operators.values():
            if operator.sending:
                operator.sequence += 1
                frames.append(self.frame(operator))
                if self.teleop_alive and operator.lease:
                    targets.append(self.target(operator))
        return Inputs(
            ros_ns=self.ros_ns,
            joints=JointSample(self.joints, self.ros_ns) if self.robot_alive else None,
            frames=tuple(frames),
            targets=tuple(targets),
            chunks=(self.chunk(),) if self.policy_alive and self.ticks % 20 == 0 else (),
            requests=requests,
            takeover_refused=self.takeover_refused,
            command=self.command,
        )

    def frame(self, operator: Operator) -> OperatorSample:
        return OperatorSample(
            operator.name,
            operator.lease,
            operator.sequence,
            self.ros_ns,
            operator.buttons,
            operator.squeeze,
        )

    def target(self, operator: Operator, sequence: int | None = None) -> TargetSample:
        enabled = operator.squeeze > 0.5
        return TargetSample(
            lease=operator.lease,
            operator_sequence=operator.sequence if sequence is None else sequence,
            stamp_ns=self.ros_ns,
            valid=self.target_valid,
            enabled=enabled,
            position=np.full(self.size, 0.2),
            reason="" if self.target_valid else "left hand not tracked",
            position_error=math.nan if enabled else self.position_error,
            orientation_error=math.nan if enabled else self.orientation_error,
        )

    def chunk(self, observation_ns: int | None = None, rows: int = 8) -> ActionChunk:
        """A chunk of ``rows`` x 50 ms, made ``policy_delay`` ago unless said otherwise."""
        self.chunk_id += 1
        seen = self.ros_ns - self.policy_delay if observation_ns is None else observation_ns
        dt = NS // 20
        return ActionChunk(
            seen, seen + dt, dt, np.full((rows, self.size), 0.1), "digest", self.chunk_id
        )

    def send(self, **parts: object) -> Decision:
        """Replace parts of the inputs of one tick."""

        self.change = lambda inputs: replace(inputs, **parts)  # type: ignore[arg-type]
        try:
            return self.tick()
        finally:
            self.change = None

    # ---- ways to a mode, by the means that a person has ----
    def idle(self) -> World:
        self.tick(n=2)
        assert self.mode is Mode.IDLE
        return self

    def operator(self, name: str = "eve") -> Operator:
        return self.operators.setdefault(name, Operator(name))

    def leased(self) -> World:
        self.idle().operator()
        self.tick(n=130)
        assert self.told.lease_holder == "eve"
        return self

    def press(self, button: Button, name: str = "eve") -> Decision:
        """Press for two ticks and let go; return the decision of the first tick."""
        operator = self.operators[name]
        operator.buttons = button
        first = self.tick()
        self.tick()
        operator.buttons = Button.NONE
        self.tick()
        return first

    def squeeze(self, n: int = 3) -> World:
        self.operators["eve"].squeeze = 1.0
        self.tick(n=n)
        return self

    def release(self, n: int = 3) -> World:
        self.operators["eve"].squeeze = 0.0
        self.tick(n=n)
        return self

    def to(self, mode: Mode) -> World:
        """Bring a new world to a mode with a lease and, but for IDLE, a running rollout."""
        self.leased()
        if mode is Mode.IDLE:
            return self
        self.policy_alive = True
        self.tick(ROLLOUT)
        self.tick(n=60)
        assert self.mode is Mode.AUTONOMOUS
        if mode is Mode.AUTONOMOUS:
            return self
        if mode is Mode.PAUSED:
            self.press(Button.PAUSE)
        elif mode is Mode.HOLD:
            self.robot_alive = False
            self.tick(n=30)
            self.robot_alive = True
            self.tick(n=2)
        elif mode is Mode.ESTOP:
            self.press(Button.ESTOP)
        else:
            self.press(Button.TAKEOVER)
            if mode in (Mode.HUMAN, Mode.CLUTCH, Mode.HANDBACK):
                self.squeeze()
            if mode is Mode.CLUTCH:
                self.release()
            if mode is Mode.HANDBACK:
                self.policy_alive = False
                self.press(Button.HAND_BACK)
        assert self.mode is mode, (self.mode, self.told.reason)
        return self
