"""The operator's hands take over the robot's: catch, hold, limits, devices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_teleop.retarget.hands.hands import HandInput, Hands
from rove_teleop.retarget.motion_limit import SLOWEST_S, MotionLimit
from rove_teleop.scripted.hand import FIST, OPEN, PINCH, SIDES, between, hand

ROBOTS = ("g1_dex3", "gr1t2_fourier")
DT = 1.0 / 72.0
POSES = {"open": OPEN, "fist": FIST, "pinch": PINCH}


def posture(robot: str, closed: float) -> FloatArray:
    """The (N,) home posture with hands closed by a share."""
    spec = load_robot(robot)
    position = np.array(spec.home)
    for name, start in spec.finger_open.items():
        position[spec.index(name)] = start + closed * (spec.finger_closed[name] - start)
    return np.clip(position, spec.lower, spec.upper)


def seen(pose: tuple) -> dict[str, HandInput]:
    return {s: HandInput(joints=hand(pose, s)) for s in SIDES}


def pulled(trigger: float, grip: float | None = None) -> dict[str, HandInput]:
    return {s: HandInput(trigger=trigger, grip=grip) for s in SIDES}


def engaged(robot: str, closed: float) -> Hands:
    hands = Hands(load_robot(robot))
    for side in SIDES:
        hands.engage(side, posture(robot, closed))
    return hands


@given(
    targets=st.lists(
        st.tuples(st.floats(-2.0, 2.0), st.floats(0.001, 0.08)), min_size=1, max_size=60
    ),
    velocity=st.floats(0.5, 8.0),
    acceleration=st.floats(5.0, 80.0),
)
@settings(deadline=None)
def test_motion_keeps_its_limits(targets: list, velocity: float, acceleration: float) -> None:
    """For any targets and any lengths of the steps: speed and change of speed within the limits,
    and no position beyond the range of start and targets."""
    limit = MotionLimit(np.array([velocity]), np.array([acceleration]))
    limit.start(np.zeros(1))
    low = min(0.0, *(t for t, _ in targets))
    high = max(0.0, *(t for t, _ in targets))
    speed = 0.0
    for target, dt in targets:
        before = float(limit.position[0])
        limit.step(np.array([target]), dt)
        dt = min(dt, SLOWEST_S)
        now = (float(limit.position[0]) - before) / dt
        assert abs(now) <= velocity + 1e-9
        assert abs(now - speed) <= acceleration * dt + 1e-9
        assert low - 1e-9 <= limit.position[0] <= high + 1e-9
        speed = now


@given(
    goal=st.floats(-2.0, 2.0),
    steps=st.lists(st.floats(0.004, 0.05), min_size=10, max_size=20),
)
@settings(deadline=None)
def test_motion_reaches_a_still_target_without_overshoot(goal: float, steps: list[float]) -> None:
    """It ends at the target, and was never beyond it."""
    limit = MotionLimit(np.array([4.0]), np.array([30.0]))
    limit.start(np.zeros(1))
    for i in range(600):
        limit.step(np.array([goal]), steps[i % len(steps)])
        assert abs(limit.position[0]) <= abs(goal) + 1e-9
    assert abs(limit.position[0] - goal) < 1e-6


@pytest.mark.parametrize("robot", ROBOTS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_fingers_keep_the_limits_whatever_the_hands_do(robot: str, data: st.DataObject) -> None:
    """Poses that change from frame to frame, gaps, triggers and gloves in any order: position,
    velocity and acceleration of the profile are kept, from the first frame after the squeeze on."""
    spec = load_robot(robot)
    hands = engaged(robot, data.draw(st.floats(0.0, 1.0)))
    last = {s: posture(robot, 0.0)[hands.indices(s)] for s in SIDES}
    speed: dict[str, FloatArray] = {}
    kinds = st.sampled_from(["open", "fist", "pinch", "gone", "bad", "trigger", "glove"])
    for _ in range(25):
        dt = data.draw(st.floats(0.005, 0.05))
        kind = data.draw(kinds)
        if kind == "trigger":
            given_hands = pulled(data.draw(st.floats(0.0, 1.0)))
        elif kind == "glove":
            value = data.draw(st.floats(-2.0, 2.0))
            given_hands = {s: HandInput(glove=np.full(len(hands.indices(s)), value)) for s in SIDES}
        elif kind == "bad":
            given_hands = {s: HandInput(joints=(math.nan,) * 75) for s in SIDES}
        elif kind == "gone":
            given_hands = pulled(0.0) if data.draw(st.booleans()) else {}
        else:
            given_hands = seen(POSES[kind])
        hands.update(given_hands, dt)
        for side in SIDES:
            fingers, where = hands.follow(side), hands.indices(side)
            if fingers is None:
                speed.pop(side, None)
                continue
            assert (fingers >= spec.lower[where] - 1e-9).all()
            assert (fingers <= spec.upper[where] + 1e-9).all()
            if side in speed:
                now = (fingers - last[side]) / dt
                assert (np.abs(now) <= spec.velocity[where] + 1e-6).all()
                change = np.abs(now - speed[side])
                assert (change <= spec.acceleration[where] * dt + 1e-6).all()
                speed[side] = now
            else:
                speed[side] = hands._limit.speed[hands._hands[side].own]
            last[side] = fingers


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("kind", ["joints", "trigger"])
def test_a_squeeze_does_not_open_a_closed_hand(robot: str, kind: str) -> None:
    """The robot holds something, the operator's hand is open: nothing moves until the operator
    has closed it as far; then it opens with theirs."""
    hands = engaged(robot, 0.9)
    opened, closed = (seen(OPEN), seen(FIST)) if kind == "joints" else (pulled(0.0), pulled(1.0))
    for _ in range(50):
        hands.update(opened, DT)
        assert hands.follow("left") is None
    for _ in range(100):
        hands.update(closed, DT)
    fingers = hands.follow("left")
    assert fingers is not None
    assert hands.closure("left", fingers) > 0.97
    for _ in range(200):
        hands.update(opened, DT)
    fingers = hands.follow("left")
    assert fingers is not None
    assert hands.closure("left", fingers) < 0.15


@pytest.mark.parametrize("robot", ROBOTS)
def test_nothing_jumps_at_the_squeeze(robot: str) -> None:
    """The first posture is at the measured fingers, within one step of acceleration."""
    spec, start = load_robot(robot), posture(robot, 0.2)
    hands = engaged(robot, 0.2)
    hands.update(seen(FIST), DT)
    for side in SIDES:
        fingers, where = hands.follow(side), hands.indices(side)
        assert fingers is not None
        step = np.abs(fingers - start[where])
        assert (step <= spec.acceleration[where] * DT**2 + 1e-9).all()


@pytest.mark.parametrize("gap", [(), (math.nan,) * 75, (0.0,) * 75])
def test_a_hand_that_is_lost_is_held_and_comes_back(gap: tuple) -> None:
    """Missing fingers brake the robot's where they are (a controller's idle trigger does not open
    them), and they go on when the hand is seen again."""
    hands = engaged("g1_dex3", 0.0)
    for share in np.linspace(0.0, 0.8, 60):
        hands.update(seen(between(OPEN, FIST, float(share))), DT)
    for _ in range(40):
        hands.update({s: HandInput(joints=gap) for s in SIDES}, DT)
    held = hands.follow("right")
    assert held is not None
    assert hands.wanted("right") is None
    for _ in range(40):
        hands.update({s: HandInput(joints=gap) for s in SIDES}, DT)
    np.testing.assert_array_equal(hands.follow("right"), held)
    assert hands.closure("right", held) > 0.5
    for _ in range(200):
        hands.update(seen(OPEN), DT)
    fingers = hands.follow("right")
    assert fingers is not None
    assert hands.closure("right", fingers) < 0.15


def test_a_controller_that_is_picked_up_has_to_catch_the_hand() -> None:
    """After seen fingers closed the robot's hand, a trigger moves it only from where it is."""
    hands = engaged("g1_dex3", 0.0)
    for _ in range(100):
        hands.update(seen(FIST), DT)
    for _ in range(50):
        hands.update(pulled(0.2), DT)
        assert hands.follow("left") is None
    hands.update(pulled(1.0), DT)
    assert hands.follow("left") is not None


