"""Laws of a robot's geometry: kinematics, mirror images, capsules and their distances."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_core.robot import available_robots, load_robot
from rove_core.robot.collision import Capsule, CollisionPair, CollisionSpec, segment_distances
from rove_core.robot.frame import Frame, rotation
from rove_core.robot.hand import FINGERS
from rove_core.robot.kinematics import Kinematics, frame_pose
from rove_core.robot.mirror import mirror_of, side_of, twin_name
from rove_core.robot.urdf import find_mesh, read_urdf

ROBOTS = {name: load_robot(name) for name in available_robots()}
TREES = {name: Kinematics(read_urdf(spec.urdf_path)) for name, spec in ROBOTS.items()}
MODELS = {name: pin.buildModelFromUrdf(str(spec.urdf_path)) for name, spec in ROBOTS.items()}
MIRRORS = {name: mirror_of(TREES[name], spec.joint_names) for name, spec in ROBOTS.items()}
FLIP = np.diag([1.0, -1.0, 1.0])
# m; drawings of a left and a right half differ by fractions of a millimetre, most at the far end.
CRAFT = 0.004

coordinates = st.floats(-1.0, 1.0, allow_nan=False, width=32)
points = st.tuples(coordinates, coordinates, coordinates)


def posture(robot: str, seed: int) -> np.ndarray:
    """Return (N,) rad within the limits."""
    spec = ROBOTS[robot]
    return np.random.default_rng(seed).uniform(spec.lower, spec.upper)


def links(robot: str, position: np.ndarray) -> dict[str, np.ndarray]:
    return TREES[robot].links(dict(zip(ROBOTS[robot].joint_names, position, strict=True)))


@pytest.mark.parametrize("robot", ROBOTS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_kinematics_agree_with_pinocchio(robot: str, seed: int) -> None:
    """Law: every link stands where another library puts it."""
    spec, model = ROBOTS[robot], MODELS[robot]
    position, data, q = posture(robot, seed), model.createData(), pin.neutral(model)
    for joint, angle in zip(spec.joint_names, position, strict=True):
        q[model.joints[model.getJointId(joint)].idx_q] = angle
    pin.framesForwardKinematics(model, data, q)
    for link, pose in links(robot, position).items():
        np.testing.assert_allclose(
            pose, data.oMf[model.getFrameId(link, pin.BODY)].homogeneous, atol=1e-9
        )


@given(points)
def test_rotations_are_those_of_a_urdf(rpy: tuple[float, float, float]) -> None:
    """Law: fixed axes x, y, z, as pinocchio reads them; so is the pose of a frame."""
    np.testing.assert_allclose(rotation(rpy), pin.rpy.rpyToMatrix(*rpy), atol=1e-12)
    pose = Frame("a", (1.0, 2.0, 3.0), rpy).in_parent
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])
    np.testing.assert_array_equal(pose[:3, :3], rotation(rpy))


@pytest.mark.parametrize("robot", ROBOTS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_robot_and_its_profile_are_symmetric(robot: str, seed: int) -> None:
    """Law: in the mirror of a posture every left frame stands where the right one stood, palms
    and tips with their orientation, and every pair of capsules is as far apart as its twin.
    """
    spec, mirror = ROBOTS[robot], MIRRORS[robot]
    assert (mirror.signs != 0.0).all()
    position = posture(robot, seed)
    np.testing.assert_array_equal(mirror.image(mirror.image(position)), position)
    here, there = links(robot, position), links(robot, mirror.image(position))
    for role in (*spec.frames, *spec.offsets):
        if side_of(role) != "left":
            continue
        left = frame_pose(spec.frame(role), here)
        right = frame_pose(spec.frame(twin_name(role) or ""), there)
        assert np.linalg.norm(FLIP @ left[:3, 3] - right[:3, 3]) < CRAFT
        if role.endswith("palm"):
            np.testing.assert_allclose(FLIP @ left[:3, :3] @ FLIP, right[:3, :3], atol=0.01)
    order = {frozenset((p.first, p.second)): i for i, p in enumerate(spec.collision.pairs)}
    apart, mirrored = spec.collision.distances(here), spec.collision.distances(there)
    for pair, i in order.items():
        twin = order[frozenset(twin_name(name) or name for name in pair)]
        assert spec.collision.pairs[i].margin == spec.collision.pairs[twin].margin
        assert apart[i] == pytest.approx(mirrored[twin], abs=2 * CRAFT)


@pytest.mark.parametrize("robot", ROBOTS)
def test_limits_postures_and_hands_are_symmetric(robot: str) -> None:
    """Law: what the profile says of the left it says of the right; where not, it is a warning."""
    spec, mirror = ROBOTS[robot], MIRRORS[robot]
    assert spec.warnings == ()
    for vector in (spec.velocity, spec.acceleration, spec.jerk, spec.effort):
        np.testing.assert_array_equal(vector, vector[mirror.twins])
    for vector in (spec.home, spec.resting):
        np.testing.assert_allclose(mirror.image(vector), vector, atol=1e-9)
    left, right = spec.hands["left"], spec.hands["right"]
    assert list(left.fingers) == list(right.fingers)
    for name, finger in left.fingers.items():
        assert (finger.scale, finger.follows) == (
            right.fingers[name].scale, right.fingers[name].follows
        )  # fmt: skip
    assert left.pinches == right.pinches
    for ends in (spec.finger_open, spec.finger_closed):
        full = np.array([ends.get(name, 0.0) for name in spec.joint_names])
        np.testing.assert_allclose(mirror.image(full), full, atol=1e-9)


@pytest.mark.parametrize("robot", ROBOTS)
def test_palms_have_the_axes_they_promise(robot: str) -> None:
    """Law: x points to the straight fingers, closing moves the tips against z, and the index
    lies on the thumb's side: to the right of a left hand with its palm down.
    """
    spec = ROBOTS[robot]
    hands = {}
    for name, ends in (("open", spec.finger_open), ("closed", spec.finger_closed)):
        position = np.array(spec.home)
        for joint, angle in ends.items():
            position[spec.index(joint)] = angle
        hands[name] = links(robot, position)
    for side, hand in spec.hands.items():
        tips = {}
        for name, poses in hands.items():
            palm = np.linalg.inv(frame_pose(spec.frame(hand.palm), poses))
            tips[name] = {
                finger: (palm @ frame_pose(spec.frame(entry.tip), poses))[:3, 3]
                for finger, entry in hand.fingers.items()
            }
        sign = -1.0 if side == "left" else 1.0
        for finger in [name for name in hand.fingers if name != "thumb"]:
            reach = tips["open"][finger]
            assert reach[0] > 0.9 * np.linalg.norm(reach)
            assert tips["closed"][finger][2] < reach[2] - 0.03
        assert sign * (tips["open"]["index"] - tips["open"]["middle"])[1] > 0.01


@pytest.mark.parametrize("robot", ROBOTS)
def test_hands_are_told_finger_by_finger(robot: str) -> None:
    """Law: fingers come in one order, every human finger is followed by one at most, and tips,
    palm and joints belong to the hand's side.
    """
    for side, hand in ROBOTS[robot].hands.items():
        assert list(hand.fingers) == [name for name in FINGERS if name in hand.fingers]
        followed = [human for finger in hand.fingers.values() for human in finger.follows]
        assert len(set(followed)) == len(followed)
        assert {side_of(f.tip) for f in hand.fingers.values()} | {side_of(hand.palm)} == {side}
        joints = [joint for finger in hand.fingers.values() for joint in finger.joints]
        assert set(joints) == set(ROBOTS[robot].groups[f"{side}_hand"])
        assert {side_of(joint) for joint in joints} == {side}


@pytest.mark.parametrize("robot", ROBOTS)
def test_pinches_can_be_closed(robot: str) -> None:
    """Law: two tips of a pinch get as near as ``contact`` within the limits, so that asking for it
    asks for something possible. Coordinate descent from the best of random postures finds one.
    """
    spec, tree = ROBOTS[robot], TREES[robot]
    for hand in spec.hands.values():
        for pinch in hand.pinches:
            tips = [spec.frame(hand.fingers[name].tip) for name in pinch.fingers]
            names = [j for name in pinch.fingers for j in hand.fingers[name].joints]
            lower, upper = (v[[spec.index(j) for j in names]] for v in (spec.lower, spec.upper))
            moved = [joint for tip in tips for joint in tree.chain_to(tip.parent)]
            start = tree.links({})

            def apart(values, names=names, tips=tips, moved=moved, start=start):
                poses = tree.move(start, moved, dict(zip(names, values, strict=True)))
                ends = [frame_pose(tip, poses)[:3, 3] for tip in tips]
                return float(np.linalg.norm(ends[0] - ends[1]))

            rng = np.random.default_rng(0)
            best = min((rng.uniform(lower, upper) for _ in range(60)), key=apart)
            distance, step = apart(best), 0.3
            while step > 0.01 and distance > pinch.contact:
                tried = np.clip(best + rng.normal(size=(20, len(best))) * step, lower, upper)
                near = min(tried, key=apart)
                if apart(near) < distance:
                    best, distance = near, apart(near)
                else:
                    step /= 1.5
            assert distance <= pinch.contact
            assert pinch.contact < pinch.begin


def brute(a, b, c, d) -> float:
    """Return the distance of two segments by trying points of both."""
    s = np.linspace(0.0, 1.0, 101)[:, None]
    first, second = a + s * (b - a), c + s * (d - c)
    return float(np.linalg.norm(first[:, None] - second[None], axis=2).min())


@given(points, points, points, points)
@settings(max_examples=60)
def test_segment_distances_are_least(a, b, c, d) -> None:
    """Law: no points of the segments are nearer, some are as near; the order does not matter."""
    a, b, c, d = (np.array(p, dtype=float) for p in (a, b, c, d))
    found = segment_distances(*(p[None] for p in (a, b, c, d)))[0]
    tried = brute(a, b, c, d)
    grid = 0.01 * (np.linalg.norm(b - a) + np.linalg.norm(d - c))
    assert tried - grid - 1e-6 <= found <= tried + 1e-6
    for other in ((c, d, a, b), (b, a, c, d), (a, b, d, c)):
        assert segment_distances(*(p[None] for p in other))[0] == pytest.approx(found, abs=1e-6)


def test_segments_that_are_parallel_crossing_or_points() -> None:
    """Law: no special case is missed."""
    cases = [
        ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), 1.0),
        ((0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), 1.0),
        ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), 0.0),
        ((-1, 0, 0), (1, 0, 0), (0, -1, 2), (0, 1, 2), 2.0),
        ((1, 1, 1), (1, 1, 1), (1, 1, 4), (1, 1, 4), 3.0),
        ((0, 0, 1), (0, 0, 1), (-1, 0, 0), (1, 0, 0), 1.0),
    ]
    ends = [np.array([case[i] for case in cases], dtype=float) for i in range(4)]
    np.testing.assert_allclose(segment_distances(*ends), [case[4] for case in cases], atol=1e-12)


def test_capsules_are_measured_between_their_surfaces() -> None:
    """Law: distance of the segments less both radii, in the posture that is asked for."""
    shapes = {
        "ball": Capsule("ball", "a", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.1),
        "bar": Capsule("bar", "b", (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.2),
    }
    spec = CollisionSpec(shapes, {}, (CollisionPair("ball", "bar", 0.05),))
    here = {"a": np.eye(4), "b": np.eye(4)}
    here["b"][:3, 3] = 0.5, 0.0, 1.0
    np.testing.assert_allclose(spec.distances(here), [0.7])
    here["b"][:3, :3] = rotation((0.0, np.pi / 2, 0.0))  # the bar stands up: its end is nearest
    np.testing.assert_allclose(spec.distances(here), [0.5 - 0.3])
    assert CollisionSpec().distances(here).shape == (0,)


@pytest.mark.parametrize("robot", ROBOTS)
def test_home_and_rest_keep_more_than_the_margins(robot: str) -> None:
    """Law: an episode starts, and the arms come to rest, away from every pair's margin."""
    spec = ROBOTS[robot]
    for position in (spec.home, spec.resting):
        distances = spec.collision.distances(links(robot, position))
        assert (distances > spec.collision.margins + 0.002).all()


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_pairs_watch_what_teleoperation_moves(robot: str) -> None:
    """Law: hands, forearms and thumbs are watched against torso, head, pelvis and thighs, and
    against the other arm.
    """
    spec = ROBOTS[robot]
    watched = {frozenset((pair.first, pair.second)) for pair in spec.collision.pairs}
    for side, other in (("left", "right"), ("right", "left")):
        for part in ("hand", "forearm", "thumb"):
            for trunk in ("torso", "head", "pelvis", "left_thigh", "right_thigh"):
                assert frozenset((f"{side}_{part}", trunk)) in watched
        for part in ("palm", "forearm", "upper_arm"):
            assert frozenset((f"{side}_forearm", f"{other}_{part}")) in watched


