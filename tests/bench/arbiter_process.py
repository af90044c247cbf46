"""The real arbiter node under one executor, measured from inside its process.

`python -m tests.bench.arbiter_process events|single SECONDS` prints one JSON line when it is done:
CPU of the whole process over wall time, and how far each wake-up of the 200 Hz timer lay from the
one before it plus the period.
"""

from __future__ import annotations

import json
import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from rclpy.task import Future
from rove_msgs import msg
from sensor_msgs.msg import JointState

from rove import qos, topics
from rove.nodes.arbiter import ArbiterNode
from rove_core.vocabulary import EpisodeKind
from rove_teleop.arbiter.arbiter import Tick
from rove_teleop.arbiter.inputs import StartEpisode
from tests.bench.result import percentile

PERIOD_S = 0.005
SETTLE_S = 1.0


class TimedArbiter(ArbiterNode):
    """The arbiter node that notes when each tick began.

    Args:
        plain: hears its topics by the executor's callbacks, as rclpy's examples do.
    """

    def __init__(self, plain: bool) -> None:
        self.woken: list[float] = []
        self.heard = 0
        super().__init__()
        if plain:
            for kind, topic, use, profile in (
                (JointState, topics.JOINT_STATES, self._on_joints, qos.COMMAND),
                (msg.OperatorFrame, topics.OPERATOR_FRAME, self._on_frame, qos.STREAM),
                (msg.JointTarget, topics.TELEOP_TARGET, self._on_target, qos.STREAM),
                (msg.ActionChunk, topics.POLICY_CHUNK, self._on_chunk, qos.PROPOSAL),
            ):
                self.create_subscription(kind, topic, use, profile)
            self._polled = ()

    def _on_joints(self, message: JointState) -> None:
        self.heard += 1
        super()._on_joints(message)

    def _tick(self, *requests: object) -> Tick:
        self.woken.append(time.monotonic())
        return super()._tick(*requests)


def main(kind: str, seconds: float) -> None:
    """Spin and print."""
    rclpy.init(args=["--ros-args", "-r", "__ns:=/bench"])
    node = TimedArbiter(kind == "single")
    executor = EventsExecutor() if kind == "events" else SingleThreadedExecutor()
    executor.add_node(node)

    def spin(span: float) -> None:
        over = time.monotonic() + span
        while time.monotonic() < over:
            # EventsExecutor hangs for good without a timeout; both get the same loop.
            executor.spin_until_future_complete(Future(), timeout_sec=min(0.25, span))

    spin(SETTLE_S)
    node._tick((StartEpisode(EpisodeKind.ROLLOUT, "erase", "erase the left stroke", 1, "bench"),))
    spin(SETTLE_S)
    node.heard = 0
    node.woken.clear()
    cpu, wall = time.process_time(), time.monotonic()
    spin(seconds)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    gaps = [b - a - PERIOD_S for a, b in zip(node.woken, node.woken[1:], strict=False)]
    off = [abs(gap) * 1e3 for gap in gaps]
    decision = node._tick_now.decision if node._tick_now is not None else None
    print(
        json.dumps(
            {
                "tick_ms": 1e3 * cpu / len(node.woken),
                "cores": cpu / wall,
                "ticks": len(node.woken) / wall,
                "heard": node.heard / wall,
                "p50_ms": percentile(off, 50),
                "p99_ms": percentile(off, 99),
                "mode": decision.mode.name if decision is not None else "",
            }
        ),
        flush=True,
    )
    executor.remove_node(node)
    node.destroy_node()
    executor.shutdown()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
