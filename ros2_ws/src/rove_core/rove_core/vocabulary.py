"""The words of the contract as enumerations; their numbers are the constants of ``rove_msgs``.

``tests/ros/test_constants.py`` holds each of them against the message definitions.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Mode(IntEnum):
    """What the arbiter is doing (the table in docs/design.md)."""

    IDLE = 0
    AUTONOMOUS = 1
    PAUSED = 2
    ALIGN = 3
    HUMAN = 4
    CLUTCH = 5
    HANDBACK = 6
    HOLD = 7
    ESTOP = 8


class Authority(IntEnum):
    """Whose target the robot follows in a tick."""

    HOLD = 0
    POLICY = 1
    HUMAN = 2


class Stage(IntEnum):
    """Stage of an episode that a tick belongs to (ROVE §3.1); NONE is cut from learning."""

    NONE = 0
    ROLLOUT = 1
    ADAPTATION = 2
    RECOVERY = 3
    DEMONSTRATION = 4


class Outcome(IntEnum):
    """How an episode ended; kept apart from how its recording ended."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2
    ABORTED = 3
    TIMEOUT = 4


class EpisodeKind(IntEnum):
    """What an episode was started as."""

    ROLLOUT = 0
    DEMONSTRATION = 1


class EpisodeChange(IntEnum):
    """What an ``EpisodeEvent`` announces."""

    STARTED = 0
    STOPPED = 1


class PolicyState(IntEnum):
    """What the policy node is doing."""

    NO_POLICY = 0
    WAITING = 1
    RUNNING = 2
    REFUSED = 3


class LossCause(IntEnum):
    """Where messages were lost that a recording lacks."""

    MIDDLEWARE = 0
    BACKLOG = 1
    DISK = 2


class HandoverKind(IntEnum):
    """Which change of authority a ``Handover`` measured."""

    TAKEOVER = 0
    ENGAGE = 1
    HANDBACK = 2


class Button(IntFlag):
    """Buttons of an operator frame, as a mask; they travel in the frame, never as services."""

    NONE = 0
    TAKEOVER = 1
    MARK_RECOVERY = 2
    HAND_BACK = 4
    ESTOP = 8
    PAUSE = 16


MOVING_MODES = frozenset({Mode.AUTONOMOUS, Mode.HUMAN})
"""Modes in which somebody else than the arbiter decides where the joints go."""
