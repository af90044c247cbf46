"""A shaded picture of surfaces in parallel projection, in plain numpy.

Points spread evenly over the triangles are splatted into a depth buffer. That needs no graphics
card and no OpenGL, and half a million triangles take a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove.profile.meshes import Surface
from rove_core.arrays import FloatArray

POINTS_PER_PIXEL = 3.0  # of surface seen face on; fewer leave holes
MOST_POINTS = 3_000_000
DARK, LIGHT = 0.45, 0.93  # grey of a surface seen edge on and face on
SPLAT = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class View:
    """A parallel projection.

    Attributes:
        right, up: (3,) unit vectors of the picture's axes; the viewer looks along up x right.
        low, high: (2,) m, corners of the picture along right and up.
        pixel: m, size of a pixel.
    """

    right: FloatArray
    up: FloatArray
    low: tuple[float, float]
    high: tuple[float, float]
    pixel: float

    def project(self, points: FloatArray) -> FloatArray:
        """Return (..., 2) m in the picture of (..., 3) m."""
        flat: FloatArray = np.stack([points @ self.right, points @ self.up], axis=-1)
        return flat

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Return left, right, bottom, top in m, as matplotlib's imshow wants them."""
        return self.low[0], self.high[0], self.low[1], self.high[1]


def view_along(
    right: tuple[float, float, float],
    up: tuple[float, float, float],
    points: FloatArray,
    pixel: float,
    border: float,
) -> View:
    """Return the view that holds (M, 3) points and a border (m) around them."""
    axes = np.array([right, up], dtype=np.float64)
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    flat = points @ axes.T
    low, high = flat.min(axis=0) - border, flat.max(axis=0) + border
    return View(
        axes[0], axes[1], (float(low[0]), float(low[1])), (float(high[0]), float(high[1])), pixel
    )


def render(
    view: View,
    surfaces: Mapping[str, Surface],
    poses: Mapping[str, FloatArray],
    links: Iterable[str],
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return an (H, W) picture, first row on top: grey 0..1, NaN where nothing is.

    Args:
        view: where to look from.
        surfaces: link -> triangles in its frame.
        poses: link -> (4, 4) in the frame of the view.
        links: what to show.
        rng: spreads the points.
    """
    width, height = (
        max(1, int(np.ceil((view.high[i] - view.low[i]) / view.pixel))) for i in (0, 1)
    )
    grey = np.full(height * width, np.nan)
    depth = np.full(height * width, -np.inf)
    toward = np.cross(view.right, view.up)
    shown = [link for link in links if link in surfaces]
    for link in shown:
        triangles = surfaces[link].triangles @ poses[link][:3, :3].T + poses[link][:3, 3]
        points, normals = _spread(triangles, view.pixel, len(shown), rng)
        shade = DARK + (LIGHT - DARK) * np.abs(normals @ toward)
        flat = (view.project(points) - np.array(view.low)) / view.pixel
        columns, rows = flat[:, 0].astype(np.int64), flat[:, 1].astype(np.int64)
        near = points @ toward
        order = np.argsort(near, kind="stable")  # of points in one cell the last, nearest, stays
        columns, rows, shade, near = columns[order], rows[order], shade[order], near[order]
        started = flat[order].min(axis=1) >= 0.0
        for dx, dy in SPLAT:
            x, y = columns + dx, rows + dy
            inside = started & (x < width) & (y < height)
            cells = (height - 1 - y[inside]) * width + x[inside]
            values, depths = shade[inside], near[inside]
            last = np.full(height * width, -1, dtype=np.int64)
            last[cells] = np.arange(len(cells))
            hit = np.flatnonzero(last >= 0)
            hit = hit[depths[last[hit]] > depth[hit]]
            depth[hit], grey[hit] = depths[last[hit]], values[last[hit]]
    return grey.reshape(height, width)


def _spread(
    triangles: FloatArray, pixel: float, links: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return (M, 3) points and (M, 3) unit normals, evenly over the triangles."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    normal = np.cross(b - a, c - a)
    double = np.linalg.norm(normal, axis=1)
    area = double.sum() / 2.0
    if not area > 0.0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    count = int(np.clip(area / pixel**2 * POINTS_PER_PIXEL, 100, MOST_POINTS / links))
    picked = rng.choice(len(triangles), size=count, p=double / double.sum())
    u, v = rng.random(count), rng.random(count)
    flip = u + v > 1.0
    u, v = np.where(flip, 1.0 - u, u), np.where(flip, 1.0 - v, v)
    points = a[picked] + u[:, None] * (b - a)[picked] + v[:, None] * (c - a)[picked]
    return points, normal[picked] / double[picked][:, None]
