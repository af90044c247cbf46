"""Laws of robot profiles: what ships fits its URDF, and what does not fit names itself."""

from __future__ import annotations

import copy
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError, ContractError
from rove_core.robot import available_robots, load_robot
from rove_core.robot.load import LIMIT_KEYS, REQUIRED_FRAMES
from rove_core.robot.urdf import read_urdf

SPEC = load_robot("g1_dex3")
PROFILE = yaml.safe_load((resources.files("rove_core") / "robots/g1_dex3.yaml").read_text())


def load_changed(tmp_path: Path, change) -> object:
    """Load the shipped profile after ``change`` edited a copy of it."""
    profile = copy.deepcopy(PROFILE)
    change(profile)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(profile, sort_keys=False))
    return load_robot.__wrapped__(str(path))


@pytest.mark.parametrize("robot", available_robots())
def test_shipped_profiles_fit_their_urdf(robot):
    """Every vector has N entries; home lies inside the limits, limits inside the URDF's."""
    spec = load_robot(robot)
    urdf = read_urdf(spec.urdf_path)
    assert len(set(spec.joint_names)) == spec.size
    joints = [urdf.joints[name] for name in spec.joint_names]
    assert (spec.lower > [j.lower for j in joints]).all()
    assert (spec.upper < [j.upper for j in joints]).all()
    assert (spec.lower < spec.upper).all()
    stated = [j.velocity or np.inf for j in joints]  # 0 in a URDF means that it does not say
    assert (spec.velocity <= stated).all()
    assert ((spec.resting >= spec.lower) & (spec.resting <= spec.upper)).all()
    assert ((spec.home >= spec.lower) & (spec.home <= spec.upper)).all()
    for limit in (spec.velocity, spec.acceleration, spec.jerk, spec.effort):
        assert limit.shape == (spec.size,)
        assert (limit > 0).all()
    assert set(REQUIRED_FRAMES) <= set(spec.frames)
    assert set(spec.frames.values()) <= urdf.links
    assert [j for joints in spec.groups.values() for j in joints] == list(spec.joint_names)


def test_the_g1_has_43_joints():
    """29 of the body and 14 of the two hands, and a camera on the head."""
    assert SPEC.size == 43
    assert set(SPEC.cameras) == {"ego"}
    assert [SPEC.joint_names[i] for i in SPEC.indices("waist")] == list(SPEC.groups["waist"])


@given(st.permutations(SPEC.joint_names))
def test_permutation_restores_the_order(names):
    """values[permutation] is in the robot's order, however the values came."""
    value_of = {name: float(i) for i, name in enumerate(SPEC.joint_names)}
    values = np.array([value_of[name] for name in names])
    np.testing.assert_array_equal(values[SPEC.permutation(names, "test")], np.arange(SPEC.size))


@pytest.mark.parametrize(
    "names",
    [
        SPEC.joint_names[1:],
        [*SPEC.joint_names, "tail_joint"],
        [*SPEC.joint_names, SPEC.joint_names[0]],
        ["tail_joint", *SPEC.joint_names[1:]],
    ],
)
def test_other_joints_are_refused(names):
    """A missing, an unknown and a repeated joint are errors: a wrong joint would move."""
    with pytest.raises(ConfigError) as caught:
        SPEC.permutation(names, "message X")
    assert "message X" in str(caught.value)


def test_unknown_names_list_the_known_ones():
    """Unknown robot, joint and group name what was given, what is allowed and where."""
    with pytest.raises(ConfigError) as caught:
        load_robot("g2")
    assert caught.value.given == "g2"
    assert "g1_dex3" in caught.value.allowed
    assert "argument robot" in str(caught.value)
    with pytest.raises(ConfigError, match=r"joint 'tail_joint'.*left_knee_joint.*robot g1_dex3"):
        SPEC.index("tail_joint")
    with pytest.raises(ConfigError, match=r"group 'tail'.*left_arm.*robot g1_dex3"):
        SPEC.indices("tail")
    with pytest.raises(ConfigError, match=r"'nowhere/robot\.yaml'"):
        load_robot("nowhere/robot.yaml")


