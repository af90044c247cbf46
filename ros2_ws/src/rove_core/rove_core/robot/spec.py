"""RobotSpec: what every part of ROVE needs to know about a robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.digest import digest
from rove_core.errors import ConfigError
from rove_core.robot.collision import CollisionSpec
from rove_core.robot.frame import Frame
from rove_core.robot.hand import HandSpec
from rove_core.robot.workspace import Workspace

# The frames in the digest. Palms, fingertips and elbows serve retargeting alone: what a policy's
# vectors and pictures mean does not hang on them.
BODY_ROLES = (
    "pelvis", "torso", "head", "left_wrist", "right_wrist", "left_foot", "right_foot",
)  # fmt: skip


@dataclass(frozen=True)
class CameraSpec:
    """A camera that the policy may look through.

    Attributes:
        name: used in the topic ``camera/<name>/compressed`` and in a policy's manifest.
        width, height: pixels.
        fovy: vertical field of view, rad.
        parent: URDF link that carries the camera.
        position: (3,) m, in the parent link's frame.
        rpy: (3,) rad, fixed axes, of a frame that looks along its +x axis with +z up.
        rate: Hz, nominal.
    """

    name: str
    width: int
    height: int
    fovy: float
    parent: str
    position: tuple[float, float, float]
    rpy: tuple[float, float, float]
    rate: float


@dataclass(frozen=True)
class RobotSpec:
    """A robot as the contract sees it. Arrays are (N,), in the order of ``joint_names``.

    Attributes:
        name: the profile's name, for example ``g1_dex3``.
        joint_names: the N actuated joints in the order of every vector in ROVE.
        lower, upper: rad, position limits of the URDF moved inwards by the profile's margin.
        velocity, acceleration, jerk: rad/s, rad/s2, rad/s3; what a command may ask for.
        effort: Nm, the URDF's actuator limit.
        home: rad, the posture in which an episode starts.
        groups: name -> joints of that limb.
        frames: role (pelvis, head, left_wrist, left_elbow, ...) -> URDF link.
        finger_open, finger_closed: joint -> rad, the two ends of the trigger's travel.
        cameras: name -> camera.
        urdf_path, mesh_root: the model's files on this machine (not part of the digest).
        offsets: role (left_palm, left_thumb_tip, ...) -> frame that is no link; see ``frame``.
        rest: rad, the posture that inverse kinematics pulls to; ``home`` where none is given.
        ready_posture: rad, where work at a table or board before the robot begins: hands clear of
            it, ``home`` where none is given.
        collision: capsules and the pairs that must stay apart.
        workspace: role of a frame -> box that its origin must not leave.
        hands: left, right -> fingers and pinches; empty for a robot without hands.
        fixed: joint of the URDF that nobody commands -> rad where it stands.
        coupled: joint -> (joint, ratio, offset) that it follows mechanically (a URDF's mimic).
        reasons: entry of the limits (``velocity``, ``velocity.left_arm``) or joint left out -> why.
        warnings: what looks odd in the profile but may be meant so.
    """

    name: str
    joint_names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    velocity: FloatArray
    acceleration: FloatArray
    jerk: FloatArray
    effort: FloatArray
    home: FloatArray
    groups: Mapping[str, tuple[str, ...]]
    frames: Mapping[str, str]
    finger_open: Mapping[str, float]
    finger_closed: Mapping[str, float]
    cameras: Mapping[str, CameraSpec]
    urdf_path: Path
    mesh_root: Path
    offsets: Mapping[str, Frame] = field(default_factory=dict)
    rest: FloatArray | None = None
    ready_posture: FloatArray | None = None
    collision: CollisionSpec = field(default_factory=CollisionSpec)
    workspace: Mapping[str, Workspace] = field(default_factory=dict)
    hands: Mapping[str, HandSpec] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    coupled: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = (len(self.joint_names),)
        for field_name in ("lower", "upper", "velocity", "acceleration", "jerk", "effort", "home"):
            value = frozen_floats(getattr(self, field_name), n, f"robot {self.name}: {field_name}")
            object.__setattr__(self, field_name, value)
        rest = self.home if self.rest is None else self.rest
        object.__setattr__(self, "rest", frozen_floats(rest, n, f"robot {self.name}: rest"))
        ready = self.home if self.ready_posture is None else self.ready_posture
        ready = frozen_floats(ready, n, f"robot {self.name}: ready")
        object.__setattr__(self, "ready_posture", ready)

    @property
    def size(self) -> int:
        """Number of actuated joints, N."""
        return len(self.joint_names)

    @cached_property
    def _position_of(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.joint_names)}

    def index(self, joint: str) -> int:
        """Return the position of a joint in ``joint_names``.

        Raises:
            ConfigError: the robot has no such joint.
        """
        try:
            return self._position_of[joint]
        except KeyError:
            raise ConfigError("joint", joint, self.joint_names, f"robot {self.name}") from None

    def indices(self, group: str) -> npt.NDArray[np.intp]:
        """Return the positions of a group's joints in ``joint_names``.

        Raises:
            ConfigError: the robot has no such group.
        """
        if group not in self.groups:
            raise ConfigError("joint group", group, self.groups, f"robot {self.name}")
        return np.array([self.index(joint) for joint in self.groups[group]], dtype=np.intp)

    def permutation(self, names: Sequence[str], where: str) -> npt.NDArray[np.intp]:
        """Return ``p``: ``values[p]`` is in this robot's order for ``values`` in that of ``names``.

        Raises:
            ConfigError: ``names`` lacks a joint of the robot; joints that the robot does not
                have are refused too, because a silent mismatch moves the wrong joint.
        """
        given = {name: i for i, name in enumerate(names)}
        missing = [name for name in self.joint_names if name not in given]
        unknown = [name for name in names if name not in self._position_of]
        if missing or unknown or len(given) != len(names):
            what = f"joints of {where}: missing {missing}, unknown"
            raise ConfigError(what, unknown, self.joint_names, where)
        return np.array([given[name] for name in self.joint_names], dtype=np.intp)

    @property
    def resting(self) -> FloatArray:
        """Return ``rest``, (N,) rad; never None."""
        assert self.rest is not None  # set in __post_init__
        return self.rest

    @property
    def ready(self) -> FloatArray:
        """Return ``ready_posture``, (N,) rad; never None."""
        assert self.ready_posture is not None  # set in __post_init__
        return self.ready_posture

    def frame(self, role: str) -> Frame:
        """Return the frame of a role, be it a link or an offset from one.

        Raises:
            ConfigError: the robot has no such frame.
        """
        if role in self.offsets:
            return self.offsets[role]
        if role not in self.frames:
            allowed = [*self.frames, *self.offsets]
            raise ConfigError("frame", role, allowed, f"robot {self.name}")
        return Frame(self.frames[role])

    @cached_property
    def digest(self) -> str:
        """One digest over what a vector or a picture of this robot means.

        Speed limits and the home posture are left out: a policy stays valid when they change.
        """
        cameras = {name: vars(camera) for name, camera in self.cameras.items()}
        limits = (self.lower, self.upper)
        frames = {role: self.frames[role] for role in BODY_ROLES if role in self.frames}
        return digest([self.name, self.joint_names, limits, frames, cameras])
