"""Where a robot's head and wrists are, seen from its pelvis, and the model that tells it.

The body's inverse kinematics has a model of its own, with legs and a free pelvis: ``body``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError, RoveError
from rove_core.robot import RobotSpec
from rove_teleop.wire.messages import Pose

POSED_GROUPS = ("waist", "head", "left_arm", "right_arm")  # what lies between pelvis and wrists
EYES = "rove_eyes"  # our frame; no URDF has it
EYES_CAMERA = "ego"
SIDES = ("left", "right")


@dataclass(frozen=True)
class RobotPoses:
    """Where the robot's head and wrists are: poses in the pelvis frame (the operator's ghost)."""

    head: Pose
    left_wrist: Pose
    right_wrist: Pose


def reduced_model(
    spec: RobotSpec, moving: Iterable[str], root: pin.JointModel | None = None
) -> pin.Model:
    """Return pinocchio's model of a robot in which some joints move, with the spec's limits.

    The others stand as at ``spec.home``, those that nobody commands where the profile says.

    Args:
        spec: the robot.
        moving: the joints that move.
        root: the joint that carries the robot; none: it does not move.

    Raises:
        ConfigError: the URDF cannot be read, or a moving joint is not a plain revolute or
            prismatic one.
    """
    try:
        if root is None:
            full = pin.buildModelFromUrdf(str(spec.urdf_path))
        else:
            full = pin.buildModelFromUrdf(str(spec.urdf_path), root)
    except (RuntimeError, ValueError) as error:
        raise ConfigError("URDF", str(spec.urdf_path), f"one pinocchio reads: {error}") from error
    places = dict(zip(spec.joint_names, spec.home, strict=True)) | dict(spec.fixed)
    for joint, (other, ratio, offset) in spec.coupled.items():
        places.setdefault(joint, ratio * places.get(other, 0.0) + offset)
    reference = pin.neutral(full)
    for joint, angle in places.items():
        if full.existJointName(joint):
            reference[full.joints[full.getJointId(joint)].idx_q] = angle
    wanted, first = set(moving), 1 if root is None else 2
    held = [i for i, name in enumerate(full.names) if i >= first and name not in wanted]
    model = pin.buildReducedModel(full, held, reference)
    names = list(model.names)[first:]
    base = 0 if root is None else root.nq
    if model.nq - base != len(names):
        raise ConfigError("moving joints", names, "joints of one coordinate each", spec.name)
    indices = [spec.index(name) for name in names]
    lower, upper = np.array(model.lowerPositionLimit), np.array(model.upperPositionLimit)
    lower[base:], upper[base:] = spec.lower[indices], spec.upper[indices]
    model.lowerPositionLimit, model.upperPositionLimit = lower, upper
    speed = np.array(model.velocityLimit)
    speed[model.nv - len(names) :] = spec.velocity[indices]
    model.velocityLimit = speed
    return model


class KinematicModel:
    """Pinocchio's model of the joints above the pelvis, and the way between its order and the
    spec's.

    A pose of the *head* is that of the eyes: the place of the camera ``ego`` with the axes of the
    link that carries it. The link of the frame ``head`` serves where there is no such camera; on
    the G1 that link's origin lies in the pelvis, so it says nothing about the head.

    Args:
        spec: the robot.
        moving: groups of joints that move, those that the robot has; the others stay at
            ``spec.home`` in this model.

    Attributes:
        spec: the robot.
        model, data: pinocchio's; ``q`` below is a vector of this model, limits are the spec's.
        moving: (nq,) positions in the spec's order of the entries of ``q``.

    Raises:
        ConfigError: see ``reduced_model``.
    """

    def __init__(self, spec: RobotSpec, moving: Sequence[str] = POSED_GROUPS) -> None:
        self.spec = spec
        groups = [spec.groups[group] for group in moving if group in spec.groups]
        self.model = reduced_model(spec, [joint for group in groups for joint in group])
        names = list(self.model.names)[1:]
        self.moving = np.array([spec.index(name) for name in names], dtype=np.intp)
        self.head_frame = add_eyes(self.model, spec)
        self.wrist_frames = {side: spec.frames[f"{side}_wrist"] for side in SIDES}
        self.data = self.model.createData()
        pin.framesForwardKinematics(self.model, self.data, self.q_of(spec.home))
        # Constant: no moving joint lies between the root and the pelvis.
        self.pelvis_in_world = self._placement(spec.frames["pelvis"])

    def q_of(self, position: FloatArray) -> FloatArray:
        """Return (nq,) rad of the moving joints from (N,) rad in the spec's order."""
        q: FloatArray = np.asarray(position, dtype=np.float64)[self.moving]
        return q

    def position_of(self, q: FloatArray, held: FloatArray) -> FloatArray:
        """Return (N,) rad in the spec's order: ``q`` where joints move, else ``held`` (N,)."""
        position = np.array(held, dtype=np.float64)
        position[self.moving] = q
        return position

    def entries_of(self, group: str) -> npt.NDArray[np.bool_]:
        """Return the (nq,) mask of the entries of ``q`` that belong to a group of the spec."""
        return np.isin(self.moving, self.spec.indices(group))

    def wrists(self, q: FloatArray) -> dict[str, pin.SE3]:
        """Return side -> pose of the wrist in the pelvis frame at ``q``."""
        pin.framesForwardKinematics(self.model, self.data, q)
        return {side: self._in_pelvis(frame) for side, frame in self.wrist_frames.items()}

    def head(self, q: FloatArray) -> pin.SE3:
        """Return the pose of the head in the pelvis frame at ``q``."""
        pin.framesForwardKinematics(self.model, self.data, q)
        return self._in_pelvis(self.head_frame)

    def link_in_pelvis(self, link: str) -> pin.SE3:
        """Return the pose of a link of the URDF, in the pelvis frame, where ``wrists`` or ``head``
        was asked last.

        Raises:
            ConfigError: the robot has no such link.
        """
        if not self.model.existFrame(link):
            names = [frame.name for frame in self.model.frames]
            raise ConfigError("link", link, names, f"robot {self.spec.name}")
        return self._in_pelvis(link)

    def poses(self, position: FloatArray) -> RobotPoses:
        """Return head and wrists for (N,) rad in the spec's order."""
        q = self.q_of(position)
        head, wrists = self.head(q), self.wrists(q)
        return RobotPoses(to_pose(head), to_pose(wrists["left"]), to_pose(wrists["right"]))

    def _placement(self, frame: str) -> pin.SE3:
        return self.data.oMf[self.model.getFrameId(frame)].copy()

    def _in_pelvis(self, frame: str) -> pin.SE3:
        return self.pelvis_in_world.actInv(self._placement(frame))


