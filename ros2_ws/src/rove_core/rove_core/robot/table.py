"""A section of a profile that names itself in every complaint: file, key, given, allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rove_core.errors import ConfigError
from rove_core.robot.frame import ZERO, Triple


class Table:
    """A mapping of the YAML file.

    Args:
        entries: what stands there.
        path: the profile's file.
        key: the dotted key of this section; "" at the top.

    Raises:
        ConfigError: ``entries`` is no mapping with texts as keys; every method raises it, too, for
            what does not fit.
    """

    def __init__(self, entries: Any, path: Path, key: str = "") -> None:
        self.path, self.key = path, key
        if not isinstance(entries, Mapping):
            raise ConfigError(key or "robot profile", entries, "a YAML mapping", str(path))
        strange = [name for name in entries if not isinstance(name, str)]
        if strange:
            raise ConfigError(f"key of {key or 'the profile'}", strange[0], "a text", str(path))
        self.entries: Mapping[str, Any] = entries

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def name(self, key: str) -> str:
        """Return the dotted name of a key."""
        return f"{self.key}.{key}" if self.key else key

    def error(self, key: str, given: object, allowed: str | Iterable[str]) -> ConfigError:
        """Return the error about a key."""
        return ConfigError(self.name(key), given, allowed, str(self.path))

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse keys that nobody reads: they are misspelt."""
        known = list(allowed)
        unknown = sorted(set(self.entries) - set(known))
        if unknown:
            raise ConfigError(f"key of {self.key or 'the profile'}", unknown[0], known, self.where)

    @property
    def where(self) -> str:
        """Return the file's name for an error."""
        return str(self.path)

    def need(self, key: str) -> Any:
        """Return the entry of a key that must be there."""
        if key not in self.entries:
            section = f"section {self.key!r}" if self.key else "profile"
            raise ConfigError(
                f"{section} without key {key!r}", sorted(self.entries), f"key {key!r}", self.where
            )
        return self.entries[key]

    def table(self, key: str) -> Table:
        """Return a section that must be there."""
        return Table(self.need(key), self.path, self.name(key))

    def optional(self, key: str) -> Table:
        """Return a section; an empty one where it is missing."""
        return Table(self.entries.get(key, {}), self.path, self.name(key))

    def tables(self, key: str) -> list[Table]:
        """Return the sections of a list; an empty list where it is missing."""
        entries = self.entries.get(key, [])
        if not isinstance(entries, list):
            raise self.error(key, entries, "a list")
        return [Table(e, self.path, f"{self.name(key)}[{i}]") for i, e in enumerate(entries)]

    def number(self, key: str, positive: bool = False) -> float:
        """Return a finite number."""
        value = self.need(key)
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or not math.isfinite(number) or (positive and number <= 0.0):
            kind = "a positive finite number" if positive else "a finite number"
            raise self.error(key, value, kind)
        return float(number)

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self.need(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, value, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.need(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, value, "a list of names")
        return tuple(value)

    def triple(self, key: str, default: Triple | None = None) -> Triple:
        """Return three finite numbers; where the key is missing, ``default`` if there is one."""
        if key not in self.entries and default is not None:
            return default
        value = self.need(key)
        numbers = value if isinstance(value, list) and len(value) == 3 else []
        one = [Table({key: item}, self.path, self.key).number(key) for item in numbers]
        if len(one) != 3:
            raise self.error(key, value, "three finite numbers")
        return one[0], one[1], one[2]

    def frame_parts(self) -> tuple[str, Triple, Triple]:
        """Return parent, position and rpy of an offset from a link."""
        self.only(("parent", "position", "rpy"))
        return self.text("parent"), self.triple("position"), self.triple("rpy", ZERO)


_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster


class _StrictLoader(_Loader):  # type: ignore[misc]
    """Refuses a key that stands twice in a mapping: YAML would silently take the second."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str):
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key!r} stands twice", key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Table:
    """Return the top of a profile.

    Raises:
        ConfigError: not YAML, a key twice, or no mapping at the top.
    """
    with open(path, encoding="utf-8") as stream:
        try:
            profile = yaml.load(stream, Loader=_StrictLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError("robot profile", str(path), f"valid YAML ({error})") from error
    if not isinstance(profile, dict):
        raise ConfigError("robot profile", str(path), "a YAML mapping at the top")
    return Table(profile, path)
