"""KeeperService: serves the bags of a folder and keeps its limits, in threads of its own."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rove_core.bag.fetch.catalogue import Catalogue
from rove_core.bag.fetch.server import FetchServer
from rove_core.bag.keeping.digests import digest_file
from rove_core.bag.keeping.names import KEEPER_LOCK
from rove_core.bag.keeping.pace import Pace
from rove_core.bag.keeping.plan import Limits
from rove_core.bag.keeping.sweep import Sweeper, Swept
from rove_core.errors import BagError, RoveError
from rove_core.keys import KeyPair

WAIT_S = 0.1
"""How long a stop request may wait."""


@dataclass(frozen=True)
class Health:
    """What a person wants to know of a keeper.

    Attributes:
        swept: the newest look at the folder, None before the first.
        deleted: bags deleted since the start.
        sent_bytes, marked: since the start.
        problem: why it does not work, "" when it does.
    """

    swept: Swept | None
    deleted: int
    sent_bytes: int
    marked: int
    problem: str

    @property
    def alarm(self) -> str:
        """What a person must do something about, "" when all is well."""
        return self.problem or (self.swept.alarm if self.swept is not None else "")


class _StoppedError(RoveError):
    """The service ends while a file is being read."""


class KeeperService:
    """Serves, reads and deletes. Reading is paced as sending is, so that the recorder that writes
    to the same disk does not wait.

    Args:
        folder: of the bags; made when it is missing.
        limits: to be kept.
        key: the robot's CURVE pair.
        learners: name by public CURVE key (z85) of those who may fetch.
        robot: name of the robot's profile.
        bind: endpoint; "" serves nobody and only keeps the limits.
        bytes_per_s: of all learners together, and of reading.
        sweep_s: time between two looks at the limits, s.
        say: told in words what happened, from any thread.
        now_ns: wall clock, ns.

    Attributes:
        endpoint: where learners connect, "" when nobody is served.

    Raises:
        ConfigError: endpoint or rate.
        BagError: the folder cannot be used, or another keeper has it.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        key: KeyPair,
        learners: Mapping[bytes, str],
        *,
        robot: str,
        bind: str,
        bytes_per_s: float,
        sweep_s: float = 10.0,
        say: Callable[[str], None] = lambda _: None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder, self._sweep_s, self._say = Path(folder), sweep_s, say
        self._stop, self._sweep_now = threading.Event(), threading.Event()
        self._swept: Swept | None = None
        self._deleted, self._problems = 0, dict[str, str]()
        self._lock = _lock(self._folder)
        self._catalogue = Catalogue(
            self._folder, lambda path, read: digest_file(path, self._paced(bytes_per_s, read))
        )
        self._server: FetchServer | None = None
        self.endpoint = ""
        try:
            if bind:
                self._server = FetchServer(
                    key,
                    learners,
                    self._catalogue,
                    robot=robot,
                    at=lambda: datetime.fromtimestamp(now_ns() / 1e9, UTC).isoformat(),
                    bind=bind,
                    bytes_per_s=bytes_per_s,
                )
                self.endpoint = self._server.endpoint
            self._sweeper = Sweeper(
                self._folder, limits, now_ns, self._pinned, self._paced(bytes_per_s)
            )
        except RoveError:
            os.close(self._lock)
            raise
        jobs = {"sweep": self._sweep_loop}
        if self._server is not None:
            jobs |= {"serve": self._serve_loop, "read": self._read_loop}
        self._threads = [
            threading.Thread(target=self._guarded, args=(name, job), name=name, daemon=True)
            for name, job in jobs.items()
        ]

    def start(self) -> None:
        """Start serving and keeping."""
        for thread in self._threads:
            thread.start()

    def health(self) -> Health:
        """Return how it goes."""
        sender = self._server.sender if self._server is not None else None
        return Health(
            self._swept,
            self._deleted,
            sender.sent_bytes if sender is not None else 0,
            sender.marked if sender is not None else 0,
            "; ".join(tuple(self._problems.values())),
        )

    def close(self) -> None:
        """Stop, free the port and the folder."""
        self._stop.set()
        self._sweep_now.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        if self._server is not None:
            self._server.close()
        os.close(self._lock)

    def _guarded(self, name: str, job: Callable[[], None]) -> None:
        """Run a job until the end; what it cannot do now it tries again, and says so."""
        while not self._stop.is_set():
            try:
                job()
                self._problems.pop(name, None)
            except _StoppedError:
                return
            except Exception as error:  # a thread that dies unseen would look like no bags
                self._problems[name] = f"{name}: {error}"
                self._stop.wait(1.0)

    def _serve_loop(self) -> None:
        assert self._server is not None
        marked = self._server.sender.marked
        self._server.poll(WAIT_S)
        if self._server.sender.marked != marked:
            self._sweep_now.set()

    def _read_loop(self) -> None:
        self._catalogue.work(WAIT_S)

    def _sweep_loop(self) -> None:
        if self._swept is None:
            self._sweeper.clean()
        self._swept = swept = self._sweeper.sweep()
        self._deleted += len(swept.deleted)
        for name in swept.deleted:
            self._say(f"bag {name} was deleted: a learner has it and the limits ask for room")
        self._problems.pop("sweep", None)
        self._sweep_now.wait(self._sweep_s)
        self._sweep_now.clear()

    def _pinned(self) -> frozenset[str]:
        return self._server.pinned if self._server is not None else frozenset()

    def _paced(
        self, bytes_per_s: float, then: Callable[[int], None] = lambda _: None
    ) -> Callable[[int], None]:
        """Return what a reader calls with the bytes that it read."""
        pace = Pace(bytes_per_s)

        def read(count: int) -> None:
            pace.spend(count)
            if self._stop.wait(pace.wait_s()):
                raise _StoppedError("the keeper ends")
            then(count)

        return read


def _lock(folder: Path) -> int:
    """Hold a folder as its one keeper.

    Raises:
        BagError: another one has it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / KEEPER_LOCK, flags, 0o644)
    except OSError as error:
        raise BagError(f"folder of bags {folder} cannot be written: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise BagError(
            f"folder of bags {folder} is kept by another keeper; one a folder allowed ({error})"
        ) from error
    return descriptor
