"""Bags without ROS: writing against mcap's own writer, reading against the foreign readers.

Ratios of the CPU time of this thread, medians of rounds in which everybody takes a turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rove_core.bag.definitions import definition, typestore
from rove_core.bag.reader import Bag
from rove_core.bag.record import header, message_type
from rove_core.bag.schema import CAMERA_TYPE, TOPIC_TYPES, EpisodeInfo
from rove_core.bag.writer import CHUNK_BYTES, BagWriter
from rove_core.robot import load_robot
from rove_core.vocabulary import Outcome
from tests.bench.result import Result

SECONDS = 4.0
ROUNDS = 7
JOINTS_HZ, CAMERAS_HZ, PICTURE_BYTES = 500, 30, 50_000
BEGIN = 10**18
JOINT_TOPICS = ("joint_states", "joint_command", "teleop/target", "operator/frame")
CAMERAS = ("ego", "left", "right")


class _Ready(NamedTuple):
    """A message as it comes from the middleware."""

    topic: str
    cdr: bytes
    log_ns: int
    sequence: int


def _filled(type_name: str, size: int, stamp_ns: int) -> Any:
    """Return a message whose vectors have one value a joint and the others none."""
    values: dict[str, Any] = {}
    vectors = dict.fromkeys(
        ("position", "velocity", "policy_wanted", "human_wanted", "device_joints"), size
    ) | {"left_hand": 75, "right_hand": 75}
    for name, (node, detail) in typestore().fielddefs[type_name][1]:
        if name == "header":
            values[name] = header(stamp_ns)
        elif node == 1:
            values[name] = "" if detail[0] == "string" else 0
        elif node == 2:
            values[name] = _filled(detail, size, 0)
        elif node == 3:
            values[name] = np.zeros(detail[1])
        elif name == "name":
            values[name] = [f"joint_{i}" for i in range(size)]
        elif detail[0][0] != 1 or detail[0][1][0] == "string":
            values[name] = []
        else:
            length = vectors.get(name, 0)
            values[name] = np.full(length, 0.1, dtype=detail[0][1][0])
    return message_type(type_name)(**values)


def _stream(namespace: str, size: int) -> list[_Ready]:
    """Return the load of bench_recorder, ready to be written."""
    random = np.random.default_rng(1)
    found = []
    for number in range(round(SECONDS * JOINTS_HZ)):
        stamp = BEGIN + number * 10**9 // JOINTS_HZ
        for topic in JOINT_TOPICS:
            kind = TOPIC_TYPES[topic]
            cdr = bytes(typestore().serialize_cdr(_filled(kind, size, stamp), kind))
            found.append(_Ready(f"{namespace}/{topic}", cdr, stamp, number + 1))
    for number in range(round(SECONDS * CAMERAS_HZ)):
        stamp = BEGIN + number * 10**9 // CAMERAS_HZ
        for camera in CAMERAS:
            picture = message_type(CAMERA_TYPE)(
                header=header(stamp, camera),
                format="jpeg",
                data=np.frombuffer(random.bytes(PICTURE_BYTES), dtype=np.uint8),
            )
            topic = f"{namespace}/camera/{camera}/compressed"
            cdr = bytes(typestore().serialize_cdr(picture, CAMERA_TYPE))
            found.append(_Ready(topic, cdr, stamp, number + 1))
    return sorted(found, key=lambda message: message.log_ns)


def _type_of(topic: str, namespace: str) -> str:
    return TOPIC_TYPES.get(topic.removeprefix(f"{namespace}/"), CAMERA_TYPE)


def _ours(path: Path, info: EpisodeInfo, stream: list[_Ready]) -> None:
    with BagWriter(path, info) as writer:
        for topic in {message.topic for message in stream}:
            writer.declare(topic, _type_of(topic, info.namespace))
        for topic, cdr, log_ns, sequence in stream:
            writer.write(topic, cdr, log_ns, log_ns, sequence)
        writer.close(Outcome.SUCCESS)


def _theirs(path: Path, info: EpisodeInfo, stream: list[_Ready]) -> None:
    """Write the same with the library's own writer, as its example does."""
    from mcap.writer import Writer

    path.mkdir()
    with open(path / "theirs.mcap", "xb") as file:
        writer = Writer(file, chunk_size=CHUNK_BYTES)
        writer.start("ros2", "bench")
        channels = {}
        for topic in {message.topic for message in stream}:
            kind = _type_of(topic, info.namespace)
            schema = writer.register_schema(kind, "ros2msg", definition(kind).encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        for topic, cdr, log_ns, sequence in stream:
            writer.add_message(channels[topic], log_ns, cdr, log_ns, sequence)
        writer.finish()


def _read_ours(path: Path) -> int:
    return sum(1 for _ in Bag(path).messages())


def _read_rosbags(path: Path) -> int:
    from rosbags.highlevel import AnyReader

    count = 0
    with AnyReader([path]) as reader:
        for connection, _, raw in reader.messages():
            reader.deserialize(raw, connection.msgtype)
            count += 1
    return count


def _read_mcap(path: Path) -> int:
    from mcap_ros2.reader import read_ros2_messages

    return sum(1 for _ in read_ros2_messages(str(path / f"{path.name}_0.mcap")))


def _medians(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return name -> median thread CPU seconds; the order turns with every round."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            begun = time.thread_time()
            calls[name]()
            took[name].append(time.thread_time() - begun)
    return {name: statistics.median(times) for name, times in took.items()}


def bench_writer() -> Iterator[Result]:
    """3 cameras and 4 joint topics as ready bytes: durable chunks, counts and records included."""
    spec = load_robot("g1_dex3")
    info = EpisodeInfo.of(spec, "bench")
    stream = _stream(info.namespace, spec.size)
    with tempfile.TemporaryDirectory() as name:
        fresh = (Path(name) / str(i) for i in range(10**6))
        took = _medians(
            {
                "ours": lambda: _ours(next(fresh), info, stream),
                "mcap": lambda: _theirs(next(fresh), info, stream),
            },
            ROUNDS,
        )
    ours, theirs = (took[who] / len(stream) * 1e6 for who in ("ours", "mcap"))
    yield Result("bag writer, CPU a message", ours, "us", theirs, 1.2 * theirs)


def bench_reader() -> Iterator[Result]:
    """All messages of that bag, decoded: by us, by rosbags, by mcap-ros2-support."""
    spec = load_robot("g1_dex3")
    info = EpisodeInfo.of(spec, "bench")
    stream = _stream(info.namespace, spec.size)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bag"
        _ours(path, info, stream)
        calls = {"ours": _read_ours, "rosbags": _read_rosbags, "mcap": _read_mcap}
        for who, read in calls.items():
            found = read(path)  # and what is compiled once is compiled
            assert found == len(stream), f"{who} read {found} of {len(stream)} messages"
        took = _medians({who: lambda r=read: r(path) for who, read in calls.items()}, 3)
    rates = {who: len(stream) / seconds for who, seconds in took.items()}
    ours, rosbags, mcap = rates["ours"], rates["rosbags"], rates["mcap"]
    yield Result("bag reader against rosbags", ours, "messages/s", rosbags, rosbags, True)
    yield Result("bag reader against mcap-ros2", ours, "messages/s", mcap, 10 * mcap, True)
