"""Messages to contract types and back; the only place that knows both."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion
from geometry_msgs.msg import Pose as PoseMsg
from rove_msgs.msg import ActionChunk as ActionChunkMsg
from rove_msgs.msg import Handover as HandoverMsg
from rove_msgs.msg import JointCommand as JointCommandMsg
from rove_msgs.msg import JointTarget, OperatorDevice, OperatorFrame
from sensor_msgs.msg import CompressedImage, JointState

from rove_core.action import NS, ActionChunk
from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ContractError
from rove_core.latency.legs import FramePath, Stamp
from rove_core.provenance import Provenance
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Button
from rove_teleop.arbiter.handover import Handover
from rove_teleop.arbiter.inputs import OperatorSample, TargetSample
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.wire.frame_times import UNKNOWN_TIMES, FrameTimes
from rove_teleop.wire.messages import Frame, Pose
from rove_teleop.wire.server import Client


def to_ns(stamp: Time) -> int:
    """Return a stamp as ns."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def to_stamp(ns: int) -> Time:
    """Return ns as a stamp."""
    return Time(sec=ns // NS, nanosec=ns % NS)


def doubles(values: Any) -> array[float]:
    """Return values as the array type that message fields take without a copy of each element."""
    return array("d", np.ascontiguousarray(values, dtype=np.float64).tobytes())


class JointOrder:
    """Brings ``JointState`` messages into the robot's joint order, whatever order they come in."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._names: Sequence[str] = ()
        self._permutation = np.arange(spec.size)

    def positions(self, message: JointState) -> FloatArray:
        """Return the (N,) measured positions, rad.

        Raises:
            ConfigError: joints are missing or unknown.
            ContractError: wrong number of values or one that is not finite.
        """
        if message.name != self._names:
            names = list(message.name)
            self._permutation = self._spec.permutation(names, "joint_states")
            self._names = names
        values = frozen_floats(message.position, (self._spec.size,), "joint_states.position")
        return values[self._permutation]


def joint_state_message(
    spec: RobotSpec, position: FloatArray, velocity: FloatArray, stamp_ns: int
) -> JointState:
    """Return a ``JointState`` in the robot's joint order."""
    message = JointState()
    message.header.stamp = to_stamp(stamp_ns)
    message.name = list(spec.joint_names)
    message.position = doubles(position)
    message.velocity = doubles(velocity)
    return message


def jpeg_message(jpeg: bytes, stamp_ns: int, frame: str) -> CompressedImage:
    """Return a JPEG as a message (bytes assigned as ``array``: a list would take milliseconds)."""
    message = CompressedImage()
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = frame
    message.format = "jpeg"
    message.data = array("B", jpeg)
    return message


def chunk_message(chunk: ActionChunk, advantage_high: bool, inference_ms: float) -> ActionChunkMsg:
    """Return a chunk as a message."""
    message = ActionChunkMsg()
    message.header.stamp = to_stamp(chunk.observation_ns)
    message.start = to_stamp(chunk.start_ns)
    message.dt = chunk.dt_ns / NS
    message.horizon, message.joints = chunk.position.shape
    message.position = array("f", chunk.position.astype(np.float32).tobytes())
    message.chunk_id = chunk.chunk_id
    message.policy_digest = chunk.policy_digest
    message.advantage_high = advantage_high
    message.inference_ms = inference_ms
    return message


def chunk_contract(message: ActionChunkMsg, spec: RobotSpec) -> ActionChunk:
    """Return a message as a chunk.

    Raises:
        ContractError: sizes that do not agree, another number of joints, values not finite.
    """
    if message.joints != spec.size:
        raise ContractError(
            f"policy/chunk: {message.joints} joints given, {spec.size} of {spec.name} allowed"
        )
    wanted = message.horizon * message.joints
    if len(message.position) != wanted:
        raise ContractError(
            f"policy/chunk: {len(message.position)} values given, "
            f"horizon x joints = {wanted} allowed"
        )
    values = np.frombuffer(message.position, dtype=np.float32).astype(np.float64)
    return ActionChunk(
        observation_ns=to_ns(message.header.stamp),
        start_ns=to_ns(message.start),
        dt_ns=round(message.dt * NS),
        position=values.reshape(message.horizon, message.joints),
        policy_digest=message.policy_digest,
        chunk_id=message.chunk_id,
    )


def command_message(position: FloatArray, provenance: Provenance, stamp_ns: int) -> JointCommandMsg:
    """Return the command of one tick with its provenance."""
    message = JointCommandMsg()
    message.header.stamp = to_stamp(stamp_ns)
    message.epoch = provenance.epoch
    message.sequence = provenance.sequence
    message.mode = int(provenance.mode)
    message.authority = int(provenance.authority)
    message.stage = int(provenance.stage)
    message.lease = provenance.lease
    message.position = doubles(position)
    if provenance.policy_wanted is not None:
        message.policy_wanted = doubles(provenance.policy_wanted)
    if provenance.human_wanted is not None:
        message.human_wanted = doubles(provenance.human_wanted)
    message.policy_digest = provenance.policy_digest
    message.chunk_id = provenance.chunk_id
    message.operator_sequence = provenance.operator_sequence
    message.captured_ns = provenance.path.captured_ns
    message.received_ns = provenance.path.received_ns
    message.retargeted_ns = provenance.path.retargeted_ns
    return message


def command_stamps(message: JointCommandMsg) -> dict[Stamp, int]:
    """Return the stamps that a command carries, wall ns."""
    return {
        Stamp.CAPTURED: message.captured_ns,
        Stamp.RECEIVED: message.received_ns,
        Stamp.RETARGETED: message.retargeted_ns,
        Stamp.DECIDED: message.decided_ns,
        Stamp.COMMANDED: message.commanded_ns,
    }


def handover_message(handover: Handover, spec: RobotSpec, epoch: int, stamp_ns: int) -> HandoverMsg:
    """Return a measured change of authority as a message."""
    message = HandoverMsg(
        kind=int(handover.kind),
        epoch=epoch,
        transition=handover.transition,
        changed=to_stamp(handover.changed_ns),
        press_to_authority_ms=handover.press_to_authority_ms,
        window_s=handover.window_s,
        step=handover.step,
        normal_step=handover.normal_step,
        velocity=handover.velocity,
        acceleration=handover.acceleration,
        jerk=handover.jerk,
        joint=spec.joint_names[handover.joint],
    )
    message.header.stamp = to_stamp(stamp_ns)
    return message


def pose_message(pose: Pose) -> PoseMsg:
    """Return x, y, z, qx, qy, qz, qw as a message."""
    x, y, z, qx, qy, qz, qw = pose
    return PoseMsg(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_tuple(message: PoseMsg) -> Pose:
    """Return a pose as x, y, z, qx, qy, qz, qw."""
    place, turn = message.position, message.orientation
    return (place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w)


def frame_message(
    operator_id: str, frame: Frame, stamp_ns: int, times: FrameTimes = UNKNOWN_TIMES
) -> OperatorFrame:
    """Return a frame of the wire as a message.

    Args:
        operator_id: who sent it.
        frame: as the bridge accepted it.
        stamp_ns: ROS time at which the bridge received it.
        times: the same and more in wall time.
    """
    message = OperatorFrame(
        operator_id=operator_id,
        lease=frame.lease,
        sequence=frame.sequence,
        device_stamp_ns=frame.device_stamp_ns,
        head=pose_message(frame.head),
        left_wrist=pose_message(frame.left_wrist),
        right_wrist=pose_message(frame.right_wrist),
        head_tracked=frame.head_tracked,
        left_tracked=frame.left_tracked,
        right_tracked=frame.right_tracked,
        left_squeeze=frame.left_squeeze,
        right_squeeze=frame.right_squeeze,
        left_trigger=frame.left_trigger,
        right_trigger=frame.right_trigger,
        buttons=frame.buttons,
        captured_ns=times.captured_ns,
        received_ns=times.received_ns,
        picture_ns=times.picture_ns,
        shown_ns=times.shown_ns,
    )
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = "operator"
    if frame.left_elbow_tracked or frame.right_elbow_tracked:
        message.left_elbow = pose_message(frame.left_elbow)
        message.right_elbow = pose_message(frame.right_elbow)
        message.left_elbow_tracked = frame.left_elbow_tracked
        message.right_elbow_tracked = frame.right_elbow_tracked
    message.left_hand = array("f", frame.left_hand)
    message.right_hand = array("f", frame.right_hand)
    message.device_joints = array("d", frame.device_joints)
    return message


def device_message(client: Client, calibration: str, stamp_ns: int) -> OperatorDevice:
    """Return who sits behind the frames of an operator, with that person's calibration (JSON)."""
    message = OperatorDevice(
        operator_id=client.operator_id,
        device=client.device,
        joint_names=list(client.joint_names),
        calibration_name=client.calibration,
        calibration=calibration,
    )
    message.header.stamp = to_stamp(stamp_ns)
    return message


def frame_contract(message: OperatorFrame) -> Frame:
    """Return a message as a frame of the wire."""
    return Frame(
        sequence=message.sequence,
        lease=message.lease,
        device_stamp_ns=message.device_stamp_ns,
        head=pose_tuple(message.head),
        left_wrist=pose_tuple(message.left_wrist),
        right_wrist=pose_tuple(message.right_wrist),
        head_tracked=message.head_tracked,
        left_tracked=message.left_tracked,
        right_tracked=message.right_tracked,
        left_squeeze=message.left_squeeze,
        right_squeeze=message.right_squeeze,
        left_trigger=message.left_trigger,
        right_trigger=message.right_trigger,
        buttons=message.buttons,
        left_elbow=pose_tuple(message.left_elbow),
        right_elbow=pose_tuple(message.right_elbow),
        left_elbow_tracked=message.left_elbow_tracked,
        right_elbow_tracked=message.right_elbow_tracked,
        left_hand=tuple(message.left_hand),
        right_hand=tuple(message.right_hand),
        device_joints=tuple(message.device_joints),
    )


def operator_sample(message: OperatorFrame) -> OperatorSample:
    """Return what the arbiter reads of a frame."""
    return OperatorSample(
        operator_id=message.operator_id,
        lease=message.lease,
        sequence=message.sequence,
        stamp_ns=to_ns(message.header.stamp),
        buttons=Button(message.buttons),
        left_squeeze=message.left_squeeze,
        right_squeeze=message.right_squeeze,
    )


def target_sample(message: JointTarget) -> TargetSample:
    """Return a joint target for the arbiter, which checks it.

    Raises:
        ContractError: the position is not a numeric array.
    """
    return TargetSample(
        lease=message.lease,
        operator_sequence=message.operator_sequence,
        stamp_ns=to_ns(message.header.stamp),
        valid=message.valid,
        enabled=message.enabled,
        position=message.position,
        reason=message.reason,
        position_error=message.position_error,
        orientation_error=message.orientation_error,
        path=FramePath(message.captured_ns, message.received_ns, message.retargeted_ns),
    )


def target_message(result: RetargetResult, frame: OperatorFrame) -> JointTarget:
    """Return what a frame means for the joints as a message, stamped as the frame."""
    message = JointTarget(
        lease=frame.lease,
        operator_sequence=frame.sequence,
        valid=result.valid,
        reason=result.reason,
        enabled=result.enabled,
        position=doubles(result.position),
        position_error=result.position_error,
        orientation_error=result.orientation_error,
        finger_error=result.finger_error,
        head_error=result.head_error,
        solve_ms=result.solve_ms,
        captured_ns=frame.captured_ns,
        received_ns=frame.received_ns,
    )
    message.header.stamp = frame.header.stamp
    return message