def test_the_digest_tells_robots_apart(tmp_path):
    """Name, position limits and cameras change the digest; speed limits and home do not."""

    def rename(_: dict) -> None:
        """Leave the content alone; the file's name is the robot's."""

    same = load_changed(tmp_path, rename)
    assert same.digest == load_changed(tmp_path, rename).digest
    assert same.digest != SPEC.digest  # another name
    slower = load_changed(tmp_path, lambda p: p["limits"]["velocity"].update(waist=1.0))
    assert slower.digest == same.digest
    moved = load_changed(tmp_path, lambda p: p["home"].update(left_knee_joint=0.5))
    assert moved.digest == same.digest
    tighter = load_changed(tmp_path, lambda p: p["limits"].update(position_margin=0.03))
    wider = load_changed(tmp_path, lambda p: p["cameras"]["ego"].update(width=256))
    assert len({same.digest, tighter.digest, wider.digest}) == 3


def test_a_joints_own_limit_wins(tmp_path):
    """An entry for a joint overrides its group's; no limit exceeds the URDF's."""

    def change(profile: dict) -> None:
        profile["limits"]["velocity"]["left_elbow_joint"] = 0.5
        profile["limits"]["velocity"]["waist"] = 1e6

    spec = load_changed(tmp_path, change)
    assert spec.velocity[spec.index("left_elbow_joint")] == 0.5
    assert spec.velocity[spec.index("left_wrist_yaw_joint")] == 4.0
    waist = spec.indices("waist")
    urdf = read_urdf(spec.urdf_path)
    assert list(spec.velocity[waist]) == [urdf.joints[j].velocity for j in spec.groups["waist"]]


