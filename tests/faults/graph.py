"""The graph campaign: faults against real processes that talk over DDS, while the policy drives.

Every fault ends in a verdict. A robot that had to hold is timed by robot time where both ends of
the time are stamped, else by the monotonic clock of this process; how late this process itself
was scheduled meanwhile is measured beside it and allowed for, with three ticks.
"""

from __future__ import annotations

import math
import re
import signal
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from rove_msgs import msg, srv
from sensor_msgs.msg import JointState

from graph_harness import NAMESPACE, PATIENCE_S, RunningGraph
from rove import qos, topics
from rove.convert import to_ns
from rove.graph import SIMULATION_TIMEOUTS
from rove_core.vocabulary import Authority, Mode, Outcome

TICK_S = 0.005
ROBOT_S = 0.05
"""Robot time after its last command at which a robot holds by itself."""
FOREIGN = 10**9
"""Chunks and frames of the campaign are numbered from here."""
PUBLISHED = 60
"""How often a bad message is published, 5 ms apart."""


@dataclass(frozen=True)
class Verdict:
    """How one fault went; ``hold_s`` is NaN where the robot had to go on."""

    seed: int
    fault: str
    timeout_s: float
    hold_s: float
    scheduling_s: float
    broken: str

    @property
    def in_time(self) -> bool:
        """Whether it held within the timeout, three ticks and the measured scheduling delay."""
        late = self.hold_s - self.timeout_s - 3 * TICK_S - self.scheduling_s
        return not late > 0.0


class Lateness:
    """Largest delay with which this process wakes up, s, while it is entered."""

    def __enter__(self) -> Lateness:
        self.worst, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        due = time.monotonic() + TICK_S
        while not self._over.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            self.worst = max(self.worst, now - due)
            due = now + TICK_S

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def begin(graph: RunningGraph) -> None:
    """Bring the graph to a rollout that the policy drives."""
    probe = graph.probe
    probe.wait("joint states", lambda: probe.joints is not None)
    probe.wait("an arbiter", lambda: probe.state)
    graph.leave_hold()
    end(graph)
    probe.commands.clear()
    graph.start_episode()
    graph.wait("a policy that drives", lambda: _drives(graph))


def end(graph: RunningGraph) -> None:
    """Stop the episode, if one runs."""
    if graph.probe.state is not None and graph.probe.state.episode_id:
        request = srv.StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="fault is over")
        graph.probe.call(srv.StopEpisode, topics.STOP_EPISODE, request)


def _drives(graph: RunningGraph) -> bool:
    probe, command = graph.probe, graph.probe.command
    return (
        command is not None
        and probe.chunk is not None
        and command.authority == Authority.POLICY
        and command.chunk_id == probe.chunk.chunk_id
        and probe.health["robot"][-1][2]["holding"] == "False"
    )


Found = tuple[float, float]
"""Timeout and time after which the robot held, s."""


def lose(graph: RunningGraph, node: str, how: signal.Signals) -> Found:
    """Kill or freeze a node that the robot cannot do without; wake a frozen one up again."""
    probe = graph.probe
    heard = len(probe.health["robot"]) - 1
    sent = graph.signal(node, how)
    try:
        if node == "arbiter":
            said = [None]

            def silence() -> Any:
                news = probe.health["robot"][heard:]
                said[0] = next(filter(None, (re.search(r"no command for (\d+) ms", n[1])
                                             for n in news)), None)  # fmt: skip
                return said[0]

            return ROBOT_S, int(probe.wait("the robot holds", silence)[1]) / 1000.0
        at, _ = probe.wait_mode(Mode.HOLD, since=sent)
        if node == "sim":
            return float(SIMULATION_TIMEOUTS["timeouts.joint_states"]), at - sent
        return _behind_the_last_chunk(graph)
    finally:
        if how is signal.SIGSTOP:
            graph.signal(node, signal.SIGCONT)


def _behind_the_last_chunk(graph: RunningGraph) -> Found:
    """Robot time that the policy went on driving behind the end of its last chunk."""
    probe = graph.probe
    last = [c.chunk_id for c in probe.commands if c.authority == Authority.POLICY][-1]
    probe.wait("the last chunk", lambda: probe.chunk is not None and probe.chunk.chunk_id >= last)
    chunk = probe.chunk
    assert chunk is not None
    over_ns = to_ns(chunk.start) + chunk.horizon * round(chunk.dt * 1e9)
    driven = [to_ns(c.header.stamp) for c in probe.commands if c.authority == Authority.POLICY]
    return 0.0, max(0.0, (max(driven) - over_ns) / 1e9)


def stop(graph: RunningGraph) -> Found:
    """Call the e-stop service; reset it afterwards, by way of HOLD."""
    probe = graph.probe
    request = srv.EmergencyStop.Request(cause="campaign")
    client = probe.node.create_client(srv.EmergencyStop, topics.EMERGENCY_STOP)
    try:  # known before it is needed: what is timed is the stop, not the discovery of a service
        assert client.wait_for_service(PATIENCE_S)
        began = time.monotonic()
        client.call_async(request)
        probe.wait_mode(Mode.ESTOP, since=began)
    finally:
        probe.node.destroy_client(client)
    at, _ = probe.wait_mode(Mode.ESTOP, since=began)
    reset = srv.ResetEmergencyStop.Request(person="campaign")
    assert probe.call(srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP, reset).success
    return 0.0, at - began


