"""The clutch: the operator's displacement since the squeeze moves the robot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.facing import turn_about_z


@dataclass(frozen=True)
class Clutch:
    """The origin of a hand (or head, or elbow): where operator and robot were at the squeeze.

    ``target(wrist)`` is the robot's wrist displaced as the operator's was, each seen by its own
    eyes: with Y the rotation about z from where the robot's head faced to where the operator's did,

        p = p_robot + scale Y' (p_operator - p_operator_0)
        R = Y' R_operator R_operator_0' Y R_robot

    so ``target(operator) == robot`` exactly at the squeeze: the robot never jumps to the operator.

    Attributes:
        operator: wrist in the operator's frame at the squeeze.
        robot: wrist in the robot's floor frame at the squeeze.
        yaw: which way the operator's head faced (about z of the operator's frame) minus which way
            the robot's did (about z of the floor frame), rad.
        scale: of displacements, robot's over operator's.
    """

    operator: pin.SE3
    robot: pin.SE3
    yaw: float
    scale: float = 1.0

    def target(self, wrist: pin.SE3) -> pin.SE3:
        """Return the robot's wrist in the floor frame for a wrist in the operator's frame."""
        body = turn_about_z(self.yaw).T
        moved = self.scale * (body @ (wrist.translation - self.operator.translation))
        turned = body @ wrist.rotation @ self.operator.rotation.T @ body.T
        return pin.SE3(turned @ self.robot.rotation, self.robot.translation + moved)


class Clutches:
    """Clutches of several parts, applied at once.

    Args:
        count: number of parts, K. Those without a clutch map to nonsense.
    """

    def __init__(self, count: int) -> None:
        self._before = np.zeros((count, 3, 3))
        self._after = np.zeros((count, 3, 3))
        self._scaled = np.zeros((count, 3, 3))
        self._offset = np.zeros((count, 3))

    def set(self, part: int, clutch: Clutch) -> None:
        """Give a part its clutch."""
        body, operator = turn_about_z(clutch.yaw).T, clutch.operator
        self._before[part], self._scaled[part] = body, clutch.scale * body
        self._after[part] = operator.rotation.T @ body.T @ clutch.robot.rotation
        moved = self._scaled[part] @ operator.translation
        self._offset[part] = clutch.robot.translation - moved

    def targets(self, places: FloatArray, turns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (k, 3) m and (k, 3, 3), in the floor frame, of the first k parts' places and turns
        in the operator's frame; see ``Clutch.target``."""
        moved, turned = np.empty_like(places), np.empty_like(turns)
        _targets(
            places, turns, self._scaled, self._offset, self._before, self._after, moved, turned
        )
        return moved, turned


@compiled(
    "void(f8[:, ::1], f8[:, :, ::1], f8[:, :, ::1], f8[:, ::1], f8[:, :, ::1], f8[:, :, ::1],"
    "f8[:, ::1], f8[:, :, ::1])"
)
def _targets(
    places: FloatArray,
    turns: FloatArray,
    scaled: FloatArray,
    offset: FloatArray,
    before: FloatArray,
    after: FloatArray,
    moved: FloatArray,
    turned: FloatArray,
) -> None:
    """Fill in (k, 3) m, s Y' p + o, and (k, 3, 3), Y' R A, of (k, 3) m and (k, 3, 3).

    Args:
        scaled, before, after: (K, 3, 3), s Y', Y' and A = R_operator_0' Y R_robot. offset: (K, 3).
    """
    half = np.empty((3, 3))
    for k in range(len(places)):
        for i in range(3):
            moved[k, i] = offset[k, i]
            for j in range(3):
                moved[k, i] += scaled[k, i, j] * places[k, j]
                value = 0.0
                for a in range(3):
                    value += before[k, i, a] * turns[k, a, j]
                half[i, j] = value
        for i in range(3):
            for j in range(3):
                value = 0.0
                for a in range(3):
                    value += half[i, a] * after[k, a, j]
                turned[k, i, j] = value
