"""What every check knows of a bag, and what it sees of each message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from rove_core.bag.reader import Topic
from rove_core.bag.schema import EpisodeInfo, EpisodeOutcome, RecordingReport
from rove_core.bag.verify.report import NOWHERE_NS, Findings, Level
from rove_core.robot.spec import RobotSpec

LATCHED = frozenset({"arbiter/state", "arbiter/handover", "policy/status", "operator/device"})
"""Topics whose first message may be older than the bag: what held when it began."""


class Seen(NamedTuple):
    """One message. ``topic`` is relative to the namespace; times in ns, ``stamp_ns`` from its
    header, ``NOWHERE_NS`` without one; ``sequence`` is the publisher's count, 0 when unknown."""

    topic: str
    message: Any
    stamp_ns: int
    log_ns: int
    publish_ns: int
    sequence: int


@dataclass(frozen=True)
class Subject:
    """The bag that is verified.

    Attributes:
        version: of its schema.
        info, outcome: its records.
        report: what its recorder says of the recording, None when it says nothing.
        topics: name -> topic.
        spec: the robot of the profile inside the bag, None when it cannot be built here.
    """

    version: int
    info: EpisodeInfo
    outcome: EpisodeOutcome
    report: RecordingReport | None
    topics: Mapping[str, Topic]
    spec: RobotSpec | None


class Check:
    """A law that a bag must obey. Sees every message of ``topics`` once, in the order written.

    Attributes:
        name: in findings.
        topics: what it wants to see; None is everything.
        any_type: whether it looks at times and counts, so that it also sees messages that do not
            decode (None) or are of a type that is not the contract's.
    """

    name: ClassVar[str]
    topics: ClassVar[frozenset[str] | None] = None
    any_type: ClassVar[bool] = False

    def __init__(self, subject: Subject, findings: Findings) -> None:
        self.subject, self._findings = subject, findings

    def see(self, seen: Seen) -> None:
        """Take one message."""

    def finish(self) -> None:
        """Judge what only the whole bag shows."""

    def error(self, text: str, topic: str = "", stamp_ns: int = NOWHERE_NS, kind: str = "") -> None:
        """Note that the bag contradicts itself."""
        self._findings.add(Level.ERROR, self.name, text, topic, stamp_ns, kind)

    def warning(
        self, text: str, topic: str = "", stamp_ns: int = NOWHERE_NS, kind: str = ""
    ) -> None:
        """Note something that is not as it should be."""
        self._findings.add(Level.WARNING, self.name, text, topic, stamp_ns, kind)

    def not_checked(self, why: str) -> None:
        """Say why this check had nothing to check."""
        self._findings.not_checked[self.name] = why
