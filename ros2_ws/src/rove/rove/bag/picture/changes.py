"""Changes of mode: numbers above the bands, and a list that says when, what and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes

from rove.bag.picture.page import INK, SOFT, WIDE, Draw, Panel
from rove.bag.picture.track import Change, Track
from rove_core.colours import MODE_COLOURS, MODE_INK
from rove_core.vocabulary import Mode

MOST = 24
"""Changes with a number; an episode with more of them is one of many clutches."""
COLUMN, LINES = 100, 3
"""Characters in a line of a column, and lines for one change, at most."""
LINE_HEIGHT = 0.165
BETWEEN = 0.2
"""Inches between two numbers."""
DRIVING = frozenset({Mode.AUTONOMOUS, Mode.HUMAN})


def numbers(track: Track) -> list[Panel]:
    """The numbers, each above the moment of its change."""
    if not track.changes:
        return []
    return [Panel(0.34, _numbers(track.changes[:MOST], track.duration), gap=0.08)]


def listed(track: Track) -> list[Panel]:
    """The list, in two columns."""
    if not track.changes:
        return []
    entries = [_lines(i, change) for i, change in enumerate(track.changes[:MOST], start=1)]
    if len(track.changes) > MOST:
        entries.append([f"… and {len(track.changes) - MOST} more changes"])
    total = sum(len(entry) for entry in entries)
    left: list[list[str]] = []
    while entries and sum(len(entry) for entry in left) < total / 2:
        left.append(entries.pop(0))
    longest = max(sum(len(entry) for entry in side) for side in (left, entries))
    height = LINE_HEIGHT * longest

    def draw(axes: Axes) -> None:
        for at, side in ((0.0, left), (0.5, entries)):
            y = 1.0
            for entry in side:
                for line in entry:
                    axes.text(at, y, line, transform=axes.transAxes, va="top", fontsize=8,
                              color=INK)  # fmt: skip
                    y -= LINE_HEIGHT / height

    return [Panel(height, draw, "changes", gap=0.12)]


def changes_of_driver(track: Track) -> list[float]:
    """Return when somebody began or stopped driving, s; nothing where lines would be a wall."""
    if len(track.changes) > MOST:
        return []
    return [c.at for c in track.changes if (c.before in DRIVING) or (c.after in DRIVING)]


def spread(at: Sequence[float], gap: float, end: float) -> list[float]:
    """Return places for marks, in order and ``gap`` apart, near to where they belong."""
    gap = min(gap, end / max(len(at), 1))
    placed: list[float] = []
    for wanted in at:
        placed.append(max(wanted, placed[-1] + gap if placed else 0.0))
    limit = end
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed


def _numbers(changes: Sequence[Change], duration: float) -> Draw:
    def draw(axes: Axes) -> None:
        places = spread([c.at for c in changes], BETWEEN / WIDE * duration, duration)
        for i, (change, place) in enumerate(zip(changes, places, strict=True), start=1):
            axes.plot([place, change.at], [0.5, 0.0], color=SOFT, linewidth=0.8, clip_on=False)
            axes.text(
                place, 0.72, str(i), ha="center", va="center", fontsize=8, fontweight="bold",
                color=MODE_INK[change.after], clip_on=False,
                bbox={"facecolor": MODE_COLOURS[change.after], "edgecolor": SOFT,
                      "linewidth": 0.6, "boxstyle": "round,pad=0.25"},
            )  # fmt: skip

    return draw


def _lines(number: int, change: Change) -> list[str]:
    text = f"{number}  {change.at:.2f} s  {change.before.name} → {change.after.name}"
    text += f": {change.reason}" if change.reason else ""
    if change.measured:
        text += f" [{change.measured}]"
    return textwrap.wrap(
        " ".join(text.split()), COLUMN, max_lines=LINES, placeholder=" …",
        subsequent_indent="        ", break_long_words=True,
    )  # fmt: skip
