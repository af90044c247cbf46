"""The two processes of the middleware's check: `python -m rove.doctor.round_trip ask|echo TOPIC S`.

``ask`` sends numbers until one comes back through ``echo``, then prints the middleware's name and
the round trip in ms. Both give up after S seconds, ``ask`` with status 1.
"""

from __future__ import annotations

import sys
import time

import rclpy
from std_msgs.msg import UInt32


def ask(topic: str, timeout: float) -> int:
    """Send numbered messages until one returns; each is timed by its own number."""
    node = rclpy.create_node("rove_doctor_ask")
    sent: dict[int, float] = {}
    trips: list[float] = []

    def returned(message: UInt32) -> None:
        trips.append(time.monotonic() - sent[message.data])

    node.create_subscription(UInt32, f"{topic}_back", returned, 10)
    publisher = node.create_publisher(UInt32, topic, 10)
    end = time.monotonic() + timeout
    while len(trips) < 2 and time.monotonic() < end:  # the first one pays for the start
        number = len(sent)
        sent[number] = time.monotonic()
        publisher.publish(UInt32(data=number))
        rclpy.spin_once(node, timeout_sec=0.1)
    if len(trips) < 2:
        print(f"no message came back within {timeout:.0f} s", file=sys.stderr)
        return 1
    print(rclpy.get_rmw_implementation_identifier(), f"{1e3 * min(trips):.2f}")
    return 0


def echo(topic: str, timeout: float) -> int:
    """Send back whatever comes."""
    node = rclpy.create_node("rove_doctor_echo")
    publisher = node.create_publisher(UInt32, f"{topic}_back", 10)
    node.create_subscription(UInt32, topic, publisher.publish, 10)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    return 0


def main() -> int:
    """Run one of the two sides."""
    side, topic, timeout = sys.argv[1:]
    rclpy.init()
    try:
        return {"ask": ask, "echo": echo}[side](topic, float(timeout))
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