def add_eyes(model: pin.Model, spec: RobotSpec) -> str:
    """Add the frame of the eyes to a model; return its name, or that of the head's link."""
    camera = spec.cameras.get(EYES_CAMERA)
    if camera is None:
        return spec.frames["head"]
    parent = model.frames[model.getFrameId(camera.parent)]
    offset = pin.SE3(np.eye(3), np.array(camera.position))
    model.addFrame(
        pin.Frame(EYES, parent.parentJoint, parent.placement * offset, pin.FrameType.OP_FRAME)
    )
    return EYES


def robot_poses(model: KinematicModel, measured: FloatArray) -> RobotPoses:
    """Return head and wrists in the pelvis frame for (N,) rad, measured (the operator's ghost)."""
    return model.poses(measured)


def to_pose(transform: pin.SE3) -> Pose:
    """Return a transform as ``[x, y, z, qx, qy, qz, qw]``."""
    x, y, z, qx, qy, qz, qw = (float(v) for v in pin.SE3ToXYZQUAT(transform))
    return (x, y, z, qx, qy, qz, qw)


def to_transform(pose: Pose) -> pin.SE3:
    """Return ``[x, y, z, qx, qy, qz, qw]`` as a transform; the quaternion is normalised."""
    quaternion = pin.Quaternion(np.array(pose[3:]))
    quaternion.normalize()
    return pin.SE3(quaternion, np.array(pose[:3]))


def angle_between(a: pin.SE3, b: pin.SE3) -> float:
    """Return the angle of the rotation from ``a`` to ``b``, rad, 0..pi."""
    return float(np.linalg.norm(pin.log3(a.rotation.T @ b.rotation)))


def placements(frames: Sequence[pin.SE3]) -> tuple[FloatArray, FloatArray]:
    """Return views of the rotations, (n, 3, 3), and translations, (n, 3), of pinocchio's frames.

    pinocchio keeps them in one block, but hands them out one by one at 1 us each.

    Raises:
        RoveError: it keeps them otherwise.
    """
    count = len(frames)
    rotation, place = frames[0].rotation, frames[0].translation
    starts = [
        [frames[i].rotation.ctypes.data, frames[i].translation.ctypes.data] for i in range(count)
    ]
    steps = np.diff(np.array(starts), axis=0)
    if not (steps == steps[0, 0]).all():
        raise RoveError("pinocchio keeps frames otherwise than in one evenly spaced block")
    step = int(steps[0, 0])
    rotations = np.lib.stride_tricks.as_strided(rotation, (count, 3, 3), (step, *rotation.strides))
    places = np.lib.stride_tricks.as_strided(place, (count, 3), (step, *place.strides))
    return rotations, places
