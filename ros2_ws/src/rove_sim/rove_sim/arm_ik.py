"""Inverse kinematics of the right arm and waist for a frame fixed to a link, with pink.

For start postures and for the oracle of tests, benchmarks, pictures and human videos alone: it
drags the arm to one reference posture, so that the same place always gets the same joints.
Nobody drives the robot with it: operators, scripted ones too, drive through
``rove_teleop.retarget``.
"""

from __future__ import annotations

import numpy as np
import pink
import pinocchio as pin
from pink.tasks import FrameTask, PostureTask

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec

GROUPS = ("waist", "right_arm")
POSITION_COST, ORIENTATION_COST = (
    10.0,
    1.0,
)  # 1 cm counts as much as 0.1 rad: the felt must lie flat
# A weak pull to the start posture decides among the arm's many solutions, so that the same
# place always gets the same joints.
POSTURE_COST = 0.05
WAIST_WEIGHT = 10.0  # the waist pulls back this much harder: lean only where the arm is too short
POSTURE_GAIN = 0.3  # share of the way to the rest posture per step; 1 swings the elbow about
DAMPING = 1e-4
# Far below the drives' own limit: the elbow would otherwise swing back to rest within one frame.
JOINT_SPEED = 2.0  # rad/s
ITERATIONS = 2  # Gauss-Newton steps per call; the goal moves less than 2 cm between calls


class ArmIk:
    """Moves waist and right arm so that a tool frame follows a goal; the pelvis is the base.

    The reference posture is kept inside, so the result is smooth and does not sag with the
    load. Feet and legs are not part of it.

    Attributes:
        indices: where the controlled joints are in the robot's vectors.
    """

    def __init__(
        self, spec: RobotSpec, link: str, tool_in_link: FloatArray, rest: FloatArray
    ) -> None:
        """Build the reduced model.

        Args:
            spec: the robot.
            link: URDF link that carries the tool.
            tool_in_link: the tool frame: (4, 4) pose, or (3,) m of an origin with the link's axes.
            rest: (N,) rad, posture of the locked joints and the aim of the posture task.
        """
        full = pin.buildModelFromUrdf(str(spec.urdf_path))
        q = pin.neutral(full)
        for name, value in zip(spec.joint_names, rest, strict=True):
            q[full.joints[full.getJointId(name)].idx_q] = value
        moving = {joint for group in GROUPS for joint in spec.groups[group]}
        locked = [full.getJointId(name) for name in full.names[1:] if name not in moving]
        model = pin.buildReducedModel(full, locked, q)
        carrier = model.frames[model.getFrameId(link)]
        tool = np.asarray(tool_in_link, dtype=np.float64)
        offset = pin.SE3(tool) if tool.shape == (4, 4) else pin.SE3(np.eye(3), tool)
        pose = carrier.placement * offset
        model.addFrame(pin.Frame("tool", carrier.parentJoint, pose, pin.FrameType.OP_FRAME))
        self.indices = np.array([spec.index(name) for name in model.names[1:]])
        model.lowerPositionLimit = spec.lower[self.indices].copy()
        model.upperPositionLimit = spec.upper[self.indices].copy()
        model.velocityLimit = np.minimum(spec.velocity[self.indices], JOINT_SPEED)
        self._model, self._data = model, model.createData()
        self._goal = FrameTask("tool", POSITION_COST, ORIENTATION_COST)
        waist = [name in spec.groups["waist"] for name in model.names[1:]]
        self._posture = PostureTask(
            cost=np.where(waist, WAIST_WEIGHT, 1.0) * POSTURE_COST, gain=POSTURE_GAIN
        )
        self._posture.set_target(rest[self.indices])
        self.reset(rest)

    def reset(self, joints: FloatArray) -> None:
        """Start from (N,) rad; joints outside their limits are taken to the nearest limit."""
        q = np.clip(
            joints[self.indices], self._model.lowerPositionLimit, self._model.upperPositionLimit
        )
        self._configuration = pink.Configuration(self._model, self._data, q)

    def tool_in_pelvis(self, joints: FloatArray) -> pin.SE3:
        """Return the tool's pose in the pelvis frame for (N,) rad."""
        data = self._model.createData()
        pin.framesForwardKinematics(self._model, data, joints[self.indices])
        return data.oMf[self._model.getFrameId("tool")].copy()

    def follow(self, tool_in_pelvis: pin.SE3, dt: float) -> FloatArray:
        """Return (len(indices),) rad, nearer to the goal by at most ``dt`` s of motion."""
        self._goal.set_target(tool_in_pelvis)
        for _ in range(ITERATIONS):
            velocity = pink.solve_ik(
                self._configuration,
                [self._goal, self._posture],
                dt / ITERATIONS,
                solver="daqp",
                damping=DAMPING,
                safety_break=False,
            )
            self._configuration.integrate_inplace(velocity, dt / ITERATIONS)
        return np.array(self._configuration.q)


def posture_at(
    spec: RobotSpec, tool_in_wrist: FloatArray, tool_in_pelvis: FloatArray, rest: FloatArray
) -> FloatArray:
    """Return (N,) rad near ``rest`` (N,) in which the right hand's tool is where it shall be.

    Both poses are (4, 4), m; nearest when it is out of reach.
    """
    ik = ArmIk(spec, spec.frames["right_wrist"], tool_in_wrist, rest)
    posture = np.array(rest)
    for _ in range(100):  # 5 s of motion: farther than any two places of a workplace
        posture[ik.indices] = ik.follow(pin.SE3(tool_in_pelvis), 0.05)
    return posture
