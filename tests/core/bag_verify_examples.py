"""A whole small episode as rows that a test may spoil before they are written as a bag.

An operator takes over, recovers, lets go once, hands back; the policy ends it. 43 joints, all
topics of a version 3 bag, no ROS.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rove_core.bag.definitions import typestore
from rove_core.bag.record import header, message_type
from rove_core.bag.schema import (
    CAMERA_TYPE,
    TOPIC_TYPES,
    EpisodeInfo,
    RecordingEnd,
    RecordingReport,
    TopicReport,
)
from rove_core.bag.writer import BagWriter
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage

MS = 1_000_000
BEGIN = 2_000_000 * 1_000 * MS
EPOCH = 1_700_000_000_000
DIGEST = "d" * 64
CAMERA = "camera/ego/compressed"
JPEG = np.frombuffer(b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9", dtype=np.uint8)
TICKS = 400
"""Of 5 ms."""

# (first tick, mode, authority, stage)
_H, _P = (Authority.HOLD, Stage.NONE), (Authority.POLICY, Stage.ROLLOUT)
DAY: tuple[tuple[int, Mode, tuple[Authority, Stage]], ...] = (
    (0, Mode.IDLE, _H),
    (20, Mode.AUTONOMOUS, _H),
    (30, Mode.AUTONOMOUS, _P),
    (150, Mode.ALIGN, _H),
    (180, Mode.HUMAN, (Authority.HUMAN, Stage.ADAPTATION)),
    (220, Mode.HUMAN, (Authority.HUMAN, Stage.RECOVERY)),
    (250, Mode.CLUTCH, _H),
    (260, Mode.HUMAN, (Authority.HUMAN, Stage.RECOVERY)),
    (290, Mode.HANDBACK, _H),
    (320, Mode.AUTONOMOUS, _P),
    (380, Mode.IDLE, _H),
)
START, STOP, PRESS = 20, 380, 150


@dataclass
class Row:
    """One message; ``cdr`` is made when it is written unless somebody did before."""

    topic: str
    message: Any
    log_ns: int
    publish_ns: int
    sequence: int
    cdr: bytes | None = None

    @property
    def stamp_ns(self) -> int:
        """Stamp of its header, ns."""
        stamp = self.message.header.stamp
        return int(stamp.sec) * 10**9 + int(stamp.nanosec)

    def change(self, **fields: Any) -> None:
        """Replace fields of the message."""
        self.message = copy.copy(self.message)
        for name, value in fields.items():
            assert hasattr(self.message, name), name
            setattr(self.message, name, value)
        self.cdr = None

    def stamp(self, stamp_ns: int) -> None:
        """Replace the stamp of the header."""
        self.change(header=header(stamp_ns))


@dataclass
class Tape:
    """An episode that is not written yet.

    Attributes:
        rows: messages in the order in which they are written.
        info, outcome, reason, end: the records.
        report: makes the closing report of what is written; None writes none.
        types: topic -> type, where it is not the contract's.
        texts: type -> definition, where it is not the contract's.
    """

    rows: list[Row]
    info: EpisodeInfo
    outcome: Outcome = Outcome.SUCCESS
    reason: str = "clean"
    end: RecordingEnd = RecordingEnd.COMPLETE
    report: Callable[[Tape], RecordingReport] | None = None
    types: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def of(self, topic: str) -> list[Row]:
        """Return the rows of a topic."""
        return [row for row in self.rows if row.topic == topic]

    def drop(self, row: Row) -> None:
        """Remove a row."""
        self.rows = [other for other in self.rows if other is not row]

    def full(self, topic: str) -> str:
        """Return the full name of a topic."""
        return topic if topic.startswith("/") else f"{self.info.namespace}/{topic}"

    def type_of(self, topic: str) -> str:
        """Return the type of a topic."""
        known = TOPIC_TYPES.get(topic, CAMERA_TYPE)
        return self.types.get(topic, known)

    def write(self, folder: Path) -> Path:
        """Write and return the bag."""
        with BagWriter(folder, self.info, chunk_seconds=0.1, sync_seconds=float("inf")) as writer:
            for topic in dict.fromkeys(row.topic for row in self.rows):
                kind = self.type_of(topic)
                writer.declare(self.full(topic), kind, text=self.texts.get(kind))
            for row in self.rows:
                cdr = row.cdr if row.cdr is not None else _cdr(row)
                times = (row.log_ns, row.publish_ns, row.sequence)
                writer.write(self.full(row.topic), cdr, *times)
            report = None if self.report is None else self.report(self)
            return writer.close(self.outcome, self.reason, self.end, report)


def _cdr(row: Row) -> bytes:
    return bytes(typestore().serialize_cdr(row.message, row.message.__msgtype__))


def honest(tape: Tape) -> RecordingReport:
    """Return the report that fits what is on a tape."""
    topics, losses = {}, {}
    for topic in dict.fromkeys(row.topic for row in tape.rows):
        rows = tape.of(topic)
        lost = sum(
            r.message.count for r in tape.of("recorder/loss") if r.message.topic == tape.full(topic)
        )
        nominal = {"joint_command": 200.0, "joint_states": 100.0, CAMERA: 20.0}.get(topic, 0.0)
        topics[tape.full(topic)] = TopicReport(
            received=len(rows),
            lost=lost,
            first_ns=rows[0].log_ns,
            last_ns=rows[-1].log_ns,
            nominal_hz=nominal,
        )
    lost = sum(row.message.count for row in tape.of("recorder/loss"))
    if lost:
        losses = {"middleware": lost}
    return RecordingReport(topics, losses)


def at(tick: int) -> int:
    """Return the ROS time of a tick, ns."""
    return BEGIN + tick * 5 * MS


def make(topic: str, stamp_ns: int, /, **fields: Any) -> Any:
    """Return a message of a topic with defaults for all fields that are not given."""
    return _default(TOPIC_TYPES.get(topic, CAMERA_TYPE), header=header(stamp_ns), **fields)


def _default(type_name: str, **fields: Any) -> Any:
    kind = message_type(type_name)
    made = dict(fields)
    fields_of: list[tuple[str, Any]] = list(typestore().fielddefs[type_name][1])
    for name, (node, detail) in fields_of:
        if name in made:
            continue
        if int(node) == 1:
            made[name] = {"string": "", "bool": False}.get(
                detail[0], 0.0 if detail[0].startswith("float") else 0
            )
        elif int(node) == 2:
            made[name] = _default(detail)
        else:
            base = detail[0][1][0]
            made[name] = [] if base == "string" else np.zeros(0, dtype=base)
    return kind(**made)


def seconds(stamp_ns: int) -> Any:
    """Return a builtin_interfaces/Time."""
    return header(stamp_ns).stamp


def _rows() -> Iterator[tuple[int, str, Any]]:
    """Yield (log time, topic, message)."""
    spec = load_robot("g1_dex3")
    n, home = spec.size, spec.home
    empty = np.zeros(0)
    words = {first: (mode, driver) for first, mode, driver in DAY}
    mode, (authority, stage), transition, before = Mode.IDLE, _H, 1, Mode.HOLD
    identity = "1795-0001"
    yield (
        at(0),
        "policy/status",
        make("policy/status", at(0), state=2, digest=DIGEST, approved=True),
    )
    yield (
        at(0),
        "operator/device",
        make("operator/device", at(0), operator_id="eve", device="exo", joint_names=["a", "b"]),
    )
    for tick in range(TICKS):
        now = at(tick)
        chunk_id = 0 if tick < 25 else 1 + (tick - 25) // 50
        changed = False
        if tick in words:
            new, (authority, stage) = words[tick]
            if new is not mode:
                before, mode, transition, changed = mode, new, transition + 1, True
        runs = START <= tick < STOP
        if tick in (START, STOP):
            stopped = tick == STOP
            yield (
                now,
                "episode",
                make(
                    "episode",
                    now,
                    change=int(EpisodeChange.STOPPED if stopped else EpisodeChange.STARTED),
                    episode_id=identity,
                    task="erase",
                    instruction="erase it",
                    seed=3,
                    outcome=int(Outcome.SUCCESS if stopped else Outcome.UNKNOWN),
                ),
            )
        position = np.clip(home + 0.01 * np.sin(0.02 * tick), spec.lower, spec.upper)
        operated = tick >= 30
        if tick >= 25 and (tick - 25) % 50 == 0:
            yield (
                now,
                "policy/chunk",
                make(
                    "policy/chunk",
                    now - 40 * MS,
                    start=seconds(now + 10 * MS),
                    dt=0.05,
                    horizon=8,
                    joints=n,
                    position=np.tile(home, 8).astype(np.float32),
                    chunk_id=chunk_id,
                    policy_digest=DIGEST,
                    inference_ms=12.0,
                ),
            )
        if operated and tick % 3 == 0:
            frame = 1 + (tick - 30) // 3
            yield (
                now - 2 * MS,
                "operator/frame",
                make(
                    "operator/frame",
                    now - 2 * MS,
                    operator_id="eve",
                    lease=7,
                    sequence=frame,
                    device_stamp_ns=now - 9 * MS,
                    device_joints=np.zeros(2),
                    left_hand=np.zeros(75, dtype=np.float32),
                ),
            )
            yield (
                now - MS,
                "teleop/target",
                make(
                    "teleop/target",
                    now - 2 * MS,
                    lease=7,
                    operator_sequence=frame,
                    valid=True,
                    position=position,
                    solve_ms=0.8,
                ),
            )
        if tick % 2 == 0:
            yield (
                now,
                "joint_states",
                make(
                    "joint_states",
                    now,
                    name=list(spec.joint_names),
                    position=position,
                    velocity=np.zeros(n),
                ),
            )
        if tick % 10 == 0:
            yield now, CAMERA, make(CAMERA, now - MS, format="jpeg", data=JPEG)
        human = authority is Authority.HUMAN
        yield (
            now,
            "joint_command",
            make(
                "joint_command",
                now,
                epoch=EPOCH,
                sequence=1000 + tick,
                mode=int(mode),
                authority=int(authority),
                stage=int(stage),
                lease=7,
                position=position,
                policy_wanted=home if chunk_id else empty,
                human_wanted=position if human else empty,
                policy_digest=DIGEST if chunk_id else "",
                chunk_id=chunk_id,
                operator_sequence=1 + (tick - 30) // 3 if human else 0,
            ),
        )
        if changed or tick % 20 == 0:
            yield (
                now,
                "arbiter/state",
                make(
                    "arbiter/state",
                    now,
                    epoch=EPOCH,
                    mode=int(mode),
                    previous_mode=int(before),
                    authority=int(authority),
                    stage=int(stage),
                    transition=transition,
                    episode_id=identity if runs else "",
                    lease=7,
                    lease_holder="eve",
                ),
            )
        if tick == PRESS + 60:
            yield (
                now,
                "arbiter/handover",
                make(
                    "arbiter/handover",
                    now,
                    kind=0,
                    epoch=EPOCH,
                    transition=3,
                    changed=seconds(at(PRESS)),
                    press_to_authority_ms=6.0,
                    window_s=0.3,
                    step=0.002,
                    normal_step=0.001,
                    joint="left_elbow_joint",
                ),
            )


def good_tape() -> Tape:
    """Return the episode as it should be; cheap after the first call."""
    global _GOOD
    if _GOOD is None:
        spec = load_robot("g1_dex3")
        info = EpisodeInfo.of(
            spec, "1795-0001", task="erase", instruction="erase it", seed=3, operator_id="eve"
        )
        counts: dict[str, int] = {}
        rows = []
        for logged, topic, message in _rows():
            counts[topic] = counts.get(topic, 40) + 1  # publishers run longer than episodes
            row = Row(topic, message, logged, logged - MS // 10, counts[topic])
            row.cdr = _cdr(row)
            rows.append(row)
        rows.sort(key=lambda row: row.log_ns)
        _GOOD = Tape(rows, info, report=honest)
    return replace(
        _GOOD, rows=[replace(row) for row in _GOOD.rows], types=dict(_GOOD.types), texts={}
    )


_GOOD: Tape | None = None
