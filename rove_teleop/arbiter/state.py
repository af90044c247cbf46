"""ArbiterState: everything the arbiter remembers from one tick to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from rove_core.action import ActionChunk
from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.vocabulary import Button, EpisodeKind, Mode, Stage
from rove_teleop.arbiter.heartbeat import Heartbeats
from rove_teleop.arbiter.inputs import JointSample, TargetSample
from rove_teleop.arbiter.lease import LEASES_PER_EPOCH, Lease
from rove_teleop.arbiter.timeouts import Timeouts

LONG_AGO = float("-inf")
"""Monotonic s of something that has not happened yet."""


class Cause(Enum):
    """What sent the arbiter to HOLD."""

    NONE = "none"
    START = "start-up"
    JOINT_STATES = "joint states"
    OPERATOR = "operator"
    RETARGETING = "retargeting"
    POLICY = "policy"
    CLOCK = "clock"
    SUSPENDED = "suspended"
    LEASE = "lease"
    RESET = "e-stop reset"


@dataclass(frozen=True, slots=True)
class Episode:
    """The running episode: ``episode_id`` is ``<epoch>-<number>``."""

    episode_id: str
    kind: EpisodeKind
    task: str
    instruction: str
    seed: int


@dataclass(frozen=True, slots=True)
class Hand:
    """The operator's side: buttons, squeeze and targets.

    Attributes:
        buttons: of the holder's newest frame, None until there is one to compare with.
        squeezed: whether hold-to-run was squeezed in that frame.
        squeeze: (sequence, stamp_ns) of the frame that squeezed, while it is squeezed.
        refused: why that squeeze does not lead to HUMAN, "" when it may.
        target: newest target of the lease, followable or not.
        followed: newest target that may be followed, None since the last that may not.
        velocity: (N,) rad/s between the last two that were followed, None when not known.
        target_seen: monotonic s of the newest target.
        target_good: monotonic s of the newest that could be followed.
    """

    buttons: Button | None = None
    squeezed: bool = False
    squeeze: tuple[int, int] | None = None
    refused: str = ""
    target: TargetSample | None = None
    followed: TargetSample | None = None
    velocity: FloatArray | None = None
    target_seen: float = LONG_AGO
    target_good: float = LONG_AGO


@dataclass(frozen=True, slots=True)
class Planned:
    """The policy's side: the chunk in hand.

    Attributes:
        chunk: newest chunk, None when there is none.
        seen: monotonic s at which it arrived.
        fresh_after_ns: ROS time that a chunk's observation must be newer than to be followed.
        late_since: monotonic s since which AUTONOMOUS holds behind an expired chunk.
    """

    chunk: ActionChunk | None = None
    seen: float = LONG_AGO
    fresh_after_ns: int = 0
    late_since: float | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The robot's side: measured joints and the clocks.

    Attributes:
        joints: newest measured joints.
        seen: monotonic s at which they arrived.
        anchored: whether the command has been started from measured joints.
        apart_since: monotonic s since which command and joints are apart while nobody drives.
        tick: monotonic s of the last tick, None before the first.
        ros_ns: ROS time of the last tick.
    """

    joints: JointSample | None = None
    seen: float = LONG_AGO
    anchored: bool = False
    apart_since: float | None = None
    tick: float | None = None
    ros_ns: int = 0


@dataclass(frozen=True, slots=True)
class ArbiterState:
    """State of the arbiter between two ticks.

    Attributes:
        epoch: number of this run.
        size: number of joints, N.
        timeouts: the limits in force.
        mode, previous_mode: present and last mode.
        cause: what sent it to HOLD; NONE in every other mode.
        reason: why the mode is what it is, for people.
        note: what stands in the way now, "" when nothing does; shown after the reason.
        since, since_ns: monotonic s and ROS time of the last transition.
        transition: counts the transitions of the epoch.
        stage: stage of the human's turn, kept through ALIGN and CLUTCH; NONE outside of it.
        lease, hand, planned, body, heartbeats: see there.
        episode: the running episode, None when there is none.
        episodes: counts the episodes of the epoch.
        rejected: reason -> number of messages refused since the start.
    """

    epoch: int
    size: int
    timeouts: Timeouts = field(default_factory=Timeouts)
    mode: Mode = Mode.HOLD
    previous_mode: Mode = Mode.HOLD
    cause: Cause = Cause.START
    reason: str = "waiting for joint states"
    note: str = ""
    since: float = LONG_AGO
    since_ns: int = 0
    transition: int = 0
    stage: Stage = Stage.NONE
    lease: Lease = field(default_factory=Lease)
    hand: Hand = field(default_factory=Hand)
    planned: Planned = field(default_factory=Planned)
    body: Body = field(default_factory=Body)
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    episode: Episode | None = None
    episodes: int = 0
    rejected: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def rollout(self) -> bool:
        """Tell whether an episode runs in which a policy may drive."""
        return self.episode is not None and self.episode.kind is EpisodeKind.ROLLOUT


def initial_state(
    epoch: int,
    size: int,
    timeouts: Timeouts | None = None,
    heartbeats: Heartbeats | None = None,
) -> ArbiterState:
    """Return the state of a start: HOLD, no lease, no episode, nothing measured yet.

    Raises:
        ConfigError: ``epoch`` or ``size`` is below 1.
    """
    if epoch < 1:
        raise ConfigError("epoch", epoch, "at least 1, larger than that of any run before")
    if size < 1:
        raise ConfigError("number of joints", size, "at least 1")
    leases = Lease(issued=epoch * LEASES_PER_EPOCH)
    return ArbiterState(
        epoch, size, timeouts or Timeouts(), lease=leases, heartbeats=heartbeats or Heartbeats()
    )
