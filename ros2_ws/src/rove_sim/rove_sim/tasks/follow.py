"""Follows a task's plan: where the tool should be now. Shared by experts and operators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_sim.tasks.plan import Plan, Waypoint

ACCELERATION = 2.5  # m/s2, of an unhurried hand
TURN_SPEED = 1.5  # rad/s
FINGER_SPEED = 2.5  # of the travel from open to closed, 1/s
LOST_M = 0.08  # between goal and measured tool, from which the way starts anew at the tool
# What a person does who sees that the hand is not quite where it should be: add the difference,
# slowly, once the hand should be at rest. Servos sag by a centimetre. At 2 a second an arm at the
# edge of its reach, which a slow waist helps out, swung for ever.
CORRECTION_RATE, CORRECTION_M, CORRECTION_RAD = 1.2, 0.02, 0.1  # 1/s, m, rad
AT_REST = 0.03  # m/s
PATIENCE_S = 3.0  # at a waypoint that is not reached; then it is looked at again


class Follower:
    """Moves a goal along a plan with bounded speed; asks for a new plan where the plan says so.

    Args:
        look: returns the plan from the scene as it is now; empty: nothing left to do.

    Attributes:
        waypoint: the one that is under way, None before the first and after the last.
        fingers: 0 open to 1 closed, now.
    """

    def __init__(self, look: Callable[[], Plan]) -> None:
        self._look = look
        self.waypoint: Waypoint | None = None
        self.fingers = 0.0
        self.restart()

    def restart(self, fingers: float | None = None) -> None:
        """Forget the plan and where the goal is; the next step looks anew."""
        self._rest: list[Waypoint] = []
        self.waypoint = None
        self._goal: FloatArray | None = None
        self._velocity = np.zeros(3)
        self._correction = np.zeros(6)  # of the goal: m, rad, both in the world
        self._held_s = self._waited_s = 0.0
        if fingers is not None:
            self.fingers = fingers

    @property
    def phase(self) -> str:
        """What the work under way is called; empty: none."""
        return self.waypoint.phase if self.waypoint is not None else ""

    def step(self, tool: FloatArray, dt: float) -> FloatArray:
        """Return the (4, 4) world pose the tool should have ``dt`` s from now.

        Args:
            tool: (4, 4), where it is measured.
            dt: s since the last step.
        """
        if self._goal is None or np.linalg.norm(self._goal[:3, 3] - tool[:3, 3]) > LOST_M:
            self._goal, self._velocity = np.array(tool), np.zeros(3)
        if self.waypoint is None:
            self._next()
        if self.waypoint is None:
            return self._goal.copy()
        waypoint = self.waypoint
        self._glide(waypoint, dt)
        self._advance(waypoint, tool, dt)
        return self._corrected(waypoint, tool, dt)

    def _corrected(self, waypoint: Waypoint, tool: FloatArray, dt: float) -> FloatArray:
        goal = self._goal
        assert goal is not None
        if float(np.linalg.norm(self._velocity)) < AT_REST:
            gap = goal[:3, 3] - tool[:3, 3]
            if waypoint.press:  # it never gets there, and is not meant to
                gap = gap - goal[:3, 0] * float(goal[:3, 0] @ gap)
            turn = pin.log3(goal[:3, :3] @ tool[:3, :3].T)
            self._correction += CORRECTION_RATE * dt * np.concatenate([gap, turn])
            for part, most in ((slice(3), CORRECTION_M), (slice(3, 6), CORRECTION_RAD)):
                size = float(np.linalg.norm(self._correction[part]))
                self._correction[part] *= min(1.0, most / max(size, 1e-9))
        wish = goal.copy()
        wish[:3, 3] += self._correction[:3]
        wish[:3, :3] = pin.exp3(self._correction[3:]) @ goal[:3, :3]
        return wish

    def _next(self) -> None:
        again = self.waypoint is None or self.waypoint.look
        if again or not self._rest:
            self._rest = list(self._look())
        self.waypoint = self._rest.pop(0) if self._rest else None
        self._held_s = self._waited_s = 0.0

    def _advance(self, goal: Waypoint, tool: FloatArray, dt: float) -> None:
        assert self._goal is not None
        there = (
            np.linalg.norm(self._goal[:3, 3] - goal.place) < 1e-3 and self.fingers == goal.fingers
        )
        if not there:
            return
        self._waited_s += dt
        reached = goal.reached(tool)
        self._held_s = self._held_s + dt if reached else 0.0
        if reached and self._held_s >= goal.hold_s:
            self._next()
        elif self._waited_s > PATIENCE_S + goal.hold_s:
            self._rest, self.waypoint = [], None

    def _glide(self, goal: Waypoint, dt: float) -> None:
        """Move the goal and the fingers towards the waypoint."""
        assert self._goal is not None
        way = goal.place - self._goal[:3, 3]
        distance = float(np.linalg.norm(way))
        # The speed from which it can still stop at the waypoint.
        speed = min(goal.speed, float(np.sqrt(1.4 * ACCELERATION * distance)), distance / dt)
        change = way / max(distance, 1e-9) * speed - self._velocity
        most = ACCELERATION * dt
        self._velocity = self._velocity + change / max(1.0, float(np.linalg.norm(change)) / most)
        self._goal[:3, 3] += self._velocity * dt
        if np.linalg.norm(goal.place - self._goal[:3, 3]) < 1e-3:
            self._goal[:3, 3], self._velocity = goal.place, np.zeros(3)
        turn = pin.log3(self._goal[:3, :3].T @ goal.tool[:3, :3])
        angle = float(np.linalg.norm(turn))
        part = min(1.0, TURN_SPEED * dt / max(angle, 1e-9))
        self._goal[:3, :3] = self._goal[:3, :3] @ pin.exp3(part * turn)
        most = FINGER_SPEED * dt
        self.fingers += float(np.clip(goal.fingers - self.fingers, -most, most))
