"""Sweeper: keeps the limits of a folder of bags by deleting what learners have."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rove_core.bag.keeping.digests import FileStamp, digest_file
from rove_core.bag.keeping.inventory import Inventory, KeptBag, look_at, take_inventory
from rove_core.bag.keeping.marks import Mark
from rove_core.bag.keeping.names import DELETED_PREFIX
from rove_core.bag.keeping.plan import Candidate, Deletions, Limits, plan
from rove_core.delivery.files import sync_folder
from rove_core.errors import BagError


@dataclass(frozen=True)
class Swept:
    """What a sweep found and did.

    Attributes:
        deleted: names, in the order in which they went.
        left: the plan for what is left: nothing to delete, and whether the limits are kept.
        inventory: of what is left.
        spoilt: why bags stay that learners have: their bytes are no longer those that were sent.
        problems: of bags that cannot be served.
    """

    deleted: tuple[str, ...]
    left: Deletions
    inventory: Inventory
    spoilt: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def alarm(self) -> str:
        """What a person must know, "" when all is well."""
        said = []
        if not self.left.kept:
            excess = f"{self.left.excess_bytes / 1e9:.1f} GB above the size limit"
            overdue = f"{self.left.overdue} bags above the age limit"
            over = [excess] * bool(self.left.excess_bytes) + [overdue] * bool(self.left.overdue)
            waiting = (
                f"{self.left.waiting} bags with {self.left.waiting_bytes / 1e9:.1f} GB wait for a "
                "learner (rove-learn pull)"
                if self.left.waiting
                else "nothing waits for a learner; what else lies there may not be deleted"
            )
            said.append(f"{', '.join(over)}: {waiting}")
        return "; ".join([*said, *self.spoilt, *self.problems])


class Sweeper:
    """Deletes bags that a learner has; never another one, and never a recording.

    A bag is read whole before it goes and must hold the very bytes that a learner confirmed. It
    then vanishes from its place in one step, so that nobody finds half of it.

    Args:
        folder: of the bags.
        limits: to be kept.
        now_ns: wall clock, ns.
        pinned: returns the names of the bags that are being sent.
        on_bytes: called while bags are read; it may wait, and what it raises ends the sweep.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        now_ns: Callable[[], int],
        pinned: Callable[[], Collection[str]] = tuple,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder, self._limits, self._now_ns = folder, limits, now_ns
        self._pinned, self._on_bytes = pinned, on_bytes
        # Not read again and again while nothing changed.
        self._spoilt: dict[str, tuple[KeptBag, str]] = {}

    def clean(self) -> None:
        """Remove what a keeper that died was deleting. Call it before the first sweep."""
        with suppress(OSError):
            for path in self._folder.glob(f"{DELETED_PREFIX}*"):
                shutil.rmtree(path, ignore_errors=True)

    def sweep(self) -> Swept:
        """Keep the limits as far as that is allowed.

        Raises:
            BagError: the folder cannot be read.
        """
        deleted: list[str] = []
        stuck: dict[str, str] = {}
        while True:
            inventory = take_inventory(self._folder)
            self._forget(inventory)
            kept = {bag.name: bag for bag in inventory.bags}
            candidates = self._candidates(inventory, stuck)
            left = plan(candidates, self._limits, self._now_ns(), inventory.other_bytes)
            if not left.names:
                problems = tuple(bag.problem for bag in inventory.bags if bag.problem)
                spoilt = (*(reason for _, reason in self._spoilt.values()), *stuck.values())
                return Swept(tuple(deleted), left, inventory, spoilt, problems)
            for name in left.names:
                reason = self._delete(kept[name])
                if reason:
                    stuck[name] = reason  # looked at again in the next sweep
                elif reason is None:
                    deleted.append(name)

    def _candidates(self, inventory: Inventory, stuck: Collection[str]) -> list[Candidate]:
        pinned, stays = self._pinned(), {*self._spoilt, *stuck}
        return [
            Candidate(
                bag.name,
                bag.bytes,
                bag.ended_ns,
                fetched=bool(bag.holders()),
                pinned=bag.name in pinned or bag.name in stays,
            )
            for bag in inventory.bags
        ]

    def _forget(self, inventory: Inventory) -> None:
        now = {bag.name: bag for bag in inventory.bags}
        self._spoilt = {n: found for n, found in self._spoilt.items() if now.get(n) == found[0]}

    def _delete(self, bag: KeptBag) -> str | None:
        """Delete a bag that is what a learner has.

        Returns:
            None when it went, why it stays for now, or "" when it stays until somebody changes it.
        """
        try:
            # `rove bag cut` holds this lock while it changes the cuts.
            folder = os.open(bag.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            return f"{bag.path} cannot be deleted: {error}"
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if spoilt := self._differs(bag):
                self._spoilt[bag.name] = bag, spoilt
                return ""
            self._remove(bag.path)
        except BlockingIOError:
            return f"{bag.path} cannot be deleted: it is in use"
        except (OSError, BagError) as error:
            return f"{bag.path} cannot be deleted: {error}"
        finally:
            os.close(folder)
        return None

    def _differs(self, bag: KeptBag) -> str:
        """Return why a bag is not what any learner has, "" when it is."""
        found = {}
        for name in bag.files:
            digest = digest_file(bag.path / name, self._on_bytes)
            found[name] = (digest.stamp, digest.sha256)
        now = look_at(bag.path)
        if now is None or now.files != bag.files or not any(_holds(m, found) for m in now.marks):
            return (
                f"{bag.path} stays: its bytes are not those that a learner fetched; look at it "
                "with `rove bag verify` before it is deleted by hand"
            )
        return ""

    @staticmethod
    def _remove(path: Path) -> None:
        doomed = path.with_name(DELETED_PREFIX + path.name)
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        sync_folder(path.parent)
        shutil.rmtree(doomed, ignore_errors=True)  # what stays is removed at the next start


def _holds(mark: Mark, found: dict[str, tuple[FileStamp, str]]) -> bool:
    return {n: (f.stamp, f.sha256) for n, f in mark.files.items()} == found
