"""Processes that are killed or frozen: the robot holds in time, or does not notice."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rove_msgs import srv

from graph_harness import PATIENCE_S, RunningGraph
from rove import topics
from rove.convert import to_ns
from rove.graph import SIMULATION_TIMEOUTS
from rove.shared_memory import clean_shared_memory
from rove_core.vocabulary import Authority, Mode
from tests.faults.verdict import WENT_ON, Found, StoodStillError

ROBOT_S = 0.05
"""Robot time after its last command at which a robot holds by itself."""
ON_S = 1.0
"""For which a robot that has to go on is watched."""
STANDSTILL = {
    Mode.AUTONOMOUS: ("stood still", "policy is late", "no chunk", "no joint states"),
    Mode.HUMAN: (
        "stood still",
        "no joint states",
        "no frame",
        "no joint target",
        "not valid",
        "handed back",
        "enable released",
    ),
}
"""Mode that it ended -> in the reason, what a busy machine or the operator alone can cause."""

Play = Callable[[RunningGraph], Found]


def _struck(graph: RunningGraph, node: str, how: signal.Signals, then: Callable[[float], Found]):  # type: ignore[no-untyped-def]
    """Signal a node and judge; afterwards a frozen one wakes up and shared memory is tidied."""
    sent = graph.signal(node, how)
    try:
        return then(sent)
    finally:
        if how is signal.SIGSTOP:
            graph.signal(node, signal.SIGCONT)
        else:
            clean_shared_memory()


def lose(node: str, how: signal.Signals, graph: RunningGraph) -> Found:
    """A node that the driver cannot do without."""
    heard = len(graph.probe.health["robot"]) - 1
    return _struck(graph, node, how, lambda sent: _held(graph, node, sent, heard))


def _held(graph: RunningGraph, node: str, sent: float, heard: int) -> Found:
    probe = graph.probe
    if node == "arbiter":
        return ROBOT_S, robot_silence(graph, heard, PATIENCE_S)
    at, state = probe.wait_mode(Mode.HOLD, since=sent)
    if node == "policy":
        return behind_the_last_chunk(graph)
    name, word = {
        "sim": ("joint_states", "joint states"),
        "bridge": ("operator_frame", "no frame"),
        "operator": ("operator_frame", "no frame"),
        "teleop": ("human_target", "no joint target"),
    }[node]
    if word not in state.reason:
        by_machine(state)
    assert word in state.reason, f"{node}: it holds because: {state.reason}"
    return float(SIMULATION_TIMEOUTS[f"timeouts.{name}"]), at - sent


def robot_silence(graph: RunningGraph, heard: int, seconds: float) -> float:
    """Return the robot time, s, without a command after which the robot said that it holds.

    Args:
        graph: the graph.
        heard: number of the robot's reports from which to look.
        seconds: to wait for it.

    Raises:
        AssertionError: it does not hold.
    """
    probe = graph.probe

    def silence() -> Any:
        news = probe.health["robot"][heard:]
        return next(filter(None, (re.search(r"no command for (\d+) ms", n[1]) for n in news)), None)

    return int(probe.wait("the robot holds", silence, seconds)[1]) / 1000.0


def behind_the_last_chunk(graph: RunningGraph) -> Found:
    """Robot time that the policy went on driving behind the end of its last chunk."""
    probe = graph.probe
    last = [c.chunk_id for c in probe.commands if c.authority == Authority.POLICY][-1]
    probe.wait("the last chunk", lambda: probe.chunk is not None and probe.chunk.chunk_id >= last)
    chunk = probe.chunk
    assert chunk is not None
    over_ns = to_ns(chunk.start) + chunk.horizon * round(chunk.dt * 1e9)
    driven = [to_ns(c.header.stamp) for c in probe.commands if c.authority == Authority.POLICY]
    return 0.0, max(0.0, (max(driven) - over_ns) / 1e9)


def spare(node: str, how: signal.Signals, graph: RunningGraph) -> Found:
    """A node that the driver does not need: the robot goes on."""
    return _struck(graph, node, how, lambda sent: goes_on(graph, sent))


def goes_on(graph: RunningGraph, since: float, seconds: float = ON_S) -> Found:
    """Watch a robot that has to go on in the mode that it is in.

    Raises:
        AssertionError: it does not.
        StoodStillError: it holds because the machine stood still.
    """
    probe = graph.probe
    mode, first = probe.states[-1][1].mode, len(probe.commands)
    deadline = time.monotonic() + seconds
    left = probe.hears(lambda: _left(graph, mode, since), seconds)
    probe.hears(lambda: len(probe.commands) > first, max(0.0, deadline - time.monotonic()))
    if left:
        by_machine(left)
    assert not left, f"it stopped: {left.reason}"
    driven = [c for c in probe.commands[first:] if c.authority != Authority.HOLD]
    if not driven:
        raise StoodStillError("nobody drives any more")
    return WENT_ON


def by_machine(state: Any) -> None:
    """Tell a HOLD, or a CLUTCH, that the machine itself caused.

    Raises:
        StoodStillError: it did.
    """
    words = STANDSTILL.get(Mode(state.previous_mode), ())
    if any(word in state.reason for word in words):
        raise StoodStillError(state.reason)


def _left(graph: RunningGraph, mode: int, since: float) -> Any:
    return next((s for at, s in graph.probe.states if at >= since and s.mode != mode), None)


def stop(graph: RunningGraph) -> Found:
    """Call the e-stop service; reset it afterwards, by way of HOLD.

    Timed by wall time from the call to the tick that decided it, as the arbiter stamped it.
    """
    probe, client = graph.probe, graph.probe.emergency_stop
    assert client.wait_for_service(PATIENCE_S)
    first, began, began_ns = len(probe.commands), time.monotonic(), time.time_ns()
    client.call_async(srv.EmergencyStop.Request(cause="campaign"))
    probe.wait_mode(Mode.ESTOP, since=began)
    stopped = probe.wait(
        "a command of the stop",
        lambda: next((c for c in probe.commands[first:] if c.mode == Mode.ESTOP), None),
    )
    assert stopped.authority == Authority.HOLD
    reset = srv.ResetEmergencyStop.Request(person="campaign")
    assert probe.call(srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP, reset).success
    return 0.0, (stopped.decided_ns - began_ns) / 1e9


def signalled(nodes: tuple[str, ...], play: Callable[..., Found]) -> dict[str, Play]:
    """Return a fault for each of some nodes and each of both signals."""
    return {
        f"{node} {how.name}": partial(play, node, how)
        for node in nodes
        for how in (signal.SIGKILL, signal.SIGSTOP)
    }
