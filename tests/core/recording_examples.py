"""A recorder without ROS: messages by hand, a clock that stands still, a disk that obeys."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from bag_examples import MS, START, small_spec

from rove_core.bag.definitions import typestore
from rove_core.bag.record import header, message_type
from rove_core.bag.recording.guard import DiskGuard
from rove_core.bag.recording.inbox import Arrival
from rove_core.bag.recording.preroll import PreRoll
from rove_core.bag.recording.session import Identity, RecordingSession
from rove_core.bag.recording.streams import Stream, recorded_streams
from rove_core.vocabulary import EpisodeChange, Outcome, Stage

SPEC = small_spec()
NAMESPACE = "/toy"
STREAMS: tuple[Stream, ...] = recorded_streams(SPEC.cameras.values(), NAMESPACE, {})
INDEX = {stream.name: i for i, stream in enumerate(STREAMS)}
CAMERA = "camera/ego/compressed"
ROOM = 100 << 30


def cdr(name: str, /, **fields: Any) -> bytes:
    """Return a serialised message of a recorded topic; fields left out are zero or empty."""
    type_name = STREAMS[INDEX[name]].type_name
    message = message_type(type_name)(**_filled(type_name, fields))
    return bytes(typestore().serialize_cdr(message, type_name))


def _filled(type_name: str, given: dict[str, Any]) -> dict[str, Any]:
    from rosbags.interfaces import Nodetype

    values = {}
    for field, (node, detail) in typestore().fielddefs[type_name][1]:
        if field in given:
            values[field] = given[field]
        elif node == Nodetype.NAME:
            values[field] = message_type(detail)(**_filled(detail, {}))
        elif node == Nodetype.BASE:
            values[field] = "" if detail[0] == "string" else False if detail[0] == "bool" else 0
        else:
            (element, base), _ = detail
            numeric = element == Nodetype.BASE and base[0] != "string"
            values[field] = np.zeros(0, dtype=base[0]) if numeric else []
    return values


class Rig:
    """A session with its own clocks: ``seconds`` is steady time since the begin, ROS time too."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.seconds = 0.0
        self.free = options.pop("free", ROOM)
        self.publishers: dict[int, int] = {}
        self.sequences = dict.fromkeys(INDEX, 0)
        self.folder = folder
        pre_roll = PreRoll(options.pop("pre_roll", 2.0))
        self.session = RecordingSession(
            folder,
            STREAMS,
            Identity(SPEC, NAMESPACE, options.pop("parameters", {}), "test"),
            clock=lambda: self.seconds,
            pre_roll=pre_roll,
            guard=DiskGuard(folder, 2 << 30, 1 << 30, free=lambda: self.free),
            **options,
        )

    @property
    def ros_ns(self) -> int:
        return START + round(self.seconds * 1e9)

    def make(self, name: str, body: bytes | None = None, skip: int = 0) -> Arrival:
        """Return the next message of a topic, after ``skip`` that nobody hears."""
        self.sequences[name] += 1 + skip
        data = cdr(name) if body is None else body
        return Arrival(INDEX[name], data, self.sequences[name], self.ros_ns - MS, self.ros_ns)

    def hear(self, name: str, body: bytes | None = None, skip: int = 0) -> Arrival:
        """Let a message arrive."""
        arrival = self.make(name, body, skip)
        self.session.arrived(arrival)
        return arrival

    def make_event(
        self,
        change: EpisodeChange,
        episode: str = "one",
        outcome: Outcome = Outcome.UNKNOWN,
        reason: str = "",
        age: float = 0.0,
    ) -> Arrival:
        """Return an episode event that was sent ``age`` s ago."""
        stamp = header(self.ros_ns - round(age * 1e9))
        body = cdr(
            "episode", header=stamp, change=int(change), episode_id=episode, task="wave",
            instruction="wave", seed=7, outcome=int(outcome), reason=reason,
        )  # fmt: skip
        return self.make("episode", body)

    def start(self, episode: str = "one", age: float = 0.0) -> None:
        """Let the start of an episode arrive."""
        self.session.arrived(self.make_event(EpisodeChange.STARTED, episode, age=age))

    def stop(self, episode: str = "one", outcome: Outcome = Outcome.SUCCESS) -> None:
        """Let its end arrive."""
        event = self.make_event(EpisodeChange.STOPPED, episode, outcome, "clean")
        self.session.arrived(event)

    def command(self, stage: Stage = Stage.ROLLOUT, skip: int = 0) -> Arrival:
        body = cdr(
            "joint_command", header=header(self.ros_ns), position=np.zeros(SPEC.size),
            stage=int(stage), authority=1, mode=1, epoch=1,
        )  # fmt: skip
        return self.hear("joint_command", body, skip)

    def run(self, seconds: float, step: float = 0.05) -> None:
        """Let time pass in ticks."""
        for _ in range(round(seconds / step)):
            self.seconds += step
            self.session.tick(self.ros_ns, lambda: self.publishers)

    def sent(self, kind: type) -> list[Any]:
        """Return what the session wants to tell others, of one kind."""
        return [item for item in self.session.outbox if isinstance(item, kind)]


class FaultyFile:
    """A file whose writes and syncs can be made to fail or to wait."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(path, "xb")  # noqa: SIM115 - lives as long
        self.error: OSError | None = None
        self.sync_error: OSError | None = None
        self.open = threading.Event()
        self.open.set()
        self.syncs: list[int] = []
        self.threads: set[int] = set()

    def write(self, data: bytes) -> int:
        self._wait()
        if self.error is not None:
            raise self.error
        return self._file.write(data)

    def sync(self) -> None:
        self._wait()
        if self.sync_error is not None:
            raise self.sync_error
        self._file.flush()
        self.syncs.append(self._file.tell())

    def _wait(self) -> None:
        self.threads.add(threading.get_ident())
        self.open.wait()

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


class Disk:
    """Opens faulty files and remembers them."""

    def __init__(self, kind: type[FaultyFile] = FaultyFile) -> None:
        self._kind = kind
        self.files: list[FaultyFile] = []

    def __call__(self, path: Path) -> Any:
        self.files.append(self._kind(path))
        return self.files[-1]
