"""Recording: what a report needs of one bag, read from the bag alone."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from rove_core.bag.episode import stamp_ns
from rove_core.bag.reader import Bag, find_bags, find_incomplete_bags
from rove_core.bag.schema import EpisodeInfo, EpisodeOutcome
from rove_core.bag.summary import BagSummary, summarise_bag
from rove_core.errors import BagError
from rove_core.vocabulary import EpisodeKind, Outcome, Stage

LOOK_EVERY_NS = 20_000_000
"""Stages are looked up this often: a person sees no shorter stage on a ribbon."""
NO_MARK = "no mark: drawn at the end"
GAP_NS = 100_000_000
"""Two periods of 20 Hz without a command: nothing was in force, the ribbon shows a cut."""


@dataclass(frozen=True)
class Span:
    """A stretch of one stage, s since the first command. ``Stage.NONE`` is cut from learning."""

    stage: Stage
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it lasted, s."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Boundary:
    """A failure boundary ``t_r``, s since the first command, and how it was found, in words."""

    at_s: float
    source: str


@dataclass(frozen=True)
class Recording:
    """One episode.

    Attributes:
        path: the bag.
        summary: seconds, takeovers, policy.
        info: the episode's description.
        outcome: how the episode and its recording ended.
        begin_ns: ROS time of the first command, ns; 0 s of every figure.
        spans: the stages in order of time; they cover the episode without holes.
    """

    path: Path
    summary: BagSummary
    info: EpisodeInfo
    outcome: EpisodeOutcome
    begin_ns: int
    spans: tuple[Span, ...]

    @property
    def name(self) -> str:
        """The bag's name."""
        return self.path.name

    @property
    def duration_s(self) -> float:
        """Time from the first to the last command, s."""
        return self.summary.duration_s

    @property
    def human_s(self) -> float:
        """Time in which a person drove, s."""
        row = self.summary
        return row.adaptation_s + row.recovery_s + row.demonstration_s

    @property
    def succeeded_alone(self) -> bool:
        """Whether the policy did it without any help."""
        helped = self.summary.takeovers > 0 or self.human_s > 0
        return self.outcome.outcome == Outcome.SUCCESS and not helped

    @property
    def is_trial(self) -> bool:
        """Whether it says something about a policy: a rollout whose outcome is known."""
        known = self.outcome.outcome != Outcome.UNKNOWN
        return known and self.info.kind == EpisodeKind.ROLLOUT

    def boundaries(self) -> tuple[Boundary, ...]:
        """Return the ends of the adaptation stages, as the commands of the bag tell them.

        An intervention whose recovery was never reached has its boundary at the end (ROVE §3.1).
        """
        found: list[Boundary] = []
        adapting = False
        for span in self.spans:
            if span.stage == Stage.RECOVERY and adapting:
                found.append(Boundary(span.start_s, "by the operator's mark"))
            if span.stage in (Stage.ROLLOUT, Stage.RECOVERY):
                if adapting and span.stage == Stage.ROLLOUT:
                    found.append(Boundary(self.duration_s, NO_MARK))
                adapting = False
            adapting = adapting or span.stage == Stage.ADAPTATION
        if adapting:
            found.append(Boundary(self.duration_s, NO_MARK))
        return tuple(found)


@dataclass(frozen=True)
class Unread:
    """A path that is no readable bag, and why."""

    path: Path
    error: str


@dataclass(frozen=True)
class Recordings:
    """Episodes in order of time, and what could not be read."""

    good: tuple[Recording, ...] = ()
    bad: tuple[Unread, ...] = field(default=())

    @property
    def trials(self) -> tuple[Recording, ...]:
        """The episodes that say something about a policy."""
        return tuple(row for row in self.good if row.is_trial)


def read_recordings(paths: Iterable[Path]) -> Recordings:
    """Read bags, or folders of bags; what cannot be read is listed, never raised."""
    good: list[Recording] = []
    bad: list[Unread] = []
    for given in paths:
        try:
            inside = [*find_bags(given), *find_incomplete_bags(given)] if given.is_dir() else []
        except OSError as error:
            bad.append(Unread(given, str(error)))
            continue
        for path in inside or [given]:
            try:
                good.append(read_recording(path))
            except (BagError, OSError) as error:
                bad.append(Unread(path, str(error)))
    return Recordings(tuple(sorted(good, key=lambda row: row.summary.start_ns)), tuple(bad))


def read_recording(path: Path) -> Recording:
    """Read one bag.

    Raises:
        BagError: it cannot be read, or it holds no command.
    """
    file = Bag(path).file  # says what is wrong with the path
    state = file.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=512)
def _read(path: Path, modified_ns: int, size: int) -> Recording:
    """Read a bag once for all parts of a report; its time and size say whether it changed."""
    bag = Bag(path)
    summary = summarise_bag(path)
    looks: list[tuple[int, Stage]] = []
    last = 0
    for message in bag.raw_messages(["joint_command"]):
        now = stamp_ns(message.cdr)
        if looks and now < last:
            continue  # a command of an arbiter that another one has replaced
        if looks and now - last > GAP_NS:
            looks.append((last, Stage.NONE))
        if not looks or now - looks[-1][0] >= LOOK_EVERY_NS:
            looks.append((now, Stage(bag.decode("joint_command", message.cdr).stage)))
        last = now
    if not looks:
        raise BagError(f"bag {path} holds no joint_command")
    return Recording(path, summary, bag.info, bag.outcome, looks[0][0], _spans(looks, last))


def _spans(looks: Sequence[tuple[int, Stage]], end_ns: int) -> tuple[Span, ...]:
    begin = looks[0][0]
    changes = [looks[0]] + [b for a, b in pairwise(looks) if a[1] != b[1]]
    ends = [at for at, _ in changes[1:]] + [end_ns]
    spans = [
        Span(stage, (at - begin) / 1e9, (end - begin) / 1e9)
        for (at, stage), end in zip(changes, ends, strict=True)
    ]
    return tuple(span for span in spans if span.seconds > 0)