def test_a_mimic_joint_follows() -> None:
    """Law: ratio times the other joint plus the offset."""
    tree = Kinematics(read_urdf(load_robot("g1_dex3").urdf_path))
    knee = next(joint for joint in tree.order if joint.name == "left_knee_joint")
    object.__setattr__(knee, "mimic", ("left_hip_pitch_joint", -2.0, 0.1))
    follows = tree.links({"left_hip_pitch_joint": -0.2})
    alone = TREES["g1_dex3"].links({"left_hip_pitch_joint": -0.2, "left_knee_joint": 0.5})
    np.testing.assert_allclose(follows["left_knee_link"], alone["left_knee_link"], atol=1e-12)


def test_links_off_the_tree_are_refused(tmp_path) -> None:
    """Law: a model of two trees, or of a ring, is no robot."""
    joint = "<joint name='{}' type='fixed'><parent link='{}'/><child link='{}'/></joint>"
    path = tmp_path / "bad.urdf"
    path.write_text("<robot><link name='a'/><link name='b'/></robot>")
    with pytest.raises(ConfigError, match=r"one root.*bad\.urdf"):
        Kinematics(read_urdf(path))
    ring = joint.format("j", "a", "b") + joint.format("k", "b", "a")
    path.write_text(f"<robot><link name='a'/><link name='b'/><link name='c'/>{ring}</robot>")
    with pytest.raises(ConfigError, match=r"'j', 'k'.*bad\.urdf"):
        Kinematics(read_urdf(path))


