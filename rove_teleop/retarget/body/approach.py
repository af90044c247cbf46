"""How far towards a goal to go in one step: all the way, unless one could not stop there.

A joint that is at its acceleration limit goes past a goal that it approached at full speed, and
swings about it. So what a frame lags behind its goal is made good no faster than it can brake,

    v dt + v^2 / (2 a) <= lag,

and the goal's own motion of this step is added: a goal that moves steadily is followed without lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How fast a lag is made good.

    Attributes:
        braking: a, m/s2 or rad/s2. fastest: m/s or rad/s.
    """

    braking: float
    fastest: float

    def share(self, lag: float, dt: float) -> float:
        """Return the share, 0..1, of a lag (m or rad) that a step of ``dt`` s makes good."""
        if lag < 1e-9:
            return 1.0
        step = self.braking * dt * dt
        way = math.sqrt(step * (step + 2.0 * lag)) - step
        most = self.fastest * dt
        return (way if way < most else most) / lag

    def towards(self, here: float, goal: float, speed: float, dt: float) -> tuple[float, float]:
        """Return place and speed of a number on its way to a goal ``dt`` s later, both bounded."""
        wanted = self.share(abs(goal - here), dt) * (goal - here) / dt
        change = self.braking * dt
        speed = min(max(wanted, speed - change), speed + change)
        return here + speed * dt, speed
