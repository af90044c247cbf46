"""A scripted operator as a body to look at: capsules between the joints of a person.

Frames tell head, wrists and hands; the rest is guessed for the picture: feet where they were, hips
below the head or behind it when the person leans, knees forward, elbows down and outwards.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rove.profile.meshes import Surface
from rove_core.arrays import FloatArray
from rove_teleop.scripted.hand import OPEN, SIDES, between, hand_points
from rove_teleop.scripted.motion import Moment
from rove_teleop.scripted.tour import HEAD, HEIGHT

# Of the stature, after Drillis and Contini 1966.
HIPS, KNEE, ANKLE = 0.53, 0.285, 0.039
HIP_HALF, SHOULDER_HALF, NECK = 0.055, 0.105, 0.118  # NECK: from the eyes down to the shoulders
UPPER_ARM, FOREARM = 0.176, 0.155
UP = np.array([0.0, 0.0, 1.0])
RING = 32  # corners of a capsule's circle

FINGERS = (
    (1, 2, 3, 4),
    *((5 * f, 5 * f + 1, 5 * f + 2, 5 * f + 3, 5 * f + 4) for f in range(1, 5)),
)


def mannequin(moment: Moment) -> dict[str, Surface]:
    """Return part -> surface, in the operator's frame."""
    tall, head = HEIGHT, moment.head
    down, ahead = head.translation[2] - HEAD.translation[2], head.translation[0]
    spine = HEAD.translation[2] - HIPS * tall
    lean = float(np.arcsin(np.clip(ahead / spine, -0.9, 0.9)))
    low = min(0.0, down + spine * (1.0 - np.cos(lean)))
    hips = np.array([0.35 * low, head.translation[1], HIPS * tall + low])
    trunk = (head.translation - hips) / np.linalg.norm(head.translation - hips)
    chest = head.translation - NECK * tall * trunk
    brain = head.translation - np.array([0.03, 0.0, 0.0])  # the pose of a head is that of its eyes
    parts: dict[str, Surface] = {
        "head": _capsule(brain - 0.02 * UP, brain + 0.03 * UP, 0.095),
        "visor": _box(head.rotation, head.translation, (0.05, 0.0, 0.0), (0.045, 0.085, 0.05)),
        "trunk": _capsule(hips + 0.10 * trunk, chest - 0.10 * trunk, 0.125),
    }  # fmt: skip
    for side, sign, wrist in zip(SIDES, (1.0, -1.0), moment.wrists, strict=True):
        across = np.array([0.0, sign, 0.0])
        hip, foot = hips + HIP_HALF * tall * across, np.array([0.0, 0.1 * sign, ANKLE * tall])
        knee = _bend(hip, foot, (HIPS - KNEE) * tall, (KNEE - ANKLE) * tall, np.array([1.0, 0, 0]))
        heel = foot - np.array([0.05, 0.0, 0.03])
        shoulder = chest + SHOULDER_HALF * tall * across
        way = np.array([-0.3, 0.5 * sign, -1.0])
        elbow = _bend(shoulder, wrist.translation, UPPER_ARM * tall, FOREARM * tall, way)
        parts |= {
            f"{side} hips": _capsule(hips, hip, 0.085),
            f"{side} thigh": _capsule(hip, knee, 0.075),
            f"{side} shank": _capsule(knee, foot, 0.052),
            f"{side} foot": _capsule(heel, heel + np.array([0.20, 0.0, -0.01]), 0.035),
            f"{side} shoulder": _capsule(chest, shoulder, 0.06),
            f"{side} upper arm": _capsule(shoulder, elbow, 0.048),
            f"{side} forearm": _capsule(elbow, wrist.translation, 0.038),
        }
        shape = between(OPEN, moment.grip, moment.closure)
        points = hand_points(*shape, side=side) @ wrist.rotation.T + wrist.translation
        for finger, joints in enumerate(FINGERS):
            for a, b in pairwise(joints):
                radius = 0.013 if a in (1, 5, 10, 15, 20) else 0.009
                parts[f"{side} {finger} {a}"] = _capsule(points[a], points[b], radius)
            parts[f"{side} palm {finger}"] = _capsule(points[0], points[joints[0]], 0.016)
    return parts


def _bend(
    start: FloatArray, end: FloatArray, upper: float, lower: float, way: FloatArray
) -> FloatArray:
    """Return the (3,) joint between two limbs that bends towards ``way``; limbs that are too short
    are stretched."""
    along = end - start
    length = float(np.linalg.norm(along))
    along = along / length
    reach = float(np.clip(length, abs(upper - lower) + 1e-6, upper + lower - 1e-6))
    share = (upper**2 - lower**2 + reach**2) / (2.0 * reach)
    out = way - (way @ along) * along
    out /= np.linalg.norm(out)
    middle: FloatArray = start + share * (length / reach) * along
    middle = middle + np.sqrt(max(upper**2 - share**2, 0.0)) * out
    return middle


def _capsule(start: FloatArray, end: FloatArray, radius: float) -> Surface:
    along = np.asarray(end, dtype=np.float64) - start
    length = float(np.linalg.norm(along))
    axis = along / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    side = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.7 else [0, 1.0, 0])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    angles = np.linspace(0.0, 2.0 * np.pi, RING, endpoint=False)
    ring = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), other)
    rings = []
    for tilt in np.linspace(-np.pi / 2, np.pi / 2, 16):
        centre = np.asarray(start if tilt < 0.0 else end)
        rings.append(centre + radius * (np.cos(tilt) * ring + np.sin(tilt) * axis))
    triangles = []
    for low, high in pairwise(rings):
        low_next, high_next = np.roll(low, -1, axis=0), np.roll(high, -1, axis=0)
        triangles += [np.stack([low, low_next, high], 1), np.stack([low_next, high_next, high], 1)]
    return Surface(np.concatenate(triangles))


def _box(
    turn: FloatArray,
    place: FloatArray,
    centre: tuple[float, float, float],
    half: tuple[float, float, float],
) -> Surface:
    triangles = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            face = np.zeros((4, 3))
            face[:, axis] = sign
            face[:, (axis + 1) % 3] = [-1, 1, 1, -1]
            face[:, (axis + 2) % 3] = [-1, -1, 1, 1]
            corners = (np.array(centre) + face * half) @ turn.T + place
            triangles += [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    return Surface(np.array(triangles))
