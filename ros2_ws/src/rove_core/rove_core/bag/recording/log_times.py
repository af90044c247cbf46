"""LogTimes: the ROS time at which a message arrived, of the wall time at which it did.

The middleware stamps arrivals by the wall clock; a bag's log time is ROS time, which in simulation
runs slower, faster or not at all. Between two looks at both clocks it ran evenly.
"""

from __future__ import annotations

LEAP_NS = 10_000_000_000
"""More than ten times the wall's time and this: a clock that was set, such as the first /clock."""


class LogTimes:
    """Maps wall time to ROS time; times never run back unless the ROS clock was set."""

    def __init__(self) -> None:
        self._wall_ns = self._ros_ns = -1
        self._from_wall = self._from_ros = -1

    def look(self, wall_ns: int, ros_ns: int) -> None:
        """Take both clocks, ns; call after each turn of taking, whether or not anything came."""
        self._from_wall, self._from_ros = self._wall_ns, self._ros_ns
        wall, ros = wall_ns - self._from_wall, ros_ns - self._from_ros
        if self._from_wall < 0 or wall <= 0 or not 0 <= ros <= 10 * wall + LEAP_NS:
            self._from_wall, self._from_ros = wall_ns, ros_ns  # the first look, or a clock was set
        self._wall_ns, self._ros_ns = wall_ns, ros_ns

    def ros_ns(self, received_ns: int) -> int:
        """Return the ROS time of an arrival, between those of the last two looks, ns."""
        span = self._wall_ns - self._from_wall
        if span <= 0:
            return self._ros_ns
        since = min(max(received_ns - self._from_wall, 0), span)
        return self._from_ros + (self._ros_ns - self._from_ros) * since // span
