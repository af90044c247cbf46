"""Goes the step that the tasks want, or the nearest one that is safe; see ``collision``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.collision import TOLERANCE, Collisions, missing, most_missing
from rove_teleop.retarget.body.configuration import BASE, Configuration
from rove_teleop.retarget.body.limits import MotionLimits
from rove_teleop.retarget.body.solve import LeastSquares
from rove_teleop.retarget.compiled import compiled

ATTEMPTS = 3  # at a step, each with the walls that the ones before ran into
HESITANT = 0.3  # share of the last attempt that is tried before braking
RETURN = 0.25  # share of what the joints can do to bring a pair back that is below its margin
# The way to rest is looked at in so many places that between two of them a hand that passes the
# trunk comes nearer by less than the reserve. Its length goes with the square of the time to stop:
# in 70 ms an arm at 20 rad/s2 and 0.5 m goes 25 mm, and what is as round as an arm is 2 mm nearer
# in between.
SHORT_STOP_S = 0.07
MOST_LOOKS = 6


@dataclass(frozen=True)
class _View:
    """What a step leads to.

    Attributes:
        free: (P,) m after the step and, where pairs may come near until then, on the way to rest.
        ahead: for each of those, how many steps like this one it is away from the end of this one.
    """

    free: list[FloatArray]
    ahead: list[float]


class Avoidance:
    """Moves a configuration by steps that collide neither now nor when the robot has to stop.

    Args:
        body: the configuration to move.
        limits: its bounds. collisions: its pairs.
    """

    def __init__(self, body: Configuration, limits: MotionLimits, collisions: Collisions) -> None:
        self._body, self._limits, self._collisions = body, limits, collisions
        self._whole = np.zeros(body.size)

    def go(
        self, problem: LeastSquares, step: FloatArray, near: FloatArray, dt: float
    ) -> tuple[FloatArray, FloatArray]:
        """Move the configuration; return (nv,) the step that was taken, and (P,) m what is free
        after it. Both are overwritten by the next call.

        Args:
            problem: whose solution the step is; its variables are the last of the (nv,).
            step: as solved without walls.
            near: (P,) m, free before the step. dt: s.
        """
        start, whole = self._body.q, self._whole
        first = len(whole) - len(step)
        whole[:first] = 0.0
        walls: list[FloatArray] = []
        least: list[FloatArray] = []
        self._stopping = 0.0
        for attempt in range(ATTEMPTS + 2):
            # Exactly within the bounds; the solver keeps them to its own tolerance.
            _within(step, problem.low, problem.high, whole[first:])
            self._body.update(self._body.after(start, whole))
            view = self._look(whole, dt)
            if attempt > ATTEMPTS or all(
                most_missing(near, free) <= TOLERANCE for free in view.free
            ):
                break
            safe = self._limits.braking(dt)[first:]
            if attempt == ATTEMPTS:
                step = safe
            elif attempt < ATTEMPTS - 1:
                self._wall(problem, view, near, step, safe, walls, least)
                step = _between(problem, np.concatenate(walls), np.concatenate(least), safe)
            elif _on_its_way_back(near, np.minimum.reduce(view.free)):
                break
            else:
                step = safe + HESITANT * (step - safe)
        self._collisions.tighten(view.free[0])
        return whole, view.free[0]

    def _look(self, whole: FloatArray, dt: float) -> _View:
        body, collisions = self._body, self._collisions
        turned = whole[BASE:]
        # Not less than in the attempt before, or the walls of that would be too near.
        self._stopping = max(self._stopping, self._limits.stopping(turned) / dt)
        free, ahead = [collisions.look()], [0.0]
        rest = 0.5 * self._stopping / dt
        if collisions.may_meet(free[0], turned, rest):
            looks = min(MOST_LOOKS, math.ceil((self._stopping / SHORT_STOP_S) ** 2))
            ahead += [rest * k / looks for k in range(1, looks + 1)]
            free += [collisions.look_at(body.ahead(whole, far)) for far in ahead[1:]]
        return _View(free, ahead)

    def _wall(
        self,
        problem: LeastSquares,
        view: _View,
        near: FloatArray,
        step: FloatArray,
        safe: FloatArray,
        walls: list[FloatArray],
        least: list[FloatArray],
    ) -> None:
        """Add the walls that a step ran into."""
        body, collisions = self._body, self._collisions
        for free, far in zip(view.free, view.ahead, strict=True):
            lacking = missing(near, free)
            close = np.flatnonzero(lacking > TOLERANCE)
            if not len(close):
                continue
            if far:
                collisions.look_at(body.ahead(self._whole, far))
            wall = (1.0 + far) * collisions.gradients(close, far > 0.0)[:, -len(step) :]
            braking = wall @ safe
            most = np.maximum(wall * problem.low, wall * problem.high).sum(axis=1)
            # Coming back is asked for only as hard as leaves room for the other walls.
            possible = braking + RETURN * np.maximum(most - braking, 0.0)
            walls.append(wall)
            least.append(np.minimum(lacking[close] + wall @ step, possible))


def _between(
    problem: LeastSquares, walls: FloatArray, least: FloatArray, safe: FloatArray
) -> FloatArray:
    """Return the solution between walls; if there is none, between walls that a braking step
    passes; if there is none either, the braking step."""
    step, reason = problem.solve(walls, least)
    if reason:
        step, reason = problem.solve(walls, np.minimum(least, walls @ safe))
    return safe if reason else step


def _on_its_way_back(before: FloatArray, after: FloatArray) -> bool:
    """Tell whether pairs that are too near come no nearer, from (P,) m before and after."""
    return bool(np.all((missing(before, after) <= TOLERANCE) | (after >= before)))


@compiled("void(f8[::1], f8[::1], f8[::1], f8[::1])")
def _within(step: FloatArray, low: FloatArray, high: FloatArray, same: FloatArray) -> None:
    """Move a step, (n,), into its bounds, and fill in the same."""
    for j in range(len(step)):
        same[j] = step[j] = min(max(step[j], low[j]), high[j])
