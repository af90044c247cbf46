"""Hands of a profile: fingers, whom they follow, pinches."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rove_core.errors import ConfigError
from rove_core.robot.hand import FINGERS, Finger, HandSpec, Pinch
from rove_core.robot.table import Table

SIDES = ("left", "right")


def read_hands(
    profile: Table, groups: Mapping[str, tuple[str, ...]], roles: Collection[str]
) -> dict[str, HandSpec]:
    """Return side -> hand for every side that has a group of hand joints; a gripper has no fingers.

    Args:
        profile: the top of the profile.
        groups: its joint groups; a hand is the group ``<side>_hand``.
        roles: of all frames.

    Raises:
        ConfigError: a hand without fingers or tips, a joint in no finger, unknown names.
    """
    sides = [side for side in SIDES if f"{side}_hand" in groups]
    table = profile.table("hands") if sides else profile.optional("hands")
    table.only(sides)
    return {side: _hand(table.table(side), side, groups[f"{side}_hand"], roles) for side in sides}


def _hand(table: Table, side: str, joints: tuple[str, ...], roles: Collection[str]) -> HandSpec:
    table.only(("palm", "fingers", "pinches"))
    palm = _role(table, "palm", roles)
    entries = table.table("fingers")
    entries.only(FINGERS)
    if not entries.entries and not table.entries.get("pinches"):
        return HandSpec(side, palm, {}, ())  # a gripper: the trigger alone drives it
    if "thumb" not in entries or len(list(entries)) < 2:
        raise table.error("fingers", sorted(entries), "thumb and one more finger, or {}: a gripper")
    fingers = {
        name: _finger(entries.table(name), name, joints, roles)
        for name in FINGERS
        if name in entries
    }
    owned = [joint for finger in fingers.values() for joint in finger.joints]
    lost = [joint for joint in joints if owned.count(joint) != 1]
    if lost:
        raise table.error("fingers", lost, f"each joint of {side}_hand in one finger")
    followed = [human for finger in fingers.values() for human in finger.follows]
    twice = sorted({human for human in followed if followed.count(human) > 1})
    if twice:
        raise table.error("fingers", twice, "each human finger followed by one finger at most")
    pinches = tuple(_pinch(entry, fingers) for entry in table.tables("pinches"))
    if not pinches:
        raise table.error("pinches", [], "at least one pair of fingers that meet")
    return HandSpec(side, palm, fingers, pinches)


def _finger(table: Table, name: str, joints: tuple[str, ...], roles: Collection[str]) -> Finger:
    table.only(("tip", "joints", "follows", "scale"))
    own = table.texts("joints")
    unknown = [joint for joint in own if joint not in joints]
    if unknown or not own:
        raise table.error("joints", unknown, joints)
    follows = table.texts("follows")
    strange = [human for human in follows if human not in FINGERS]
    if strange or not follows:
        raise table.error("follows", strange, FINGERS)
    return Finger(name, _role(table, "tip", roles), own, follows, table.number("scale", True))


def _pinch(table: Table, fingers: Mapping[str, Finger]) -> Pinch:
    table.only(("fingers", "contact", "begin"))
    pair = table.texts("fingers")
    if len(set(pair)) != 2 or len(pair) != 2 or not set(pair) <= set(fingers):
        raise table.error("fingers", pair, f"two of {', '.join(fingers)}")
    pinch = Pinch((pair[0], pair[1]), table.number("contact", True), table.number("begin", True))
    return pinch


def _role(table: Table, key: str, roles: Collection[str]) -> str:
    role = table.text(key)
    if role not in roles:
        raise ConfigError(table.name(key), role, roles, f"{table.where}, frames")
    return role
