"""Decimated copies of a robot's meshes, made once and kept in a cache.

Rendering the original G1 meshes (half a million triangles) in software gives 20-40 frames/s,
300 faces a link give about 600 (docs: the measured facts of the simulated lab).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rove_core.errors import ConfigError

CLUSTER_M = 0.003  # open seams narrower than this stall the decimation, so they are closed first
RECIPE = 1  # part of the key: raise it when the way meshes are made changes


def cache_folder() -> Path:
    """Return ``$ROVE_CACHE`` or ``~/.cache/rove``."""
    return Path(os.environ.get("ROVE_CACHE") or Path.home() / ".cache" / "rove").expanduser()


def resolve_mesh(filename: str, mesh_root: Path, where: str) -> Path:
    """Return the file of a URDF mesh: ``package://<package>/<path>`` lies below ``mesh_root``.

    Raises:
        ConfigError: the file does not exist.
    """
    path = mesh_root / filename.removeprefix("package://")
    if not path.is_file():
        raise ConfigError("mesh", filename, f"a file below {mesh_root}", where)
    return path


def decimated(source: Path, faces: int) -> Path:
    """Return an STL of ``source`` with about ``faces`` triangles at most, from the cache or new.

    The key is the content of the mesh, so a new version of the robot's package is noticed. The
    file is written beside its place and renamed, so that processes started together cannot see
    half a file.
    """
    key = hashlib.sha256(
        source.read_bytes() + f"/{RECIPE}/{faces}/{CLUSTER_M}".encode()
    ).hexdigest()
    target = cache_folder() / "meshes" / f"{source.stem}-{key[:24]}.stl"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        content = _decimate(source, faces)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as stream:
            stream.write(content)
        os.replace(stream.name, target)
    return target


def _decimate(source: Path, faces: int) -> bytes:
    # Imported here: a warm cache needs neither of the two.
    import fast_simplification
    import trimesh

    mesh: Any = trimesh.load(source, force="mesh")
    if len(mesh.faces) > faces:
        cells = np.round(mesh.vertices / CLUSTER_M).astype(np.int64)
        _, first, index = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        triangles = index.reshape(-1)[mesh.faces]
        a, b, c = triangles.T
        triangles = triangles[(a != b) & (b != c) & (c != a)]
        points = mesh.vertices[first]
        if len(triangles) > faces:
            points, triangles = fast_simplification.simplify(
                points.astype(np.float32), triangles.astype(np.int32), target_count=faces
            )
        mesh = trimesh.Trimesh(points, triangles, process=False)
    content = mesh.export(file_type="stl")
    assert isinstance(content, bytes)
    return content
