"""The whiteboard expert gets its joints from retargeting, and keeps what the arbiter keeps."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.demonstrate import execute
from rove_sim.skilled import WhiteboardExpert
from rove_sim.tasks.workplace import FIST
from rove_sim.tool_ik import JOINT_SPEED, ToolIk
from rove_sim.world import World
from rove_teleop.arbiter.room import Room

PERIOD = 0.05


def make(spec: RobotSpec) -> ToolIk:
    fist = spec.frame(FIST)
    return ToolIk(spec, fist.parent, fist.in_parent, spec.ready)


def test_the_tool_goes_where_it_shall_and_no_faster_than_it_may(spec: RobotSpec) -> None:
    """Law: a goal in reach is reached to a millimetre, no joint ever faster than the limit."""
    ik = make(spec)
    goal = ik.tool_in_pelvis(spec.ready) * pin.SE3(
        pin.exp3(np.array([0.0, 0.2, 0.1])), np.array([0.05, 0.06, 0.04])
    )
    joints = np.array(spec.ready)
    for _ in range(60):
        before = joints[ik.indices]
        joints[ik.indices] = ik.follow(goal, PERIOD)
        assert np.abs(joints[ik.indices] - before).max() <= JOINT_SPEED * PERIOD + 1e-9
    found = ik.tool_in_pelvis(joints)
    assert np.linalg.norm(found.translation - goal.translation) < 1e-3
    assert np.linalg.norm(pin.log3(goal.rotation.T @ found.rotation)) < 5e-3


def test_the_same_goals_give_the_same_joints(spec: RobotSpec) -> None:
    """Law: whatever was asked before a reset is forgotten by it."""
    ik, found = make(spec), []
    goal = ik.tool_in_pelvis(spec.ready) * pin.SE3(np.eye(3), np.array([0.0, 0.05, 0.05]))
    for _ in range(2):
        ik.reset(spec.ready)
        found.append([ik.follow(goal, PERIOD) for _ in range(10)])
        ik.follow(pin.SE3(np.eye(3), np.zeros(3)), PERIOD)
    np.testing.assert_array_equal(found[0], found[1])


def test_a_tool_that_does_not_move_with_the_wrist_is_refused(spec: RobotSpec) -> None:
    with pytest.raises(ConfigError, match="torso_link"):
        ToolIk(spec, "torso_link", np.eye(4), spec.ready)


@pytest.mark.parametrize("seed", [2, 7])
def test_the_expert_keeps_the_robots_room(lab: World, seed: int) -> None:
    """A policy learns what it sees: an expert whose elbow passes the torso nearer than the arbiter
    lets anybody made one that the arbiter held back in every scene."""
    room, expert = Room(lab.spec), WhiteboardExpert(lab)
    lab.reset(seed)
    target, frames = lab.joint_positions(), 0
    expert.reset(target)
    while lab.task.status().outcome is Outcome.UNKNOWN and frames < 120:
        target = execute(lab, target, expert.act(lab.joint_positions()))
        assert room.slack(target).min() > 0.0
        frames += 1
    assert lab.task.status().outcome is Outcome.SUCCESS
