"""Capsules around the parts of a body that may hit each other, fitted to what the links show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rove.profile.anatomy import SIDES, Anatomy, middle_joint, rigid_with
from rove.profile.fit import Fit, fit_capsule
from rove.profile.meshes import Surface, points_of
from rove_core.arrays import FloatArray
from rove_core.robot.collision import Capsule
from rove_core.robot.frame import Triple
from rove_core.robot.urdf import UrdfJoint

TWIST = 0.8  # cosine between a joint's axis and the limb from which it turns the limb about itself
SMALL = 0.02  # m, radius under which a part cannot matter
ROUNDING = 0.001  # m, of the numbers in the file; the radius is rounded up
LOOSE = 0.005  # m that a mirrored capsule may let the other side's mesh stick out
LOWER_ARM_PART = 0.4  # share of the upper arm, from the shoulder, that is always near the torso


@dataclass(frozen=True)
class Part:
    """Links that one capsule holds.

    Attributes:
        name: of the shape.
        link: that carries the capsule.
        links: whose surfaces it holds.
        cut: (point, direction) in the root's frame: only what lies beyond counts; or None.
    """

    name: str
    link: str
    links: tuple[str, ...]
    cut: tuple[FloatArray, FloatArray] | None = None


def capsules(
    anatomy: Anatomy,
    surfaces: Mapping[str, Surface],
    posture: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, Capsule]:
    """Return name -> capsule of every part that shows something.

    Args:
        anatomy: the robot.
        surfaces: link -> triangles.
        posture: joint -> rad with straight limbs and open hands, in which parts are fitted.
        rng: of the fit.
    """
    poses = anatomy.kinematics.links(posture)
    found: dict[str, Capsule] = {}
    for part in _parts(anatomy, poses):
        points = _points(part, surfaces, poses, rng)
        if not len(points):
            continue
        twin = found.get(part.name.replace("right", "left", 1))
        fit = None
        if part.name.startswith("right") and twin is not None:
            fit = _mirrored(twin, part.link, poses)
            if fit.outside(points).max() > LOOSE:
                fit = None
        fit = fit_capsule(points, rng) if fit is None else fit
        if fit.radius >= SMALL or part.name.endswith("thumb"):
            found[part.name] = _rounded(part, fit)
    return found


def _points(
    part: Part,
    surfaces: Mapping[str, Surface],
    poses: Mapping[str, FloatArray],
    rng: np.random.Generator,
) -> FloatArray:
    points = points_of(part.links, surfaces, poses, poses[part.link], rng)
    if part.cut is None:
        return points
    placed = points @ poses[part.link][:3, :3].T + poses[part.link][:3, 3]
    place, direction = part.cut
    beyond: FloatArray = points[(placed - place) @ direction > 0.0]
    return beyond


def _mirrored(twin: Capsule, link: str, poses: Mapping[str, FloatArray]) -> Fit:
    """Return the left capsule's image in the frame of the right link."""
    ends = np.array([twin.start, twin.end]) @ poses[twin.link][:3, :3].T + poses[twin.link][:3, 3]
    back = np.linalg.inv(poses[link])
    image = (ends * [1.0, -1.0, 1.0]) @ back[:3, :3].T + back[:3, 3]
    return Fit(image[0], image[1], twin.radius)


def _rounded(part: Part, fit: Fit) -> Capsule:
    def triple(point: FloatArray) -> Triple:
        x, y, z = (round(float(v), 3) + 0.0 for v in point)
        return x, y, z

    radius = float(np.ceil(fit.radius / ROUNDING) * ROUNDING)
    return Capsule(part.name, part.link, triple(fit.start), triple(fit.end), round(radius, 3))


def _parts(anatomy: Anatomy, poses: Mapping[str, FloatArray]) -> list[Part]:
    head = set(rigid_with(anatomy, anatomy.head)) if anatomy.head != anatomy.torso else set()
    parts = [Part("pelvis", anatomy.pelvis, tuple(rigid_with(anatomy, anatomy.pelvis)))]
    if anatomy.torso != anatomy.pelvis:
        own = [link for link in rigid_with(anatomy, anatomy.torso) if link not in head]
        parts.append(Part("torso", anatomy.torso, tuple(own)))
        between = [j.child for j in anatomy.kinematics.chain_to(anatomy.torso)]
        between = [link for link in between if link not in (*own, anatomy.pelvis)]
        if anatomy.pelvis in between:
            between = between[between.index(anatomy.pelvis) + 1 :]
        if between:
            parts.append(Part("waist", between[-1], tuple(between)))
    if head:
        links = [anatomy.joint(j).child for j in anatomy.groups.get("head", ())]
        parts.append(Part("head", anatomy.head, tuple({*links, *head})))
    for side in SIDES:
        if f"{side}_leg" in anatomy.groups:
            parts += _leg(anatomy, side, poses)
        if f"{side}_arm" in anatomy.groups:
            parts += _arm(anatomy, side, poses)
    return parts


