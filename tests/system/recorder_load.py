"""Publishes what a robot with cameras publishes, at its rates; run as a process of its own.

Waits until somebody subscribes, prints ``ready``, starts on a line from stdin, prints topic ->
published as JSON when it is done, and stays until stdin ends, so that nothing is lost in leaving.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rove_msgs.msg import JointCommand, JointTarget, OperatorFrame
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove_core.robot import load_robot

JOINT_HZ = 500.0
CAMERA_HZ = 30.0
PICTURE_BYTES = 50_000
PICTURES = 64
"""Different ones: three times what a chunk holds, so that compression finds no repetition."""


def joint_messages(size: int, names: list[str]) -> dict[str, tuple[list[Any], Any]]:
    """Return topic -> (messages in turn, QoS) of the four topics with joints."""
    row = array("d", [0.1] * size)
    command = JointCommand(position=row, policy_wanted=row, human_wanted=row, epoch=1)
    frame = OperatorFrame(device_joints=row, left_hand=[0.1] * 75, right_hand=[0.1] * 75)
    return {
        topics.JOINT_STATES: ([JointState(name=names, position=row, velocity=row)], qos.STREAM),
        topics.JOINT_COMMAND: ([command], qos.COMMAND),
        topics.TELEOP_TARGET: ([JointTarget(position=row, valid=True)], qos.STREAM),
        topics.OPERATOR_FRAME: ([frame], qos.STREAM),
    }


def camera_messages(names: list[str]) -> dict[str, tuple[list[Any], Any]]:
    """Return topic -> (messages in turn, QoS) of the cameras; pictures do not compress."""
    random = np.random.default_rng(1)
    pictures = [
        CompressedImage(format="jpeg", data=array("B", random.bytes(PICTURE_BYTES)))
        for _ in range(PICTURES)
    ]
    third = PICTURES // 3
    return {
        topics.camera(name): (pictures[i * third :] + pictures[: i * third], qos.STREAM)
        for i, name in enumerate(names)
    }


def publish(
    publishers: list[tuple[Any, list[Any]]],
    hertz: float,
    seconds: float,
    now: Callable[[], Any],
) -> int:
    """Publish a message of each once a period; return how many periods. Late ones catch up."""
    total, period = round(hertz * seconds), 1.0 / hertz
    begin = time.monotonic()
    for number in range(total):
        wait = begin + number * period - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        stamp = now()
        for publisher, messages in publishers:
            message = messages[number % len(messages)]
            message.header.stamp = stamp
            publisher.publish(message)
    return total


def main() -> None:
    """Publish joints or pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["joints", "cameras"])
    parser.add_argument("--robot", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--hertz", type=float, default=0.0)
    given = parser.parse_args()
    spec = load_robot(given.robot)
    if given.kind == "joints":
        wanted, hertz = joint_messages(spec.size, list(spec.joint_names)), JOINT_HZ
    else:
        wanted, hertz = camera_messages(list(spec.cameras)), CAMERA_HZ
    rclpy.init()
    node = Node(f"load_{given.kind}", namespace=given.namespace)
    publishers = [
        (node.create_publisher(type(messages[0]), topic, profile), messages)
        for topic, (messages, profile) in wanted.items()
    ]
    while not all(publisher.get_subscription_count() for publisher, _ in publishers):
        time.sleep(0.02)
    print("ready", flush=True)
    sys.stdin.readline()
    clock = node.get_clock()
    begin = time.monotonic()
    count = publish(publishers, given.hertz or hertz, given.seconds, lambda: clock.now().to_msg())
    took = time.monotonic() - begin
    print(json.dumps({"published": dict.fromkeys(wanted, count), "seconds": took}), flush=True)
    sys.stdin.readline()
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
