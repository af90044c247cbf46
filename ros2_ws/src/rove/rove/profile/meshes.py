"""What a link of a URDF looks like: points and triangles in the link's frame."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot.frame import ZERO, Triple, pose
from rove_core.robot.urdf import find_mesh

SAMPLES = 1500  # surface points a link; a 2 cm gap in a 1 m2 surface would be rare
_STL_HEADER, _STL_TRIANGLE = 84, 50  # bytes


@dataclass(frozen=True)
class Surface:
    """Triangles in the frame of a link: (F, 3, 3) m."""

    triangles: FloatArray

    @property
    def vertices(self) -> FloatArray:
        """Return the (3F, 3) corners, m."""
        return self.triangles.reshape(-1, 3)

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Return (count, 3) points spread evenly over the surface, m."""
        a, b, c = np.moveaxis(self.triangles, 1, 0)
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        if not area.sum() > 0.0:
            return self.vertices[:count]
        picked = rng.choice(len(area), size=count, p=area / area.sum())
        u, v = rng.random(count), rng.random(count)
        flip = u + v > 1.0
        u, v = np.where(flip, 1.0 - u, u), np.where(flip, 1.0 - v, v)
        p, q, r = a[picked], b[picked], c[picked]
        points: FloatArray = p + u[:, None] * (q - p) + v[:, None] * (r - p)
        return points


def read_surfaces(urdf: Path, mesh_root: Path) -> tuple[dict[str, Surface], list[str]]:
    """Return (link -> what it shows, sentences about what could not be read).

    What a link shows is preferred to its collision shapes: those of published models are often
    crude or missing. A link with neither has no entry.

    Args:
        urdf: the model's file.
        mesh_root: the folder that mesh names start from.
    """
    root = ElementTree.parse(urdf).getroot()
    surfaces: dict[str, Surface] = {}
    problems: list[str] = []
    for link in root.findall("link"):
        for tag in ("visual", "collision"):
            parts = []
            for element in link.findall(tag):
                try:
                    parts.append(_element(element, urdf, mesh_root))
                except ConfigError as error:
                    problems.append(f"{tag} of {link.get('name')}: {error}")
            found = [part for part in parts if part is not None and len(part)]
            if found:
                surfaces[link.get("name", "")] = Surface(np.concatenate(found))
                break
    return surfaces, problems


def points_of(
    links: Iterable[str],
    surfaces: Mapping[str, Surface],
    poses: Mapping[str, FloatArray],
    frame: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (M, 3) points of several links in one frame, m; (0, 3) where none shows anything.

    Args:
        links: names.
        surfaces: as ``read_surfaces`` returns them.
        poses: link -> (4, 4), as ``Kinematics.links`` returns them.
        frame: (4, 4) pose of the frame to return them in, in that of ``poses``.
        rng: picks the points on large triangles.
    """
    found = [np.zeros((0, 3))]
    to_frame = np.linalg.inv(frame)
    for link in links:
        if link not in surfaces:
            continue
        own = np.concatenate([surfaces[link].vertices, surfaces[link].sample(SAMPLES, rng)])
        turn = to_frame @ poses[link]
        found.append(own @ turn[:3, :3].T + turn[:3, 3])
    return np.concatenate(found)


def _element(
    element: ElementTree.Element, urdf: Path, mesh_root: Path
) -> npt.NDArray[np.float64] | None:
    origin, geometry = element.find("origin"), element.find("geometry")
    if geometry is None or not len(geometry):
        return None
    place = ZERO if origin is None else _triple(origin.get("xyz"), ZERO)
    turn = ZERO if origin is None else _triple(origin.get("rpy"), ZERO)
    shape = geometry[0]
    make: Callable[[], FloatArray] | None = {
        "mesh": lambda: _mesh(shape, urdf, mesh_root),
        "box": lambda: _box(_triple(shape.get("size"), (0.1, 0.1, 0.1))),
        "cylinder": lambda: _round(float(shape.get("radius", 0)), float(shape.get("length", 0))),
        "sphere": lambda: _round(float(shape.get("radius", 0)), 0.0),
        "capsule": lambda: _round(float(shape.get("radius", 0)), float(shape.get("length", 0))),
    }.get(shape.tag)
    if make is None:
        return None
    placed = pose(place, turn)
    triangles: FloatArray = make() @ placed[:3, :3].T + placed[:3, 3]
    return triangles


def _mesh(shape: ElementTree.Element, urdf: Path, mesh_root: Path) -> FloatArray:
    name = shape.get("filename", "")
    path = find_mesh(name, urdf, mesh_root)
    if path is None:
        raise ConfigError("mesh", name, f"a file below {mesh_root}", str(urdf))
    data = path.read_bytes()
    triangles = _binary_stl(data) if path.suffix.lower() == ".stl" else None
    if triangles is None:
        triangles = _by_trimesh(path)
    scaled: FloatArray = triangles * np.array(_triple(shape.get("scale"), (1.0, 1.0, 1.0)))
    return scaled


def _binary_stl(data: bytes) -> FloatArray | None:
    """Return (F, 3, 3), or None where the file is no binary STL."""
    if len(data) < _STL_HEADER:
        return None
    (count,) = struct.unpack_from("<I", data, _STL_HEADER - 4)
    if len(data) < _STL_HEADER + count * _STL_TRIANGLE:
        return None
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    facets = np.frombuffer(data, dtype=kind, count=count, offset=_STL_HEADER)
    return np.array(facets["corners"], dtype=np.float64)


def _by_trimesh(path: Path) -> FloatArray:
    try:
        import trimesh
    except ImportError as error:
        raise ConfigError(
            "mesh", str(path), "binary STL, or `pip install trimesh` for other kinds"
        ) from error
    try:
        mesh: Any = trimesh.load(path, force="mesh")
        return np.array(mesh.triangles, dtype=np.float64)
    except Exception as error:  # trimesh's readers raise whatever their parsers raise
        raise ConfigError("mesh", str(path), f"a mesh that trimesh reads ({error})") from error


def _box(size: Triple) -> FloatArray:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    faces = [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ]  # fmt: skip
    triangles: FloatArray = (corners * np.array(size))[np.array(faces)]
    return triangles


def _round(radius: float, length: float, around: int = 16) -> FloatArray:
    """Return triangles of a cylinder along z, or of a sphere where ``length`` is 0."""
    angle = np.linspace(0.0, 2 * np.pi, around, endpoint=False)
    half = length / 2
    steps = np.linspace(-np.pi / 2, np.pi / 2, around // 2 + 1).tolist()
    heights: list[tuple[float, float]]
    if length > 0.0:
        heights = [(0.0, -half), (radius, -half), (radius, half), (0.0, half)]
    else:
        heights = [(radius * math.cos(step), radius * math.sin(step)) for step in steps]
    rings = np.array([[(r * np.cos(a), r * np.sin(a), z) for a in angle] for r, z in heights])
    lower, upper = rings[:-1], rings[1:]
    turned, above = np.roll(lower, -1, axis=1), np.roll(upper, -1, axis=1)
    first = np.stack([lower, turned, above], axis=2).reshape(-1, 3, 3)
    second = np.stack([lower, above, upper], axis=2).reshape(-1, 3, 3)
    return np.concatenate([first, second])


def _triple(text: str | None, default: Triple) -> Triple:
    if text is None:
        return default
    x, y, z = (float(word) for word in text.split())
    return x, y, z
