"""Disks that fail and processes that die, for the tests of bags."""

from __future__ import annotations

import errno
import os
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bag_examples import MS, START, record_frames, small_info, small_spec

from rove_core.bag.reader import Bag, RawMessage
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.writer import BagWriter
from rove_core.vocabulary import EpisodeChange, Outcome

PAGE = 4096
STEPS = ("fsync", "fdatasync", "rename", "unlink", "rmdir", "mkdir")
"""Functions of ``os`` between which a process can die."""


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where temporary folders of tests go that force hundreds of files to the disk: into memory."""


class DiedError(BaseException):
    """The process that ran here is dead: nothing may handle this."""


def recorded(folder: Path, frames: int, **writer: object) -> EpisodeRecorder:
    """Return the recorder of an episode of the small robot that has not ended.

    Twelve messages a frame, 50 ms of log time apart.
    """
    spec = small_spec()
    recorder = EpisodeRecorder(folder, spec, small_info(spec, folder.name), **writer)
    recorder.episode_event(START, EpisodeChange.STARTED)
    record_frames(recorder, spec, frames)
    return recorder


def end(recorder: EpisodeRecorder, frames: int) -> Path:
    """End such an episode and return its bag."""
    stop = START + frames * 50 * MS
    recorder.episode_event(stop, EpisodeChange.STOPPED, Outcome.SUCCESS, "clean")
    return recorder.close(Outcome.SUCCESS, "clean")


def whole_episode(folder: Path, frames: int, **writer: object) -> Path:
    """Record an episode of the small robot, end it and return its bag."""
    return end(recorded(folder, frames, **writer), frames)


def contents(path: Path, partial: bool = False) -> list[RawMessage]:
    """Return the messages of a bag, without what a recovery adds to tell what was lost."""
    return [m for m in Bag(path, partial=partial).raw_messages() if m.topic != "recorder/loss"]


def is_subsequence(part: list[Any], whole: list[Any]) -> bool:
    """Say whether all of ``part`` is in ``whole``, in the same order."""
    rest = iter(whole)
    return all(any(item == other for other in rest) for item in part)


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Yield an empty folder in memory, where forcing to the disk takes no time."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@contextmanager
def hooked(hook: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Call ``hook(name, arguments)`` before every step in ``STEPS`` and after it with name ""."""
    originals = {name: getattr(os, name) for name in STEPS}

    def wrap(name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            hook(name, args)
            result = originals[name](*args, **options)
            hook("", args)
            return result

        return call

    for name in STEPS:
        setattr(os, name, wrap(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run ``work`` in a child that is killed at a step; return whether it came that far.

    Steps are numbered from 0 and lie before and after each call of ``STEPS``. What the child had
    not handed to the operating system is gone, as after SIGKILL.
    """
    child = os.fork()
    if child == 0:
        left = step

        def die(name: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        status = 1
        try:
            with hooked(die):
                work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed before it was killed"
    return False


@dataclass
class Disk:
    """What of a folder was forced to the disk, by watching ``fsync`` and ``fdatasync``.

    Attributes:
        root: the folder; as it is now, it is on the disk.
        files: inode -> content when it was forced last.
        folders: inode -> name -> inode when it was forced last.
    """

    root: Path
    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder, _, files in os.walk(self.root):
            self._force(Path(folder))
            for name in files:
                self._force(Path(folder) / name)

    def _force(self, path: Path | str) -> None:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                self.folders[status.st_ino] = {e.name: e.inode() for e in entries}
        else:
            with open(path, "rb") as stream:
                self.files[status.st_ino] = stream.read()

    def hook(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take part in ``hooked``: what is forced is on the disk before the call returns."""
        if name in ("fsync", "fdatasync"):
            self._force(f"/proc/self/fd/{arguments[0]}")

    def cut_power(self, target: Path, random: np.random.Generator) -> None:
        """Make in ``target`` what might be found after the power failed now.

        Of what was not forced to the disk each page of a file, its length and each name in a
        folder is the old one, the new one or, for pages, zeros or noise. Bytes that were forced to
        the disk and are written again as they were stay: a disk that spoils them ("powersafe
        overwrite" is what SQLite calls the promise that none does) would spoil any growing file.
        """
        target.mkdir()
        self._folder(self.root.stat().st_ino, self.root, target, random)

    def _folder(
        self, inode: int, now: Path | None, target: Path, random: np.random.Generator
    ) -> None:
        forced = self.folders.get(inode, {})
        current: dict[str, int] = {}
        if now is not None:
            with os.scandir(now) as entries:
                current = {entry.name: entry.inode() for entry in entries}
        chosen: dict[str, int] = {}
        for each in sorted({*forced.values(), *current.values()}):
            names = [
                [name for name, other in listing.items() if other == each]
                for listing in (forced, current)
            ]
            for name in names[random.integers(2)]:
                chosen.setdefault(name, each)
        places = {i: now / name for name, i in current.items()} if now is not None else {}
        for name, each in chosen.items():
            place = places.get(each)
            if each in self.folders or (place is not None and place.is_dir()):
                (target / name).mkdir()
                self._folder(each, place, target / name, random)
            else:
                new = place.read_bytes() if place is not None else None
                (target / name).write_bytes(self._file(each, new, random))

    def _file(self, inode: int, new: bytes | None, random: np.random.Generator) -> bytes:
        old = self.files.get(inode, b"")
        if new is None or new == old:
            return old
        low, high = sorted((len(old), len(new)))
        length = int(random.choice([len(old), len(new), random.integers(low, high + 1)]))
        length = max(length, len(old))  # our files only grow
        pages = []
        survival = random.random()
        for begin in range(0, length, PAGE):
            size = min(PAGE, length - begin)
            before, after = old[begin : begin + size], new[begin : begin + size]
            if before == after or random.random() < survival:
                page = after
            elif random.random() < 0.8:
                page = before
            else:
                page = before + random.bytes(size)
            pages.append(page.ljust(size, b"\0")[:size])
        return b"".join(pages)


class FailingFile:
    """A file whose disk fails once ``budget`` writes and syncs are used up.

    Args:
        path: of the new file.
        budget: calls that work.
        number: of the error, EIO for one.
        short: bytes of the failing write that still reach the file.
    """

    def __init__(self, path: Path, budget: int, number: int = errno.EIO, short: int = 0) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - lives as long
        self._budget, self._number, self._short = budget, number, short

    def _use(self) -> None:
        self._budget -= 1
        if self._budget < 0:
            raise OSError(self._number, os.strerror(self._number))

    def write(self, data: bytes) -> int:
        try:
            self._use()
        except OSError:
            self._file.write(data[: self._short])
            raise
        return self._file.write(data)

    def sync(self) -> None:
        self._use()
        os.fdatasync(self._file.fileno())

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def numbered(folder: Path, count: int, **writer: Any) -> BagWriter:
    """Return an open writer of ``count`` numbered messages of random bytes, 1 ms apart."""
    random = np.random.default_rng(count)
    bag = BagWriter(folder, small_info(small_spec(), folder.name), **writer)
    bag.declare("/toy/joint_states", "sensor_msgs/msg/JointState")
    for i in range(count):
        body = b"\0\1\0\0" + i.to_bytes(4, "little") + random.bytes(int(random.integers(10, 200)))
        bag.write("/toy/joint_states", body, START + i * 1_000_000, sequence=i + 1)
    return bag
