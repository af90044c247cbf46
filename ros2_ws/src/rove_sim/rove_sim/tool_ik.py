"""Where the joints go when the right hand's tool shall be somewhere: by retargeting's own body IK.

The whiteboard's expert leads a tool, operators a wrist; both get their joints from
``rove_teleop.retarget.body``, within the same limits and as far from the robot's own body, so that
a policy that learns from either does not ask for what the arbiter must refuse.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_sim.tasks.workplace import SIDE
from rove_teleop.retarget.body.ik import BodyIk
from rove_teleop.retarget.model import KinematicModel

GROUPS = ("waist", f"{SIDE}_arm")
# Far below the drives' own limit: an elbow that swings back within one frame after a disturbance
# is nothing that a policy can learn.
JOINT_SPEED = 2.0  # rad/s
STEPS = 3  # of a call: the solver is made for an operator's rate, not for 20 Hz


class ToolIk:
    """Moves waist and right arm so that a tool follows a goal; the feet stand.

    The reference posture is kept inside, so the result is smooth and does not sag with the load.

    Args:
        spec: the robot.
        link: URDF link that carries the tool and moves with the wrist.
        tool_in_link: the tool frame: (4, 4) pose, or (3,) m of an origin with the link's axes.
        rest: (N,) rad, where it starts.

    Attributes:
        indices: where the joints that it moves are in the robot's vectors.

    Raises:
        ConfigError: the link does not move with the wrist.
    """

    def __init__(
        self, spec: RobotSpec, link: str, tool_in_link: FloatArray, rest: FloatArray
    ) -> None:
        calm = replace(spec, velocity=np.minimum(spec.velocity, JOINT_SPEED))
        self._ik, self._model = BodyIk(calm), KinematicModel(spec)
        body = self._ik.body
        wrist_joint, wrist = body.frame(spec.frames[f"{SIDE}_wrist"])
        link_joint, carrier = body.frame(link)
        if link_joint != wrist_joint:
            raise ConfigError("link of the tool", link, f"one that moves with the {SIDE} wrist")
        tool = np.asarray(tool_in_link, dtype=np.float64)
        offset = pin.SE3(tool) if tool.shape == (4, 4) else pin.SE3(np.eye(3), tool)
        self._tool_in_wrist = wrist.actInv(carrier) * offset
        self._wrist_in_tool = self._tool_in_wrist.inverse()
        wanted = np.concatenate([spec.indices(group) for group in GROUPS])
        self._moved = np.flatnonzero(np.isin(body.moving, wanted))
        self.indices = body.moving[self._moved]
        self.reset(rest)

    def reset(self, joints: FloatArray) -> None:
        """Start from (N,) rad; joints outside their limits are taken to the nearest limit."""
        self._ik.anchor(joints[self._ik.body.moving])

    def tool_in_pelvis(self, joints: FloatArray) -> pin.SE3:
        """Return the tool's pose in the pelvis frame for (N,) rad."""
        return self._model.wrists(self._model.q_of(joints))[SIDE] * self._tool_in_wrist

    def follow(self, tool_in_pelvis: pin.SE3, dt: float) -> FloatArray:
        """Return (len(indices),) rad, nearer to the goal by at most ``dt`` s of motion.

        Without a solution the joints stay where they are.
        """
        tasks = self._ik.tasks
        wrist = tasks.names[f"{SIDE}_wrist"]
        goal = self._ik.body.pelvis * tool_in_pelvis * self._wrist_in_tool
        tasks.goal_places[wrist], tasks.goal_turns[wrist] = goal.translation, goal.rotation
        for _ in range(STEPS):
            self._ik.step(dt / STEPS)
        return self._ik.body.joints[self._moved]
