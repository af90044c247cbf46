"""Joints on their way to a leader's posture, within limits and without running into themselves.

A leader of other proportions than the robot's, or one whose wearer is slimmer than the robot,
collides where the robot would not, and does not where it would. So the robot's own capsules are
looked at as in ``retarget.body``: a step that would bring a pair below its margin, or would leave
no room to brake before that, gives way to the nearest step that does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.body.avoid import Avoidance
from rove_teleop.retarget.body.collision import Collisions
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.body.limits import LONGEST_STEP, MotionLimits
from rove_teleop.retarget.body.solve import LeastSquares
from rove_teleop.retarget.motion_limit import fastest_to_stop_at

Mask = npt.NDArray[np.bool_]


class GuardedMotion:
    """Moves all joints but those of the hands. Arrays are (N,), in the spec's order.

    Args:
        spec: the robot.

    Attributes:
        position: (N,) rad, where the joints are now; those of the hands as at the start.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self._body = body = Configuration(spec)
        self._limits, self._collisions = MotionLimits(body), Collisions(body)
        self._avoidance = Avoidance(body, self._limits, self._collisions)
        self._velocity = spec.velocity[body.moving]
        self._acceleration = spec.acceleration[body.moving]
        size = body.size - BASE
        # The nearest step to the wanted one: no tasks, each joint weighs the same.
        self._rows, self._target, self._weight = np.zeros((0, size)), np.zeros(0), np.ones(size)
        self.position: FloatArray = np.array(spec.home)
        self._near: FloatArray = self._collisions.start()

    @property
    def stop(self) -> FloatArray:
        """Where the joints come to rest when they brake from now on, (N,) rad."""
        speed = self._limits.last[BASE:]
        ahead: FloatArray = self.position.copy()
        ahead[self._body.moving] += speed * np.abs(speed) / (2.0 * self._acceleration)
        return ahead

    def start(self, position: FloatArray) -> None:
        """Stand still at (N,) rad, moved inside the limits.

        Pairs that are below their margin there may stay so, but come no nearer.
        """
        self.position = position.copy()
        self._limits.last = np.zeros(self._body.size)
        self._place(np.ones(len(position), dtype=bool))

    def restart(self, position: FloatArray, where: Mask) -> None:
        """Have some joints go on from their places of (N,) rad, as fast as they are: one that is
        still braking brakes on."""
        self.position = np.where(where, position, self.position)
        self._place(where)

    def step(self, goal: FloatArray, free: Mask, dt: float) -> FloatArray:
        """Return the (N,) rad ``dt`` s later on the way to a goal within the limits.

        Args:
            goal: (N,) rad.
            free: joints that may move; the others stand still, as they did so far.
            dt: s.
        """
        body, moving = self._body, self._body.moving
        dt = min(dt, LONGEST_STEP)
        way = goal[moving] - body.joints
        wanted = np.empty_like(way)
        fastest_to_stop_at(way, self._velocity, self._acceleration, dt, wanted)
        wanted *= dt
        low, high = (bound[BASE:] for bound in self._limits.bounds(dt))
        still = ~free[moving]
        low[still] = high[still] = wanted[still] = 0.0
        problem = LeastSquares(self._rows, self._target, self._weight, wanted, low, high)
        taken, self._near = self._avoidance.go(problem, wanted.copy(), self._near, dt)
        self._limits.last = taken / dt
        self.position = self.position.copy()
        self.position[moving] = body.joints
        return self.position

    def _place(self, where: Mask) -> None:
        body, q = self._body, self._body.q.copy()
        own = np.flatnonzero(where[body.moving])
        q[BASE_Q + own] = np.clip(self.position[body.moving][own], body.lower[own], body.upper[own])
        body.update(q)
        self.position[body.moving] = body.joints
        self._near = self._collisions.start()
