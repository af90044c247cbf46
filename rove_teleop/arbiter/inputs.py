"""Inputs: everything that reached the arbiter since its last tick, and why some of it is refused.

Samples are copies and read-only. A wrong shape or a value that is not finite is no error here:
it is refused by :mod:`rove_teleop.arbiter.intake` and counted, because the robot must go on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rove_core.action import ActionChunk
from rove_core.arrays import FloatArray
from rove_core.errors import ContractError
from rove_core.latency.legs import UNKNOWN_PATH, FramePath
from rove_core.vocabulary import Button, EpisodeKind, Outcome
from rove_teleop.arbiter.heartbeat import HeartbeatAnswer

SQUEEZED = 0.5
"""0..1: above it hold-to-run is squeezed; the same number as in OperatorFrame.msg."""


def _copied(value: Any, name: str) -> FloatArray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{name}: not a numeric array: {error}") from error
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """Measured joints: position (N,) rad in the order of the spec, stamp_ns of ROS time."""

    position: FloatArray
    stamp_ns: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", _copied(self.position, "joint sample"))


@dataclass(frozen=True, slots=True)
class OperatorSample:
    """What the arbiter reads of an operator frame (OperatorFrame.msg).

    Attributes:
        operator_id: who sent it.
        lease: number of the lease it was sent under, 0 when the sender knows of none.
        sequence: counts the frames of one connection from 1; a smaller one is a new connection.
        stamp_ns: ROS time at which the bridge received it, ns.
        buttons: buttons that are down now.
        left_squeeze, right_squeeze: 0..1, hold-to-run.
    """

    operator_id: str
    lease: int
    sequence: int
    stamp_ns: int
    buttons: Button = Button.NONE
    left_squeeze: float = 0.0
    right_squeeze: float = 0.0

    @property
    def squeezed(self) -> bool:
        """Tell whether a hand squeezes hold-to-run."""
        return self.left_squeeze > SQUEEZED or self.right_squeeze > SQUEEZED


@dataclass(frozen=True, slots=True, eq=False)
class TargetSample:
    """What the operator's motion means for the joints (JointTarget.msg).

    Attributes:
        lease, operator_sequence, stamp_ns: those of the frame it was made from.
        valid: whether it may be followed; ``reason`` says why not.
        enabled: hold-to-run is squeezed and the origin is set.
        position: (N,) rad, joint order of the spec; not read when it is not valid.
        position_error: m, largest distance of a wrist from the operator's; NaN when not known.
        orientation_error: rad, likewise.
        path: when the frame was captured and received, and this target made.
    """

    lease: int
    operator_sequence: int
    stamp_ns: int
    valid: bool
    enabled: bool
    position: FloatArray
    reason: str = ""
    position_error: float = math.nan
    orientation_error: float = math.nan
    path: FramePath = UNKNOWN_PATH

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", _copied(self.position, "joint target"))


@dataclass(frozen=True, slots=True)
class Pause:
    """Pause the policy, or resume; resuming is also how a person leaves HOLD."""

    pause: bool
    person: str = ""


@dataclass(frozen=True, slots=True)
class ForceLease:
    """Give the lease to an operator whose frames are steady, or to nobody with ``""``."""

    operator_id: str
    supervisor: str = ""


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """Stop at once."""

    cause: str


@dataclass(frozen=True, slots=True)
class ResetEmergencyStop:
    """Leave ESTOP for HOLD."""

    person: str = ""


@dataclass(frozen=True, slots=True)
class StartEpisode:
    """Start an episode from IDLE; seed -1 when the scene has none."""

    kind: EpisodeKind
    task: str
    instruction: str
    seed: int = -1
    person: str = ""


@dataclass(frozen=True, slots=True)
class StopEpisode:
    """End the running episode."""

    outcome: Outcome
    reason: str = ""


Request: TypeAlias = (
    Pause | ForceLease | EmergencyStop | ResetEmergencyStop | StartEpisode | StopEpisode
)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What arrived since the last tick; tuples are in order of arrival.

    Attributes:
        ros_ns: ROS time of this tick, ns; 0 while there is no clock yet.
        joints: newest measured joints, None when none arrived.
        frames, targets, chunks, requests: what arrived.
        heartbeats: answers to the challenge.
        refused: one word of reason for each message that could not even be converted.
        takeover_refused: why no operator may take over now ("" when one may), for example a
            simulator slower than wall time.
        rollout_refused: why no rollout may start now ("" when one may), for example a policy
            that no person has agreed to yet.
        command: (N,) rad, what was last sent, None before the first; :class:`Arbiter` sets it.
        command_speed: rad/s, fastest joint of that command; :class:`Arbiter` sets it.
    """

    ros_ns: int
    joints: JointSample | None = None
    frames: tuple[OperatorSample, ...] = ()
    targets: tuple[TargetSample, ...] = ()
    chunks: tuple[ActionChunk, ...] = ()
    requests: tuple[Request, ...] = ()
    heartbeats: tuple[HeartbeatAnswer, ...] = ()
    refused: tuple[str, ...] = ()
    takeover_refused: str = ""
    rollout_refused: str = ""
    command: FloatArray | None = None
    command_speed: float = 0.0
