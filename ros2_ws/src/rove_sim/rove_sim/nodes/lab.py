"""The simulated lab's person: lays out scenes, starts episodes, judges them, clears faults."""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import Any

from rclpy.node import Node
from rclpy.task import Future
from rove_msgs.msg import ArbiterState, TaskStatus
from rove_msgs.srv import Pause, ResetScene, StartEpisode, StopEpisode

from rove import qos, topics
from rove.convert import to_ns
from rove.parameters import parameter
from rove.spin import STEADY, run
from rove_core.action import NS
from rove_core.vocabulary import EpisodeKind, Mode, Outcome
from rove_sim.judge import SETTLE_S, Judge
from rove_sim.labels import LabelNoise, label_chance

PERSON = "simulated lab"
RECORDER_S = 1.0
"""Wall time after an episode in which its bag is closed."""
OPERATOR_S = 15.0
"""A first start compiles for long; without an operator by then the policy goes on alone."""
ANSWER_S = 2.0
"""A service that has not answered for this long died; the next one is asked."""
CLEAR_FAULT_S = 2.0
"""A fault that lasts longer than this is looked at: the person resumes."""


class _Step(Enum):
    RESET = auto()
    SETTLE = auto()
    START = auto()
    RUN = auto()
    STOP = auto()
    COOL = auto()


