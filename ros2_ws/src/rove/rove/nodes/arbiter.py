"""Arbiter node: the only publisher of ``joint_command``. Feeds the arbiter at 200 Hz."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rove_msgs import msg, srv
from sensor_msgs.msg import JointState

from rove import qos, topics
from rove.convert import (
    JointOrder,
    chunk_contract,
    command_message,
    command_stamps,
    handover_message,
    operator_sample,
    target_sample,
    to_ns,
    to_stamp,
)
from rove.latency import NodeLedger
from rove.parameters import parameter
from rove.polled import Polled
from rove.raw_intake import IntakeNode
from rove.spin import STEADY, run
from rove_core.errors import RoveError
from rove_core.latency.commands import CommandLedger
from rove_core.latency.legs import OPERATOR_LEGS
from rove_core.robot import load_robot
from rove_core.vocabulary import EpisodeKind, Outcome
from rove_teleop.arbiter import inputs as ask
from rove_teleop.arbiter.arbiter import Arbiter, Tick
from rove_teleop.arbiter.decision import Answer, EpisodeNews
from rove_teleop.arbiter.desk import ArbiterDesk
from rove_teleop.arbiter.heartbeat import HeartbeatAnswer, heartbeats
from rove_teleop.arbiter.pace import ClockPace
from rove_teleop.arbiter.timeouts import Timeouts


class ArbiterNode(IntakeNode):
    """Collects what arrives, ticks the arbiter, publishes what it decides."""

    def __init__(self) -> None:
        super().__init__("arbiter")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        rate = parameter(self, "rate", 200.0, "ticks, Hz of wall time", (20.0, 1000.0))
        text = "see rove_teleop/arbiter/timeouts.py"
        defaults = Timeouts()
        timeouts = Timeouts(
            **{
                item.name: parameter(
                    self, f"timeouts.{item.name}", getattr(defaults, item.name), text
                )
                for item in fields(Timeouts)
            }
        )
        # Wall time in ms: a restarted arbiter has a newer epoch, which robots obey.
        self._epoch = time.time_ns() // 1_000_000
        names = parameter(self, "heartbeats", "", "who must answer challenges: names with commas")
        guards = heartbeats([name.strip() for name in names.split(",") if name.strip()],
                            secrets.token_bytes(16))  # fmt: skip
        text = "keep every command apart from the robot itself and inside its workspace"
        room = None
        if parameter(self, "keep_room", True, text):
            from rove_teleop.arbiter.room import Room  # two seconds of imports

            room = Room(self._spec)
        arbiter = Arbiter(self._spec, self._epoch, timeouts, room=room, heartbeats=guards)
        self._desk = ArbiterDesk(arbiter)
        slowest = parameter(
            self,
            "slowest_clock",
            0.0,
            "robot over wall time below which takeover is refused; 0: never",
            (0.0, 1.0),
        )
        self._pace = ClockPace(slowest)
        self._order = JointOrder(self._spec)
        self._challenge = 0
        self._ticks, self._busy_s = 0, 0.0
        self._held_back: Counter[str] = Counter()
        self._tick_now: Tick | None = None
        self._ledger = NodeLedger(self, OPERATOR_LEGS, "operator to robot")
        self._ways = CommandLedger(self._ledger.ledger)
        self._open()
        self.create_timer(1.0 / rate, self._tick, clock=STEADY)
        self.create_timer(1.0, self._report, clock=STEADY)

    def _open(self) -> None:
        self._commands = self.create_publisher(msg.JointCommand, topics.JOINT_COMMAND, qos.COMMAND)
        self._states = self.create_publisher(msg.ArbiterState, topics.ARBITER_STATE, qos.STATE)
        self._episodes = self.create_publisher(msg.EpisodeEvent, topics.EPISODE, qos.EVENT)
        self._handovers = self.create_publisher(msg.Handover, topics.HANDOVER, qos.STATE)
        self._beats = self.create_publisher(msg.Heartbeat, topics.HEARTBEAT, qos.STREAM)
        self._health = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self._polled: tuple[tuple[Polled[Any], Callable[[Any], None]], ...] = (
            (Polled(self, JointState, topics.JOINT_STATES, qos.COMMAND), self._on_joints),
            (Polled(self, msg.OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM), self._on_frame),
            (Polled(self, msg.JointTarget, topics.TELEOP_TARGET, qos.STREAM), self._on_target),
            (Polled(self, msg.ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL), self._on_chunk),
            (Polled(self, msg.HeartbeatAnswer, topics.HEARTBEAT_ANSWER, qos.STREAM), self._on_beat),
        )
        self.create_subscription(msg.PolicyStatus, topics.POLICY_STATUS, self._on_policy, qos.STATE)
        self.create_subscription(msg.RobotTimes, topics.ROBOT_TIMES, self._on_times, qos.PROPOSAL)
        for kind, name, callback in (
            (srv.Pause, topics.PAUSE, self._pause),
            (srv.ForceLease, topics.FORCE_LEASE, self._force),
            (srv.EmergencyStop, topics.EMERGENCY_STOP, self._emergency_stop),
            (srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP, self._reset),
            (srv.StartEpisode, topics.START_EPISODE, self._start),
            (srv.StopEpisode, topics.STOP_EPISODE, self._stop),
        ):
            self.create_service(kind, name, callback)

    def _on_joints(self, message: JointState) -> None:
        try:
            position = self._order.positions(message)
        except RoveError as error:
            self._desk.refused.append("joint_states do not fit")
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        self._desk.joints = ask.JointSample(position, to_ns(message.header.stamp))

    def _on_frame(self, message: msg.OperatorFrame) -> None:
        self._desk.frames.append(operator_sample(message))

    def _on_target(self, message: msg.JointTarget) -> None:
        try:
            self._desk.targets.append(target_sample(message))
        except RoveError:
            self._desk.refused.append("teleop/target does not fit")

    def _on_chunk(self, message: msg.ActionChunk) -> None:
        try:
            self._desk.chunks.append(chunk_contract(message, self._spec))
        except RoveError as error:
            self._desk.refused.append("policy/chunk does not fit")
            self.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _on_beat(self, message: msg.HeartbeatAnswer) -> None:
        self._desk.answers.append(
            HeartbeatAnswer(message.name, message.epoch, message.challenge, message.answer)
        )

    def _on_policy(self, message: msg.PolicyStatus) -> None:
        self._desk.policy(message.digest, message.approved)

    def _on_times(self, message: msg.RobotTimes) -> None:
        self._ways.applied(message.epoch, message.sequence, message.applied_ns, time.monotonic())

    def _send(self, tick: Tick, decided_ns: int, ros_ns: int) -> None:
        """Publish the command of a tick, and note the first one that follows a frame."""
        provenance = tick.provenance
        if tick.position is None or provenance is None:
            return
        message = command_message(tick.position, provenance, ros_ns)
        message.decided_ns, message.commanded_ns = decided_ns, time.time_ns()
        self._commands.publish(message)
        if provenance.operator_sequence:
            frame = (provenance.lease, provenance.operator_sequence)
            command = (provenance.epoch, provenance.sequence)
            self._ways.commanded(frame, command, command_stamps(message), time.monotonic())

    def _tick(self, requests: tuple[ask.Request, ...] = ()) -> Tick:
        began, ros_ns = time.monotonic(), self.get_clock().now().nanoseconds
        for polled, use in self._polled:
            for message in polled.take():
                use(message)
        refusal = self._pace.refusal(began, ros_ns)
        turned = self._desk.tick(ros_ns, began, requests, refusal)
        tick = turned.tick
        self._tick_now = tick
        self._send(tick, time.time_ns(), ros_ns)
        if tick.decision.challenge != self._challenge:
            self._challenge = tick.decision.challenge
            beat = msg.Heartbeat(epoch=self._epoch, challenge=self._challenge)
            beat.header.stamp = to_stamp(ros_ns)
            self._beats.publish(beat)
        for handover in tick.handovers:
            self._handovers.publish(handover_message(handover, self._spec, self._epoch, ros_ns))
        for news in tick.decision.episodes:
            self._publish_episode(news, ros_ns)
        for change in tick.decision.transitions:
            self.get_logger().info(f"{change.source.name} -> {change.target.name}: {change.reason}")
        if turned.tell:
            self._publish_state(tick, ros_ns)
        self._held_back.update(self._desk.arbiter.filter.held_back)
        self._ticks += 1
        self._busy_s += time.monotonic() - began
        return tick

    def _publish_state(self, tick: Tick, ros_ns: int) -> None:
        decision = tick.decision
        message = msg.ArbiterState(
            epoch=self._epoch,
            mode=int(decision.mode),
            previous_mode=int(decision.previous_mode),
            authority=int(decision.authority),
            stage=int(decision.stage),
            reason=decision.reason,
            question=self._desk.question(decision),
            since=to_stamp(decision.since_ns),
            transition=decision.transition,
            lease=decision.lease,
            lease_holder=decision.lease_holder,
            episode_id=decision.episode_id,
            policy_digest=decision.policy_digest,
            position_error=decision.position_error,
            orientation_error=decision.orientation_error,
        )
        message.header.stamp = to_stamp(ros_ns)
        self._states.publish(message)

    def _publish_episode(self, news: EpisodeNews, ros_ns: int) -> None:
        message = msg.EpisodeEvent(
            change=int(news.change),
            episode_id=news.episode.episode_id,
            kind=int(news.episode.kind),
            task=news.episode.task,
            instruction=news.episode.instruction,
            seed=news.episode.seed,
            outcome=int(news.outcome),
            reason=news.reason,
        )
        message.header.stamp = to_stamp(ros_ns)
        self._episodes.publish(message)

    def _ask(self, request: ask.Request, response: Any) -> Any:
        """Put a request into a tick of its own, so that the answer is known when it returns."""
        answer: Answer = self._tick((request,)).decision.answers[0]
        response.success, response.message = answer.success, answer.message
        if hasattr(response, "episode_id"):
            response.episode_id = answer.episode_id
        if hasattr(response, "lease"):
            response.lease = answer.lease
        return response

    def _pause(self, request: Any, response: Any) -> Any:
        return self._ask(ask.Pause(request.pause, request.person), response)

    def _force(self, request: Any, response: Any) -> Any:
        return self._ask(ask.ForceLease(request.operator_id, request.supervisor), response)

    def _emergency_stop(self, request: Any, response: Any) -> Any:
        return self._ask(ask.EmergencyStop(request.cause), response)

    def _reset(self, request: Any, response: Any) -> Any:
        return self._ask(ask.ResetEmergencyStop(request.person), response)

    def _start(self, request: Any, response: Any) -> Any:
        try:
            kind = EpisodeKind(request.kind)
        except ValueError:
            response.message = (
                f"kind {request.kind} given; allowed: {[int(k) for k in EpisodeKind]}"
            )
            return response
        words = (request.task, request.instruction, int(request.seed), request.person)
        return self._ask(ask.StartEpisode(kind, *words), response)

    def _stop(self, request: Any, response: Any) -> Any:
        try:
            outcome = Outcome(request.outcome)
        except ValueError:
            response.message = (
                f"outcome {request.outcome} given; allowed: {[int(o) for o in Outcome]}"
            )
            return response
        return self._ask(ask.StopEpisode(outcome, request.reason), response)

    def _report(self) -> None:
        if self._tick_now is None:
            return
        decision = self._tick_now.decision
        status = DiagnosticStatus(
            name=f"{self.get_namespace().strip('/')}: arbiter",
            level=DiagnosticStatus.OK,
            message=f"{decision.mode.name}: {decision.reason}",
        )
        busy_us = 1e6 * self._busy_s / max(self._ticks, 1)
        values: dict[str, object] = {"ticks per s": self._ticks, "tick us": round(busy_us)}
        values |= {f"refused: {why}": count for why, count in decision.rejected.items()}
        values |= {f"held back, ticks: {why}": n for why, n in self._held_back.items()}
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        self._ticks, self._busy_s = 0, 0.0
        message = DiagnosticArray(status=[status, self._ledger.status()])
        message.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(message)


def main() -> int:
    """Start the arbiter."""
    return run(ArbiterNode)
