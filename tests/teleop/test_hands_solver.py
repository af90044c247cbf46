"""Seen hands to robots' hands: limits, likeness, pinch, symmetry, size, continuity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import load_robot
from rove_teleop.retarget.hands.model import HandModel
from rove_teleop.retarget.hands.pinch import RELEASE, RISE_S, Pinches
from rove_teleop.retarget.hands.solver import HandSolver
from rove_teleop.scripted.hand import FIST, OPEN, PINCH, SIDES, between, hand, hand_points, turn

ROBOTS = ("g1_dex3", "gr1t2_fourier")
DT = 1.0 / 72.0
SOLVERS = {robot: HandSolver(load_robot(robot), SIDES) for robot in ROBOTS}

bends = st.lists(st.floats(0.0, 1.6), min_size=12, max_size=12)
thumbs = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
poses = st.builds(lambda b, t: (np.array(b).reshape(4, 3), t), bends, thumbs)


def fresh(robot: str) -> HandSolver:
    """A solver that has seen nothing yet."""
    return HandSolver(load_robot(robot), SIDES)


def settle(solver: HandSolver, pose: tuple, size: float = 1.0, frames: int = 40) -> FloatArray:
    """Show both hands one pose until nothing moves any more; return the tips, (F, 3)."""
    for _ in range(frames):
        assert solver.follow({s: hand(pose, s, size) for s in SIDES}, DT) == SIDES
    return solver.model.tips(solver.q)


def in_palm(model: HandModel, points: FloatArray) -> FloatArray:
    """Points of the fingers, (F, 3), each in its palm's frame."""
    return np.einsum("fji,fj->fi", model.palm, points - model.wrist)


