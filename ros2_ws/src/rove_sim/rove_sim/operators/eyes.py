"""What a simulated person sees of the work: the scene itself, never the robot's pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.operators.sight import Eyes
from rove_sim.tasks.plan import Plan
from rove_sim.world import World


def eyes_of(world: World) -> Eyes:
    """Return what there is to see in a world now."""
    status = world.task.status()
    return Eyes(
        plan=plan_in_pelvis(world),
        tool_in_wrist=world.task.tool_in_wrist(),
        closure=closure_of(world.spec, world.joint_positions()),
        progress=status.progress,
        near_failure=status.near_failure,
        over=status.outcome is not Outcome.UNKNOWN,
    )


def plan_in_pelvis(world: World) -> Plan:
    """Return the task's plan with its poses in the robot's pelvis frame."""
    body = world.data.body(world.spec.frames["pelvis"])
    turn, place = body.xmat.reshape(3, 3), body.xpos
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = turn.T, -turn.T @ place
    return tuple(replace(point, tool=back @ point.tool) for point in world.task.plan())


def closure_of(spec: RobotSpec, position: FloatArray, side: str = "right") -> float:
    """Return how far a hand is closed, 0 open to 1 closed, from (N,) rad measured."""
    shares = []
    for name in spec.groups[f"{side}_hand"]:
        start, end = spec.finger_open[name], spec.finger_closed[name]
        if abs(end - start) > 0.1:  # rad; others only follow
            shares.append((position[spec.index(name)] - start) / (end - start))
    return float(np.clip(np.mean(shares), 0.0, 1.0)) if shares else 0.0
