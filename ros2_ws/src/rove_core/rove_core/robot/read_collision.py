"""Collision shapes of a profile, and the check that its postures keep apart from themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from rove_core.errors import ConfigError
from rove_core.robot.collision import Capsule, CollisionPair, CollisionSpec
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.table import Table
from rove_core.robot.urdf import Urdf


def read_collision(profile: Table, urdf: Urdf) -> CollisionSpec:
    """Read the section ``collision``.

    Raises:
        ConfigError: a shape on no link, a pair of unknown shapes, a shape against itself, an
            exception that excepts nothing.
    """
    table = profile.table("collision")
    table.only(("shapes", "groups", "pairs", "exceptions"))
    entries = table.table("shapes")
    shapes = {name: _capsule(entries.table(name), name, urdf) for name in entries}
    group_table = table.optional("groups")
    groups = {name: group_table.texts(name) for name in group_table}
    for name, members in groups.items():
        if name in shapes:
            raise group_table.error(name, name, "a name that no shape has")
        for member in members:
            if member not in shapes:
                raise group_table.error(name, member, shapes)
    margins: dict[tuple[str, str], float] = {}
    for entry in table.tables("pairs"):
        entry.only(("between", "margin"))
        margin = entry.number("margin", True)
        for pair in _resolve(entry, "between", shapes, groups):
            margins[pair] = max(margin, margins.get(pair, 0.0))
    exceptions: dict[tuple[str, str], str] = {}
    for entry in table.tables("exceptions"):
        entry.only(("between", "why"))
        for pair in _resolve(entry, "between", shapes, groups):
            exceptions[pair] = entry.text("why")
        if not any(p in margins for p in _resolve(entry, "between", shapes, groups)):
            raise entry.error("between", entry.need("between"), "a pair that ``pairs`` names")
    pairs = tuple(CollisionPair(*p, m) for p, m in margins.items() if p not in exceptions)
    if shapes and not pairs:
        raise table.error("pairs", [], "at least one pair of shapes that must stay apart")
    return CollisionSpec(shapes, groups, pairs, exceptions)


def _capsule(table: Table, name: str, urdf: Urdf) -> Capsule:
    table.only(("link", "start", "end", "radius"))
    link = table.text("link")
    if link not in urdf.links:
        raise table.error("link", link, urdf.links)
    start = table.triple("start")
    return Capsule(name, link, start, table.triple("end", start), table.number("radius", True))


def _resolve(
    table: Table, key: str, shapes: Mapping[str, Capsule], groups: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str]]:
    """Return the pairs, each in the order of the shapes, of two names of shapes or groups."""
    names = table.texts(key)
    if len(names) != 2:
        raise table.error(key, names, "two names of shapes or groups")
    sides = []
    for name in names:
        if name not in shapes and name not in groups:
            raise table.error(key, name, [*shapes, *groups])
        sides.append(groups.get(name, (name,)))
    order = list(shapes)
    pairs = []
    for first in sides[0]:
        for second in sides[1]:
            if shapes[first].link == shapes[second].link:
                if names[0] == names[1]:  # a group against itself means its different links
                    continue
                allowed = "shapes of two links"
                raise table.error(key, [first, second], allowed)
            pairs.append(tuple(sorted((first, second), key=order.index)))
    return [(a, b) for a, b in dict.fromkeys(pairs)]


def check_postures(
    collision: CollisionSpec,
    kinematics: Kinematics,
    postures: Iterable[tuple[str, Mapping[str, float]]],
    where: str,
) -> None:
    """Refuse a posture in which a pair is not farther apart than its margin.

    Args:
        collision: the shapes.
        kinematics: of the same URDF.
        postures: (name, joint -> rad).
        where: the profile's file.

    Raises:
        ConfigError: names the posture, the pair, its distance and its margin.
    """
    for name, positions in postures:
        distances = collision.distances(kinematics.links(positions))
        if not len(distances):
            return
        worst = int(np.argmin(distances - collision.margins))
        pair = collision.pairs[worst]
        if distances[worst] <= pair.margin:
            raise ConfigError(
                f"{name}: distance of {pair.first} and {pair.second}, m,",
                round(float(distances[worst]), 4),
                f"more than the margin of {pair.margin:g}",
                where,
            )
