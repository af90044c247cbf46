"""Recording: one open bag, with what it got, what it lacks and what was noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rove_core.bag.metadata import qos_text
from rove_core.bag.recording.inbox import Arrival, Dropped
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.sequence import Gap, SequenceTracker
from rove_core.bag.recording.streams import LOSS, Stream, full_name
from rove_core.bag.schema import (
    TOPIC_TYPES,
    EpisodeInfo,
    Note,
    RecordingEnd,
    RecordingReport,
    TopicReport,
)
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import LossCause, Outcome

LOSS_QOS = qos_text(10, durability="transient_local")


@dataclass
class _Count:
    """A stream in this bag."""

    stream: Stream
    tracker: SequenceTracker | None
    received: int = 0
    lost: int = 0
    first_ns: int = -1
    last_ns: int = -1

    def report(self) -> TopicReport:
        span = self.last_ns - self.first_ns
        rate = (self.received - 1) * 1e9 / span if self.received > 1 and span > 0 else 0.0
        return TopicReport(
            self.received, self.lost, self.first_ns, self.last_ns, rate, self.stream.nominal_hz
        )


@dataclass
class _Run:
    """Messages in a row that the disk refused."""

    first: int = 0
    count: int = 0


@dataclass
class Tally:
    """What a recording lacks, by cause, and what was noted; lives on when the bag cannot."""

    losses: dict[str, int] = field(
        default_factory=lambda: {cause.name.lower(): 0 for cause in LossCause}
    )
    notes: list[Note] = field(default_factory=list)


class Recording:
    """Writes what arrives into one bag; from one thread, which may wait for the disk.

    When the disk refuses, ``add``, ``tend`` and ``close`` raise once; from then on the recording
    is ``broken``: it only counts what comes as lost to the disk.

    Args:
        folder: the finished bag's folder.
        info: the episode's description.
        streams: by the index that arrivals carry.
        on_loss: told of every loss.
        writer: of ``BagWriter``'s keywords.

    Raises:
        BagError: as ``BagWriter``.
    """

    def __init__(
        self,
        folder: Path,
        info: EpisodeInfo,
        streams: Sequence[Stream],
        on_loss: Callable[[Loss], None],
        **writer: Any,
    ) -> None:
        self.info, self.tally, self.broken = info, Tally(), False
        self._on_loss = on_loss
        self._loss_topic = full_name(LOSS, info.namespace)
        self._writer = BagWriter(folder, info, **writer)
        try:
            for stream in streams:
                self._writer.declare(stream.full_name, stream.type_name, stream.qos)
            self._writer.declare(self._loss_topic, TOPIC_TYPES[LOSS], LOSS_QOS)
        except BaseException:
            self._writer.abandon()
            raise
        self._counts = [_Count(s, SequenceTracker() if s.counted else None) for s in streams]
        self._losses_written = 0
        # Of the open chunk, which a disk that refuses takes along.
        self._unsaved: list[Arrival] = []
        self._refused: dict[int, _Run] = {}

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Full topic name -> (received, lost) so far."""
        return {c.stream.full_name: (c.received, c.lost) for c in self._counts}

    def carry(self, arrival: Arrival, log_ns: int) -> None:
        """Write a message that came before the bag begins and still holds, at its beginning.

        Raises:
            BagError: the disk refuses.
        """
        self._write(self._counts[arrival.stream], arrival, log_ns)

    def add(self, item: Arrival | Dropped, now: float) -> None:
        """Write a message and the losses that it shows; ``now`` is steady, s.

        Raises:
            BagError: the disk refuses.
        """
        count = self._counts[item.stream]
        tracker = count.tracker
        if isinstance(item, Dropped):
            gaps = tracker.dropped(item.first, item.last, now) if tracker else []
            self._middleware(count, gaps, item.log_ns)
            # Counts between the dropped ones never arrived; where exactly is not known.
            missing = item.last - item.first + 1 - item.count if tracker else 0
            self._lost(count, LossCause.BACKLOG, item.first, item.count, item.log_ns)
            if missing > 0:
                self._lost(count, LossCause.MIDDLEWARE, item.first, missing, item.log_ns)
            return
        if tracker is not None:
            gaps = tracker.seen(item.sequence, now)
            if gaps:
                self._middleware(count, gaps, item.log_ns)
        if self.broken:
            self._refuse(item)
        else:
            self._write(count, item, item.log_ns)

    def tend(self, now: float, ros_ns: int) -> None:
        """Settle what is missing for good; flush and sync what is due.

        Raises:
            BagError: the disk refuses.
        """
        for count in self._counts:
            if count.tracker is not None:
                self._middleware(count, count.tracker.settle(now), ros_ns)
        self._tell_refused(ros_ns)
        if not self.broken:
            self._guarded(self._writer.tend)
            if not self._writer.open_bytes:
                self._unsaved.clear()

    def note(self, stamp_ns: int, text: str) -> None:
        """Remember something that a reader of the bag should know."""
        self.tally.notes.append(Note(stamp_ns, text))

    def report(self) -> RecordingReport:
        """Return what the bag got and lacks so far."""
        topics = {c.stream.full_name: c.report() for c in self._counts}
        return RecordingReport(topics, dict(self.tally.losses), tuple(self.tally.notes))

    def close(
        self, outcome: Outcome, reason: str, end: RecordingEnd, ros_ns: int
    ) -> tuple[Path, RecordingReport]:
        """Finish the bag; return its folder and its report.

        Raises:
            BagError: the disk refuses or refused; what was recorded stays in ``.recording``.
        """
        for count in self._counts:
            if count.tracker is not None:
                self._middleware(count, count.tracker.settle(), ros_ns)
        self._tell_refused(ros_ns)
        if self.broken:
            raise BagError(f"bag {self._writer.folder} is not whole; see {self._writer.recording}")
        report = self.report()
        return self._guarded(lambda: self._writer.close(outcome, reason, end, report)), report

    def _write(self, count: _Count, arrival: Arrival, log_ns: int) -> None:
        self._unsaved.append(arrival)
        count.received += 1
        if count.first_ns < 0:
            count.first_ns = log_ns
        count.last_ns = log_ns
        topic = count.stream.full_name
        try:
            self._writer.write(topic, arrival.cdr, log_ns, arrival.publish_ns, arrival.sequence)
        except BagError:
            self._break()
            raise
        if not self._writer.open_bytes:
            self._unsaved.clear()

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except BagError:
            self._break()
            raise

    def _break(self) -> None:
        self.broken = True
        self._writer.abandon()
        for arrival in self._unsaved:
            count = self._counts[arrival.stream]
            count.received -= 1
            self._refuse(arrival)
        self._unsaved.clear()

    def _refuse(self, arrival: Arrival) -> None:
        run = self._refused.setdefault(arrival.stream, _Run(arrival.sequence))
        run.count += 1

    def _tell_refused(self, ros_ns: int) -> None:
        """Tell runs of messages, not each: a disk that refuses one refuses thousands."""
        for stream, run in self._refused.items():
            self._lost(self._counts[stream], LossCause.DISK, run.first, run.count, ros_ns)
        self._refused.clear()

    def _middleware(self, count: _Count, gaps: Sequence[Gap], stamp_ns: int) -> None:
        for gap in gaps:
            self._lost(count, LossCause.MIDDLEWARE, gap.first, gap.count, stamp_ns)

    def _lost(
        self, count: _Count, cause: LossCause, first: int, missing: int, stamp_ns: int
    ) -> None:
        count.lost += missing
        self.tally.losses[cause.name.lower()] += missing
        loss = Loss(stamp_ns, cause, count.stream.full_name, first, missing)
        self._on_loss(loss)
        if not self.broken:
            self._losses_written += 1
            cdr, sequence = loss.cdr(), self._losses_written
            self._guarded(
                lambda: self._writer.write(self._loss_topic, cdr, stamp_ns, stamp_ns, sequence)
            )
