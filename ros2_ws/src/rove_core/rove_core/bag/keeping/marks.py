"""Marks: which learners have which version of a bag, kept in its ``fetched.json``::

    {"fetched_schema_version": 1,
     "learners": [{"name": "lab", "key": "<z85>", "at": "2026-11-24T04:30:00+00:00",
                   "files": {"ep_0.mcap": {"stamp": {"size": 1, "mtime_ns": 2}, "sha256": "..."}}}]}

A learner is marked only after the bag was forced to its disk. The name is the one under which the
robot accepts the key, so nobody chooses it for himself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from rove_core.bag.keeping.digests import FileStamp, Sha256
from rove_core.bag.keeping.names import FETCHED_FILE
from rove_core.delivery.files import write_atomic
from rove_core.errors import BagError

FETCHED_SCHEMA_VERSION = 1
MOST_LEARNERS = 64
"""Marks in one bag; the oldest goes first."""


class MarkedFile(msgspec.Struct, frozen=True):
    """A file as a learner has it: the stamp that the robot's copy had, and SHA-256, hex."""

    stamp: FileStamp
    sha256: Sha256


class Mark(msgspec.Struct, frozen=True):
    """One learner that has the bag.

    Attributes:
        name: under which the robot accepts its key.
        key: its public CURVE key, z85.
        at: when the robot was told, ISO 8601.
        files: what it has, by name.
    """

    name: str
    key: str
    at: str
    files: dict[str, MarkedFile]

    def covers(self, stamps: Mapping[str, FileStamp]) -> bool:
        """Say whether these very files, no more and no fewer, are what the learner has."""
        return {name: file.stamp for name, file in self.files.items()} == dict(stamps)


class _Fetched(msgspec.Struct, frozen=True):
    learners: tuple[Mark, ...]
    fetched_schema_version: int = FETCHED_SCHEMA_VERSION


def read_marks(bag: Path) -> tuple[Mark, ...]:
    """Return the marks of a bag, the oldest first; none where it has no ``fetched.json``.

    Raises:
        BagError: the file is malformed or of a newer version.
    """
    path = bag / FETCHED_FILE
    try:
        fetched = msgspec.json.decode(path.read_bytes(), type=_Fetched)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise BagError(f"{path} cannot be read: {error}; delete it, and it is fetched anew") from (
            error
        )
    if fetched.fetched_schema_version != FETCHED_SCHEMA_VERSION:
        raise BagError(
            f"{path}: schema version {fetched.fetched_schema_version} given, "
            f"{FETCHED_SCHEMA_VERSION} allowed; a newer version needs a newer ROVE"
        )
    return fetched.learners


def add_mark(bag: Path, mark: Mark) -> None:
    """Write a mark; it replaces the one of the same key. A malformed file is replaced.

    Raises:
        BagError: the disk refuses.
    """
    try:
        others = read_marks(bag)
    except BagError:
        others = ()
    kept = [other for other in others if other.key != mark.key][1 - MOST_LEARNERS :]
    data = msgspec.json.format(msgspec.json.encode(_Fetched((*kept, mark))), indent=1)
    try:
        write_atomic(bag / FETCHED_FILE, data + b"\n")
    except OSError as error:
        raise BagError(f"{bag / FETCHED_FILE} cannot be written: {error}") from error
