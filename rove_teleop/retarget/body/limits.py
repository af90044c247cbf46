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

import math

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import BASE, Configuration
from rove_teleop.retarget.compiled import compiled

LONGEST_STEP = 0.05  # s; bounds of longer steps are not right near the end of a joint
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
        self._acceleration = configuration.spec.acceleration[configuration.moving]
        self._per_acceleration = 1.0 / self._acceleration
        self.last: FloatArray = np.zeros(n)
        self._low, self._high = np.full(n, -BASE_STEP), np.full(n, BASE_STEP)

    def bounds(self, dt: float) -> tuple[FloatArray, FloatArray]:
        """Return the (nv,) lowest and highest displacement of a step of ``dt`` s, LONGEST_STEP
        at most.

        Both are overwritten by the next call.
        """
        _bounds(
            self._configuration.joints, self.last[BASE:], self._lower, self._upper, self._speed,
            self._acceleration, dt, self._low[BASE:], self._high[BASE:],
        )  # fmt: skip
        return self._low, self._high

    def stopping(self, speed: FloatArray) -> float:
        """Return the s in which all joints can stop together from (nv - 6,) rad/s."""
        return _stopping(speed, self._per_acceleration)

    def braking(self, dt: float) -> FloatArray:
        """Return an (nv,) displacement that the bounds allow: the last one, slowed down as all
        joints can slow down together."""
        stopping = max(self.stopping(self.last[BASE:]), 1e-9)
        slower: FloatArray = self.last * (dt * max(0.0, 1.0 - dt / stopping))
        slower = np.minimum(np.maximum(slower, self._low), self._high)
        return slower


@compiled("void(f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8, f8[::1], f8[::1])")
def _bounds(
    joints: FloatArray,
    last: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    speed: FloatArray,
    acceleration: FloatArray,
    dt: float,
    low: FloatArray,
    high: FloatArray,
) -> None:
    """Fill in the bounds of a step, all (nv - 6,): ``low`` and ``high`` in rad.

    Args:
        joints, lower, upper: rad. last, speed: V, rad/s. acceleration: a, rad/s2. dt: s.
    """
    for j in range(len(joints)):
        a = acceleration[j]
        change = a * dt
        up = math.sqrt(change * change + 2.0 * a * (upper[j] - joints[j])) - change
        down = math.sqrt(change * change + 2.0 * a * (joints[j] - lower[j])) - change
        high[j] = min(last[j] + change, speed[j], up) * dt
        low[j] = max(last[j] - change, -speed[j], -down) * dt


@compiled("f8(f8[::1], f8[::1])")
def _stopping(speed: FloatArray, per_acceleration: FloatArray) -> float:
    """Return the s in which all can stop together from (n,) rad/s, with (n,) s2/rad."""
    longest = 0.0
    for j in range(len(speed)):
        longest = max(longest, abs(speed[j]) * per_acceleration[j])
    return longest
