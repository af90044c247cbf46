"""The ground under the soles, and how far a point is beyond it."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import Configuration
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.model import SIDES

# Corners of a sole from the ankle, m, x forward and y left of a foot that stands flat. Smaller than
# the soles of the robots that ship (G1: 0.12 ahead, 0.05 behind, 0.025 to each side), so that the
# centre of mass keeps some 2 cm off the edge over which a robot tips.
SOLE = np.array([[0.10, 0.02], [0.10, -0.02], [-0.03, -0.02], [-0.03, 0.02]])


class Support:
    """The convex hull of both soles, where they stood at the last ``stand``.

    Args:
        configuration: the robot.

    Attributes:
        corners: (n, 2) m, counter-clockwise, in the floor frame.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._flat = [foot.rotation.T for foot in configuration.neutral_feet]
        self.stand()

    def stand(self) -> None:
        """Look where the feet and the centre of mass are now."""
        spec, points = self._configuration.spec, []
        for side, flat in zip(SIDES, self._flat, strict=True):
            foot = self._configuration.pose(spec.frames[f"{side}_foot"])
            sole = pin.SE3(foot.rotation @ flat, foot.translation)
            points += [sole.act(np.array([x, y, 0.0]))[:2] for x, y in SOLE]
        self.corners = _hull(np.array(points))
        along = np.roll(self.corners, -1, axis=0) - self.corners
        out = np.stack([along[:, 1], -along[:, 0]], axis=1)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        edges = np.einsum("ni,ni->n", out, self.corners)
        # A robot that was taken over while it leaned out may stay as it is, but not lean farther.
        edges = np.maximum(edges, out @ self._configuration.mass_centre[:2])
        self._edges: FloatArray = np.column_stack([out, edges])

    def beyond(self, point: FloatArray) -> tuple[float, float, float]:
        """Return the direction (x, y) of the edge that a (2,) m point is farthest beyond, and how
        far, m; negative: the point is over the ground."""
        x, y, far = _farthest(self._edges, point)
        return x, y, far


@compiled("UniTuple(f8, 3)(f8[:, ::1], f8[::1])")
def _farthest(edges: FloatArray, point: FloatArray) -> tuple[float, float, float]:
    """Return the edge n, (2,), and the largest n . point - far, m, of (k, 3) edges n and far."""
    best, most = 0, -np.inf
    for k in range(len(edges)):
        far = edges[k, 0] * point[0] + edges[k, 1] * point[1] - edges[k, 2]
        if far > most:
            best, most = k, far
    return edges[best, 0], edges[best, 1], most


def _hull(points: FloatArray) -> FloatArray:
    """Return the corners of the convex hull of (k, 2) points, counter-clockwise (Andrew 1979)."""
    ordered = sorted(map(tuple, points))

    def half(path: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        corners: list[tuple[float, ...]] = []
        for p in path:
            while len(corners) > 1:
                (ax, ay), (bx, by) = corners[-2], corners[-1]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 1e-12:
                    break
                corners.pop()
            corners.append(p)
        return corners[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))
