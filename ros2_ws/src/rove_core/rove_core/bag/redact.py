"""Redact: a copy of a bag without a camera's pictures or without the names of persons.

All that is not redacted is copied as it is: the bytes of every message, its times, its sequence
number and its place. What stays identifies a person to those who know them, and nothing here
changes it: how they move, the measures of their body in a calibration, and whoever stands in the
picture of a camera that was kept.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from mcap.writer import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from rove_core import __version__
from rove_core.bag.cuts import Note, change_cuts, has_cuts, read_cuts, time_range
from rove_core.bag.definitions import definition, type_hash
from rove_core.bag.identity import NOBODY, Pseudonyms, Replacer, names_in
from rove_core.bag.metadata import TopicCount, metadata_text
from rove_core.bag.reader import Bag
from rove_core.bag.schema import (
    CAMERA_TYPE,
    EPISODE_RECORD,
    OUTCOME_RECORD,
    RECORDING_RECORD,
    camera_topic,
)
from rove_core.errors import BagError

REDACTION_RECORD = "rove.redaction"
"""Metadata record of a redacted bag: ``cameras``, a JSON list of those whose pictures are gone,
and ``persons``, "true" when names of persons were replaced."""
DRAFT_SUFFIX = ".redacting"
"""Ends the name of a bag that is being made, and its file's: nobody takes it for a bag."""
CHUNK_BYTES = 1 << 20
PICTURE_HEAD = 256
"""Bytes of a picture's message that hold its words; a JPEG holds any short word by chance."""

STRUCTURE_FIELDS = {
    "sensor_msgs/msg/JointState": ("name",),
    "rove_msgs/msg/RecordingLoss": ("topic",),
    "rove_msgs/msg/Handover": ("joint",),
    "rove_msgs/msg/OperatorDevice": ("joint_names",),
    "std_msgs/msg/Header": ("frame_id",),
}
STRUCTURE_KEYS = {
    EPISODE_RECORD: (
        "bag_schema_version",
        "robot",
        "robot_profile",
        "robot_digest",
        "joint_names",
        "kind",
        "namespace",
        "seed",
        "policy_digest",
    ),
    RECORDING_RECORD: ("topics", "losses"),
    OUTCOME_RECORD: ("outcome", "recording"),
}
"""Names of joints, frames, topics and the like: with other words the bag would no longer fit."""


@dataclass(frozen=True)
class Redacted:
    """What was done.

    Attributes:
        path: the new bag.
        cameras: whose pictures are gone.
        names: that were replaced.
        changed: topic -> messages in which a name was replaced.
        remains: where a name still stands, because the bag's own structure uses that word.
    """

    path: Path
    cameras: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    changed: Mapping[str, int] = field(default_factory=dict)
    remains: tuple[str, ...] = ()


def cameras_of(bag: Bag) -> tuple[str, ...]:
    """Return the names of the cameras that a bag has a topic of."""
    head, tail = camera_topic("\0").split("\0")
    return tuple(
        topic.name.removeprefix(head).removesuffix(tail)
        for topic in bag.topics.values()
        if topic.type == CAMERA_TYPE and topic.name.startswith(head) and topic.name.endswith(tail)
    )


