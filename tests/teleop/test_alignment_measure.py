"""How far apart operator and robot are: zero when alike, continuous, blind to where one stands."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_teleop.retarget.alignment import Alignment, alignment
from rove_teleop.retarget.facing import turn_about_z
from rove_teleop.retarget.model import RobotPoses, to_pose, to_transform
from rove_teleop.wire.messages import Frame

small = st.floats(-0.6, 0.6)
vectors = st.tuples(small, small, small)
errors = st.floats(0.0, 3.0)


def pose(place: tuple, turn: tuple) -> tuple:
    return to_pose(pin.SE3(pin.exp3(np.array(turn)), np.array(place)))


poses = st.builds(pose, vectors, vectors)


def frame_of(robot: RobotPoses, body: pin.SE3) -> Frame:
    """An operator who stands exactly as the robot does, somewhere else."""

    def moved(p: tuple) -> tuple:
        return to_pose(body * to_transform(p))

    return Frame(
        sequence=1, lease=0, device_stamp_ns=0, head=moved(robot.head),
        left_wrist=moved(robot.left_wrist), right_wrist=moved(robot.right_wrist),
    )  # fmt: skip


@given(head=poses, left=poses, right=poses, place=vectors, yaw=st.floats(-3.0, 3.0))
def test_alike_is_zero_wherever_the_operator_stands(
    head: tuple, left: tuple, right: tuple, place: tuple, yaw: float
) -> None:
    """The same posture, moved and turned about the vertical, has no error in any part."""
    robot = RobotPoses(head, left, right)
    found = alignment(frame_of(robot, pin.SE3(turn_about_z(yaw), np.array(place))), robot, 0.0)
    assert found.position == pytest.approx(0.0, abs=1e-9)
    assert found.orientation == pytest.approx(0.0, abs=1e-6)
    assert found.head == pytest.approx(0.0, abs=1e-6)
    assert found.distance == pytest.approx(0.0, abs=1e-9)


@given(head=poses, left=poses, right=poses, shift=vectors)
def test_a_moved_hand_is_as_far_as_it_was_moved(
    head: tuple, left: tuple, right: tuple, shift: tuple
) -> None:
    """The error of the hands is the distance of the one that is farther off."""
    robot = RobotPoses(head, left, right)
    frame = frame_of(robot, pin.SE3.Identity())
    moved = (*(a + b for a, b in zip(left[:3], shift, strict=True)), *left[3:])
    found = alignment(msgspec.structs.replace(frame, left_wrist=moved), robot)
    assert found.position == pytest.approx(math.hypot(*shift), abs=1e-9)


@given(pitch=st.floats(-1.2, 1.2))
def test_the_gaze_is_compared(pitch: float) -> None:
    """Who looks down by an angle while the robot looks ahead is off by that angle."""
    still = pose((0.0, 0.0, 0.5), (0.0, 0.0, 0.0))
    robot = RobotPoses(still, still, still)
    frame = msgspec.structs.replace(
        frame_of(robot, pin.SE3.Identity()), head=pose((0.0, 0.0, 0.5), (0.0, pitch, 0.0))
    )
    assert alignment(frame, robot).head == pytest.approx(abs(pitch), abs=1e-6)


@given(a=st.tuples(errors, errors, errors, errors), part=st.integers(0, 3), more=errors)
def test_the_distance_rises_with_every_error_and_without_a_step(
    a: tuple, part: int, more: float
) -> None:
    """0 to 1, never falling when an error grows, and changing less than 10 for each unit of it."""
    b = list(a)
    b[part] += more
    near, far = Alignment(*a).distance, Alignment(*b).distance
    assert 0.0 <= near <= far <= 1.0
    assert far - near <= 10.0 * more + 1e-12


def test_what_is_not_known_does_not_count() -> None:
    """NaN parts are left out; nothing known is NaN."""
    still = pose((0.0, 0.0, 0.5), (0.0, 0.0, 0.0))
    robot = RobotPoses(still, still, still)
    frame = frame_of(robot, pin.SE3.Identity())
    blind = msgspec.structs.replace(frame, head_tracked=False)
    assert math.isnan(alignment(blind, robot).distance)
    assert alignment(blind, robot, 0.6).distance == pytest.approx(0.5)
    lost = msgspec.structs.replace(frame, left_tracked=False, right_tracked=False)
    assert math.isnan(alignment(lost, robot).position)
    assert alignment(lost, robot).head == pytest.approx(0.0)
