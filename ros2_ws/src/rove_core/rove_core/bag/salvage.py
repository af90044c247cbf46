"""Walk a damaged MCAP file: behind a damage, go on with the next record that proves itself.

A chunk proves itself by its checksum, an attachment by its own, the index by the footer's; a
metadata record and the small indices between chunks by lengths that agree. Nothing else counts.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from mcap.opcode import Opcode
from mcap.records import Metadata

from rove_core.bag.scan import (
    HEAD,
    MAGIC,
    MALFORMED,
    ChunkReader,
    DamageError,
    Record,
    check_index,
    content,
    record_at,
)

_FOOTER_BYTES = 20
_BLOCK = 1 << 20
_LONGEST_START = 64
"""Bytes of a record that ``_STARTS`` looks at, so that blocks overlap by them."""

# Kind, a length below 2^48, and what lies at fixed places behind them: the compression of a chunk,
# a short name of a metadata record, a short name of an attachment.
_STARTS = re.compile(
    rb"\x06[\s\S]{6}\0\0[\s\S]{28}(?:\x04\0\0\0zstd|\x03\0\0\0lz4|\0\0\0\0)"
    rb"|\x0c[\s\S]{6}\0\0[\s\S]\0\0\0[ -~]"
    rb"|\x09[\s\S]{6}\0\0[\s\S]{16}[\s\S]\0\0\0[ -~]"
)


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that cannot be used.

    Attributes:
        begin, end: where they lie, bytes.
        reason: what is wrong there.
        after_ns, before_ns: log time of the last intact message before them and of the first one
            behind them, ns; -1 when there is none.
    """

    begin: int
    end: int
    reason: str
    after_ns: int = -1
    before_ns: int = -1

    def __str__(self) -> str:
        return f"{self.reason} at byte {self.begin}"


class Piece(NamedTuple):
    """An intact record; ``chunk`` holds what is in it when it is one, until the next step."""

    record: Record
    chunk: memoryview | None


def salvage(stream: BinaryIO, size: int) -> Iterator[Piece | Damage]:
    """Yield the intact records of a file of ``size`` bytes, and the damages between them.

    Together they cover the file. The records of the index come last, and only when the index as
    a whole passes its checksum.
    """
    return _Walk(stream, size).pieces()


class _Walk:
    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._reader = ChunkReader(stream)

    def pieces(self) -> Iterator[Piece | Damage]:
        index = self._index()
        end = index or self._size
        offset, complete = min(len(MAGIC), self._size), False
        self._stream.seek(0)
        if self._stream.read(len(MAGIC)) != MAGIC:
            yield Damage(0, offset, "no MCAP magic")
        while offset < end and not complete:
            try:
                piece = self._piece(offset, end)
            except DamageError as damage:
                following = self._behind(offset, end) or self._next(offset + 1, end)
                yield Damage(offset, following, damage.reason)
                offset = following
            else:
                yield piece
                offset = piece.record.offset + piece.record.length
                complete = piece.record.opcode == Opcode.DATA_END
        if not index:
            reason = "the index is broken" if complete else "the file ends without an index"
            yield Damage(offset, self._size, reason)
            return
        if offset < index:
            yield Damage(offset, index, "bytes between the data and the index")
        while index < self._size - len(MAGIC):  # all of it passed its checksum
            record = record_at(self._stream, index, self._size)
            yield Piece(record, None)
            index = record.offset + record.length

    def _index(self) -> int:
        """Return where an intact index begins, 0 when there is none."""
        footer = self._size - len(MAGIC) - _FOOTER_BYTES
        if footer < len(MAGIC) + HEAD.size:
            return 0
        self._stream.seek(self._size - len(MAGIC))
        if self._stream.read(len(MAGIC)) != MAGIC:
            return 0
        try:
            record = record_at(self._stream, footer - HEAD.size, self._size)
            if (record.opcode, record.length) != (Opcode.FOOTER, _FOOTER_BYTES):
                return 0
            return check_index(self._stream, footer)
        except DamageError:
            return 0

    def _piece(self, offset: int, end: int) -> Piece:
        """Return the record at ``offset`` if it proves itself.

        Raises:
            DamageError: it does not.
        """
        try:
            record = record_at(self._stream, offset, end)
            if record.opcode == Opcode.CHUNK:
                return Piece(record, self._reader.read(record))
            self._check(record)
            return Piece(record, None)
        except DamageError as damage:
            repaired = self._chunk(offset, end)
            if repaired is None:
                raise DamageError(offset, damage.reason) from damage
            return repaired

    def _chunk(self, offset: int, end: int) -> Piece | None:
        """Return the chunk at ``offset``, whatever its kind and its record's length say."""
        begin = offset + HEAD.size
        try:
            length = self._reader.layout(begin).length
            if begin + length > end:
                return None
            record = Record(Opcode.CHUNK, begin, length)
            return Piece(record, self._reader.read(record))
        except DamageError:
            return None

    def _check(self, record: Record) -> None:
        """Raise DamageError unless a record that is no chunk is what its kind says."""
        kind = record.opcode
        good = False
        if kind == Opcode.HEADER:
            good = record.offset == len(MAGIC) + HEAD.size
        elif kind == Opcode.DATA_END:
            good = record.length == 4
        elif kind == Opcode.MESSAGE_INDEX:
            self._stream.seek(record.offset)
            head = self._stream.read(6)
            listed = int.from_bytes(head[2:], "little")
            good = record.length == 6 + listed and listed % 16 == 0
        elif kind == Opcode.METADATA:
            good = self._is_metadata(record)
        elif kind == Opcode.ATTACHMENT:
            self._stream.seek(record.offset)
            data = self._stream.read(record.length)
            good = len(data) > 4 and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
        if not good:
            raise DamageError(record.offset, f"broken record (kind {kind})")

    def _is_metadata(self, record: Record) -> bool:
        source = content(self._stream, record)
        try:
            Metadata.read(source)
        except MALFORMED:
            return False
        return source.count == record.length

    def _behind(self, offset: int, end: int) -> int:
        """Return where the broken record at ``offset`` ends; 0 when its length cannot be trusted.

        It can when the next record lies there, and that of a chunk when it stands in both places.
        """
        try:
            record = record_at(self._stream, offset, end)
            following = record.offset + record.length
            if record.opcode == Opcode.CHUNK:
                agree = self._reader.layout(record.offset).length == record.length
                return following if agree else 0
            if following < end:
                self._piece(following, end)
        except DamageError:
            return 0
        return following

    def _next(self, begin: int, end: int) -> int:
        """Return where the next chunk, metadata record or attachment is; ``end`` without one."""
        while begin < end:
            self._stream.seek(begin)
            block = self._stream.read(min(_BLOCK + _LONGEST_START, end - begin))
            place = 0
            while (match := _STARTS.search(block, place)) and match.start() < _BLOCK:
                at = begin + match.start()
                if self._starts(at, end):
                    return at
                place = match.start() + 1
            begin += _BLOCK
        return end

    def _starts(self, offset: int, end: int) -> bool:
        """Say whether a record that proves itself lies at ``offset``."""
        try:
            record = record_at(self._stream, offset, end)
            if record.opcode == Opcode.CHUNK:
                self._reader.read(record)
            else:
                self._check(record)
        except DamageError:
            return False
        return True
