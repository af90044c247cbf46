"""Turn: the working copy of the state while one tick is decided."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from rove_core.vocabulary import EpisodeChange, Mode, Outcome, Stage
from rove_teleop.arbiter.decision import Answer, EpisodeNews
from rove_teleop.arbiter.inputs import Inputs
from rove_teleop.arbiter.state import ArbiterState, Cause
from rove_teleop.arbiter.transitions import Event, Transition

RESTING = 0.02
"""rad/s: below it a command counts as standing still."""


class Turn:
    """One tick in the making. Lives inside :func:`rove_teleop.arbiter.machine.step` only.

    The parts of the state are replaced, never changed; ``freeze`` puts them together again.
    """

    def __init__(self, state: ArbiterState, inputs: Inputs, now: float) -> None:
        self.inputs, self.now = inputs, now
        self.ros_ns = inputs.ros_ns
        self.timeouts, self.size, self.epoch = state.timeouts, state.size, state.epoch
        self.mode, self.previous_mode, self.cause = state.mode, state.previous_mode, state.cause
        self.reason, self.note = state.reason, state.note
        self.since, self.since_ns, self.transition = state.since, state.since_ns, state.transition
        self.stage = state.stage
        self.lease, self.hand = state.lease, state.hand
        self.planned, self.body = state.planned, state.body
        self.heartbeats = state.heartbeats
        self.episode, self.episodes = state.episode, state.episodes
        self.rollout = state.rollout
        self.rejected = state.rejected
        self.pressed_ns = 0  # stamp of the frame that is being obeyed
        self.estop_pressed = False
        self.jumped = False  # the measured joints leapt since the last sample
        self.anchor_reason = ""
        self.transitions: list[Transition] = []
        self.news: list[EpisodeNews] = []
        self.answers: list[Answer] = []

    @property
    def joints_fresh(self) -> bool:
        """Tell whether joint states are not older than allowed."""
        return self.now - self.body.seen <= self.timeouts.joint_states

    @property
    def waiting(self) -> bool:
        """Tell whether the chunk in hand is too old to drive after the last press."""
        chunk = self.planned.chunk
        return chunk is None or chunk.observation_ns <= self.planned.fresh_after_ns

    @property
    def late(self) -> bool:
        """Tell whether the chunk in hand has run out."""
        return self.planned.chunk is not None and self.planned.chunk.expired(self.ros_ns)

    def reject(self, reason: str) -> None:
        """Count a refused message."""
        counts = dict(self.rejected)
        counts[reason] = counts.get(reason, 0) + 1
        self.rejected = MappingProxyType(counts)

    def go(
        self,
        event: Event,
        target: Mode,
        reason: str,
        stage: Stage = Stage.NONE,
        cause: Cause = Cause.NONE,
    ) -> None:
        """Take a transition of the table."""
        taken = Transition(self.mode, target, event, reason, self.now, self.ros_ns, self.pressed_ns)
        self.transitions.append(taken)
        self.previous_mode, self.mode = self.mode, target
        if target is not Mode.HUMAN:  # a squeeze counts in the mode that it was made in
            self.hand = replace(self.hand, squeeze=None, refused="", followed=None, velocity=None)
        self.reason, self.note = reason, ""
        self.stage, self.cause = stage, cause
        self.since, self.since_ns = self.now, self.ros_ns
        self.transition += 1

    def fault(self, cause: Cause, reason: str) -> None:
        """Go to HOLD; in HOLD the first cause stays, in ESTOP the e-stop does."""
        if self.mode not in (Mode.HOLD, Mode.ESTOP):
            self.go(Event.FAULT, Mode.HOLD, reason, cause=cause)

    def anchor(self, reason: str, moving: bool = False) -> None:
        """Ask to restart the command from the measured joints.

        A command in motion is left alone unless ``moving``: the robot trails it, so restarting
        it there would be the jump that this is meant to prevent.
        """
        if self.body.joints is None or not self.joints_fresh:
            return
        if moving or self.inputs.command is None or self.inputs.command_speed <= RESTING:
            self.anchor_reason = reason

    def leave_hold(self) -> None:
        """Restart the command when a HOLD ends in which nobody knew where the robot was."""
        if self.mode is Mode.HOLD:
            lost = (Cause.CLOCK, Cause.SUSPENDED, Cause.RESET, Cause.JOINT_STATES)
            if self.cause in lost:
                self.anchor("left HOLD", moving=True)

    def require_fresh_chunk(self) -> None:
        """Let only chunks made from observations after this moment drive from now on."""
        p = self.planned
        self.planned = type(p)(p.chunk, p.seen, self.ros_ns, None)

    def stop_episode(self, outcome: Outcome, reason: str) -> None:
        """Announce the end of the running episode."""
        if self.episode is None:
            return
        self.news.append(EpisodeNews(EpisodeChange.STOPPED, self.episode, outcome, reason))
        self.episode, self.rollout = None, False

    def freeze(self) -> ArbiterState:
        """Return the state after this tick."""
        return ArbiterState(
            epoch=self.epoch,
            size=self.size,
            timeouts=self.timeouts,
            mode=self.mode,
            previous_mode=self.previous_mode,
            cause=self.cause,
            reason=self.reason,
            note=self.note,
            since=self.since,
            since_ns=self.since_ns,
            transition=self.transition,
            stage=self.stage,
            lease=self.lease,
            hand=self.hand,
            planned=self.planned,
            body=self.body,
            heartbeats=self.heartbeats,
            episode=self.episode,
            episodes=self.episodes,
            rejected=self.rejected,
        )
