"""How far apart operator and robot are: a continuous measure for the arbiter and for displays.

Each part is compared in a frame that faces forward and has its origin in the head (the operator's
eyes, the robot's), so neither where the operator stands nor how tall they are counts much:

- *hands*: m between the wrists and rad between their orientations, the larger of the tracked hands;
- *head*: rad between the two gazes once both face forward (looking up, down, or tilted);
- *fingers*: rad, root mean square over the joints, see ``Hands.error``.

Hands and head are in general not alike before a squeeze, and need not be: a squeeze sets the
origins. The measure only tells how different the two postures are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.retarget.facing import turn_about_z, yaw_of
from rove_teleop.retarget.model import SIDES, RobotPoses, angle_between, to_transform
from rove_teleop.wire.messages import Frame, Pose

# Errors at which a part alone makes the distance 0.5: what an operator sees as "half there".
HALF_POSITION, HALF_ORIENTATION, HALF_FINGERS, HALF_HEAD = 0.15, 0.6, 0.6, 0.5


@dataclass(frozen=True)
class Alignment:
    """Errors of the parts; NaN where a part is not known.

    Attributes:
        position, orientation: m and rad, of the hands.
        fingers, head: rad.
    """

    position: float = math.nan
    orientation: float = math.nan
    fingers: float = math.nan
    head: float = math.nan

    @property
    def distance(self) -> float:
        """Return 0 where operator and robot are as one to 1 far apart; NaN when nothing is known.

        Continuous and rising in every error: x / (1 + x) of the sum x of squared errors, each over
        the error that counts as half.
        """
        parts = (
            (self.position, HALF_POSITION),
            (self.orientation, HALF_ORIENTATION),
            (self.fingers, HALF_FINGERS),
            (self.head, HALF_HEAD),
        )
        squares = [(error / half) ** 2 for error, half in parts if not math.isnan(error)]
        return sum(squares) / (1.0 + sum(squares)) if squares else math.nan


def alignment(frame: Frame, robot: RobotPoses, fingers: float = math.nan) -> Alignment:
    """Return how far the operator of a frame is from a robot's head and wrists.

    Args:
        frame: its poses are finite, with unit quaternions.
        robot: measured.
        fingers: rad, error of the fingers.
    """
    tracked = [side for side in SIDES if getattr(frame, f"{side}_tracked")]
    if not frame.head_tracked:
        return Alignment(fingers=fingers)
    heads = to_transform(frame.head), to_transform(robot.head)
    facing = turn_about_z(yaw_of(heads[0])).T, turn_about_z(yaw_of(heads[1])).T
    gaze = gaze_apart(*heads)
    if not tracked:
        return Alignment(fingers=fingers, head=gaze)
    position, orientation = wrists_apart(
        [_seen(getattr(frame, f"{side}_wrist"), heads[0], facing[0]) for side in tracked],
        [_seen(getattr(robot, f"{side}_wrist"), heads[1], facing[1]) for side in tracked],
    )
    return Alignment(position, orientation, fingers, gaze)


def gaze_apart(a: pin.SE3, b: pin.SE3) -> float:
    """Return the angle, rad, between two heads once both face forward."""
    facing = [turn_about_z(yaw_of(head)).T @ head.rotation for head in (a, b)]
    return float(np.linalg.norm(pin.log3(facing[0].T @ facing[1])))


def wrists_apart(a: Sequence[pin.SE3], b: Sequence[pin.SE3]) -> tuple[float, float]:
    """Return the largest distance, m, and angle, rad, between poses; NaN when there are none."""
    if not a:
        return math.nan, math.nan
    pairs = list(zip(a, b, strict=True))
    return (
        max(float(np.linalg.norm(x.translation - y.translation)) for x, y in pairs),
        max(angle_between(x, y) for x, y in pairs),
    )


def _seen(wrist: Pose, head: pin.SE3, facing: FloatArray) -> pin.SE3:
    """Return a wrist as its owner's eyes see it when they face forward."""
    pose = to_transform(wrist)
    return pin.SE3(facing @ pose.rotation, facing @ (pose.translation - head.translation))
