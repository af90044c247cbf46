"""The curves of the picture: value, joints, hands, errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from rove.bag.picture.bands import stage_blocks
from rove.bag.picture.changes import changes_of_driver
from rove.bag.picture.page import INK, SOFT, Draw, Panel
from rove.bag.picture.track import Floats, Rows, Track
from rove_core.colours import HUMAN_COLOUR, POLICY_COLOUR, WARNING_COLOUR
from rove_core.vocabulary import Mode

JOINTS = 6
"""Joints that are shown: those that moved most."""
SMALLEST_RANGE = 0.05
"""rad; a joint that stands still is not blown up until its noise fills the panel."""
TRAVEL = 0.2
"""rad between an open and a closed finger joint, from which on it tells how closed the hand is."""
SIDES = {"left": ("#0b6e99", "-"), "right": ("#a8480f", "--")}
MEASURED = "#a9adb2"


def value(track: Track) -> list[Panel]:
    """The critic's value, and where it suggests a takeover."""
    curve = track.value
    if not len(curve):
        return []

    def draw(axes: Axes) -> None:
        shade(axes, track)
        axes.plot(curve.at, _finite(curve.value), color=INK, linewidth=1.3)
        if len(track.suggested):
            heights = np.interp(track.suggested, curve.at, np.nan_to_num(curve.value))
            axes.plot(
                track.suggested, heights, linestyle="none", marker="v", markersize=6,
                color=WARNING_COLOUR, label="takeover suggested",
            )  # fmt: skip
            _legend(axes)

    return [Panel(0.95, draw, "value", "return, steps", framed=True, gap=0.14)]


def joints(track: Track) -> list[Panel]:
    """Commanded against measured for the joints that moved most, and what each side wanted."""
    chosen = most_moved(track)
    if not chosen:
        return []
    panels = []
    for k, joint in enumerate(chosen):
        name = track.info.joint_names[joint].removesuffix("_joint").replace("_", " ")
        panels.append(
            Panel(
                0.78, _joint(track, joint, first=k == 0), name, "rad", framed=True,
                gap=0.3 if k == 0 else 0.12,
            )
        )  # fmt: skip
    return panels


def most_moved(track: Track, most: int = JOINTS) -> list[int]:
    """Return the joints of the body with the widest range, in order of the robot's profile.

    Between episodes a robot is put elsewhere; that counts only when nothing else is there.
    """
    sent, mode = track.commands.sent, track.commands.mode
    spans = np.zeros(len(track.info.joint_names))
    for rows in (sent[mode != Mode.IDLE], sent, track.measured):
        if len(rows) and not spans.any():
            spans = _range(rows)
    for i, name in enumerate(track.info.joint_names):
        if name in track.closure:
            spans[i] = 0.0
    moved = [int(i) for i in np.argsort(-spans, kind="stable")[:most] if spans[i] > 1e-4]
    return sorted(moved)


def _range(rows: Rows) -> Floats:
    """Return (N,) highest minus lowest finite value of (T, N), 0 where there is none."""
    finite = np.isfinite(rows)
    high = np.where(finite, rows, -np.inf).max(axis=0)
    low = np.where(finite, rows, np.inf).min(axis=0)
    return np.where(finite.any(axis=0), high - low, 0.0).astype(np.float64)


def _joint(track: Track, joint: int, first: bool) -> Draw:
    commands = track.commands

    def draw(axes: Axes) -> None:
        shade(axes, track)
        for rows, label, colour, line in (
            (commands.policy, "policy wanted", POLICY_COLOUR, ":"),
            (commands.human, "operator wanted", HUMAN_COLOUR, "--"),
        ):
            wanted = _finite(rows[:, joint])
            if np.isfinite(wanted).any():
                axes.plot(
                    commands.at, wanted, linewidth=1.6, label=label, color=colour, linestyle=line
                )
        axes.plot(
            track.measured_at, _finite(track.measured[:, joint]), color=MEASURED, linewidth=3.2,
            label="measured", zorder=1.5, solid_capstyle="butt",
        )  # fmt: skip
        axes.plot(
            commands.at, _finite(commands.sent[:, joint]), color=INK, linewidth=1.0,
            label="commanded", drawstyle="steps-post",
        )  # fmt: skip
        _widen(axes, SMALLEST_RANGE)
        if first:
            _legend(axes, above=True)

    return draw


