"""Boxes that frames of a robot must not leave, whoever drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rove_core.errors import ConfigError
from rove_core.robot.frame import Triple
from rove_core.robot.table import Table


@dataclass(frozen=True)
class Workspace:
    """Where the origin of a frame may be.

    Attributes:
        lower, upper: (3,) m, corners of the box, in the pelvis frame (x forward, y left, z up).
        why: the reason, for people.
    """

    lower: Triple
    upper: Triple
    why: str


def read_workspace(profile: Table, frames: Mapping[str, str]) -> dict[str, Workspace]:
    """Read the optional section ``workspace``: role of a frame -> box.

    Args:
        profile: the whole profile.
        frames: role -> link, what a box may be given for.

    Raises:
        ConfigError: no such role, or a box without an inside.
    """
    table = profile.optional("workspace")
    found = {}
    for role in table:
        if role not in frames:
            raise ConfigError("frame in workspace", role, frames, profile.where)
        entry = table.table(role)
        entry.only(("lower", "upper", "why"))
        lower, upper = entry.triple("lower"), entry.triple("upper")
        if not all(low < high for low, high in zip(lower, upper, strict=True)):
            raise entry.error("upper", upper, f"above lower, {lower}, on every axis")
        found[role] = Workspace(lower, upper, entry.text("why"))
    return found
