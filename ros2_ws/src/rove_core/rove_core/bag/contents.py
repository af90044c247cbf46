"""What an MCAP file holds besides its messages, read whole or around its damages."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO

from mcap.opcode import Opcode
from mcap.records import Channel, Metadata, Schema, Statistics

from rove_core.bag.salvage import Damage, salvage
from rove_core.bag.scan import HEAD, DamageError, Record, parse, records, tally


@dataclass
class Contents:
    """The records of a file outside its chunks, and where the chunks are.

    Attributes:
        schemas, channels: by their numbers.
        metadata: name -> keys and values.
        chunks, attachments: where they lie, in the order written.
        counts: channel -> messages; None when only reading them would tell.
        damages: what cannot be used, in order.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    chunks: list[Record] = field(default_factory=list)
    attachments: list[Record] = field(default_factory=list)
    counts: dict[int, int] | None = None
    damages: list[Damage] = field(default_factory=list)

    def add(self, stream: BinaryIO, record: Record) -> None:
        """Take a record that is no chunk.

        Raises:
            DamageError: it is malformed, or does not fit the chunks before it.
        """
        if record.opcode == Opcode.ATTACHMENT:
            self.attachments.append(record)
            return
        found = parse(stream, record)
        if isinstance(found, Metadata):
            self.metadata[found.name] = found.metadata
        elif isinstance(found, Statistics):
            self.counts = dict(found.channel_message_counts)
            if found.chunk_count != len(self.chunks):
                raise DamageError(record.offset, "a chunk is missing")
        elif found is not None:
            self.describe(found)

    def describe(self, item: Schema | Channel) -> None:
        """Take a schema or a channel."""
        if isinstance(item, Schema):
            self.schemas[item.id] = item
        else:
            self.channels[item.id] = item

    def contradicts(self, item: Schema | Channel) -> bool:
        """Say whether something else goes by this number already."""
        if isinstance(item, Schema):
            return self.schemas.get(item.id, item) != item
        return self.channels.get(item.id, item) != item


def read_contents(stream: BinaryIO, size: int) -> Contents:
    """Read a whole file by its structure; the chunks are not read.

    Raises:
        DamageError: it ends or breaks somewhere.
    """
    found = Contents()
    for record in records(stream, size):
        if record.opcode == Opcode.CHUNK:
            found.chunks.append(record)
        else:
            found.add(stream, record)
    return found


def salvage_contents(stream: BinaryIO, size: int) -> Contents:
    """Read what is intact of a file, every chunk included."""
    found = Contents()
    totals: list[Counter[int]] = []
    last_ns = -1
    waiting: list[int] = []  # damages behind which no message came yet
    for item in salvage(stream, size):
        if isinstance(item, Damage):
            waiting.append(len(found.damages))
            found.damages.append(dataclasses.replace(item, after_ns=last_ns))
            continue
        if item.chunk is None:
            _add_leniently(found, stream, item.record)
            continue
        try:
            described, counts, first, last = tally(item.chunk, item.record.offset)
            if any(found.contradicts(described_item) for described_item in described):
                raise DamageError(item.record.offset, "a chunk of another file")
        except DamageError as damage:
            found.damages.append(_damage(item.record, damage.reason, last_ns))
            continue
        for described_item in described:
            found.describe(described_item)
        found.chunks.append(item.record)
        totals.append(counts)
        if first >= 0:
            last_ns = last
            for i in waiting:
                found.damages[i] = dataclasses.replace(found.damages[i], before_ns=first)
            waiting = []
    _count(found, totals)
    return found


def _add_leniently(found: Contents, stream: BinaryIO, record: Record) -> None:
    if record.opcode == Opcode.STATISTICS:
        return  # it counts what was written, not what is left
    try:
        found.add(stream, record)
    except DamageError as damage:
        found.damages.append(_damage(record, damage.reason, -1))


def _damage(record: Record, reason: str, after_ns: int) -> Damage:
    return Damage(record.offset - HEAD.size, record.offset + record.length, reason, after_ns)


def _count(found: Contents, totals: list[Counter[int]]) -> None:
    """Sum the messages up; those whose topic was described in a lost chunk only are lost, too."""
    found.counts = {}
    for record, counts in zip(found.chunks, totals, strict=True):
        nameless = 0
        for channel, count in counts.items():
            known = found.channels.get(channel)
            if known is None or known.schema_id not in found.schemas:
                nameless += count
            else:
                found.counts[channel] = found.counts.get(channel, 0) + count
        if nameless:
            found.damages.append(_damage(record, f"{nameless} messages of unknown topics", -1))
    found.channels = {
        number: channel
        for number, channel in found.channels.items()
        if channel.schema_id in found.schemas
    }
    found.damages.sort(key=lambda damage: damage.begin)
