"""What is what in a URDF: groups of joints and frames, guessed from names and from the tree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot.hand import FINGERS
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.mirror import side_of
from rove_core.robot.urdf import Urdf, UrdfJoint

SIDES = ("left", "right")
ORDER = (
    "left_leg", "right_leg", "waist", "head", "left_arm", "left_hand", "right_arm", "right_hand",
)  # fmt: skip
# Words of a joint's name; the first kind that has one of them counts.
WORDS = {
    "hand": {"hand", "gripper", "finger", "palm", "thumb", "index", "middle", "ring", "pinky",
             "little"},
    "arm": {"arm", "shoulder", "elbow", "wrist", "forearm", "clavicle"},
    "leg": {"leg", "hip", "knee", "ankle", "foot", "thigh", "shank", "calf"},
    "head": {"head", "neck"},
    "waist": {"waist", "torso", "spine", "chest", "abdomen", "back"},
}  # fmt: skip
ALIASES = {"little": "pinky"}


@dataclass(frozen=True)
class Anatomy:
    """A guess at a robot's build.

    Attributes:
        urdf, kinematics: the model.
        groups: name -> joints from the root outwards.
        pelvis, torso, head: links; ``head`` is the torso where no link looks like one.
        wrists, feet, elbows, palms: side -> link.
        fingers: side -> finger -> its joints; empty where the names tell no fingers.
        left_out: joint -> why it is in no group.
        doubts: sentences about what a person must look at.
    """

    urdf: Urdf
    kinematics: Kinematics
    groups: dict[str, tuple[str, ...]]
    pelvis: str
    torso: str
    head: str
    wrists: dict[str, str]
    feet: dict[str, str]
    elbows: dict[str, str]
    palms: dict[str, str]
    fingers: dict[str, dict[str, tuple[str, ...]]]
    left_out: dict[str, str]
    doubts: list[str] = field(default_factory=list)

    def joint(self, name: str) -> UrdfJoint:
        """Return a joint of the URDF."""
        return self.urdf.joints[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the joints of all groups."""
        return tuple(joint for joints in self.groups.values() for joint in joints)


