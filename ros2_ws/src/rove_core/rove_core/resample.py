"""From streams of samples to frames: the one resampler, for the running robot and for bags.

A frame at time ``t`` holds, of every stream, the newest sample with ``stamp <= t``, unless that
is older than the stream's ``max_age_ns``. Rules that make it deterministic:

- Only stamps order samples; when they arrived does not matter, as long as it was before the frame
  was taken. Of two samples of a stream with equal stamps the first that arrived counts.
- A frame that was taken never changes: taking it again returns the same one. A sample that comes
  later than its frame counts from the next frame on, if it is still the newest.
- Time goes forward. After a jump of the clock (a new scene) call ``reset``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rove_core.errors import ContractError
from rove_core.robot.spec import RobotSpec

PERIOD_NS = 50_000_000
"""20 Hz, the rate at which ROVE's value counts steps (ROVE §4)."""
CAPACITY = 512
"""Samples a stream keeps while nobody takes a frame: 1 s of joint states at 500 Hz."""
JOINT_STATES_MAX_AGE_NS = 50_000_000
"""Joints may be 10 samples late (200 Hz); what is older says the robot's link is broken."""
CAMERA_MAX_AGE_PERIODS = 2.5
"""One lost picture does not stop a policy, two do."""


class Sample(NamedTuple):
    """A value of a stream at a time, ns (ROS time of the measurement)."""

    stream: str
    stamp_ns: int
    value: Any


@dataclass(frozen=True)
class Frame:
    """One moment: the newest value of every stream and its stamp, ns."""

    stamp_ns: int
    values: Mapping[str, Any]
    stamps: Mapping[str, int]


@dataclass(frozen=True)
class Missing:
    """Why there is no frame at a moment: reason per stream that lacks a fresh sample."""

    stamp_ns: int
    reasons: Mapping[str, str]

    @property
    def reason(self) -> str:
        """All reasons in one line, for people."""
        return "; ".join(f"{stream}: {reason}" for stream, reason in self.reasons.items())


class _Stream:
    """Samples of one stream sorted by stamp, with the order in which they arrived."""

    def __init__(self, max_age_ns: int, capacity: int) -> None:
        self.max_age_ns, self.capacity = max_age_ns, capacity
        self.stamps: list[int] = []
        self.values: list[Any] = []
        self.arrivals: list[int] = []
        self.arrived = 0

    def insert(self, stamp_ns: int, value: Any) -> bool:
        at = bisect_left(self.stamps, stamp_ns)
        if at < len(self.stamps) and self.stamps[at] == stamp_ns:
            return False
        self.arrived += 1
        self.stamps.insert(at, stamp_ns)
        self.values.insert(at, value)
        self.arrivals.insert(at, self.arrived)
        if len(self.stamps) > self.capacity:
            # The one that arrived first, not the one stamped first: stamps from before a clock
            # jumped back lie in the future and would otherwise push out every new sample.
            self.delete(self.arrivals.index(min(self.arrivals)))
        return True

    def delete(self, begin: int, end: int | None = None) -> None:
        stop = begin + 1 if end is None else end
        del self.stamps[begin:stop], self.values[begin:stop], self.arrivals[begin:stop]


