"""An episode as arrays on the 20 Hz grid: what a learner reads from a bag."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.bag.reader import Bag
from rove_core.bag.schema import EpisodeInfo, EpisodeOutcome, camera_topic
from rove_core.errors import BagError
from rove_core.resample import (
    PERIOD_NS,
    Frame,
    Missing,
    Sample,
    frames,
    observation_streams,
)
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import EpisodeChange, Outcome

COMMAND_HOLD_NS = 50_000_000
"""A robot without a command for this long holds by itself: the last one is no longer in force."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Episode:
    """T frames of an episode. Frames that lack a stream or a command in force are cut.

    Attributes:
        path: the bag.
        info: the episode's description.
        outcome: how the episode and its recording ended.
        period_ns: time between frames, ns.
        times_ns: (T,) ROS time of the frames, multiples of ``period_ns``.
        segment: (T,) counts from 0; frames of one segment follow each other without a gap, so
            no chunk may reach from one into another.
        images: camera -> T JPEG pictures; the newest at each frame.
        position: (T, N) rad, measured, joint order of the spec.
        executed: (T, N) rad, the ``joint_command`` in force at ``times_ns + period_ns``: the
            action that answers the frame.
        authority, stage, mode: (T,) of that same command, so that action and provenance agree.
        commands_policy_digest: (T,) index into ``policy_digests`` of that same command.
        policy_digests: digests that any command of the bag names; "" (no policy) may be one.
        gaps: why frames are missing, in order of time.
    """

    path: Path
    info: EpisodeInfo
    outcome: EpisodeOutcome
    period_ns: int
    times_ns: IntArray
    segment: IntArray
    images: Mapping[str, list[bytes]]
    position: FloatArray
    executed: FloatArray
    authority: npt.NDArray[np.uint8]
    stage: npt.NDArray[np.uint8]
    mode: npt.NDArray[np.uint8]
    commands_policy_digest: IntArray
    policy_digests: tuple[str, ...]
    gaps: tuple[Missing, ...]

    def __len__(self) -> int:
        return len(self.times_ns)

    @property
    def instruction(self) -> str:
        """What the robot was told to do."""
        return self.info.instruction


def stamp_ns(cdr: bytes) -> int:
    """Return the ROS time, ns, of a serialised message that begins with a std_msgs/Header."""
    seconds, nanoseconds = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def read_episode(
    path: Path | str,
    spec: RobotSpec,
    *,
    cameras: Iterable[str] | None = None,
    period_ns: int = PERIOD_NS,
    max_age_ns: Mapping[str, int] | None = None,
    partial: bool = False,
) -> Episode:
    """Read a bag as frames for learning.

    Args:
        path: the bag.
        spec: the robot; vectors come in its joint order, whatever order was recorded.
        cameras: names of the cameras to read; all of the spec by default.
        period_ns: time between frames, ns.
        max_age_ns: stream -> age at which it is stale; ``observation_streams`` by default.
        partial: as of ``Bag``.

    Raises:
        BagError: unreadable bag, a topic is missing, or it holds no complete frame.
        ConfigError: the joints of the bag are not those of the spec.
    """
    bag = Bag(path, partial=partial)
    ages = observation_streams(spec, cameras) | dict(max_age_ns or {})
    bag.require([*ages, "joint_command"])
    samples: list[Sample] = []
    raw_commands: list[bytes] = []
    last_event: bytes | None = None
    wanted = [*ages, "joint_command"] + (["episode"] if "episode" in bag.topics else [])
    for message in bag.raw_messages(wanted):
        if message.topic == "joint_command":
            raw_commands.append(message.cdr)
        elif message.topic == "episode":
            last_event = message.cdr
        else:
            samples.append(Sample(message.topic, stamp_ns(message.cdr), message.cdr))

    commands = _Commands.decode(bag, raw_commands)
    taken, gaps, used = [], [], []
    for frame in frames(samples, ages, period_ns):
        if isinstance(frame, Missing):
            gaps.append(frame)
            continue
        command = commands.in_force(frame.stamp_ns + period_ns)
        if command < 0:
            reason = "none in force when the next frame is due"
            gaps.append(Missing(frame.stamp_ns, {"joint_command": reason}))
            continue
        taken.append(frame)
        used.append(command)
    if not taken:
        why = gaps[0].reason if gaps else "no messages"
        raise BagError(f"bag {bag.path} holds no complete frame: {why}")

    times = np.array([frame.stamp_ns for frame in taken], dtype=np.int64)
    order = spec.permutation(bag.info.joint_names, f"bag {bag.path}")
    digests = tuple(dict.fromkeys(message.policy_digest for message in commands.messages))
    chosen = [commands.messages[i] for i in used]
    cameras_read = [name for name in spec.cameras if camera_topic(name) in ages]
    return Episode(
        path=bag.path,
        info=bag.info,
        outcome=_outcome(bag, last_event),
        period_ns=period_ns,
        times_ns=times,
        segment=np.cumsum(np.diff(times, prepend=times[0]) > period_ns),
        images={name: _pictures(bag, camera_topic(name), taken) for name in cameras_read},
        position=_positions(bag, spec, taken),
        executed=np.array([_vector(bag, m.position) for m in chosen])[:, order],
        authority=np.array([m.authority for m in chosen], dtype=np.uint8),
        stage=np.array([m.stage for m in chosen], dtype=np.uint8),
        mode=np.array([m.mode for m in chosen], dtype=np.uint8),
        commands_policy_digest=np.array(
            [digests.index(m.policy_digest) for m in chosen], dtype=np.int64
        ),
        policy_digests=digests,
        gaps=tuple(gaps),
    )


