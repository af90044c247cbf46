"""Joints follow a target with bounded velocity and acceleration and do not overshoot it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled

SLOWEST_S = 0.05  # of a step; a longer gap is bridged in one such step


@compiled("void(f8[::1], f8[::1], f8[::1], f8, f8[::1])")
def fastest_to_stop_at(
    way: FloatArray, velocity: FloatArray, acceleration: FloatArray, dt: float, wanted: FloatArray
) -> None:
    """Fill in the (n,) rad/s of a step of ``dt`` s after which one can still stop at the end of a
    way, (n,) rad, and which goes there in one step where it is short enough; see ``MotionLimit``.
    """
    for j in range(len(way)):
        a = acceleration[j]
        fastest = a * (math.sqrt(dt * dt + 2.0 * abs(way[j]) / a) - dt)
        wanted[j] = math.copysign(min(fastest, velocity[j]), way[j])


@compiled("void(f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8)")
def _step(
    position: FloatArray,
    speed: FloatArray,
    target: FloatArray,
    velocity: FloatArray,
    acceleration: FloatArray,
    dt: float,
) -> None:
    """Move positions, (n,) rad, and speeds, (n,) rad/s, by one step of ``MotionLimit``."""
    wanted = np.empty(len(position))
    fastest_to_stop_at(target - position, velocity, acceleration, dt, wanted)
    for j in range(len(position)):
        change = acceleration[j] * dt
        speed[j] = min(max(wanted[j], speed[j] - change), speed[j] + change)
        position[j] += speed[j] * dt


class MotionLimit:
    """Where joints are on their way to a target. All arrays are (n,).

    The speed of a step is the largest from which the joint can still stop at the target,

        v dt + v^2 / (2 a) <= distance,

    so once a joint moves towards a place it stops there whatever the later steps' lengths are.
    Targets that lie within limits keep the joints within them.

    Args:
        velocity, acceleration: rad/s and rad/s2, the most that a joint may do.

    Attributes:
        position, speed: rad and rad/s, where the joints are now; read only.
    """

    def __init__(self, velocity: FloatArray, acceleration: FloatArray) -> None:
        self._velocity = np.array(velocity, dtype=np.float64)
        self._acceleration = np.array(acceleration, dtype=np.float64)
        self.position: FloatArray = np.zeros_like(self._velocity)
        self.speed: FloatArray = np.zeros_like(self._velocity)

    def start(
        self, position: FloatArray, where: npt.NDArray[np.intp] | slice = slice(None)
    ) -> None:
        """Stand still at a position (of the joints ``where``; all of them by default)."""
        self.position, self.speed = self.position.copy(), self.speed.copy()
        self.position[where] = position
        self.speed[where] = 0.0

    def step(self, target: FloatArray, dt: float) -> FloatArray:
        """Return the position ``dt`` s later on the way to ``target``; both rad."""
        if dt <= 0.0:
            return self.position
        dt = min(dt, SLOWEST_S)
        self.position, self.speed = self.position.copy(), self.speed.copy()
        _step(self.position, self.speed, target, self._velocity, self._acceleration, dt)
        return self.position

    @property
    def stop(self) -> FloatArray:
        """Return the (n,) rad at which the joints come to rest when they brake from now on."""
        ahead: FloatArray = self.position + self.speed * np.abs(self.speed) / (
            2.0 * self._acceleration
        )
        return ahead
