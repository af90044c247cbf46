"""Load a robot profile (YAML + URDF) and check the two against each other."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.mirror import asymmetries, mirror_of
from rove_core.robot.read_collision import check_postures, read_collision
from rove_core.robot.read_frames import REQUIRED_FRAMES, read_cameras, read_frames
from rove_core.robot.read_hands import read_hands
from rove_core.robot.read_limits import LIMIT_KEYS, Limits, per_joint, read_limits
from rove_core.robot.spec import RobotSpec
from rove_core.robot.table import Table, read_yaml
from rove_core.robot.urdf import Urdf, find_urdf, read_urdf
from rove_core.robot.workspace import read_workspace

__all__ = ["LIMIT_KEYS", "REQUIRED_FRAMES", "available_robots", "load_robot", "profile_path"]

SECTIONS = (
    "urdf", "groups", "fixed", "frames", "limits", "home", "rest", "ready", "fingers", "hands",
    "collision", "workspace", "cameras",
)  # fmt: skip


def _profiles() -> Path:
    return Path(str(resources.files("rove_core") / "robots"))


def available_robots() -> list[str]:
    """Return the names of the profiles that ship with ROVE."""
    return sorted(path.stem for path in _profiles().glob("*.yaml"))


def profile_path(robot: str) -> Path:
    """Return the file of a profile by its name or path.

    Raises:
        ConfigError: unknown robot.
    """
    path = Path(robot) if robot.endswith((".yaml", ".yml")) else _profiles() / f"{robot}.yaml"
    if not path.is_file():
        allowed = [*available_robots(), "the path of a profile (*.yaml)"]
        raise ConfigError("robot", robot, allowed, "argument robot")
    return path


@functools.cache
def load_robot(robot: str) -> RobotSpec:
    """Load a profile by its name or by the path of a YAML file.

    Raises:
        ConfigError: unknown robot, missing URDF, or a joint, link or key that does not fit.
    """
    path = profile_path(robot)
    return _build(read_yaml(path), path)


def _build(profile: Table, path: Path) -> RobotSpec:
    urdf_path, mesh_root = _locate(profile.table("urdf"), path)
    profile.only(SECTIONS)
    urdf = read_urdf(urdf_path)
    groups, names = _groups(profile, urdf)
    fixed, reasons = _fixed(profile, urdf, names)
    frames, offsets = read_frames(profile, urdf)
    limits = read_limits(profile, urdf, groups, names)
    home = _posture(profile.table("home"), names, limits, None)
    rest = _posture(profile.optional("rest"), names, limits, home)
    ready = _posture(profile.optional("ready"), names, limits, home)
    hands = read_hands(profile, groups, (*frames, *offsets))
    fingers = profile.table("fingers")
    fingers.only(("open", "closed"))
    ends = [_trigger(fingers.table(key), groups, names, limits) for key in ("open", "closed")]
    collision = read_collision(profile, urdf)
    kinematics = Kinematics(urdf)
    postures = [(n, dict(zip(names, v, strict=True)) | fixed) for n, v in
                (("home", home), ("rest", rest))]  # fmt: skip
    check_postures(collision, kinematics, postures, str(path))
    return RobotSpec(
        name=path.stem,
        joint_names=names,
        lower=limits.lower,
        upper=limits.upper,
        velocity=limits.velocity,
        acceleration=limits.acceleration,
        jerk=limits.jerk,
        effort=limits.effort,
        home=home,
        groups=groups,
        frames=frames,
        finger_open=ends[0],
        finger_closed=ends[1],
        cameras=read_cameras(profile, urdf),
        urdf_path=urdf_path,
        mesh_root=mesh_root,
        offsets=offsets,
        rest=rest,
        ready_posture=ready,
        collision=collision,
        workspace=read_workspace(profile, frames),
        hands=hands,
        fixed=fixed,
        coupled={j.name: j.mimic for j in urdf.chain if j.mimic is not None},
        reasons={**limits.reasons, **reasons},
        warnings=asymmetries(mirror_of(kinematics, names), names, limits.lower, limits.upper),
    )


def _locate(source: Table, path: Path) -> tuple[Path, Path]:
    """Return (URDF file, folder of mesh names) of ``{package, path}`` or ``{file[, meshes]}``."""
    if "file" not in source:
        source.only(("package", "path"))
        return find_urdf(source.text("package"), source.text("path"), str(path))
    source.only(("file", "meshes"))
    found = (path.parent / Path(source.text("file")).expanduser()).resolve()
    if not found.is_file():
        raise source.error("file", source.text("file"), f"a file; looked at {found}")
    if "meshes" not in source:
        return found, found.parent
    meshes = (path.parent / Path(source.text("meshes")).expanduser()).resolve()
    if not meshes.is_dir():
        raise source.error("meshes", source.text("meshes"), f"a folder; looked at {meshes}")
    return found, meshes


def _groups(profile: Table, urdf: Urdf) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    table = profile.table("groups")
    groups = {name: table.texts(name) for name in table}
    names = tuple(joint for group in groups.values() for joint in group)
    if not names:
        raise ConfigError("groups", groups, "at least one joint", str(profile.path))
    for joint in names:
        if joint not in urdf.joints:
            raise ConfigError("joint", joint, urdf.joints, f"{profile.path}, groups")
    if len(set(names)) != len(names):
        twice = sorted({joint for joint in names if names.count(joint) > 1})
        raise ConfigError("joint in two groups", twice, "each joint in one group", profile.where)
    return groups, names


def _fixed(
    profile: Table, urdf: Urdf, names: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, str]]:
    """Return (joint -> where it stands, joint -> why) of the joints that nobody commands."""
    table = profile.optional("fixed")
    moving = {j.name: j for j in urdf.chain if j.kind != "fixed" and j.mimic is None}
    at: dict[str, float] = {}
    why: dict[str, str] = {}
    for joint in table:
        entry = table.table(joint)
        entry.only(("at", "why"))
        if joint not in moving:
            raise ConfigError("joint in fixed", joint, moving, profile.where)
        if joint in names:
            raise ConfigError("joint in fixed", joint, "joints in no group", profile.where)
        at[joint], why[f"fixed.{joint}"] = entry.number("at"), entry.text("why")
        limits = urdf.joints.get(joint)
        sound = limits is not None and limits.lower < limits.upper  # else it may well be left out
        if limits is not None and sound and not limits.lower <= at[joint] <= limits.upper:
            allowed = f"{limits.lower:g}..{limits.upper:g}, its limits in the URDF"
            raise entry.error("at", at[joint], allowed)
    left = [joint for joint in moving if joint not in names and joint not in at]
    if left:
        allowed = "every joint of the URDF in a group, or under `fixed:` with a reason"
        raise ConfigError("joints that the profile leaves out", left, allowed, profile.where)
    return at, why


def _posture(
    table: Table, names: tuple[str, ...], limits: Limits, default: FloatArray | None
) -> FloatArray:
    """Return (N,) rad; a joint that is not named stands as in ``default``, or nearest to 0."""
    base = np.clip(0.0, limits.lower, limits.upper) if default is None else default
    posture = per_joint(table, {}, names, defaults=dict(zip(names, base, strict=True)))
    outside = [
        f"{name}: {value:g} not in {lower:g}..{upper:g}"
        for name, value, lower, upper in zip(
            names, posture, limits.lower, limits.upper, strict=True
        )
        if not lower <= value <= upper
    ]
    if outside:
        raise ConfigError(
            f"{table.key} posture outside the limits at", outside, "limits with margin", table.where
        )
    return posture


def _trigger(
    table: Table, groups: Mapping[str, tuple[str, ...]], names: tuple[str, ...], limits: Limits
) -> dict[str, float]:
    """Return joint -> rad of every hand joint at one end of the trigger's travel."""
    joints = [j for side in ("left", "right") for j in groups.get(f"{side}_hand", ())]
    table.only(joints)
    values = {joint: table.number(joint) for joint in joints}
    for joint, value in values.items():
        i = names.index(joint)
        if not limits.lower[i] <= value <= limits.upper[i]:
            allowed = f"{limits.lower[i]:g}..{limits.upper[i]:g}, its limits with margin"
            raise table.error(joint, value, allowed)
    return values