@dataclass(frozen=True)
class _Commands:
    """Commands that a robot obeys, by stamp."""

    messages: list[Any]
    stamps: IntArray

    @classmethod
    def decode(cls, bag: Bag, raw: list[bytes]) -> _Commands:
        """Drop commands of an epoch that a newer one has replaced: robots obey the newest."""
        messages, stamps, newest = [], [], 0
        for cdr in raw:
            message = bag.decode("joint_command", cdr)
            if message.epoch >= newest:
                newest = message.epoch
                messages.append(message)
                stamps.append(stamp_ns(cdr))
        order = np.argsort(np.array(stamps, dtype=np.int64), kind="stable")
        return cls([messages[i] for i in order], np.array(stamps, dtype=np.int64)[order])

    def in_force(self, t_ns: int) -> int:
        """Return the index of the command in force at a time, -1 when there is none."""
        newest = int(np.searchsorted(self.stamps, t_ns, side="right")) - 1
        if newest < 0 or t_ns - self.stamps[newest] >= COMMAND_HOLD_NS:
            return -1
        return newest


def _vector(bag: Bag, values: Any) -> FloatArray:
    n = len(bag.info.joint_names)
    vector: FloatArray = np.asarray(values, dtype=np.float64)
    if vector.shape != (n,) or not np.isfinite(vector).all():
        raise BagError(
            f"joint_command of {bag.path}: position of shape {vector.shape} given, "
            f"({n},) finite allowed"
        )
    return vector


def _positions(bag: Bag, spec: RobotSpec, taken: list[Frame]) -> FloatArray:
    orders: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}
    rows: dict[int, FloatArray] = {}
    result = np.empty((len(taken), spec.size))
    for i, frame in enumerate(taken):
        stamp = frame.stamps["joint_states"]
        if stamp not in rows:
            message = bag.decode("joint_states", frame.values["joint_states"])
            names = tuple(message.name)
            if names not in orders:
                orders[names] = spec.permutation(names, f"joint_states of {bag.path}")
            if len(message.position) != len(names) or not np.isfinite(message.position).all():
                raise BagError(
                    f"joint_states of {bag.path} at {stamp} ns: {len(message.position)} positions "
                    f"given, {len(names)} finite allowed"
                )
            rows = {stamp: message.position[orders[names]]}
        result[i] = rows[stamp]
    return result


def _pictures(bag: Bag, topic: str, taken: list[Frame]) -> list[bytes]:
    pictures: list[bytes] = []
    last = None
    for frame in taken:
        if frame.stamps[topic] != last:
            last = frame.stamps[topic]
            picture = bag.decode(topic, frame.values[topic]).data.tobytes()
        pictures.append(picture)  # a repeated frame shares the bytes
    return pictures


def _outcome(bag: Bag, last_event: bytes | None) -> EpisodeOutcome:
    """Return the recorded outcome, or for a bag cut off after it, that of its last event."""
    if bag.outcome.outcome != Outcome.UNKNOWN or last_event is None:
        return bag.outcome
    event = bag.decode("episode", last_event)
    if event.change != EpisodeChange.STOPPED:
        return bag.outcome
    return EpisodeOutcome(Outcome(event.outcome), event.reason, bag.outcome.recording)
