"""The arbiter's 200 Hz loop as a real process: CPU and jitter."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from rove_core.action import ActionChunk
from rove_core.robot import load_robot
from tests.bench.result import Result
from tests.domains import claim_domain

ROUNDS, SECONDS = 3, 4.0
JOINT_STATES_HZ = 500
DOMAIN = str(claim_domain())


def _publish() -> None:
    """A robot of 43 joints at 500 Hz and a policy of 5 Hz, in a process of their own."""
    import rclpy
    from rove_msgs.msg import ActionChunk as ActionChunkMsg
    from sensor_msgs.msg import JointState

    from rove import qos, topics
    from rove.convert import chunk_message, joint_state_message

    spec = load_robot("g1_dex3")
    rclpy.init()
    node = rclpy.create_node("robot", namespace="/bench")
    joints = node.create_publisher(JointState, topics.JOINT_STATES, qos.STREAM)
    chunks = node.create_publisher(ActionChunkMsg, topics.POLICY_CHUNK, qos.PROPOSAL)
    home, due, count = np.array(spec.home), time.monotonic(), 0
    while True:
        now_ns = node.get_clock().now().nanoseconds
        joints.publish(joint_state_message(spec, home, 0 * home, now_ns))
        if count % (JOINT_STATES_HZ // 5) == 0:
            rows = np.tile(home + 0.1 * np.sin(0.01 * count), (16, 1))
            row_ns = 50_000_000
            chunk = ActionChunk(now_ns, now_ns + row_ns, row_ns, rows, "digest", count + 1)
            chunks.publish(chunk_message(chunk, True, 1.0))
        count += 1
        due += 1.0 / JOINT_STATES_HZ
        time.sleep(max(0.0, due - time.monotonic()))


def _measure(kind: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.arbiter_process", kind, str(SECONDS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def bench_executor() -> Iterator[Result]:
    """The same node under EventsExecutor and under rclpy's plain one, in turns."""
    os.environ |= {"ROS_DOMAIN_ID": DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    feeder = subprocess.Popen([sys.executable, "-m", "tests.bench.bench_loop"])
    found: dict[str, list[dict[str, float]]] = {"events": [], "single": []}
    try:
        for _ in range(ROUNDS):  # in turns, so that a busy machine meets both
            for kind, runs in found.items():
                runs.append(_measure(kind))
    finally:
        feeder.kill()  # it has nothing to tidy up, and rclpy would complain of the way it ends
        feeder.wait()

    def middle(kind: str, what: str) -> float:
        return statistics.median(run[what] for run in found[kind])

    # On a busy machine the plain one may be too late for its own watchdogs, and hold.
    if any(run["heard"] < 50 for runs in found.values() for run in runs):
        raise RuntimeError(f"an arbiter did not hear the robot: {found}")
    # Of one tick: where the machine is busy the plain executor leaves ticks out.
    ours, plain = middle("events", "tick_ms"), middle("single", "tick_ms")
    yield Result("arbiter_loop_cpu_of_a_tick", ours, "ms", plain, 0.5 * plain)
    for what in ("p50_ms", "p99_ms"):
        ours, plain = middle("events", what), middle("single", what)
        yield Result(f"arbiter_loop_wakeup_{what[:3]}", ours, "ms", plain, math.inf)


if __name__ == "__main__":
    _publish()
