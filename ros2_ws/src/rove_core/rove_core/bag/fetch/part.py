"""Part: a file that is arriving. What a kill leaves of it is verified before it is used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from rove_core.bag.keeping.digests import PIECE_BYTES, FileDigest, read_pieces
from rove_core.errors import BagError

SHORT = 16  # digits of the SHA-256 in a name: another version is another part


class Part:
    """The beginning of a file; each piece in it has been verified.

    Args:
        folder: where it lies, as ``<name>.<sha256>.part``; parts of other versions are removed.
        digest: what is to arrive.

    Attributes:
        pieces: number of pieces that are there.

    Raises:
        OSError: the disk refuses.
    """

    def __init__(self, folder: Path, digest: FileDigest) -> None:
        self._digest = digest
        self.path = folder / f"{digest.name}.{digest.sha256[:SHORT]}.part"
        for other in folder.glob(f"{digest.name}.*.part"):
            if other != self.path:
                other.unlink()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o644)
        self._whole = hashlib.sha256()
        self.pieces = 0
        try:
            for data in read_pieces(self._descriptor):
                if not digest.fits(self.pieces, data):
                    break
                self._whole.update(data)
                self.pieces += 1
            os.ftruncate(self._descriptor, min(self.pieces * PIECE_BYTES, digest.stamp.size))
        except OSError:
            self.close()
            raise

    def append(self, data: bytes) -> None:
        """Add the next piece, which was verified.

        Raises:
            OSError: the disk refuses; what was there before stays.
        """
        offset, view = self.pieces * PIECE_BYTES, memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            view, offset = view[count:], offset + count
        self._whole.update(data)
        self.pieces += 1

    def finish(self) -> None:
        """Force it to the disk and give it the file's name.

        Raises:
            BagError: it is not the file that was announced; it is gone then.
            OSError: the disk refuses.
        """
        if self.pieces != self._digest.count or self._whole.hexdigest() != self._digest.sha256:
            self.path.unlink()
            raise BagError(f"{self.path.name}: the hash is not the one that the robot announced")
        os.fsync(self._descriptor)
        self.path.rename(self.path.with_name(self._digest.name))

    def close(self) -> None:
        """Leave it as it is. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def missing_bytes(folder: Path, digests: Iterable[FileDigest]) -> int:
    """Return how much room the rest of some files will take, bytes."""
    missing = 0
    for digest in digests:
        part = folder / f"{digest.name}.{digest.sha256[:SHORT]}.part"
        done = folder / digest.name
        there = part if part.is_file() else done
        have = there.stat().st_size if there.is_file() else 0
        missing += max(0, digest.stamp.size - have)
    return missing