@pytest.mark.parametrize("robot", ROBOTS)
@given(trigger=st.floats(0.0, 1.0))
@settings(max_examples=10, deadline=None)
def test_a_trigger_goes_along_the_profile(robot: str, trigger: float) -> None:
    """The fingers come to rest between the profile's open and closed hand at the trigger's share;
    a grip takes the fingers other than thumb and index."""
    spec, hands = load_robot(robot), engaged(robot, 0.0)
    for _ in range(150):
        hands.update(pulled(trigger), DT)
    for side in SIDES:
        wanted = posture(robot, trigger)[hands.indices(side)]
        np.testing.assert_allclose(hands.follow(side), wanted, atol=1e-3)
    for _ in range(150):
        hands.update(pulled(trigger, grip=1.0), DT)
    index, middle = (spec.hands["left"].fingers[f].joints[-1] for f in ("index", "middle"))
    fingers, names = hands.follow("left"), spec.groups["left_hand"]
    assert fingers is not None
    for joint, share in ((index, trigger), (middle, 1.0)):
        wanted = posture(robot, share)[spec.index(joint)]
        assert fingers[names.index(joint)] == pytest.approx(wanted, abs=1e-3)


def test_a_glove_moves_joint_by_joint() -> None:
    """Mapped glove joints are taken as they are, moved into the limits."""
    spec, hands = load_robot("g1_dex3"), engaged("g1_dex3", 0.0)
    where = hands.indices("right")
    glove = np.where(np.arange(len(where)) == 4, 0.7, 9.0)
    for _ in range(200):
        hands.update({"right": HandInput(glove=glove)}, DT)
    wanted = np.clip(glove, spec.lower[where], spec.upper[where])
    np.testing.assert_allclose(hands.follow("right"), wanted, atol=1e-3)
    assert hands.follow("left") is None


def test_the_finger_error_tells_how_far_apart_the_hands_are() -> None:
    """NaN when no hand is known, near 0 when both are alike, and it grows on the way from one
    to the other."""
    hands = Hands(load_robot("g1_dex3"))
    assert math.isnan(hands.error(posture("g1_dex3", 0.0)))
    errors = []
    for share in np.linspace(0.0, 1.0, 6):
        hands.update(pulled(float(share)), DT)
        errors.append(hands.error(posture("g1_dex3", 0.0)))
    assert errors[0] < 1e-9
    assert (np.diff(errors) > 0.0).all()
    assert errors[-1] > 0.5