@pytest.mark.parametrize(
    ("name", "twin", "side"),
    [
        ("left_knee_joint", "right_knee_joint", "left"),
        ("R_thumb_tip", "L_thumb_tip", "right"),
        ("l_elbow", "r_elbow", "left"),
        ("arm_left_4_joint", "arm_right_4_joint", "left"),
        ("LeftElbow", "RightElbow", "left"),
        ("waist_roll_joint", None, ""),
        ("ring_roller", None, ""),
    ],
)
def test_names_tell_sides(name: str, twin: str | None, side: str) -> None:
    """Law: a side is a word of its own in a name; the twin's twin is the name."""
    assert twin_name(name) == twin
    assert side_of(name) == side
    assert twin is None or twin_name(twin) == name


@pytest.mark.parametrize("robot", ROBOTS)
def test_every_mesh_is_found(robot: str) -> None:
    """Law: what a shipped robot shows is on this machine."""
    spec = ROBOTS[robot]
    text = spec.urdf_path.read_text()
    names = {part.split('"')[0] for part in text.split('<mesh filename="')[1:]}
    assert names
    assert all(find_mesh(name, spec.urdf_path, spec.mesh_root) for name in names)
    assert find_mesh("package://none/none.stl", spec.urdf_path, spec.mesh_root) is None


def test_the_fourier_robot_has_56_joints() -> None:
    """24 of them in the hands, for which the URDF states neither speed nor effort."""
    spec = ROBOTS["gr1t2_fourier"]
    assert spec.size == 56
    assert [len(spec.groups[g]) for g in ("left_hand", "right_hand", "head", "waist")] == [
        12, 12, 3, 3
    ]  # fmt: skip
    urdf = read_urdf(spec.urdf_path)
    silent = [name for name in spec.joint_names if urdf.joints[name].velocity == 0.0]
    assert set(silent) == {*spec.groups["left_hand"], *spec.groups["right_hand"]}
    assert (spec.velocity > 0.0).all()
    assert "urdf_lacks" in spec.reasons
    assert spec.cameras["ego"].parent == spec.frames["head"]
