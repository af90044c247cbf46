"""The body as a whole: round trips, mirror images, squat and lean, elbows, stillness."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from body_examples import DT, MIRRORS, ROBOTS, SPECS, anchored, posture
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import BASE
from rove_teleop.retarget.body.ik import BodyIk
from rove_teleop.retarget.body.support import Support
from rove_teleop.retarget.model import SIDES
from rove_teleop.retarget.trunk import Bend, Trunk

robots = st.sampled_from(ROBOTS)
seeds = st.integers(0, 2**32 - 1)
WRISTS = slice(0, 2)


def follow(ik: BodyIk, places: FloatArray, turns: FloatArray, frames: int) -> float:
    """Lead both wrists evenly to (2, 3) m and (2, 3, 3) and stay there; return the error in m."""
    tasks = ik.tasks
    start = [pin.SE3(tasks.turns[k].copy(), tasks.places[k].copy()) for k in (0, 1)]
    for i in range(2 * frames):
        for k in (0, 1):
            end = pin.SE3(turns[k], places[k])
            pose = pin.SE3.Interpolate(start[k], end, min(1.0, (i + 1) / frames))
            tasks.goal_places[k], tasks.goal_turns[k] = pose.translation, pose.rotation
        step = ik.step(DT)
        assert step.reason == ""
    return max(step.position_error)


@given(robots, seeds)
@settings(max_examples=15, deadline=None)
def test_a_target_from_a_reachable_posture_is_reached(robot: str, seed: int) -> None:
    """Wrist poses of a posture near rest, in which nothing collides: from rest the wrists get
    there to a millimetre, while the feet stand."""
    spec, rng = SPECS[robot], np.random.default_rng(seed)
    arms = np.concatenate([spec.indices(f"{side}_arm") for side in SIDES])
    joints = spec.resting.copy()
    joints[arms] = posture(spec, rng, 0.25)[arms]
    goal = anchored(spec, joints)
    ik = anchored(spec, np.array(spec.resting))
    if goal.near.min() < 0.02:
        return  # the way there may be closed
    feet = ik.body.pose(spec.frames["left_foot"]).translation.copy()
    places, turns = goal.tasks.places[WRISTS].copy(), goal.tasks.turns[WRISTS].copy()
    assert follow(ik, places, turns, 108) < 1e-3
    assert ik.body.pose(spec.frames["left_foot"]).translation == pytest.approx(feet, abs=5e-4)


@given(robots, seeds)
@example("g1_dex3", 5047)  # an arm meets the trunk on one side only
@settings(max_examples=10, deadline=None)
def test_the_mirror_image_of_a_motion_is_the_motion_of_the_mirror_image(
    robot: str, seed: int
) -> None:
    """With the operator mirrored, and the robot starting in the mirrored posture, every step is
    the mirror image, as far as the URDF itself is symmetric. Where links come near each other it
    is less so: the shapes around them differ by a millimetre, and one arm meets the other first."""
    spec, mirror, rng = SPECS[robot], MIRRORS[robot], np.random.default_rng(seed)
    joints = posture(spec, rng, 0.15)
    joints = np.where(mirror.signs == 0.0, spec.resting, joints)
    legs = [i for side in SIDES for i in spec.indices(f"{side}_leg")]
    joints[legs] = spec.resting[legs]
    there = np.clip(mirror.image(joints), spec.lower, spec.upper)
    ours, theirs = anchored(spec, joints), anchored(spec, there)
    flip = np.diag([1.0, -1.0, 1.0])
    speed, spin = rng.normal(0.0, 0.25, (2, 3)), rng.normal(0.0, 0.4, (2, 3))
    room = np.inf
    for i in range(40):
        for side in (0, 1):
            way = speed[side] * DT * np.cos(0.08 * i)
            turn = pin.exp3(spin[side] * DT * np.cos(0.08 * i))
            ours.tasks.goal_places[side] += way
            ours.tasks.goal_turns[side] = turn @ ours.tasks.goal_turns[side]
            theirs.tasks.goal_places[1 - side] += flip @ way
            turned = flip @ turn @ flip
            theirs.tasks.goal_turns[1 - side] = turned @ theirs.tasks.goal_turns[1 - side]
        ours.bend(-0.001 * i, 0.002 * i, 0.001 * i)
        theirs.bend(-0.001 * i, 0.002 * i, -0.001 * i)
        ours.step(DT)
        theirs.step(DT)
        room = min(room, ours.near.min(), theirs.near.min())
    moved = joints.copy()
    moved[ours.body.moving] = ours.body.joints
    image = mirror.image(moved)[theirs.body.moving]
    assert np.abs(ours.body.joints - joints[ours.body.moving]).max() > 0.01
    assert image == pytest.approx(theirs.body.joints, abs=0.01 if room > 0.002 else 0.15)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_squat_keeps_feet_and_balance(robot: str) -> None:
    """Pelvis down by 20 cm with a lean, hands going along, and up again: feet within a millimetre,
    centre of mass over the ground all the way, wrists with the hands, and all as it was at the
    end, at rest."""
    spec = SPECS[robot]
    ik = anchored(spec, np.array(spec.home))
    tasks, start = ik.tasks, ik.body.joints.copy()
    pelvis, feet = tasks.names["pelvis"], slice(tasks.names["left_foot"], None)
    base = tasks.places.copy()
    support = Support(ik.body)
    deepest = 0.0
    for i in range(500):
        share = 0.5 - 0.5 * np.cos(np.pi * min(i, 144) / 144)
        if i > 200:
            share = 0.5 + 0.5 * np.cos(np.pi * min(i - 200, 144) / 144)
        ik.bend(-0.2 * share, 0.2 * share, 0.0)
        tasks.goal_places[WRISTS] = base[WRISTS] - [0.0, 0.0, 0.2 * share]
        step = ik.step(DT)
        assert step.reason == ""
        assert np.abs(tasks.places[feet] - base[feet]).max() < 1e-3
        assert support.beyond(ik.body.mass_centre[:2])[2] < 5e-3
        deepest = min(deepest, tasks.places[pelvis, 2] - base[pelvis, 2])
        if i == 199:
            assert max(step.position_error) < 2e-3
    assert deepest < -0.17
    assert ik.standing
    assert np.abs(ik.body.joints - start).max() < 0.02


@pytest.mark.parametrize("robot", ROBOTS)
def test_hands_do_not_move_legs(robot: str) -> None:
    """While only the hands move, legs and pelvis are still to the last bit."""
    ik = anchored(SPECS[robot], np.array(SPECS[robot].home))
    base = ik.tasks.places[WRISTS].copy()
    before = ik.body.q.copy()
    legs = np.concatenate([ik.body.columns(f"{side}_leg") for side in SIDES]) + 1
    for i in range(100):
        ik.tasks.goal_places[WRISTS] = base + 0.05 * np.sin(0.1 * i) * np.array([1.0, 0.3, 0.5])
        ik.step(DT)
        assert np.array_equal(ik.body.q[:7], before[:7])
        assert np.array_equal(ik.body.q[legs], before[legs])
    assert np.abs(ik.body.q - before).max() > 0.02


def test_the_mass_centre_comes_back_over_the_ground() -> None:
    """Arms stretched forward while the operator leans push the centre of mass to the toes; legs
    take the pelvis back, and it does not pass the edge by more than a centimetre."""
    spec = SPECS["g1_dex3"]
    ik = anchored(spec, np.array(spec.home))
    base = ik.tasks.places[WRISTS].copy()
    support = Support(ik.body)
    worst, pelvis = -1.0, ik.tasks.names["pelvis"]
    for i in range(300):
        share = min(1.0, i / 150)
        ik.bend(0.0, 0.5 * share, 0.0)
        ik.tasks.goal_places[WRISTS] = base + share * np.array([0.35, 0.0, 0.2])
        ik.step(DT)
        worst = max(worst, support.beyond(ik.body.mass_centre[:2])[2])
    assert worst < 0.01
    assert np.abs(ik.tasks.places[pelvis, :2]).max() < 0.15


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_elbow_follows_its_hint_and_the_wrist_stays(robot: str) -> None:
    """A hint away from the trunk moves the elbow along its swivel; the wrist stays within 2 mm."""
    spec = SPECS[robot]
    ik = anchored(spec, np.array(spec.resting))
    tasks = ik.tasks
    wrist, elbow = tasks.places[0].copy(), tasks.elbow_places[0].copy()
    shoulder = ik.body.places[int(ik.body.columns("left_arm")[0]) - BASE + 2]
    across = np.cross(wrist - shoulder, elbow - shoulder)
    across *= np.sign(across[1]) / np.linalg.norm(across)
    tasks.elbow_goals = tasks.elbow_places + np.stack([0.04 * across, np.zeros(3)])
    tasks.elbow_hints = [True, False]
    for _ in range(144):
        ik.step(DT)
    moved = (tasks.elbow_places[0] - elbow) @ across
    assert moved > 0.01
    assert np.linalg.norm(tasks.places[0] - wrist) < 2e-3


@pytest.mark.parametrize("rate", [45.0, 72.0, 90.0, 120.0])
def test_the_rate_does_not_change_where_it_goes(rate: float) -> None:
    """The same motion at another rate: the wrists arrive, within 1 mm and 5 mrad."""
    ik = anchored(SPECS["g1_dex3"], np.array(SPECS["g1_dex3"].home))
    base = ik.tasks.places[WRISTS].copy()
    frames = int(rate)
    for i in range(int(1.5 * rate)):
        share = 0.5 - 0.5 * np.cos(np.pi * min(1.0, i / frames))
        ik.tasks.goal_places[WRISTS] = base + share * np.array([[0.05, 0.05, 0.1], [0.1, 0.0, 0.1]])
        step = ik.step(1.0 / rate)
    assert max(step.position_error) < 1e-3
    assert max(step.turn_error) < 5e-3


@given(robots, seeds)
@settings(max_examples=15, deadline=None)
def test_it_begins_at_the_measured_joints_within_limits(robot: str, seed: int) -> None:
    """Anchored a little beyond a limit, it begins at the limit, at rest, and moves on from there
    within all limits; elsewhere exactly at what was measured."""
    spec, rng = SPECS[robot], np.random.default_rng(seed)
    joints = posture(spec, rng, 0.4)
    beyond = rng.random(spec.size) < 0.1
    joints = np.where(beyond, spec.upper + 0.01, joints)
    ik = anchored(spec, joints)
    moving = ik.body.moving
    assert np.array_equal(ik.body.joints, np.minimum(joints, spec.upper)[moving])
    assert not ik.speed.any()
    before = ik.body.joints.copy()
    ik.tasks.goal_places[WRISTS] += 0.02
    assert ik.step(DT).reason == ""
    most = spec.acceleration[moving] * DT**2
    assert np.all(np.abs(ik.body.joints - before) <= most * (1 + 1e-9))


def test_a_still_operator_has_a_still_robot() -> None:
    """With goals that rest nothing drifts, not to the rest posture either, for ten seconds."""
    spec = SPECS["g1_dex3"]
    ik = anchored(spec, np.array(spec.home))
    before = ik.body.q.copy()
    for _ in range(720):
        ik.step(DT)
    assert np.abs(ik.body.q - before).max() < 1e-9


def test_the_elbows_come_to_rest_as_the_hands_move() -> None:
    """A hand that goes to and fro leaves the arm nearer to the profile's rest posture."""
    spec = SPECS["g1_dex3"]
    joints = np.array(spec.resting)
    joints[spec.index("left_shoulder_roll_joint")] += 0.5
    joints[spec.index("left_shoulder_yaw_joint")] -= 0.5
    ik = anchored(spec, joints)
    rest = spec.resting[ik.body.moving]
    off = np.linalg.norm(ik.body.joints - rest)
    base = ik.tasks.places[0].copy()
    for i in range(720):
        ik.tasks.goal_places[0] = base + 0.05 * np.sin(2 * np.pi * i / 72) * np.array([1, 0, 0])
        ik.step(DT)
    assert np.linalg.norm(ik.body.joints - rest) < 0.9 * off


