"""How a robot's body follows the operator's head: squat and lean.

Where the head is, seen from where it was at the first squeeze, in the robot's axes:

- forward or sideways by x: the operator leans by asin(x / L), with L from the hips to the head. The
  robot's torso leans as much.
- down by z, beyond what leaning lowers the head, L (1 - cos lean): the operator squats. The robot's
  pelvis goes down as much, times the scale of the operator's calibration.

People never hold their heads still, and each motion of the pelvis moves every joint of the legs. So
both have a deadband, beyond which the robot follows without a step; both are followed at a gentle
pace, and no farther than the robot's balance bears.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rove_teleop.retarget.body.approach import Pace

HIPS_TO_HEAD = 0.65  # m; of people 0.6-0.75, and the lean of those hardly differs
# Sway of a person who stands and works with the hands: 2 cm up and down, 4 cm to the sides.
DEADBAND_HEIGHT, DEADBAND_LEAN = 0.03, 0.05  # m
MOST_FORWARD, MOST_BACK, MOST_ASIDE = 0.5, 0.15, 0.2  # rad
MOST_UP = 0.02  # m; legs that are nearly straight do not get longer
MOST_DOWN = 0.35  # of the height of the pelvis; thighs level is about half of it
HEIGHT_PACE = Pace(1.0, 0.3)
LEAN_PACE = Pace(2.0, 0.8)
_STILL = [0.0, 0.0, 0.0]
NEAR = 1e-4  # m and rad: there, and slow, it is at the goal


@dataclass(frozen=True)
class Bend:
    """How the robot's body differs from how it stood at the first squeeze.

    Attributes:
        height: m, of the pelvis. pitch, roll: rad, of the torso, forward and to the right.
    """

    height: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


class Trunk:
    """Turns displacements of the operator's head into a bend, smoothly.

    Args:
        pelvis_height: m, of the robot's pelvis above its feet.
    """

    def __init__(self, pelvis_height: float) -> None:
        self._lowest = -MOST_DOWN * pelvis_height
        self._goals = [0.0, 0.0, 0.0]
        self._now = [0.0, 0.0, 0.0]
        self._speeds = [0.0, 0.0, 0.0]
        self._bend = Bend()

    def see(self, forward: float, left: float, up: float, scale: float = 1.0) -> None:
        """Take in where the head is, m, from where it was at the first squeeze.

        Args:
            forward, left, up: in the robot's axes.
            scale: of heights, robot's over operator's.
        """
        pitch, roll = _lean(forward), -_lean(left)
        lowered = HIPS_TO_HEAD * (1.0 - math.cos(pitch) * math.cos(roll))
        height = scale * _beyond(up + lowered, DEADBAND_HEIGHT)
        self._goals = [
            min(max(height, self._lowest), MOST_UP),
            min(max(pitch, -MOST_BACK), MOST_FORWARD),
            min(max(roll, -MOST_ASIDE), MOST_ASIDE),
        ]

    def step(self, dt: float) -> Bend:
        """Return the bend ``dt`` s later."""
        if dt <= 0.0 or (self._now == self._goals and self._speeds == _STILL):
            return self._bend
        for i, pace in enumerate((HEIGHT_PACE, LEAN_PACE, LEAN_PACE)):
            now, goal = self._now[i], self._goals[i]
            if abs(goal - now) < NEAR and abs(self._speeds[i]) < NEAR / dt:
                self._now[i], self._speeds[i] = goal, 0.0
            else:
                self._now[i], self._speeds[i] = pace.towards(now, goal, self._speeds[i], dt)
        self._bend = Bend(*self._now)
        return self._bend


def _lean(offset: float) -> float:
    return math.asin(min(max(_beyond(offset, DEADBAND_LEAN) / HIPS_TO_HEAD, -1.0), 1.0))


def _beyond(value: float, deadband: float) -> float:
    """Return what exceeds a deadband, with the sign of the value."""
    return math.copysign(max(0.0, abs(value) - deadband), value)
