"""Legs: the stretches of the two ways whose time is measured, and how long each may take.

Stamps are ns of the robot's wall clock (of machines whose clocks agree), never ROS time: a
simulation slower than the wall would hide what a person waits for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Stamp(StrEnum):
    """A moment on the way."""

    CAPTURED = "pose captured"
    """The device sampled the operator, by its own clock; see ``DeviceClock``."""
    RECEIVED = "received"
    """The bridge took the frame from the network."""
    RETARGETED = "retargeted"
    """The joint target was made."""
    DECIDED = "decided"
    """The arbiter decided the first tick that follows this frame."""
    COMMANDED = "commanded"
    """That tick's command was handed to the middleware."""
    APPLIED = "applied"
    """The robot's drives got it."""
    PICTURED = "camera captured"
    """The robot's camera took a picture."""
    DELIVERED = "delivered"
    """The bridge handed that picture to the operators' connections."""
    SHOWN = "shown"
    """The device put it before the operator's eyes, by its own clock."""


@dataclass(frozen=True)
class Leg:
    """From one stamp to another.

    Attributes:
        key: short name without blanks, for parameters.
        start, end: the stamps.
        limit_ms: above it at p99 is an alarm.
    """

    key: str
    start: Stamp
    end: Stamp
    limit_ms: float

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.start} to {self.end}"


_S = Stamp
OPERATOR_LEGS: tuple[Leg, ...] = (
    # A wireless headset sends within 10-20 ms; beyond 60 the hand visibly lags.
    Leg("device", _S.CAPTURED, _S.RECEIVED, 60.0),
    Leg("retargeting", _S.RECEIVED, _S.RETARGETED, 20.0),
    # A target waits for the next of the 5 ms ticks.
    Leg("decision", _S.RETARGETED, _S.DECIDED, 15.0),
    Leg("command", _S.DECIDED, _S.COMMANDED, 5.0),
    # Robots hold after 50 ms without a command.
    Leg("robot", _S.COMMANDED, _S.APPLIED, 25.0),
    Leg("frame_to_command", _S.RECEIVED, _S.COMMANDED, 30.0),
    Leg("hand_to_robot", _S.CAPTURED, _S.APPLIED, 100.0),
)
"""From the operator's hand to the robot; the last two are sums of those before."""

CAMERA_LEGS: tuple[Leg, ...] = (
    Leg("delivery", _S.PICTURED, _S.DELIVERED, 60.0),
    Leg("display", _S.DELIVERED, _S.SHOWN, 60.0),
    # People adapt to 100 ms of video latency and fail tasks from about 200 ms.
    Leg("camera_to_eye", _S.PICTURED, _S.SHOWN, 100.0),
)
"""From the robot's camera to the operator's eye; the last is the sum."""

LEGS: tuple[Leg, ...] = (*OPERATOR_LEGS, *CAMERA_LEGS)
SUMS = frozenset({"frame_to_command", "hand_to_robot", "camera_to_eye"})
"""Keys of the legs that others add up to."""


@dataclass(frozen=True, slots=True)
class FramePath:
    """Stamps that a frame's joint target carries, ns of wall time; 0: not known."""

    captured_ns: int = 0
    received_ns: int = 0
    retargeted_ns: int = 0


UNKNOWN_PATH = FramePath()


def with_limits(legs: Iterable[Leg], limits: dict[str, float]) -> tuple[Leg, ...]:
    """Return the legs with other limits, ms, by key."""
    return tuple(
        Leg(leg.key, leg.start, leg.end, limits.get(leg.key, leg.limit_ms)) for leg in legs
    )