@given(st.floats(-0.02, 0.02), st.floats(-0.04, 0.04), st.floats(-0.04, 0.04))
def test_a_swaying_head_moves_no_body(up: float, forward: float, left: float) -> None:
    """Within the deadbands the bend is exactly none."""
    trunk = Trunk(0.74)
    for sign in (1.0, -1.0):
        trunk.see(sign * forward, sign * left, sign * up)
        for _ in range(10):
            assert trunk.step(DT) == Bend()


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.5, 0.5), st.floats(0.5, 1.3))
@settings(max_examples=50, deadline=None)
def test_the_body_follows_the_head_gently_and_within_bounds(
    forward: float, left: float, up: float, scale: float
) -> None:
    """However far and suddenly the head goes, height and lean stay bounded, and so do their
    speeds and accelerations."""
    trunk, last, speed = Trunk(0.74), Bend(), np.zeros(3)
    trunk.see(forward, left, up, scale)
    for _ in range(150):
        bend = trunk.step(DT)
        now = (np.array([bend.height, bend.pitch, bend.roll])
               - [last.height, last.pitch, last.roll]) / DT  # fmt: skip
        assert np.all(np.abs(now) <= np.array([0.3, 0.8, 0.8]) + 1e-9)
        assert np.all(np.abs(now - speed) <= np.array([1.0, 2.0, 2.0]) * DT + 0.02)
        assert -0.35 * 0.74 - 1e-9 <= bend.height <= 0.02 + 1e-9
        assert -0.15 - 1e-9 <= bend.pitch <= 0.5 + 1e-9
        assert abs(bend.roll) <= 0.2 + 1e-9
        last, speed = bend, now


def test_a_bow_is_no_squat() -> None:
    """A person who bows lowers the head by leaning; the robot leans and keeps its height."""
    trunk = Trunk(0.74)
    for i in range(150):
        lean = 0.5 * min(1.0, i / 72)
        trunk.see(0.65 * np.sin(lean), 0.0, -0.65 * (1.0 - np.cos(lean)))
        bend = trunk.step(DT)
    assert bend.pitch > 0.35
    assert abs(bend.height) < 0.01
