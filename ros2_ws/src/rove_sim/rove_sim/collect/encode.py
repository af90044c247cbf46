"""Serialised messages without ROS; every field is that of the nodes (a test compares them)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rove_core.action import NS, ActionChunk
from rove_core.arrays import FloatArray
from rove_core.bag.definitions import typestore
from rove_core.bag.record import header, message_type
from rove_core.bag.schema import CAMERA_TYPE, TOPIC_TYPES
from rove_core.provenance import Provenance
from rove_core.robot import RobotSpec
from rove_core.vocabulary import PolicyState
from rove_policy.proposer import Proposal
from rove_teleop.arbiter.decision import Decision, EpisodeNews
from rove_teleop.arbiter.handover import Handover
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.wire.messages import Frame, Pose

_NONE = np.zeros(0)
_NO_FLOATS = np.zeros(0, np.float32)
_STILL: Pose = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def _cdr(topic: str, **fields: Any) -> bytes:
    type_name = CAMERA_TYPE if topic == "camera" else TOPIC_TYPES[topic]
    message = message_type(type_name)(**fields)
    return bytes(typestore().serialize_cdr(message, type_name))


def _time(ns: int) -> Any:
    return message_type("builtin_interfaces/msg/Time")(sec=ns // NS, nanosec=ns % NS)


def _unknown(*moments: str) -> dict[str, int]:
    """Return wall times of the legs of a message: there is no wall here, and 0 says so."""
    return {f"{moment}_ns": 0 for moment in moments}


def _pose(pose: Pose) -> Any:
    x, y, z, qx, qy, qz, qw = pose
    return message_type("geometry_msgs/msg/Pose")(
        position=message_type("geometry_msgs/msg/Point")(x=x, y=y, z=z),
        orientation=message_type("geometry_msgs/msg/Quaternion")(x=qx, y=qy, z=qz, w=qw),
    )


def picture(camera: str, jpeg: bytes, stamp_ns: int) -> bytes:
    """Return a camera's JPEG."""
    data = np.frombuffer(jpeg, np.uint8)
    return _cdr("camera", header=header(stamp_ns, camera), format="jpeg", data=data)


def operator_frame(operator_id: str, frame: Frame, received_ns: int) -> bytes:
    """Return a frame as the bridge accepted it."""
    elbows = frame.left_elbow_tracked or frame.right_elbow_tracked
    return _cdr(
        "operator/frame",
        header=header(received_ns, "operator"),
        operator_id=operator_id,
        lease=frame.lease,
        sequence=frame.sequence,
        device_stamp_ns=frame.device_stamp_ns,
        head=_pose(frame.head),
        left_wrist=_pose(frame.left_wrist),
        right_wrist=_pose(frame.right_wrist),
        head_tracked=frame.head_tracked,
        left_tracked=frame.left_tracked,
        right_tracked=frame.right_tracked,
        left_squeeze=frame.left_squeeze,
        right_squeeze=frame.right_squeeze,
        left_trigger=frame.left_trigger,
        right_trigger=frame.right_trigger,
        buttons=frame.buttons,
        left_elbow=_pose(frame.left_elbow if elbows else _STILL),
        right_elbow=_pose(frame.right_elbow if elbows else _STILL),
        left_elbow_tracked=frame.left_elbow_tracked,
        right_elbow_tracked=frame.right_elbow_tracked,
        left_hand=np.array(frame.left_hand, np.float32),
        right_hand=np.array(frame.right_hand, np.float32),
        device_joints=np.array(frame.device_joints, np.float64),
        **_unknown("captured", "received", "picture", "shown"),
    )


def operator_device(
    operator_id: str,
    device: str,
    joint_names: Sequence[str],
    calibration_name: str,
    calibration: str,
    stamp_ns: int,
) -> bytes:
    """Return who sits behind the frames."""
    return _cdr(
        "operator/device",
        header=header(stamp_ns),
        operator_id=operator_id,
        device=device,
        joint_names=list(joint_names),
        calibration_name=calibration_name,
        calibration=calibration,
    )


