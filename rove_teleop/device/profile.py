"""Device profiles: which joint of a device moves which joint of the robot, and how.

A profile is one YAML file::

    robot: g1_dex3
    joints:
      l_elbow: {robot: left_elbow_joint, sign: -1, scale: 1.0, offset: 0.35, range: [-2.5, 0.2]}

The robot's joint stands at ``sign * scale * measured + offset``, rad. ``range`` are the values that
the device can send at all, rad: anything else is a broken sensor. ``sign`` and ``scale`` are 1 and
``offset`` 0 where they are not given. Profiles are looked for in the calibrated ones of this
machine first, then among those that ship with ROVE.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rove_core.errors import ConfigError
from rove_core.keys import checked_name
from rove_core.robot import RobotSpec
from rove_teleop.calibration import default_folder

_KEYS = frozenset({"robot", "sign", "scale", "offset", "range"})
SCALES = (0.2, 5.0)  # a lever that is farther off is a typing error
WIDEST = 4.0 * math.pi  # rad, of a range; the wire refuses more


@dataclass(frozen=True)
class DeviceJoint:
    """A joint of the device.

    Attributes:
        name: as the device calls it.
        robot: the robot's joint that it moves.
        sign: 1 or -1. scale: > 0. offset: rad.
        lower, upper: rad, smallest and largest value that the device can send.
    """

    name: str
    robot: str
    sign: int
    scale: float
    offset: float
    lower: float
    upper: float


@dataclass(frozen=True)
class DeviceProfile:
    """A device.

    Attributes:
        name: the name of its file; what a client gives as its device.
        robot: the robot that it was made for.
        joints: device joint -> what it does.
    """

    name: str
    robot: str
    joints: Mapping[str, DeviceJoint]

    def to_yaml(self) -> str:
        """Return it as the text of a profile file."""
        joints = {
            joint.name: {
                "robot": joint.robot,
                "sign": joint.sign,
                "scale": joint.scale,
                "offset": joint.offset,
                "range": [joint.lower, joint.upper],
            }
            for joint in self.joints.values()
        }
        return yaml.safe_dump({"robot": self.robot, "joints": joints}, sort_keys=False)


def calibrated_folder() -> Path:
    """Return the folder of this machine's calibrated device profiles."""
    return default_folder() / "devices"


def shipped_folder() -> Path:
    """Return the folder of the profiles that ship with ROVE."""
    return Path(__file__).parent / "profiles"


def available_devices() -> list[str]:
    """Return the names of the device profiles of this machine."""
    folders = (calibrated_folder(), shipped_folder())
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def load_device(name: str) -> DeviceProfile:
    """Load a profile by its name or by the path of a YAML file.

    Raises:
        ConfigError: unknown device, or a file that does not describe one.
    """
    if name.endswith((".yaml", ".yml")):
        return read_profile(Path(name))
    for folder in (calibrated_folder(), shipped_folder()):
        path = folder / f"{checked_name(name)}.yaml"
        if path.is_file():
            return read_profile(path)
    raise ConfigError("device", name, available_devices(), str(calibrated_folder()))


def save_device(profile: DeviceProfile) -> Path:
    """Keep a profile on this machine; it wins over a shipped one of that name. Return its file."""
    folder = calibrated_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{checked_name(profile.name)}.yaml"
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(profile.to_yaml(), encoding="utf-8")
    os.replace(draft, path)
    return path


def read_profile(path: Path) -> DeviceProfile:
    """Read a profile's file.

    Raises:
        ConfigError: it is not there or does not describe a device; names file, joint and key.
    """
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("device profile", str(path), f"readable YAML ({error})") from error
    if not isinstance(table, dict) or not isinstance(table.get("joints"), dict):
        raise ConfigError("device profile", str(path), "a mapping with robot and joints")
    joints = {str(name): _joint(str(name), entry, path) for name, entry in table["joints"].items()}
    moved = [joint.robot for joint in joints.values()]
    twice = sorted({name for name in moved if moved.count(name) > 1})
    if twice or not joints:
        allowed = "at least one joint, each joint of the robot moved by one of the device"
        raise ConfigError("joints moved twice", twice, allowed, str(path))
    return DeviceProfile(path.stem, str(table.get("robot", "")), joints)


def leader_profile(name: str, spec: RobotSpec, groups: tuple[str, ...]) -> DeviceProfile:
    """Return the profile of a leader that is built like the robot: same names, same angles."""
    joints = {
        joint: DeviceJoint(joint, joint, 1, 1.0, 0.0, -math.pi, math.pi)
        for group in groups
        if group in spec.groups
        for joint in spec.groups[group]
    }
    return DeviceProfile(name, spec.name, joints)


def _joint(name: str, entry: Any, path: Path) -> DeviceJoint:
    where = f"{path}, joints.{name}"
    if not isinstance(entry, dict) or "robot" not in entry or not _KEYS.issuperset(entry):
        raise ConfigError("entry of a device joint", entry, sorted(_KEYS), where)
    sign = entry.get("sign", 1)
    if sign not in (1, -1):
        raise ConfigError("sign", sign, "1 or -1", where)
    scale = _number(entry.get("scale", 1.0), "scale", where)
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ConfigError("scale", scale, f"{SCALES[0]} to {SCALES[1]}", where)
    span = entry.get("range", [-math.pi, math.pi])
    if not isinstance(span, list) or len(span) != 2:
        raise ConfigError("range", span, "[lowest, highest] in rad", where)
    lower, upper = (_number(value, "range", where) for value in span)
    if not -WIDEST <= lower < upper <= WIDEST:
        raise ConfigError("range", span, "lowest < highest, rad", where)
    offset = _number(entry.get("offset", 0.0), "offset", where)
    return DeviceJoint(name, str(entry["robot"]), int(sign), scale, offset, lower, upper)


def _number(value: Any, what: str, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(what, value, "a finite number", where)
    return number
