"""The head of the picture: title and film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from rove.bag.picture.page import INK, SOFT, WIDE, Draw, Panel, clip, sentence
from rove.bag.picture.track import Track
from rove_core.colours import WARNING_COLOUR
from rove_core.vocabulary import Mode, Outcome

LINE, TITLE = 185, 122
"""Characters of 9 points, and bold ones of 13, that fit in a line."""
OUTCOME_COLOURS = {Outcome.SUCCESS: "#00664b", Outcome.FAILURE: WARNING_COLOUR}
TALLEST = 1.8
"""Inches of a row of pictures at most; those of an upright camera are narrower than their cell."""

Picture = npt.NDArray[np.uint8]


def title(track: Track) -> Panel:
    """What it is an episode of, how it ended, and what the bag is."""
    info, outcome = track.info, track.outcome
    why = f" ({clip(outcome.reason, 44)})" if outcome.reason else ""
    result = f"{outcome.outcome.name}{why}"
    name = clip(track.name, 40)
    room = TITLE - len(result) - len(name) - 6
    said = f'  "{clip(info.instruction, room)}"' if info.instruction else ""
    takeovers = sum(change.after == Mode.ALIGN for change in track.changes)
    facts = [
        f"{info.kind.name.lower()} of {info.task or 'no task'} by {info.robot}",
        f"{track.duration:.2f} s",
        f"policy {', '.join(digest[:12] for digest in track.policies) or 'none'}",
        f"{takeovers} takeover{'' if takeovers == 1 else 's'}",
        *([f"operator {info.operator_id}"] if info.operator_id else []),
        *([f"seed {info.seed}"] if info.seed >= 0 else []),
        f"recording {outcome.recording.value}, schema version {track.version}",
    ]
    warning = ""
    if track.unfinished:
        warning = "NOT FINISHED: its recording runs or was cut off; this is what reached the disk. "
    if track.damage:
        warning += f"Damaged: {track.damage}"

    def draw(axes: Axes) -> None:
        style: dict[str, Any] = {"va": "top", "fontsize": 13, "fontweight": "bold"}
        axes.text(0, 1, f"{name}{said}", transform=axes.transAxes, color=INK, **style)
        colour = OUTCOME_COLOURS.get(outcome.outcome, SOFT)
        axes.text(1, 1, result, transform=axes.transAxes, ha="right", color=colour, **style)
        line = clip("  ·  ".join(facts), LINE)
        at = 0.42 if warning else 0.2
        axes.text(0, at, line, transform=axes.transAxes, va="center", color=SOFT)
        if warning:
            axes.text(
                0, 0.0, clip(warning, LINE), transform=axes.transAxes, va="bottom",
                fontweight="bold", color=WARNING_COLOUR,
            )  # fmt: skip

    return Panel(0.72 if warning else 0.5, draw, gap=0.0)


def film(track: Track) -> list[Panel]:
    """One row of pictures a camera; each stands above the middle of its stretch of time."""
    rows = []
    for name, jpegs in track.film.items():
        pictures = [None if jpeg is None else decode(jpeg) for jpeg in jpegs]
        shapes = [picture.shape for picture in pictures if picture is not None]
        cell = WIDE / max(len(pictures), 1)
        height = min(0.98 * cell * shapes[0][0] / shapes[0][1], TALLEST) if shapes else 0.4
        rows.append(Panel(height, _row(pictures, track.duration, height), name, "camera"))
    if not rows:
        rows.append(Panel(0.25, sentence("the bag has no camera"), "camera"))
    return rows


def decode(jpeg: bytes) -> Picture | None:
    """Return the (height, width, 3) uint8 RGB picture, None when the bytes are none."""
    if not jpeg:
        return None
    bgr = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8)


def _row(pictures: Sequence[Picture | None], duration: float, height: float) -> Draw:
    def draw(axes: Axes) -> None:
        cell = duration / len(pictures)
        digits = 1 if duration > len(pictures) else 2
        for k, picture in enumerate(pictures):
            middle = (k + 0.5) * cell
            if picture is None:
                axes.text(
                    middle, 0.5, f"no picture\n{middle:.{digits}f} s", ha="center", va="center",
                    color=SOFT, fontsize=8,
                )  # fmt: skip
                continue
            # Inches to seconds, so that a picture keeps its shape.
            wide = height * picture.shape[1] / picture.shape[0] / WIDE * duration
            half = min(0.5 * wide, 0.49 * cell)
            axes.imshow(picture, extent=(middle - half, middle + half, 0, 1), aspect="auto")
            axes.text(
                middle - half, 0.0, f" {middle:.{digits}f} s ", ha="left", va="bottom", fontsize=8,
                color="white", bbox={"facecolor": "#000000b0", "edgecolor": "none", "pad": 1.0},
            )  # fmt: skip
        axes.set_ylim(0, 1)

    return draw
