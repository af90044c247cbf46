"""Vitals: how fast each stream comes beside how fast it should, and which fell silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rove_core.bag.recording.streams import Stream, Watch

SILENT_SECONDS = 3.0
"""Three times the slowest heartbeat (policy/status, 1 Hz)."""
LOW_SHARE = 0.5
"""Of the nominal rate; below it is an alarm."""
WINDOW_SECONDS = 2.0
"""Rates are counted over at least this long, of ROS time: nominal rates are meant in it."""
FEW = 5
"""Nominal messages a window below which a low count says nothing."""


@dataclass
class _Pulse:
    heard: int = 0
    heard_at: float = -1.0
    """steady, s; negative: never."""
    counted: int = 0
    rate_hz: float | None = None
    silent_since: float | None = None
    publishers: int | None = None


class Vitals:
    """Feels the pulse of every stream; ``heard`` for each message, ``look`` now and then.

    Args:
        streams: by the index that arrivals carry.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = tuple(streams)
        self._pulses = [_Pulse() for _ in streams]
        self._watched_since = 0.0
        self._window_ns = -1

    def heard(self, stream: int, now: float) -> None:
        """Count a message at a steady time, s."""
        pulse = self._pulses[stream]
        pulse.heard += 1
        pulse.heard_at = now

    def watch(self, now: float) -> None:
        """Begin to watch for silence: an episode starts."""
        self._watched_since = now
        for pulse in self._pulses:
            pulse.silent_since = pulse.publishers = None

    def look(self, now: float, publishers: Mapping[int, int] | None = None) -> list[str]:
        """Return notes: who fell silent or came back since the last look.

        Args:
            now: steady, s.
            publishers: stream -> how many publishers it has; what is not there is not known.
        """
        notes = []
        for index, (stream, pulse) in enumerate(zip(self._streams, self._pulses, strict=True)):
            never = pulse.heard_at < 0
            if stream.watch is Watch.NO or (stream.watch is Watch.ONCE_HEARD and never):
                continue
            found = (publishers or {}).get(index)
            gone = found == 0 and pulse.publishers not in (None, 0)
            pulse.publishers = pulse.publishers if found is None else found
            quiet = now - max(pulse.heard_at, self._watched_since)
            if pulse.silent_since is None and (gone or quiet >= SILENT_SECONDS):
                pulse.silent_since = pulse.heard_at
                why = ", its publisher is gone" if pulse.publishers == 0 else ""
                since = "nothing came" if never else f"silent for {now - pulse.heard_at:.1f} s"
                notes.append(f"{stream.name}: {since}{why}")
            elif pulse.silent_since is not None and pulse.heard_at > pulse.silent_since:
                after = pulse.heard_at - max(pulse.silent_since, self._watched_since)
                pulse.silent_since = None
                notes.append(f"{stream.name}: is back after {after:.1f} s")
        return notes

    def silent(self) -> list[str]:
        """Return the names of the streams that are silent now."""
        return [
            stream.name
            for stream, pulse in zip(self._streams, self._pulses, strict=True)
            if pulse.silent_since is not None
        ]

    def count(self, ros_ns: int) -> None:
        """Measure the rates, once the window since the last time is long enough."""
        elapsed = (ros_ns - self._window_ns) / 1e9
        if self._window_ns >= 0 and 0 <= elapsed < WINDOW_SECONDS:
            return
        for pulse in self._pulses:
            if self._window_ns >= 0 and elapsed > 0:
                pulse.rate_hz = (pulse.heard - pulse.counted) / elapsed
            pulse.counted = pulse.heard
        self._window_ns = ros_ns

    def rates(self) -> dict[str, tuple[float, float]]:
        """Return name -> (measured, nominal) Hz of every stream that was heard or must be."""
        return {
            stream.name: (pulse.rate_hz or 0.0, stream.nominal_hz)
            for stream, pulse in zip(self._streams, self._pulses, strict=True)
            if pulse.rate_hz is not None
            and (pulse.heard or stream.watch is Watch.ALWAYS)
            and (pulse.rate_hz or stream.nominal_hz)
        }

    def slow(self) -> list[str]:
        """Return the names of watched streams far below their nominal rate."""
        return [
            stream.name
            for stream, pulse in zip(self._streams, self._pulses, strict=True)
            if stream.watch is not Watch.NO
            and pulse.rate_hz is not None
            and (pulse.heard or stream.watch is Watch.ALWAYS)
            and stream.nominal_hz * WINDOW_SECONDS >= FEW
            and pulse.rate_hz < LOW_SHARE * stream.nominal_hz
        ]
