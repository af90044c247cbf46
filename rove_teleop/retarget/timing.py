"""Where the time of one cycle goes: a share for each stage, so that a slow one is found by name.

A cycle is cut at marks; the time between two marks belongs to the stage that the second one names,
so the stages of a cycle add up to the whole. What is counted is wall time, because that is what an
operator waits for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

NS_TO_MS = 1e-6


class StageClock:
    """Times the stages of a cycle.

    Args:
        timer_ns: any clock that does not run backwards.
        stages: names, in the order in which they come.

    """

    def __init__(self, timer_ns: Callable[[], int], stages: Iterable[str]) -> None:
        self._timer_ns = timer_ns
        self._spent = dict.fromkeys(stages, 0)
        self._begun = self._mark = 0

    def begin(self) -> None:
        """Begin a cycle."""
        for stage in self._spent:
            self._spent[stage] = 0
        self._begun = self._mark = self._timer_ns()

    def mark(self, stage: str) -> None:
        """Give the time since the mark before to a stage."""
        now = self._timer_ns()
        self._spent[stage] += now - self._mark
        self._mark = now

    def end(self, stage: str) -> float:
        """Mark the last stage; return the ms of the whole cycle."""
        self.mark(stage)
        return (self._mark - self._begun) * NS_TO_MS

    @property
    def last(self) -> dict[str, float]:
        """Stage -> ms of the last cycle; 0 for a stage that it had not."""
        return {stage: spent * NS_TO_MS for stage, spent in self._spent.items()}


@dataclass(frozen=True)
class Spread:
    """How long something took, ms: the median, the 99th percentile, and the longest."""

    p50: float
    p99: float
    longest: float


class TimingWindow:
    """Times of the cycles since it was last read."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}
        self.cycles = 0

    def add(self, times: Mapping[str, float]) -> None:
        """Take in a cycle: name -> ms."""
        self.cycles += 1
        for name, spent in times.items():
            self._times.setdefault(name, []).append(spent)

    def read(self) -> dict[str, Spread]:
        """Return name -> spread of all cycles, and begin anew."""
        spreads = {name: _spread(sorted(times)) for name, times in self._times.items()}
        self._times, self.cycles = {}, 0
        return spreads


def _spread(times: list[float]) -> Spread:
    """Return nearest-rank percentiles of sorted times, at least one."""
    count = len(times)
    return Spread(times[math.ceil(0.5 * count) - 1], times[math.ceil(0.99 * count) - 1], times[-1])
