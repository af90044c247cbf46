"""What a person does with an eraser in the hand: where the felt shall go next."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_sim.expert import felt_goal
from rove_sim.operators.motion import Glide
from rove_sim.tasks.erase_whiteboard import AIR_SPEED
from rove_sim.tasks.workplace import FIST
from rove_teleop.retarget.model import KinematicModel

# Axes of the board in the pelvis frame: x to the robot's right, y up, z towards the robot. A
# person sees that the board stands upright in front of the robot; a lean of some degrees is noise.
BOARD_AXES = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
LEASH = 0.05  # m that the wish may run ahead of the felt; a robot that is slow is waited for
PATIENCE_S = 2.0  # without ink vanishing while the felt is on the board; then it presses harder
HARDER, HARDEST = 0.004, 0.016  # m deeper each time, and at most
CORRECTION_RATE, CORRECTION_MOST = 0.8, 0.02  # 1/s and m, of the felt's offset along the board
BACK_OFF, PROBE = 0.03, 0.012  # m off the board, and to and fro, while getting used to the robot
RETREAT = 0.08  # m off the board before handing back


def eraser_in_wrist(spec: RobotSpec) -> FloatArray:
    """Return the (4, 4) pose of the felt's face in the right wrist's frame; x leaves the face."""
    model = KinematicModel(spec)
    wrist = model.wrists(model.q_of(spec.home))["right"]
    fist = spec.frame(FIST)
    hand = model.link_in_pelvis(fist.parent)
    face: FloatArray = wrist.actInv(hand * pin.SE3(fist.in_parent)).homogeneous
    return face


class Wiping:
    """Wishes for the felt from what is seen; one instance for each time the hand is followed.

    The wish is a place of the felt in the pelvis frame; the felt always looks into the board.

    Args:
        felt: pose of the felt's face in the pelvis frame where it begins.
        now_s: when, s.
        speed: share of the usual speeds; a clumsy person is slower.
    """

    def __init__(self, felt: pin.SE3, now_s: float, speed: float = 1.0) -> None:
        self._start = felt.copy()
        self._glide = Glide(felt.translation)
        self._speed = speed
        self._correction = np.zeros(3)
        self._deeper = 0.0
        self._left: int | None = None  # ink that was seen last
        self._since_s = now_s  # when ink vanished last, or the felt was off the board
        self._retreat: FloatArray | None = None  # where a retreat ends
        self._turned = 0.0  # share of the turn from the start to facing the board

    def probe(self, phase: float, dt: float) -> pin.SE3:
        """Return the wish while getting used to the robot: off the board, a little to and fro.

        Args:
            phase: 0..1 of the time that it takes.
            dt: s since the last wish.
        """
        swing = PROBE * np.sin(4.0 * np.pi * phase) * np.sin(np.pi * phase)
        goal = self._start.translation + BACK_OFF * BOARD_AXES[:, 2] + [0.0, swing, 0.5 * swing]
        return self._wish(goal, 0.1, dt)

    def retreat(self, dt: float) -> tuple[pin.SE3, bool]:
        """Return the wish on its way 8 cm off from where it was at the first call, and whether it
        is there."""
        if self._retreat is None:
            self._retreat = self._glide.place + RETREAT * BOARD_AXES[:, 2]
        wish = self._wish(self._retreat, AIR_SPEED, dt)
        return wish, bool(np.linalg.norm(self._glide.place - self._retreat) < 0.005)

    def wipe(self, felt: pin.SE3, ink: FloatArray, now_s: float, dt: float) -> pin.SE3:
        """Return the wish while wiping.

        Args:
            felt: where the felt is seen, pelvis frame.
            ink: (M, 3) m, what is left, pelvis frame; M >= 1.
            now_s, dt: the present and the time since the last wish, s.
        """
        origin = ink.mean(axis=0)
        seen = (felt.translation - origin) @ BOARD_AXES
        planned = (self._glide.place - origin) @ BOARD_AXES
        goal, speed = felt_goal((ink - origin) @ BOARD_AXES, planned, seen)
        pressing = goal[2] < 0.0
        self._press_harder(len(ink), pressing and planned[2] < 0.0, now_s)
        if pressing:
            goal = goal - [0.0, 0.0, self._deeper]
        gap = planned - seen
        gap[2] = 0.0
        if float(np.linalg.norm(gap)) > LEASH:
            speed = 0.0
        change = BOARD_AXES @ gap * CORRECTION_RATE * dt
        corrected = self._correction + change
        size = float(np.linalg.norm(corrected))
        self._correction = corrected * min(1.0, CORRECTION_MOST / max(size, 1e-9))
        return self._wish(BOARD_AXES @ goal + origin, speed, dt)

    def _press_harder(self, left: int, on_board: bool, now_s: float) -> None:
        if self._left is None or left < self._left:
            self._since_s = now_s
        if not on_board:
            self._since_s = now_s
        elif now_s - self._since_s > PATIENCE_S:
            self._deeper, self._since_s = min(self._deeper + HARDER, HARDEST), now_s
        self._left = left

    def _wish(self, goal: FloatArray, speed: float, dt: float) -> pin.SE3:
        # Turn to face the board within a second; in the pelvis frame that is no rotation at all.
        self._turned = min(1.0, self._turned + dt)
        turn = pin.exp3((1.0 - self._turned) * pin.log3(self._start.rotation))
        place = self._glide.step(goal, self._speed * speed, dt)
        return pin.SE3(turn, place + self._correction)
