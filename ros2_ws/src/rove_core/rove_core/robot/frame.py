"""Frames of a robot that are not links of its URDF: a fixed offset from a link."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray

Triple = tuple[float, float, float]

ZERO: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Frame:
    """A frame fixed to a link.

    Attributes:
        parent: URDF link.
        position: (3,) m, origin in the parent link's frame.
        rpy: (3,) rad, fixed axes x, y, z (as in a URDF), orientation in the parent link's frame.
    """

    parent: str
    position: Triple = ZERO
    rpy: Triple = ZERO

    @property
    def in_parent(self) -> FloatArray:
        """Return the (4, 4) pose of the frame in its parent link."""
        return pose(self.position, self.rpy)


def rotation(rpy: Triple) -> FloatArray:
    """Return the (3, 3) rotation of fixed-axes angles (rad): first x, then y, then z."""
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(a), math.cos(a)) for a in rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def pose(position: Triple, rpy: Triple) -> FloatArray:
    """Return the (4, 4) pose of a position (m) and fixed-axes angles (rad)."""
    result = np.eye(4)
    result[:3, :3] = rotation(rpy)
    result[:3, 3] = position
    return result