def joint_target(result: RetargetResult, frame: Frame, stamp_ns: int) -> bytes:
    """Return what a frame means for the joints, stamped as the frame."""
    return _cdr(
        "teleop/target",
        header=header(stamp_ns),
        lease=frame.lease,
        operator_sequence=frame.sequence,
        valid=result.valid,
        reason=result.reason,
        enabled=result.enabled,
        position=np.asarray(result.position, np.float64),
        position_error=result.position_error,
        orientation_error=result.orientation_error,
        finger_error=result.finger_error,
        head_error=result.head_error,
        solve_ms=result.solve_ms,
        **_unknown("captured", "received", "retargeted"),
    )


def action_chunk(proposal: Proposal) -> bytes:
    """Return a chunk with what it was asked for."""
    chunk: ActionChunk = proposal.chunk
    return _cdr(
        "policy/chunk",
        header=header(chunk.observation_ns),
        start=_time(chunk.start_ns),
        dt=chunk.dt_ns / NS,
        horizon=chunk.position.shape[0],
        joints=chunk.position.shape[1],
        position=chunk.position.astype(np.float32).ravel(),
        chunk_id=chunk.chunk_id,
        policy_digest=chunk.policy_digest,
        advantage_high=proposal.advantage_high,
        inference_ms=proposal.inference_ms,
    )


def policy_status(
    state: PolicyState,
    digest: str,
    approved: bool,
    path: str,
    reason: str,
    instruction: str,
    inference_ms: float,
    stamp_ns: int,
) -> bytes:
    """Return what the policy says of itself."""
    return _cdr(
        "policy/status",
        header=header(stamp_ns),
        state=int(state),
        digest=digest,
        approved=approved,
        path=path,
        reason=reason,
        instruction=instruction,
        inference_ms=inference_ms,
    )


def joint_command(position: FloatArray, provenance: Provenance, stamp_ns: int) -> bytes:
    """Return the command of one tick with its provenance."""
    policy, human = provenance.policy_wanted, provenance.human_wanted
    return _cdr(
        "joint_command",
        header=header(stamp_ns),
        epoch=provenance.epoch,
        sequence=provenance.sequence,
        mode=int(provenance.mode),
        authority=int(provenance.authority),
        stage=int(provenance.stage),
        lease=provenance.lease,
        position=position,
        policy_wanted=_NONE if policy is None else policy,
        human_wanted=_NONE if human is None else human,
        policy_digest=provenance.policy_digest,
        chunk_id=provenance.chunk_id,
        operator_sequence=provenance.operator_sequence,
        **_unknown("captured", "received", "retargeted", "decided", "commanded"),
    )


def arbiter_state(decision: Decision, epoch: int, question: str, stamp_ns: int) -> bytes:
    """Return what the arbiter does and why."""
    return _cdr(
        "arbiter/state",
        header=header(stamp_ns),
        epoch=epoch,
        mode=int(decision.mode),
        previous_mode=int(decision.previous_mode),
        authority=int(decision.authority),
        stage=int(decision.stage),
        reason=decision.reason,
        question=question,
        since=_time(decision.since_ns),
        transition=decision.transition,
        lease=decision.lease,
        lease_holder=decision.lease_holder,
        episode_id=decision.episode_id,
        policy_digest=decision.policy_digest,
        position_error=decision.position_error,
        orientation_error=decision.orientation_error,
    )


def handover_of(handover: Handover, spec: RobotSpec, epoch: int, stamp_ns: int) -> bytes:
    """Return a measured change of authority."""
    return _cdr(
        "arbiter/handover",
        header=header(stamp_ns),
        kind=int(handover.kind),
        epoch=epoch,
        transition=handover.transition,
        changed=_time(handover.changed_ns),
        press_to_authority_ms=handover.press_to_authority_ms,
        window_s=handover.window_s,
        step=handover.step,
        normal_step=handover.normal_step,
        velocity=handover.velocity,
        acceleration=handover.acceleration,
        jerk=handover.jerk,
        joint=spec.joint_names[handover.joint],
    )


def episode_event(news: EpisodeNews, stamp_ns: int) -> bytes:
    """Return the start or the end of an episode."""
    episode = news.episode
    return _cdr(
        "episode",
        header=header(stamp_ns),
        change=int(news.change),
        episode_id=episode.episode_id,
        kind=int(episode.kind),
        task=episode.task,
        instruction=episode.instruction,
        seed=episode.seed,
        outcome=int(news.outcome),
        reason=news.reason,
    )
