"""Rotations: quaternions to matrices, and the turn that a matrix stands for.

For one of them plain arithmetic is faster than numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled

# A rotation matrix, row by row, times this is its axis times sin(angle).
_AXIS = np.zeros((9, 3))
for _entry, (_plus, _minus) in enumerate([(7, 5), (2, 6), (3, 1)]):
    _AXIS[_plus, _entry], _AXIS[_minus, _entry] = 0.5, -0.5

_NEARLY_OPPOSITE = -0.95  # cosine below which sin(angle) no longer tells the axis well


def arrays_of(poses: Sequence[Sequence[float]]) -> tuple[FloatArray, FloatArray]:
    """Return (k, 3) m and (k, 3, 3) of poses x y z qx qy qz qw.

    The quaternions may have any length but 0, and either sign.
    """
    given = np.array(poses, dtype=np.float64)
    places, turns = np.empty((len(given), 3)), np.empty((len(given), 3, 3))
    _arrays_of(given, places, turns)
    return places, turns


@compiled("void(f8[:, ::1], f8[:, ::1], f8[:, :, ::1])")
def _arrays_of(poses: FloatArray, places: FloatArray, turns: FloatArray) -> None:
    """Fill in (k, 3) m and (k, 3, 3) of (k, 7) poses."""
    for k in range(len(poses)):
        a, b, c, d = poses[k, 3], poses[k, 4], poses[k, 5], poses[k, 6]
        s = 2.0 / (a * a + b * b + c * c + d * d)
        aa, bb, cc, ab, ac, bc = s * a * a, s * b * b, s * c * c, s * a * b, s * a * c, s * b * c
        ad, bd, cd = s * a * d, s * b * d, s * c * d
        for i in range(3):
            places[k, i] = poses[k, i]
        turns[k, 0, 0], turns[k, 0, 1], turns[k, 0, 2] = 1.0 - bb - cc, ab - cd, ac + bd
        turns[k, 1, 0], turns[k, 1, 1], turns[k, 1, 2] = ab + cd, 1.0 - aa - cc, bc - ad
        turns[k, 2, 0], turns[k, 2, 1], turns[k, 2, 2] = ac - bd, bc + ad, 1.0 - aa - bb


def small_turns(rotations: FloatArray) -> FloatArray:
    """Return (k, 3) rad, axis times sin(angle), of (k, 3, 3) rotations: their turn when small."""
    turned: FloatArray = rotations.reshape(-1, 9) @ _AXIS
    return turned


def turn(matrix: list[list[float]]) -> tuple[float, float, float, float, float]:
    """Return axis times angle (three values, rad), angle (0..pi) and angle / sin(angle) of a
    rotation matrix.

    The last value is 0 near pi, where the sine says nothing.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    x, y, z, cosine = 0.5 * (h - f), 0.5 * (c - g), 0.5 * (d - b), 0.5 * (a + e + i - 1.0)
    sine = math.sqrt(x * x + y * y + z * z)
    angle = math.atan2(sine, cosine)
    if cosine < _NEARLY_OPPOSITE:
        x, y, z = (float(v) for v in pin.log3(np.array(matrix)))
        return x, y, z, angle, 0.0
    size = angle / sine if sine > 1e-12 else 1.0
    return x * size, y * size, z * size, angle, size


def tilt(pitch: float, roll: float) -> FloatArray:
    """Return the (3, 3) rotation that leans by ``pitch`` rad about y after ``roll`` rad about x."""
    c, s, cr, sr = math.cos(pitch), math.sin(pitch), math.cos(roll), math.sin(roll)
    return np.array([[c, s * sr, s * cr], [0.0, cr, -sr], [-s, c * sr, c * cr]])


def gaze_angle(a: FloatArray, b: FloatArray) -> float:
    """Return the angle, 0..pi rad, between two (3, 3) orientations of heads once both face forward.

    Forward is told by the left axes, see ``yaw_of``. The angle of A' Z B, with Z the rotation about
    z from where b faces to where a does, follows from its trace.
    """
    (a0, a1, a2), (a3, a4, a5), (a6, a7, a8) = a.tolist()
    (b0, b1, b2), (b3, b4, b5), (b6, b7, b8) = b.tolist()
    yaw = math.atan2(-a1, a4) - math.atan2(-b1, b4)
    along = a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3 + a4 * b4 + a5 * b5
    across = a3 * b0 + a4 * b1 + a5 * b2 - a0 * b3 - a1 * b4 - a2 * b5
    level = a6 * b6 + a7 * b7 + a8 * b8
    trace = math.cos(yaw) * along + math.sin(yaw) * across + level
    return math.acos(min(1.0, max(-1.0, 0.5 * (trace - 1.0))))
