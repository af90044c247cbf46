"""FrameClocks: the stamps of a device's frames in the robot's wall time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rove_core.latency.device_clock import DeviceClock
from rove_teleop.wire.messages import Frame
from rove_teleop.wire.server import Client

OLDEST_NS = 10_000_000_000
"""A stamp of a device that is farther from now is a mistake of the device."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """All ns of wall time but ``picture_ns``, ROS time; 0: not known."""

    captured_ns: int = 0
    received_ns: int = 0
    picture_ns: int = 0
    shown_ns: int = 0


UNKNOWN_TIMES = FrameTimes()


class FrameClocks:
    """Reads the clocks of the devices that send; one for each connection."""

    def __init__(self) -> None:
        self._clocks: dict[Client, tuple[DeviceClock, int]] = {}

    def times(self, client: Client, frame: Frame, received_ns: int) -> FrameTimes:
        """Return the times of a frame; the clock of its device learns from it.

        Args:
            client: who sent it.
            frame: as accepted, in order.
            received_ns: wall time.
        """
        clock, sequence = self._clocks.get(client, (DeviceClock(), 0))
        if frame.sequence <= sequence:  # a new connection; its device may have started anew
            clock = DeviceClock()
        self._clocks[client] = (clock, frame.sequence)
        clock.heard(frame.device_stamp_ns, received_ns, frame.status_ns, frame.status_heard_ns)
        captured_ns = _recent(clock.wall_ns(frame.device_stamp_ns), received_ns)
        shown_ns = 0
        if frame.picture_ns > 0:
            shown_ns = _recent(clock.wall_ns(frame.picture_shown_ns), received_ns)
        picture_ns = frame.picture_ns if shown_ns else 0
        return FrameTimes(captured_ns, received_ns, picture_ns, shown_ns)

    def keep(self, clients: Iterable[Client]) -> None:
        """Forget everybody else."""
        present = set(clients)
        self._clocks = {who: clock for who, clock in self._clocks.items() if who in present}


def _recent(ns: int, now_ns: int) -> int:
    """Return a wall time of the last seconds, never after now; 0 when it is none."""
    return min(ns, now_ns) if abs(now_ns - ns) < OLDEST_NS else 0