def words_of(name: str) -> set[str]:
    """Return the words of a name: split at underscores, digits and capitals, in lower case."""
    spaced = re.sub(r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", name)
    return {word for word in re.split(r"[^A-Za-z]+", spaced.lower()) if word}


def kind_of(name: str) -> str:
    """Return hand, arm, leg, head, waist or "" as a joint's name says."""
    found = words_of(name)
    return next((kind for kind, words in WORDS.items() if words & found), "")


def study(urdf: Urdf) -> Anatomy:
    """Guess a robot's groups and frames.

    Raises:
        ConfigError: the links do not form one tree.
    """
    kinematics = Kinematics(urdf)
    groups, left_out = _groups(urdf, kinematics)
    doubts: list[str] = []
    legs, arms = ([groups.get(f"{s}_{limb}", ()) for s in SIDES] for limb in ("leg", "arm"))
    pelvis = _common(urdf, kinematics, [j for leg in legs for j in leg[:1]])
    torso = _common(urdf, kinematics, [j for arm in arms for j in arm[:1]])
    wrists = {s: urdf.joints[a[-1]].child for s, a in zip(SIDES, arms, strict=True) if a}
    feet = {s: urdf.joints[leg[-1]].child for s, leg in zip(SIDES, legs, strict=True) if leg}
    elbows = {
        s: urdf.joints[_middle(urdf, kinematics, a, "elbow")].child
        for s, a in zip(SIDES, arms, strict=True)
        if a
    }
    palms = dict(wrists)
    fingers: dict[str, dict[str, tuple[str, ...]]] = {}
    for side in SIDES:
        hand = groups.get(f"{side}_hand", ())
        if hand:
            fingers[side] = _fingers(hand)
            palms[side] = _common(urdf, kinematics, hand)
            if not fingers[side]:
                doubts.append(f"the {side} hand names no thumb and finger: a gripper?")
    for what, found in (("leg", feet), ("arm", wrists)):
        doubts += [f"no {side} {what} found" for side in SIDES if side not in found]
    head = _head(urdf, kinematics, groups, torso)
    if head == torso:
        doubts.append("no head found: the torso stands for it")
    return Anatomy(
        urdf, kinematics, groups, pelvis, torso, head, wrists, feet, elbows, palms, fingers,
        left_out, doubts,
    )  # fmt: skip


def _groups(
    urdf: Urdf, kinematics: Kinematics
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    found: dict[str, list[str]] = {name: [] for name in ORDER}
    left_out: dict[str, str] = {}
    for joint in kinematics.order:
        if joint.kind == "fixed" or joint.mimic is not None:
            continue
        if joint.name not in urdf.joints:
            left_out[joint.name] = f"a {joint.kind} joint has no two ends"
            continue
        if joint.lower >= joint.upper:
            left_out[joint.name] = f"its limits are {joint.lower:g}..{joint.upper:g}"
            continue
        kind, side = kind_of(joint.name), side_of(joint.name)
        group = f"{side}_{kind}" if kind in ("hand", "arm", "leg") else kind
        if group in found:
            found[group].append(joint.name)
        else:
            left_out[joint.name] = "its name tells no limb"
    # One finger after the other reads better than the tree's order, which is that of the file.
    for side in SIDES:
        split = _fingers(tuple(found[f"{side}_hand"]))
        if split:
            found[f"{side}_hand"] = [joint for joints in split.values() for joint in joints]
    return {name: tuple(joints) for name, joints in found.items() if joints}, left_out


def _fingers(hand: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return finger -> joints, or nothing where a joint belongs to none."""
    found: dict[str, list[str]] = {}
    for joint in hand:
        names = {ALIASES.get(word, word) for word in words_of(joint)} & set(FINGERS)
        if len(names) != 1:
            return {}
        found.setdefault(names.pop(), []).append(joint)
    if "thumb" not in found or len(found) < 2:
        return {}
    return {name: tuple(found[name]) for name in FINGERS if name in found}


def _common(urdf: Urdf, kinematics: Kinematics, joints: list[str] | tuple[str, ...]) -> str:
    """Return the last link that carries all joints."""
    if not joints:
        return kinematics.root
    paths = []
    for name in joints:
        parent = urdf.joints[name].parent
        paths.append([kinematics.root, *(j.child for j in kinematics.chain_to(parent))])
    shared: list[str] = [level[0] for level in zip(*paths, strict=False) if len(set(level)) == 1]
    return shared[-1]


def _middle(urdf: Urdf, kinematics: Kinematics, limb: tuple[str, ...], word: str) -> str:
    """Return the joint in the middle of a limb: by its name, else the one farthest from both ends.

    Several joints may be called so (a roll of the elbow): the first counts.
    """
    named = [joint for joint in limb if word in words_of(joint)]
    if named:
        return named[0]
    links = kinematics.links({})
    places = [links[urdf.joints[joint].child][:3, 3] for joint in limb]

    def apart(place: FloatArray) -> float:
        return float(min(np.linalg.norm(place - places[i]) for i in (0, -1)))

    best = max(range(len(limb)), key=lambda i: apart(places[i]))
    name: str = limb[best]
    return name


def middle_joint(anatomy: Anatomy, group: str, word: str) -> str:
    """Return the elbow or knee of a limb."""
    return _middle(anatomy.urdf, anatomy.kinematics, anatomy.groups[group], word)


def _head(
    urdf: Urdf, kinematics: Kinematics, groups: dict[str, tuple[str, ...]], torso: str
) -> str:
    if "head" in groups:
        return urdf.joints[groups["head"][-1]].child
    named = [j.child for j in kinematics.order if "head" in words_of(j.child)]
    return named[0] if named else torso


def rigid_with(anatomy: Anatomy, link: str) -> list[str]:
    """Return a link and what fixed joints hang on it."""
    found = [link]
    for joint in anatomy.kinematics.order:
        if joint.kind == "fixed" and joint.parent in found:
            found.append(joint.child)
    return found
