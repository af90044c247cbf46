"""How a fault of the graph campaign went, and how late the machine was meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rove_msgs.msg import JointCommand

TICK_S = 0.005
Found = tuple[float, float]
"""Timeout and time after which the robot held, s; (inf, NaN) where it had to go on, and did."""
WENT_ON: Found = (float("inf"), float("nan"))


class SkippedError(Exception):
    """A fault that this machine cannot make, and why."""


class StoodStillError(Exception):
    """The machine itself stood still: the fault is played again."""


@dataclass(frozen=True)
class Verdict:
    """How one fault went.

    Attributes:
        seed, fault: which.
        timeout_s: within which the robot had to hold; inf: it had to go on.
        hold_s: after which it held; NaN where it had to go on.
        scheduling_s: the longest that this process or the arbiter was late meanwhile.
        broken: the law that was broken; "" when all is well.
        skipped: why it could not be played; "" when it was.
        again: how often it was played again because the machine stood still.
    """

    seed: int
    fault: str
    timeout_s: float
    hold_s: float
    scheduling_s: float
    broken: str
    skipped: str = ""
    again: int = 0

    @property
    def in_time(self) -> bool:
        """Whether it held within the timeout, three ticks and the measured scheduling delay."""
        late = self.hold_s - self.timeout_s - 3 * TICK_S - self.scheduling_s
        return not late > 0.0


class Lateness:
    """Largest delay with which this process wakes up, s, while it is entered."""

    def __enter__(self) -> Lateness:
        self.worst, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        due = time.monotonic() + TICK_S
        while not self._over.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            self.worst = max(self.worst, now - due)
            due = now + TICK_S

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def late_ticks(commands: Sequence[JointCommand]) -> float:
    """Return the most by which a tick of one arbiter was late after the one before it, s."""
    worst = 0.0
    for before, after in pairwise(commands):
        if before.epoch == after.epoch:
            gap = (after.decided_ns - before.decided_ns) / 1e9
            worst = max(worst, gap - TICK_S)
    return worst
