"""The real graph under test: its processes by the supervisor, and a probe that listens to it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future
from rove_msgs import msg, srv
from sensor_msgs.msg import JointState

from rove import qos, topics
from rove.convert import to_ns
from rove.graph import GraphArguments, build_graph, check_arguments
from rove.supervise import Supervisor
from rove.up import graph_environment
from rove_core.vocabulary import EpisodeChange, EpisodeKind, Mode, Outcome
from tests.domains import claim_domain

NAMESPACE = "g1_dex3"
PATIENCE_S = 60.0
"""How long a thing that must happen may take on a machine that is busy with other things."""

LOOK_S = 0.5
"""After which a waiting probe looks whether to end at all."""
ANSWER_S = 3.0
"""An answer that takes longer was asked of a dead server."""

PATIENT = {
    "slowest_clock": 0.0,
    "timeouts.proof_rate": 4.0,
    "timeouts.operator_frame": 1.0,
    "timeouts.human_target": 1.0,
    "timeouts.joint_states": 1.0,
    "timeouts.tick_gap": 1.0,
    "timeouts.chunk": 2.0,
    "timeouts.policy_silence": 5.0,
}
"""Limits of the arbiter beside a browser: without a graphics card that takes the cores from the
graph. What the arbiter says of slow machines is tested elsewhere."""


END_AT_ONCE: list[int] = []
"""Exit status, once this process was told to end: see `ask_to_end`."""


def ask_to_end(number: int, _frame: object) -> None:
    """Take a signal that ends this process, at the next look of a probe.

    A handler that raises does so wherever the main thread is, within a callback of C as well,
    where the exception is lost.
    """
    END_AT_ONCE.append(128 + number)
    os.write(sys.stdout.fileno(), b"told to end\n")


def free_port() -> int:
    """Return a TCP port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Probe:
    """Listens to the graph from this process; waiting is on events, never on sleeping."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("probe", context=self._context, namespace=f"/{NAMESPACE}")
        self._news = threading.Condition()
        self.states: list[tuple[float, msg.ArbiterState]] = []
        self.health: dict[str, list[tuple[float, str, dict[str, str]]]] = {}
        self.joints: JointState | None = None
        self.commands: list[msg.JointCommand] = []
        self.chunk: msg.ActionChunk | None = None
        self.task: msg.TaskStatus | None = None
        self.policy: msg.PolicyStatus | None = None
        self.frame: msg.OperatorFrame | None = None
        self.target: msg.JointTarget | None = None
        self.ended: msg.EpisodeEvent | None = None  # the last episode that did
        self.subscribe(msg.ArbiterState, topics.ARBITER_STATE, qos.STATE, self._on_state)
        self.subscribe(msg.EpisodeEvent, topics.EPISODE, qos.EVENT, self._on_episode)
        self.subscribe(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT, self._on_health)
        # As a console has it, from the start: both ends of a new client do not know each other at
        # once, and a request that comes too early is sent again after 0.1 s.
        self.emergency_stop = self.node.create_client(srv.EmergencyStop, topics.EMERGENCY_STOP)
        command = qos.recording(qos.COMMAND)
        self.subscribe(msg.JointCommand, topics.JOINT_COMMAND, command, self.commands.append)
        keep = (
            (JointState, topics.JOINT_STATES, qos.COMMAND, "joints"),
            (msg.ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL, "chunk"),
            (msg.TaskStatus, topics.LAB_TASK, qos.STATE, "task"),
            (msg.PolicyStatus, topics.POLICY_STATUS, qos.STATE, "policy"),
            (msg.OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM, "frame"),
            (msg.JointTarget, topics.TELEOP_TARGET, qos.STREAM, "target"),
        )
        for kind, topic, profile, name in keep:
            self.subscribe(kind, topic, profile, lambda m, name=name: setattr(self, name, m))
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def subscribe(self, kind: Any, topic: str, profile: Any, take: Callable[[Any], None]) -> Any:
        """Let ``take`` have every message of a topic; return the subscription."""

        def callback(message: Any) -> None:
            with self._news:
                take(message)
                self._news.notify_all()

        return self.node.create_subscription(kind, topic, callback, profile)

    def _on_state(self, message: msg.ArbiterState) -> None:
        self.states.append((time.monotonic(), message))

    def _on_episode(self, message: msg.EpisodeEvent) -> None:
        self.ended = message if message.change == EpisodeChange.STOPPED else None

    def _on_health(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            name = status.name.split(": ")[-1]
            self.health.setdefault(name, []).append((time.monotonic(), status.message, values))

    def _spin(self) -> None:
        never: Future = Future()
        while not self._over.is_set():
            self._executor.spin_until_future_complete(never, timeout_sec=0.2)

    @property
    def command(self) -> msg.JointCommand | None:
        """The newest command."""
        return self.commands[-1] if self.commands else None

    @property
    def state(self) -> msg.ArbiterState | None:
        """The newest state of the arbiter."""
        return self.states[-1][1] if self.states else None

    def hears(self, condition: Callable[[], Any], seconds: float) -> Any:
        """Wait until a condition on what was heard holds, or the time is over; return its value.

        Raises:
            SystemExit: this process was told to end.
        """
        deadline, left = time.monotonic() + seconds, seconds
        with self._news:
            while not (found := self._news.wait_for(condition, min(left, LOOK_S))) and left > 0.0:
                if END_AT_ONCE:
                    break
                left = max(0.0, deadline - time.monotonic())
        if END_AT_ONCE:
            raise SystemExit(END_AT_ONCE[0])
        return found

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until a condition on what was heard holds; return its value.

        Raises:
            AssertionError: it did not come to hold in time.
        """
        found = self.hears(condition, seconds)
        state = self.state
        seen = f"{Mode(state.mode).name} ({state.reason})" if state is not None else "nothing"
        assert found, f"waited {seconds:.0f} s in vain for: {what}; the arbiter says {seen}"
        return found

    def wait_mode(self, mode: Mode, since: float = 0.0) -> tuple[float, msg.ArbiterState]:
        """Wait for a state of that mode heard after ``since`` (monotonic s); return it."""
        return self.wait(  # type: ignore[no-any-return]
            f"mode {mode.name}",
            lambda: next((s for s in self.states if s[0] >= since and s[1].mode == mode), None),
        )

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Call a service and return its answer.

        Asked again after a while: the server of a node that was killed is still listed until its
        lease ends, and a request to it is lost.
        """
        client = self.node.create_client(kind, name)
        deadline = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < deadline:
                assert client.wait_for_service(PATIENCE_S), f"no service {name}"
                future = client.call_async(request)
                done = threading.Event()
                future.add_done_callback(lambda _, done=done: done.set())
                if done.wait(ANSWER_S):
                    return future.result()
            raise AssertionError(f"{name} did not answer within {PATIENCE_S:.0f} s")
        finally:
            self.node.destroy_client(client)

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        self._thread.join()
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._executor.shutdown()
        rclpy.shutdown(context=self._context)


class RunningGraph:
    """The graph of ``rove up`` with its own domain, keys, port and folder of bags.

    Args:
        folder: of all that it writes.
        elsewhere: node -> words before its command, that start it on another "machine".
        environment: of all processes, besides that of ``rove up``.
        limits: parameters of the arbiter that replace those of ``rove up``.
        arguments: of the graph.
    """

    def __init__(
        self,
        folder: Path,
        elsewhere: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
        limits: Mapping[str, float] = MappingProxyType({}),
        **arguments: Any,
    ) -> None:
        self.domain = domain = claim_domain()
        reach = "SUBNET" if elsewhere else "LOCALHOST"
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = reach  # before the probe joins
        port = free_port()
        arguments.setdefault("fetch", "none")
        self.bags, self.keys = folder / "bags", folder / "keys"
        self.given = check_arguments(
            GraphArguments(
                bags=str(self.bags),
                store=str(folder / "policies"),
                bridge=f"tcp://127.0.0.1:{port}",
                delivery=f"tcp://127.0.0.1:{free_port()}",
                **arguments,
            )
        )
        own = {"ROS_DOMAIN_ID": str(domain), "ROVE_KEYS": str(self.keys), **environment}
        self.environment = graph_environment(os.environ) | own
        self.lines: list[str] = []
        self.clock_offset = 0.0  # s, see rove_sim/nodes/trouble.py
        nodes = [
            replace(node, parameters={**node.parameters, **limits})
            if node.name == "arbiter"
            else node
            for node in build_graph(self.given, NAMESPACE)
        ]
        self.supervisor = Supervisor(
            nodes, folder / "parameters", self.environment, self._say, before=elsewhere
        )
        self.probe = Probe(domain)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self.supervisor.start()
        self._thread.start()

    def _say(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")

    def _look_after(self) -> None:
        while not self._over.wait(0.05):
            self.supervisor.poll()

    def signal(self, node: str, number: signal.Signals) -> float:
        """Send a signal to a node's process; return when (monotonic s)."""
        pid = self.supervisor.pid(node)
        assert pid is not None, f"{node} does not run: {self.lines[-20:]}"
        sent = time.monotonic()
        os.kill(pid, number)
        return sent

    def leave_hold(self) -> None:
        """Resume as a person would: again until the cause is gone."""
        probe, said = self.probe, ""
        request = srv.Pause.Request(pause=False, person="test")
        deadline = time.monotonic() + PATIENCE_S
        while probe.state.mode == Mode.HOLD:  # type: ignore[union-attr]
            assert time.monotonic() < deadline, f"cannot resume: {said}"
            said = probe.call(srv.Pause, topics.PAUSE, request).message
            probe.hears(lambda: probe.state.mode != Mode.HOLD, 0.5)  # type: ignore[union-attr]

    def describe(self) -> str:
        """Say how the graph fares, for the message of a test that waits in vain."""
        probe, chunk, policy = self.probe, self.probe.chunk, self.probe.policy
        state = probe.state
        seen = f"{Mode(state.mode).name} ({state.reason})" if state is not None else "nothing"
        told = {name: said[-1][1:] for name, said in probe.health.items()}
        parts = [
            f"arbiter: {seen}",
            f"graph failed: {self.supervisor.failed}",
            f"chunk: {'none' if chunk is None else (chunk.chunk_id, to_ns(chunk.start))}",
            f"joints: {'none' if probe.joints is None else to_ns(probe.joints.header.stamp)}",
            f"policy: {policy}",
            f"clocks: {probe.node.count_publishers('/clock')}",  # 2: another graph meddles
            *(f"health of {name}: {said}" for name, said in told.items()),
            *self.lines[-30:],
        ]
        return "\n".join(parts)

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        """Wait as ``Probe.wait``, and resume meanwhile whenever the robot holds.

        A machine that stands still for a quarter of a second sends the arbiter into HOLD, and only
        a person leads out of it.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not (found := self.probe.hears(condition, 0.5)):
            if time.monotonic() > deadline:
                return self.probe.wait(what, condition, 0.0)
            if self.probe.state is not None and self.probe.state.mode == Mode.HOLD:
                self.leave_hold()
        return found

    def start_episode(self, instruction: str = "erase the red stroke", seed: int = 1) -> str:
        """Lay out a scene and start a rollout, as the lab does; return the episode's id."""
        probe = self.probe
        reset = srv.ResetScene.Request(instruction=instruction, seed=seed)
        assert probe.call(srv.ResetScene, topics.RESET_SCENE, reset).success
        # The start takes the command to the measured joints; it must know those after the reset.
        old = probe.joints
        probe.wait("joints after the reset", lambda: probe.joints is not old)
        old = probe.joints
        probe.wait("joints that the arbiter has seen", lambda: probe.joints is not old)
        request = srv.StartEpisode.Request(
            kind=int(EpisodeKind.ROLLOUT), task="erase_whiteboard", instruction=instruction,
            seed=seed, person="test",
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while True:
            while probe.wait("a mode", lambda: probe.state).mode != Mode.IDLE:
                self.leave_hold()
            answer = probe.call(srv.StartEpisode, topics.START_EPISODE, request)
            if answer.success:
                return str(answer.episode_id)
            if answer.message.endswith("runs; stop it first"):  # asked twice, answered once
                stop = srv.StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="asked twice")
                probe.call(srv.StopEpisode, topics.STOP_EPISODE, stop)
            # It may hold again between the look and the call.
            elif "IDLE" not in answer.message:
                raise AssertionError(answer.message)
            assert time.monotonic() < deadline, answer.message

    def close(self) -> None:
        """End every process."""
        self._over.set()
        self._thread.join()
        self.supervisor.stop()
        self.probe.close()
