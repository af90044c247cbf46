"""Stream: a topic that a recorder records, and what may be expected of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from rove_core.bag.schema import CAMERA_TYPE, TOPIC_TYPES, camera_topic
from rove_core.robot.spec import CameraSpec

EPISODE, STATE, STATUS, DEVICE = "episode", "arbiter/state", "policy/status", "operator/device"
"""Topics that tell a recorder when to record and what to write at the head of a bag."""
LOSS = "recorder/loss"

NOMINAL_HZ: Mapping[str, float] = {
    "joint_states": 100.0,
    "joint_command": 200.0,
    "operator/frame": 72.0,
    "teleop/target": 72.0,
    "policy/chunk": 2.0,
    "policy/status": 1.0,
    "arbiter/state": 10.0,
}
"""The lowest rate that docs/interfaces.md allows a topic while its sender runs, Hz."""


class Watch(Enum):
    """Whether silence of a stream is worth a note in the bag."""

    NO = auto()
    """Comes and goes: operators, chunks while a person drives, values without a critic."""
    ONCE_HEARD = auto()
    """Optional, but it must not disappear."""
    ALWAYS = auto()
    """A robot has it."""


WATCH: Mapping[str, Watch] = {
    "joint_states": Watch.ALWAYS,
    "joint_command": Watch.ALWAYS,
    "arbiter/state": Watch.ALWAYS,
    "policy/status": Watch.ONCE_HEARD,
}

CARRIED = frozenset({STATE, STATUS, DEVICE})
"""Their last message before a bag begins still holds and is written first. Not ``Handover``: it is
of an episode that is over."""

SHARED = frozenset({"/diagnostics"})
"""Every node publishes it. ROS does not say which publisher a count belongs to, so that losses
cannot be told there."""


@dataclass(frozen=True)
class Stream:
    """A recorded topic.

    Attributes:
        name: relative to the robot's namespace, or global with a leading slash.
        full_name: with the namespace.
        type_name: for example ``sensor_msgs/msg/JointState``.
        qos: profiles as ``metadata.qos_text`` writes them.
        nominal_hz: the lowest rate it should have, 0 for a topic on change.
        watch: whether its silence is noted.
        carried: its last message before the bag begins is written first.
        counted: one publisher, so that gaps of its count are losses.
    """

    name: str
    full_name: str
    type_name: str
    qos: str = ""
    nominal_hz: float = 0.0
    watch: Watch = Watch.NO
    carried: bool = False
    counted: bool = True

    @classmethod
    def of(cls, name: str, namespace: str, qos: str = "") -> Stream:
        """Return a topic of the contract (``schema.TOPIC_TYPES``) in a namespace ("" or "/x")."""
        return cls(
            name=name,
            full_name=full_name(name, namespace),
            type_name=TOPIC_TYPES[name],
            qos=qos,
            nominal_hz=NOMINAL_HZ.get(name, 0.0),
            watch=WATCH.get(name, Watch.NO),
            carried=name in CARRIED,
            counted=name not in SHARED,
        )

    @classmethod
    def of_camera(cls, camera: CameraSpec, namespace: str, qos: str = "") -> Stream:
        """Return the pictures of a camera of the robot's profile."""
        name = camera_topic(camera.name)
        full = full_name(name, namespace)
        return cls(name, full, CAMERA_TYPE, qos, camera.rate, Watch.ALWAYS)


def full_name(name: str, namespace: str) -> str:
    """Return a topic's name with the namespace; global names stay."""
    return name if name.startswith("/") else f"{namespace}/{name}"


def recorded_streams(
    cameras: Iterable[CameraSpec], namespace: str, qos: Mapping[str, str]
) -> tuple[Stream, ...]:
    """Return everything that a recorder subscribes to: the contract's topics and the cameras.

    Args:
        cameras: of the robot.
        namespace: "" or with a leading slash.
        qos: relative name -> QoS text, ``camera`` for all cameras; missing ones stay empty.
    """
    given = [name for name in TOPIC_TYPES if name != LOSS]
    topics = [Stream.of(name, namespace, qos.get(name, "")) for name in given]
    pictures = [Stream.of_camera(c, namespace, qos.get("camera", "")) for c in cameras]
    return (*topics, *pictures)
