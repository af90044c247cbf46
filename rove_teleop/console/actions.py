"""Actions: what a supervisor can do, and why not now."""

from __future__ import annotations

from enum import StrEnum

from rove_core.vocabulary import EpisodeKind, Mode
from rove_teleop.console.view import View


class Action(StrEnum):
    """A button of the console; the value is its label."""

    ESTOP = "E-STOP"
    RESET = "Reset e-stop"
    START = "Start episode"
    SUCCESS = "Success"
    FAILURE = "Failure"
    ABORT = "Abort"
    PAUSE = "Pause"
    RESUME = "Resume"
    LEASE = "Force lease"
    APPROVE = "Approve policy"


NO_ARBITER = "the arbiter is silent"


def refusal(view: View, action: Action, kind: EpisodeKind = EpisodeKind.ROLLOUT) -> str:
    """Return why an action makes no sense now, "" when it does.

    This only greys a button: the arbiter itself judges what is asked of it. The emergency stop is
    never greyed, whatever is known or not.

    Args:
        view: what is known.
        action: what somebody wants.
        kind: of the episode to start.
    """
    if action is Action.ESTOP:
        return ""
    if action is Action.APPROVE:
        if view.policy is None or not view.policy.digest:
            return "no policy runs"
        return "it is approved" if view.policy.approved else ""
    arbiter = view.arbiter
    if arbiter is None:
        return NO_ARBITER
    mode = arbiter.mode
    if action is Action.RESET:
        return "" if mode is Mode.ESTOP else "there is no emergency stop"
    if action is Action.START:
        if arbiter.episode_id:
            return "an episode runs"
        if mode is not Mode.IDLE:
            return f"the robot is in {mode.name}, not in IDLE"
        return arbiter.question if kind is EpisodeKind.ROLLOUT else ""
    if action in (Action.SUCCESS, Action.FAILURE, Action.ABORT):
        return "" if arbiter.episode_id else "no episode runs"
    if action is Action.PAUSE:
        return "" if mode in (Mode.AUTONOMOUS, Mode.HANDBACK) else "no policy drives"
    if action is Action.RESUME:
        return "" if mode in (Mode.PAUSED, Mode.HOLD) else "nothing is paused"
    return "" if view.operators or arbiter.lease_holder else "no operator is connected"
