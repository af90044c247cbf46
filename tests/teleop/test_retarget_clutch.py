"""The clutch: nothing jumps at the squeeze, and motion is mapped as a body would see it."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_teleop.retarget.clutch import Clutch, Clutches
from rove_teleop.retarget.facing import turn_about_z, yaw_of

coordinate = st.floats(-2.0, 2.0)
angle = st.floats(-3.0, 3.0)


@st.composite
def transforms(draw: st.DrawFn) -> pin.SE3:
    turn = np.array([draw(st.floats(-1.7, 1.7)) for _ in range(3)])
    return pin.SE3(pin.exp3(turn), np.array([draw(coordinate) for _ in range(3)]))


def same(a: pin.SE3, b: pin.SE3) -> bool:
    return bool(np.allclose(a.homogeneous, b.homogeneous, atol=1e-9))


@given(transforms(), transforms(), angle)
def test_the_step_at_the_squeeze_is_zero(operator: pin.SE3, robot: pin.SE3, yaw: float) -> None:
    """A wrist that did not move since the squeeze leaves the robot exactly where it was."""
    assert same(Clutch(operator, robot, yaw).target(operator), robot)


@given(transforms(), transforms(), transforms(), angle, angle, coordinate, coordinate)
def test_where_the_operator_stands_does_not_matter(
    start: pin.SE3, moved: pin.SE3, robot: pin.SE3, yaw: float, turn: float, x: float, y: float
) -> None:
    """Walking elsewhere and facing another way, with the same motion of the body, gives the same
    target: only the motion seen from the body counts."""
    place = pin.SE3(turn_about_z(turn), np.array([x, y, 0.3]))
    there = Clutch(place * start, robot, yaw + turn).target(place * moved)
    assert same(Clutch(start, robot, yaw).target(moved), there)


def test_forward_stays_forward() -> None:
    """An operator who faces left (yaw 90 degrees) and pushes the hand forward, which is +y of the
    room, pushes the robot's hand along +x of the pelvis."""
    operator, robot = pin.SE3(np.eye(3), np.array([1.0, 1.0, 1.0])), pin.SE3.Identity()
    clutch = Clutch(operator, robot, np.pi / 2)
    ahead = pin.SE3(np.eye(3), np.array([1.0, 1.2, 1.0]))
    assert clutch.target(ahead).translation == pytest.approx([0.2, 0.0, 0.0], abs=1e-12)


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-0.3, 0.3))
def test_yaw_does_not_depend_on_looking_down(yaw: float, pitch: float, roll: float) -> None:
    """Looking at one's hands or at the sky changes the yaw not at all, a tilted head little."""
    level = turn_about_z(yaw) @ pin.exp3(np.array([0.0, pitch, 0.0]))
    assert np.cos(yaw_of(pin.SE3(level, np.zeros(3))) - yaw) == pytest.approx(1.0)
    tilted = level @ pin.exp3(np.array([roll, 0.0, 0.0]))
    assert np.cos(yaw_of(pin.SE3(tilted, np.zeros(3))) - yaw) > np.cos(0.35)


@given(st.lists(transforms(), min_size=9, max_size=9), st.lists(angle, min_size=3, max_size=3))
def test_clutches_together_are_clutches_one_by_one(poses: list[pin.SE3], yaws: list[float]) -> None:
    """What is computed for all parts at once is what each clutch says, scales included."""
    operators, robots, now = poses[:3], poses[3:6], poses[6:]
    together = Clutches(5)
    each = [
        Clutch(operator, robot, yaw, scale)
        for operator, robot, yaw, scale in zip(
            operators, robots, yaws, (1.0, 0.7, 1.3), strict=True
        )
    ]
    for part, clutch in enumerate(each):
        together.set(part, clutch)
    places, turns = together.targets(
        np.array([pose.translation for pose in now]), np.array([pose.rotation for pose in now])
    )
    for clutch, pose, place, turn in zip(each, now, places, turns, strict=True):
        assert same(pin.SE3(turn, place), clutch.target(pose))


@given(transforms(), transforms(), transforms(), angle, st.floats(0.3, 2.0))
def test_reach_is_scaled_and_turning_is_not(
    operator: pin.SE3, robot: pin.SE3, now: pin.SE3, yaw: float, scale: float
) -> None:
    """With a scale the robot's wrist goes that much farther, and turns as the operator's does."""
    plain, scaled = (Clutch(operator, robot, yaw, s).target(now) for s in (1.0, scale))
    way = plain.translation - robot.translation
    assert scaled.translation - robot.translation == pytest.approx(scale * way, abs=1e-9)
    assert scaled.rotation == pytest.approx(plain.rotation)
