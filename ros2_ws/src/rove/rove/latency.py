"""NodeLedger: the legs that end at a node, their limits as parameters, their diagnostics."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node

from rove.parameters import parameter
from rove_core.latency.ledger import Ledger
from rove_core.latency.legs import Leg, Stamp, with_limits
from rove_core.latency.words import alarm_of, words_of

TITLE = "latency"


class NodeLedger:
    """A ledger of one node. Use it from one thread.

    Args:
        node: gets a parameter ``latency.<leg>`` for each limit.
        legs: that end at this node.
        what: whose way it is, for people.

    Attributes:
        ledger: of those legs, with their limits.

    Raises:
        ConfigError: a limit is out of bounds.
    """

    def __init__(self, node: Node, legs: Iterable[Leg], what: str) -> None:
        legs = tuple(legs)
        limits = {
            leg.key: parameter(
                node,
                f"latency.{leg.key}",
                leg.limit_ms,
                f"ms from {leg.name}, above it at p99 is an alarm",
                (0.1, 60_000.0),
            )
            for leg in legs
        }
        self._name = f"{node.get_namespace().strip('/')}: {TITLE}, {what}"
        self.ledger = Ledger(with_limits(legs, limits))

    def note(self, key: Hashable, stamps: Mapping[Stamp, int]) -> None:
        """Take stamps of a thing, see ``Ledger.note``."""
        self.ledger.note(key, stamps, time.monotonic())

    def complete(self, key: Hashable, stamps: Mapping[Stamp, int]) -> None:
        """Take later stamps of a thing that was noted."""
        self.ledger.complete(key, stamps, time.monotonic())

    def status(self) -> DiagnosticStatus:
        """Return every leg of the last seconds, a warning when one is above its limit."""
        reports = self.ledger.report(time.monotonic())
        alarm = alarm_of(reports)
        words = words_of(reports)
        words |= {f"backwards: {key}": str(n) for key, n in self.ledger.backwards.items()}
        return DiagnosticStatus(
            name=self._name,
            level=DiagnosticStatus.WARN if alarm else DiagnosticStatus.OK,
            message=alarm or ("within limits" if words else "nothing came yet"),
            values=[KeyValue(key=key, value=value) for key, value in words.items()],
        )
