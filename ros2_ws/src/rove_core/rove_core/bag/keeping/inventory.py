"""Inventory: what lies in a robot's folder of bags. A bag is a folder directly in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rove_core.bag.keeping.digests import FileStamp
from rove_core.bag.keeping.marks import Mark, read_marks
from rove_core.bag.keeping.names import (
    UNFINISHED,
    is_bag_name,
    is_draft,
    is_file_name,
    is_ours,
    is_recording,
)
from rove_core.bag.recording.lock import is_written
from rove_core.errors import BagError

MOST_FILES = 64
"""Of one bag; ours have two or three."""


@dataclass(frozen=True)
class KeptBag:
    """A finished bag on the robot.

    Attributes:
        path: its folder.
        files: stamps of what a learner gets, by name.
        marks: who has it, as far as ``fetched.json`` says.
        problem: why it cannot be served, "" when it can.
    """

    path: Path
    files: Mapping[str, FileStamp]
    marks: tuple[Mark, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """Of the bag."""
        return self.path.name

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(stamp.size for stamp in self.files.values())

    @property
    def ended_ns(self) -> int:
        """When its recording was written last, wall time, ns."""
        times = (stamp.mtime_ns for name, stamp in self.files.items() if is_recording(name))
        return max(times, default=0)

    def holders(self) -> tuple[Mark, ...]:
        """Return the marks of those who have it as it is now."""
        if self.problem:
            return ()
        return tuple(mark for mark in self.marks if mark.covers(self.files))


@dataclass(frozen=True)
class Inventory:
    """What lies in the folder.

    Attributes:
        bags: finished ones, by name.
        other_bytes: what else takes room there: recordings, what recoveries left, strangers.
    """

    bags: tuple[KeptBag, ...] = ()
    other_bytes: int = 0
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(bag.name for bag in self.bags))

    @property
    def bytes(self) -> int:
        """All that lies there."""
        return self.other_bytes + sum(bag.bytes for bag in self.bags)


def take_inventory(folder: Path) -> Inventory:
    """Look at every bag of a folder; one that is missing is empty.

    Raises:
        BagError: the folder cannot be read.
    """
    bags, other = [], 0
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return Inventory()
    except OSError as error:
        raise BagError(f"folder of bags {folder} cannot be read: {error}") from error
    for entry in listed:
        bag = look_at(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else None
        if bag is None:
            other += _size(Path(entry.path))
        else:
            bags.append(bag)
    return Inventory(tuple(bags), other)


def look_at(path: Path) -> KeptBag | None:
    """Return a finished bag, None where there is none: no bag, or one that is being written."""
    if path.name.startswith(".") or not path.is_dir() or path.is_symlink():
        return None
    try:
        found = _files(path)
    except OSError:
        return None  # it went meanwhile
    regular = {n: FileStamp.of(s) for n, s in found.items() if stat.S_ISREG(s.st_mode)}
    if "metadata.yaml" not in regular or not any(name.endswith(".mcap") for name in regular):
        return None
    if path.name.endswith(UNFINISHED) or is_written(path):
        return None
    try:
        marks = read_marks(path)
    except BagError:
        marks = ()  # to be fetched anew, which mends the file
    return KeptBag(path, regular, marks, _problem(path, found, regular))


def _problem(path: Path, found: Mapping[str, object], regular: Mapping[str, object]) -> str:
    if not is_bag_name(path.name):
        return f"{path} cannot be served: its name has more than letters, digits and _ . + -"
    odd = [name for name in found if name not in regular or not is_file_name(name)]
    if odd:
        return f"{path} cannot be served: {odd[0]!r} given, plain files allowed"
    if len(found) > MOST_FILES:
        return f"{path} cannot be served: {len(found)} files given, {MOST_FILES} allowed"
    return ""


def _files(path: Path) -> dict[str, os.stat_result]:
    """Return what belongs to a bag: all but drafts and our own notes."""
    with os.scandir(path) as entries:
        return {
            entry.name: entry.stat(follow_symlinks=False)
            for entry in sorted(entries, key=lambda entry: entry.name)
            if not is_draft(entry.name) and not is_ours(entry.name)
        }


def _size(path: Path) -> int:
    total = 0
    try:
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
        for folder, _, names in os.walk(path):
            for name in names:
                total += os.lstat(os.path.join(folder, name)).st_size
    except OSError:
        pass  # it went meanwhile
    return total
