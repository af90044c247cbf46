"""FileDigest: what a file holds, as a whole and piece by piece."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from rove_core.errors import BagError

PIECE_BYTES = 256 * 1024
HASH_BYTES = 32

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
Stamp = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class FileStamp(msgspec.Struct, frozen=True):
    """A file's size, bytes, and time of its last change, ns: equal stamps, equal content, as far
    as one can say without reading it."""

    size: Size
    mtime_ns: Stamp

    @classmethod
    def of(cls, status: os.stat_result) -> FileStamp:
        """Return the stamp of a file."""
        return cls(status.st_size, status.st_mtime_ns)


class FileDigest(msgspec.Struct, frozen=True):
    """A file of a bag as it was read.

    Attributes:
        name: of the file in its bag.
        stamp: at that time.
        sha256: of the whole, hex.
        pieces: SHA-256 of each ``PIECE_BYTES`` in order, 32 bytes each; the last may be shorter.
    """

    name: str
    stamp: FileStamp
    sha256: Sha256
    pieces: bytes

    @property
    def count(self) -> int:
        """Number of pieces."""
        return piece_count(self.stamp.size)

    def piece_bytes(self, index: int) -> int:
        """Return the length of a piece, bytes."""
        return min(PIECE_BYTES, self.stamp.size - index * PIECE_BYTES)

    def fits(self, index: int, data: bytes) -> bool:
        """Say whether these are the bytes of that piece."""
        if not 0 <= index < self.count or len(data) != self.piece_bytes(index):
            return False
        begin = index * HASH_BYTES
        return hashlib.sha256(data).digest() == self.pieces[begin : begin + HASH_BYTES]


def piece_count(size: int) -> int:
    """Return the number of pieces of a file of that size, bytes."""
    return -(-size // PIECE_BYTES)


def open_file(path: Path) -> int:
    """Return a descriptor of a regular file; a link in its place is refused.

    Raises:
        BagError: it cannot be read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error}") from error
    if not os.path.isfile(f"/proc/self/fd/{descriptor}"):
        os.close(descriptor)
        raise BagError(f"{path}: a regular file allowed")
    return descriptor


def read_pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the pieces of an open file from its beginning."""
    while data := os.read(descriptor, PIECE_BYTES):
        while len(data) < PIECE_BYTES and (more := os.read(descriptor, PIECE_BYTES - len(data))):
            data += more
        yield data


def digest_file(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> FileDigest:
    """Read a file and return its digest.

    Args:
        path: the file.
        on_bytes: called with the length of each piece that was read; what it raises is passed on,
            and while it waits nothing is read.

    Raises:
        BagError: it cannot be read, or changed meanwhile.
    """
    descriptor = open_file(path)
    try:
        stamp = FileStamp.of(os.fstat(descriptor))
        whole, pieces = hashlib.sha256(), bytearray()
        for data in read_pieces(descriptor):
            whole.update(data)
            pieces += hashlib.sha256(data).digest()
            on_bytes(len(data))
        after = FileStamp.of(os.fstat(descriptor))
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error}") from error
    finally:
        os.close(descriptor)
    if after != stamp or len(pieces) != HASH_BYTES * piece_count(stamp.size):
        raise BagError(f"{path} changed while it was read")
    return FileDigest(path.name, stamp, whole.hexdigest(), bytes(pieces))
