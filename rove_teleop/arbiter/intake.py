"""Intake: joints, chunks and targets are checked, counted when refused, and kept when newer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rove_core.action import NS
from rove_core.arrays import FloatArray
from rove_core.vocabulary import Mode, Stage
from rove_teleop.arbiter.changing import changed
from rove_teleop.arbiter.inputs import OperatorSample, TargetSample
from rove_teleop.arbiter.state import Hand
from rove_teleop.arbiter.transitions import Event
from rove_teleop.arbiter.turn import Turn

LONGEST_STEP = 0.05
"""s of ROS time between two targets that still makes a speed: three lost frames at 72 Hz."""


def vector_fault(position: FloatArray, size: int) -> str:
    """Return what is wrong with a vector of joints, "" when it is (N,) and finite."""
    if position.shape != (size,):
        return "wrong shape"
    if not math.isfinite(float(np.dot(position, position))):
        return "not finite"
    return ""


def stale(turn: Turn, stamp_ns: int) -> bool:
    """Tell whether a stamp is too far from the ROS time of this tick to act upon."""
    age = (turn.ros_ns - stamp_ns) / NS
    return age > turn.timeouts.stamp_behind or -age > turn.timeouts.stamp_ahead


def take_joints(turn: Turn) -> None:
    """Keep the newest measured joints and notice when they leap."""
    sample = turn.inputs.joints
    if sample is None:
        return
    fault = vector_fault(sample.position, turn.size)
    if fault:
        turn.reject(f"joint states: {fault}")
        return
    old = turn.body.joints
    if old is not None:
        leap = float(np.abs(sample.position - old.position).max())
        turn.jumped = leap > turn.timeouts.discontinuity
    turn.body = changed(turn.body, joints=sample, seen=turn.now)


def take_chunks(turn: Turn) -> None:
    """Keep the chunk of the newest observation."""
    for chunk in turn.inputs.chunks:
        held = turn.planned.chunk
        if chunk.position.shape[1] != turn.size:
            turn.reject("chunk: wrong number of joints")
        elif (chunk.observation_ns - turn.ros_ns) / NS > turn.timeouts.stamp_ahead:
            turn.reject("chunk: observation in the future")
        elif held is not None and chunk.observation_ns < held.observation_ns:
            turn.reject("chunk: older than the one in hand")
        else:
            turn.planned = replace(turn.planned, chunk=chunk, seen=turn.now)


def frame_fault(frame: OperatorSample) -> str:
    """Return what is wrong with a frame, "" when it may be read."""
    if not frame.operator_id:
        return "no operator id"
    if frame.sequence < 1 or frame.lease < 0:
        return "bad sequence or lease"
    if not (math.isfinite(frame.left_squeeze) and math.isfinite(frame.right_squeeze)):
        return "not finite"
    return ""


def _target_fault(turn: Turn, target: TargetSample) -> str:
    held = turn.hand.target
    if target.lease != turn.lease.number:
        return "of another lease"
    if stale(turn, target.stamp_ns):
        return "stale stamp"
    if held is not None and target.operator_sequence < held.operator_sequence:
        return "older than the one in hand"
    return vector_fault(target.position, turn.size) if target.valid else ""


def take_targets(turn: Turn) -> None:
    """Keep the newest targets; the first that may be followed leads to HUMAN."""
    for target in turn.inputs.targets:
        if target.lease == 0 or turn.lease.number == 0:
            continue  # made from frames that only prove life
        fault = _target_fault(turn, target)
        if fault:
            turn.reject(f"target: {fault}")
            continue
        turn.hand = _held(turn, target)
        if turn.hand.followed is target and turn.mode in (Mode.IDLE, Mode.ALIGN, Mode.CLUTCH):
            _enter_human(turn)


def _held(turn: Turn, target: TargetSample) -> Hand:
    """Return the hand with this target, followed when it was made from the present squeeze."""
    hand = turn.hand
    squeeze = hand.squeeze
    made_from_it = squeeze is not None and (
        target.operator_sequence >= squeeze[0] and target.stamp_ns >= squeeze[1]
    )
    if not made_from_it or hand.refused:
        return replace(hand, target=target, target_seen=turn.now)
    if not (target.valid and target.enabled):
        return replace(hand, target=target, followed=None, velocity=None, target_seen=turn.now)
    return replace(
        hand,
        target=target,
        followed=target,
        velocity=_speed(hand.followed, target),
        target_seen=turn.now,
        target_good=turn.now,
    )


def _speed(old: TargetSample | None, new: TargetSample) -> FloatArray | None:
    """Return the (N,) rad/s between two targets, None when they are too far apart in time."""
    if old is None:
        return None
    dt = (new.stamp_ns - old.stamp_ns) / NS
    if not 0.0 < dt <= LONGEST_STEP:
        return None
    velocity: FloatArray = (new.position - old.position) / dt
    return velocity


def _enter_human(turn: Turn) -> None:
    stage = turn.stage if turn.mode is not Mode.IDLE else Stage.DEMONSTRATION
    turn.pressed_ns = turn.hand.squeeze[1] if turn.hand.squeeze is not None else 0
    turn.go(Event.SQUEEZE, Mode.HUMAN, f"{turn.lease.holder} drives", stage=stage)
    turn.pressed_ns = 0
