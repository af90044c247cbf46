"""A retargeter in front of a perfect robot, and frames of an operator who stands as it does."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_teleop.retarget.model import KinematicModel, robot_poses, to_pose, to_transform
from rove_teleop.retarget.retargeter import Retargeter, RetargetResult
from rove_teleop.wire.messages import Frame

SPEC = load_robot("g1_dex3")
MODEL = KinematicModel(SPEC)
PERIOD_NS = 13_888_889  # 72 Hz
START_NS = 1_000_000_000
ON_FLOOR = pin.SE3(np.eye(3), np.array([0.4, -0.2, 0.75]))  # the pelvis in the operator's frame
JOINTS = np.array(SPEC.home)
BODY = np.concatenate([SPEC.indices(g) for g in ("waist", "left_arm", "right_arm")])


def frame(position: FloatArray = JOINTS, **change: Any) -> Frame:
    """An operator who stands as the robot does at ``position``, with both hands squeezed."""
    poses = {
        name: to_pose(ON_FLOOR * to_transform(pose))
        for name, pose in vars(robot_poses(MODEL, position)).items()
    }
    fields = {"left_squeeze": 1.0, "right_squeeze": 1.0} | poses | change
    return Frame(sequence=1, lease=1, device_stamp_ns=0, **fields)


def shifted(base: Frame, hand: str, by: FloatArray, turn: FloatArray | None = None) -> Frame:
    """Displace a hand in the operator's frame, m, and turn it in place, rad."""
    pose = to_transform(getattr(base, f"{hand}_wrist"))
    rotation = pose.rotation if turn is None else pin.exp3(turn) @ pose.rotation
    moved = to_pose(pin.SE3(rotation, pose.translation + by))
    return msgspec.structs.replace(base, **{f"{hand}_wrist": moved})


class Run:
    """A retargeter in front of a perfect robot, which is always where it was told to be."""

    def __init__(self, joints: FloatArray = JOINTS) -> None:
        self.retargeter = Retargeter(SPEC)
        self.joints = np.array(joints)
        self.now = START_NS
        self.results: list[RetargetResult] = []

    def show(self, shown: Frame, age_ns: int = 0, step_ns: int = PERIOD_NS) -> RetargetResult:
        self.now += step_ns
        result = self.retargeter.update(shown, self.joints, self.now - age_ns, self.now)
        if result.valid and result.enabled:
            self.joints = np.array(result.position)
        self.results.append(result)
        return result

    def reach(self, start: Frame, end: Frame, frames: int, hand: str = "right") -> RetargetResult:
        """Move a hand evenly from one frame's pose to the other's."""
        a, b = (to_transform(getattr(f, f"{hand}_wrist")) for f in (start, end))
        for i in range(1, frames + 1):
            between = to_pose(pin.SE3.Interpolate(a, b, i / frames))
            result = self.show(msgspec.structs.replace(end, **{f"{hand}_wrist": between}))
        return result


def enabled_run() -> tuple[Run, Frame, FloatArray]:
    """A right hand that was squeezed, moved 3 cm, and rests; the frame, and where the robot is."""
    run = Run()
    start = frame()
    run.show(start)
    end = shifted(start, "right", np.array([0.03, 0.0, 0.0]))
    run.reach(start, end, 10)
    for _ in range(72):
        run.show(end)
    return run, end, run.joints.copy()
