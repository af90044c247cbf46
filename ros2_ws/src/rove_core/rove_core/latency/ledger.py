"""Ledger: joins the stamps of one frame or picture and keeps the times of every leg."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from rove_core.latency.legs import Leg, Stamp

WINDOW_S = 10.0
"""Long enough for a p99 at 72 Hz (720 frames), short enough to see a lag while it lasts."""
OPEN = 1024
"""Frames or pictures that wait for their later stamps; 5 s of commands."""
FEW = 20
"""Times in the window below which a percentile is no alarm."""


@dataclass(frozen=True)
class LegReport:
    """One leg over the window; times are NaN while there are none.

    Attributes:
        leg: which.
        count: how many times.
        p50_ms, p99_ms, largest_ms: nearest-rank percentiles and the maximum, ms.
    """

    leg: Leg
    count: int = 0
    p50_ms: float = math.nan
    p99_ms: float = math.nan
    largest_ms: float = math.nan

    @property
    def late(self) -> bool:
        """Whether its p99 is above its limit."""
        return self.count >= FEW and self.p99_ms > self.leg.limit_ms


def nearest_rank(ordered: list[float], percent: float) -> float:
    """Return the nearest-rank percentile of sorted values, NaN of none."""
    if not ordered:
        return math.nan
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


class Ledger:
    """Takes stamps in any order and gives the times between them.

    A stamp of one thing counts once: a frame is commanded by the first command that follows it.

    Args:
        legs: to measure.
        window_s: how long a time counts, s of the clock of ``now``; inf: for ever.

    Attributes:
        backwards: leg -> pairs whose end was before their start; the clocks disagree there.
    """

    def __init__(self, legs: Iterable[Leg], window_s: float = WINDOW_S) -> None:
        self._legs = tuple(legs)
        self._window_s = window_s
        self._open: OrderedDict[Hashable, dict[Stamp, int]] = OrderedDict()
        self._times: dict[str, deque[tuple[float, float]]] = {
            leg.key: deque() for leg in self._legs
        }
        self.backwards: Counter[str] = Counter()

    def note(self, key: Hashable, stamps: Mapping[Stamp, int], now: float) -> None:
        """Take stamps of a thing; new ones open it, those that are 0 or known are left out.

        Args:
            key: names the thing, for example the number of its frame.
            stamps: wall time, ns.
            now: s of any steady clock; when the times fall out of the window.
        """
        known = self._open.get(key)
        if known is None:
            known = self._open[key] = {}
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
        self._join(known, stamps, now)

    def complete(self, key: Hashable, stamps: Mapping[Stamp, int], now: float) -> None:
        """Take later stamps of a thing that was noted; those of others are ignored."""
        known = self._open.get(key)
        if known is not None:
            self._join(known, stamps, now)

    def _join(self, known: dict[Stamp, int], stamps: Mapping[Stamp, int], now: float) -> None:
        fresh = {stamp for stamp, ns in stamps.items() if ns > 0 and stamp not in known}
        known.update({stamp: stamps[stamp] for stamp in fresh})
        for leg in self._legs:
            if leg.start not in known or leg.end not in known:
                continue
            if leg.start not in fresh and leg.end not in fresh:
                continue
            passed_ns = known[leg.end] - known[leg.start]
            if passed_ns < 0:
                self.backwards[leg.key] += 1
            else:
                self._times[leg.key].append((now, passed_ns / 1e6))

    def times(self, key: str) -> list[float]:
        """Return the times of a leg, ms, oldest first."""
        return [value for _, value in self._times[key]]

    def report(self, now: float) -> tuple[LegReport, ...]:
        """Return every leg over the window that ends now."""
        return tuple(self._report(leg, now) for leg in self._legs)

    def _report(self, leg: Leg, now: float) -> LegReport:
        times = self._times[leg.key]
        while times and now - times[0][0] > self._window_s:
            times.popleft()
        if not times:
            return LegReport(leg)
        ordered = sorted(value for _, value in times)
        return LegReport(
            leg,
            len(ordered),
            nearest_rank(ordered, 50),
            nearest_rank(ordered, 99),
            ordered[-1],
        )