BAD = {
    "unknown joint": (lambda p: p["groups"]["waist"].append("tail_joint"), "tail_joint"),
    "joint twice": (
        lambda p: p["groups"]["waist"].append("left_knee_joint"), "left_knee_joint"
    ),
    "missing URDF": (lambda p: p["urdf"].update(path="robots/none.urdf"), "robots/none.urdf"),
    "unknown link": (lambda p: p["frames"].update(head="antenna"), "antenna"),
    "no frame": (lambda p: p["frames"].pop("left_foot"), "left_foot"),
    "no limits": (lambda p: p.pop("limits"), "'limits'"),
    "no value": (lambda p: p["limits"]["jerk"].pop("waist"), "waist_yaw_joint"),
    "limit of a stranger": (lambda p: p["limits"]["jerk"].update(tail=1.0), "tail"),
    "home outside": (lambda p: p["home"].update(left_knee_joint=9.0), "left_knee_joint"),
    "home of a stranger": (lambda p: p["home"].update(tail_joint=0.0), "tail_joint"),
    "camera without size": (lambda p: p["cameras"]["ego"].pop("width"), "width"),
    "camera on nothing": (lambda p: p["cameras"]["ego"].update(parent="hat"), "hat"),
    "limit not a number": (lambda p: p["limits"]["velocity"].update(waist="fast"), "fast"),
    "negative limit": (lambda p: p["limits"]["velocity"].update(waist=-1.0), "waist"),
    "infinite limit": (lambda p: p["limits"]["jerk"].update(waist=float("inf")), "waist"),
    "unknown section": (lambda p: p.update(colision={}), "colision"),
    "misspelt limit": (lambda p: p["limits"].update(velocty={}), "velocty"),
    "negative margin": (lambda p: p["limits"].update(position_margin=-0.1), "position_margin"),
    "no reason": (lambda p: p["limits"]["reasons"].pop("jerk"), "'jerk'"),
    "reason of nothing": (lambda p: p["limits"]["reasons"].update(colour="red"), "colour"),
    "filled where known": (
        lambda p: (
            p["limits"].update(urdf_lacks={"velocity": {"waist": 1.0}}),
            p["limits"]["reasons"].update(urdf_lacks="x"),
        ),
        "waist_yaw_joint",
    ),
    "wider than the URDF": (
        lambda p: p["limits"].update(
            narrow={"left_knee_joint": {"lower": -1.0, "upper": 1.0, "why": "x"}}
        ),
        "left_knee_joint",
    ),
    "reversed": (
        lambda p: p["limits"].update(
            narrow={"left_knee_joint": {"lower": 1.0, "upper": 0.5, "why": "x"}}
        ),
        "left_knee_joint",
    ),
    "joint left out": (lambda p: p["groups"]["waist"].pop(), "waist_pitch_joint"),
    "fixed and commanded": (
        lambda p: p.update(fixed={"waist_yaw_joint": {"at": 0.0, "why": "x"}}), "waist_yaw_joint"
    ),
    "fixed stranger": (
        lambda p: p.update(fixed={"tail_joint": {"at": 0.0, "why": "x"}}), "tail_joint"
    ),
    "fixed outside": (
        lambda p: (
            p["groups"]["waist"].pop(),
            p.update(fixed={"waist_pitch_joint": {"at": 3.0, "why": "x"}}),
        ),
        "fixed.waist_pitch_joint.at",
    ),
    "fixed without reason": (
        lambda p: (
            p["groups"]["waist"].pop(), p.update(fixed={"waist_pitch_joint": {"at": 0.0}})
        ),
        "'why'",
    ),
    "rest outside": (lambda p: p["rest"].update(left_elbow_joint=9.0), "left_elbow_joint"),
    "offset on nothing": (
        lambda p: p["frames"]["left_palm"].update(parent="antenna"), "antenna"
    ),
    "offset of two numbers": (
        lambda p: p["frames"]["left_palm"].update(position=[0.0, 1.0]), "left_palm.position"
    ),
    "offset for a body frame": (
        lambda p: p["frames"].update(pelvis={"parent": "pelvis", "position": [0, 0, 0]}), "pelvis"
    ),
    "no elbow": (lambda p: p["frames"].pop("left_elbow"), "left_elbow"),
    "missing fingers": (lambda p: p["hands"]["left"].update(fingers={}), "hands.left.fingers"),
    "missing hand": (lambda p: p["hands"].pop("left"), "'left'"),
    "third hand": (lambda p: p["hands"].update(middle={}), "middle"),
    "finger without tip": (
        lambda p: p["hands"]["left"]["fingers"]["index"].update(tip="left_ring_tip"),
        "left_ring_tip",
    ),
    "joint in no finger": (
        lambda p: p["hands"]["left"]["fingers"]["index"]["joints"].pop(),
        "left_hand_index_1_joint",
    ),
    "finger of a stranger": (
        lambda p: p["hands"]["left"]["fingers"]["index"].update(joints=["waist_yaw_joint"]),
        "waist_yaw_joint",
    ),
    "follows a toe": (
        lambda p: p["hands"]["left"]["fingers"]["index"].update(follows=["toe"]), "toe"
    ),
    "followed twice": (
        lambda p: p["hands"]["left"]["fingers"]["index"].update(follows=["thumb"]), "thumb"
    ),
    "pinch of one": (
        lambda p: p["hands"]["left"]["pinches"][0].update(fingers=["thumb", "thumb"]), "pinches[0]"
    ),
    "trigger outside": (
        lambda p: p["fingers"]["closed"].update(left_hand_index_0_joint=1.0),
        "fingers.closed.left_hand_index_0_joint",
    ),
    "trigger incomplete": (
        lambda p: p["fingers"]["open"].pop("left_hand_index_0_joint"), "left_hand_index_0_joint"
    ),
    "shape on nothing": (
        lambda p: p["collision"]["shapes"]["head"].update(link="hat"), "shapes.head.link"
    ),
    "flat shape": (
        lambda p: p["collision"]["shapes"]["head"].update(radius=0.0), "shapes.head.radius"
    ),
    "pair of a stranger": (
        lambda p: p["collision"]["pairs"].append({"between": ["head", "tail"], "margin": 0.1}),
        "tail",
    ),
    "pair of one": (
        lambda p: p["collision"]["pairs"].append({"between": ["head"], "margin": 0.1}), "head"
    ),
    "pair on one link": (
        lambda p: p["collision"]["pairs"].append({"between": ["head", "torso"], "margin": 0.1}),
        "two links",
    ),
    "pair without margin": (
        lambda p: p["collision"]["pairs"].append({"between": ["head", "pelvis"]}), "'margin'"
    ),
    "group of a stranger": (lambda p: p["collision"]["groups"].update(x=["tail"]), "tail"),
    "exception from nothing": (
        lambda p: p["collision"]["exceptions"].append({"between": ["head", "torso"], "why": "x"}),
        "two links",
    ),
    "exception from no pair": (
        lambda p: p["collision"]["exceptions"].append({"between": ["head", "pelvis"], "why": "x"}),
        "exceptions[1].between",
    ),
    "home in collision": (
        lambda p: p["home"].update(left_shoulder_roll_joint=-0.5), "home: distance of torso and"
    ),
    "rest in collision": (
        lambda p: p["rest"].update(left_shoulder_roll_joint=-0.5), "rest: distance of torso and"
    ),
    "margin wider than a joint": (
        lambda p: (p["limits"].update(position_margin=9.0), p.update(home={})), "margin"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_profile_names_what_and_where(tmp_path, case):
    """Each mistake in a profile fails when it is loaded, naming the value and the file."""
    change, named = BAD[case]
    with pytest.raises(ConfigError) as caught:
        load_changed(tmp_path, change)
    assert named in str(caught.value)
    assert "changed.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "valid YAML"),
        ("a: 1\na: 2", "stands twice"),
        ("- a", "a YAML mapping"),
        ("1: 2", "a text"),
        ("", "a YAML mapping"),
        ("{}", "'urdf'"),
        ("urdf: {package: p, path: q, colour: red}", "colour"),
        ("urdf: {file: nowhere.urdf}", "nowhere.urdf"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path, text, words):
    """Broken YAML, a list and an empty file are configuration errors."""
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_robot.__wrapped__(str(path))
    assert words in str(caught.value)
    assert "broken.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "<robot",
        "<robot><joint name='a' type='revolute'/></robot>",
        "<robot><joint name='a' type='revolute'>"
        "<limit lower='x' upper='1' velocity='1' effort='1'/></joint></robot>",
        "<robot><joint name='a' type='hinge'/></robot>",
        "<robot><link name='b'/><joint name='a' type='fixed'><parent link='b'/></joint></robot>",
        "<robot><joint name='a' type='fixed'><origin xyz='0 0'/></joint></robot>",
        "<robot><joint name='a' type='continuous'><axis xyz='0 0 0'/></joint></robot>",
    ],
)
def test_a_bad_urdf_is_refused(tmp_path, text):
    """A URDF that is no XML, or whose joints have no or no numeric limits, names the file."""
    path = tmp_path / "bad.urdf"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.urdf"):
        read_urdf(path)


