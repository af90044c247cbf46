"""Page: panels above each other that share the axis of time, as one PNG of 1600 pixels' width."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from rove_core.colours import WARNING_COLOUR

WIDTH, DPI = 16.0, 100
"""Inches, and pixels an inch."""
LEFT, RIGHT, TOP, BOTTOM = 2.0, 0.2, 0.12, 0.12
"""Inches beside the panels; names of panels and units stand on the left."""
WIDE = WIDTH - LEFT - RIGHT
"""Inches of the axis of time."""
INK, SOFT, FAINT = "#1c1d1f", "#5d6167", "#dcdedf"

Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class Panel:
    """A panel.

    Attributes:
        height: inches.
        draw: into its axes, whose x axis is the time of the episode, s.
        name: beside it.
        unit: of its y axis, below the name.
        gap: inches above it.
        framed: has a y axis and a grid; others are bands and texts.
        ticks: has the labels of the axis of time below it.
    """

    height: float
    draw: Draw
    name: str = ""
    unit: str = ""
    gap: float = 0.1
    framed: bool = False
    ticks: bool = False


def png(panels: Sequence[Panel], duration: float, small: bool = False) -> bytes:
    """Return the picture.

    Args:
        panels: from top to bottom.
        duration: end of the axis of time, s.
        small: a palette of 256 colours: a quarter of the bytes, and small things in the film may
            lose their colour.
    """
    height = TOP + BOTTOM + sum(p.height + p.gap + (0.22 if p.ticks else 0.0) for p in panels)
    with matplotlib.rc_context(
        {"font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}
    ):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(figure)  # untyped
        y = height - TOP
        for panel in panels:
            y -= panel.gap + panel.height
            box = (LEFT / WIDTH, y / height, (WIDTH - LEFT - RIGHT) / WIDTH, panel.height / height)
            axes = figure.add_axes(box)
            _prepare(axes, panel, duration)
            panel.draw(axes)
            axes.set_xlim(0.0, duration)
            if panel.ticks:
                y -= 0.22
        canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    out = io.BytesIO()
    if small:
        picture = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture.save(out, "png", optimize=True)
    return out.getvalue()


def _prepare(axes: Axes, panel: Panel, duration: float) -> None:
    axes.set_xlim(0.0, duration)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, colors=SOFT, pad=3)
    if panel.framed:
        axes.grid(axis="both", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.locator_params(axis="y", nbins=4, min_n_ticks=2)
    else:
        axes.set_yticks([])
        axes.set_ylim(0.0, 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(20, steps=[1, 2, 2.5, 5, 10]))
    if panel.ticks:
        axes.tick_params(axis="x", length=3, labelbottom=True)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    else:
        axes.tick_params(axis="x", labelbottom=False)
    for text, size, weight, colour, down in (
        (panel.name, 9, "bold", INK, 0),
        (panel.unit, 8, "normal", SOFT, 12 if panel.name else 0),
    ):
        if text:
            axes.annotate(
                text, (0, 1), xycoords="axes fraction", textcoords="offset points",
                xytext=(-LEFT * 72 + 8, -down), ha="left", va="top", fontsize=size,
                fontweight=weight, color=colour, annotation_clip=False,
            )  # fmt: skip


def clip(text: str, most: int) -> str:
    """Return a text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def sentence(text: str, warns: bool = False) -> Draw:
    """Return what writes a sentence where there is nothing to draw."""

    def draw(axes: Axes) -> None:
        axes.text(
            0, 0.5, text, transform=axes.transAxes, va="center", fontsize=8.5,
            color=WARNING_COLOUR if warns else SOFT,
        )  # fmt: skip

    return draw