def hands(track: Track) -> list[Panel]:
    """How closed each hand is: 0 open, 1 closed, mean over its fingers."""
    places: dict[str, list[int]] = {}
    for i, name in enumerate(track.info.joint_names):
        opened, closed = track.closure.get(name, (0.0, 0.0))
        if abs(closed - opened) > TRAVEL:
            side = next((side for side in SIDES if side in name), "right")
            places.setdefault(side, []).append(i)
    if not places:
        return []

    def draw(axes: Axes) -> None:
        shade(axes, track)
        for side, joints_ in places.items():
            colour, line = SIDES[side]
            measured = closure(track.measured[:, joints_], track, joints_)
            sent = closure(track.commands.sent[:, joints_], track, joints_)
            axes.plot(track.measured_at, measured, color=colour, alpha=0.35, linewidth=3.2)
            axes.plot(
                track.commands.at, sent, color=colour, linestyle=line, linewidth=1.2,
                label=f"{side} (broad: measured)",
            )  # fmt: skip
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -0.05), max(high, 1.05))
        _legend(axes)

    return [Panel(0.78, draw, "hands", "0 open, 1 closed", framed=True, gap=0.14)]


def closure(rows: Rows, track: Track, joints_: Sequence[int]) -> Floats:
    """Return (T,) mean closure of (T, K) finger joints, rad."""
    ends = np.array([track.closure[track.info.joint_names[i]] for i in joints_])
    closed: Floats = ((rows - ends[:, 0]) / (ends[:, 1] - ends[:, 0])).mean(axis=1)
    return _finite(closed)


def errors(track: Track) -> list[Panel]:
    """How far the robot is from its command, and the operator's wrists from the robot's."""
    panels = []
    at, worst = tracking_error(track)
    if len(at):
        panels.append(
            Panel(0.7, _plain(track, at, worst), "tracking", "worst joint, rad", framed=True,
                  gap=0.14)
        )  # fmt: skip
    curve = track.wrist_error
    if np.isfinite(curve.value).any():
        draw = _plain(track, curve.at, curve.value)
        panels.append(Panel(0.7, draw, "wrists", "off operator, m", framed=True, gap=0.14))
    return panels


def tracking_error(track: Track) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return (M,) s and (M,) rad: largest distance of a measured joint from the command in force.

    Moments before the first command have none.
    """
    commands = track.commands
    if not len(commands) or not len(track.measured_at):
        return np.zeros(0), np.zeros(0)
    newest = np.searchsorted(commands.at, track.measured_at, side="right") - 1
    known = newest >= 0
    away = np.abs(track.measured[known] - commands.sent[newest[known]]).astype(np.float64)
    worst = np.where(np.isfinite(away), away, 0.0).max(axis=1)
    return track.measured_at[known], worst


def _plain(track: Track, at: Floats, values: Floats) -> Draw:
    def draw(axes: Axes) -> None:
        shade(axes, track)
        axes.plot(at, _finite(values), color=INK, linewidth=1.1)
        axes.set_ylim(bottom=0.0)

    return draw


def shade(axes: Axes, track: Track) -> None:
    """Tint the stages behind a curve and mark where the driver changed."""
    for block in stage_blocks(track.commands):
        axes.axvspan(block.start, block.end, color=block.colour, alpha=0.13, linewidth=0, zorder=0)
    for at in changes_of_driver(track):
        axes.axvline(at, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)


def _finite(values: npt.NDArray[Any]) -> Floats:
    """Return the values with a hole wherever one is not a number that can be drawn."""
    given = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(given) < 1e12, given, np.nan)


def _widen(axes: Axes, least: float) -> None:
    low, high = axes.get_ylim()
    if high - low < least:
        middle = (low + high) / 2
        axes.set_ylim(middle - least / 2, middle + least / 2)


def _legend(axes: Axes, above: bool = False) -> None:
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.98)} if above else {"loc": "best"}
    axes.legend(
        ncols=4, fontsize=8, frameon=False, labelcolor=INK, borderaxespad=0.2, handlelength=2.2,
        **place,
    )  # fmt: skip
