"""Watchdogs: what sends the arbiter to HOLD or ESTOP without anybody's press.

They run on the monotonic clock, so that a dead ``/clock`` cannot stop them; the clock watchdog
compares the two.
"""

from __future__ import annotations

from dataclasses import replace

from rove_core.action import NS
from rove_core.vocabulary import Button, Mode
from rove_teleop.arbiter.changing import changed
from rove_teleop.arbiter.heartbeat import hear, renew
from rove_teleop.arbiter.inputs import EmergencyStop
from rove_teleop.arbiter.operating import OPERATED
from rove_teleop.arbiter.state import Cause, Hand, Planned
from rove_teleop.arbiter.transitions import Event
from rove_teleop.arbiter.turn import Turn


def watch_clocks(turn: Turn) -> None:
    """HOLD after a suspended arbiter or a leap of ROS time."""
    last, now = turn.body.tick, turn.now
    if last is not None:
        gap = now - last
        if gap > turn.timeouts.tick_gap:
            turn.fault(Cause.SUSPENDED, f"the arbiter stood still for {gap:.2f} s")
        if turn.body.ros_ns > 0:
            gained = (turn.ros_ns - turn.body.ros_ns) / NS
            if gained < -turn.timeouts.clock_back:
                _leap(turn, f"the clock stepped back by {-gained:.2f} s")
            elif gained - gap > turn.timeouts.clock_ahead:
                _leap(turn, f"the clock leapt ahead by {gained:.2f} s")
    turn.body = changed(turn.body, tick=now, ros_ns=turn.ros_ns)


def _leap(turn: Turn, reason: str) -> None:
    """Stamps from before a leap mean nothing any more."""
    turn.fault(Cause.CLOCK, reason)
    turn.planned = Planned(fresh_after_ns=turn.ros_ns)
    turn.hand = Hand()
    turn.anchor("the clock leapt", moving=True)


def watch_estop(turn: Turn) -> None:
    """ESTOP on any e-stop: by request, or by any operator's button, lease or not."""
    causes = [r.cause or "a request" for r in turn.inputs.requests if isinstance(r, EmergencyStop)]
    causes += [
        f"the button of {f.operator_id or 'an operator'}"
        for f in turn.inputs.frames
        if f.buttons & Button.ESTOP
    ]
    if causes:
        turn.estop_pressed = True
        _estop(turn, causes[0])


def watch_heartbeats(turn: Turn) -> None:
    """ESTOP on a wrong answer, and when one that was there falls silent."""
    beats = renew(turn.heartbeats, turn.now, turn.timeouts)
    for given in turn.inputs.heartbeats:
        beats, refused, wrong = hear(beats, given, turn.epoch, turn.now)
        if refused:
            turn.reject(refused)
        if wrong:
            _estop(turn, f"heartbeat {given.name!r} answered wrong")
    turn.heartbeats = beats
    for name in beats.missing(turn.now, turn.timeouts):
        if beats.heard[beats.names.index(name)] is not None:
            _estop(turn, f"heartbeat {name!r} is lost for {turn.timeouts.heartbeat:.2f} s")


def _estop(turn: Turn, why: str) -> None:
    if turn.mode is not Mode.ESTOP:
        turn.go(Event.ESTOP, Mode.ESTOP, f"e-stop: {why}")


def watch_joints(turn: Turn) -> None:
    """HOLD when the robot's joints are not known any more."""
    if not turn.joints_fresh:
        limit = turn.timeouts.joint_states
        turn.fault(Cause.JOINT_STATES, f"no joint states for {limit:.2f} s")


def watch_operator(turn: Turn) -> None:
    """HOLD when the operator falls silent, CLUTCH when the targets cannot be followed."""
    limits, hand = turn.timeouts, turn.hand
    if turn.lease.number and turn.now - turn.lease.seen > limits.operator_frame:
        if hand.buttons is not None:
            # After a gap nothing is known about what was pressed in it.
            turn.hand = Hand(target=hand.target, target_seen=hand.target_seen)
        if turn.mode in OPERATED:
            who = turn.lease.holder
            turn.fault(Cause.OPERATOR, f"no frame of {who} for {limits.operator_frame:.2f} s")
    if turn.mode is not Mode.HUMAN:
        return
    if turn.now - hand.target_seen > limits.human_target:
        turn.fault(Cause.RETARGETING, f"no joint target for {limits.human_target:.2f} s")
    elif turn.now - hand.target_good > limits.human_target:
        why = hand.target.reason if hand.target is not None else ""
        why = why or "the target is not valid"
        turn.go(Event.UNFOLLOWABLE, Mode.CLUTCH, f"{why}: squeeze again", stage=turn.stage)


def watch_policy(turn: Turn) -> None:
    """HOLD when the policy that drives stays late or falls silent."""
    planned = turn.planned
    if turn.mode is not Mode.AUTONOMOUS or turn.waiting:
        if planned.late_since is not None:
            turn.planned = replace(planned, late_since=None)
        return
    if not turn.late:
        if planned.late_since is not None:
            turn.planned = replace(planned, late_since=None)
    elif planned.late_since is None:
        turn.planned = replace(planned, late_since=turn.now)
    elif turn.now - planned.late_since >= turn.timeouts.chunk:
        turn.fault(Cause.POLICY, f"policy is late by {turn.timeouts.chunk:.2f} s")
        return
    if turn.now - planned.seen > turn.timeouts.policy_silence:
        turn.fault(Cause.POLICY, f"no chunk for {turn.timeouts.policy_silence:.2f} s")
