"""Check "file": the MCAP container, its index and the folder around it, byte by byte."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Header,
    MessageIndex,
    Metadata,
    Schema,
    Statistics,
)

from rove_core.bag.reader import Bag
from rove_core.bag.scan import (
    HEAD,
    ChunkMessage,
    ChunkReader,
    DamageError,
    Record,
    parse,
    records,
    split,
)
from rove_core.bag.schema import OUTCOME_RECORD, RECORDING_SUFFIX
from rove_core.bag.verify.report import Findings, Level

NAME = "file"
BLOCK = 1 << 20
_MORE: dict[int, Any] = {
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.MESSAGE_INDEX: MessageIndex,
    Opcode.DATA_END: DataEnd,
    Opcode.HEADER: Header,
}


@dataclass
class Container:
    """The records of an MCAP file outside its chunks.

    Attributes:
        file: the MCAP file.
        profile: of its header, "" when that cannot be read.
        metadata: record name -> keys and values.
        schemas, channels: by their numbers; those in the chunks come as they are read.
        chunks: where they lie.
        indexed: index entries of chunks by the offset of the chunk's record.
        entries: (chunk, channel) -> entries of the message indices behind each chunk.
        statistics: the closing counts, None in a file that was cut off.
        data_ended: whether the record is there that ends the data and has its checksum.
        damage: where and how the file breaks, "" when it is whole.
    """

    file: Path
    profile: str = ""
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[Record] = field(default_factory=list)
    indexed: dict[int, ChunkIndex] = field(default_factory=dict)
    entries: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    statistics: Statistics | None = None
    data_ended: bool = False
    damage: str = ""


def read_container(bag: Bag, findings: Findings) -> Container:
    """Read all records but the messages and check what can be checked of them alone.

    Args:
        bag: opened with ``partial`` when it is damaged; what it could save is used then.
        findings: gets what is wrong.
    """
    held = Container(bag.file)
    with open(bag.file, "rb") as stream:
        try:
            for record in records(stream, bag.file.stat().st_size):
                if record.opcode == Opcode.CHUNK:
                    held.chunks.append(record)
                elif record.opcode in _MORE:
                    _index(held, stream, record, findings)
                else:
                    _describe(held, parse(stream, record))
        except DamageError as damage:
            held.damage = str(damage)
    for part in bag.damages:
        findings.add(Level.ERROR, NAME, f"{bag.file.name}: {part}", kind="damage")
    if held.damage and not bag.damages:
        findings.add(Level.ERROR, NAME, f"{bag.file.name}: {held.damage}")
    if held.damage or bag.damages or held.statistics is None:
        saved = bag.contents
        return Container(
            bag.file,
            profile=held.profile,
            metadata=saved.metadata,
            schemas=saved.schemas,
            channels=saved.channels,
            chunks=saved.chunks,
            damage=held.damage or bag.damage,
        )
    _compare_index(held, findings)
    return held


def _describe(held: Container, found: Schema | Channel | Metadata | Statistics | None) -> None:
    if isinstance(found, Schema):
        held.schemas[found.id] = found
    elif isinstance(found, Channel):
        held.channels[found.id] = found
    elif isinstance(found, Metadata):
        held.metadata[found.name] = found.metadata
    elif isinstance(found, Statistics):
        held.statistics = found


def _index(held: Container, stream: BinaryIO, record: Record, findings: Findings) -> None:
    stream.seek(record.offset)
    kind = _MORE[record.opcode]
    try:
        found = kind.read(ReadDataStream(BytesIO(stream.read(record.length))))
    except Exception as error:  # the library raises whatever the bytes lead to
        raise DamageError(record.offset, f"malformed {kind.__name__} ({error!r})") from error
    if isinstance(found, Header):
        held.profile = found.profile
    elif isinstance(found, ChunkIndex):
        held.indexed[found.chunk_start_offset] = found
    elif isinstance(found, MessageIndex):
        if held.chunks:
            key = (len(held.chunks) - 1, found.channel_id)
            held.entries.setdefault(key, []).extend(time for time, _ in found.records)
    else:
        held.data_ended = True
        end = record.offset - HEAD.size
        # 0: bags of versions 1 and 2 have none.
        if found.data_section_crc and _crc(stream, end) != found.data_section_crc:
            findings.add(
                Level.ERROR, NAME, "the data section fails the checksum at its end", kind="data crc"
            )


def _crc(stream: BinaryIO, end: int) -> int:
    stream.seek(0)
    crc, left = 0, end
    while left > 0:
        block = stream.read(min(BLOCK, left))
        if not block:
            break
        crc, left = zlib.crc32(block, crc), left - len(block)
    return crc


def _compare_index(held: Container, findings: Findings) -> None:
    assert held.statistics is not None
    if not held.data_ended:
        findings.add(Level.ERROR, NAME, "the record that ends the data is missing")
    starts = {record.offset - HEAD.size for record in held.chunks}
    if held.indexed and set(held.indexed) != starts:
        missing, unknown = len(starts - set(held.indexed)), len(set(held.indexed) - starts)
        text = f"the index lacks {missing} chunks and names {unknown} that are not there"
        findings.add(Level.ERROR, NAME, text)
    if held.statistics.chunk_count != len(held.chunks):
        text = f"{len(held.chunks)} chunks found, {held.statistics.chunk_count} were written"
        findings.add(Level.ERROR, NAME, text)


def messages(held: Container, findings: Findings) -> Iterator[ChunkMessage]:
    """Yield the messages of all intact chunks and check each chunk against its index."""
    counts: Counter[int] = Counter()
    with open(held.file, "rb") as stream:
        reader = ChunkReader(stream)
        for i, record in enumerate(held.chunks):
            try:
                described, found = split(reader.read(record), record.offset)
            except DamageError as damage:
                findings.add(Level.ERROR, NAME, f"{held.file.name}: {damage}")
                continue
            for item in described:
                _describe(held, item)
            _compare_chunk(held, i, record, found, findings)
            for message in found:
                if message.channel not in held.channels:
                    text = f"message of unknown channel {message.channel}"
                    findings.add(
                        Level.ERROR, NAME, text, stamp_ns=message.log_time_ns, kind="channel"
                    )
                    continue
                counts[message.channel] += 1
                yield message
    if held.statistics is not None:
        written = held.statistics.channel_message_counts
        for number, channel in held.channels.items():
            if counts[number] != written.get(number, 0):
                text = f"{counts[number]} messages found, {written.get(number, 0)} were written"
                findings.add(Level.ERROR, NAME, text, channel.topic)


def _compare_chunk(
    held: Container, i: int, record: Record, found: list[ChunkMessage], findings: Findings
) -> None:
    times = [message.log_time_ns for message in found]
    index = held.indexed.get(record.offset - HEAD.size)
    if index is not None and times:
        said = (index.message_start_time, index.message_end_time)
        if said != (min(times), max(times)):
            text = f"the index says {said} ns of a chunk that spans {min(times)}..{max(times)} ns"
            findings.add(Level.ERROR, NAME, text, stamp_ns=times[0], kind="chunk times")
    by_channel: dict[int, list[int]] = {}
    for message in found:
        by_channel.setdefault(message.channel, []).append(message.log_time_ns)
    for channel, logged in by_channel.items():
        entries = held.entries.get((i, channel))
        if entries is not None and sorted(entries) != sorted(logged):
            text = f"a message index names {len(entries)} messages, its chunk has {len(logged)}"
            findings.add(Level.ERROR, NAME, text, stamp_ns=logged[0], kind="message index")


def check_folder(held: Container, findings: Findings) -> None:
    """Check what lies around the MCAP file: the folder's name, its state and metadata.yaml."""
    folder = held.file.parent
    if folder.name.endswith(RECORDING_SUFFIX):
        text = "the recording was cut off or still runs; `rove bag recover` makes a whole bag of it"
        findings.add(Level.ERROR, NAME, text)
        return
    if OUTCOME_RECORD not in held.metadata:
        text = f"record {OUTCOME_RECORD!r} is missing: nothing says how the episode ended"
        findings.add(Level.ERROR, NAME, text)
    path = folder / "metadata.yaml"
    try:
        information = yaml.safe_load(path.read_text(encoding="utf-8"))[
            "rosbag2_bagfile_information"
        ]
        said = {
            topic["topic_metadata"]["name"]: int(topic["message_count"])
            for topic in information["topics_with_message_count"]
        }
        files = list(information["relative_file_paths"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        findings.add(Level.ERROR, NAME, f"metadata.yaml cannot be read: {error!r}")
        return
    if files != [held.file.name]:
        text = f"metadata.yaml names {files}, the folder holds {held.file.name}"
        findings.add(Level.ERROR, NAME, text)
    if held.statistics is None:
        return
    counts = held.statistics.channel_message_counts
    there = {c.topic: counts.get(number, 0) for number, c in held.channels.items()}
    for topic in sorted(set(said) | set(there)):
        if said.get(topic) != there.get(topic):
            text = f"metadata.yaml counts {said.get(topic)} messages, the file {there.get(topic)}"
            findings.add(Level.ERROR, NAME, text, topic)