@pytest.mark.parametrize("robot", ROBOTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_columns_are_the_derivative_of_the_tips(robot: str, seed: int) -> None:
    """Each joint moves its own finger's tip by its column and no other, by central differences."""
    model = SOLVERS[robot].model
    q = np.random.default_rng(seed).uniform(-1.5, 1.5, len(model.joints))
    columns = model.columns(model.tips(q)).copy()
    for j, step in enumerate(1e-6 * np.eye(len(q))):
        moved = (model.tips(q + step) - model.tips(q - step)) / 2e-6
        np.testing.assert_allclose(moved[model.finger[j]], columns[:, j], atol=1e-8)
        others = np.arange(len(moved)) != model.finger[j]
        np.testing.assert_allclose(moved[others], 0.0, atol=1e-8)


@pytest.mark.parametrize("robot", ROBOTS)
@given(pose=poses, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_gradient_is_that_of_the_objective(robot: str, pose: tuple, seed: int) -> None:
    """By central differences, where no pinch turns the direction of its tips with the joints."""
    solver = fresh(robot)
    solver.targets.read({s: hand(pose, s) for s in SIDES})
    q = np.random.default_rng(seed).uniform(-1.0, 1.0, len(solver.q))
    _, gradient = solver.objective(q)
    for j, step in enumerate(1e-6 * np.eye(len(q))):
        slope = (solver.objective(q + step)[0] - solver.objective(q - step)[0]) / 2e-6
        assert math.isclose(slope, gradient[j], rel_tol=1e-5, abs_tol=1e-6)


@pytest.mark.parametrize("robot", ROBOTS)
@given(sequence=st.lists(poses, min_size=1, max_size=8), size=st.floats(0.7, 1.3))
@settings(max_examples=25, deadline=None)
def test_every_posture_is_within_the_limits(robot: str, sequence: list, size: float) -> None:
    """Whatever hands are shown, however suddenly: finite, within the profile's limits."""
    solver, spec = SOLVERS[robot], load_robot(robot)
    joints = solver.model.joints
    for pose in sequence:
        solver.follow({s: hand(pose, s, size) for s in SIDES}, DT)
        assert np.isfinite(solver.q).all()
        assert (solver.q >= spec.lower[joints]).all()
        assert (solver.q <= spec.upper[joints]).all()


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_open_hand_opens_and_a_fist_closes(robot: str) -> None:
    """Stretched fingers give the profile's open posture within 0.1 rad (thumbs, which are built
    unlike a person's, within 0.25), a fist gives the closed one within 0.01 rad."""
    solver, spec = fresh(robot), load_robot(robot)
    names = [spec.joint_names[j] for j in solver.model.joints]
    thumb = np.array([solver.model.names[f][1] == "thumb" for f in solver.model.finger])
    for pose, table, near in (
        (OPEN, spec.finger_open, np.where(thumb, 0.25, 0.1)),
        (FIST, spec.finger_closed, np.where(thumb, 0.05, 0.01)),
    ):
        settle(solver, pose)
        wanted = solver.inside(np.array([table[name] for name in names]))
        off = np.abs(solver.q - wanted)
        assert (off <= near).all(), dict(zip(names, off.round(3), strict=True))


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("size", [0.8, 1.0, 1.2])
def test_a_pinch_closes_the_tips(robot: str, size: float) -> None:
    """The person's thumb and index 26 mm apart (5 mm of skin on each) bring the robot's to the
    profile's contact distance within 2 mm, and the other fingers stay open."""
    solver, spec = fresh(robot), load_robot(robot)
    settle(solver, OPEN, size)
    tips = settle(solver, PINCH, size)
    number = {name: i for i, name in enumerate(solver.model.names)}
    for side in SIDES:
        pinch = spec.hands[side].pinches[0]
        assert pinch.fingers == ("thumb", "index")
        apart = tips[number[side, "thumb"]] - tips[number[side, "index"]]
        assert np.linalg.norm(apart) < pinch.contact + 0.002
        assert solver.targets.closure[number[side, "middle"]] < 0.1
    settle(solver, OPEN, size)
    assert not solver.pinches.active


def test_a_pinch_has_hysteresis_and_rises_smoothly() -> None:
    """It begins below its distance, ends above RELEASE times that, and never changes by more than
    its rate, whatever the distances are."""
    pinches, before = Pinches([0.05]), 0.0
    distances = [0.06, 0.049, *[0.06] * 10, 0.074, *[0.076] * 10, 0.06]
    shares = []
    for distance in distances:
        pinches.update([distance**2], DT)
        assert abs(pinches.share[0] - before) <= DT / RISE_S + 1e-12
        before = pinches.share[0]
        shares.append(before)
    assert shares[0] == 0.0
    assert shares[1] > 0.0
    assert shares[12] == 1.0  # 0.074 is beyond where it began, within RELEASE times that
    assert 0.05 * RELEASE < 0.076
    assert shares[22] == 0.0
    assert not pinches.active


@pytest.mark.parametrize("robot", ROBOTS)
@given(pose=poses)
@settings(max_examples=10, deadline=None)
def test_left_is_the_mirror_image_of_right(robot: str, pose: tuple) -> None:
    """A mirrored hand gives mirrored tips; within 6 mm where the robot's own hands differ (the
    Fourier's thumbs do by 2 mm)."""
    solver = fresh(robot)
    tips = in_palm(solver.model, settle(solver, pose))
    half = len(tips) // 2
    near = 1e-6 if robot == "g1_dex3" else 6e-3
    np.testing.assert_allclose(tips[:half] * [1.0, -1.0, 1.0], tips[half:], atol=near)


@pytest.mark.parametrize("robot", ROBOTS)
@given(pose=poses, size=st.floats(0.6, 1.5))
@settings(max_examples=10, deadline=None)
def test_the_size_of_the_hand_does_not_matter(robot: str, pose: tuple, size: float) -> None:
    """A child's and a giant's hand in one pose give the same posture."""
    postures = []
    for scale in (1.0, size):
        solver = fresh(robot)
        settle(solver, pose, scale, frames=5)
        postures.append(solver.q)
    np.testing.assert_allclose(postures[0], postures[1], atol=1e-9)


@given(
    pose=poses,
    angles=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    place=st.tuples(*[st.floats(-2.0, 2.0)] * 3),
)
@settings(max_examples=15, deadline=None)
def test_where_the_hand_is_does_not_matter(pose: tuple, angles: tuple, place: tuple) -> None:
    """Any turn and shift of all the joints gives the same posture."""
    rotation = turn(0, angles[0]) @ turn(1, angles[1]) @ turn(2, angles[2])
    postures = []
    for moved in (False, True):
        solver = fresh("g1_dex3")
        for _ in range(3):
            points = {s: hand_points(*pose, side=s) for s in SIDES}
            if moved:
                points = {s: p @ rotation.T + place for s, p in points.items()}
            solver.follow({s: tuple(p.ravel()) for s, p in points.items()}, DT)
        postures.append(solver.q)
    np.testing.assert_allclose(postures[0], postures[1], atol=1e-6)


@pytest.mark.parametrize("robot", ROBOTS)
@given(pose=poses, noise=st.lists(st.floats(-1.0, 1.0), min_size=75, max_size=75))
@settings(max_examples=25, deadline=None)
def test_a_small_change_of_the_hand_is_a_small_change_of_the_posture(
    robot: str, pose: tuple, noise: list[float]
) -> None:
    """Joints that differ by 1 mm at most give postures that differ by less than 0.3 rad in a
    frame, from any state; a pinch that one of the two begins changes little in one frame."""
    solver = SOLVERS[robot]
    settle(solver, between(pose, OPEN, 0.3), frames=3)
    q, shares = solver.q.copy(), list(solver.pinches.share)
    closed = list(solver.pinches._closed)
    results = []
    for amount in (0.0, 1e-3):
        solver.start(q)
        solver.pinches.share[:], solver.pinches._closed[:] = shares, closed
        shown = {
            s: tuple(v + amount * n for v, n in zip(hand(pose, s), noise, strict=True))
            for s in SIDES
        }
        solver.follow(shown, DT)
        results.append(solver.q)
    assert np.abs(results[0] - results[1]).max() < 0.3


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize(("goal", "reversals"), [(FIST, 30), (PINCH, 2)])
def test_a_steady_motion_gives_a_steady_motion(robot: str, goal: tuple, reversals: int) -> None:
    """Closing and opening the hand in a second each, no joint moves more than 0.2 rad in a frame,
    and hardly one goes to and fro by 0.03 rad from frame to frame (a fist begins and ends pinches
    with two fingers on its way, which turns joints at times; the motion limit smooths that)."""
    solver = fresh(robot)
    settle(solver, OPEN)
    path = [solver.q]
    for share in np.concatenate([np.linspace(0.0, 1.0, 72), np.linspace(1.0, 0.0, 72)]):
        solver.follow({s: hand(between(OPEN, goal, float(share)), s) for s in SIDES}, DT)
        path.append(solver.q)
    steps = np.diff(path, axis=0)
    assert 0.02 < np.abs(steps).max() <= 0.2 + 1e-9
    turned = (steps[1:] * steps[:-1] < 0.0) & (np.abs(steps[1:]) > 0.03)
    assert (turned & (np.abs(steps[:-1]) > 0.03)).sum() <= reversals


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: [math.nan, *v[1:]],
        lambda v: [*v[:40], math.inf, *v[41:]],
        lambda v: [*v[:-1], math.nan],
        lambda v: [0.0] * 75,
        lambda v: [3.0 * x for x in v],
        lambda v: v[:72],
        lambda v: [],
    ],
)
def test_what_is_no_hand_is_left_out(spoil) -> None:  # type: ignore[no-untyped-def]
    """Values that are not finite, too few, or no hand's are refused, the other hand goes on, and
    nothing remains of them."""
    solver, spoilt = fresh("g1_dex3"), fresh("g1_dex3")
    good = {s: hand(PINCH, s) for s in SIDES}
    for _ in range(5):
        solver.follow(good, DT)
        spoilt.follow(good, DT)
    bad = {"left": tuple(spoil(list(good["left"]))), "right": good["right"]}
    assert spoilt.follow(bad, DT) == ("right",)
    solver.follow(good, DT)
    assert np.isfinite(spoilt.q).all()
    for _ in range(30):
        solver.follow(good, DT)
        spoilt.follow(good, DT)
    np.testing.assert_allclose(spoilt.q, solver.q, atol=1e-3)


def test_a_hand_that_the_robot_lacks_is_a_clear_error() -> None:
    """The error names what was asked and what there is."""
    with pytest.raises(ConfigError, match=r"third.*left, right"):
        HandSolver(load_robot("g1_dex3"), ["third"])
