"""Bag: read an episode through the schemas stored in its MCAP file. No ROS."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from mcap.opcode import Opcode
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore

from rove_core.bag import cdr as compiled
from rove_core.bag.contents import Contents, read_contents, salvage_contents
from rove_core.bag.folder import find_bags as find_bags
from rove_core.bag.folder import find_incomplete_bags as find_incomplete_bags
from rove_core.bag.folder import locate
from rove_core.bag.salvage import Damage
from rove_core.bag.scan import HEAD, MAGIC, ChunkReader, DamageError, Record
from rove_core.bag.schema import (
    EPISODE_RECORD,
    OUTCOME_RECORD,
    RECORDING_SUFFIX,
    EpisodeInfo,
    EpisodeOutcome,
    RecordingEnd,
)
from rove_core.errors import BagError

_HEAD = struct.Struct("<BQHIQQ")
"""Of a message in a chunk: kind and length of its record, channel, sequence, log, publish time."""
_MESSAGE = int(Opcode.MESSAGE)
_LITTLE, _BIG = b"\0\1", b"\0\0"
_ENCAPSULATION = 4
"""Bytes before the CDR itself; the first two name its form and byte order."""


_Take = Callable[[memoryview, int, int], Any]
"""Makes something of the message that lies between two places of a chunk."""


class RawMessage(NamedTuple):
    """A message as recorded. ``topic`` is relative to the robot's namespace; times in ns."""

    topic: str
    cdr: bytes
    log_time_ns: int
    publish_time_ns: int
    sequence: int


class BagMessage(NamedTuple):
    """A decoded message: an object with the fields of its type, arrays as read-only numpy arrays
    that share the bytes of the message."""

    topic: str
    message: Any
    log_time_ns: int
    publish_time_ns: int
    sequence: int


_Message = TypeVar("_Message", RawMessage, BagMessage)


def _raw(chunk: memoryview, begin: int, end: int) -> bytes:
    return bytes(chunk[begin:end])


@dataclass(frozen=True)
class Topic:
    """A topic of a bag: name relative to the robot's namespace, full name, type, messages."""

    name: str
    full_name: str
    type: str
    count: int


@functools.lru_cache(maxsize=16)
def _store(schemas: tuple[tuple[str, str], ...]) -> Typestore:
    """Return the types of a bag's own schemas; many bags share one set."""
    store = get_typestore(Stores.EMPTY)
    types: dict[str, Any] = {}
    for name, text in schemas:
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def deserialize(store: Typestore, cdr: bytes, type_name: str) -> Any:
    """Return the message in ``cdr``; bytes after it are ignored.

    ROS ignores them too, and ``rclpy.serialization`` leaves up to 4 for every empty sequence of
    doubles, which ``Typestore.deserialize_cdr`` refuses.

    Raises:
        BagError: not plain CDR, or it ends inside the message.
    """
    form = bytes(cdr[:2])
    if len(cdr) < _ENCAPSULATION or form not in (_LITTLE, _BIG):
        raise BagError(f"header {bytes(cdr[:4])!r} given, plain CDR allowed")
    try:
        read = compiled.reader(store, type_name, form == _LITTLE)
        return read(bytes(cdr[_ENCAPSULATION:]))
    except (*compiled.UNREADABLE, TypesysError) as error:
        raise BagError(f"not a {type_name}: {error!r}") from error


