"""A first hand mapping: palm frame, fingertips, trigger postures, scales and pinches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rove.profile.anatomy import Anatomy, words_of
from rove.profile.meshes import Surface
from rove.profile.posture import clipped
from rove_core.arrays import FloatArray
from rove_core.robot.frame import Frame, Triple
from rove_core.robot.hand import FINGERS, REFERENCE_REACH

TIP_INSET = 0.007  # m before the end of the distal link: where the pad touches
CLOSED = 0.8  # share of a finger joint's range
CONTACT = 0.016  # m where no mesh tells how thick a fingertip is
BEGIN = 0.05  # m between a person's tips that plainly mean to meet


@dataclass(frozen=True)
class Grasp:
    """A guess at one hand.

    Attributes:
        palm: frame with x along the fingers and z out of the back of the hand.
        tips: finger -> link or offset.
        scale: finger -> robot's reach over a person's.
        opened, closed: joint -> rad.
        contact: m between tip frames of touching pads.
    """

    palm: Frame
    tips: dict[str, str | Frame]
    scale: dict[str, float]
    opened: dict[str, float]
    closed: dict[str, float]
    contact: float


def guess_grasp(anatomy: Anatomy, side: str, surfaces: Mapping[str, Surface]) -> Grasp:
    """Guess a hand from its finger joints; a gripper gets a palm and trigger postures only."""
    hand, fingers = anatomy.groups[f"{side}_hand"], anatomy.fingers[side]
    joints = [anatomy.joint(name) for name in hand]
    opened = {j.name: round(clipped(j, 0.0), 3) for j in joints}
    closed = dict(opened)
    for joint in joints:
        far = joint.lower if -joint.lower > joint.upper else joint.upper
        swings = fingers and joint.name == fingers["thumb"][0]  # it turns the thumb, not bends it
        if not swings:
            closed[joint.name] = round(clipped(joint, CLOSED * far), 3)
    poses = anatomy.kinematics.links(opened)
    palm = anatomy.palms[side]
    to_palm = np.linalg.inv(poses[palm])
    ends = {name: _tip(anatomy, own, surfaces, poses) for name, own in fingers.items()}
    spots = {name: (to_palm @ _pose(tip, poses))[:3, 3] for name, tip in ends.items()}
    shut = anatomy.kinematics.links(closed)
    curled = {name: (to_palm @ _pose(tip, shut))[:3, 3] for name, tip in ends.items()}
    others = [name for name in fingers if name != "thumb"]
    if others:
        straight = np.mean([spots[name] for name in others], axis=0)
        bent = np.mean([curled[name] - spots[name] for name in others], axis=0)
    else:
        own = _points(surfaces, palm)
        straight = own.mean(axis=0) if len(own) else np.array([1.0, 0.0, 0.0])
        bent = np.array([0.0, 0.0, -1.0])
    contact = CONTACT
    if "index" in ends:
        pad = _points(surfaces, anatomy.joint(fingers["index"][-1]).child)
        if len(pad):
            contact = max(round(float(np.ptp(pad, axis=0).min()), 3), 0.001)
    return Grasp(
        palm=Frame(palm, (0.0, 0.0, 0.0), _palm_rpy(straight, bent)),
        tips=ends,
        scale={n: round(float(np.linalg.norm(spots[n])) / REFERENCE_REACH[n], 2) for n in ends},
        opened=opened,
        closed=closed,
        contact=contact,
    )


def follows(fingers: list[str]) -> dict[str, tuple[str, ...]]:
    """Return robot's finger -> human fingers: the last one follows those that the robot lacks."""
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in fingers}
    last = fingers[-1]
    found[last] = (last, *(name for name in FINGERS if name not in fingers))
    return found


def _tip(
    anatomy: Anatomy,
    joints: tuple[str, ...],
    surfaces: Mapping[str, Surface],
    poses: Mapping[str, FloatArray],
) -> str | Frame:
    """Return the finger's tip link, else a point before the end of its last link."""
    last = anatomy.joint(joints[-1]).child
    for joint in anatomy.kinematics.order:
        if joint.kind == "fixed" and joint.parent == last and "tip" in words_of(joint.child):
            return joint.child
    points = _points(surfaces, last)
    if not len(points):
        return Frame(last)
    # The long way of the link leads from its joint to its tip.
    centre = points.mean(axis=0)
    k = int(np.argmax(np.abs(centre)))
    sign = float(np.sign(centre[k]))
    reach = float((points[:, k] * sign).max()) - TIP_INSET
    place = [0.0, 0.0, 0.0]
    place[k] = round(sign * reach, 3)
    return Frame(last, (place[0], place[1], place[2]))


def _points(surfaces: Mapping[str, Surface], link: str) -> FloatArray:
    return surfaces[link].vertices if link in surfaces else np.zeros((0, 3))


def _pose(tip: str | Frame, poses: Mapping[str, FloatArray]) -> FloatArray:
    if isinstance(tip, str):
        return poses[tip]
    placed: FloatArray = poses[tip.parent] @ tip.in_parent
    return placed


def _palm_rpy(along: FloatArray, closing: FloatArray) -> Triple:
    """Return fixed-axes angles of the frame with x along the fingers and z against the closing.

    Both are rounded to the axes of the palm's link where they are near to them: people build
    hands that way, and a clean number can be checked by eye.
    """
    x = _clean(along)
    z = -closing - x * float(x @ -closing)
    if float(np.linalg.norm(z)) < 1e-6:
        z = np.eye(3)[int(np.argmin(np.abs(x)))]
        z = z - x * float(x @ z)
    z = _clean(z)
    z = z - x * float(x @ z)
    z /= np.linalg.norm(z)
    turn = np.stack([x, np.cross(z, x), z], axis=1)
    pitch = float(np.arctan2(-turn[2, 0], np.hypot(turn[0, 0], turn[1, 0])))
    if np.hypot(turn[0, 0], turn[1, 0]) < 1e-6:  # looking along z: roll and yaw are one
        roll, yaw = float(np.arctan2(-turn[1, 2], turn[1, 1])), 0.0
    else:
        roll = float(np.arctan2(turn[2, 1], turn[2, 2]))
        yaw = float(np.arctan2(turn[1, 0], turn[0, 0]))
    return round(roll, 7), round(pitch, 7), round(yaw, 7)


def _clean(vector: FloatArray) -> FloatArray:
    unit = vector / np.linalg.norm(vector)
    k = int(np.argmax(np.abs(unit)))
    return np.sign(unit[k]) * np.eye(3)[k] if abs(unit[k]) > 0.9 else unit
