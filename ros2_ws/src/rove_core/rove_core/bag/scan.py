"""Walk the records of an MCAP file, whole or cut off, without an index.

The mcap library's readers refuse a file whose end is missing, and its stream reader hands out
short records as if they were whole. Here every record is checked against the file's size and every
chunk against its checksum; ``records`` ends at the first damage, ``rove_core.bag.salvage`` goes on
behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Metadata, Schema, Statistics

MAGIC = b"\x89MCAP0\r\n"
HEAD = struct.Struct("<BQ")
"""Kind and length of a record."""
MESSAGE = struct.Struct("<HIQQ")
"""Channel, sequence, log time and publish time, ns; the serialised message follows."""
_FOOTER = struct.Struct("<QQI")
_CHUNK = struct.Struct("<QQQII")  # first and last time, size, checksum, length of the next string
LENGTH = struct.Struct("<Q")
_KNOWN = frozenset(int(opcode) for opcode in Opcode)
LARGEST_CHUNK = 1 << 30
"""Bytes; a size beyond it is a damaged number, not memory to ask for."""

MALFORMED = (McapError, struct.error, ValueError, OverflowError, MemoryError, KeyError)
"""What lengths and numbers lead to that are not what a writer wrote."""


class DamageError(Exception):
    """The file ends or breaks at ``offset`` bytes."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset, self.reason = offset, reason
        super().__init__(f"{reason} at byte {offset}")


class Record(NamedTuple):
    """Where a record's content lies in the file, bytes."""

    opcode: int
    offset: int
    length: int


class ChunkMessage(NamedTuple):
    """A message as it lies in a chunk; times in ns."""

    channel: int
    sequence: int
    log_time_ns: int
    publish_time_ns: int
    data: bytes


def records(stream: BinaryIO, size: int) -> Iterator[Record]:
    """Yield the records of a file of ``size`` bytes; the last is the footer.

    Raises:
        DamageError: the magic is wrong, or the file ends before the footer and the closing magic.
    """
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise DamageError(0, "no MCAP magic")
    offset = len(MAGIC)
    while True:
        record = record_at(stream, offset, size)
        if record.opcode == Opcode.FOOTER and record.length != _FOOTER.size:
            raise DamageError(offset, "malformed footer")
        yield record
        offset = record.offset + record.length
        if record.opcode == Opcode.FOOTER:
            stream.seek(offset)
            if stream.read(len(MAGIC)) != MAGIC:
                raise DamageError(offset, "no closing magic")
            check_index(stream, record.offset)
            return


def record_at(stream: BinaryIO, offset: int, size: int) -> Record:
    """Return the record whose head lies at ``offset``.

    Raises:
        DamageError: there is none, or it does not end inside the file.
    """
    stream.seek(offset)
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        raise DamageError(offset, "the file ends without a footer")
    opcode, length = HEAD.unpack(head)
    if opcode not in _KNOWN:  # zeros, for one: blocks that a power cut kept from the disk
        raise DamageError(offset, f"no record of MCAP (kind {opcode})")
    if offset + HEAD.size + length > size:
        raise DamageError(offset, "the file ends inside a record")
    return Record(opcode, offset + HEAD.size, length)


def check_index(stream: BinaryIO, footer: int) -> int:
    """Hold the index (summary section and footer) against its checksum; return where it begins.

    0 when the file has none.

    Raises:
        DamageError: it fails its checksum.
    """
    stream.seek(footer)
    begin, _, expected = _FOOTER.unpack(stream.read(_FOOTER.size))
    if not begin or not expected:
        return 0
    end = footer + _FOOTER.size - 4
    if begin < end:
        stream.seek(begin)
    if begin >= end or zlib.crc32(stream.read(end - begin)) != expected:
        raise DamageError(begin, "the index fails its checksum")
    return int(begin)


def content(stream: BinaryIO, record: Record) -> ReadDataStream:
    """Return the content of a record for the library's parsers."""
    stream.seek(record.offset)
    return ReadDataStream(BytesIO(stream.read(record.length)))


def parse(stream: BinaryIO, record: Record) -> Schema | Channel | Metadata | Statistics | None:
    """Return a record outside the chunks, or None when it is of no interest here.

    Raises:
        DamageError: the record is malformed.
    """
    kinds = {
        Opcode.SCHEMA: Schema,
        Opcode.CHANNEL: Channel,
        Opcode.METADATA: Metadata,
        Opcode.STATISTICS: Statistics,
    }
    kind = kinds.get(record.opcode)  # type: ignore[call-overload]
    if kind is None:
        return None
    try:
        parsed: Schema | Channel | Metadata | Statistics = kind.read(content(stream, record))
    except MALFORMED as error:
        raise DamageError(record.offset, f"malformed {kind.__name__} ({error!r})") from error
    return parsed


class Layout(NamedTuple):
    """The head of a chunk: bytes of its messages, their checksum, compression; bytes stored."""

    size: int
    crc: int
    compression: bytes
    begin: int
    stored: int

    @property
    def length(self) -> int:
        """Length that the chunk's record must have, bytes."""
        return self.begin + self.stored


