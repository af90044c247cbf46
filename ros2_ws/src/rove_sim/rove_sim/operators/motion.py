"""How a person's hand moves: smooth reaches, bounded speed, a little tremor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

REACH_SPEED = 0.35  # m/s, mean of an unhurried reach
SHORTEST_REACH_S = 0.6
TREMOR_S = 0.3  # time over which a hand drifts


@dataclass(frozen=True)
class Reach:
    """A minimum-jerk move between two poses (Flash and Hogan 1985): at rest at both ends.

    Attributes:
        start, end: poses in the same frame.
        start_s, duration_s: when it begins and how long it takes, s.
    """

    start: pin.SE3
    end: pin.SE3
    start_s: float
    duration_s: float

    @classmethod
    def plan(cls, start: pin.SE3, end: pin.SE3, now_s: float, speed: float = REACH_SPEED) -> Reach:
        """Return a reach that begins now and takes as long as its distance asks for."""
        distance = float(np.linalg.norm(end.translation - start.translation))
        return cls(start, end, now_s, max(SHORTEST_REACH_S, distance / speed))

    def at(self, now_s: float) -> pin.SE3:
        """Return the pose at a moment; it stays at the ends before and after."""
        t = float(np.clip((now_s - self.start_s) / self.duration_s, 0.0, 1.0))
        share = t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
        place = (1.0 - share) * self.start.translation + share * self.end.translation
        turn = pin.log3(self.start.rotation.T @ self.end.rotation)
        return pin.SE3(self.start.rotation @ pin.exp3(share * turn), place)

    def done(self, now_s: float) -> bool:
        """Tell whether the end is reached."""
        return now_s >= self.start_s + self.duration_s


class Tremor:
    """A hand's unrest: an Ornstein-Uhlenbeck process in position and rotation.

    Args:
        rng: source of chance.
        position, rotation: m and rad, its spread in each axis.
    """

    def __init__(self, rng: np.random.Generator, position: float, rotation: float) -> None:
        self._rng = rng
        self._spread = np.array([position] * 3 + [rotation] * 3)
        self._value = np.zeros(6)

    def step(self, dt: float) -> pin.SE3:
        """Return the displacement after ``dt`` s more, to be applied in the hand's own frame."""
        keep = float(np.exp(-dt / TREMOR_S))
        chance = self._rng.standard_normal(6) * np.sqrt(1.0 - keep**2)
        self._value = keep * self._value + self._spread * chance
        return pin.SE3(pin.exp3(self._value[3:]), self._value[:3])