def redact(
    source: Path,
    out: Path,
    *,
    cameras: Collection[str] = (),
    pseudonyms: Pseudonyms | None = None,
    names: Iterable[str] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Redacted:
    """Write a redacted copy of a bag into a folder; the bag itself stays as it is.

    Args:
        source: a finished bag.
        out: folder of the new bag, which keeps its name unless that holds a person's.
        cameras: whose pictures to leave out.
        pseudonyms: for operators and other persons; None leaves their names.
        names: of further persons, whom the bag names in words that nobody foresaw.
        progress: told now and then (messages copied, messages in all).

    Raises:
        BagError: unreadable or unfinished bag, no such camera, the new bag exists already, or the
            disk refuses; nothing is left behind then.
    """
    bag = Bag(source)
    if not (bag.path / "metadata.yaml").is_file():
        raise BagError(f"bag {bag.path} is not finished; recover it before redacting it")
    unknown = sorted(set(cameras) - set(cameras_of(bag)))
    if unknown:
        raise BagError(
            f"camera {', '.join(unknown)} given, bag {bag.path} has: "
            f"{', '.join(cameras_of(bag)) or 'none'}"
        )
    found = [*names_in(bag), *names] if pseudonyms is not None else []
    persons = tuple(dict.fromkeys(name for name in found if name not in NOBODY))
    replacer = Replacer(persons, pseudonyms or Pseudonyms())
    name = replacer.text(bag.path.resolve().name)
    path, draft = Path(out) / name, Path(out) / f"{name}{DRAFT_SUFFIX}"
    if path.exists():
        raise BagError(f"bag {path} exists already; bags are never overwritten")
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise BagError(f"bag {path} cannot be written: {error}") from error
    try:
        copy = _Copy(bag, replacer, frozenset(cameras), pseudonyms is not None)
        copy.write(draft, name, progress)
        _copy_cuts(bag, Bag(draft), replacer)
        if path.exists():
            raise BagError(f"bag {path} appeared while it was made; bags are never overwritten")
        draft.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise BagError(f"bag {path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # half a copy is worth nothing
    remains = tuple(f"{where} ({n})" if n > 1 else where for where, n in copy.remains.items())
    return Redacted(path, tuple(sorted(cameras)), persons, dict(copy.changed), remains)


class _Copy:
    """One bag on its way into its copy."""

    def __init__(
        self, bag: Bag, replacer: Replacer, cameras: frozenset[str], persons: bool
    ) -> None:
        self._bag, self._replacer = bag, replacer
        self._cameras, self._persons = cameras, persons
        self._dropped = {camera_topic(name) for name in cameras}
        self._typestore: Typestore | None = None
        self._topics: dict[str, tuple[int, TopicCount]] = {}
        self._first_ns, self._last_ns = 1 << 63, 0
        self.changed: Counter[str] = Counter()
        self.remains: Counter[str] = Counter()

    def write(self, folder: Path, name: str, progress: Callable[[int, int], None]) -> None:
        """Write the whole copy and force it to the disk.

        Raises:
            BagError: the source is broken, or it has attachments, which nobody can look into.
            OSError: the disk refuses.
        """
        if self._bag.contents.attachments:
            raise BagError(
                f"bag {self._bag.path} has {len(self._bag.contents.attachments)} MCAP attachments "
                "given, none allowed: what they hold cannot be redacted"
            )
        file = folder / f"{name}_0.mcap"
        unfinished = file.with_name(file.name + DRAFT_SUFFIX)
        with open(unfinished, "xb") as stream:
            self._records(stream, progress)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.rename(file)
        first = self._first_ns if self._last_ns else 0
        counted = [row for _, row in self._topics.values()]
        with open(folder / "metadata.yaml", "x", encoding="utf-8") as text:
            text.write(metadata_text(file.name, first, self._last_ns, counted))
            text.flush()
            os.fsync(text.fileno())
        _sync(folder)

    def _records(self, stream: BinaryIO, progress: Callable[[int, int], None]) -> None:
        mcap = cast(Any, Writer)(stream, chunk_size=CHUNK_BYTES)  # partly untyped
        mcap.start(profile="ros2", library=f"rove {__version__}")
        metadata = {name: self._record(name) for name in self._bag.metadata}
        mcap.add_metadata(EPISODE_RECORD, metadata.pop(EPISODE_RECORD))
        self._declare(mcap)
        kept = [name for name in self._bag.topics if name not in self._dropped]
        total = sum(self._bag.topics[name].count for name in kept)
        for done, message in enumerate(self._bag.raw_messages(kept), start=1):
            topic, cdr, logged, published, sequence = message
            channel, counted = self._topics[topic]
            data = self._message(topic, counted.type, cdr)
            mcap.add_message(channel, logged, data, published, sequence)
            counted.count += 1
            self._first_ns = min(self._first_ns, logged)
            self._last_ns = max(self._last_ns, logged)
            if done % 1000 == 0 or done == total:
                progress(done, total)
        mcap.flush()
        before = metadata.pop(REDACTION_RECORD, {})
        cameras = self._cameras | set(json.loads(before.get("cameras", "[]")))
        persons = self._persons or before.get("persons") == "true"
        for name, record in metadata.items():
            mcap.add_metadata(name, record)
        done_here = {"cameras": json.dumps(sorted(cameras)), "persons": str(persons).lower()}
        mcap.add_metadata(REDACTION_RECORD, done_here)
        mcap.finish()

    def _declare(self, mcap: Any) -> None:
        contents = self._bag.contents
        schemas: dict[int, int] = {}
        for channel in contents.channels.values():
            name = self._bag.info.relative(channel.topic)
            if name in self._dropped:
                continue
            self._look(channel.topic, "names of topics")
            schema = contents.schemas[channel.schema_id]
            if schema.id not in schemas:
                given = (schema.name, schema.encoding, schema.data)
                schemas[schema.id] = mcap.register_schema(*given)
            number = mcap.register_channel(
                channel.topic, channel.message_encoding, schemas[schema.id], channel.metadata
            )
            qos = channel.metadata.get("offered_qos_profiles", "")
            hashed = _hash(schema.name, schema.data)
            self._topics[name] = (number, TopicCount(channel.topic, schema.name, hashed, qos))

    def _record(self, name: str) -> dict[str, str]:
        """Return a metadata record with pseudonyms and without the topics that are gone."""
        kept = STRUCTURE_KEYS.get(name, ())
        record: dict[str, str] = {}
        for key, text in self._bag.metadata[name].items():
            if key in kept:
                self._look(text, f"record {name}, {key}")
                record[key] = text
            else:
                record[key] = self._replacer.json(text)
        if name == RECORDING_RECORD and self._dropped:
            gone = {self._bag.topics[topic].full_name for topic in self._dropped}
            topics = json.loads(record["topics"])
            record["topics"] = json.dumps({k: v for k, v in topics.items() if k not in gone})
        return record

    def _message(self, topic: str, type_name: str, cdr: bytes) -> bytes:
        if not self._replacer.names:
            return cdr
        words = cdr[:PICTURE_HEAD] if type_name == CAMERA_TYPE else cdr
        # JSON may write a letter as its number, so that the bytes do not show the name.
        if b"\\u" not in words and not self._replacer.may_be_in(words):
            return cdr
        message = self._bag.decode(topic, cdr)
        if not self._replace(message, topic):
            return cdr
        self.changed[topic] += 1
        if self._typestore is None:
            self._typestore = _types_of(self._bag)
        return bytes(self._typestore.serialize_cdr(message, type_name))

    def _replace(self, message: Any, topic: str) -> bool:
        """Put pseudonyms into a message, nested ones included; return whether that changed it."""
        changed = False
        kept = STRUCTURE_FIELDS.get(message.__msgtype__, ())
        for name, value in list(vars(message).items()):
            if name in kept:
                for text in [value] if isinstance(value, str) else value:
                    self._look(text, f"{topic}, {name}")
            elif isinstance(value, str):
                new = self._replacer.json(value)
                if new != value:
                    setattr(message, name, new)
                    changed = True
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, str):
                        value[i] = self._replacer.json(item)
                        changed = changed or value[i] != item
                    elif hasattr(item, "__msgtype__"):
                        changed = self._replace(item, topic) or changed
            elif hasattr(value, "__msgtype__"):
                changed = self._replace(value, topic) or changed
        return changed

    def _look(self, text: str, where: str) -> None:
        if self._replacer.names and self._replacer.is_in(text):
            self.remains[where] += 1


def _copy_cuts(bag: Bag, copy: Bag, replacer: Replacer) -> None:
    """Give the copy what people cut of the bag, as far as the copy reaches."""
    if not has_cuts(bag.path):
        return
    cuts = read_cuts(bag)

    def hide(note: Note) -> Note:
        return replace(note, reason=replacer.text(note.reason), by=replacer.text(note.by))

    start, end = time_range(copy)  # without a camera it may begin later
    spans = tuple(
        replace(
            cut,
            start_ns=max(cut.start_ns, start),
            end_ns=min(cut.end_ns, end),
            note=hide(cut.note),
        )
        for cut in cuts.spans
        if cut.start_ns < end and cut.end_ns > start
    )
    whole = None if cuts.whole is None else hide(cuts.whole)
    change_cuts(copy, lambda none: replace(none, spans=spans, whole=whole))


def _types_of(bag: Bag) -> Typestore:
    """Return the types of a bag's own schemas: what was read is written as it was defined."""
    store = get_typestore(Stores.EMPTY)
    types: dict[str, Any] = {}
    for schema in bag.contents.schemas.values():
        types.update(get_types_from_msg(schema.data.decode(), schema.name))
    store.register(types)
    return store


def _hash(name: str, text: bytes) -> str:
    """Return the type's hash if the definition is the one that this code knows."""
    try:
        return type_hash(name) if definition(name).encode() == text else ""
    except BagError:
        return ""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
