"""ClockPace: is robot time as fast as the wall? A person's hand must not lag behind a simulator."""

from __future__ import annotations

from collections import deque

WINDOW_S = 2.0
SAMPLE_S = 0.1
_NS = 1e9


class ClockPace:
    """Measures robot over wall time of the last seconds.

    Args:
        slowest: ratio below which an operator may not take over; 0 accepts any.
    """

    def __init__(self, slowest: float) -> None:
        self._slowest = slowest
        self._marks: deque[tuple[float, int]] = deque()

    def refusal(self, now: float, ros_ns: int) -> str:
        """Return why no operator may take over now, "" when one may.

        Args:
            now: monotonic time, s.
            ros_ns: robot time, ns.
        """
        if self._slowest <= 0.0:
            return ""
        marks = self._marks
        if marks and ros_ns < marks[-1][1]:
            marks.clear()  # another clock
        if not marks or now - marks[-1][0] >= SAMPLE_S:
            marks.append((now, ros_ns))
        while now - marks[0][0] > WINDOW_S:
            marks.popleft()
        begin, begin_ns = marks[0]
        if now - begin < WINDOW_S / 2:
            return "the speed of the simulation is not known yet"
        ratio = (ros_ns - begin_ns) / _NS / (now - begin)
        if ratio >= self._slowest:
            return ""
        return (
            f"the simulation runs at {ratio:.2f} of real time, at least {self._slowest:.2f} allowed"
        )
