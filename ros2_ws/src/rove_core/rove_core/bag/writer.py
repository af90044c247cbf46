"""BagWriter: one episode as a rosbag2 folder with an MCAP file, safe against being killed.

While it is written the folder is called ``<name>.recording``; ``close`` makes it ``<name>`` in one
step. Chunks end by size and by the time of the messages in them, and each is handed to the
operating system at once, so a killed writer loses at most one chunk. At a bounded interval all of
it is forced to the disk, so a power cut loses at most that interval and one chunk. As long as the
writer lives it holds a lock on the file (``rove_core.bag.recording.lock.is_written``).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from mcap.writer import CompressionType, Writer

from rove_core import __version__
from rove_core.bag.definitions import definition, type_hash
from rove_core.bag.metadata import TopicCount, metadata_text, parse_qos
from rove_core.bag.schema import (
    EPISODE_RECORD,
    OUTCOME_RECORD,
    RECORDING_RECORD,
    RECORDING_SUFFIX,
    EpisodeInfo,
    EpisodeOutcome,
    RecordingEnd,
    RecordingReport,
)
from rove_core.errors import BagError
from rove_core.vocabulary import Outcome

CHUNK_BYTES = 1 << 20
"""About 0.1 s of three cameras and all joints (8 MB/s)."""
CHUNK_SECONDS = 0.25
"""A slow stream loses no more than this when the writer is killed."""
SYNC_SECONDS = 1.0
"""What a power cut costs, besides the open chunk. A sync waits for the disk, so not for each."""

_END_OF_TIME = 1 << 63
"""ns; rosbag2 keeps times as signed 64-bit numbers."""

Opener = Callable[[Path], BinaryIO]
"""Opens the MCAP file for writing. What it returns may bring its own ``sync()``, called instead of
``os.fdatasync``: that is where tests let disks fail, stall or lose power."""

COMPRESSIONS = {
    "zstd": CompressionType.ZSTD,
    "lz4": CompressionType.LZ4,
    "none": CompressionType.NONE,
}


def open_file(path: Path) -> BinaryIO:
    """Open a new file for writing."""
    return open(path, "xb")


def sync_file(file: BinaryIO) -> None:
    """Wait until all that was written to a file is on the disk.

    Raises:
        OSError: the disk refuses.
    """
    own = getattr(file, "sync", None)
    if own is not None:
        own()
    else:
        os.fdatasync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BagWriter:
    """Writes one episode; not safe to share between threads, and a call may wait for the disk.

    Args:
        folder: the finished bag, for example ``bags/<episode id>``; parents are made.
        info: the episode's description.
        chunk_bytes: a chunk ends when its messages have this many bytes.
        chunk_seconds: ... or when its messages span this much log time, s.
        compression: of chunks: zstd, lz4 or none.
        sync_seconds: after a chunk, what was written is forced to the disk unless that was done
            less than this long ago, s of ``clock``; infinity leaves it to ``close``.
        opener: of the MCAP file.
        clock: steady, s; of the syncs and of ``tend``.

    Raises:
        BagError: the bag or a recording of that name exists, or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        info: EpisodeInfo,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        chunk_seconds: float = CHUNK_SECONDS,
        compression: str = "zstd",
        sync_seconds: float = SYNC_SECONDS,
        opener: Opener = open_file,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if compression not in COMPRESSIONS:
            raise BagError(f"compression {compression!r} given, {', '.join(COMPRESSIONS)} allowed")
        self.folder = Path(folder)
        self.recording = self.folder.with_name(self.folder.name + RECORDING_SUFFIX)
        self.info = info
        self._chunk_bytes, self._chunk_ns = chunk_bytes, int(chunk_seconds * 1e9)
        self._topics: dict[str, tuple[int, TopicCount]] = {}
        self._schemas: dict[str, int] = {}
        self._first_ns, self._last_ns = _END_OF_TIME, -1
        self._open_since_ns, self._open_bytes = -1, 0
        self._chunk_seconds, self._sync_seconds, self._clock = chunk_seconds, sync_seconds, clock
        self._flushed = self._synced = clock()
        self._folder_synced = False
        if self.folder.exists():
            raise BagError(f"bag {self.folder} exists already; bags are never overwritten")
        try:
            self.recording.mkdir(parents=True)
        except FileExistsError:
            raise BagError(
                f"{self.recording} exists already: another recording, or what is "
                "left of one; bags are never overwritten"
            ) from None
        except OSError as error:
            raise BagError(f"bag {self.folder} cannot be written: {error}") from error
        self._name = f"{self.folder.name}_0.mcap"
        self._file: BinaryIO | None = None
        try:
            self._file = opener(self.recording / self._name)
            with suppress(OSError, ValueError):  # a file system without locks, or no real file
                fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Chunks are ended here, by flush(), so the library's own size never comes first.
            # The data's own checksum covers what those of the chunks do not: metadata, heads.
            self._mcap = cast(Any, Writer)(  # partly untyped
                self._file,
                chunk_size=1 << 62,
                compression=COMPRESSIONS[compression],
                enable_data_crcs=True,
            )
            self._add_message = self._mcap.add_message
            self._mcap.start(profile="ros2", library=f"rove {__version__}")
            self._mcap.add_metadata(EPISODE_RECORD, info.to_record())
            self._mcap.flush()
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave ``<name>.recording`` behind, readable, unless ``close`` was called."""
        self.abandon()

    def declare(self, topic: str, type_name: str, qos: str = "", text: str | None = None) -> None:
        """Add a topic.

        Args:
            topic: full name, with the namespace.
            type_name: for example ``sensor_msgs/msg/JointState``.
            qos: the publisher's QoS profiles, a YAML list (``metadata.qos_text``).
            text: ros2msg definition with dependencies; looked up when left out.

        Raises:
            BagError: topic declared twice or not a full name, unknown type, malformed QoS.
        """
        if topic in self._topics:
            raise BagError(f"topic {topic} is declared twice in {self.folder}")
        if not topic.startswith("/"):
            raise BagError(f"topic {topic!r} given, a full name that starts with / allowed")
        parse_qos(qos, topic)
        body = definition(type_name) if text is None else text
        hashed = type_hash(type_name) if text is None else ""
        self._need_open()
        if type_name not in self._schemas:
            self._schemas[type_name] = self._mcap.register_schema(
                type_name, "ros2msg", body.encode()
            )
        channel = self._mcap.register_channel(
            topic, "cdr", self._schemas[type_name], {"offered_qos_profiles": qos}
        )
        self._topics[topic] = (channel, TopicCount(topic, type_name, hashed, qos))

    def write(
        self,
        topic: str,
        cdr: bytes | memoryview,
        log_time_ns: int,
        publish_time_ns: int | None = None,
        sequence: int = 0,
    ) -> None:
        """Append a message.

        Args:
            topic: full name of a declared topic.
            cdr: the serialised message with its encapsulation header.
            log_time_ns: ROS time at which it was received, ns.
            publish_time_ns: time at which it was published, ns; by default ``log_time_ns``.
            sequence: the publisher's count, 0 when unknown; its gaps are lost messages.

        Raises:
            BagError: undeclared topic, time out of range, closed bag, or the disk refuses.
        """
        # Called thousands of times a second: comparisons instead of calls.
        entry = self._topics.get(topic)
        if entry is None or self._file is None:
            self._need_open()
            allowed = ", ".join(self._topics)
            raise BagError(f"topic {topic!r} given, {allowed} declared in {self.folder}")
        channel, counted = entry
        published = log_time_ns if publish_time_ns is None else publish_time_ns
        if not (0 <= log_time_ns < _END_OF_TIME and 0 <= published < _END_OF_TIME):
            raise BagError(
                f"times {log_time_ns} and {published} ns given, 0..2^63-1 allowed (topic {topic})"
            )
        if log_time_ns > self._last_ns:
            self._last_ns = log_time_ns
        if log_time_ns < self._first_ns:
            self._first_ns = log_time_ns
        self._add_message(channel, log_time_ns, cdr, published, sequence & 0xFFFFFFFF)
        counted.count += 1
        self._open_bytes += len(cdr)
        if self._open_since_ns < 0:
            self._open_since_ns = log_time_ns
        # A clock that jumped back ends the chunk too: its age would never be reached.
        if (
            self._open_bytes >= self._chunk_bytes
            or not 0 <= log_time_ns - self._open_since_ns < self._chunk_ns
        ):
            self.flush()

    @property
    def open_bytes(self) -> int:
        """Bytes of messages in the open chunk, which a killed writer would lose."""
        return self._open_bytes

    def flush(self) -> None:
        """End the open chunk and hand it to the operating system; sync when that is due.

        Raises:
            BagError: the disk refuses.
        """
        self._need_open()
        try:
            self._mcap.flush()
        except OSError as error:
            raise self._failed(error) from error
        self._open_since_ns, self._open_bytes = -1, 0
        self._flushed = self._clock()
        if self._flushed - self._synced >= self._sync_seconds:
            self.sync()

    def sync(self) -> None:
        """Force the chunks that were ended to the disk, now.

        Raises:
            BagError: the disk refuses.
        """
        self._need_open()
        assert self._file is not None
        try:
            sync_file(self._file)
            if not self._folder_synced:  # the names must be there, too
                _sync(self.recording)
                _sync(self.recording.parent)
                self._folder_synced = True
        except OSError as error:
            raise self._failed(error) from error
        self._synced = self._clock()

    def tend(self) -> None:
        """Call now and then: ends the chunk of streams that fell silent, syncs what is due.

        Raises:
            BagError: the disk refuses.
        """
        now = self._clock()
        if self._open_bytes and now - self._flushed >= self._chunk_seconds:
            self.flush()
        elif self._synced < self._flushed and now - self._synced >= self._sync_seconds:
            self.sync()

    def close(
        self,
        outcome: Outcome,
        reason: str = "",
        recording: RecordingEnd = RecordingEnd.COMPLETE,
        report: RecordingReport | None = None,
    ) -> Path:
        """Write outcome, report and index, sync to disk, give the folder its name and return it.

        Args:
            outcome: how the episode ended.
            reason: in words.
            recording: COMPLETE, or STOPPED when the episode still ran.
            report: what was received and lost, as far as the caller knows.

        Raises:
            BagError: the disk refuses or a bag of that name appeared meanwhile; what was
                recorded stays in ``<name>.recording``.
        """
        self._need_open()
        assert self._file is not None
        try:
            self._mcap.flush()  # an outcome never stands before messages that are lost
            self._mcap.add_metadata(
                OUTCOME_RECORD, EpisodeOutcome(outcome, reason, recording).to_record()
            )
            if report is not None:
                self._mcap.add_metadata(RECORDING_RECORD, report.to_record())
            self._mcap.finish()
            self._file.flush()
            sync_file(self._file)
            text = metadata_text(
                self._name,
                self._first_ns if self._last_ns >= 0 else 0,
                max(self._last_ns, 0),
                [counted for _, counted in self._topics.values()],
            )
            metadata = self.recording / "metadata.yaml"
            metadata.write_text(text, encoding="utf-8")
            _sync(metadata)
            _sync(self.recording)
            if self.folder.exists():
                raise FileExistsError(f"{self.folder} appeared while it was being recorded")
            self.recording.rename(self.folder)
            _sync(self.folder.parent)
        except OSError as error:
            raise self._failed(error) from error
        with suppress(OSError):  # all of it is on the disk already
            self._file.close()  # frees the lock; until here nobody takes the bag for a dead one's
        self._file = None
        return self.folder

    def abandon(self) -> None:
        """Stop without an outcome; ``<name>.recording`` stays and can be read. Idempotent."""
        if self._file is not None:
            with suppress(OSError):  # the disk may be why it is abandoned
                self._mcap.flush()
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _need_open(self) -> None:
        if self._file is None:
            raise BagError(f"bag {self.folder} is closed")

    def _failed(self, error: OSError) -> BagError:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        return BagError(f"bag {self.folder} cannot be written: {error}; see {self.recording}")
