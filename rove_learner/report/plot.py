"""Line plots as SVG that stretches with the page, with labels as text that does not.

Colours come from the page's style sheet, so that a plot is at home on light and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

MINUS, DASH, NARROW_SPACE = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NARROW NO-BREAK SPACE}"
POINTS = 1200
"""Most points of a line: more than a screen has columns for it."""
ACROSS, DOWN = 1000, 100  # the SVG's own units; it is stretched to its box


@dataclass(frozen=True)
class Axis:
    """A linear axis from ``low`` to ``high``."""

    low: float
    high: float

    @classmethod
    def around(cls, values: npt.ArrayLike, zero: bool = False) -> Axis:
        """Return an axis that holds the finite ones of some values, with a little air."""
        array = np.asarray(values, dtype=np.float64).ravel()
        finite = array[np.isfinite(array)]
        if not finite.size:
            return cls(0.0, 1.0)
        low, high = float(finite.min()), float(finite.max())
        air = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
        return cls(0.0 if zero and low >= 0 else low - air, high + air)

    def part(self, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return where values are on the axis, 0..1."""
        span = (self.high - self.low) or 1.0
        result: npt.NDArray[np.float64] = (np.asarray(value, dtype=np.float64) - self.low) / span
        return result

    def ticks(self, about: int = 4) -> list[float]:
        """Return about so many round values on the axis."""
        span = self.high - self.low
        if not span > 0:
            return [self.low]
        raw = span / about
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def number(value: float) -> str:
    """Return a number for people: three significant digits, no exponent for what fits."""
    if not math.isfinite(value):
        return DASH
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace(",", NARROW_SPACE).replace("-", MINUS)


def percent(part: float) -> str:
    """Return 0..1 as a CSS length."""
    return f"{100 * part:.2f}%"


def path(
    x: npt.ArrayLike, y: npt.ArrayLike, across: Axis, up: Axis, longest_step: float = math.inf
) -> str:
    """Return the ``d`` of a line; it breaks at nan and where x leaps by more than a step."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    stride = max(1, math.ceil(len(xs) / POINTS))
    xs, ys = xs[::stride], ys[::stride]
    columns, rows = across.part(xs) * ACROSS, (1 - up.part(ys)) * DOWN
    pieces, pen_down = [], False
    for k in range(len(xs)):
        if not (math.isfinite(columns[k]) and math.isfinite(rows[k])):
            pen_down = False
            continue
        if k and xs[k] - xs[k - 1] > longest_step * stride:
            pen_down = False
        pieces.append(f"{'L' if pen_down else 'M'}{columns[k]:.1f} {rows[k]:.2f}")
        pen_down = True
    return "".join(pieces)


def ticks_path(x: npt.ArrayLike, across: Axis, top: float, bottom: float) -> str:
    """Return the ``d`` of upright ticks at x, from ``top`` to ``bottom`` (0..1 downwards)."""
    xs = np.asarray(x, dtype=np.float64)
    columns = across.part(xs[:: max(1, math.ceil(len(xs) / POINTS))]) * ACROSS
    height = (bottom - top) * DOWN
    return "".join(f"M{column:.1f} {top * DOWN:.0f}v{height:.0f}" for column in columns)


def svg(shapes: Sequence[str], label: str) -> str:
    """Return the stretched SVG around some shapes; ``label`` says it to who cannot see it."""
    return (
        f'<svg viewBox="0 0 {ACROSS} {DOWN}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(shapes)}</svg>'
    )


def shape(data: str, kind: str) -> str:
    """Return a path element of a class of the style sheet."""
    return f'<path class="{kind}" d="{data}"/>' if data else ""


def rule(y: float, kind: str = "grid") -> str:
    """Return a level line across the plot at y, 0..1 upwards."""
    return shape(f"M0 {(1 - y) * DOWN:.2f}H{ACROSS}", kind)


def edge(x: float, kind: str = "edge") -> str:
    """Return an upright line at x, 0..1."""
    return shape(f"M{x * ACROSS:.1f} 0V{DOWN}", kind)


def y_labels(up: Axis, values: Sequence[float]) -> str:
    """Return the labels left of the plot."""
    return "".join(
        f'<span class="y" style="top:{percent(1 - float(up.part(v)))}">{number(v)}</span>'
        for v in values
    )


def x_labels(across: Axis, values: Sequence[float], unit: str = "") -> str:
    """Return the labels below the plot; those at its very ends stay inside."""
    labels = []
    for value in values:
        at = float(across.part(value))
        side = " first" if at < 0.02 else " last" if at > 0.98 else ""
        style = f"left:{percent(at)}"
        labels.append(f'<span class="x{side}" style="{style}">{number(value)}{unit}</span>')
    return "".join(labels)