def bother(graph: RunningGraph, name: str) -> Found:
    """Publish bad messages beside the good ones: they are counted as refused and never drive."""
    probe = graph.probe
    kind, topic, profile, make, counted = BAD[name]
    publisher = probe.node.create_publisher(kind, topic, profile)
    first = len(probe.commands)

    def count() -> float:
        source = "robot" if kind is msg.JointCommand else "arbiter"
        news = probe.health.get(source, [])
        values = news[-1][2] if news else {}
        return sum(float(v) for k, v in values.items() if counted in k)

    before = count()
    try:
        probe.wait("a listener", lambda: publisher.get_subscription_count() > 0)
        deadline = time.monotonic() + PATIENCE_S
        sent = 0
        while sent < PUBLISHED or count() <= before:
            assert time.monotonic() < deadline, f"{name}: never counted as refused"
            publisher.publish(make(graph))
            sent += 1
            probe.hears(lambda: False, TICK_S)
    finally:
        probe.node.destroy_publisher(publisher)
    for command in probe.commands[first:]:
        assert command.authority != Authority.HUMAN, f"{name}: a human drives"
        assert command.chunk_id < FOREIGN, f"{name}: it drives"
        assert np.isfinite(command.position).all(), f"{name}: a command is not finite"
    return math.inf, math.nan


def _chunk(graph: RunningGraph, **changed: Any) -> msg.ActionChunk:
    chunk = deepcopy(graph.probe.chunk)
    assert chunk is not None
    chunk.chunk_id = FOREIGN
    for name, value in changed.items():
        setattr(chunk, name, value)
    return chunk


def _nan_chunk(graph: RunningGraph) -> msg.ActionChunk:
    chunk = _chunk(graph)
    chunk.position[3] = math.nan
    return chunk


def _future_chunk(graph: RunningGraph) -> msg.ActionChunk:
    chunk = _chunk(graph)
    chunk.header.stamp.sec += 5
    chunk.start.sec += 5
    return chunk


def _nan_joints(graph: RunningGraph) -> JointState:
    joints = deepcopy(graph.probe.joints)
    assert joints is not None
    joints.position[3] = math.nan
    return joints


def _frame(graph: RunningGraph, squeeze: float) -> msg.OperatorFrame:
    command = graph.probe.command
    assert command is not None
    _frame.sequence += 1  # type: ignore[attr-defined]
    frame = msg.OperatorFrame(operator_id="mallory", lease=FOREIGN, left_squeeze=squeeze,
                              sequence=_frame.sequence, buttons=0)  # type: ignore[attr-defined]  # fmt: skip
    frame.header.stamp = command.header.stamp
    return frame


_frame.sequence = 0  # type: ignore[attr-defined]


def _old_epoch(graph: RunningGraph) -> msg.JointCommand:
    command = deepcopy(graph.probe.command)
    assert command is not None
    command.epoch -= 1
    return command


BAD: dict[str, tuple[Any, str, Any, Callable[[RunningGraph], Any], str]] = {
    "chunks not finite": (
        msg.ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL, _nan_chunk, "refused: policy/chunk"),
    "chunks of future observations": (
        msg.ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL, _future_chunk, "in the future"),
    "joint states not finite": (
        JointState, topics.JOINT_STATES, qos.COMMAND, _nan_joints, "refused: joint"),
    "frames not finite": (
        msg.OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM,
        lambda graph: _frame(graph, math.nan), "refused: frame"),
    "frames of a lease that nobody holds": (
        msg.OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM,
        lambda graph: _frame(graph, 1.0), "of another lease"),
    "commands of an older epoch": (
        msg.JointCommand, topics.JOINT_COMMAND, qos.COMMAND, _old_epoch, "older epoch"),
}  # fmt: skip

KILLED = {
    f"{node} {how.name}": (node, how)
    for node in ("policy", "arbiter", "sim")
    for how in (signal.SIGKILL, signal.SIGSTOP)
}
FAULTS = (*KILLED, "e-stop service", *BAD)


def play(graph: RunningGraph, seed: int) -> Verdict:
    """Play the fault of a seed; consecutive seeds go through all of them."""
    fault = FAULTS[seed % len(FAULTS)]
    begin(graph)
    rng = np.random.default_rng([seed, 77])
    until = len(graph.probe.commands) + int(rng.integers(1, 200))
    graph.probe.hears(lambda: len(graph.probe.commands) >= until, 5.0)
    broken, timeout_s, hold_s = "", math.nan, math.nan
    with Lateness() as late:
        try:
            if fault in KILLED:
                timeout_s, hold_s = lose(graph, *KILLED[fault])
            elif fault in BAD:
                timeout_s, hold_s = bother(graph, fault)
            else:
                timeout_s, hold_s = stop(graph)
        except AssertionError as error:
            broken = str(error)
    return Verdict(seed, fault, timeout_s, hold_s, late.worst, broken)


__all__ = ["FAULTS", "NAMESPACE", "Verdict", "begin", "end", "play"]
