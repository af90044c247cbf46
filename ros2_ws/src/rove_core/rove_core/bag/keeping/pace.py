"""Pace: so many bytes a second and no more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from rove_core.errors import ConfigError

BURST_S = 0.1
"""What was not used for so long may be used at once; more would be a burst on disk and network."""


class Pace:
    """A token bucket that may run into debt: bytes go when it is not in debt.

    Args:
        bytes_per_s: the rate; infinity has none.
        clock: monotonic, s.

    Raises:
        ConfigError: a rate of 0 or less.
    """

    def __init__(
        self, bytes_per_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not bytes_per_s > 0:
            raise ConfigError("rate of a transfer", bytes_per_s, "above 0 bytes/s")
        self._rate, self._clock = bytes_per_s, clock
        self._free_at = clock()  # when there is no debt left

    def wait_s(self) -> float:
        """Return how long it takes until bytes may go, s; 0: now."""
        return max(0.0, self._free_at - self._clock())

    def spend(self, count: int) -> None:
        """Note that this many bytes went."""
        earliest = self._clock() - BURST_S
        self._free_at = max(self._free_at, earliest) + count / self._rate
