"""Write a whole bag from what is intact of a damaged one."""

from __future__ import annotations

import dataclasses
import json
import os
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mcap.records import Attachment
from mcap.writer import Writer

from rove_core import __version__
from rove_core.bag.definitions import definition, type_hash
from rove_core.bag.metadata import TopicCount, metadata_text, qos_text
from rove_core.bag.reader import Bag, RawMessage
from rove_core.bag.recording.losses import Loss, by_cause
from rove_core.bag.salvage import Damage
from rove_core.bag.scan import MALFORMED, content
from rove_core.bag.schema import (
    EPISODE_RECORD,
    OUTCOME_RECORD,
    RECORDING_RECORD,
    TOPIC_TYPES,
    EpisodeOutcome,
    Note,
    RecordingEnd,
    RecordingReport,
    TopicReport,
)
from rove_core.bag.verify.gaps import FIRST_WITH_LOSSES, LOSS, SHARED, missing, runs
from rove_core.errors import BagError
from rove_core.vocabulary import EpisodeChange, LossCause, Outcome

RECOVERY_RECORD = "rove.recovery"
"""Metadata record of a recovered bag: what it was made of and what was lost."""
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Told how many messages were written, and of how many."""


@dataclass
class _Seen:
    """What was written of a topic."""

    full_name: str
    counted: TopicCount
    channel: int
    first_ns: int = -1
    last_ns: int = -1
    sequences: array[int] = field(default_factory=lambda: array("Q"))

    def report(self, lost: int, nominal_hz: float) -> TopicReport:
        n, span = self.counted.count, self.last_ns - self.first_ns
        rate = (n - 1) * 1e9 / span if n > 1 and span > 0 else 0.0
        return TopicReport(n, lost, self.first_ns, self.last_ns, rate, nominal_hz)


def lost_in_words(bag: Bag) -> str:
    """Return what of a bag cannot be used: bytes, and the time that they cover."""
    damages = [damage for damage in bag.damages if damage.end > damage.begin]
    if not damages:
        return "nothing was lost" if not bag.damages else "its index was missing"
    first = next((message.log_time_ns for message in bag.raw_messages()), -1)
    size = sum(damage.end - damage.begin for damage in damages)
    shown = ", ".join(_when(damage, first) for damage in damages[:3])
    more = f" and {len(damages) - 3} more" if len(damages) > 3 else ""
    return f"{size} bytes lost: {shown}{more}"


def _when(damage: Damage, first_ns: int) -> str:
    begin = "the begin" if damage.after_ns < 0 else f"{(damage.after_ns - first_ns) / 1e9:.2f} s"
    end = "the end" if damage.before_ns < 0 else f"{(damage.before_ns - first_ns) / 1e9:.2f} s"
    return f"from {begin} to {end} ({damage.reason})"


def rebuild(bag: Bag, folder: Path, name: str, kept: bool, progress: Progress) -> None:
    """Write all that is intact of ``bag`` into ``folder``, which does not exist, and sync it.

    Args:
        bag: opened with ``partial``.
        folder: of the new bag.
        name: of the new bag when it is finished.
        kept: whether the damaged bag is kept; stands in the record of the recovery.
        progress: told now and then.

    Raises:
        OSError: the disk refuses.
    """
    folder.mkdir()
    file = f"{name}_0.mcap"
    with open(folder / file, "xb") as stream:
        writer = _Rebuilder(bag, stream)
        writer.write(kept, progress)
        stream.flush()
        os.fsync(stream.fileno())
    first_ns, last_ns = max(writer.first_ns, 0), max(writer.last_ns, 0)
    text = metadata_text(file, first_ns, last_ns, writer.counted())
    with open(folder / "metadata.yaml", "x", encoding="utf-8") as described:
        described.write(text)
        described.flush()
        os.fsync(described.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Rebuilder:
    def __init__(self, bag: Bag, stream: Any) -> None:
        self._bag = bag
        self._mcap = cast(Any, Writer)(stream, chunk_size=CHUNK_BYTES)  # partly untyped
        self._seen: dict[str, _Seen] = {}
        self._told: list[Loss] = []
        self._stopped: EpisodeOutcome | None = None
        self.first_ns = self.last_ns = -1

    def counted(self) -> list[TopicCount]:
        """Return the topics with their messages."""
        return [seen.counted for seen in self._seen.values()]

    def write(self, kept: bool, progress: Progress) -> None:
        """Write everything."""
        bag = self._bag
        self._mcap.start(profile="ros2", library=f"rove {__version__}")
        self._mcap.add_metadata(EPISODE_RECORD, bag.metadata[EPISODE_RECORD])
        self._declare()
        self._messages(progress)
        version = int(bag.metadata[EPISODE_RECORD]["bag_schema_version"])
        if version >= FIRST_WITH_LOSSES:  # older bags do not tell losses
            self._tell_losses()
        self._mcap.flush()
        self._attachments()
        for name, record in bag.metadata.items():
            if name not in (EPISODE_RECORD, OUTCOME_RECORD, RECORDING_RECORD, RECOVERY_RECORD):
                self._mcap.add_metadata(name, record)
        self._mcap.add_metadata(RECOVERY_RECORD, recovery_record(bag, kept))
        self._mcap.add_metadata(OUTCOME_RECORD, self._outcome().to_record())
        self._mcap.add_metadata(RECORDING_RECORD, self._report().to_record())
        self._mcap.finish()

    def _declare(self) -> None:
        schemas = {
            number: self._mcap.register_schema(schema.name, schema.encoding, schema.data)
            for number, schema in self._bag.contents.schemas.items()
        }
        for channel in self._bag.contents.channels.values():
            schema = self._bag.contents.schemas[channel.schema_id]
            number = self._mcap.register_channel(
                channel.topic,
                channel.message_encoding,
                schemas[channel.schema_id],
                channel.metadata,
            )
            qos = channel.metadata.get("offered_qos_profiles", "")
            hashed = _hash(schema.name, schema.data)
            counted = TopicCount(channel.topic, schema.name, hashed, qos)
            name = self._bag.info.relative(channel.topic)
            self._seen[name] = _Seen(channel.topic, counted, number)

    def _messages(self, progress: Progress) -> None:
        total = sum(topic.count for topic in self._bag.topics.values())
        step = max(total // 100, 1)
        for done, message in enumerate(self._bag.raw_messages(), start=1):
            self._add(message)
            if message.topic == LOSS:
                self._take_loss(message)
            elif message.topic == "episode":
                self._take_event(message)
            if done % step == 0 or done == total:
                progress(done, total)

    def _add(self, message: RawMessage) -> None:
        topic, cdr, logged, published, sequence = message
        seen = self._seen[topic]
        self._mcap.add_message(seen.channel, logged, cdr, published, sequence)
        self.first_ns = logged if self.first_ns < 0 else min(self.first_ns, logged)
        self.last_ns = max(self.last_ns, logged)
        seen.first_ns = logged if seen.first_ns < 0 else seen.first_ns
        seen.last_ns = logged
        seen.counted.count += 1
        seen.sequences.append(sequence)

    def _take_loss(self, message: RawMessage) -> None:
        try:
            loss = self._bag.decode(LOSS, message.cdr)
            stamp = loss.header.stamp.sec * 10**9 + loss.header.stamp.nanosec
            cause = LossCause(loss.cause)
        except (BagError, ValueError, AttributeError):
            return  # kept as it is; the verification names it
        self._told.append(Loss(stamp, cause, loss.topic, int(loss.first_missing), int(loss.count)))

    def _take_event(self, message: RawMessage) -> None:
        try:
            event = self._bag.decode("episode", message.cdr)
            ours = event.episode_id == self._bag.info.episode_id
            if ours and event.change == EpisodeChange.STOPPED:
                outcome = Outcome(event.outcome)
                self._stopped = EpisodeOutcome(outcome, event.reason, RecordingEnd.RECOVERED)
        except (BagError, ValueError, AttributeError):  # a text of its own decides in each bag
            return

    def _tell_losses(self) -> None:
        """Write a loss for every hole in a publisher's count that none of the messages tells."""
        damaged = any(damage.before_ns >= 0 for damage in self._bag.damages)
        cause = LossCause.DISK if damaged else LossCause.MIDDLEWARE
        told: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for loss in self._told:
            told[loss.topic].append((loss.first_missing, loss.first_missing + loss.count))
        new = []
        for name, seen in self._seen.items():
            if name in SHARED:
                continue
            for i, run in enumerate(runs(list(seen.sequences))):
                for first, count in missing(run, 1 if i else int(run[0])):
                    for begin, length in _outside(told[seen.full_name], first, count):
                        new.append(Loss(self.last_ns, cause, seen.full_name, begin, length))
        for loss in new:
            self._add_loss(loss)

    def _add_loss(self, loss: Loss) -> None:
        if LOSS not in self._seen:
            info, kind = self._bag.info, TOPIC_TYPES[LOSS]
            qos = qos_text(10, durability="transient_local")
            full_name = f"{info.namespace}/{LOSS}"
            schema = self._mcap.register_schema(kind, "ros2msg", definition(kind).encode())
            channel = self._mcap.register_channel(
                full_name, "cdr", schema, {"offered_qos_profiles": qos}
            )
            counted = TopicCount(full_name, kind, type_hash(kind), qos)
            self._seen[LOSS] = _Seen(full_name, counted, channel)
        sequence = max(self._seen[LOSS].sequences, default=0) + 1
        self._add(RawMessage(LOSS, loss.cdr(), self.last_ns, self.last_ns, sequence))
        self._told.append(loss)

    def _attachments(self) -> None:
        with open(self._bag.file, "rb") as source:
            for record in self._bag.contents.attachments:
                try:
                    found = Attachment.read(content(source, record))
                except MALFORMED:
                    continue  # its checksum was right: it was written like this
                self._mcap.add_attachment(
                    found.create_time, found.log_time, found.name, found.media_type, found.data
                )

    def _outcome(self) -> EpisodeOutcome:
        recorded = self._bag.outcome
        if OUTCOME_RECORD in self._bag.metadata:
            return dataclasses.replace(recorded, recording=RecordingEnd.RECOVERED)
        if self._stopped is not None:
            return self._stopped
        reason = f"the recording did not end in order; {lost_in_words(self._bag)}"
        return EpisodeOutcome(Outcome.UNKNOWN, reason, RecordingEnd.RECOVERED)

    def _report(self) -> RecordingReport:
        old = RecordingReport()
        if RECORDING_RECORD in self._bag.metadata:
            try:
                record = self._bag.metadata[RECORDING_RECORD]
                old = RecordingReport.from_record(record, str(self._bag.path))
            except BagError:
                pass  # a new one is made
        lost: dict[str, int] = defaultdict(int)
        for loss in self._told:
            lost[loss.topic] += loss.count
        topics = {}
        for seen in self._seen.values():
            known = old.topics.get(seen.full_name)
            nominal = known.nominal_hz if known is not None else 0.0
            topics[seen.full_name] = seen.report(lost[seen.full_name], nominal)
        note = Note(self.last_ns, f"recovered: {lost_in_words(self._bag)}")
        return RecordingReport(topics, by_cause(self._told), (*old.notes, note))


def recovery_record(bag: Bag, kept: bool) -> dict[str, str]:
    """Return the metadata record that says what a recovered bag was made of."""
    damages = [dataclasses.asdict(damage) for damage in bag.damages]
    return {
        "source": bag.path.name,
        "source_bytes": str(bag.file.stat().st_size),
        "lost_bytes": str(sum(damage.end - damage.begin for damage in bag.damages)),
        "damages": json.dumps(damages),
        "source_kept": str(kept).lower(),
    }


def _hash(name: str, text: bytes) -> str:
    """Return the type's hash if the definition is the one that this code knows."""
    try:
        return type_hash(name) if definition(name).encode() == text else ""
    except BagError:
        return ""


def _outside(told: list[tuple[int, int]], first: int, count: int) -> list[tuple[int, int]]:
    """Return the parts (first, how many) of a hole that no span (first, end) covers."""
    found, end = [], first + count
    for begin, behind in sorted(told):
        if first < min(begin, end):
            found.append((first, min(begin, end) - first))
        first = max(first, behind)
    if first < end:
        found.append((first, end - first))
    return found
