"""Bounds of one step that keep position, speed and acceleration, now and for ever after.

A step of x rad in dt seconds means the speed v = x / dt. It must keep

    |v| <= V    and    |v - v_last| <= a dt,

and leave room to brake. Braking at a, whatever the later steps' lengths, takes v^2 / (2 a) at most,
so for a distance S to the position limit

    v dt + v^2 / (2 a) <= S    <=>    v <= sqrt(a^2 dt^2 + 2 a S) - a dt.

From v_last, which kept that, v_last - a dt keeps it again: the bounds never exclude each other.
(Kinematic viability, cf. Flacco et al. 2015, Del Prete 2018; here for steps of any length.)
"""

from __future__ import annotations

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import BASE, Configuration

LONGEST_STEP = 0.05  # s; bounds of longer steps are not right near the end of a joint
USUAL_STEP = 0.0168  # s; 60 Hz
BASE_STEP = 0.05  # m and rad; the pelvis has no motor, this only keeps the problem bounded


class MotionLimits:
    """The bounds of a robot's next displacement.

    Args:
        configuration: its model has the limits of position and speed; the spec those of
            acceleration.

    Attributes:
        last: (nv,) displacement per s of the last step; the joints' speed.
    """

    def __init__(self, configuration: Configuration) -> None:
        n = configuration.size
        self._configuration = configuration
        self._lower, self._upper = configuration.lower, configuration.upper
        self._speed = np.array(configuration.model.velocityLimit[BASE:])
        self._minus_speed = -self._speed
        self._acceleration = configuration.spec.acceleration[configuration.moving]
        # Room of a joint from which on its end does not bound a step, of usual length and longest.
        stop = 0.5 * self._speed**2 / self._acceleration
        self._far = stop + self._speed * USUAL_STEP, stop + self._speed * LONGEST_STEP
        self._twice, self._per_acceleration = 2.0 * self._acceleration, 1.0 / self._acceleration
        self.last: FloatArray = np.zeros(n)
        self._room = np.zeros((2, n - BASE))
        self._low, self._high = np.full(n, -BASE_STEP), np.full(n, BASE_STEP)

    def bounds(self, dt: float) -> tuple[FloatArray, FloatArray]:
        """Return the (nv,) lowest and highest displacement of a step of ``dt`` s, LONGEST_STEP
        at most.

        Both are overwritten by the next call.
        """
        room, low, high = self._room, self._low[BASE:], self._high[BASE:]
        change, last, joints = self._acceleration * dt, self.last[BASE:], self._configuration.joints
        np.subtract(self._upper, joints, room[0])
        np.subtract(joints, self._lower, room[1])
        np.add(last, change, high)
        np.subtract(last, change, low)
        np.minimum(high, self._speed, out=high)
        np.maximum(low, self._minus_speed, out=low)
        if (room < self._far[dt > USUAL_STEP]).any():
            most = np.sqrt(change * change + self._twice * room) - change
            np.minimum(high, most[0], out=high)
            np.maximum(low, -most[1], out=low)
        np.multiply(high, dt, high)
        np.multiply(low, dt, low)
        return self._low, self._high

    def stopping(self, speed: FloatArray) -> float:
        """Return the s in which all joints can stop together from (nv - 6,) rad/s, not negative."""
        return float((speed * self._per_acceleration).max())

    def braking(self, dt: float) -> FloatArray:
        """Return an (nv,) displacement that the bounds allow: the last one, slowed down as all
        joints can slow down together."""
        stopping = max(self.stopping(np.abs(self.last[BASE:])), 1e-9)
        slower: FloatArray = self.last * (dt * max(0.0, 1.0 - dt / stopping))
        slower = np.minimum(np.maximum(slower, self._low), self._high)
        return slower
