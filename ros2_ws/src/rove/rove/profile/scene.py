"""A robot in one posture: links, surfaces, frames and capsules in the frame of its root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rove.profile.meshes import Surface, read_surfaces
from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.robot.kinematics import Kinematics, frame_pose
from rove_core.robot.urdf import read_urdf


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        spec: the robot.
        poses: link -> (4, 4) in the root link's frame.
        surfaces: link -> what it shows.
        distances: (P,) m between the pairs of ``spec.collision``.
        problems: sentences about meshes that could not be read.
    """

    spec: RobotSpec
    poses: Mapping[str, FloatArray]
    surfaces: Mapping[str, Surface]
    distances: FloatArray
    problems: tuple[str, ...]

    @property
    def roles(self) -> list[str]:
        """Return all frames' roles."""
        return [*self.spec.frames, *self.spec.offsets]

    def frame(self, role: str) -> FloatArray:
        """Return the (4, 4) pose of a frame."""
        return frame_pose(self.spec.frame(role), self.poses)


def named(spec: RobotSpec, posture: FloatArray) -> dict[str, float]:
    """Return joint -> rad of an (N,) posture, joints that nobody commands included."""
    return dict(zip(spec.joint_names, posture.tolist(), strict=True)) | dict(spec.fixed)


def make_scene(spec: RobotSpec, posture: FloatArray) -> Scene:
    """Put a robot into an (N,) posture, rad."""
    kinematics = Kinematics(read_urdf(spec.urdf_path))
    poses = kinematics.links(named(spec, posture))
    surfaces, problems = read_surfaces(spec.urdf_path, spec.mesh_root)
    return Scene(spec, poses, surfaces, spec.collision.distances(poses), tuple(problems))


def open_hands(spec: RobotSpec) -> FloatArray:
    """Return (N,) rad: home with open hands."""
    posture = np.array(spec.home)
    for joint, value in spec.finger_open.items():
        posture[spec.index(joint)] = value
    return posture


def closed_hands(spec: RobotSpec) -> FloatArray:
    """Return (N,) rad: home with closed hands."""
    posture = np.array(spec.home)
    for joint, value in spec.finger_closed.items():
        posture[spec.index(joint)] = value
    return posture
