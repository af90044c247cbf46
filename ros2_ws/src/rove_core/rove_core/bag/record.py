"""EpisodeRecorder: write the bag of an episode without ROS, for simulated demonstrations.

Topics, types and encoding are those of the recorder node, so nothing downstream can tell.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.bag.definitions import typestore
from rove_core.bag.metadata import qos_text
from rove_core.bag.schema import (
    CAMERA_TYPE,
    TOPIC_TYPES,
    EpisodeInfo,
    RecordingEnd,
    camera_topic,
)
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError, ContractError
from rove_core.latency.legs import UNKNOWN_PATH, FramePath
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage

SENSOR_QOS = qos_text(depth=5, reliability="best_effort")
COMMAND_QOS = qos_text(depth=1)
LATCHED_QOS = qos_text(depth=1, durability="transient_local")
_QOS = {"joint_states": SENSOR_QOS, "joint_command": COMMAND_QOS, "episode": LATCHED_QOS}
_STAMP = struct.Struct("<iI")


def message_type(name: str) -> type[Any]:
    """Return the Python class of a message type, for example ``rove_msgs/msg/JointTarget``.

    Raises:
        BagError: unknown type.
    """
    if name not in typestore().types:
        raise BagError(f"message type {name!r} given, a type of rove_msgs or of Jazzy allowed")
    return typestore().types[name]


def header(stamp_ns: int, frame_id: str = "") -> Any:
    """Return a std_msgs/Header with a ROS time, ns."""
    time = message_type("builtin_interfaces/msg/Time")
    stamp = time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)
    return message_type("std_msgs/msg/Header")(stamp=stamp, frame_id=frame_id)


class JointStates:
    """Serialises JointState 20 times faster: names never change, so only numbers are patched."""

    def __init__(self, names: Sequence[str]) -> None:
        n = len(names)
        # Distinct values, so that each vector's place in the bytes is found by what it holds.
        position, velocity = np.arange(n) + 0.0625, -np.arange(n) - 0.0625
        message = message_type("sensor_msgs/msg/JointState")(
            header=header(0),
            name=list(names),
            position=position,
            velocity=velocity,
            effort=np.zeros(0),
        )
        cdr = typestore().serialize_cdr(message, message.__msgtype__, little_endian=True)
        self._cdr = bytearray(cdr)
        self._position = self._cdr.index(position.astype("<f8").tobytes())
        self._velocity = self._cdr.index(velocity.astype("<f8").tobytes())
        self._bytes = 8 * n

    def serialize(self, stamp_ns: int, position: FloatArray, velocity: FloatArray) -> bytes:
        _STAMP.pack_into(self._cdr, 4, stamp_ns // 1_000_000_000, stamp_ns % 1_000_000_000)
        end = self._position + self._bytes
        self._cdr[self._position : end] = position.astype("<f8", copy=False).tobytes()
        end = self._velocity + self._bytes
        self._cdr[self._velocity : end] = velocity.astype("<f8", copy=False).tobytes()
        return bytes(self._cdr)


class EpisodeRecorder:
    """Writes one episode; stamps are the ROS time of the event and the log time too.

    Write ``joint_command`` with the time at which the command takes force: the action of a frame
    is the command in force when the next frame is taken.

    Args:
        folder: the finished bag's folder.
        spec: the robot; its cameras are declared.
        info: the episode's description; its namespace is that of the topics.
        chunk_bytes, chunk_seconds: as of ``BagWriter``.

    Raises:
        BagError: as ``BagWriter``.
        ContractError: the description is of another robot.
    """

    def __init__(self, folder: Path, spec: RobotSpec, info: EpisodeInfo, **chunks: Any) -> None:
        if info.joint_names != spec.joint_names:
            raise ContractError(
                f"episode {info.episode_id}: info of robot {info.robot!r} given, the joints of "
                f"{spec.name!r} allowed"
            )
        self._spec, self._info = spec, info
        self._joint_states = JointStates(spec.joint_names)
        self._no_velocity = np.zeros(spec.size)
        self._counts: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._writer = BagWriter(folder, info, **chunks)
        for name in ("joint_states", "joint_command", "episode"):
            self.declare(name, TOPIC_TYPES[name], _QOS[name])
        for camera in spec.cameras:
            self.declare(camera_topic(camera), CAMERA_TYPE, SENSOR_QOS)

    def __enter__(self) -> EpisodeRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave ``<name>.recording`` behind unless ``close`` was called."""
        self._writer.abandon()

    def declare(self, topic: str, type_name: str, qos: str = "") -> None:
        """Add a topic, relative to the namespace or global with a leading slash."""
        self._writer.declare(self._full(topic), type_name, qos)
        self._types[topic] = type_name
        self._counts[topic] = 0

    def message(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Write a message object (see ``message_type``); a topic of the contract declares itself.

        Raises:
            BagError: unknown topic, or the message is not of its type.
        """
        if topic not in self._types:
            if topic not in TOPIC_TYPES:
                allowed = ", ".join([*self._types, *TOPIC_TYPES])
                raise BagError(f"topic {topic!r} given, {allowed} or a declared one allowed")
            self.declare(topic, TOPIC_TYPES[topic], qos_text())
        type_name = self._types[topic]
        if getattr(message, "__msgtype__", None) != type_name:
            raise BagError(f"topic {topic}: {type(message).__name__} given, {type_name} allowed")
        self._write(topic, stamp_ns, typestore().serialize_cdr(message, type_name))

    def camera(self, name: str, stamp_ns: int, jpeg: bytes) -> None:
        """Write a JPEG picture with the time of its exposure.

        Raises:
            BagError: the robot has no such camera.
        """
        if name not in self._spec.cameras:
            raise BagError(f"camera {name!r} given, {', '.join(self._spec.cameras)} allowed")
        picture = message_type(CAMERA_TYPE)(
            header=header(stamp_ns, name),
            format="jpeg",
            data=np.frombuffer(jpeg, dtype=np.uint8),
        )
        self.message(camera_topic(name), stamp_ns, picture)

    def joint_states(
        self,
        stamp_ns: int,
        position: npt.ArrayLike,
        velocity: npt.ArrayLike | None = None,
    ) -> None:
        """Write measured joints: (N,) rad and (N,) rad/s (zeros when left out), order of the spec.

        Raises:
            ContractError: wrong shape or not finite.
        """
        shape = (self._spec.size,)
        measured = frozen_floats(position, shape, "joint_states position")
        speed = (
            self._no_velocity
            if velocity is None
            else frozen_floats(velocity, shape, "joint_states velocity")
        )
        self._write(
            "joint_states", stamp_ns, self._joint_states.serialize(stamp_ns, measured, speed)
        )

    def joint_command(
        self,
        stamp_ns: int,
        position: npt.ArrayLike,
        authority: Authority,
        stage: Stage,
        mode: Mode,
        *,
        policy_wanted: npt.ArrayLike | None = None,
        human_wanted: npt.ArrayLike | None = None,
        policy_digest: str = "",
        epoch: int = 1,
        lease: int = 0,
        chunk_id: int = 0,
        operator_sequence: int = 0,
        path: FramePath = UNKNOWN_PATH,
        decided_ns: int = 0,
        commanded_ns: int = 0,
    ) -> None:
        """Write what the arbiter sent, (N,) rad in the order of the spec, with its provenance.

        Raises:
            ContractError: a vector has the wrong shape or is not finite.
        """
        shape, none = (self._spec.size,), np.zeros(0)
        message = message_type(TOPIC_TYPES["joint_command"])(
            header=header(stamp_ns),
            epoch=epoch,
            sequence=self._counts["joint_command"] + 1,
            mode=int(mode),
            authority=int(authority),
            stage=int(stage),
            lease=lease,
            position=frozen_floats(position, shape, "joint_command position"),
            policy_wanted=(
                none
                if policy_wanted is None
                else frozen_floats(policy_wanted, shape, "policy_wanted")
            ),
            human_wanted=(
                none if human_wanted is None else frozen_floats(human_wanted, shape, "human_wanted")
            ),
            policy_digest=policy_digest,
            chunk_id=chunk_id,
            operator_sequence=operator_sequence,
            captured_ns=path.captured_ns,
            received_ns=path.received_ns,
            retargeted_ns=path.retargeted_ns,
            decided_ns=decided_ns,
            commanded_ns=commanded_ns,
        )
        self.message("joint_command", stamp_ns, message)

    def episode_event(
        self,
        stamp_ns: int,
        change: EpisodeChange,
        outcome: Outcome = Outcome.UNKNOWN,
        reason: str = "",
    ) -> None:
        """Write the start or the end of the episode; the rest comes from its description."""
        event = message_type(TOPIC_TYPES["episode"])(
            header=header(stamp_ns),
            change=int(change),
            episode_id=self._info.episode_id,
            kind=int(self._info.kind),
            task=self._info.task,
            instruction=self._info.instruction,
            seed=self._info.seed,
            outcome=int(outcome),
            reason=reason,
        )
        self.message("episode", stamp_ns, event)

    def close(
        self,
        outcome: Outcome,
        reason: str = "",
        recording: RecordingEnd = RecordingEnd.COMPLETE,
    ) -> Path:
        """Finish the bag and return its folder; see ``BagWriter.close``."""
        return self._writer.close(outcome, reason, recording)

    def _full(self, topic: str) -> str:
        return topic if topic.startswith("/") else f"{self._info.namespace}/{topic}"

    def _write(self, topic: str, stamp_ns: int, cdr: bytes | memoryview) -> None:
        self._counts[topic] += 1
        self._writer.write(self._full(topic), cdr, stamp_ns, sequence=self._counts[topic])