class LabNode(Node):
    """Runs a number of episodes, one after the other, and then ends."""

    def __init__(self) -> None:
        super().__init__("lab")
        parameter(self, "robot", "g1_dex3", "robot profile")
        self._task = parameter(self, "task", "erase_whiteboard", "task")
        self._wish = parameter(self, "instruction", "", "what to do; empty: drawn from the seed")
        self._episodes = parameter(self, "episodes", 0, "episodes to run, 0: endless", (0, 10**6))
        self._seed = parameter(self, "seed", 1, "seed of the first scene", (0, 2**31))
        self._longest_s = parameter(
            self, "longest", 40.0, "longest episode, s of robot time", (1.0, 3600.0)
        )
        wrong = parameter(
            self, "wrong_labels", 0.0, "share of outcomes labelled the other way round", (0.0, 1.0)
        )
        self._labels = LabelNoise(outcome_rate=wrong)
        text = "start the first episode when an operator holds the lease"
        self._await_operator = parameter(self, "await_operator", False, text)
        self.finished, self.exit_status = False, 0
        self._done = 0
        self._state = ArbiterState(mode=int(Mode.HOLD))
        self._seen: TaskStatus | None = None
        self._calls: dict[Any, tuple[Future, float]] = {}
        self._instruction = ""
        self._epoch = 0
        self._started_ns = 0
        self._outcome, self._why = Outcome.UNKNOWN, ""
        self._judge = self._new_judge()
        self._fault_since: float | None = None
        self._go(_Step.RESET)
        self._reset = self.create_client(ResetScene, topics.RESET_SCENE)
        self._start = self.create_client(StartEpisode, topics.START_EPISODE)
        self._stop = self.create_client(StopEpisode, topics.STOP_EPISODE)
        self._pause = self.create_client(Pause, topics.PAUSE)
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._on_state, qos.STATE)
        self.create_subscription(TaskStatus, topics.LAB_TASK, self._on_task, qos.STATE)
        self.create_timer(0.05, self._tick, clock=STEADY)

    def _new_judge(self) -> Judge:
        return Judge(EpisodeKind.ROLLOUT, self._longest_s)

    def _on_state(self, message: ArbiterState) -> None:
        self._state = message

    def _on_task(self, message: TaskStatus) -> None:
        self._seen = message

    def _go(self, step: _Step) -> None:
        self._step, self._since = step, time.monotonic()
        self._calls.clear()

    def _in_step(self) -> float:
        return time.monotonic() - self._since

    def _ask(self, client: Any, request: Any) -> Any | None:
        """Call a service once in this step; return its answer when it has come."""
        if client not in self._calls:
            if client.service_is_ready():
                self._calls[client] = (client.call_async(request), time.monotonic())
            return None
        call, asked = self._calls[client]
        if not call.done():
            if time.monotonic() - asked > ANSWER_S:
                del self._calls[client]
            return None
        del self._calls[client]
        return call.result()

    def _tick(self) -> None:
        if self._step is not _Step.COOL and self._clear_fault():
            return
        getattr(self, f"_{self._step.name.lower()}_step")()

    def _clear_fault(self) -> bool:
        """Resume after a fault, as the person beside the robot would; tell whether one is open."""
        if self._state.mode != Mode.HOLD:
            self._fault_since = None
            return False
        if self._state.transition == 0:
            return True  # it is still starting, which is no fault
        now = time.monotonic()
        if self._fault_since is None:
            self._fault_since = now
        if now - self._fault_since > CLEAR_FAULT_S:
            self.get_logger().warning(f"the arbiter holds ({self._state.reason}); resuming")
            answer = self._ask(self._pause, Pause.Request(pause=False, person=PERSON))
            if answer is not None:
                self._fault_since = now
                if not answer.success:
                    self.get_logger().warning(f"cannot resume: {answer.message}")
        return True

    def _reset_step(self) -> None:
        request = ResetScene.Request(
            task=self._task, instruction=self._wish, seed=self._seed + self._done
        )
        answer = self._ask(self._reset, request)
        if answer is None:
            return
        if not answer.success:
            self.get_logger().error(f"scene: {answer.message}")
            self.finished, self.exit_status = True, 2
            return
        self._instruction = answer.instruction
        self._go(_Step.SETTLE)

    def _settle_step(self) -> None:
        if self._state.episode_id:
            request = StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="left over")
            self._ask(self._stop, request)
        elif (
            self._in_step() > SETTLE_S and self._state.mode == Mode.IDLE and self._operator_there()
        ):
            self._go(_Step.START)

    def _operator_there(self) -> bool:
        """Whether somebody could take over, or has not come for long."""
        late = self._in_step() > OPERATOR_S
        return bool(not self._await_operator or self._done or self._state.lease_holder or late)

    def _start_step(self) -> None:
        request = StartEpisode.Request(
            kind=int(EpisodeKind.ROLLOUT),
            task=self._task,
            instruction=self._instruction,
            seed=self._seed + self._done,
            person=PERSON,
        )
        answer = self._ask(self._start, request)
        if answer is None:
            return
        if not answer.success:
            self.get_logger().warning(f"cannot start: {answer.message}")
            self._go(_Step.SETTLE)
            return
        self._epoch, self._judge = self._state.epoch, self._new_judge()
        self._started_ns = self.get_clock().now().nanoseconds
        total = str(self._episodes) if self._episodes else "endless"
        self.get_logger().info(
            f"episode {self._done + 1} of {total}: {self._instruction!r} ({answer.episode_id})"
        )
        self._go(_Step.RUN)

    def _run_step(self) -> None:
        if self._state.epoch != self._epoch:
            self._end(Outcome.ABORTED, "the arbiter restarted")
        elif self._seen is None or self._in_step() < SETTLE_S:
            return
        elif self._seen.seed != self._seed + self._done:
            self._end(Outcome.ABORTED, "the simulator restarted")
        elif self._state.mode == Mode.ESTOP:
            self._end(Outcome.ABORTED, "emergency stop")
        elif not self._state.episode_id:
            self.get_logger().warning("somebody else ended the episode")
            self._go(_Step.COOL)
        else:
            passed_s = (to_ns(self._seen.header.stamp) - self._started_ns) / NS
            outcome, mode = Outcome(self._seen.outcome), Mode(self._state.mode)
            verdict = self._judge.look(passed_s, time.monotonic(), outcome, mode)
            if verdict is not None:
                truth, why = verdict
                self._end(self._labels.outcome(truth, label_chance(self._seed + self._done)), why)

    def _end(self, outcome: Outcome, why: str) -> None:
        self._outcome, self._why = outcome, why
        self._go(_Step.STOP)

    def _stop_step(self) -> None:
        request = StopEpisode.Request(outcome=int(self._outcome), reason=self._why)
        answer = self._ask(self._stop, request)
        if answer is None:
            return
        progress = self._seen.progress if self._seen is not None else 0.0
        self.get_logger().info(
            f"episode {self._done + 1}: {self._outcome.name.lower()} ({self._why}), "
            f"progress {progress:.0%}"
        )
        self._done += 1
        self._go(_Step.COOL)

    def _cool_step(self) -> None:
        if self._in_step() < RECORDER_S:
            return
        if self._episodes and self._done >= self._episodes:
            self.finished = True
        else:
            self._go(_Step.RESET)


def main() -> int:
    """Start the simulated lab."""
    return run(LabNode)
