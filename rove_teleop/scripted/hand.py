"""A person's hand made from joint angles, as WebXR's 25 joints."""

from __future__ import annotations

import numpy as np

from rove_core.arrays import FloatArray

SIDES = ("left", "right")
HandPose = tuple[FloatArray, tuple[float, float, float]]
"""Bends of index to pinky, (4, 3) rad; of the thumb: middle joint, opposition 0..1, last joint."""
# m, a right hand of 0.19 m with its palm down, x forward, y left, z up.
KNUCKLES = ((0.090, 0.022), (0.095, 0.002), (0.088, -0.018), (0.078, -0.036))  # index ... pinky
BONES = ((0.045, 0.026, 0.022), (0.050, 0.030, 0.023), (0.046, 0.028, 0.022), (0.036, 0.021, 0.020))
THUMB_BASE, THUMB_BONES = (0.022, 0.022, -0.008), (0.044, 0.032, 0.026)

OPEN: HandPose = (np.zeros((4, 3)), (0.0, 0.0, 0.0))
FIST: HandPose = (np.tile([1.4, 1.7, 1.0], (4, 1)), (0.7, 1.0, 0.8))
PINCH: HandPose = (np.array([[0.75, 0.8, 0.5], [0.0] * 3, [0.0] * 3, [0.0] * 3]), (0.1, 0.75, 0.15))


def turn(axis: int, angle: float) -> FloatArray:
    """Return the (3, 3) rotation about an axis (0 x, 1 y, 2 z) by an angle, rad."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def hand_points(
    bends: FloatArray, thumb: tuple[float, float, float], side: str = "right", size: float = 1.0
) -> FloatArray:
    """Return the (25, 3) joints, m, of a hand in its palm frame.

    Args:
        bends: (4, 3) rad of the joints of index to pinky.
        thumb: bend at its middle joint, opposition 0..1, bend at its last joint.
        side: left is the mirror image of right.
        size: of the hand, 1 for the reference.
    """
    points = [np.zeros(3), np.array(THUMB_BASE)]
    middle, opposition, last = thumb
    turned = turn(2, 0.72 - 0.55 * opposition) @ turn(1, 0.05 + 1.05 * opposition)
    turned = turned @ turn(0, -1.2 * opposition)
    for length, bend in zip(THUMB_BONES, (0.0, middle, last), strict=True):
        turned = turned @ turn(2, -bend)
        points.append(points[-1] + turned @ [length, 0.0, 0.0])
    for finger, (x, y) in enumerate(KNUCKLES):
        points += [np.array([0.03, 0.5 * y, 0.0]), np.array([x, y, 0.0])]
        turned = np.eye(3)
        for length, bend in zip(BONES[finger], bends[finger], strict=True):
            turned = turned @ turn(1, bend)
            points.append(points[-1] + turned @ [length, 0.0, 0.0])
    mirror = [1.0, -1.0 if side == "left" else 1.0, 1.0]
    return size * np.array(points) * mirror


def hand(pose: HandPose, side: str = "right", size: float = 1.0) -> tuple[float, ...]:
    """Return the 75 floats of a hand."""
    return tuple(float(v) for v in hand_points(*pose, side=side, size=size).ravel())


def between(a: HandPose, b: HandPose, share: float) -> HandPose:
    """Return the pose a share of the way from one pose to another."""
    thumb = (1.0 - share) * np.array(a[1]) + share * np.array(b[1])
    middle, opposition, last = (float(v) for v in thumb)
    return (1.0 - share) * a[0] + share * b[0], (middle, opposition, last)
