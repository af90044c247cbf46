"""Check "gaps": what a recording lacks, it must admit."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.bag.schema import TOPIC_TYPES, RecordingEnd
from rove_core.bag.verify.check import Check, Seen
from rove_core.vocabulary import LossCause

LOSS = "recorder/loss"
SHARED = frozenset({"/diagnostics"})
"""Topics of several publishers, whose counts cannot be told apart."""
OVERTAKEN = 64
"""Messages by which one may be late; a count that falls back further is a new publisher's."""
FIRST_WITH_LOSSES = 3
"""The first bag schema version whose recorder writes ``recorder/loss``."""

Counts = npt.NDArray[np.int64]


def runs(counts: list[int]) -> list[Counts]:
    """Split a topic's publication counts, in order of arrival, into those of each publisher."""
    found: list[list[int]] = []
    last = 0
    for count in counts:
        if count <= 0:
            continue  # unknown
        if not found or (count == 1 < last) or count <= last - OVERTAKEN:
            found.append([])
            last = 0
        found[-1].append(count)
        last = max(last, count)
    return [np.unique(np.array(run, dtype=np.int64)) for run in found]


def missing(run: Counts, begins_at: int) -> list[tuple[int, int]]:
    """Return (first, how many in a row) of what a sorted run lacks from a count on."""
    edges = np.concatenate([[begins_at - 1], run])
    holes = np.flatnonzero(np.diff(edges) > 1)
    return [(int(edges[i]) + 1, int(edges[i + 1] - edges[i]) - 1) for i in holes]


class GapCheck(Check):
    """Every hole in a publisher's count is told by ``recorder/loss``, and so is its size."""

    name = "gaps"
    any_type = True

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._counts: dict[str, list[int]] = defaultdict(list)
        self._received: Counter[str] = Counter()
        self._admitted: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._causes: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def see(self, seen: Seen) -> None:
        """Note the publisher's count, or what the recorder admits."""
        self._received[seen.topic] += 1
        if seen.topic not in SHARED:
            self._counts[seen.topic].append(seen.sequence)
        if seen.topic == LOSS and getattr(seen.message, "__msgtype__", "") == TOPIC_TYPES[LOSS]:
            self._admit(seen.message, seen.stamp_ns)

    def _admit(self, loss: Any, stamp_ns: int) -> None:
        topic = self.subject.info.relative(loss.topic)
        first, count = int(loss.first_missing), int(loss.count)
        self._admitted[topic].append((first, count))
        self.lost[topic] += count
        try:
            self._causes[LossCause(loss.cause).name.lower()] += count
        except ValueError:
            self.error(f"cause {loss.cause} is none", LOSS, stamp_ns, kind="cause")

    def finish(self) -> None:
        """Compare counts, admissions and the closing report."""
        for topic, counts in self._counts.items():
            for i, run in enumerate(runs(counts)):
                if i:
                    self.warning("its publisher was replaced", topic, kind="publisher")
                for first, count in missing(run, 1 if i else int(run[0])):
                    self._hole(topic, first, count)
        self._compare_report()

    def _hole(self, topic: str, first: int, count: int) -> None:
        spans = self._admitted.get(topic, [])
        covered = np.zeros(count, dtype=bool)
        for begin, length in spans:
            low, high = max(begin - first, 0), min(begin + length - first, count)
            covered[low : max(high, low)] = True
        hidden = count - int(covered.sum())
        if not hidden:
            return
        text = f"{hidden} messages from count {first} on are missing"
        if self.subject.version < FIRST_WITH_LOSSES:
            self.lost[topic] += hidden
            self.warning(f"{text} (bags of this version do not tell losses)", topic, kind="hole")
        else:
            self.error(f"{text} and no loss tells it", topic, kind="hole")

    def _compare_report(self) -> None:
        report = self.subject.report
        ended = self.subject.outcome.recording
        if report is None:
            if self._admitted and ended in (RecordingEnd.COMPLETE, RecordingEnd.STOPPED):
                self.error("losses are told but the closing report is missing", LOSS)
            return
        for name, topic in self.subject.topics.items():
            told = report.topics.get(topic.full_name)
            if told is None:
                if self._received[name] and name != LOSS:
                    self.error("the closing report does not name the topic", name)
                continue
            if told.received != self._received[name]:
                here = self._received[name]
                self.error(f"the closing report counts {told.received}, the bag has {here}", name)
            if told.lost != self.lost[name]:
                text = f"the closing report has {told.lost} lost, the losses sum to"
                self.error(f"{text} {self.lost[name]}", name)
        causes = {cause: count for cause, count in report.losses.items() if count}
        if causes != dict(self._causes):
            self.error(
                f"the closing report has losses {causes}, those told are {dict(self._causes)}"
            )
