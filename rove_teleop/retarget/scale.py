"""How a person's motion is scaled to a robot of another size.

*Height* is always scaled: an operator who squats by a third of their height makes the robot squat
by a third of its own, whatever that is in metres; metre for metre a tall person's small bow would
send a small robot to its knees.

*Reach* is not scaled unless asked for: a hand that moves 10 cm moves the robot's by 10 cm, so that
what the eyes judge on the table is what the hand does. Scaled by the length of the arms, a person
with short arms reaches all that a large robot can, and a large person can do finer work with a
small one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from rove_core.robot import RobotSpec
from rove_teleop.calibration import Calibration
from rove_teleop.retarget.model import SIDES, add_eyes, reduced_model


@dataclass(frozen=True)
class BodySize:
    """Size of a body.

    Attributes:
        eye_height: m, of the eyes of an upright robot above its ankles, or of a person above the
            floor; the robot's feet are some centimetres of it.
        arm: m, shoulder to wrist.
    """

    eye_height: float
    arm: float


@dataclass(frozen=True)
class Scale:
    """The robot's motion over the operator's.

    Attributes:
        height: of the head's height, for the pelvis.
        reach: of the hands' displacements.
    """

    height: float = 1.0
    reach: float = 1.0


def robot_size(spec: RobotSpec) -> BodySize:
    """Return the size of a robot that stands with straight legs and arms at its sides.

    Raises:
        ConfigError: pinocchio cannot read the robot's model.
    """
    model = reduced_model(spec, spec.joint_names)
    eyes = add_eyes(model, spec)
    data = model.createData()
    pin.framesForwardKinematics(model, data, pin.neutral(model))

    def place(frame: str) -> np.ndarray:
        return np.array(data.oMf[model.getFrameId(frame)].translation)

    feet = np.mean([place(spec.frames[f"{side}_foot"]) for side in SIDES], axis=0)
    # The arm hangs from its second joint (roll); the first turns it, the third is along it.
    shoulder = data.oMi[model.getJointId(spec.groups["left_arm"][1])].translation
    elbow, wrist = place(spec.frames["left_elbow"]), place(spec.frames["left_wrist"])
    arm = np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow)
    return BodySize(float(place(eyes)[2] - feet[2]), float(arm))


def scale_of(
    calibration: Calibration | None, robot: BodySize, reach_by_arms: bool = False
) -> Scale:
    """Return how an operator's motion is scaled; 1 for everything when they are not calibrated.

    Args:
        calibration: of the operator.
        robot: its size.
        reach_by_arms: scale the hands' displacements by the lengths of the arms.
    """
    if calibration is None:
        return Scale()
    reach = robot.arm / calibration.arm if reach_by_arms else 1.0
    return Scale(robot.eye_height / calibration.eye_height, reach)
