"""RawIntake: takes serialised messages from many topics in a thread of its own, cheaply.

An executor wakes up for every message; taking all that wait every few milliseconds costs half of
that (bench_recorder). The middleware stamps each message when it is received, so the order and the
times of arrival are not those of the taking.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from rove_core.bag.recording.inbox import Arrival
from rove_core.bag.recording.log_times import LogTimes

PERIOD_S = 0.02
MOST = 4096
"""Messages of a topic a turn; a publisher without bounds must not hold up the others."""


class IntakeNode(Node):  # type: ignore[misc]
    """A node some of whose subscriptions no executor serves."""

    def __init__(self, name: str) -> None:
        self._taken_raw: list[Subscription] = []
        super().__init__(name)

    @property
    def subscriptions(self) -> Any:
        """The subscriptions that an executor serves."""
        return (s for s in super().subscriptions if s not in self._taken_raw)

    def subscribe_raw(self, kind: Any, topic: str, profile: QoSProfile) -> Subscription:
        """Subscribe to a topic whose messages a ``RawIntake`` takes; before the node is spun."""
        return self._subscribe(kind, topic, profile, raw=True)

    def subscribe_polled(self, kind: Any, topic: str, profile: QoSProfile) -> Subscription:
        """Subscribe to a topic whose messages a ``Polled`` takes; before the node is spun."""
        return self._subscribe(kind, topic, profile, raw=False)

    def _subscribe(self, kind: Any, topic: str, profile: QoSProfile, raw: bool) -> Subscription:
        subscription = self.create_subscription(kind, topic, _never, profile, raw=raw)
        self._taken_raw.append(subscription)
        return subscription


def _never(_message: bytes) -> None:
    raise AssertionError("an executor took a message that the intake should take")


class RawIntake:
    """Takes what arrived on the subscriptions of a node and hands it on in order of arrival.

    Args:
        node: its clock gives the ROS time.
        hand: gets every message; must not wait. Its stream is the position in ``subscriptions``.
        subscriptions: (subscription, message class), made by ``IntakeNode.subscribe_raw``.
    """

    def __init__(
        self,
        node: IntakeNode,
        hand: Callable[[Arrival], object],
        subscriptions: list[tuple[Subscription, Any]],
    ) -> None:
        self._clock, self._hand, self._subscriptions = node.get_clock(), hand, subscriptions
        self._times = LogTimes()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self.error = ""

    def start(self) -> None:
        """Start to take."""
        self._thread.start()

    def stop(self) -> None:
        """Take what is there and end the thread."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def publishers(self) -> dict[int, int]:
        """Return stream -> how many publishers it has now."""
        found = {}
        for index, (subscription, _) in enumerate(self._subscriptions):
            with subscription.handle:
                found[index] = subscription.handle.get_publisher_count()
        return found

    def turn(self) -> None:
        """Take all that waits."""
        batch: list[tuple[int, int, bytes, Any]] = []
        for index, (subscription, kind) in enumerate(self._subscriptions):
            handle = subscription.handle
            with handle:
                for _ in range(MOST):
                    taken = handle.take_message(kind, True)
                    if taken is None:
                        break
                    batch.append((taken[1]["received_timestamp"], index, taken[0], taken[1]))
        self._times.look(time.time_ns(), max(self._clock.now().nanoseconds, 0))
        batch.sort(key=itemgetter(0))
        for received_ns, index, data, info in batch:
            log_ns = self._times.ros_ns(received_ns)
            sequence = info["publication_sequence_number"] or 0
            published_ns = max(info["source_timestamp"] or log_ns, 0)
            self._hand(Arrival(index, data, sequence, published_ns, log_ns))

    def _run(self) -> None:
        try:
            while not self._over.wait(PERIOD_S):
                self.turn()
            self.turn()
        except Exception as error:  # told by the node, which then ends
            self.error = repr(error)
