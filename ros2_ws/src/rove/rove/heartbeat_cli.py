"""``rove heartbeat``: a person's program that must run for the robot to move.

It answers the arbiter's challenges. Ending it, or its terminal, stops the robot; so does Enter.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import Annotated

import tyro
from rclpy.node import Node
from rove_msgs.msg import ArbiterState, Heartbeat, HeartbeatAnswer
from rove_msgs.srv import EmergencyStop

from rove import qos, topics
from rove.spin import STEADY, run
from rove_core.vocabulary import Mode
from rove_teleop.arbiter.heartbeat import answer_to


@dataclass(frozen=True)
class HeartbeatArgs:
    """Guard the robot: answer its arbiter's heartbeat until Ctrl-C. Enter stops the robot at once.

    Attributes:
        name: which of the arbiter's mandatory heartbeats this is (argument heartbeats of rove up).
        namespace: of the robot.
    """

    name: Annotated[str, tyro.conf.Positional] = "supervisor"
    namespace: str = "g1_dex3"


class Guard(Node):
    """Answers challenges and says what the robot does."""

    def __init__(self, name: str) -> None:
        super().__init__(f"heartbeat_{name}")
        self._name = name
        self._mode, self._answered, self._quiet = "", 0, False
        self._answers = self.create_publisher(HeartbeatAnswer, topics.HEARTBEAT_ANSWER, qos.STREAM)
        self.create_subscription(Heartbeat, topics.HEARTBEAT, self._on_beat, qos.STREAM)
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._on_state, qos.STATE)
        self._stop = self.create_client(EmergencyStop, topics.EMERGENCY_STOP)
        self._pressed = threading.Event()
        self.create_timer(0.02, self._look, clock=STEADY)
        self.create_timer(2.0, self._report, clock=STEADY)
        threading.Thread(target=self._read, daemon=True).start()
        print(
            f"guards {self.get_namespace()} as {name!r}: Enter stops it, so does Ctrl-C", flush=True
        )

    def _on_beat(self, message: Heartbeat) -> None:
        answer = HeartbeatAnswer(
            name=self._name,
            epoch=message.epoch,
            challenge=message.challenge,
            answer=answer_to(self._name, message.epoch, message.challenge),
        )
        answer.header.stamp = self.get_clock().now().to_msg()
        self._answers.publish(answer)
        self._answered += 1

    def _on_state(self, message: ArbiterState) -> None:
        mode = f"{Mode(message.mode).name}: {message.reason}"
        if mode != self._mode:
            self._mode = mode
            print(mode, flush=True)

    def _read(self) -> None:
        for _ in sys.stdin:
            self._pressed.set()

    def _look(self) -> None:
        if self._pressed.is_set() and self._stop.service_is_ready():
            self._pressed.clear()
            self._stop.call_async(EmergencyStop.Request(cause=f"{self._name} pressed Enter"))

    def _report(self) -> None:
        quiet = self._answered == 0
        if quiet and not self._quiet:
            print(
                "no challenge is heard: is the arbiter there, and asks for this name?", flush=True
            )
        self._answered, self._quiet = 0, quiet


def main(words: list[str]) -> int:
    """Answer until somebody ends it."""
    given = tyro.cli(HeartbeatArgs, args=words, prog="rove heartbeat")
    space = f"__ns:=/{given.namespace.strip('/')}"
    return run(lambda: Guard(given.name), ["--ros-args", "-r", space])
