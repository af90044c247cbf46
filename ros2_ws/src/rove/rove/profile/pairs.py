"""Which capsules must stay apart: candidates from anatomy, thinned out by sampled postures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rove.profile.anatomy import SIDES, Anatomy
from rove_core.robot.collision import Capsule, CollisionPair, CollisionSpec

MARGIN, ELBOW_MARGIN = 0.02, 0.005  # m; an upper arm that hangs down all but touches the chest
SAMPLES = 200
ALWAYS = 0.95  # share of sampled postures in which a pair overlaps from which no joint can help

TRUNK = ("pelvis", "waist", "torso", "head", "left_hip", "right_hip", "left_thigh", "right_thigh")
REACH = ("forearm", "hand", "thumb")
ARM = ("upper_arm", "forearm", "palm")


def groups_of(shapes: Mapping[str, Capsule]) -> dict[str, tuple[str, ...]]:
    """Return the groups of shapes that pairs are named by."""
    groups = {"trunk": tuple(name for name in TRUNK if name in shapes)}
    for side in SIDES:
        for name, members in (("reach", REACH), ("arm", ARM)):
            full = tuple(f"{side}_{member}" for member in members)
            groups[f"{side}_{name}"] = tuple(member for member in full if member in shapes)
    return {name: members for name, members in groups.items() if members}


def named_pairs(groups: Mapping[str, object], shapes: Mapping[str, Capsule]) -> list[CollisionPair]:
    """Return the pairs by the names of their groups or shapes."""
    named = [("left_reach", "trunk", MARGIN), ("right_reach", "trunk", MARGIN)]
    named += [("left_arm", "right_arm", MARGIN)]
    named += [(f"{side}_elbow", "torso", ELBOW_MARGIN) for side in SIDES]
    known = {*groups, *shapes}
    return [CollisionPair(a, b, margin) for a, b, margin in named if {a, b} <= known]


def candidates(
    shapes: Mapping[str, Capsule], groups: Mapping[str, tuple[str, ...]]
) -> CollisionSpec:
    """Return all pairs that a profile would name, none left out yet."""
    margins: dict[tuple[str, str], float] = {}
    for pair in named_pairs(groups, shapes):
        for first in groups.get(pair.first, (pair.first,)):
            for second in groups.get(pair.second, (pair.second,)):
                if shapes[first].link != shapes[second].link:
                    margins[first, second] = pair.margin
    pairs = tuple(CollisionPair(a, b, margin) for (a, b), margin in margins.items())
    return CollisionSpec(shapes, groups, pairs)


def exceptions(
    anatomy: Anatomy,
    shapes: Mapping[str, Capsule],
    groups: Mapping[str, tuple[str, ...]],
    postures: Mapping[str, Mapping[str, float]],
    rng: np.random.Generator,
) -> dict[tuple[str, str], str]:
    """Return pair -> why nobody can keep it apart.

    Args:
        anatomy: the robot.
        shapes, groups: of the collision section.
        postures: name -> joint -> rad, in which pairs must be apart (home).
        rng: draws postures between the joints' limits.
    """
    spec = candidates(shapes, groups)
    every = spec.pairs
    if not every:
        return {}
    lower, upper = (
        np.array([getattr(anatomy.joint(name), end) for name in anatomy.names])
        for end in ("lower", "upper")
    )
    hits = np.zeros(len(every))
    for _ in range(SAMPLES):
        sample = rng.uniform(lower, upper)
        links = anatomy.kinematics.links(dict(zip(anatomy.names, sample.tolist(), strict=True)))
        hits += spec.distances(links) < spec.margins
    found: dict[tuple[str, str], str] = {}
    for i in np.flatnonzero(hits > ALWAYS * SAMPLES):
        found[every[i].first, every[i].second] = (
            f"nearer than {every[i].margin:g} m in {int(hits[i])} of {SAMPLES} random postures"
        )
    for name, posture in postures.items():
        near = spec.distances(anatomy.kinematics.links(posture))
        for i in np.flatnonzero(near <= spec.margins):
            key = every[i].first, every[i].second
            found.setdefault(key, f"TODO: {near[i]:.3f} m apart at {name}; is {name} right?")
    return found
