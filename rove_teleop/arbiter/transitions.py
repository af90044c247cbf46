"""The table of modes as data: the only ways from one mode to another.

Tests hold every transition of :mod:`rove_teleop.arbiter.machine` against it, and the page about
the modes is made from it (:func:`markdown`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rove_core.vocabulary import Mode


class Event(StrEnum):
    """What moves the arbiter from one mode to another."""

    JOINTS_FRESH = "first joint states"
    START = "episode started"
    STOP = "episode stopped"
    TAKEOVER = "takeover press"
    TAKEOVER_REFUSED = "takeover press while takeover is refused"
    SQUEEZE = "enable squeezed"
    RELEASE = "enable released"
    UNFOLLOWABLE = "no valid target"
    HAND_BACK = "hand-back press"
    FRESH_CHUNK = "chunk newer than the press"
    PAUSE = "pause"
    RESUME = "resume"
    FAULT = "watchdog or fault"
    ESTOP = "e-stop"
    RESET = "e-stop reset"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: in ``source``, ``event`` leads to ``target`` if ``guard`` holds.

    ``commanded`` is what the robot does in the new mode, ``shown`` what people are told.
    """

    source: Mode
    event: Event
    guard: str
    target: Mode
    commanded: str
    shown: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition that was taken: ``now`` is monotonic s, ``ros_ns`` ROS time in ns.

    ``pressed_ns`` is the stamp of the operator's frame that asked for it, 0 when none did.
    """

    source: Mode
    target: Mode
    event: Event
    reason: str
    now: float
    ros_ns: int
    pressed_ns: int = 0


COMMANDED = {
    Mode.IDLE: "hold",
    Mode.AUTONOMOUS: "the policy's chunk; hold until the first fresh one and behind an expired one",
    Mode.PAUSED: "hold",
    Mode.ALIGN: "hold",
    Mode.HUMAN: "the operator's target; hold while it is not valid",
    Mode.CLUTCH: "hold",
    Mode.HANDBACK: "hold",
    Mode.HOLD: "hold",
    Mode.ESTOP: "hold; the robot stops by itself",
}

_ROLLOUT = "a rollout episode runs"
_HELD = "lease held"
_SQUEEZE = "lease held; a valid, enabled target of a frame not older than the squeeze"
_GONE = "joint states fresh"
_DRIVING = (Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH)


def _row(source: Mode, event: Event, target: Mode, guard: str, shown: str) -> Row:
    return Row(source, event, guard, target, COMMANDED[target], shown)


def _rows() -> list[Row]:
    m, e = Mode, Event
    rows = [
        _row(
            m.HOLD,
            e.JOINTS_FRESH,
            m.IDLE,
            "the cause is start-up; clock runs; heartbeats answer",
            "ready",
        ),
        _row(m.IDLE, e.START, m.AUTONOMOUS, "rollout", "waiting for the policy"),
        _row(m.IDLE, e.SQUEEZE, m.HUMAN, _SQUEEZE, "demonstration"),
        _row(m.ALIGN, e.SQUEEZE, m.HUMAN, f"{_SQUEEZE}; alignment within limits", "adaptation"),
        _row(m.CLUTCH, e.SQUEEZE, m.HUMAN, _SQUEEZE, "the stage before, new origin"),
        _row(m.HUMAN, e.RELEASE, m.CLUTCH, _HELD, "squeeze to go on"),
        _row(m.HUMAN, e.UNFOLLOWABLE, m.CLUTCH, "targets invalid for human_target", "their reason"),
        _row(m.HANDBACK, e.FRESH_CHUNK, m.AUTONOMOUS, "observation newer than the press", "policy"),
        _row(m.PAUSED, e.RESUME, m.HANDBACK, "", "waiting for a fresh chunk"),
        _row(m.HOLD, e.RESUME, m.HANDBACK, f"{_GONE}; {_ROLLOUT}", "waiting for a fresh chunk"),
        _row(m.HOLD, e.RESUME, m.IDLE, f"{_GONE}; no rollout episode runs", "resumed"),
        _row(
            m.ESTOP,
            e.RESET,
            m.HOLD,
            "no e-stop is pressed now; heartbeats answer",
            "a person must resume",
        ),
    ]
    for source in (m.AUTONOMOUS, m.HANDBACK):
        rows.append(_row(source, e.PAUSE, m.PAUSED, "", "who paused"))
        why = "takeover is refused"
        rows.append(_row(source, e.TAKEOVER_REFUSED, m.PAUSED, why, "why it is refused"))
    for source in (m.AUTONOMOUS, m.PAUSED, m.HANDBACK, m.HOLD):
        guard = f"{_HELD}; {_GONE}; {_ROLLOUT}" if source is m.HOLD else _HELD
        rows.append(_row(source, e.TAKEOVER, m.ALIGN, guard, "align, then squeeze"))
    for source in _DRIVING:
        rows.append(_row(source, e.HAND_BACK, m.HANDBACK, _ROLLOUT, "waiting for a fresh chunk"))
    for source in (m.HUMAN, m.CLUTCH):
        rows.append(_row(source, e.HAND_BACK, m.IDLE, "demonstration", "demonstration ended"))
    for source in m:
        if source not in (m.HOLD, m.ESTOP):
            rows.append(_row(source, e.FAULT, m.HOLD, "", "what failed"))
            if source is not m.IDLE:
                rows.append(_row(source, e.STOP, m.IDLE, "an episode runs", "outcome"))
        if source is not m.ESTOP:
            rows.append(_row(source, e.ESTOP, m.ESTOP, "", "who stopped it"))
    return rows


TABLE: tuple[Row, ...] = tuple(_rows())
"""Every allowed transition."""

ALLOWED: frozenset[tuple[Mode, Event, Mode]] = frozenset(
    (row.source, row.event, row.target) for row in TABLE
)
"""The table as (from, event, to)."""


def markdown() -> str:
    """Return the table in Markdown, ordered by mode."""
    lines = ["| from | event | guard | to | robot does | shown |", "|---|---|---|---|---|---|"]
    for row in sorted(TABLE, key=lambda r: (r.source, r.event, r.target)):
        cells = (row.source.name, row.event, row.guard, row.target.name, row.commanded, row.shown)
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"
