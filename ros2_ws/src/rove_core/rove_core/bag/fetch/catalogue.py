"""Catalogue: what the finished bags of a folder hold, read once, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rove_core.bag.fetch.errors import ChangedError
from rove_core.bag.fetch.wire import Listed
from rove_core.bag.keeping.digests import FileDigest
from rove_core.bag.keeping.inventory import KeptBag, look_at, take_inventory
from rove_core.bag.keeping.marks import Mark, MarkedFile, add_mark
from rove_core.bag.keeping.names import is_bag_name
from rove_core.errors import BagError

MOST_BYTES = 100 << 30
"""Of one bag, so that its ``Contents`` fit into a message."""

Digest = Callable[[Path, Callable[[int], None]], FileDigest]


class Reading(NamedTuple):
    """How far a bag was read, bytes."""

    done: int
    size: int


class Catalogue:
    """Knows what a folder's bags hold. Any thread may call any method.

    Bags are found by looking into the folder, never by putting a name of a peer into a path.

    Args:
        folder: of the bags.
        digest: reads a file, see ``digest_file``.
    """

    def __init__(self, folder: Path, digest: Digest) -> None:
        self._folder, self._digest = Path(folder), digest
        self._known: dict[str, dict[str, FileDigest]] = {}  # bag -> file -> digest
        self._wanted: dict[str, list[int]] = {}  # bag -> [bytes read, bytes]; the first is next
        self._failed: dict[str, str] = {}
        self._news = threading.Condition()

    def listed(self, key: str, after: str, most: int) -> tuple[tuple[Listed, ...], bool]:
        """Return the next bags after a name, as a learner with that key sees them, and whether
        there are more.

        Raises:
            BagError: the folder cannot be read.
        """
        inventory = take_inventory(self._folder)
        with self._news:
            for name in self._known.keys() - inventory.names:
                del self._known[name]
            for name in self._failed.keys() - inventory.names:
                del self._failed[name]
        bags = [bag for bag in inventory.bags if bag.name > after and not bag.problem]
        found = tuple(
            Listed(bag.name, dict(bag.files), any(mark.key == key for mark in bag.holders()))
            for bag in bags[:most]
        )
        return found, len(bags) > most

    def contents(self, name: str) -> tuple[FileDigest, ...] | Reading:
        """Return what a bag holds, or how far it was read; never waits.

        Raises:
            BagError: no such bag, or it cannot be read.
        """
        bag = self._bag(name)
        with self._news:
            digests = self._fresh(bag)
            if digests is not None:
                return tuple(digests.values())
            if name in self._failed:
                raise BagError(self._failed.pop(name))
            done, size = self._wanted.setdefault(name, [0, bag.bytes])
            self._news.notify_all()
            return Reading(min(done, size), size)

    def find(self, name: str, file: str, sha256: str) -> tuple[Path, FileDigest]:
        """Return where a file of a bag lies, and its digest.

        Raises:
            ChangedError: it is not, or no longer, what the learner knows.
        """
        with self._news:
            digest = self._known.get(name, {}).get(file)
        if digest is None or digest.sha256 != sha256:
            raise ChangedError(f"bag {name!r}: {file!r} is not what was asked about")
        return self._folder / name / file, digest

    def mark(self, name: str, learner: str, key: str, at: str, files: dict[str, str]) -> None:
        """Note that a learner has a bag; ``files`` is name to SHA-256.

        Raises:
            ChangedError: that is not what the bag holds now.
            BagError: no such bag, or the note cannot be written.
        """
        bag = self._bag(name)
        with self._news:
            digests = self._fresh(bag)
        has = {n: MarkedFile(d.stamp, d.sha256) for n, d in (digests or {}).items()}
        for mark in bag.holders():  # known from before this program started
            has = has or dict(mark.files)
        if not has or files != {n: file.sha256 for n, file in has.items()}:
            raise ChangedError(f"bag {name!r} is not what was fetched")
        add_mark(bag.path, Mark(learner, key, at, has))

    def work(self, wait_s: float) -> bool:
        """Read one bag that was asked for; return whether there was one within the wait, s."""
        with self._news:
            if not self._news.wait_for(lambda: self._wanted, wait_s):
                return False
            name = next(iter(self._wanted))
            progress = self._wanted[name]
        digests: dict[str, FileDigest] = {}
        reason = ""

        def read(count: int) -> None:
            progress[0] += count

        try:
            bag = self._bag(name)
            for file in bag.files:
                digests[file] = self._digest(bag.path / file, read)
        except BagError as error:
            reason = str(error)
        finally:
            with self._news:
                del self._wanted[name]
        with self._news:
            if reason:
                self._failed[name] = reason
            else:
                self._known[name] = digests
        return True

    def _bag(self, name: str) -> KeptBag:
        found = look_at(self._folder / name) if is_bag_name(name) else None
        if found is None:
            raise BagError(f"bag {name!r} given, one of the finished bags allowed")
        if found.problem:
            raise BagError(found.problem)
        if found.bytes > MOST_BYTES:
            raise BagError(f"bag {name!r} has {found.bytes} bytes, {MOST_BYTES} allowed")
        return found

    def _fresh(self, bag: KeptBag) -> dict[str, FileDigest] | None:
        """Return the digests of a bag unless one of its files changed since they were made."""
        digests = self._known.get(bag.name)
        if digests is None or {n: d.stamp for n, d in digests.items()} != dict(bag.files):
            return None
        return digests
