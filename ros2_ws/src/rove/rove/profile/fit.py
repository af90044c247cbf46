"""Capsules around points: the smallest that hold them all.

On a given line and with a given radius the shortest capsule that holds every point has a closed
form, so that a search over lines (four numbers) and radii is all that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray

DIRECTIONS = 600  # the extreme points in these directions stand for all in the search
CELLS = 400  # along the longest side
BLOCK = 5_000  # points at a time; fits a cache
STEPS = (
    0.25,
    0.1,
    0.04,
    0.015,
    0.005,
    0.0015,
)  # rad and parts of the size by which a line is varied
TRIES = 24  # variations of a line at each step
WIDER = (1.0, 1.02, 1.06, 1.12, 1.2)  # radii to try, in parts of the least one


@dataclass(frozen=True)
class Fit:
    """A capsule: (3,) m start and end, m radius."""

    start: FloatArray
    end: FloatArray
    radius: float

    @property
    def volume(self) -> float:
        """Return m3."""
        length = float(np.linalg.norm(self.end - self.start))
        return float(np.pi * self.radius**2 * (length + 4.0 / 3.0 * self.radius))

    def outside(self, points: FloatArray) -> FloatArray:
        """Return (M,) m, how far each of (M, 3) points lies outside; negative inside."""
        along = self.end - self.start
        part = (points - self.start) @ along / max(float(along @ along), 1e-18)
        nearest = self.start + np.clip(part, 0.0, 1.0)[:, None] * along
        result: FloatArray = np.linalg.norm(points - nearest, axis=1) - self.radius
        return result


def fit_capsule(points: FloatArray, rng: np.random.Generator) -> Fit:
    """Return the smallest capsule found that holds all of (M, 3) points.

    Raises:
        ValueError: no points.
    """
    if not len(points):
        raise ValueError("no points to fit a capsule to")
    few = extreme_points(thinned(points))
    centre = few.mean(axis=0)
    size = float(np.linalg.norm(few - centre, axis=1).max())
    best: Fit | None = None
    spread = (few - centre).T @ (few - centre)
    for axis in np.linalg.eigh(spread)[1].T:
        line, direction = centre, axis
        found = _on_line(few, line, direction)
        for step in STEPS:
            for _ in range(TRIES):
                moved = line + rng.normal(size=3) * step * size
                turned = direction + rng.normal(size=3) * step
                turned /= np.linalg.norm(turned)
                candidate = _on_line(few, moved, turned)
                if candidate.volume < found.volume:
                    line, direction, found = moved, turned, candidate
        if best is None or found.volume < best.volume:
            best = found
    assert best is not None
    # The search saw the extreme points only; the others may stick out by a hair.
    grown = best.radius + max(0.0, float(best.outside(points).max()))
    return Fit(best.start, best.end, grown)


def fit_capsules(points: FloatArray, count: int, rng: np.random.Generator) -> list[Fit]:
    """Return ``count`` capsules, each of a part of the points, that hold them all together.

    The parts are those of k-means, begun along the longest axis, so that the result does not hang
    on luck.
    """
    centre = points.mean(axis=0)
    axis = np.linalg.svd(points - centre, full_matrices=False)[2][0]
    along = (points - centre) @ axis
    edges = np.quantile(along, np.linspace(0.0, 1.0, count + 1)[1:-1])
    part = np.searchsorted(edges, along)
    for _ in range(10):
        means = np.array([points[part == k].mean(axis=0) for k in range(count)])
        nearest = np.linalg.norm(points[:, None] - means[None], axis=2).argmin(axis=1)
        if len(np.unique(nearest)) < count or (nearest == part).all():
            break
        part = nearest
    return [fit_capsule(points[part == k], rng) for k in range(count)]


def thinned(points: FloatArray) -> FloatArray:
    """Return one of (M, 3) points per cell of a grid; a mesh names each corner six times."""
    low = points.min(axis=0)
    cell = max(float((points.max(axis=0) - low).max()) / CELLS, 1e-9)
    x, y, z = ((points - low) / cell).astype(np.int64).T
    first = np.unique((x * 2 * CELLS + y) * 2 * CELLS + z, return_index=True)[1]
    few: FloatArray = points[first]
    return few


def extreme_points(points: FloatArray) -> FloatArray:
    """Return the points that lie farthest in evenly spread directions: nearly the convex hull."""
    i = np.arange(DIRECTIONS) + 0.5
    polar, around = np.arccos(1.0 - 2.0 * i / DIRECTIONS), np.pi * (1.0 + 5**0.5) * i
    spread = [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)]
    directions = np.stack(spread, axis=1).astype(np.float32)
    near = points.astype(np.float32)
    # In blocks: a mesh of half a million points times all directions is gigabytes.
    best = np.full(DIRECTIONS, -np.inf, dtype=np.float32)
    where = np.zeros(DIRECTIONS, dtype=np.intp)
    for begin in range(0, len(points), BLOCK):
        reach = directions @ near[begin : begin + BLOCK].T
        top = reach.argmax(axis=1)
        value = reach[np.arange(DIRECTIONS), top]
        where = np.where(value > best, top + begin, where)
        best = np.maximum(best, value)
    chosen: FloatArray = points[np.unique(where)]
    return chosen


def _on_line(points: FloatArray, origin: FloatArray, direction: FloatArray) -> Fit:
    """Return the smallest capsule about a line among the radii tried."""
    along = (points - origin) @ direction
    away = np.linalg.norm(points - origin - along[:, None] * direction, axis=1)
    best: Fit | None = None
    for factor in WIDER:
        radius = max(float(away.max()) * factor, 1e-4)
        slack = np.sqrt(np.maximum(radius**2 - away**2, 0.0))
        low, high = float((along + slack).min()), float((along - slack).max())
        if low > high:  # a sphere holds them
            low = high = (low + high) / 2.0
        fit = Fit(origin + low * direction, origin + high * direction, radius)
        if best is None or fit.volume < best.volume:
            best = fit
    assert best is not None
    return best
