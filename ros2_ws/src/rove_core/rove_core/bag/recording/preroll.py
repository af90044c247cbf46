"""PreRoll: the last seconds before an episode starts."""

from __future__ import annotations

from collections import deque

from rove_core.bag.recording.inbox import Arrival, Dropped
from rove_core.errors import ContractError

PRE_ROLL_SECONDS = 2.0
PRE_ROLL_BYTES = 64 << 20
"""Bounds a stream that is larger than expected, or a ROS clock that stands still."""
JUMP_NS = 1_000_000_000
"""Messages arrive in order but for less than this; a larger step back is a clock that was set."""


class PreRoll:
    """Keeps what arrived within the last seconds of ROS time, in order, bounded in bytes, too.

    Args:
        seconds: of ROS time; 0 keeps nothing.
        capacity_bytes: of messages.

    Raises:
        ContractError: a negative number.
    """

    def __init__(
        self, seconds: float = PRE_ROLL_SECONDS, capacity_bytes: int = PRE_ROLL_BYTES
    ) -> None:
        if not (seconds >= 0 and capacity_bytes >= 0):
            raise ContractError(
                f"pre-roll: {seconds} s and {capacity_bytes} bytes given, 0 or more allowed"
            )
        self._span_ns, self._capacity = int(seconds * 1e9), capacity_bytes
        self._items: deque[Arrival | Dropped] = deque()
        self._bytes = 0
        self._newest_ns = 0
        self._held: dict[int, Arrival] = {}

    @property
    def bytes(self) -> int:
        """Bytes of the messages it keeps."""
        return self._bytes

    def add(self, item: Arrival | Dropped) -> None:
        """Keep an item and let go what is too old or too much."""
        if item.log_ns < self._newest_ns - JUMP_NS:
            self._forget(len(self._items))
            self._newest_ns = item.log_ns
        self._newest_ns = max(self._newest_ns, item.log_ns)
        self._items.append(item)
        if isinstance(item, Arrival):
            self._bytes += len(item.cdr)
        self._age(self._newest_ns)

    def take(
        self, now_ns: int, after_publish_ns: int = -1
    ) -> tuple[list[Arrival], list[Arrival | Dropped]]:
        """Return and forget (last message of each stream before the span, the span in order).

        Args:
            now_ns: ROS time at which the span ends, ns.
            after_publish_ns: messages published up to then belong to what was before and are not
                part of the span.
        """
        if now_ns < self._newest_ns - JUMP_NS:
            self._forget(len(self._items))
        self._age(now_ns)
        self._newest_ns = now_ns
        held, items = dict(self._held), list(self._items)
        self._items.clear()
        self._bytes = 0
        span: list[Arrival | Dropped] = []
        for item in items:
            if isinstance(item, Arrival):
                self._held[item.stream] = item
                if item.publish_ns <= after_publish_ns:
                    held[item.stream] = item
                    continue
            span.append(item)
        return list(held.values()), span

    def last(self, stream: int) -> Arrival | None:
        """Return the newest message of a stream, however old."""
        for item in reversed(self._items):
            if item.stream == stream and isinstance(item, Arrival):
                return item
        return self._held.get(stream)

    def hold(self, arrival: Arrival) -> None:
        """Remember a message that went elsewhere as the last one of its stream."""
        self._held[arrival.stream] = arrival

    def _age(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._span_ns
        while self._items and (self._items[0].log_ns < oldest_ns or self._bytes > self._capacity):
            self._forget(1)

    def _forget(self, count: int) -> None:
        for _ in range(count):
            item = self._items.popleft()
            if isinstance(item, Arrival):
                self._bytes -= len(item.cdr)
                self._held[item.stream] = item
