"""Capsules around the links of a robot, and which of them must stay apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot.frame import Triple


@dataclass(frozen=True)
class Capsule:
    """All points within ``radius`` of the segment from ``start`` to ``end``.

    Attributes:
        name: of the shape, in the profile.
        link: the URDF link that carries it.
        start, end: (3,) m, in the link's frame; the same point makes a sphere.
        radius: m.
    """

    name: str
    link: str
    start: Triple
    end: Triple
    radius: float


@dataclass(frozen=True)
class CollisionPair:
    """Two capsules whose surfaces must stay ``margin`` (m) apart."""

    first: str
    second: str
    margin: float


@dataclass(frozen=True)
class CollisionSpec:
    """The collision model of a robot.

    Attributes:
        shapes: name -> capsule.
        groups: name -> shapes, as the profile names them.
        pairs: what must stay apart, groups resolved, exceptions left out.
        exceptions: (first, second) -> why this pair is not watched.
    """

    shapes: Mapping[str, Capsule] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[CollisionPair, ...] = ()
    exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @cached_property
    def margins(self) -> FloatArray:
        """Return the (P,) margins of ``pairs``, m."""
        return np.array([pair.margin for pair in self.pairs], dtype=np.float64)

    @cached_property
    def _indices(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        place = {name: i for i, name in enumerate(self.shapes)}
        first = np.array([place[pair.first] for pair in self.pairs], dtype=np.intp)
        second = np.array([place[pair.second] for pair in self.pairs], dtype=np.intp)
        return first, second

    def segments(self, links: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return start and end of every shape, (S, 3) m each, in the frame of ``links``.

        Args:
            links: link -> (4, 4) pose, as ``Kinematics.links`` returns it.
        """
        poses = np.array([links[shape.link] for shape in self.shapes.values()]).reshape(-1, 4, 4)
        starts = np.array([shape.start for shape in self.shapes.values()]).reshape(-1, 3)
        ends = np.array([shape.end for shape in self.shapes.values()]).reshape(-1, 3)
        turn, origin = poses[:, :3, :3], poses[:, :3, 3]
        return (
            np.einsum("sij,sj->si", turn, starts) + origin,
            np.einsum("sij,sj->si", turn, ends) + origin,
        )

    def distances(self, links: Mapping[str, FloatArray]) -> FloatArray:
        """Return the (P,) distances between the surfaces of ``pairs``, m; negative: they overlap.

        Args:
            links: link -> (4, 4) pose, as ``Kinematics.links`` returns it.
        """
        if not self.pairs:
            return np.zeros(0)
        first, second = self._indices
        starts, ends = self.segments(links)
        radii = np.array([shape.radius for shape in self.shapes.values()])
        apart = segment_distances(starts[first], ends[first], starts[second], ends[second])
        surfaces: FloatArray = apart - radii[first] - radii[second]
        return surfaces


def segment_distances(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Return the (P,) least distances between the segments a-b and c-d; all arguments (P, 3).

    The nearest points of two segments are those of their lines, or one of them is an end point.
    So the least of the four distances from an end point and of the lines' where it lies inside
    both segments is exact, also for parallel segments and for points.
    """
    best = np.minimum.reduce(
        [
            _point_to_segment(a, c, d),
            _point_to_segment(b, c, d),
            _point_to_segment(c, a, b),
            _point_to_segment(d, a, b),
        ]
    )
    u, v, w = b - a, d - c, a - c
    uu, uv, vv = (np.einsum("pi,pi->p", x, y) for x, y in ((u, u), (u, v), (v, v)))
    uw, vw = np.einsum("pi,pi->p", u, w), np.einsum("pi,pi->p", v, w)
    det = uu * vv - uv * uv
    skew = det > 1e-12 * np.maximum(uu * vv, 1e-24)
    safe = np.where(skew, det, 1.0)
    s, t = (uv * vw - vv * uw) / safe, (uu * vw - uv * uw) / safe
    inside = skew & (s >= 0.0) & (s <= 1.0) & (t >= 0.0) & (t <= 1.0)
    lines = np.linalg.norm(w + s[:, None] * u - t[:, None] * v, axis=1)
    result: FloatArray = np.where(inside, np.minimum(best, lines), best)
    return result


def _point_to_segment(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    length = np.maximum(np.einsum("pi,pi->p", along, along), 1e-24)
    part = np.clip(np.einsum("pi,pi->p", point - start, along) / length, 0.0, 1.0)
    distance: FloatArray = np.linalg.norm(point - start - part[:, None] * along, axis=1)
    return distance