class StreamResampler:
    """Turns samples that are pushed as they arrive into frames; bounded memory.

    Args:
        max_age_ns: stream -> age at the frame above which its newest sample is stale, ns.
        period_ns: time between frames of the grid, ns.
        capacity: samples kept per stream; beyond it those that arrived first are dropped.

    Raises:
        ContractError: no stream, or a number that is not positive.
    """

    def __init__(
        self,
        max_age_ns: Mapping[str, int],
        period_ns: int = PERIOD_NS,
        capacity: int = CAPACITY,
    ) -> None:
        if not max_age_ns or min([*max_age_ns.values(), period_ns, capacity]) <= 0:
            raise ContractError(
                f"resampler: max_age_ns {dict(max_age_ns)}, period_ns {period_ns}, capacity "
                f"{capacity} given; at least one stream and positive numbers allowed"
            )
        self.period_ns = period_ns
        self._capacity = capacity
        self._max_age_ns = dict(max_age_ns)
        self.reset()

    def reset(self) -> None:
        """Forget all samples and frames: the clock jumped or another episode began."""
        self._streams = {
            name: _Stream(age, self._capacity) for name, age in self._max_age_ns.items()
        }
        self._taken: Frame | Missing | None = None
        self.dropped = dict.fromkeys(self._max_age_ns, 0)

    def grid(self, now_ns: int) -> int:
        """Return the newest time of the grid (multiples of the period) not after ``now_ns``."""
        return now_ns - now_ns % self.period_ns

    def push(self, stream: str, stamp_ns: int, value: Any) -> bool:
        """Take a sample; False when it can no longer be part of any frame (counted in ``dropped``).

        Raises:
            ContractError: the resampler has no such stream.
        """
        if stream not in self._streams:
            raise ContractError(f"stream {stream!r} given, {', '.join(self._streams)} allowed")
        samples = self._streams[stream]
        # After frame_at(t) the first sample kept is the newest with stamp <= t: nothing older
        # than that one can ever be the newest again.
        taken = self._taken
        late = (
            taken is not None
            and bool(samples.stamps)
            and stamp_ns < samples.stamps[0] <= taken.stamp_ns
        )
        kept = not late and samples.insert(stamp_ns, value)
        self.dropped[stream] += not kept
        return kept

    def frame_at(self, t_ns: int) -> Frame | Missing:
        """Return the frame at a time, or why there is none; asking again may find a missing one.

        Raises:
            ContractError: a later frame was taken already.
        """
        if self._taken is not None:
            if t_ns < self._taken.stamp_ns:
                raise ContractError(
                    f"frame at {t_ns} ns given, {self._taken.stamp_ns} ns or later allowed; "
                    "reset() after the clock jumped back"
                )
            if t_ns == self._taken.stamp_ns and isinstance(self._taken, Frame):
                return self._taken
        values: dict[str, Any] = {}
        stamps: dict[str, int] = {}
        reasons: dict[str, str] = {}
        for name, stream in self._streams.items():
            newest = bisect_right(stream.stamps, t_ns) - 1
            if newest < 0:
                reasons[name] = "no sample yet"
                continue
            stream.delete(0, newest)
            age_ns = t_ns - stream.stamps[0]
            if age_ns > stream.max_age_ns:
                reasons[name] = (
                    f"newest sample is {age_ns / 1e6:.0f} ms old, "
                    f"{stream.max_age_ns / 1e6:.0f} ms allowed"
                )
                continue
            values[name], stamps[name] = stream.values[0], stream.stamps[0]
        self._taken = Missing(t_ns, reasons) if reasons else Frame(t_ns, values, stamps)
        return self._taken


def frames(
    samples: Iterable[Sample],
    max_age_ns: Mapping[str, int],
    period_ns: int = PERIOD_NS,
) -> Iterator[Frame | Missing]:
    """Yield what ``StreamResampler`` makes of recorded samples at every time of the grid.

    The grid runs from the first stamp to the last. Where nothing arrives for longer than the
    streams may age, one ``Missing`` stands for the whole gap. All samples are held in memory.

    Args:
        samples: in the order in which they arrived.
        max_age_ns, period_ns: as of ``StreamResampler``.
    """
    ordered = sorted(samples, key=lambda sample: sample.stamp_ns)  # stable: first arrival first
    if not ordered:
        return
    # Pushed in order of stamps up to each frame, a stream never holds more than a period's worth.
    resampler = StreamResampler(max_age_ns, period_ns, capacity=len(ordered))
    t_ns = -(-ordered[0].stamp_ns // period_ns) * period_ns
    pushed = 0
    while t_ns <= ordered[-1].stamp_ns:
        while pushed < len(ordered) and ordered[pushed].stamp_ns <= t_ns:
            resampler.push(*ordered[pushed])
            pushed += 1
        frame = resampler.frame_at(t_ns)
        yield frame
        t_ns += period_ns
        if isinstance(frame, Missing) and pushed < len(ordered):
            following = -(-ordered[pushed].stamp_ns // period_ns) * period_ns
            t_ns = max(t_ns, following)


def observation_streams(spec: RobotSpec, cameras: Iterable[str] | None = None) -> dict[str, int]:
    """Return the streams of an observation (topic names) with their ``max_age_ns``.

    Args:
        spec: the robot.
        cameras: names of the cameras that are looked through; all by default.

    Raises:
        ContractError: the robot has no such camera.
    """
    ages = {"joint_states": JOINT_STATES_MAX_AGE_NS}
    for name in spec.cameras if cameras is None else cameras:
        if name not in spec.cameras:
            raise ContractError(
                f"camera {name!r} given, {', '.join(spec.cameras)} allowed (robot {spec.name})"
            )
        ages[f"camera/{name}/compressed"] = int(
            CAMERA_MAX_AGE_PERIODS * 1e9 / spec.cameras[name].rate
        )
    return ages
