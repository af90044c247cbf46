"""Track: what a picture of an episode shows, read from its bag. Times are s since the bag's start.

Works for bags with few topics: what a bag lacks is empty here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from rove_core.bag.cuts import Cuts, read_cuts, time_range
from rove_core.bag.episode import stamp_ns
from rove_core.bag.film import TOO_FAR_NS, nearest_pictures
from rove_core.bag.reader import Bag
from rove_core.bag.redact import cameras_of
from rove_core.bag.schema import (
    EPISODE_RECORD,
    RECORDING_RECORD,
    EpisodeInfo,
    EpisodeOutcome,
    RecordingReport,
    camera_topic,
)
from rove_core.errors import BagError
from rove_core.vocabulary import HandoverKind, LossCause, Mode

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]

SAMPLES = 8000
"""Of a stream at most: five a pixel, so that an hour costs no more memory than a minute."""
STREAMS = frozenset({"joint_command", "joint_states", "teleop/target"})
"""Topics of which not every message is shown."""
EARLY_NS = 100_000_000
"""A message is stamped when it is sent and logged when it arrives, this much later at most."""
CELLS = 10
"""Pictures in a row of the film."""
FIRST_WITH_LOSSES = 3
"""Bags of older versions do not tell losses; their publishers' counts do."""


@dataclass(frozen=True)
class Commands:
    """C commands in force: (C,) seconds, mode, stage, authority; (C, N) rad, NaN where none."""

    at: Floats
    mode: npt.NDArray[np.uint8]
    stage: npt.NDArray[np.uint8]
    authority: npt.NDArray[np.uint8]
    sent: Rows
    policy: Rows
    human: Rows
    digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Change:
    """The arbiter went from one mode to another, and said why."""

    at: float
    before: Mode
    after: Mode
    reason: str
    measured: str = ""
    """What its ``Handover`` measured, in words."""


@dataclass(frozen=True)
class LostMark:
    """Messages of a topic that the recording lacks, and who lost them."""

    at: float
    topic: str
    count: int
    cause: str


@dataclass(frozen=True)
class Curve:
    """A number over time."""

    at: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.at)


