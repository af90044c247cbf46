"""Messages between an operator's device and the bridge: typed msgpack, one tagged union each way.

Frames of reference:

- **operator's frame**: origin on the floor where the device put it, x forward, y left, z up.
- **pelvis frame**: the robot's pelvis link, x forward, y left, z up.

A pose is seven floats ``[x, y, z, qx, qy, qz, qw]``: metres and a unit quaternion. A hand is 75
floats: x y z of WebXR's 25 hand joints in its order (wrist, thumb 4, index 5, middle 5, ring 5,
pinky 5; https://www.w3.org/TR/webxr-hand-input-1/), m, in the operator's frame.

Version 2 added elbows, hands, measured joints, the device's joint names, the operator's calibration
and the stamps of the latency ledger. All of them have defaults, so a client of version 1 is
understood as it is.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

from rove_core.errors import WireError
from rove_core.vocabulary import Authority, Mode, Stage

WIRE_VERSION = 2
ACCEPTED_VERSIONS = (1, 2)  # of a client
MAX_MESSAGE_BYTES = 64 * 1024  # from an operator; a Frame takes 0.4 KB, 2.2 KB with both hands
HAND_VALUES = 75
MAX_DEVICE_JOINTS = 128
SQUEEZED = 0.5  # squeeze above which a hand is followed (hold to run)

Pose = tuple[float, float, float, float, float, float, float]
Nanoseconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
IDENTITY: Pose = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First message of a client; said again after a silence of the bridge or when it asks.

    Attributes:
        operator_id: name of the operator.
        device: kind of the device, for example ``quest3``; of an exoskeleton, suit or glove the
            name of its profile.
        joint_names: order of ``Frame.device_joints``; empty: the device measures no joints.
        calibration: name under which the operator's calibration is kept on the robot's side.
    """

    operator_id: str
    device: str
    wire_version: int = WIRE_VERSION
    joint_names: tuple[str, ...] = ()
    calibration: str = ""


class Frame(msgspec.Struct, frozen=True, tag="frame", kw_only=True):
    """One sample of the operator's device, 72-120 Hz; poses in the operator's frame.

    Attributes:
        sequence: strictly increasing, from 1 for each run of a client.
        lease: number of the lease the client believes it holds, 0: none.
        device_stamp_ns: the device's monotonic clock, ns.
        head, left_wrist, right_wrist: poses; of a part that is not tracked the last known one.
        head_tracked, left_tracked, right_tracked: whether the device sees that part now.
        left_squeeze, right_squeeze: 0..1; above ``SQUEEZED`` the hand is followed.
        left_trigger, right_trigger: 0 open hand, 1 closed hand.
        buttons: mask of ``rove_core.vocabulary.Button``, down now (level, not edge).
        left_elbow, right_elbow: poses of trackers at the elbows.
        left_elbow_tracked, right_elbow_tracked: False also where there is no such tracker.
        left_hand, right_hand: 75 floats, or none while the device does not see the fingers.
        device_joints: rad, measured by the device, in the order of ``Hello.joint_names``.
        status_ns: ``Status.sent_ns`` of the newest status that the device heard, 0: none. With it
            and the next the bridge reads the device's clock (``rove_core/latency``).
        status_heard_ns: when the device heard it, its own clock, ns.
        picture_ns: ``Picture.stamp_ns`` of the picture before the operator's eyes, 0: none.
        picture_shown_ns: since when it is, the device's clock, ns.
    """

    sequence: int
    lease: int
    device_stamp_ns: Nanoseconds
    head: Pose
    left_wrist: Pose
    right_wrist: Pose
    head_tracked: bool = True
    left_tracked: bool = True
    right_tracked: bool = True
    left_squeeze: float = 0.0
    right_squeeze: float = 0.0
    left_trigger: float = 0.0
    right_trigger: float = 0.0
    buttons: int = 0
    left_elbow: Pose = IDENTITY
    right_elbow: Pose = IDENTITY
    left_elbow_tracked: bool = False
    right_elbow_tracked: bool = False
    left_hand: tuple[float, ...] = ()
    right_hand: tuple[float, ...] = ()
    device_joints: tuple[float, ...] = ()
    status_ns: Nanoseconds = 0
    status_heard_ns: Nanoseconds = 0
    picture_ns: Nanoseconds = 0
    picture_shown_ns: Nanoseconds = 0


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """Answer to ``Hello``: frames are taken from now on; the version is that of the ``Hello``."""

    robot: str
    wire_version: int = WIRE_VERSION


class Status(msgspec.Struct, frozen=True, tag="status", kw_only=True):
    """What the operator must know, at the rate of the bridge.

    Attributes:
        stamp_ns: ROS time of the arbiter's state, ns.
        mode, authority, stage, reason: state of the arbiter and why it is what it is.
        lease, lease_holder: lease in force (0, "" when nobody holds one).
        position_error, orientation_error: alignment of operator and robot, m and rad; NaN: unknown.
        head, left_wrist, right_wrist: where the robot's are, in the pelvis frame (the ghost).
        episode_id, instruction: of the running episode, "" when there is none.
        finger_error, head_error: rad, of fingers and gaze, likewise.
        notice: what this operator has to mend before driving (a calibration that is missing, a
            device that does not fit), "" when there is nothing.
        question: what a person must answer before a rollout; the lease holder says yes with
            ``Button.MARK_RECOVERY`` in IDLE.
        echo_sequence, echo_stamp_ns: sequence and device stamp of this client's newest frame, for
            measuring the round trip; 0 before the first.
        sent_ns: wall time at which the bridge sent this, for ``Frame.status_ns``.
    """

    stamp_ns: int
    mode: Mode
    authority: Authority
    stage: Stage
    reason: str
    lease: int
    lease_holder: str
    position_error: float
    orientation_error: float
    head: Pose
    left_wrist: Pose
    right_wrist: Pose
    episode_id: str = ""
    instruction: str = ""
    question: str = ""
    notice: str = ""
    finger_error: float = math.nan
    head_error: float = math.nan
    echo_sequence: int = 0
    echo_stamp_ns: int = 0
    sent_ns: int = 0


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """One picture of the robot's camera; ``stamp_ns`` is ROS time, ``jpeg`` the encoded bytes."""

    camera: str
    stamp_ns: int
    jpeg: bytes


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A message of this client was not accepted, and why; told at most once a second.

    Attributes:
        reason: for people.
        hello_again: nothing more is taken until the client says ``Hello``.
    """

    reason: str
    hello_again: bool = True


FromClient = Hello | Frame
FromBridge = Welcome | Status | Picture | Refused

_encoder = msgspec.msgpack.Encoder()
_from_client: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
_from_bridge: msgspec.msgpack.Decoder[FromBridge] = msgspec.msgpack.Decoder(FromBridge)


def encode(message: FromClient | FromBridge) -> bytes:
    """Return the bytes of a message."""
    return _encoder.encode(message)


def decode_from_client(data: bytes) -> FromClient:
    """Return the message of a client.

    Raises:
        WireError: too large, not msgpack, or not one of the messages.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"message of {len(data)} bytes given, {MAX_MESSAGE_BYTES} allowed")
    try:
        return _from_client.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message of wire version {WIRE_VERSION}: {error}") from error


def decode_from_bridge(data: bytes) -> FromBridge:
    """Return the message of a bridge.

    Raises:
        WireError: not msgpack, or not one of the messages.
    """
    try:
        return _from_bridge.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message of wire version {WIRE_VERSION}: {error}") from error
