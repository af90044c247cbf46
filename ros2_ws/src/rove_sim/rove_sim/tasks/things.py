"""Boxes, loose things and contacts, as tasks put them into a scene."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rove_core.arrays import FloatArray
from rove_sim.robot_model import OBJECT_CONTACT, ROBOT_CONTACT

# Loose things meet robot, furniture and each other; furniture meets the robot and loose things.
LOOSE_CONTACT = 4
Rgba = tuple[float, float, float, float]


def add_box(
    body: mujoco.MjsBody,
    half: Sequence[float],
    place: Sequence[float],
    rgba: Rgba,
    name: str = "",
    solid: bool = True,
    **more: object,
) -> mujoco.MjsGeom:
    """Add a box of half sizes (3,) m at (3,) m in a body; ``solid`` ones are touched."""
    if name:
        more["name"] = name
    return body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=list(half),
        pos=list(place),
        rgba=rgba,
        contype=OBJECT_CONTACT | LOOSE_CONTACT if solid else 0,
        conaffinity=ROBOT_CONTACT | LOOSE_CONTACT if solid else 0,
        **more,
    )


def firm_grip(scene: mujoco.MjSpec) -> None:
    """Set the contact model with which friction alone carries a slice: no creep, no assist."""
    scene.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    scene.option.impratio = 10.0


class Loose:
    """A loose body of the scene: where it is, who touches it.

    Args:
        model, data: the compiled scene.
        name: of the body, which has a free joint.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, name: str) -> None:
        self._model, self._data = model, data
        self.body = model.body(name).id
        joint = model.body_jntadr[self.body]
        self._qpos, self._dof = model.jnt_qposadr[joint], model.jnt_dofadr[joint]

    def put(self, pose: FloatArray) -> None:
        """Put it at a (4, 4) world pose, at rest."""
        self._data.qpos[self._qpos : self._qpos + 3] = pose[:3, 3]
        self._data.qpos[self._qpos + 3 : self._qpos + 7] = quat(pose[:3, :3])
        self._data.qvel[self._dof : self._dof + 6] = 0.0

    @property
    def pose(self) -> FloatArray:
        """(4, 4) world pose, m."""
        result = np.eye(4)
        result[:3, :3] = self._data.xmat[self.body].reshape(3, 3)
        result[:3, 3] = self._data.xpos[self.body]
        return result

    @property
    def speed(self) -> float:
        """M/s of its middle."""
        return float(np.linalg.norm(self._data.qvel[self._dof : self._dof + 3]))


class Hand:
    """The right hand as the physics sees it: tool frame and touched things.

    Args:
        model, data: the compiled scene.
        tool: name of the site that is the tool frame.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, tool: str) -> None:
        self._model, self._data = model, data
        self._site = model.site(tool).id
        self._robot = model.geom_contype == ROBOT_CONTACT

    @property
    def tool(self) -> FloatArray:
        """(4, 4) world pose of the tool frame, m."""
        result = np.eye(4)
        result[:3, :3] = self._data.site_xmat[self._site].reshape(3, 3)
        result[:3, 3] = self._data.site_xpos[self._site]
        return result

    def touching(self, body: int) -> set[int]:
        """Return the bodies of the robot that touch a body."""
        if not self._data.ncon:
            return set()
        pairs = self._data.contact.geom
        bodies = self._model.geom_bodyid[pairs]
        found: set[int] = set()
        for mine in (0, 1):
            hit = self._robot[pairs[:, mine]] & (bodies[:, 1 - mine] == body)
            found.update(int(b) for b in bodies[hit, mine])
        return found


def quat(axes: FloatArray) -> FloatArray:
    """Return the (4,) quaternion (w, x, y, z) of a rotation matrix."""
    result: FloatArray = np.roll(Rotation.from_matrix(axes).as_quat(), 1)
    return result
