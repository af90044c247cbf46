"""Check "rates": how often each topic came, beside how often it should have."""

from __future__ import annotations

import numpy as np

from rove_core.bag.schema import camera_topic
from rove_core.bag.verify.check import LATCHED, Check, Seen
from rove_core.bag.verify.report import TopicRate

LEAST_RATE = 0.9
"""Of the nominal rate; a sensor's clock and a short bag's ends account for less."""
LONGEST_GAP = 10
"""Periods without a message; less is scheduling."""
STEADY = ("joint_states", "joint_command")
"""Topics besides cameras that come all the time while a robot is up."""


class RateCheck(Check):
    """Cameras, joints and commands come at their rate, without a break, from end to end."""

    name = "rates"
    any_type = True

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._logged: dict[str, list[int]] = {name: [] for name in self.subject.topics}
        self._stamps: dict[str, list[int]] = {name: [] for name in self.subject.topics}
        self.lost: dict[str, int] = {}
        self.rates: dict[str, TopicRate] = {}

    def see(self, seen: Seen) -> None:
        """Note when it came."""
        self._logged[seen.topic].append(seen.log_ns)
        if seen.stamp_ns > 0:
            self._stamps[seen.topic].append(seen.stamp_ns)

    def finish(self) -> None:
        """Compare with the nominal rates of the recorder's report or of the profile."""
        spec = self.subject.spec
        cameras = (
            {} if spec is None else {camera_topic(c.name): c.rate for c in spec.cameras.values()}
        )
        steady = {n for n in self._logged if n in STEADY or n.startswith("camera/")}
        lively = [times for n, times in self._logged.items() if n not in LATCHED and times]
        begin = min((times[0] for times in lively), default=0)
        end = max((max(times) for times in lively), default=0)
        for name, logged in self._logged.items():
            nominal = cameras.get(name, 0.0)
            if self.subject.report is not None:
                told = self.subject.report.topics.get(self.subject.topics[name].full_name)
                nominal = told.nominal_hz if told is not None and told.nominal_hz > 0 else nominal
            rate = self._rate(name, logged, nominal, begin, end, name in steady)
            self.rates[name] = rate
            if name in steady and nominal > 0:
                self._judge(name, rate, begin, end)

    def _rate(
        self, name: str, logged: list[int], nominal: float, begin: int, end: int, steady: bool
    ) -> TopicRate:
        times, stamps = np.array(logged, dtype=np.int64), np.array(self._stamps[name], np.int64)
        span = float(times[-1] - times[0]) / 1e9 if times.size > 1 else 0.0
        gaps = np.diff(stamps) if stamps.size > 1 else np.zeros(0, dtype=np.int64)
        longest = float(gaps.max(initial=0)) / 1e9
        if steady and nominal > 0:
            edges = (times[0] - begin, end - times[-1]) if times.size else (end - begin, 0)
            longest = max(longest, *(float(edge) / 1e9 for edge in edges))
        return TopicRate(
            count=int(times.size),
            rate_hz=(times.size - 1) / span if span > 0 else 0.0,
            nominal_hz=nominal,
            largest_gap_s=longest,
            lost=self.lost.get(name, 0),
        )

    def _judge(self, name: str, rate: TopicRate, begin: int, end: int) -> None:
        span, period = (end - begin) / 1e9, 1.0 / rate.nominal_hz
        if not rate.count:
            if span > LONGEST_GAP * period:
                self.warning(f"no message in {span:.1f} s", name)
            return
        if rate.largest_gap_s > LONGEST_GAP * period:
            self.warning(
                f"{rate.largest_gap_s:.2f} s without a message, {LONGEST_GAP * period:.2f} s "
                f"allowed at {rate.nominal_hz:g} Hz",
                name,
                self._where(name, begin, end),
            )
        if 0 < rate.rate_hz < LEAST_RATE * rate.nominal_hz:
            text = f"{rate.rate_hz:.1f} Hz, {rate.nominal_hz:g} Hz nominal"
            self.warning(text, name)

    def _where(self, name: str, begin: int, end: int) -> int:
        """Return the time at which the longest gap of a topic begins."""
        stamps = np.array([begin, *self._stamps[name], end], dtype=np.int64)
        return int(stamps[int(np.argmax(np.diff(stamps)))])
