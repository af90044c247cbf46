"""What ``verify`` finds in a bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rove_core.bag.schema import BagState

NOWHERE_NS = -1
"""Stamp of a finding that belongs to the whole bag."""
MOST_ALIKE = 3
"""Findings of one kind that are told in full; a clock that jumps spoils every message after it."""


class Level(StrEnum):
    """What a finding means for whoever uses the bag."""

    ERROR = "error"
    """The bag contradicts itself or lacks something it does not admit."""
    WARNING = "warning"
    """The bag is sound; what it holds is not as it should be, or could not be checked."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        level: error or warning.
        check: name of the check, for example "gaps".
        topic: name relative to the robot's namespace, "" for the whole bag.
        stamp_ns: ROS time to look at, ns, ``NOWHERE_NS`` for the whole bag.
        text: what is wrong, in words.
    """

    level: Level
    check: str
    topic: str
    stamp_ns: int
    text: str


@dataclass(frozen=True)
class TopicRate:
    """How a topic was recorded.

    Attributes:
        count: messages in the bag.
        rate_hz: mean rate between the first and the last, by log time; 0 with fewer than two.
        nominal_hz: the rate it should have, 0 for a topic without one.
        largest_gap_s: longest time without a message, s; with a nominal rate that between the
            bag's begin and the first message counts, and that at the end.
        lost: messages that the publishers counted and the bag lacks.
    """

    count: int
    rate_hz: float
    nominal_hz: float
    largest_gap_s: float
    lost: int = 0


@dataclass(frozen=True)
class Report:
    """What ``verify`` says of a bag.

    Attributes:
        path: the bag's folder.
        version: its schema version.
        state: recording, complete or recovered.
        findings: errors first, then in order of time.
        topics: name -> how it was recorded.
        not_checked: check -> why it had nothing to check.
    """

    path: Path
    version: int
    state: BagState
    findings: tuple[Finding, ...]
    topics: Mapping[str, TopicRate] = field(default_factory=dict)
    not_checked: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no check found an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(f for f in self.findings if f.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are warnings."""
        return tuple(f for f in self.findings if f.level is Level.WARNING)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "version": self.version,
            "state": self.state.value,
            "findings": [asdict(finding) for finding in self.findings],
            "topics": {name: asdict(topic) for name, topic in self.topics.items()},
            "not_checked": dict(self.not_checked),
        }


class Findings:
    """Collects findings; of those of one kind all but the first few are only counted."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Level, str, str, str], list[Finding]] = {}
        self._counts: dict[tuple[Level, str, str, str], int] = {}
        self.not_checked: dict[str, str] = {}

    def add(
        self,
        level: Level,
        check: str,
        text: str,
        topic: str = "",
        stamp_ns: int = NOWHERE_NS,
        kind: str = "",
    ) -> None:
        """Note a finding; ``kind`` names those that are alike, by default its text does."""
        key = (level, check, topic, kind or text)
        self._counts[key] = self._counts.get(key, 0) + 1
        kept = self._kept.setdefault(key, [])
        if len(kept) < MOST_ALIKE:
            kept.append(Finding(level, check, topic, stamp_ns, text))

    def result(self) -> tuple[Finding, ...]:
        """Return what was found: errors first, then in order of time."""
        found: list[Finding] = []
        for key, kept in self._kept.items():
            more = self._counts[key] - len(kept)
            if more:
                last = kept[-1]
                text = f"{last.text} (and {more} more like this)"
                kept = [
                    *kept[:-1],
                    Finding(last.level, last.check, last.topic, last.stamp_ns, text),
                ]
            found += kept
        return tuple(sorted(found, key=lambda f: (f.level is Level.WARNING, f.stamp_ns)))