class Bag:
    """A bag opened for reading; it holds no open file between calls.

    A folder ``<name>.recording``, whose writer died or still writes, is read as far as its chunks
    are intact; ``outcome.recording`` then says CUT_OFF.

    Args:
        path: the bag's folder, or its MCAP file.
        partial: read a damaged bag the same way instead of refusing it: all chunks that pass their
            checksum, also behind the damage. ``damages`` says what is missing.

    Attributes:
        path, file: the folder and its MCAP file.
        info: the episode's description.
        outcome: how the episode and its recording ended.
        topics: name -> topic, names relative to the robot's namespace.
        metadata: name -> all metadata records of the file, ours and others'.
        damages: what could not be read, in the order of the file.
        damage: the first of them in words, "" without any.

    Raises:
        BagError: missing, empty, truncated, not one of ours, or of a newer version.
    """

    def __init__(self, path: Path | str, *, partial: bool = False) -> None:
        self.path, self.file = locate(Path(path))
        self.partial = partial or self.path.name.endswith(RECORDING_SUFFIX)
        self._size = self.file.stat().st_size
        if self._size == 0:
            raise BagError(f"bag {self.file} is empty (0 bytes)")
        self.contents = self._read()
        self.metadata: Mapping[str, Mapping[str, str]] = self.contents.metadata
        self.damages: tuple[Damage, ...] = tuple(self.contents.damages)
        self.damage = str(self.damages[0]) if self.damages else ""
        if EPISODE_RECORD not in self.metadata:
            raise BagError(
                f"{self.path} is not a bag of ROVE: it has no record {EPISODE_RECORD!r} "
                f"(records found: {', '.join(self.metadata) or 'none'})"
            )
        self.info = EpisodeInfo.from_record(self.metadata[EPISODE_RECORD], str(self.path))
        self.outcome = self._outcome()
        self._names: dict[int, str] = {}
        self.topics: dict[str, Topic] = {}
        counts = self.contents.counts or {}
        for key, channel in self.contents.channels.items():
            name = self.info.relative(channel.topic)
            self._names[key] = name
            schema = self.contents.schemas.get(channel.schema_id)
            if schema is None:
                raise BagError(f"bag {self.path} is broken: topic {name} has no schema")
            self.topics[name] = Topic(name, channel.topic, schema.name, counts.get(key, 0))

    def raw_messages(self, topics: Collection[str] | None = None) -> Iterator[RawMessage]:
        """Yield the recorded messages in the order they were written, which is by arrival.

        Args:
            topics: names relative to the robot's namespace; all by default.

        Raises:
            BagError: the bag has no such topic, or a chunk of a finished bag is broken.
        """
        return self._walk(RawMessage, dict.fromkeys(self._wanted(topics), _raw))

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """Yield the decoded messages in the order they were written.

        Raises:
            BagError: as ``raw_messages``, or a message does not fit its schema.
        """
        return self._walk(BagMessage, {name: self._take(name) for name in self._wanted(topics)})

    def decode(self, topic: str, cdr: bytes) -> Any:
        """Return the message object of ``cdr``, through the schema stored in this bag.

        Raises:
            BagError: no such topic, unreadable schema, or bytes that do not fit it.
        """
        if topic not in self.topics:
            self.require([topic])
        try:
            return deserialize(self._typestore, cdr, self.topics[topic].type)
        except BagError as error:
            raise BagError(f"message of topic {topic!r} in {self.path}: {error}") from error

    def require(self, topics: Collection[str]) -> None:
        """Raise BagError unless the bag has all of these topics."""
        missing = sorted(set(topics) - set(self.topics))
        if missing:
            raise BagError(
                f"topics {missing} are not in bag {self.path}; it has: {', '.join(self.topics)}"
            )

    def verify(self) -> None:
        """Read every chunk and compare the counts with the index.

        Raises:
            BagError: a chunk is broken, something is missing or the numbers differ.
        """
        if self.damages:
            raise BagError(f"bag {self.path} is broken: {self.damage}")
        counts = dict.fromkeys(self.topics, 0)
        for message in self.raw_messages():
            counts[message.topic] += 1
        for name, topic in self.topics.items():
            if counts[name] != topic.count:
                raise BagError(
                    f"bag {self.path}: topic {name} has {counts[name]} messages, its index says "
                    f"{topic.count}"
                )

    def _read(self) -> Contents:
        with open(self.file, "rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC[: self._size] and not self.partial:
                raise BagError(f"{self.file} is not a bag: it does not start as an MCAP file")
            if not self.partial:
                try:
                    contents = read_contents(stream, self._size)
                except DamageError as damage:
                    raise BagError(
                        f"bag {self.path} is truncated or broken: {damage} of {self._size}; "
                        "Bag(path, partial=True) reads what is intact"
                    ) from damage
                if contents.counts is not None:
                    return contents
            return salvage_contents(stream, self._size)

    def _outcome(self) -> EpisodeOutcome:
        outcome = EpisodeOutcome()
        if OUTCOME_RECORD in self.metadata:
            outcome = EpisodeOutcome.from_record(self.metadata[OUTCOME_RECORD], str(self.path))
            if self.damages and self.damages[-1].end == self._size:
                outcome = EpisodeOutcome(outcome.outcome, outcome.reason, RecordingEnd.CUT_OFF)
        return outcome

    def _wanted(self, topics: Collection[str] | None) -> Collection[str]:
        if topics is None:
            return self.topics
        self.require(topics)
        return topics

    def _take(self, name: str) -> _Take:
        """Return what makes a message of topic ``name`` of its bytes in a chunk."""
        read: compiled.Reader | None = None

        def take(chunk: memoryview, begin: int, end: int) -> Any:
            nonlocal read
            begin_cdr = begin + _ENCAPSULATION
            if begin_cdr <= end and chunk[begin + 1] == 1 and not chunk[begin]:
                try:
                    if read is None:
                        read = compiled.reader(self._typestore, self.topics[name].type)
                    # A copy: a view would keep the whole chunk, which the next one overwrites.
                    return read(bytes(chunk[begin_cdr:end]))
                except (*compiled.UNREADABLE, TypesysError):
                    pass  # said below, in words
            return self.decode(name, bytes(chunk[begin:end]))

        return take

    def _walk(self, kind: type[_Message], takes: Mapping[str, _Take]) -> Iterator[_Message]:
        """Yield the messages of some topics. Reading spends its time here: calls are inlined."""
        wanted = {key: (name, takes[name]) for key, name in self._names.items() if name in takes}
        make: Any = tuple.__new__
        unpack, size = _HEAD.unpack_from, _HEAD.size
        with open(self.file, "rb", buffering=0) as stream:
            reader = ChunkReader(cast(BinaryIO, stream))
            for record in self.contents.chunks:
                try:
                    chunk = reader.read(record)
                except DamageError as damage:
                    raise BagError(f"bag {self.path} is broken: {damage}") from damage
                following, end = 0, len(chunk)
                while following < end:
                    place = following
                    try:
                        opcode, length, channel, sequence, logged, published = unpack(chunk, place)
                    except struct.error:  # shorter than a message, and the last of its chunk
                        opcode, length = chunk[place], end - place - HEAD.size
                        if opcode == _MESSAGE:
                            raise self._broken(record, "a message of it is cut off") from None
                    following += HEAD.size + length
                    if following > end:
                        raise self._broken(record, "a record ends outside of it")
                    if opcode != _MESSAGE:
                        continue
                    entry = wanted.get(channel)
                    if entry is not None:
                        name, take = entry
                        message = take(chunk, place + size, following)
                        yield make(kind, (name, message, logged, published, sequence))
                    elif channel not in self._names and not self.partial:
                        raise self._broken(record, f"it has a message of unknown channel {channel}")

    def _broken(self, record: Record, why: str) -> BagError:
        return BagError(f"bag {self.path} is broken: chunk at byte {record.offset}: {why}")

    @functools.cached_property
    def _typestore(self) -> Typestore:
        schemas = []
        for schema in self.contents.schemas.values():
            if schema.encoding != "ros2msg":
                raise BagError(
                    f"schema {schema.name} of {self.path}: encoding {schema.encoding!r} given, "
                    "'ros2msg' allowed"
                )
            schemas.append((schema.name, schema.data.decode()))
        try:
            return _store(tuple(schemas))
        except TypesysError as error:
            raise BagError(f"schemas of {self.path} cannot be read: {error}") from error
