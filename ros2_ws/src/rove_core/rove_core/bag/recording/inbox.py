"""Inbox: the bounded queue between a callback that must not wait and a disk that may be slow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rove_core.errors import ContractError

CAPACITY_BYTES = 64 << 20
"""8 s of three cameras and all joints (8 MB/s)."""
LARGE_BYTES = 16 << 10
"""What is larger is a picture."""
LARGE_SHARE = 0.75
"""Pictures are dropped first: commands and events say what happened and are far smaller."""


class Arrival(NamedTuple):
    """A message as it came.

    ``stream`` is its index; ``sequence`` the publisher's count, 0 when unknown; times in ns, ROS
    time of the reception and the publisher's time.
    """

    stream: int
    cdr: bytes
    sequence: int
    publish_ns: int
    log_ns: int


@dataclass
class Dropped:
    """Messages of a stream that found the inbox full, at their place among the others."""

    stream: int
    first: int
    last: int
    count: int
    log_ns: int


class Inbox:
    """Takes messages from one thread and hands them to one other; ``put`` never waits.

    Args:
        capacity_bytes: of messages that wait; more are dropped and counted.

    Raises:
        ContractError: no capacity.
    """

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        if capacity_bytes <= 0:
            raise ContractError(f"inbox: capacity {capacity_bytes} bytes given, 1 or more allowed")
        self._capacity = capacity_bytes
        self._large_capacity = int(LARGE_SHARE * capacity_bytes)
        self._items: deque[Arrival | Dropped] = deque()
        # Each is changed by one thread only, so their difference needs no lock.
        self._put_bytes = self._taken_bytes = 0
        self._dropping: dict[int, Dropped] = {}
        self._drop_lock = threading.Lock()
        self.dropped = 0
        self.highest_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of messages that wait."""
        return self._put_bytes - self._taken_bytes

    def put(self, arrival: Arrival) -> bool:
        """Queue a message; False when there is no room and it was dropped."""
        size = len(arrival.cdr)
        level = self._put_bytes - self._taken_bytes + size
        if level > (self._capacity if size <= LARGE_BYTES else self._large_capacity):
            self._drop(arrival)
            return False
        if self._dropping:
            with self._drop_lock:
                self._dropping.pop(arrival.stream, None)
        self._put_bytes += size
        if level > self.highest_bytes:
            self.highest_bytes = level
        self._items.append(arrival)
        return True

    def take(self) -> Iterator[Arrival | Dropped]:
        """Yield what waits now, in order; what comes meanwhile waits for the next call."""
        for _ in range(len(self._items)):
            item = self._items.popleft()
            if isinstance(item, Dropped):
                with self._drop_lock:  # from here on nobody adds to it
                    if self._dropping.get(item.stream) is item:
                        del self._dropping[item.stream]
            else:
                self._taken_bytes += len(item.cdr)
            yield item

    def _drop(self, arrival: Arrival) -> None:
        self.dropped += 1
        with self._drop_lock:
            run = self._dropping.get(arrival.stream)
            if run is None or 0 < arrival.sequence <= run.last:  # a new publisher counts from 1
                sequence = arrival.sequence
                run = Dropped(arrival.stream, sequence, sequence, 0, arrival.log_ns)
                self._dropping[arrival.stream] = run
                self._items.append(run)
            run.last = arrival.sequence
            run.count += 1
