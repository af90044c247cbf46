"""A scripted person who erases the instructed stroke.

It sees what a person would see (the ink that is left, the board) and knows its joints; a policy
never gets the former. Its rule has no phases to remember: what it does follows from the ink that
is left and from where the eraser is, so that a demonstration shows one answer to one picture.
It always erases from the left end to the right: an ambiguous order stalls L1 learning.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_sim.arm_ik import ArmIk
from rove_sim.tasks.erase_whiteboard import (
    AIR_SPEED,
    FELT_HALF,
    HOVER,
    PRESS_DEPTH,
    PRESS_SPEED,
    WIPE_SPEED,
)
from rove_sim.tasks.workplace import FIST

PERIOD_S = 0.05  # one target per 20 Hz frame

ACCELERATION = 2.5  # m/s2
LOOK_AHEAD = 0.05  # m of ink that the height of the felt follows
LOST = 0.08  # m between planned and measured felt from which the plan starts anew
REST_SPEED = 1.0  # rad/s, with which joints that have no part in the work return to rest


class Expert:
    """Erases from the pelvis frame; one call a 20 Hz frame."""

    def __init__(self, spec: RobotSpec, rest: FloatArray) -> None:
        """Args: spec: the robot; rest: (N,) rad, the task's start posture."""
        self._rest = rest.copy()
        fist = spec.frame(FIST)
        self._ik = ArmIk(spec, fist.parent, fist.in_parent, rest)
        self._target = rest.copy()
        self._felt: FloatArray | None = None  # (3,) m planned, board frame
        self._velocity = np.zeros(3)

    def reset(self, joints: FloatArray) -> None:
        """Start from measured joints, (N,) rad."""
        self._target = joints.copy()
        self._felt = None

    def act(self, joints: FloatArray, marks: FloatArray, board: FloatArray) -> FloatArray:
        """Return the (N,) rad target for the next 50 ms.

        Args:
            joints: (N,) rad, measured.
            marks: (M, 3) m, the right ink that is left, in the pelvis frame.
            board: (4, 4), the board frame in the pelvis frame.
        """
        turn, origin = board[:3, :3], board[:3, 3]
        felt = (self._ik.tool_in_pelvis(joints).translation - origin) @ turn
        if self._felt is None or np.linalg.norm(self._felt - felt) > LOST:
            self._felt, self._velocity = felt, np.zeros(3)
            self._ik.reset(joints)
        goal, speed = felt_goal((marks - origin) @ turn, self._felt, felt)
        self._move(goal, speed)
        # The felt's x points into the board and its z up along it.
        facing = np.stack([-turn[:, 2], -turn[:, 0], turn[:, 1]], axis=1)
        self._target += np.clip(
            self._rest - self._target, -REST_SPEED * PERIOD_S, REST_SPEED * PERIOD_S
        )
        self._target[self._ik.indices] = self._ik.follow(
            pin.SE3(facing, turn @ self._felt + origin), PERIOD_S
        )
        return self._target.copy()

    def _move(self, goal: FloatArray, speed: float) -> None:
        """Move the planned felt towards the goal with bounded speed and acceleration."""
        assert self._felt is not None
        way = goal - self._felt
        distance = float(np.linalg.norm(way))
        # The speed from which the goal can still be reached without running past it.
        reachable = min(speed, np.sqrt(2 * 0.7 * ACCELERATION * distance), distance / PERIOD_S)
        wanted = way / max(distance, 1e-9) * reachable
        change = wanted - self._velocity
        size = max(1.0, float(np.linalg.norm(change)) / (ACCELERATION * PERIOD_S))
        self._velocity = self._velocity + change / size
        self._felt = self._felt + self._velocity * PERIOD_S


def felt_goal(
    marks: FloatArray, planned: FloatArray, measured: FloatArray
) -> tuple[FloatArray, float]:
    """Return where the felt should go now, (3,) m in the board frame, and how fast, m/s.

    Args:
        marks: (M, 3) m, the right ink that is left, board frame.
        planned, measured: (3,) m, middle of the felt's face, board frame. The plan runs ahead of
            the felt, which drags on the board.
    """
    if not len(marks):
        return np.array([planned[0], planned[1], 2 * HOVER]), AIR_SPEED
    left = float(marks[:, 0].min())
    near = marks[marks[:, 0] <= left + LOOK_AHEAD, 1]
    height = float(near.min() + near.max()) / 2
    half = float(FELT_HALF[1])
    # Ink to the left of the felt cannot be reached by going right: lift and begin there again.
    covered = -2 * half < measured[0] - left < half and abs(measured[1] - height) < half
    if planned[2] < 0.2 * HOVER and covered:
        return np.array([left + 2 * half, height, -PRESS_DEPTH]), WIPE_SPEED
    start = np.array([left - 0.4 * half, height])
    off = float(np.linalg.norm(planned[:2] - start))
    if off < 0.3 * half:
        return np.array([*start, -PRESS_DEPTH]), PRESS_SPEED
    # Come down like a plane: the nearer, the lower, but never touch before the start.
    return np.array([*start, min(HOVER, 0.015 + 0.5 * off)]), AIR_SPEED
