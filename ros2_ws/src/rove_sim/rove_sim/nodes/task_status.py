"""What simulated people see of the work, as a message and back."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from geometry_msgs.msg import Pose
from rove_msgs.msg import TaskStatus
from rove_msgs.msg import Waypoint as WaypointMsg

from rove.convert import pose_message, pose_tuple
from rove_core.arrays import FloatArray
from rove_core.vocabulary import Outcome
from rove_sim.operators.eyes import eyes_of
from rove_sim.operators.sight import Eyes
from rove_sim.tasks.plan import Waypoint
from rove_sim.world import World
from rove_teleop.retarget.model import to_pose, to_transform

NUMBERS = ("fingers", "speed", "tolerance", "turn_tolerance", "hold_s", "press", "look")


def task_message(world: World, seed: int) -> TaskStatus:
    """Return what there is to see in a world now; stamp and pace are left to the caller."""
    status, eyes = world.task.status(), eyes_of(world)
    return TaskStatus(
        task=world.task.name,
        instruction=status.instruction,
        seed=seed,
        outcome=int(status.outcome),
        progress=float(status.progress),
        wrong=float(status.damage),
        near_failure=status.near_failure,
        plan=[_waypoint_message(point) for point in eyes.plan],
        tool_in_wrist=_pose(eyes.tool_in_wrist),
        closure=eyes.closure,
    )


def eyes_contract(message: TaskStatus) -> Eyes:
    """Return a message as what a person sees."""
    return Eyes(
        plan=tuple(_waypoint(point) for point in message.plan),
        tool_in_wrist=_matrix(message.tool_in_wrist),
        closure=float(message.closure),
        progress=float(message.progress),
        near_failure=message.near_failure,
        over=message.outcome != Outcome.UNKNOWN,
    )


def _waypoint_message(point: Waypoint) -> WaypointMsg:
    numbers = {name: getattr(point, name) for name in NUMBERS}
    return WaypointMsg(phase=point.phase, tool=_pose(point.tool), **numbers)


def _waypoint(message: WaypointMsg) -> Waypoint:
    numbers = {name: getattr(message, name) for name in NUMBERS}
    return Waypoint(phase=message.phase, tool=_matrix(message.tool), **numbers)


def _pose(matrix: FloatArray) -> Pose:
    return pose_message(to_pose(pin.SE3(np.array(matrix))))


def _matrix(message: Pose) -> FloatArray:
    matrix: FloatArray = to_transform(pose_tuple(message)).homogeneous
    return matrix
