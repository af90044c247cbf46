"""Landing: the learner's folder of bags, in which a bag appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rove_core.bag.fetch.errors import FetchError, RefusedError
from rove_core.bag.fetch.part import Part, missing_bytes
from rove_core.bag.fetch.receipt import Receipt, read_receipt
from rove_core.bag.keeping.digests import FileDigest, digest_file
from rove_core.bag.keeping.names import KEEPER_LOCK, is_bag_name, is_file_name
from rove_core.bag.recording.lock import LOCK_NAME
from rove_core.delivery.files import sync_folder
from rove_core.errors import BagError, ConfigError

INCOMING = ".incoming"
"""Below the folder: bags that are arriving. A leading dot keeps readers of bags away."""
REPLACED = ".replaced-"
KEPT_ASIDE = ".robot"
"""Ends the name of a sidecar of the robot beside one that was edited here, too."""
SPARE_BYTES = 16 << 20
"""Room that stays free, so that notes can be written."""

Pieces = Callable[[FileDigest, int], Iterator[bytes]]
"""Returns the pieces of a file from one on."""


class Landing:
    """A folder that bags are pulled into, by one program at a time.

    Args:
        folder: of the bags; made when it is missing.

    Raises:
        ConfigError: it is a robot's own folder: pulled bags would count as safe there.
        FetchError: another pull uses it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        for name in (KEEPER_LOCK, LOCK_NAME):
            if (self.folder / name).exists():
                allowed = "one that no robot records into: what is pulled may be deleted there"
                raise ConfigError("folder to pull into", str(folder), allowed, "--out")
        self._incoming = self.folder / INCOMING
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._incoming / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError as error:
            raise FetchError(f"{folder} cannot be written: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._mend()
        except BlockingIOError:
            os.close(self._lock)
            raise FetchError(
                f"another pull into {folder} is running; one at a time allowed"
            ) from None
        except OSError as error:
            os.close(self._lock)
            raise FetchError(f"{folder} cannot be used: {error}") from error

    def close(self) -> None:
        """Let another pull use the folder."""
        os.close(self._lock)

    def __enter__(self) -> Landing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def path(self, bag: str) -> Path:
        """Return where a bag lies or will lie.

        Raises:
            RefusedError: a name that may lead out of the folder.
        """
        if not is_bag_name(bag):
            raise RefusedError(f"bag {bag!r} given, a plain name allowed")
        return self.folder / bag

    def receipt(self, bag: str) -> Receipt | None:
        """Return the receipt of a bag that is here with all its recording, otherwise None."""
        path = self.path(bag)
        found = read_receipt(path)
        if found is None:
            return None
        for name, file in found.files.items():
            here = path / name
            if name.endswith(".mcap") and (
                not here.is_file() or here.stat().st_size != file.stamp.size
            ):
                return None
        return found

    def same(self, bag: str, files: Iterable[FileDigest]) -> bool:
        """Say whether a bag that is here holds these very files."""
        path = self.path(bag)
        try:
            return all(digest_file(path / file.name).sha256 == file.sha256 for file in files)
        except BagError:
            return False

    def have_bytes(self, bag: str, files: Iterable[FileDigest]) -> int:
        """Return how much of a bag arrived in an earlier pull, bytes."""
        wanted = list(files)
        total = sum(file.stamp.size for file in wanted)
        return total - missing_bytes(self._incoming / self.path(bag).name, wanted)

    def receive(self, bag: str, files: Iterable[FileDigest], pieces: Pieces) -> Path:
        """Bring files of a bag to the disk and return the folder in which they wait.

        Raises:
            FetchError: the disk is full or refuses; what arrived stays there.
            RefusedError: a name that may lead out of the folder, or the wrong bytes.
        """
        wanted = list(files)
        for file in wanted:
            if not is_file_name(file.name):
                raise RefusedError(f"file {file.name!r} of bag {bag!r} given, a plain name allowed")
        waiting = self._incoming / self.path(bag).name
        try:
            waiting.mkdir(exist_ok=True)
            self._need_room(bag, missing_bytes(waiting, wanted))
            for file in wanted:
                if not self._arrived(waiting / file.name, file):
                    with Part(waiting, file) as part:
                        for data in pieces(file, part.pieces):
                            part.append(data)
                        part.finish()
            sync_folder(waiting)
        except OSError as error:
            raise self._refused(bag, error) from error
        except FetchError:
            raise
        except BagError as error:
            raise RefusedError(str(error)) from error
        return waiting

    def adopt(self, bag: str, receipt: Receipt) -> None:
        """Write the receipt of a bag that is here and holds what the robot's does.

        Raises:
            FetchError: the disk refuses.
        """
        path = self.path(bag)
        try:
            for name in receipt.files:  # whoever brought it may not have waited for the disk
                with open(path / name, "rb") as file:
                    os.fsync(file.fileno())
            receipt.write(path)
            sync_folder(self.folder)
        except OSError as error:
            raise self._refused(bag, error) from error

    def settle(self, bag: str, receipt: Receipt) -> Path:
        """Give a bag that arrived whole its place, instead of an older one if there is one.

        Raises:
            FetchError: the disk refuses.
        """
        waiting, path = self._incoming / self.path(bag).name, self.path(bag)
        old = self.folder / f"{REPLACED}{bag}"
        try:
            for name in os.listdir(waiting):
                if name not in receipt.files:
                    (waiting / name).unlink()
            receipt.write(waiting)
            if path.exists():
                path.rename(old)
            waiting.rename(path)
            sync_folder(self.folder)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise self._refused(bag, error) from error
        return path

    def settle_sidecars(self, bag: str, old: Receipt, new: Receipt) -> list[str]:
        """Bring sidecars that arrived into a bag that is here; return what was edited here too.

        Such a file stays, and the robot's lies beside it as ``<name>.robot``.

        Raises:
            FetchError: the disk refuses.
        """
        waiting, path = self._incoming / self.path(bag).name, self.path(bag)
        names = sorted(old.files.keys() | new.files.keys())
        before, after = old.hashes(), new.hashes()
        aside = []
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)  # `rove bag cut` holds it while it writes
                for name in names:
                    was, new_one, here = before.get(name), after.get(name), _sha256(path / name)
                    if new_one in (was, here):
                        continue
                    if here != was:
                        aside.append(name)
                    if new_one is not None:
                        there = name + KEPT_ASIDE if here != was else name
                        (waiting / name).rename(path / there)
                    elif here == was:
                        (path / name).unlink()
                new.write(path)
                os.fsync(folder)
            finally:
                os.close(folder)
            shutil.rmtree(waiting, ignore_errors=True)
        except OSError as error:
            raise self._refused(bag, error) from error
        return aside

    def _arrived(self, path: Path, file: FileDigest) -> bool:
        """Say whether a file is there already, whole; otherwise remove what is in its place."""
        if not path.is_file():
            return False
        try:
            if digest_file(path).sha256 == file.sha256:
                return True
        except BagError:
            pass
        path.unlink()
        return False

    def _need_room(self, bag: str, wanted: int) -> None:
        free = shutil.disk_usage(self._incoming).free
        if wanted and wanted + SPARE_BYTES > free:
            raise FetchError(
                f"bag {bag!r} needs {wanted / 1e6:.1f} MB, the disk of {self.folder} has "
                f"{free / 1e6:.1f} MB free; make room, and the same pull goes on"
            )

    def _refused(self, bag: str, error: OSError) -> FetchError:
        return FetchError(
            f"bag {bag!r} cannot be written to {self.folder}: {error}; what arrived stays, and the "
            "same pull goes on when that is mended"
        )

    def _mend(self) -> None:
        """Finish or undo replacements that were interrupted."""
        for old in self.folder.glob(f"{REPLACED}*"):
            path = self.folder / old.name.removeprefix(REPLACED)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(path)
        with suppress(OSError):
            sync_folder(self.folder)


def _sha256(path: Path) -> str | None:
    """Return the hash of a file, None where there is none, "" of what cannot be read."""
    try:
        return digest_file(path).sha256 if path.exists() else None
    except BagError:
        return ""
