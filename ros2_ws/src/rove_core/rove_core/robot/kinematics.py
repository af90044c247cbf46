"""Forward kinematics of a URDF in plain numpy: for checks and pictures, not for control loops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot.frame import Frame, pose
from rove_core.robot.urdf import Urdf, UrdfJoint


class Kinematics:
    """Where the links are.

    Args:
        urdf: the robot's model.

    Attributes:
        root: the link that no joint carries.
        order: joints of every type, parents before children.

    Raises:
        ConfigError: the links do not form one tree.
    """

    def __init__(self, urdf: Urdf) -> None:
        carried = {joint.child for joint in urdf.chain}
        roots = sorted(urdf.links - carried)
        if len(roots) != 1:
            raise ConfigError("links that no joint carries", roots, "one root", str(urdf.path))
        self.root = roots[0]
        by_parent: dict[str, list[UrdfJoint]] = {}
        for joint in urdf.chain:
            by_parent.setdefault(joint.parent, []).append(joint)
        self.order: list[UrdfJoint] = []
        open_links = [self.root]
        while open_links:
            joints = by_parent.get(open_links.pop(), [])
            self.order += joints
            open_links += [joint.child for joint in joints]
        if len(self.order) != len(urdf.chain):
            lost = sorted({j.name for j in urdf.chain} - {j.name for j in self.order})
            raise ConfigError("joints off the tree", lost, "one tree of links", str(urdf.path))
        self._fixed = {joint.name: pose(joint.origin, joint.rpy) for joint in self.order}
        self.parent_joint = {joint.child: joint for joint in self.order}

    def links(self, positions: Mapping[str, float]) -> dict[str, FloatArray]:
        """Return link -> (4, 4) pose in the root link's frame.

        Args:
            positions: joint -> rad (or m); joints that are not named stand at 0, mimic joints
                follow theirs.
        """
        return self.move({self.root: np.eye(4)}, self.order, positions)

    def move(
        self,
        poses: Mapping[str, FloatArray],
        joints: Sequence[UrdfJoint],
        positions: Mapping[str, float],
    ) -> dict[str, FloatArray]:
        """Return ``poses`` with the children of some joints where ``positions`` put them.

        Args:
            poses: link -> (4, 4); left alone.
            joints: parents before children.
            positions: as for ``links``.
        """
        moved = dict(poses)
        for joint in joints:
            placed = moved[joint.parent] @ self._fixed[joint.name]
            if joint.kind != "fixed":
                placed = placed @ _motion(joint, _position(joint, positions))
            moved[joint.child] = placed
        return moved

    def chain_to(self, link: str) -> list[UrdfJoint]:
        """Return the joints of every type from the root to a link."""
        joints: list[UrdfJoint] = []
        while link in self.parent_joint:
            joints.append(self.parent_joint[link])
            link = joints[-1].parent
        return joints[::-1]


def frame_pose(frame: Frame, links: Mapping[str, FloatArray]) -> FloatArray:
    """Return the (4, 4) pose of a frame in the frame of ``links``."""
    placed: FloatArray = links[frame.parent] @ frame.in_parent
    return placed


def _position(joint: UrdfJoint, positions: Mapping[str, float]) -> float:
    if joint.mimic is not None and joint.name not in positions:
        other, ratio, offset = joint.mimic
        return ratio * positions.get(other, 0.0) + offset
    return positions.get(joint.name, 0.0)


def _motion(joint: UrdfJoint, value: float) -> FloatArray:
    motion = np.eye(4)
    x, y, z = joint.axis
    if joint.kind == "prismatic":
        motion[:3, 3] = x * value, y * value, z * value
        return motion
    s, c = math.sin(value), math.cos(value)
    k = 1.0 - c
    motion[:3, :3] = [
        [c + x * x * k, x * y * k - z * s, x * z * k + y * s],
        [y * x * k + z * s, c + y * y * k, y * z * k - x * s],
        [z * x * k - y * s, z * y * k + x * s, c + z * z * k],
    ]
    return motion
