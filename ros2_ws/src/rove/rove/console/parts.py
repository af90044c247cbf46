"""Parts: what moves with each joint, in few triangles, for a picture that a tablet can turn."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rove.profile.meshes import read_surfaces
from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.robot.frame import pose
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import UrdfJoint, read_urdf

FACES_PER_M2, FEWEST, MOST = 6000, 60, 900
"""Triangles of a part by its surface; those of a G1 make 12,000, of half a million in its files."""
CLUSTER_M = 0.003
"""Open seams narrower than this stall the decimation, so they are closed first."""
RECIPE = 1
"""Part of the cache's key: raise it when the way parts are made changes."""


@dataclass(frozen=True)
class Part:
    """Vertices (V, 3) m in the frame of the joint's child link, faces (F, 3)."""

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Limb:
    """A moving joint and what hangs on it rigidly.

    Attributes:
        name: of the joint; of the root link for what no joint carries.
        path: names of the limbs from the root to this one.
        joint: None for the root.
        fixed: (4, 4) pose of the joint at 0 in the frame of the limb before.
        part: what it shows, None when nothing.
    """

    name: str
    path: tuple[str, ...]
    joint: UrdfJoint | None
    fixed: FloatArray
    part: Part | None


def limbs_of(spec: RobotSpec) -> list[Limb]:
    """Return the robot's limbs, parents before children.

    Raises:
        ConfigError: its URDF cannot be read.
    """
    kinematics = Kinematics(read_urdf(spec.urdf_path))
    surfaces, _ = read_surfaces(spec.urdf_path, spec.mesh_root)
    triangles: dict[str, list[FloatArray]] = {}
    homes: dict[str, tuple[str, FloatArray]] = {kinematics.root: (kinematics.root, np.eye(4))}
    paths: dict[str, tuple[str, ...]] = {kinematics.root: (kinematics.root,)}
    moving: list[tuple[UrdfJoint, FloatArray]] = []
    for joint in kinematics.order:
        limb, placed = homes[joint.parent]
        placed = placed @ pose(joint.origin, joint.rpy)
        if joint.kind == "fixed":
            homes[joint.child] = (limb, placed)
        else:
            homes[joint.child] = (joint.name, np.eye(4))
            paths[joint.name] = (*paths[limb], joint.name)
            moving.append((joint, placed))
    for link, surface in surfaces.items():
        limb, placed = homes[link]
        moved = surface.triangles @ placed[:3, :3].T + placed[:3, 3]
        triangles.setdefault(limb, []).append(moved)
    parts = {name: few(np.concatenate(found)) for name, found in triangles.items()}
    root = Limb(
        kinematics.root, paths[kinematics.root], None, np.eye(4), parts.get(kinematics.root)
    )
    return [root] + [
        Limb(joint.name, paths[joint.name], joint, placed, parts.get(joint.name))
        for joint, placed in moving
    ]


def few(triangles: FloatArray) -> Part:
    """Return few triangles that look like (F, 3, 3) ones, from the cache or new."""
    data = np.ascontiguousarray(triangles, dtype=np.float32)
    a, b, c = np.moveaxis(triangles, 1, 0)
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2
    faces = int(np.clip(FACES_PER_M2 * area, FEWEST, MOST))
    key = hashlib.sha256(data.tobytes() + f"/{RECIPE}/{faces}/{CLUSTER_M}".encode()).hexdigest()
    cache = Path(os.environ.get("ROVE_CACHE") or Path.home() / ".cache" / "rove").expanduser()
    file = cache / "parts" / f"{key[:32]}.npz"
    if not file.is_file():
        vertices, indices = _few(data, faces)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            np.savez(stream, vertices=vertices, faces=indices)
        os.replace(stream.name, file)
    with np.load(file) as found:
        return Part(found["vertices"], found["faces"])


def _few(data: npt.NDArray[np.float32], faces: int) -> tuple[Any, Any]:
    import fast_simplification  # a warm cache does not need it

    points = data.reshape(-1, 3)
    cells = np.round(points / CLUSTER_M).astype(np.int64)
    _, first, index = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    corners = index.reshape(-1, 3)
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    points = points[first]
    if len(corners) > faces:
        points, corners = fast_simplification.simplify(
            points, corners.astype(np.int32), target_count=faces
        )
    return points.astype(np.float32), corners.astype(np.uint32)
