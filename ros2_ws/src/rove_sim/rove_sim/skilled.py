"""An oracle for tests, benchmarks and pictures: it does a task by its plan and knows the physics.

It is no operator: it sets joints itself, a robot's or, in human videos, a person's. No robot's
demonstration comes from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_sim.arm_ik import ArmIk
from rove_sim.tasks.follow import Follower
from rove_sim.tasks.plan import Plan
from rove_sim.tasks.workplace import SIDE
from rove_sim.trials import PERIOD_S
from rove_sim.world import World


class PlanExpert:
    """Does a task by its plan, from what its physics says.

    Args:
        world: the lab.
        look: returns the plan instead of the task; a mistaken person has another one.
    """

    def __init__(self, world: World, look: Callable[[], Plan] | None = None) -> None:
        self._world, spec = world, world.spec
        rest = world.task.start_posture()
        wrist = spec.frames[f"{SIDE}_wrist"]
        self._ik = ArmIk(spec, wrist, world.task.tool_in_wrist(), rest)
        self._fingers = spec.indices(f"{SIDE}_hand")
        names = [spec.joint_names[i] for i in self._fingers]
        self._open = np.array([spec.finger_open[name] for name in names])
        self._closed = np.array([spec.finger_closed[name] for name in names])
        self.follower = Follower(look or world.task.plan)
        self.reset(world.joint_positions())

    def reset(self, joints: FloatArray) -> None:
        """Start from measured joints, (N,) rad."""
        self._target = np.array(joints)
        self._ik.reset(joints)
        self.follower.restart(0.0)

    def act(
        self, joints: FloatArray, aside: FloatArray | None = None, hand_open: bool = False
    ) -> FloatArray:
        """Return the (N,) rad target for the next 50 ms.

        Args:
            joints: (N,) rad, measured.
            aside: (3,) m in the world, added to where the hand should be: tremor, a wrong move.
            hand_open: the fingers let go, whatever the plan says.
        """
        pelvis = self._world.pelvis
        tool = pelvis @ self._ik.tool_in_pelvis(joints).homogeneous
        goal = self.follower.step(tool, PERIOD_S)
        if aside is not None:
            goal[:3, 3] += aside
        self._target[self._ik.indices] = self._ik.follow(
            pin.SE3(np.linalg.inv(pelvis) @ goal), PERIOD_S
        )
        share = 0.0 if hand_open else self.follower.fingers
        self._target[self._fingers] = self._open + share * (self._closed - self._open)
        return self._target.copy()