def test_vectors_are_copied_and_checked():
    """A spec's vectors cannot be changed, and must have N finite entries."""
    with pytest.raises(ValueError, match="read-only"):
        SPEC.lower[0] = 0.0
    fields = {name: getattr(SPEC, name) for name in SPEC.__dataclass_fields__}
    with pytest.raises(ContractError, match=r"jerk: shape \(3,\) given, \(43\) allowed"):
        type(SPEC)(**{**fields, "jerk": np.zeros(3)})


def test_a_warning_names_limits_that_are_no_mirror_images(tmp_path):
    """One-sided limits load, because they may be meant, but are said."""
    assert SPEC.warnings == ()
    narrow = {"left_elbow_joint": {"upper": 1.0, "why": "a cable"}}
    spec = load_changed(tmp_path, lambda p: p["limits"].update(narrow=narrow))
    (warning,) = spec.warnings
    assert "left_elbow_joint" in warning
    assert "right_elbow_joint" in warning
    assert spec.upper[spec.index("left_elbow_joint")] == 1.0
    assert spec.reasons["narrow.left_elbow_joint"] == "a cable"


def test_margins_may_differ(tmp_path):
    """A group's margin and a joint's own win over that of all joints."""
    margins = {"all": 0.02, "waist": 0.1, "waist_yaw_joint": 0.2}
    spec = load_changed(tmp_path, lambda p: p["limits"].update(position_margin=margins))
    urdf = read_urdf(spec.urdf_path)
    for joint, margin in (
        ("waist_yaw_joint", 0.2),
        ("waist_roll_joint", 0.1),
        ("left_knee_joint", 0.02),
    ):
        assert spec.upper[spec.index(joint)] == pytest.approx(urdf.joints[joint].upper - margin)


