"""pull: every finished bag of a robot that is not here yet, whole, verified, then marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from rove_core.bag.fetch.client import RobotBags
from rove_core.bag.fetch.errors import ChangedError, RefusedError
from rove_core.bag.fetch.landing import Landing
from rove_core.bag.fetch.receipt import Receipt
from rove_core.bag.fetch.wire import Listed
from rove_core.bag.keeping.digests import FileDigest
from rove_core.bag.keeping.marks import MarkedFile
from rove_core.bag.keeping.names import is_recording

TRIES = 3
"""A bag that changes on the robot while it is fetched is asked for anew so often."""


@dataclass
class Pulled:
    """What a pull did.

    Attributes:
        robot: name of the robot's profile.
        fetched: bags that are new here.
        renewed: bags of which a file changed on the robot and was fetched.
        here: bags that were here already.
        bytes: that came over the network.
        failed: why a bag is not here, by name; the next pull tries again.
        edited: files that were edited here and on the robot, as ``bag/file``.
    """

    robot: str = ""
    fetched: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    bytes: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)


class Watcher:
    """Is told how a pull goes; this one does nothing."""

    def begin(self, bags: int, bytes_: int) -> None:
        """A pull begins: bags that may be new here, and their size."""

    def preparing(self, bag: str, done: int, size: int) -> None:
        """The robot reads a bag: bytes done and in all."""

    def fetching(self, bag: str) -> None:
        """The bytes of a bag begin to come."""

    def resumed(self, count: int) -> None:
        """So many bytes of it are here already, from an earlier pull."""

    def arrived(self, count: int) -> None:
        """So many bytes came and were written."""


def pull(robot: RobotBags, landing: Landing, at: Callable[[], str], watcher: Watcher) -> Pulled:
    """Fetch what is not here yet and tell the robot what is safe here.

    A bag that the robot refuses, or of which it sends wrong bytes, is left out and named; the
    others are fetched.

    Args:
        robot: whose bags.
        landing: where they go.
        at: returns the wall time for receipts, ISO 8601.
        watcher: see there.

    Raises:
        UnreachableError: the robot is gone; what arrived stays.
        FetchError: the disk here is full or refuses, or the robot cannot be understood.
    """
    return _Pull(robot, landing, at, watcher).run()


class _Pull:
    def __init__(
        self, robot: RobotBags, landing: Landing, at: Callable[[], str], watcher: Watcher
    ) -> None:
        self._robot, self._landing, self._at, self._watcher = robot, landing, at, watcher
        self._done = Pulled()

    def run(self) -> Pulled:
        self._done.robot, listed = self._robot.list()
        wanted = [bag for bag in listed.values() if not self._is_here(bag)]
        size = sum(stamp.size for bag in wanted for stamp in bag.files.values())
        self._watcher.begin(len(wanted), size)
        for bag, following in zip_longest(wanted, wanted[1:]):
            try:
                self._bag(bag.bag, following)
            except RefusedError as error:
                self._done.failed[bag.bag] = str(error)
        return self._done

    def _receipt(self, bag: str) -> Receipt | None:
        """Return the receipt of a bag that is here and came from this robot.

        Raises:
            RefusedError: another bag of that name is in its place.
        """
        receipt = self._landing.receipt(bag)
        if receipt is not None and receipt.robot_key != self._robot.public:
            raise RefusedError(
                f"{self._landing.path(bag)} came from another robot ({receipt.robot}); pull each "
                "robot into a folder of its own"
            )
        return receipt

    def _is_here(self, bag: Listed) -> bool:
        try:
            receipt = self._receipt(bag.bag)
            if receipt is None or not receipt.is_of(bag.files):
                return False
            if not bag.marked:  # a pull ended between its last two steps, or the mark was lost
                self._robot.mark(bag.bag, receipt.hashes())
        except ChangedError:
            return False
        except RefusedError as error:
            self._done.failed[bag.bag] = str(error)
        else:
            self._done.here.append(bag.bag)
        return True

    def _bag(self, bag: str, following: Listed | None) -> None:
        """Fetch a bag, anew when it changes meanwhile."""
        for tries_left in reversed(range(TRIES)):
            try:
                files = self._robot.contents(
                    bag, lambda done, size: self._watcher.preparing(bag, done, size)
                )
                if following is not None:
                    self._robot.prepare(following.bag)
                receipt = Receipt(
                    self._done.robot,
                    self._robot.public,
                    self._at(),
                    {file.name: MarkedFile(file.stamp, file.sha256) for file in files},
                )
                self._fetch(bag, files, receipt)
                self._robot.mark(bag, receipt.hashes())
            except ChangedError:
                if not tries_left:
                    raise
            else:
                return

    def _fetch(self, bag: str, files: tuple[FileDigest, ...], receipt: Receipt) -> None:
        """Bring a bag to its place here as the robot has it."""
        old = self._receipt(bag)
        path = self._landing.path(bag)
        if old is None and path.exists():
            if not self._landing.same(bag, files):
                raise RefusedError(
                    f"{path} is in the way: another bag, or one that was changed; move it away"
                )
            self._landing.adopt(bag, receipt)
            self._done.here.append(bag)
            return
        before, after = old.hashes() if old is not None else {}, receipt.hashes()
        changed = [
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        ]
        if old is not None and not any(is_recording(name) for name in changed):
            self._receive(bag, [file for file in files if file.name in changed])
            aside = self._landing.settle_sidecars(bag, old, receipt)
            self._done.edited += [f"{bag}/{name}" for name in aside]
            (self._done.renewed if changed else self._done.here).append(bag)
            return
        self._receive(bag, files)
        self._landing.settle(bag, receipt)
        (self._done.fetched if old is None else self._done.renewed).append(bag)

    def _receive(self, bag: str, files: list[FileDigest] | tuple[FileDigest, ...]) -> None:
        self._watcher.fetching(bag)
        self._watcher.resumed(self._landing.have_bytes(bag, files))

        def pieces(file: FileDigest, first: int) -> Iterator[bytes]:
            for data in self._robot.pieces(bag, file, first):
                yield data
                self._done.bytes += len(data)
                self._watcher.arrived(len(data))

        self._landing.receive(bag, files, pieces)
