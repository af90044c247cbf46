"""recover: a whole bag from what a dead writer, a power cut or a broken disk left.

Every step leaves a state from which another call goes on, so it may be killed at any time: the new
bag is written as ``<name>.recovering``, forced to the disk, given its name in one step, and only
then is what it was made of removed. That is kept as ``<name>.damaged`` when something in its
middle could not be read, for whoever can make more of it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rove_core.bag.folder import DAMAGED_SUFFIX, RECOVERING_SUFFIX, locate
from rove_core.bag.reader import Bag
from rove_core.bag.rebuild import RECOVERY_RECORD, rebuild, sync_folder
from rove_core.bag.schema import RECORDING_SUFFIX, RecordingEnd
from rove_core.errors import BagError


def recover(path: Path | str, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Make a whole bag; one that is whole already is left alone.

    Every message that reached the disk in an intact chunk is in it, byte for byte and in order;
    its recording ends as RECOVERED. The outcome is the recorded one, that of the episode's last
    event, or else UNKNOWN, and then its reason says what was lost.

    Args:
        path: ``<name>.recording``, ``<name>``, ``<name>.damaged`` or the MCAP file in it.
        progress: told how many messages were written, and of how many.

    Returns:
        The folder ``<name>``.

    Raises:
        BagError: there is no such bag, its writer lives, a bag of that name exists already, not
            even the description of the episode can be read, or the disk refuses. Nothing was
            removed.
    """
    names = _Names.of(Path(path))
    try:
        return _recover(names, progress or _silent)
    except OSError as error:
        raise BagError(f"bag {names.source()} cannot be recovered: {error}") from error


def _silent(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class _Names:
    """Folders of a bag by the state in which it can be."""

    final: Path
    recording: Path
    recovering: Path
    damaged: Path

    @classmethod
    def of(cls, path: Path) -> _Names:
        folder = path.parent if path.is_file() else path
        name = folder.name
        for suffix in (RECORDING_SUFFIX, RECOVERING_SUFFIX, DAMAGED_SUFFIX):
            name = name.removesuffix(suffix)
        names = [f"{name}{s}" for s in ("", RECORDING_SUFFIX, RECOVERING_SUFFIX, DAMAGED_SUFFIX)]
        return cls(*(folder.with_name(each) for each in names))

    def source(self) -> Path:
        """Return the folder that a whole bag would be made of, whether it exists or not."""
        found = [path for path in (self.recording, self.final, self.damaged) if path.exists()]
        return found[0] if found else self.final


def _recover(names: _Names, progress: Callable[[int, int], None]) -> Path:
    if names.recording.exists() and names.final.exists():
        _finish(names)
        return names.final
    source = names.source()
    with _held(source):
        bag = Bag(source, partial=True)
        if source == names.final and _is_whole(bag):
            _finish(names)
            return names.final
        if source != names.damaged and names.damaged.exists():
            raise BagError(f"{names.damaged} is in the way of recovering {source}; move it first")
        kept = any(damage.before_ns >= 0 for damage in bag.damages)
        shutil.rmtree(names.recovering, ignore_errors=True)  # of a recovery that died
        try:
            rebuild(bag, names.recovering, names.final.name, kept, progress)
            if source == names.final:
                source.rename(names.damaged)
                sync_folder(names.final.parent)
            if names.final.exists():  # an empty folder would be replaced by a plain rename
                raise BagError(f"bag {names.final} appeared while it was being recovered")
        except BaseException:
            shutil.rmtree(names.recovering, ignore_errors=True)
            raise
        names.recovering.rename(names.final)
        sync_folder(names.final.parent)
        _finish(names)
    return names.final


def _is_whole(bag: Bag) -> bool:
    return not bag.damages and (bag.path / "metadata.yaml").is_file()


def _finish(names: _Names) -> None:
    """Put away what a recovered bag was made of; raise BagError unless it is recovered from it."""
    record = Bag(names.final).metadata.get(RECOVERY_RECORD)
    if names.recording.exists():
        remains = _file(names.recording)
        ours = record is not None and (
            remains is None or str(remains.stat().st_size) == record["source_bytes"]
        )
        if not ours or not _same_episode(names):
            raise BagError(
                f"bag {names.final} exists already; {names.recording} is not what it was "
                "recovered from, and bags are never overwritten"
            )
        assert record is not None
        if record["source_kept"] == "true" and remains is not None:
            names.recording.rename(names.damaged)
        else:
            _remove(names.recording)
    elif names.damaged.exists() and record is not None and record["source_kept"] == "false":
        _remove(names.damaged)
    shutil.rmtree(names.recovering, ignore_errors=True)
    sync_folder(names.final.parent)


def _same_episode(names: _Names) -> bool:
    if _file(names.recording) is None:
        return True  # most of it was removed already
    return (
        Bag(names.recording).info.episode_id == Bag(names.final).info.episode_id
        and Bag(names.final).outcome.recording is RecordingEnd.RECOVERED
    )


def _file(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.mcap"))), None)


def _remove(folder: Path) -> None:
    """Remove a folder, its MCAP file first: without it nobody takes the rest for a bag."""
    file = _file(folder)
    if file is not None:
        file.unlink()
    shutil.rmtree(folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the lock that the writer of a bag holds while it lives.

    Raises:
        BagError: somebody writes or recovers it.
    """
    _, file = locate(folder)
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BagError(
                f"{folder} is still being written or recovered by a living process"
            ) from None
        if not file.exists() or os.fstat(descriptor).st_ino != file.stat().st_ino:
            raise BagError(f"{folder} was recovered by another process meanwhile")
        yield
    finally:
        os.close(descriptor)