class ChunkReader:
    """Reads chunks of a file into the same two buffers: fresh memory costs more than the reading.

    Args:
        stream: the open MCAP file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stored = memoryview(bytearray(1 << 16))
        self._plain = memoryview(bytearray(1 << 16))
        self._zstd = zstandard.ZstdDecompressor()

    def layout(self, offset: int) -> Layout:
        """Return the head of the chunk whose content begins at ``offset``.

        Raises:
            DamageError: the file ends inside it, or it is no head of a chunk.
        """
        self._stream.seek(offset)
        head = self._stream.read(_CHUNK.size + 16)
        try:
            _, _, size, crc, named = _CHUNK.unpack_from(head)
            compression = head[_CHUNK.size : _CHUNK.size + named]
            (stored,) = LENGTH.unpack_from(head, _CHUNK.size + named)
        except struct.error as error:
            raise DamageError(offset, "malformed chunk") from error
        return Layout(size, crc, compression, _CHUNK.size + named + LENGTH.size, stored)

    def read(self, record: Record) -> memoryview:
        """Return the records in a chunk, as bytes; valid until the next call.

        Raises:
            DamageError: the chunk cannot be decompressed or fails its checksum.
        """
        layout = self.layout(record.offset)
        if layout.length != record.length or layout.size > LARGEST_CHUNK:
            raise DamageError(record.offset, "broken chunk (its lengths disagree)")
        try:
            plain = self._decompress(record.offset, layout)
        except (*MALFORMED, zstandard.ZstdError, RuntimeError) as error:  # lz4's error
            raise DamageError(record.offset, f"broken chunk ({error})") from error
        if zlib.crc32(plain) != layout.crc:
            raise DamageError(record.offset, "broken chunk (it fails its checksum)")
        return plain

    def _decompress(self, offset: int, layout: Layout) -> memoryview:
        if layout.stored > len(self._stored):
            self._stored = memoryview(bytearray(2 * layout.stored))
        stored = self._stored[: layout.stored]
        self._stream.seek(offset + layout.begin)
        if _fill(self._stream, stored) != layout.stored:
            raise ValueError("the file ends inside it")
        if not layout.compression:
            plain = stored
        elif layout.compression == b"zstd":
            plain = self._unzstd(stored, layout.size)
        elif layout.compression == b"lz4":
            said = lz4.frame.get_frame_info(stored)["content_size"]
            if said and said != layout.size:
                raise ValueError(f"{said} bytes inside, {layout.size} announced")
            plain = memoryview(lz4.frame.decompress(stored))
        else:
            raise ValueError(f"compression {layout.compression!r}, zstd, lz4 or none allowed")
        if len(plain) != layout.size:
            raise ValueError(f"{len(plain)} bytes inside, {layout.size} announced")
        return plain

    def _unzstd(self, stored: memoryview, size: int) -> memoryview:
        said = zstandard.frame_content_size(stored)
        if said not in (-1, size):  # -1: the frame does not say
            raise ValueError(f"{said} bytes inside, {size} announced")
        if size > len(self._plain):
            self._plain = memoryview(bytearray(2 * size))
        plain = self._plain[:size]
        with self._zstd.stream_reader(stored) as source:
            return plain[: _fill(source, plain)]


def _fill(source: BinaryIO | zstandard.ZstdDecompressionReader, buffer: memoryview) -> int:
    """Read until the buffer is full or the source ends; return how much was read, bytes."""
    done = 0
    while done < len(buffer):
        count = source.readinto(buffer[done:])  # type: ignore[union-attr]
        if not count:
            break
        done += count
    return done


def chunk_records(
    stream: BinaryIO, record: Record
) -> tuple[list[Schema | Channel], list[ChunkMessage]]:
    """Return the schemas and channels of a chunk, and its messages in the order written.

    Raises:
        DamageError: the chunk cannot be decompressed or fails its checksum.
    """
    return split(ChunkReader(stream).read(record), record.offset)


_TALLY = struct.Struct("<BQHIQ")


def tally(
    data: memoryview, where: int = 0
) -> tuple[list[Schema | Channel], Counter[int], int, int]:
    """Return the schemas and channels of a chunk that was read, the messages of each channel, and
    the log time of its first and of its last message, ns, -1 when it has none.

    Raises:
        DamageError: its records are malformed.
    """
    described: list[Schema | Channel] = []
    counts: Counter[int] = Counter()
    offset, size, first, last = 0, len(data), -1, -1
    try:
        while offset < size:
            opcode, length = HEAD.unpack_from(data, offset)
            following = offset + HEAD.size + length
            if following > size:
                raise ValueError("a record ends outside its chunk")
            if opcode == Opcode.MESSAGE:
                _, _, channel, _, last = _TALLY.unpack_from(data, offset)
                counts[channel] += 1
                first = last if first < 0 else first
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                described += split(data[offset:following])[0]
            offset = following
    except MALFORMED as error:
        raise DamageError(where, f"broken chunk ({error})") from error
    return described, counts, first, last


def split(data: memoryview, where: int = 0) -> tuple[list[Schema | Channel], list[ChunkMessage]]:
    """Return the schemas and channels, and the messages, of a chunk that was read.

    Raises:
        DamageError: they are malformed.
    """
    described: list[Schema | Channel] = []
    messages: list[ChunkMessage] = []
    offset, size = 0, len(data)
    try:
        while offset < size:
            opcode, length = HEAD.unpack_from(data, offset)
            begin = offset + HEAD.size
            offset = begin + length
            if offset > size:
                raise ValueError("a record ends outside its chunk")
            if opcode == Opcode.MESSAGE:
                channel, sequence, logged, published = MESSAGE.unpack_from(data, begin)
                cdr = bytes(data[begin + MESSAGE.size : offset])
                messages.append(ChunkMessage(channel, sequence, logged, published, cdr))
            elif opcode == Opcode.SCHEMA:
                described.append(Schema.read(ReadDataStream(BytesIO(data[begin:offset]))))
            elif opcode == Opcode.CHANNEL:
                described.append(Channel.read(ReadDataStream(BytesIO(data[begin:offset]))))
    except MALFORMED as error:
        raise DamageError(where, f"broken chunk ({error})") from error
    return described, messages
