"""Tasks of the body: Jacobians against finite differences, zero error at the goal, pacing."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from body_examples import DT, ROBOTS, SPECS, anchored, displaced, posture
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.approach import Pace
from rove_teleop.retarget.body.configuration import Configuration
from rove_teleop.retarget.body.costs import ELBOW, MASS_CENTRE, MASS_CENTRE_M, frame_tasks
from rove_teleop.retarget.body.ik import BodyIk
from rove_teleop.retarget.body.turns import arrays_of, gaze_angle, small_turns, tilt, turn

INSIDE = (1.0, 0.0, -1.0)  # the centre of mass is over the ground
EPS = 1e-6
robots = st.sampled_from(ROBOTS)
seeds = st.integers(0, 2**32 - 1)


def example(robot: str, seed: int) -> BodyIk:
    spec = SPECS[robot]
    return anchored(spec, posture(spec, np.random.default_rng(seed), 0.6))


@given(robots, seeds)
@settings(max_examples=12, deadline=None)
def test_rows_of_frames_are_derivatives(robot: str, seed: int) -> None:
    """Each row is the cost times how its component of the frame's twist changes with each degree of
    freedom, for every task of both robots; the gaze counts the neck only."""
    ik = example(robot, seed)
    tasks, list_ = ik.tasks, frame_tasks(SPECS[robot])
    rows = tasks.rows(DT, 0, INSIDE)[0].copy()
    place, rotation = tasks.places.copy(), tasks.turns.copy()
    cost = np.array([[task.cost, task.turn_cost] for task in list_]).reshape(-1)
    neck = ik.body.columns("head")
    for column in range(ik.body.size):
        ik.body.update(displaced(ik, column, EPS))
        moved = (tasks.places - place) / EPS
        turned = small_turns(tasks.turns @ rotation.transpose(0, 2, 1)) / EPS
        twist = np.stack([moved, turned], axis=1)
        for k, task in enumerate(list_):
            if task.name == "head" and column not in neck:
                twist[k] = 0.0
        ik.body.update(displaced(ik, column, -EPS))
        expected = (twist.reshape(-1) * cost)[np.flatnonzero(cost)]
        assert rows[:, column] == pytest.approx(expected, abs=2e-5)


@given(robots, seeds, st.floats(0.0, 6.28), st.floats(0.001, 0.03))
@settings(max_examples=10, deadline=None)
def test_the_row_of_the_mass_centre_is_a_derivative(
    robot: str, seed: int, angle: float, far: float
) -> None:
    """Beyond an edge, the row is how the centre of mass moves across it, and asks to come back."""
    ik = example(robot, seed)
    x, y = np.cos(angle), np.sin(angle)
    rows, target = ik.tasks.rows(DT, 0, (x, y, far))
    row, wanted = rows[-1].copy(), float(target[-1])
    weight = MASS_CENTRE * min(1.0, far / MASS_CENTRE_M)
    assert wanted == pytest.approx(-weight * far)
    before = ik.body.mass_centre.copy()
    for column in range(ik.body.size):
        ik.body.update(displaced(ik, column, EPS))
        moved = (ik.body.mass_centre - before) / EPS
        ik.body.update(displaced(ik, column, -EPS))
        assert row[column] == pytest.approx(weight * (x * moved[0] + y * moved[1]), abs=2e-5)


@given(robots, seeds)
@settings(max_examples=10, deadline=None)
def test_rows_of_the_elbows_are_derivatives_that_leave_wrists_alone(robot: str, seed: int) -> None:
    """The row is how the elbow moves across the line shoulder-wrist with each joint of its arm; a
    hint along that line asks for nothing."""
    ik = example(robot, seed)
    tasks, body = ik.tasks, ik.body
    elbows = tasks.elbow_places.copy()
    rng = np.random.default_rng(seed)
    tasks.elbow_hints = [True, True]
    tasks.elbow_goals = elbows + rng.normal(0.0, 0.005, (2, 3))
    rows, target = (a[-2:].copy() for a in tasks.rows(DT, 0, INSIDE))
    for side, name in enumerate(("left", "right")):
        arm = body.columns(f"{name}_arm")
        joint = int(arm[0]) - 4
        shoulder, wrist = body.places[joint], tasks.places[tasks.names[f"{name}_wrist"]]
        wrist = body.places[body.frame(SPECS[robot].frames[f"{name}_wrist"])[0]]
        across = np.cross(wrist - shoulder, elbows[side] - shoulder)
        across *= min(1.0, np.linalg.norm(across) / 0.02) / np.linalg.norm(across)
        off = float(np.clip(across @ (tasks.elbow_goals[side] - elbows[side]), -0.02, 0.02))
        assert target[side] == pytest.approx(ELBOW * off, abs=1e-9)
        for column in range(body.size):
            if column not in arm:
                assert rows[side, column] == 0.0
                continue
            body.update(displaced(ik, column, EPS))
            moved = across @ (tasks.elbow_places[side] - elbows[side]) / EPS
            body.update(displaced(ik, column, -EPS))
            assert rows[side, column] == pytest.approx(ELBOW * moved, abs=2e-5)


@given(robots, seeds)
@settings(max_examples=10, deadline=None)
def test_at_the_goal_nothing_is_wanted(robot: str, seed: int) -> None:
    """With every frame at its goal the target of all rows is zero, standing or not."""
    ik = example(robot, seed)
    for first in (0, 18):
        assert np.abs(ik.tasks.rows(DT, first, INSIDE)[1]).max() < 1e-9


@given(robots, seeds)
@settings(max_examples=10, deadline=None)
def test_a_standing_body_has_the_upper_rows(robot: str, seed: int) -> None:
    """Without legs and pelvis the rows are those of the tasks above it, with their columns."""
    ik = example(robot, seed)
    whole = ik.tasks.rows(DT, 0, INSIDE)[0].copy()
    upper = ik.tasks.rows(DT, 18, INSIDE)[0]
    assert np.array_equal(upper, whole[: ik.tasks.upper, 18:])


@given(st.floats(0.5, 20.0), st.floats(0.1, 5.0), st.floats(-1.0, 1.0), seeds)
@settings(max_examples=60, deadline=None)
def test_a_lag_is_made_good_without_overshoot(
    braking: float, fastest: float, start: float, seed: int
) -> None:
    """Followed with bounded acceleration in steps of any length, a goal that rests is reached, the
    speed stays bounded, and it is never passed."""
    rng, pace = np.random.default_rng(seed), Pace(braking, fastest)
    here, speed, spent = start, 0.0, 0.0
    limit = 2.0 * (abs(start) / fastest + 2.0 * np.sqrt(abs(start) / braking) + 0.5)
    while spent < limit:
        dt = float(rng.uniform(0.001, 0.05))
        before = speed
        here, speed = pace.towards(here, 0.0, speed, dt)
        spent += dt
        assert abs(speed) <= fastest + 1e-9
        assert abs(speed - before) <= braking * dt + 1e-9
        assert here * np.sign(start) > -1e-9
    assert abs(here) < 0.02 * abs(start) + 1e-4


@given(st.floats(0.0, 5.0), st.floats(0.0005, 0.05))
def test_the_share_of_a_lag_grows_as_the_lag_shrinks(lag: float, dt: float) -> None:
    """All of nothing, less of more, never more than all."""
    pace = Pace(6.0, 2.0)
    share, of_more = pace.share(lag, dt), pace.share(lag + 0.01, dt)
    assert 0.0 < of_more <= share <= 1.0
    assert pace.share(0.0, dt) == 1.0


quaternions = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(quaternions, quaternions, st.floats(0.2, 5.0))
def test_turns_are_those_of_pinocchio(
    a: tuple[float, ...], b: tuple[float, ...], length: float
) -> None:
    """Matrices of quaternions of any length and sign, and axis times angle, up to half a turn."""
    unit = [np.array(q) / np.linalg.norm(q) for q in (a, b)]
    poses = [[1.0, 2.0, 3.0, *(length * unit[0])], [0.0, 0.0, 0.0, *(-unit[1])]]
    places, turns = arrays_of(poses)
    assert places.tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]
    for q, matrix in zip(unit, turns, strict=True):
        assert matrix == pytest.approx(pin.Quaternion(q).matrix(), abs=1e-9)
    between = turns[0] @ turns[1].T
    x, y, z, angle, _ = turn(between.tolist())
    assert pin.exp3(np.array([x, y, z])) == pytest.approx(between, abs=1e-6)
    assert angle == pytest.approx(np.linalg.norm([x, y, z]), abs=1e-6)


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0), st.floats(-1.0, 1.0), st.floats(-0.5, 0.5))
def test_the_gaze_does_not_know_where_forward_is(
    yaw: float, other: float, pitch: float, roll: float
) -> None:
    """Two heads that look alike but face elsewhere are 0 apart; one that looks down by an angle is
    that angle apart."""
    head = tilt(pitch, roll)
    here, there = (pin.exp3(np.array([0.0, 0.0, y])) @ head for y in (yaw, other))
    assert gaze_angle(here, there) == pytest.approx(0.0, abs=1e-6)
    level = pin.exp3(np.array([0.0, 0.0, other]))
    down = pin.exp3(np.array([0.0, 0.0, yaw])) @ tilt(pitch, 0.0)
    assert gaze_angle(down, level) == pytest.approx(abs(pitch), abs=1e-6)


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_robot_stands_on_its_feet(robot: str) -> None:
    """Wherever the legs are alike, the floor is level under the pelvis and between the feet."""
    spec = SPECS[robot]
    body = Configuration(spec, [spec.frames["left_foot"], spec.frames["right_foot"]])
    assert body.link_places.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert 0.5 < body.pelvis.translation[2] < 1.2
    assert body.pelvis.rotation == pytest.approx(np.eye(3), abs=1e-6)
    left, right = body.link_places
    assert left[1] > 0.0 > right[1]


@pytest.mark.parametrize("robot", ROBOTS)
def test_views_follow_the_configuration(robot: str) -> None:
    """Places and turns that are read from pinocchio's memory are those that it tells."""
    spec = SPECS[robot]
    links = list(spec.frames.values())
    body = Configuration(spec, links)
    rng = np.random.default_rng(1)
    for _ in range(3):
        body.stand(posture(spec, rng)[body.moving])
        for link, place, rotation in zip(links, body.link_places, body.link_turns, strict=True):
            pose = body.pose(link)
            assert np.array_equal(place, pose.translation)
            assert np.array_equal(rotation, pose.rotation)
        free: FloatArray = body.data.J
        assert np.array_equal(body.jacobian, free)
