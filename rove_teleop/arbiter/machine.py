"""The arbiter as one pure function: ``step(state, inputs, now) -> (state, decision)``.

The order inside a tick: clocks, measured joints, chunks, e-stop, heartbeats, joint watchdog,
requests, frames, targets, the other watchdogs, what happens by itself, the command.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rove_core.action import NS, ActionChunk
from rove_core.arrays import FloatArray
from rove_core.latency.legs import UNKNOWN_PATH
from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.inputs import Inputs
from rove_teleop.arbiter.intake import take_chunks, take_joints, take_targets
from rove_teleop.arbiter.operating import take_frames
from rove_teleop.arbiter.requests import take_requests
from rove_teleop.arbiter.state import ArbiterState, Cause
from rove_teleop.arbiter.transitions import Event
from rove_teleop.arbiter.turn import RESTING, Turn
from rove_teleop.arbiter.watchdogs import (
    watch_clocks,
    watch_estop,
    watch_heartbeats,
    watch_joints,
    watch_operator,
    watch_policy,
)


def step(state: ArbiterState, inputs: Inputs, now: float) -> tuple[ArbiterState, Decision]:
    """Decide one tick.

    Args:
        state: of the tick before; :func:`rove_teleop.arbiter.state.initial_state` at the start.
        inputs: what arrived since then.
        now: monotonic s, never smaller than in the tick before.

    Returns:
        the next state and the decision; the arguments are not changed.
    """
    turn = Turn(state, inputs, now)
    for reason in inputs.refused:
        turn.reject(reason)
    watch_clocks(turn)
    take_joints(turn)
    take_chunks(turn)
    watch_estop(turn)
    watch_heartbeats(turn)
    watch_joints(turn)
    take_requests(turn)
    take_frames(turn)
    take_targets(turn)
    watch_operator(turn)
    _start_up(turn)
    if turn.mode is Mode.HANDBACK and not turn.waiting and not turn.late:
        turn.pressed_ns = turn.planned.fresh_after_ns
        turn.go(Event.FRESH_CHUNK, Mode.AUTONOMOUS, "policy drives")
        turn.pressed_ns = 0
    watch_policy(turn)
    return _decide(turn)


def _start_up(turn: Turn) -> None:
    """Leave the HOLD of a start by itself: nothing had moved yet, so nobody has to agree."""
    if turn.joints_fresh and not turn.body.anchored:
        turn.anchor("first joint states", moving=True)
    if turn.mode is Mode.HOLD and turn.cause is Cause.START:
        silent = turn.heartbeats.missing(turn.now, turn.timeouts)
        if turn.joints_fresh and turn.ros_ns > 0 and not silent:
            turn.go(Event.JOINTS_FRESH, Mode.IDLE, "ready")
        else:
            missing = f"heartbeat {silent[0]!r}" if silent else "the clock"
            turn.reason = f"waiting for {missing if turn.joints_fresh else 'joint states'}"


def _slope(chunk: ActionChunk, now_ns: int) -> FloatArray | None:
    """Return the (N,) rad/s of a chunk between its rows, None before and after them."""
    if not chunk.start_ns <= now_ns < chunk.end_ns:
        return None
    row = (now_ns - chunk.start_ns) // chunk.dt_ns
    slope: FloatArray = (chunk.position[row + 1] - chunk.position[row]) * (NS / chunk.dt_ns)
    return slope


def _human_wanted(turn: Turn) -> FloatArray | None:
    hand = turn.hand
    if hand.followed is None or turn.now - hand.target_good > turn.timeouts.human_target:
        return None
    return hand.followed.position


def _watch_discontinuity(turn: Turn) -> None:
    """Restart a resting command that the robot has left, for example when a scene was reset."""
    joints, command = turn.body.joints, turn.inputs.command
    apart = None
    if (
        joints is not None
        and command is not None
        and turn.joints_fresh
        and turn.inputs.command_speed <= RESTING
        and float(np.abs(joints.position - command).max()) > turn.timeouts.discontinuity
    ):
        since = turn.body.apart_since
        apart = turn.now if since is None else since
        if turn.jumped or turn.now - apart >= turn.timeouts.discontinuity_time:
            turn.anchor("command and measured joints are apart")
            apart = None
    if apart != turn.body.apart_since:
        turn.body = replace(turn.body, apart_since=apart)


def _note(turn: Turn, authority: Authority) -> str:
    """Return what stands in the way right now."""
    mode, hand = turn.mode, turn.hand
    if mode is Mode.AUTONOMOUS and authority is Authority.HOLD:
        return "waiting for the policy" if turn.waiting else "policy is late"
    if mode is Mode.HOLD and turn.cause is not Cause.START and not turn.joints_fresh:
        return "no fresh joint states"
    if hand.refused:
        return hand.refused
    if mode is Mode.IDLE and turn.episode is None and turn.inputs.rollout_refused:
        return turn.inputs.rollout_refused
    waits = hand.squeeze is not None and mode in (Mode.IDLE, Mode.ALIGN, Mode.CLUTCH)
    if waits or (mode is Mode.HUMAN and authority is Authority.HOLD):
        why = hand.target.reason if hand.target is not None else ""
        return f"holding: {why or 'no valid target yet'}"
    return turn.note


def _decide(turn: Turn) -> tuple[ArbiterState, Decision]:
    chunk = turn.planned.chunk
    if chunk is not None and chunk.expired(turn.ros_ns):
        chunk = None
    policy_wanted = chunk.at(turn.ros_ns) if chunk is not None else None
    human_wanted = _human_wanted(turn)
    authority, wanted, velocity = Authority.HOLD, None, None
    if turn.mode is Mode.AUTONOMOUS and chunk is not None and not turn.waiting:
        authority, wanted, velocity = Authority.POLICY, policy_wanted, _slope(chunk, turn.ros_ns)
    elif turn.mode is Mode.HUMAN and human_wanted is not None:
        authority, wanted, velocity = Authority.HUMAN, human_wanted, turn.hand.velocity
    if authority is Authority.HOLD:
        _watch_discontinuity(turn)
        stage = Stage.NONE
    else:
        stage = turn.stage if authority is Authority.HUMAN else Stage.ROLLOUT
    anchor = None
    if turn.anchor_reason and turn.body.joints is not None:
        anchor = turn.body.joints.position
        turn.body = replace(turn.body, anchored=True, apart_since=None)
    note = _note(turn, authority)
    target = turn.hand.target
    if target is not None and turn.now - turn.hand.target_seen > turn.timeouts.human_target:
        target = None
    followed = turn.hand.followed if human_wanted is not None else None
    decision = Decision(
        mode=turn.mode,
        previous_mode=turn.previous_mode,
        authority=authority,
        stage=stage,
        reason=f"{turn.reason}; {note}" if note else turn.reason,
        wanted=wanted,
        wanted_velocity=velocity,
        policy_wanted=policy_wanted,
        human_wanted=human_wanted,
        policy_digest=chunk.policy_digest if chunk is not None else "",
        chunk_id=chunk.chunk_id if chunk is not None else 0,
        operator_sequence=followed.operator_sequence if followed is not None else 0,
        path=followed.path if followed is not None else UNKNOWN_PATH,
        anchor=anchor,
        anchor_reason=turn.anchor_reason if anchor is not None else "",
        lease=turn.lease.number,
        lease_holder=turn.lease.holder,
        episode_id=turn.episode.episode_id if turn.episode is not None else "",
        transition=turn.transition,
        since_ns=turn.since_ns,
        position_error=target.position_error if target is not None else math.nan,
        orientation_error=target.orientation_error if target is not None else math.nan,
        transitions=tuple(turn.transitions),
        episodes=tuple(turn.news),
        answers=tuple(turn.answers),
        rejected=turn.rejected,
        challenge=turn.heartbeats.challenge,
    )
    return turn.freeze(), decision
