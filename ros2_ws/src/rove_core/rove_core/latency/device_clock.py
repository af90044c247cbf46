"""DeviceClock: what a stamp of a device's own clock is in the robot's wall time.

From round trips as in NTP (RFC 5905 §8): the robot's stamp of a message and the device's of hearing
it, then the device's of answering and the robot's of hearing that. The trip that was fastest of all
lately bounds the error by half its length. A device that echoes nothing gets the estimate that its
fastest message took no time at all: times from it are then above that least.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_NS = 10_000_000_000
"""A window of trips; clocks of quartz drift apart by less than 1 ms in two of them."""
LONGEST_TRIP_NS = 2_000_000_000
"""A round trip that took longer says nothing useful."""


@dataclass(frozen=True)
class _Estimate:
    offset_ns: int
    error_ns: int


class DeviceClock:
    """Offset of one device's clock; stamps of both clocks in, wall time out."""

    def __init__(self) -> None:
        self._trips: list[_Estimate | None] = [None, None]
        self._least: list[int | None] = [None, None]
        self._began_ns: int | None = None

    @property
    def round_trips(self) -> bool:
        """Whether the estimate comes from round trips."""
        return any(trip is not None for trip in self._trips)

    @property
    def error_ns(self) -> int | None:
        """Largest error of the offset, ns; None without round trips."""
        best = self._best()
        return best.error_ns if best is not None else None

    def heard(
        self, device_ns: int, received_ns: int, told_ns: int = 0, told_heard_ns: int = 0
    ) -> None:
        """Take the stamps of one message of the device.

        Args:
            device_ns: when it was sent, by the device's clock.
            received_ns: when the robot received it, wall time.
            told_ns: when the robot sent the last message that the device heard, wall time as that
                message says; 0: the device does not tell.
            told_heard_ns: when the device heard it, by the device's clock.
        """
        if self._began_ns is None or not 0 <= received_ns - self._began_ns <= WINDOW_NS:
            again = self._began_ns is not None and received_ns < self._began_ns
            self._began_ns = received_ns
            # A wall clock that was set back makes all that was known wrong.
            self._trips = [None if again else self._trips[1], None]
            self._least = [None if again else self._least[1], None]
        way = received_ns - device_ns
        least = self._least[1]
        self._least[1] = way if least is None else min(least, way)
        if told_ns <= 0:
            return
        there, back = told_heard_ns - told_ns, way
        trip_ns = back + there  # (received - told) - (device - told_heard)
        held_ns = device_ns - told_heard_ns
        if not 0 <= trip_ns <= LONGEST_TRIP_NS or held_ns < 0:
            return
        estimate = _Estimate((back - there) // 2, trip_ns // 2)
        best = self._trips[1]
        if best is None or estimate.error_ns < best.error_ns:
            self._trips[1] = estimate

    def _best(self) -> _Estimate | None:
        trips = [trip for trip in self._trips if trip is not None]
        return min(trips, key=lambda trip: trip.error_ns) if trips else None

    def wall_ns(self, device_ns: int) -> int:
        """Return a stamp of the device in wall time, ns; 0 while nothing is known."""
        best = self._best()
        if best is not None:
            return device_ns + best.offset_ns
        least = [way for way in self._least if way is not None]
        return device_ns + min(least) if least else 0
