"""Joints and links of a URDF, read without any robotics library."""

from __future__ import annotations

import math
import os
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from rove_core.errors import ConfigError
from rove_core.robot.frame import ZERO, Triple

MOVING = ("revolute", "prismatic")  # kinds with one coordinate and two ends
LIMIT_NAMES = ("lower", "upper", "velocity", "effort")
KINDS = (*MOVING, "continuous", "fixed", "floating", "planar")


@dataclass(frozen=True)
class UrdfJoint:
    """A joint of a URDF.

    Attributes:
        name: of the joint.
        lower, upper: rad (m where prismatic); 0 where the kind has no limits.
        velocity, effort: rad/s and Nm; 0 where the file states none.
        kind: revolute, prismatic, continuous, fixed, floating or planar.
        parent, child: links.
        origin, rpy: (3,) m and (3,) rad, the joint's frame in the parent link.
        axis: (3,) unit vector in the joint's frame.
        mimic: (joint, ratio, offset) that it follows, or None.
    """

    name: str
    lower: float
    upper: float
    velocity: float
    effort: float
    kind: str = "revolute"
    parent: str = ""
    child: str = ""
    origin: Triple = ZERO
    rpy: Triple = ZERO
    axis: Triple = (1.0, 0.0, 0.0)
    mimic: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class Urdf:
    """The part of a URDF that a robot profile is checked against.

    Attributes:
        path: the file.
        joints: the joints with one coordinate and limits that follow no other joint.
        links: names.
        chain: the joints of every kind, in the file's order.
    """

    path: Path
    joints: dict[str, UrdfJoint]
    links: frozenset[str]
    chain: tuple[UrdfJoint, ...] = field(default=(), repr=False)


def find_urdf(package: str, path: str, where: str) -> tuple[Path, Path]:
    """Return (URDF file, folder that mesh names start from) for a PyPI or ament package.

    Looks below ``share/<package>`` of cmeel wheels, of this environment and of the sourced
    ament prefixes, then in the Python package's own folder, in that order.

    Raises:
        ConfigError: the file is in none of them.
    """
    library = Path(sysconfig.get_path("purelib"))
    bases = [library / "cmeel.prefix", Path(sys.prefix)]
    bases += [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for base in bases:
        root = base / "share" / package
        if (root / path).is_file():
            return root / path, base / "share"
    own = library / package.replace("-", "_")
    if (own / path).is_file():  # its mesh names are relative to the file
        return own / path, (own / path).parent
    looked = ", ".join([*(str(base / "share" / package) for base in bases), str(own)])
    raise ConfigError(
        "URDF", f"{package}/{path}", f"a file below one of: {looked}; pip install {package}", where
    )


def find_mesh(filename: str, urdf: Path, mesh_root: Path) -> Path | None:
    """Return the file of a mesh, or None where there is none.

    Args:
        filename: as the URDF has it: ``package://<package>/<path>`` or a path.
        urdf: the URDF's file; paths may be relative to its folder.
        mesh_root: the folder that holds the packages.
    """
    if filename.startswith("package://"):
        candidates = [mesh_root / filename.removeprefix("package://")]
        # A checkout may lie anywhere: try every folder above the URDF as the one of packages.
        candidates += [up / filename.removeprefix("package://") for up in urdf.parents]
    else:
        candidates = [urdf.parent / filename.removeprefix("file://"), mesh_root / filename]
    return next((path.resolve() for path in candidates if path.is_file()), None)


def read_urdf(path: Path) -> Urdf:
    """Parse the joints and the link names of a URDF.

    Raises:
        ConfigError: the file is not XML, or a joint has no limits, limits that are no numbers, or
            links that the file does not have.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigError("URDF", str(path), f"a readable URDF ({error})", str(path)) from error
    links = frozenset(link.get("name", "") for link in root.findall("link"))
    chain = tuple(_joint(element, path) for element in root.findall("joint"))
    for joint in chain:
        for link in (joint.parent, joint.child):
            if link not in links:
                raise ConfigError(f"link of joint {joint.name!r}", link, links, str(path))
    joints = {j.name: j for j in chain if j.kind in MOVING and j.mimic is None}
    return Urdf(path, joints, links, chain)


def _joint(element: ElementTree.Element, path: Path) -> UrdfJoint:
    name, kind = element.get("name", ""), element.get("type", "")
    if kind not in KINDS:
        raise ConfigError(f"type of joint {name!r}", kind, KINDS, str(path))
    limit = element.find("limit")
    if kind in MOVING and limit is None:
        raise ConfigError("joint without limits", name, "<limit> in every joint", str(path))
    try:
        given = {} if limit is None else limit.attrib
        lower, upper, speed, effort = (float(given.get(key, "0")) for key in LIMIT_NAMES)
    except ValueError as error:
        raise ConfigError(f"limit of joint {name!r}", dict(given), "numbers", str(path)) from error
    origin, axis, mimic = (element.find(tag) for tag in ("origin", "axis", "mimic"))
    try:
        place = ZERO if origin is None else _triple(origin.get("xyz", "0 0 0"))
        turn = ZERO if origin is None else _triple(origin.get("rpy", "0 0 0"))
        along = (1.0, 0.0, 0.0) if axis is None else _triple(axis.get("xyz", "1 0 0"))
        follows = None
        if mimic is not None:
            ratio, offset = (float(mimic.get(k, d)) for k, d in (("multiplier", 1), ("offset", 0)))
            follows = (mimic.get("joint", ""), ratio, offset)
    except ValueError as error:
        raise ConfigError(f"geometry of joint {name!r}", str(error), "numbers", str(path)) from None
    length = math.hypot(*along)
    if kind in (*MOVING, "continuous") and not length > 0.0:
        raise ConfigError(f"axis of joint {name!r}", along, "a vector that is not 0", str(path))
    unit = (along[0] / length, along[1] / length, along[2] / length) if length else along
    parent, child = (_link(element, tag) for tag in ("parent", "child"))
    return UrdfJoint(
        name, lower, upper, speed, effort, kind, parent, child, place, turn, unit, follows
    )


def _link(element: ElementTree.Element, tag: str) -> str:
    found = element.find(tag)
    return "" if found is None else found.get("link", "")


def _triple(text: str) -> Triple:
    values = [float(word) for word in text.split()]
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ValueError(f"{text!r} is not three finite numbers")
    return values[0], values[1], values[2]
