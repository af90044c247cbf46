"""Keeper node: serves finished bags to learners and keeps the limits of their folder.

A process of its own, at a lower priority: whatever it does, the recorder goes on.
"""

from __future__ import annotations

import os
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from rove import qos, topics
from rove.keys_cli import BRIDGE, LEARNER, ensure_local_keys
from rove.parameters import parameter
from rove.spin import STEADY, run
from rove_core.bag.fetch.service import KeeperService
from rove_core.bag.keeping.plan import Limits
from rove_core.robot import load_robot

NICER = 10
"""Added to the niceness of the process: the arbiter and the recorder come first."""
DAY_NS = 86_400 * 1_000_000_000


class KeeperNode(Node):
    """Starts the service and tells how it goes."""

    def __init__(self) -> None:
        super().__init__("keeper")
        spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        folder = parameter(self, "folder", "bags", "folder of the bags")
        address = parameter(
            self, "address", "tcp://127.0.0.1:7449", "address that learners fetch from; '': nobody"
        )
        size = parameter(
            self, "max_size_gb", 0.0, "GB (1e9 bytes) of all bags; 0: no limit", (0.0, 1e6)
        )
        age = parameter(
            self, "max_age_days", 0.0, "days since a bag ended; 0: no limit", (0.0, 1e4)
        )
        rate = parameter(
            self, "max_mb_s", 50.0, "MB/s (1e6 bytes) to all learners, and of reading", (0.1, 1e5)
        )
        keys = ensure_local_keys()
        os.nice(NICER)
        self._service = KeeperService(
            Path(folder).expanduser(),
            Limits(int(size * 1e9) if size else None, int(age * DAY_NS) if age else None),
            keys.load(BRIDGE),
            keys.authorized(LEARNER),
            robot=spec.name,
            bind=address,
            bytes_per_s=rate * 1e6,
            say=self.get_logger().info,
        )
        if self._service.endpoint:
            self.get_logger().info(f"bags are fetched from {self._service.endpoint}")
        self._alarm = ""
        self._health = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self._service.start()
        self.create_timer(1.0, self._report, clock=STEADY)

    def _report(self) -> None:
        health = self._service.health()
        if health.alarm and health.alarm != self._alarm:
            self.get_logger().warning(health.alarm)
        self._alarm = health.alarm
        values: dict[str, object] = {
            "address": self._service.endpoint,
            "sent, MB": f"{health.sent_bytes / 1e6:.1f}",
            "fetched": health.marked,
            "deleted": health.deleted,
        }
        if health.swept is not None:
            bags = health.swept.inventory.bags
            values |= {
                "bags": len(bags),
                "bags that wait for a learner": sum(not bag.holders() for bag in bags),
                "size, GB": f"{health.swept.inventory.bytes / 1e9:.3f}",
            }
        level = DiagnosticStatus.OK
        if health.alarm:
            level = DiagnosticStatus.ERROR if health.problem else DiagnosticStatus.WARN
        status = DiagnosticStatus(
            name=f"{self.get_namespace().strip('/')}: keeper",
            level=level,
            message=health.alarm or ("serves" if self._service.endpoint else "keeps the limits"),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(message)

    def close(self) -> None:
        """Free the port and the folder."""
        self._service.close()


def main() -> int:
    """Start the keeper."""
    return run(KeeperNode)
