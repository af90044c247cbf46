"""SequenceTracker: which messages of a publisher are missing, told by the count it sends along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

SETTLE_MESSAGES = 64
"""Messages that may overtake one; after more than these it is lost."""
SETTLE_SECONDS = 0.5
"""... or after this long without it."""


@dataclass(frozen=True)
class Gap:
    """Consecutive counts that are missing."""

    first: int
    count: int


class _Open(NamedTuple):
    first: int
    last: int
    since: float


class SequenceTracker:
    """Follows the one publisher of a topic, and the one that replaces it.

    The first message seen is the base: what came before it was not listened to. A count that falls
    behind by more than messages overtake each other, or back to 1, is a new publisher; what it
    sent before its first message arrived is missing. Duplicates and messages that were
    overtaken are none. For every run of one publisher, without messages that come after their gap
    was given up: seen + missing + dropped = last - base + 1.
    """

    def __init__(self) -> None:
        self._last = 0
        self._base = 0
        self._open: list[_Open] = []

    @property
    def last(self) -> int:
        """The highest count of the present publisher, 0 before its first message."""
        return self._last

    def seen(self, sequence: int, now: float) -> list[Gap]:
        """Take a message's count (0: unknown, ignored) at a steady time, s; return new gaps."""
        if sequence == self._last + 1 and not self._open:
            self._last = sequence
            if not self._base:
                self._base = sequence
            return []
        return self._unexpected(sequence, sequence, now) if sequence > 0 else []

    def dropped(self, first: int, last: int, now: float) -> list[Gap]:
        """Take counts that arrived but were dropped, counted elsewhere; return new gaps."""
        return self._unexpected(first, last, now) if first > 0 else []

    def settle(self, now: float = float("inf")) -> list[Gap]:
        """Give up gaps that are older than ``SETTLE_SECONDS``; by default all of them."""
        settled = [gap for gap in self._open if now - gap.since >= SETTLE_SECONDS]
        if settled:
            self._open = [gap for gap in self._open if now - gap.since < SETTLE_SECONDS]
        return [Gap(gap.first, gap.last - gap.first + 1) for gap in settled]

    def _unexpected(self, first: int, last: int, now: float) -> list[Gap]:
        if not self._last:  # the first one
            self._base, self._last = first, last
            return []
        if first > self._last:
            if first > self._last + 1:
                self._open.append(_Open(self._last + 1, first - 1, now))
            self._last = last
            return self._overtaken()
        if (first == 1 < self._last) or first <= self._last - SETTLE_MESSAGES:
            gaps = self.settle()
            if first > 1:
                gaps.append(Gap(1, first - 1))
            self._base, self._last = first, last
            return gaps
        self._fill(first, last)
        return []

    def _fill(self, first: int, last: int) -> None:
        """Take late counts out of the gaps that are still open."""
        still: list[_Open] = []
        for gap in self._open:
            if last < gap.first or first > gap.last:
                still.append(gap)
                continue
            if gap.first < first:
                still.append(_Open(gap.first, first - 1, gap.since))
            if last < gap.last:
                still.append(_Open(last + 1, gap.last, gap.since))
        self._open = still

    def _overtaken(self) -> list[Gap]:
        settled = [gap for gap in self._open if self._last - gap.last > SETTLE_MESSAGES]
        if settled:
            self._open = [gap for gap in self._open if self._last - gap.last <= SETTLE_MESSAGES]
        return [Gap(gap.first, gap.last - gap.first + 1) for gap in settled]
