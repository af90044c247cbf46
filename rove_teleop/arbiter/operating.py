"""The operator's frames: lease, buttons, hold-to-run. Buttons are levels; presses are edges."""

from __future__ import annotations

from dataclasses import replace

from rove_core.vocabulary import Button, Mode, Outcome, Stage
from rove_teleop.arbiter import lease as leases
from rove_teleop.arbiter.inputs import OperatorSample
from rove_teleop.arbiter.intake import frame_fault, stale
from rove_teleop.arbiter.state import Cause, Hand
from rove_teleop.arbiter.transitions import Event
from rove_teleop.arbiter.turn import Turn

OPERATED = (Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH)
"""Modes that need an operator."""


def take_frames(turn: Turn) -> None:
    """Read this tick's frames in order: each proves life, the holder's also press and squeeze."""
    before = turn.lease.number
    for frame in turn.inputs.frames:
        fault = frame_fault(frame) or ("stale stamp" if stale(turn, frame.stamp_ns) else "")
        if fault:
            turn.reject(f"frame: {fault}")
            continue
        turn.lease, duplicate, reconnected = leases.observe(
            turn.lease, frame.operator_id, frame.sequence, turn.now, turn.timeouts
        )
        if duplicate:
            turn.reject("frame: duplicate or overtaken")
            continue
        if reconnected and frame.operator_id == turn.lease.holder:
            turn.hand = Hand()
            if turn.mode in OPERATED:
                turn.fault(Cause.OPERATOR, f"{frame.operator_id}: the device connected anew")
        if frame.lease == 0:
            continue  # proof of life, no more: the sender knows of no lease
        if frame.lease != turn.lease.number or frame.operator_id != turn.lease.holder:
            turn.reject("frame: of another lease")
            continue
        turn.lease = replace(turn.lease, seen=turn.now)
        turn.pressed_ns = frame.stamp_ns
        _obey(turn, frame)
        turn.pressed_ns = 0
    turn.lease = leases.settle(turn.lease, turn.now, turn.timeouts)
    if turn.lease.number != before:
        lease_changed(turn, "the lease ended")


def lease_changed(turn: Turn, reason: str) -> None:
    """Forget the last holder's hand; whoever drove under the old lease drives no more."""
    turn.hand = Hand()
    if turn.mode in OPERATED:
        turn.fault(Cause.LEASE, reason)


def _obey(turn: Turn, frame: OperatorSample) -> None:
    """Act on a frame of the lease holder; the first one is only there to compare with."""
    hand = turn.hand
    known = hand.buttons is not None
    pressed = frame.buttons & ~hand.buttons if hand.buttons is not None else Button.NONE
    squeezes = known and frame.squeezed and not hand.squeezed
    turn.hand = replace(hand, buttons=frame.buttons, squeezed=frame.squeezed)
    if pressed & Button.TAKEOVER:
        press_takeover(turn)
    elif pressed & Button.PAUSE:
        toggle_pause(turn)
    elif pressed & Button.HAND_BACK:
        press_hand_back(turn)
    elif pressed & Button.MARK_RECOVERY and turn.stage is Stage.ADAPTATION:
        turn.stage = Stage.RECOVERY if turn.mode is Mode.HUMAN else turn.stage
    if not frame.squeezed:
        release(turn)
    elif squeezes and turn.mode in (Mode.IDLE, Mode.ALIGN, Mode.CLUTCH):
        squeeze(turn, frame)


def press_takeover(turn: Turn) -> None:
    """Take the robot from the policy. Never waits for anything."""
    refused = turn.inputs.takeover_refused
    if refused:
        turn.note = f"takeover refused: {refused}"
        if turn.mode in (Mode.AUTONOMOUS, Mode.HANDBACK):
            # Who presses wants the policy to stop, even where driving is not possible.
            turn.go(Event.TAKEOVER_REFUSED, Mode.PAUSED, f"takeover refused: {refused}")
        return
    if turn.mode is Mode.HOLD:
        if not turn.joints_fresh or turn.cause is Cause.START:
            turn.note = "takeover refused: no fresh joint states"
            return
        if not turn.rollout:
            turn.note = "takeover refused: no rollout runs; resume first"
            return
        turn.leave_hold()
    elif turn.mode not in (Mode.AUTONOMOUS, Mode.PAUSED, Mode.HANDBACK):
        return
    turn.require_fresh_chunk()
    why = f"{turn.lease.holder} takes over: align, then squeeze"
    turn.go(Event.TAKEOVER, Mode.ALIGN, why, stage=Stage.ADAPTATION)


