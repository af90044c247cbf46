"""Polled: a topic whose messages a node takes when it looks, instead of being woken for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from rclpy.qos import QoSProfile

from rove.raw_intake import IntakeNode

M = TypeVar("M")


class Polled(Generic[M]):
    """What arrived on a topic since the last look, as far as the topic's depth goes.

    A loop of 200 Hz that is woken for 500 joint states a second as well costs twice as much as one
    that looks for them when it needs them (bench_loop), and wakes up less evenly.

    Args:
        node: no executor serves this subscription of it.
        kind: message class.
        topic: relative to the node's namespace.
        profile: its depth bounds what one look returns.
    """

    def __init__(self, node: IntakeNode, kind: type[M], topic: str, profile: QoSProfile) -> None:
        self._kind: Any = kind
        self._depth = profile.depth
        self._handle = node.subscribe_polled(kind, topic, profile).handle

    def take(self) -> Iterator[M]:
        """Yield what waits, oldest first."""
        with self._handle:
            for _ in range(self._depth):
                taken = self._handle.take_message(self._kind, False)
                if taken is None:
                    return
                yield taken[0]