NO_CURVE = Curve(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Track:
    """One episode.

    Attributes:
        name, info, outcome, version: of the bag.
        damage: what of it cannot be read, "" when all can.
        unfinished: its recording was cut off or still runs.
        duration: s from the first to the last message.
        commands: what was sent, and who wanted what.
        measured_at, measured: (M,) s and (M, N) rad of the joints, order of ``info``.
        changes: of mode, in order of time.
        value, suggested: policy/value, and the moments at which it suggests a takeover.
        wrist_error: m, how far the operator's wrists are from the robot's.
        lost: what the recording lacks; notes: what else its recorder said.
        cuts: by hand; None when they cannot be read.
        film: camera -> ``CELLS`` JPEG pictures, None where there is none.
        closure: joint -> (open, closed) rad of the fingers, from the bag's robot profile.
    """

    name: str
    info: EpisodeInfo
    outcome: EpisodeOutcome
    version: int
    damage: str
    unfinished: bool
    duration: float
    commands: Commands
    measured_at: Floats
    measured: Rows
    changes: tuple[Change, ...] = ()
    value: Curve = NO_CURVE
    suggested: Floats = field(default_factory=lambda: np.zeros(0))
    wrist_error: Curve = NO_CURVE
    lost: tuple[LostMark, ...] = ()
    notes: tuple[tuple[float, str], ...] = ()
    cuts: Cuts | None = None
    film: Mapping[str, list[bytes | None]] = field(default_factory=dict)
    closure: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def policies(self) -> tuple[str, ...]:
        """Digests of the policies that had a say, in order; "" is not among them."""
        named = (self.info.policy_digest, *self.commands.digests)
        return tuple(dict.fromkeys(digest for digest in named if digest))


def read_track(path: Path) -> Track:
    """Read a bag, finished or not.

    Raises:
        BagError: it cannot be read, or holds no message.
    """
    bag = Bag(path)
    start, end = time_range(bag)
    reading = _Reading(bag, start, end)
    for message in bag.raw_messages(reading.wanted):
        reading.take(message.topic, message.cdr)
    commands = reading.commands()
    version = int(bag.metadata[EPISODE_RECORD]["bag_schema_version"])
    lost = _lost_by_count(bag, start) if version < FIRST_WITH_LOSSES else reading.lost
    try:
        cuts: Cuts | None = read_cuts(bag)
    except BagError:
        cuts = None  # rove bag cut says what is wrong with them
    moments = [start + round((k + 0.5) / CELLS * (end - start)) for k in range(CELLS)]
    within = max(TOO_FAR_NS, (end - start) // CELLS // 2)
    return Track(
        name=bag.path.resolve().name,
        info=bag.info,
        outcome=bag.outcome,
        version=version,
        damage=bag.damage,
        unfinished=not (bag.path / "metadata.yaml").is_file(),
        duration=max((end - start) / 1e9, 1e-3),
        commands=commands,
        measured_at=np.array(reading.measured_at),
        measured=_rows(reading.measured, len(bag.info.joint_names)),
        changes=reading.all_changes(commands),
        value=Curve(np.array(reading.value_at), np.array(reading.value)),
        suggested=np.array(reading.suggested),
        wrist_error=Curve(np.array(reading.wrist_at), np.array(reading.wrist)),
        lost=tuple(lost),
        notes=_notes(bag, start),
        cuts=cuts,
        film={
            name: nearest_pictures(bag, camera_topic(name), moments, within)
            for name in cameras_of(bag)
        },
        closure=_closure(bag.info.robot_profile),
    )


class _Reading:
    """Takes the messages of a bag in the order they were written."""

    def __init__(self, bag: Bag, start_ns: int, end_ns: int) -> None:
        self._bag, self._start = bag, start_ns
        self._step_ns = (end_ns - start_ns) // SAMPLES
        self._last: dict[str, int] = {}
        self._kinds = {
            "joint_command": self._command,
            "joint_states": self._joint_state,
            "arbiter/state": self._state,
            "arbiter/handover": self._handover,
            "policy/value": self._value,
            "teleop/target": self._target,
            "recorder/loss": self._loss,
        }
        self.wanted = [topic for topic in self._kinds if topic in bag.topics]
        self._index = {name: i for i, name in enumerate(bag.info.joint_names)}
        self._commands: list[tuple[float, int, int, int, Any, Any, Any]] = []
        self._epoch = 0
        self._digests: dict[str, None] = {}
        self.measured_at: list[float] = []
        self.measured: list[Rows] = []
        self._places: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}
        self._early = False
        self._mode: int = -1
        self._changes: list[tuple[int, int, Change]] = []  # epoch, transition
        self._handovers: dict[tuple[int, int], str] = {}
        self.value_at: list[float] = []
        self.value: list[float] = []
        self.suggested: list[float] = []
        self.wrist_at: list[float] = []
        self.wrist: list[float] = []
        self.lost: list[LostMark] = []

    def take(self, topic: str, cdr: bytes) -> None:
        stamp = stamp_ns(cdr)
        self._early = stamp < self._start - EARLY_NS  # or its sender had no clock yet
        if topic in STREAMS:
            if self._early:
                return
            last = self._last.get(topic)
            if last is not None and 0 <= stamp - last < self._step_ns:
                return  # thinned out
            self._last[topic] = stamp
        # A latched message may be older than the bag: it held when the bag began.
        at = max((stamp - self._start) / 1e9, 0.0)
        self._kinds[topic](self._bag.decode(topic, cdr), at)

    def commands(self) -> Commands:
        n = len(self._bag.info.joint_names)
        rows = sorted(self._commands, key=lambda row: row[0])
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        mode, stage, authority = (np.array(columns[i], dtype=np.uint8) for i in (1, 2, 3))
        sent, policy, human = (_rows([_vector(v, n) for v in columns[i]], n) for i in (4, 5, 6))
        at = np.array(columns[0], dtype=np.float64)
        return Commands(at, mode, stage, authority, sent, policy, human, tuple(self._digests))

    def all_changes(self, commands: Commands) -> tuple[Change, ...]:
        if self._mode < 0:  # without arbiter/state the commands tell what, not why
            modes = commands.mode
            return tuple(
                Change(float(commands.at[i]), _mode(modes[i - 1]), _mode(modes[i]), "")
                for i in np.flatnonzero(np.diff(modes)) + 1
            )
        found = []
        for epoch, transition, change in self._changes:
            measured = self._handovers.get((epoch, transition), "")
            found.append(Change(change.at, change.before, change.after, change.reason, measured))
        return tuple(sorted(found, key=lambda change: change.at))

    def _command(self, message: Any, at: float) -> None:
        if message.epoch < self._epoch:
            return  # of an arbiter that another one has replaced; robots refuse it
        self._epoch = message.epoch
        if message.policy_digest:
            self._digests.setdefault(message.policy_digest)
        wanted = (message.position, message.policy_wanted, message.human_wanted)
        self._commands.append((at, message.mode, message.stage, message.authority, *wanted))

    def _joint_state(self, message: Any, at: float) -> None:
        names = tuple(message.name)
        if names not in self._places:
            pairs = [(self._index[name], i) for i, name in enumerate(names) if name in self._index]
            self._places = {names: np.array(pairs, dtype=np.intp).reshape(-1, 2).T}
        into, out_of = self._places[names]
        row = np.full(len(self._index), np.nan, dtype=np.float32)
        if len(message.position) == len(names):
            row[into] = message.position[out_of]
        self.measured_at.append(at)
        self.measured.append(row)

    def _state(self, message: Any, at: float) -> None:
        if self._mode >= 0 and not self._early and message.mode != self._mode:
            change = Change(at, _mode(self._mode), _mode(message.mode), message.reason)
            self._changes.append((message.epoch, message.transition, change))
        self._mode = int(message.mode)

    def _handover(self, message: Any, _at: float) -> None:
        try:
            words = [HandoverKind(message.kind).name.lower()]
        except ValueError:
            words = []
        if np.isfinite(message.press_to_authority_ms):
            words.append(f"{message.press_to_authority_ms:.1f} ms after the press")
        normal = f", normally {message.normal_step:.4f}" if np.isfinite(message.normal_step) else ""
        words.append(f"largest step {message.step:.4f} rad at {message.joint}{normal}")
        self._handovers[message.epoch, message.transition] = ", ".join(words)

    def _value(self, message: Any, at: float) -> None:
        self.value_at.append(at)
        self.value.append(float(message.value))
        if message.takeover_suggested:
            self.suggested.append(at)

    def _target(self, message: Any, at: float) -> None:
        self.wrist_at.append(at)
        self.wrist.append(float(message.position_error) if message.valid else np.nan)

    def _loss(self, message: Any, at: float) -> None:
        try:
            cause = LossCause(message.cause).name.lower()
        except ValueError:
            cause = f"cause {message.cause}"
        topic = self._bag.info.relative(message.topic)
        self.lost.append(LostMark(at, topic, int(message.count), cause))


def _mode(number: int) -> Mode:
    try:
        return Mode(int(number))
    except ValueError as error:
        raise BagError(f"mode {number} of the arbiter given, 0..{max(Mode)} allowed") from error


def _vector(values: Any, n: int) -> Rows:
    """Return (n,) rad; NaN where a message says nothing, or nothing that fits."""
    given = np.asarray(values, dtype=np.float32)
    return given if given.shape == (n,) else np.full(n, np.nan, dtype=np.float32)


def _rows(rows: list[Rows], n: int) -> Rows:
    return np.array(rows, dtype=np.float32).reshape(-1, n)


def _lost_by_count(bag: Bag, start_ns: int) -> list[LostMark]:
    """Return the holes in the publishers' counts."""
    last: dict[str, int] = {}
    found = []
    for message in bag.raw_messages():
        before, topic = last.get(message.topic, 0), message.topic
        missing = message.sequence - before - 1
        if before and missing > 0 and topic != "/diagnostics":  # several publishers, many counts
            at = (message.log_time_ns - start_ns) / 1e9
            found.append(LostMark(at, topic, missing, "by its publisher's count"))
        last[topic] = message.sequence
    return found


def _notes(bag: Bag, start_ns: int) -> tuple[tuple[float, str], ...]:
    if RECORDING_RECORD not in bag.metadata:
        return ()
    report = RecordingReport.from_record(bag.metadata[RECORDING_RECORD], str(bag.path))
    return tuple((max((note.stamp_ns - start_ns) / 1e9, 0.0), note.text) for note in report.notes)


def _closure(profile: str) -> dict[str, tuple[float, float]]:
    """Return joint -> (open, closed) rad of the fingers; nothing where the profile has none."""
    try:
        fingers = yaml.safe_load(profile)["fingers"]
        both = fingers["open"].keys() & fingers["closed"].keys()
        return {
            name: (float(fingers["open"][name]), float(fingers["closed"][name])) for name in both
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
        return {}