def toggle_pause(turn: Turn) -> None:
    """Pause the policy, or resume from PAUSED and HOLD."""
    if turn.mode in (Mode.AUTONOMOUS, Mode.HANDBACK):
        pause(turn, turn.lease.holder)
    elif turn.mode in (Mode.PAUSED, Mode.HOLD):
        turn.note = resume(turn, turn.lease.holder)


def press_hand_back(turn: Turn) -> None:
    """Give the robot back to the policy, or end a demonstration."""
    if turn.mode not in OPERATED:
        return
    if turn.rollout:
        turn.require_fresh_chunk()
        turn.go(Event.HAND_BACK, Mode.HANDBACK, "handed back: waiting for a fresh chunk")
    else:
        turn.go(Event.HAND_BACK, Mode.IDLE, "demonstration ended")


def release(turn: Turn) -> None:
    """Hold-to-run is open."""
    if turn.mode is Mode.HUMAN:
        turn.go(Event.RELEASE, Mode.CLUTCH, "enable released: squeeze to go on", stage=turn.stage)
    elif turn.hand.squeeze is not None:
        turn.hand = replace(turn.hand, squeeze=None, refused="", followed=None, velocity=None)


def squeeze(turn: Turn, frame: OperatorSample) -> None:
    """Hold-to-run closes: wait for a target made from now on, unless something forbids it.

    The command goes on from where it is. The retargeting begins at the measured joints, a servo's
    lag away, and the filter takes up that difference; restarting the command there would be a
    step, and the loss of whatever force the lag stands for.
    """
    refused = ""
    if turn.mode is Mode.ALIGN:
        refused = _alignment_fault(turn)
    elif turn.mode is Mode.IDLE:
        refused = turn.inputs.takeover_refused
    turn.hand = replace(
        turn.hand,
        squeeze=(frame.sequence, frame.stamp_ns),
        refused=refused,
        followed=None,
        velocity=None,
    )


def _alignment_fault(turn: Turn) -> str:
    """Return which limit of alignment is exceeded; an error that nobody knows exceeds none."""
    target, limits = turn.hand.target, turn.timeouts
    if target is None or turn.now - turn.hand.target_seen > limits.human_target:
        return ""
    if target.position_error > limits.align_position:
        error, most = target.position_error, limits.align_position
        return f"align first: wrist {error:.2f} m away, at most {most:.2f} m"
    if target.orientation_error > limits.align_orientation:
        error, most = target.orientation_error, limits.align_orientation
        return f"align first: wrist turned by {error:.2f} rad, at most {most:.2f} rad"
    return ""


def pause(turn: Turn, person: str) -> str:
    """Pause the policy; return why not, "" when it is paused."""
    if turn.mode is Mode.PAUSED:
        return ""
    if turn.mode not in (Mode.AUTONOMOUS, Mode.HANDBACK):
        return f"only a policy can be paused, the mode is {turn.mode.name}"
    turn.require_fresh_chunk()
    turn.go(Event.PAUSE, Mode.PAUSED, f"paused by {person or 'a person'}")
    return ""


def resume(turn: Turn, person: str) -> str:
    """Leave PAUSED or HOLD at a person's wish; return why not, "" when it is left."""
    if turn.mode is Mode.ESTOP:
        return "reset the e-stop first"
    if turn.mode not in (Mode.PAUSED, Mode.HOLD):
        return f"nothing to resume, the mode is {turn.mode.name}"
    if turn.mode is Mode.HOLD:
        if turn.cause is Cause.START:
            return "still starting: waiting for joint states and a clock"
        if not turn.joints_fresh:
            return "no fresh joint states"
        turn.leave_hold()
    if turn.rollout:
        turn.require_fresh_chunk()
        why = f"resumed by {person or 'a person'}: waiting for a fresh chunk"
        turn.go(Event.RESUME, Mode.HANDBACK, why)
    else:
        turn.go(Event.RESUME, Mode.IDLE, f"resumed by {person or 'a person'}")
    return ""


def end_episode(turn: Turn, outcome: Outcome, reason: str) -> None:
    """End the episode; ESTOP and HOLD stay, everything else becomes IDLE."""
    turn.stop_episode(outcome, reason)
    if turn.mode not in (Mode.IDLE, Mode.HOLD, Mode.ESTOP):
        turn.go(Event.STOP, Mode.IDLE, f"episode stopped: {reason or outcome.name.lower()}")