def test_a_joint_may_stand_still(tmp_path):
    """A joint under ``fixed`` is in no vector; where it stands and why is kept."""

    def change(profile: dict) -> None:
        profile["groups"]["waist"].pop()
        profile["fixed"] = {"waist_pitch_joint": {"at": 0.1, "why": "bolted"}}

    spec = load_changed(tmp_path, change)
    assert spec.size == 42
    assert spec.fixed == {"waist_pitch_joint": 0.1}
    assert spec.reasons["fixed.waist_pitch_joint"] == "bolted"


def test_a_gripper_needs_no_fingers(tmp_path):
    """Without fingers and pinches a hand is a gripper that the trigger alone drives."""
    spec = load_changed(tmp_path, lambda p: p["hands"]["left"].update(fingers={}, pinches=[]))
    assert spec.hands["left"].fingers == {}
    assert len(spec.hands["right"].fingers) == 3


def test_a_robot_may_have_no_shapes(tmp_path):
    """Without shapes nothing is watched, and every posture is far enough from itself."""
    empty = {"shapes": {}, "groups": {}, "pairs": [], "exceptions": []}
    spec = load_changed(tmp_path, lambda p: p.update(collision=empty))
    assert spec.collision.pairs == ()
    assert spec.collision.margins.shape == (0,)


def test_the_digest_of_the_shipped_robot_stands():
    """Fields of the retargeting do not change what a policy's vectors mean.

    Shipped policies name this digest; it changes with joints, limits, body frames and cameras.
    """
    assert SPEC.digest == "d11e43ef8d6431e8072fbbf8b9e932e2b90313a829cc8f3d35edb3175f9b7ae8"


@pytest.mark.parametrize("robot", available_robots())
def test_every_limit_has_a_reason(robot):
    """Who changes a limit finds why it was so."""
    assert {"position_margin", *LIMIT_KEYS} <= set(load_robot(robot).reasons)


def test_a_frame_is_a_link_or_an_offset():
    """``frame`` answers for both, and names what there is when it cannot."""
    assert SPEC.frame("left_wrist").parent == "left_wrist_yaw_link"
    assert SPEC.frame("left_wrist").position == (0.0, 0.0, 0.0)
    assert SPEC.frame("left_index_tip").position == (0.045, 0.0, 0.0)
    with pytest.raises(ConfigError, match=r"'tail'.*left_index_tip.*robot g1_dex3"):
        SPEC.frame("tail")


def test_limit_keys_are_those_of_the_spec():
    """Every limit that a profile must give is a vector of the spec."""
    assert all(getattr(SPEC, key).shape == (43,) for key in LIMIT_KEYS)
