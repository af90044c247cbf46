"""Where the two strokes of a whiteboard trial lie, and their handwriting-like shape.

Board frame: origin in the middle of the face, x to the robot's right, y up, z out of the board
towards the robot; m.
"""

from __future__ import annotations

import numpy as np

from rove_core.arrays import FloatArray

MARKS = 26  # ink marks per stroke

# Distance of a stroke's middle from the board's, m: along x when the strokes lie side by side,
# along y when one lies above the other. Together with the sizes below this leaves at least 6 cm
# from an eraser that works on one stroke to the ink of the other, and keeps all ink where the
# right arm reaches with a flat eraser.
SIDE, ABOVE = (0.085, 0.105), (0.060, 0.072)
SIDE_OTHER, ABOVE_OTHER = 0.05, 0.06  # spread along the other axis, m
# At variation 1 each grows by so much: then ink comes within 2 cm of the board's edges.
SIDE_MORE, ABOVE_MORE, OTHER_MORE = 0.030, 0.030, 0.045  # m
LENGTH = (0.065, 0.095)  # of a stroke, m
AMPLITUDE = (0.007, 0.013)  # half the height of its letters, m
LETTERS = (2.0, 3.5)  # ups and downs per stroke
SLOPE = 0.08  # largest rise over run of the line of writing


def place_strokes(rng: np.random.Generator, variation: float = 0.0) -> FloatArray:
    """Return the (2, 2) m middles of the two strokes in the board frame, in random order.

    ``variation`` from 0 to 1 spreads them over more of the board.
    """
    if rng.random() < 0.5:
        along, other, spread = 0, 1, SIDE_OTHER
        distances = rng.uniform(SIDE[0], SIDE[1] + SIDE_MORE * variation, 2)
    else:
        along, other, spread = 1, 0, ABOVE_OTHER
        distances = rng.uniform(ABOVE[0], ABOVE[1] + ABOVE_MORE * variation, 2)
    spread += OTHER_MORE * variation
    middles = np.empty((2, 2))
    middles[:, along] = distances * [1.0, -1.0]
    middles[:, other] = rng.uniform(-spread, spread, 2)
    return rng.permutation(middles)


def write_stroke(rng: np.random.Generator, middle: FloatArray) -> FloatArray:
    """Return (MARKS + 1, 2) m points, evenly spaced along one stroke, in the board frame."""
    t = np.linspace(0.0, 1.0, 400)
    turns, phase = 2 * np.pi * rng.uniform(*LETTERS), rng.uniform(0, 2 * np.pi)
    length, amplitude, slope = (
        rng.uniform(*LENGTH),
        rng.uniform(*AMPLITUDE),
        rng.uniform(-SLOPE, SLOPE),
    )
    # Every other up is higher, and the pen runs ahead and back: writing, not a sine.
    x = (t - 0.5) * length + 0.5 * amplitude * np.cos(turns * t + phase)
    y = amplitude * (0.75 * np.sin(turns * t + phase) + 0.25 * np.sin(0.5 * turns * t)) + slope * (
        x
    )
    path = np.stack([x, y], axis=1)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], MARKS + 1)
    points = np.stack([np.interp(even, arc, path[:, i]) for i in range(2)], axis=1)
    placed: FloatArray = points - points.mean(axis=0) + middle
    return placed
