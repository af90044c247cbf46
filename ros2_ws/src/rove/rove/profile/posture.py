"""A first home posture: knees a little bent over the feet, forearms in front, hands open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rove.profile.anatomy import SIDES, Anatomy, middle_joint
from rove_core.arrays import FloatArray
from rove_core.robot.collision import CollisionSpec
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.mirror import mirror_of
from rove_core.robot.urdf import UrdfJoint

KNEE = 0.4  # rad; a straight knee cannot push
UPPER = np.array([0.05, 0.25, -1.0])  # of a left upper arm: down, a little off the trunk
FORE = np.array([1.0, 0.0, -0.15])  # of a forearm: forward, a little down
CALM = 0.03  # weight of rad2 against the directions' squared errors
ROOM, TOUCH = 0.03, 500.0  # m by which pairs should clear their margins, and the price of 1 m less
TRIES, ROUNDS = 150, 5  # random postures, then ever smaller steps from the best
INSIDE = 0.03  # rad kept to the URDF's limits, more than the profile's margin


def home_posture(
    anatomy: Anatomy,
    collision: CollisionSpec,
    hands: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return joint -> rad for the joints that do not stand at 0.

    Args:
        anatomy: the robot.
        collision: what the arms should keep apart from.
        hands: joint -> rad of the hands.
        rng: of the search.
    """
    home: dict[str, float] = dict(hands)
    for side in SIDES:
        if f"{side}_leg" in anatomy.groups:
            home |= _leg(anatomy, side)
    if "left_arm" in anatomy.groups:
        home |= _arm(anatomy, "left", collision, home, rng)
    if "right_arm" in anatomy.groups:
        home |= _twin(anatomy, home) or _arm(anatomy, "right", collision, home, rng)
    posed = {joint: round(value, 2) for joint, value in home.items() if abs(value) > 0.01}
    return posed | dict(hands)


def clipped(joint: UrdfJoint, value: float, inside: float = INSIDE) -> float:
    """Return a value between a joint's limits, a little inside where there is room."""
    inside = min(inside, (joint.upper - joint.lower) / 4)
    return float(np.clip(value, joint.lower + inside, joint.upper - inside))


def _leg(anatomy: Anatomy, side: str) -> dict[str, float]:
    """Bend hip, knee and ankle so that the foot stays level below the hip."""
    links = anatomy.kinematics.links({})
    limb = anatomy.groups[f"{side}_leg"]
    knee = middle_joint(anatomy, f"{side}_leg", "knee")
    across = {  # the part of the axis that bends the leg forwards
        name: float((links[anatomy.joint(name).child][:3, :3] @ anatomy.joint(name).axis)[1])
        for name in limb
    }
    bends = [name for name in limb if abs(across[name]) > 0.9]
    if len(bends) != 3 or bends[1] != knee:
        return {}
    sign = np.sign(across[knee])  # about +y a knee that bends like a person's turns positively
    bend = clipped(anatomy.joint(knee), KNEE * sign) * sign
    wanted = {bends[0]: -bend / 2, knee: bend, bends[2]: -bend / 2}
    return {
        name: clipped(anatomy.joint(name), value * float(np.sign(across[name])))
        for name, value in wanted.items()
    }


def _arm(
    anatomy: Anatomy,
    side: str,
    collision: CollisionSpec,
    others: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, float]:
    limb = anatomy.groups[f"{side}_arm"]
    joints = [anatomy.joint(name) for name in limb]
    elbow = anatomy.joint(middle_joint(anatomy, f"{side}_arm", "elbow")).child
    chain = _Chain(anatomy.kinematics, limb[0], others)
    own = tuple(
        pair
        for pair in collision.pairs
        if (pair.first.startswith(side)) != (pair.second.startswith(side))
        and anatomy.torso != collision.shapes[pair.first].link != collision.shapes[pair.second].link
    )
    watched = CollisionSpec(collision.shapes, {}, own)
    shoulder = joints[0].child
    mirrored = np.array([1.0, 1.0 if side == "left" else -1.0, 1.0])
    wanted = [v * mirrored / np.linalg.norm(v) for v in (UPPER, FORE)]

    def cost(values: FloatArray) -> float:
        links = chain.links(dict(zip(limb, values.tolist(), strict=True)))
        places = [links[link][:3, 3] for link in (shoulder, elbow, anatomy.wrists[side])]
        ways = places[1] - places[0], places[2] - places[1]
        off = sum(
            float(np.sum((way / max(float(np.linalg.norm(way)), 1e-6) - aim) ** 2))
            for way, aim in zip(ways, wanted, strict=True)
        )
        near = np.maximum(ROOM + watched.margins - watched.distances(links), 0.0)
        return off + CALM * float(values @ values) + TOUCH * float(near @ near)

    zero = np.array([clipped(joint, 0.0) for joint in joints])
    low = np.array([clipped(joint, joint.lower) for joint in joints])
    high = np.array([clipped(joint, joint.upper) for joint in joints])
    best, value = zero, cost(zero)
    for spread in 1.0 / 2.0 ** np.arange(ROUNDS):
        centre = best
        for _ in range(TRIES):
            tried = np.clip(centre + rng.normal(size=len(zero)) * spread, low, high)
            price = cost(tried)
            if price < value:
                best, value = tried, price
    # A joint that hardly matters stands at 0, so that the file stays readable.
    for i in np.argsort(np.abs(best - zero)):
        simple = best.copy()
        simple[i] = zero[i]
        if cost(simple) < value + 0.01:
            best = simple
    return dict(zip(limb, best.tolist(), strict=True))


class _Chain:
    """Poses of the links when only one limb moves: a part of the work of all links."""

    def __init__(self, kinematics: Kinematics, first: str, others: Mapping[str, float]) -> None:
        self._still = kinematics.links(others)
        moved = {next(joint.child for joint in kinematics.order if joint.name == first)}
        for joint in kinematics.order:
            if joint.parent in moved:
                moved.add(joint.child)
        self._joints = [joint for joint in kinematics.order if joint.child in moved]
        self._others, self._kinematics = dict(others), kinematics

    def links(self, positions: Mapping[str, float]) -> dict[str, FloatArray]:
        """Return link -> (4, 4) for joint -> rad of the limb."""
        return self._kinematics.move(self._still, self._joints, self._others | dict(positions))


def _twin(anatomy: Anatomy, left: dict[str, float]) -> dict[str, float]:
    """Return the right arm in the mirror of the left one, or nothing where there is no mirror."""
    names: Sequence[str] = anatomy.names
    mirror = mirror_of(anatomy.kinematics, tuple(names))
    arm = [names.index(joint) for joint in anatomy.groups["right_arm"]]
    if (mirror.signs[arm] == 0.0).any() or (mirror.twins[arm] == arm).any():
        return {}
    image = mirror.image(np.array([left.get(name, 0.0) for name in names]))
    return {names[i]: clipped(anatomy.joint(names[i]), float(image[i])) for i in arm}