def _leg(anatomy: Anatomy, side: str, poses: Mapping[str, FloatArray]) -> list[Part]:
    joints = [anatomy.joint(name) for name in anatomy.groups[f"{side}_leg"]]
    knee = anatomy.joint(middle_joint(anatomy, f"{side}_leg", "knee"))
    above = joints[: joints.index(knee)]
    if not above:
        return []
    direction = poses[knee.child][:3, 3] - poses[above[0].child][:3, 3]
    thigh = _up_to_bend(above, knee.parent, direction, poses)
    hip = [joint.child for joint in above if joint.child not in thigh]
    parts = [Part(f"{side}_thigh", knee.parent, tuple(_with_rigid(anatomy, thigh)))]
    if hip:
        parts.insert(0, Part(f"{side}_hip", hip[0], tuple(_with_rigid(anatomy, hip))))
    return parts


def _arm(anatomy: Anatomy, side: str, poses: Mapping[str, FloatArray]) -> list[Part]:
    joints = [anatomy.joint(name) for name in anatomy.groups[f"{side}_arm"]]
    elbow = anatomy.joint(middle_joint(anatomy, f"{side}_arm", "elbow"))
    above, below = joints[: joints.index(elbow)], joints[joints.index(elbow) + 1 :]
    wrist = anatomy.wrists[side]
    middle, end = poses[elbow.child][:3, 3], poses[wrist][:3, 3]
    parts = []
    if above:
        shoulder = poses[above[0].child][:3, 3]
        upper = _up_to_bend(above, elbow.parent, middle - shoulder, poses)
        links = tuple(_with_rigid(anatomy, upper))
        parts.append(Part(f"{side}_upper_arm", elbow.parent, links))
        cut = shoulder + LOWER_ARM_PART * (middle - shoulder), middle - shoulder
        own = tuple(rigid_with(anatomy, elbow.parent))
        parts.append(Part(f"{side}_elbow", elbow.parent, own, cut))
    fore = [elbow.child]
    for joint in below:
        axis = poses[joint.child][:3, :3] @ np.array(joint.axis)
        if not _twists(axis, end - middle) or joint.child == wrist:
            break
        fore.append(joint.child)
    parts.append(Part(f"{side}_forearm", elbow.child, tuple(_with_rigid(anatomy, fore))))
    rest = [joint.child for joint in below if joint.child not in fore]
    palm = tuple(dict.fromkeys(_with_rigid(anatomy, [*rest, wrist, anatomy.palms[side]])))
    fingers = [anatomy.joint(name).child for name in anatomy.groups.get(f"{side}_hand", ())]
    thumbs = [anatomy.joint(n).child for n in anatomy.fingers.get(side, {}).get("thumb", ())]
    others = _with_rigid(anatomy, [link for link in fingers if link not in thumbs])
    parts.append(Part(f"{side}_hand", wrist, (*palm, *others)))
    parts.append(Part(f"{side}_palm", wrist, palm))
    if thumbs:
        parts.append(Part(f"{side}_thumb", wrist, tuple(_with_rigid(anatomy, thumbs))))
    return parts


def _up_to_bend(
    above: list[UrdfJoint], last: str, direction: FloatArray, poses: Mapping[str, FloatArray]
) -> list[str]:
    """Return ``last`` and the links before it, while their joints only twist the limb."""
    links = [last]
    for joint in reversed(above[1:]):
        axis = poses[joint.child][:3, :3] @ np.array(joint.axis)
        if not _twists(axis, direction):
            break
        links.append(joint.parent)
    return links


def _twists(axis: FloatArray, direction: FloatArray) -> bool:
    length = float(np.linalg.norm(direction))
    return length > 0.0 and abs(float(axis @ direction)) / length > TWIST


def _with_rigid(anatomy: Anatomy, links: list[str]) -> list[str]:
    return [link for first in links for link in rigid_with(anatomy, first)]
