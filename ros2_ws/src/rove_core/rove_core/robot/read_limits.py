"""Limits of a profile: the URDF's, moved inwards, slowed down, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot.table import Table
from rove_core.robot.urdf import Urdf

LIMIT_KEYS = ("velocity", "acceleration", "jerk")
EVERY = "all"  # stands for every joint in a table of limits
Groups = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Limits:
    """(N,) arrays in the joint order of the profile, and why they are what they are."""

    lower: FloatArray
    upper: FloatArray
    velocity: FloatArray
    acceleration: FloatArray
    jerk: FloatArray
    effort: FloatArray
    reasons: Mapping[str, str]


def per_joint(
    table: Table,
    groups: Groups,
    names: tuple[str, ...],
    positive: bool = False,
    defaults: Mapping[str, float] | None = None,
) -> FloatArray:
    """Expand ``{all, group or joint: value}`` to (N,); the more special entry wins.

    Raises:
        ConfigError: an entry for a joint that is not there, a value that is no number, or joints
            that no entry and no default covers.
    """
    values = dict(defaults or {})
    rank = {EVERY: 0} | dict.fromkeys(groups, 1)
    for key in sorted(table, key=lambda k: rank.get(k, 2)):
        targets = names if key == EVERY else groups.get(key, (key,))
        for joint in targets:
            if joint not in names:
                raise ConfigError(f"joint in {table.key}", joint, names, table.where)
            values[joint] = table.number(key, positive)
    missing = [joint for joint in names if joint not in values]
    if missing:
        raise ConfigError(
            f"{table.key} without a value for", missing, "every joint or group", table.where
        )
    return np.array([values[joint] for joint in names])


def read_limits(profile: Table, urdf: Urdf, groups: Groups, names: tuple[str, ...]) -> Limits:
    """Read the section ``limits``.

    Raises:
        ConfigError: a limit that is missing, not positive, wider than the URDF's or has no reason.
    """
    table = profile.table("limits")
    table.only(("position_margin", *LIMIT_KEYS, "narrow", "urdf_lacks", "reasons"))
    lower, upper = _positions(table, urdf, groups, names)
    asked = {key: per_joint(table.table(key), groups, names, True) for key in LIMIT_KEYS}
    drive = {key: _drive(table, urdf, groups, names, key) for key in ("velocity", "effort")}
    return Limits(
        lower=lower,
        upper=upper,
        velocity=np.minimum(asked["velocity"], drive["velocity"]),
        acceleration=asked["acceleration"],
        jerk=asked["jerk"],
        effort=drive["effort"],
        reasons=_reasons(table),
    )


def _positions(
    table: Table, urdf: Urdf, groups: Groups, names: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    given = table.need("position_margin")
    every = given if isinstance(given, Mapping) else {EVERY: given}
    margins = Table(every, table.path, table.name("position_margin"))
    margin = per_joint(margins, groups, names)
    if (margin < 0.0).any():
        raise table.error("position_margin", given, "margins of at least 0")
    joints = [urdf.joints[name] for name in names]
    lower = np.array([joint.lower for joint in joints]) + margin
    upper = np.array([joint.upper for joint in joints]) - margin
    reversed_ = [joint.name for joint in joints if joint.lower >= joint.upper]
    if reversed_:
        raise ConfigError(
            "joint whose limits are reversed or equal", reversed_, "lower < upper", str(urdf.path)
        )
    empty = [n for n, lo, up in zip(names, lower, upper, strict=True) if lo >= up]
    if empty:
        allowed = f"a margin that leaves every joint a range; none is left to {empty}"
        raise table.error("position_margin", given, allowed)
    narrow = table.optional("narrow")
    for joint in narrow:
        if joint not in names:
            raise ConfigError("joint in limits.narrow", joint, names, table.where)
        entry, i = narrow.table(joint), names.index(joint)
        entry.only(("lower", "upper", "why"))
        entry.text("why")
        widest = f"lower < upper within {lower[i]:g}..{upper[i]:g} (URDF and margin)"
        new = [
            entry.number(key) if key in entry else old
            for key, old in (("lower", lower[i]), ("upper", upper[i]))
        ]
        if not lower[i] <= new[0] < new[1] <= upper[i]:
            raise narrow.error(joint, new, widest)
        lower[i], upper[i] = new
    return lower, upper


def _drive(
    table: Table, urdf: Urdf, groups: Groups, names: tuple[str, ...], key: str
) -> FloatArray:
    """Return (N,) speed or effort of the motors; the profile may only fill in what is missing."""
    stated = {name: getattr(urdf.joints[name], key) for name in names}
    lacks = table.optional("urdf_lacks")
    lacks.only(("velocity", "effort"))
    extra = lacks.optional(key)
    filled = per_joint(extra, groups, names, True, dict.fromkeys(names, np.nan))
    for name, value in zip(names, filled, strict=True):
        if stated[name] > 0.0 and np.isfinite(value):
            allowed = f"joints without {key} in the URDF; {name} has {stated[name]:g}"
            raise lacks.error(key, name, allowed)
        if not stated[name] > 0.0 and not np.isfinite(value):
            raise ConfigError(
                f"{key} of joint {name!r} in the URDF",
                stated[name],
                f"a positive number, or an entry in limits.urdf_lacks.{key}",
                table.where,
            )
    return np.array([v if v > 0.0 else f for v, f in zip(stated.values(), filled, strict=True)])


def _reasons(table: Table) -> dict[str, str]:
    reasons = table.table("reasons")
    texts = {key: reasons.text(key) for key in reasons}
    for key in ("position_margin", *LIMIT_KEYS, *(["urdf_lacks"] if "urdf_lacks" in table else [])):
        reasons.text(key)
    for key in texts:
        section, _, entry = key.partition(".")
        inside = table.entries.get(section)
        known = isinstance(inside, Mapping) and entry in inside if entry else section in table
        if not known or section == "reasons":
            raise reasons.error(key, texts[key], "the name of a limit that is given")
    narrow = table.optional("narrow")
    return texts | {f"narrow.{joint}": narrow.table(joint).text("why") for joint in narrow}
