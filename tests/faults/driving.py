"""Bringing a graph to where a fault strikes: the policy drives, or the scripted operator does."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rove_msgs import msg, srv

from graph_harness import RunningGraph
from rove import topics
from rove.convert import to_ns
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Outcome

ARGUMENTS = {
    "operator": "scripted",
    "takeover_at": 0.3,
    "stall": -1.0,
    "lab": "none",
    "keep_gb": 100.0,
}
"""Of the campaign's graph: every node but the lab, the recorder and the keeper included."""


def begin(graph: RunningGraph, driver: Authority) -> None:
    """Bring the graph to a rollout that the policy drives, or a human who took over."""
    probe = graph.probe
    graph.wait("all processes", lambda: not _missing(graph))
    graph.signal("operator", _PRESENT[driver])
    probe.wait("joint states", lambda: probe.joints is not None)
    probe.wait("an arbiter", lambda: probe.state)
    graph.leave_hold()
    end(graph)
    probe.commands.clear()
    graph.start_episode()
    if driver is Authority.POLICY:
        graph.wait("a policy that drives", lambda: _policy_drives(graph))
    else:
        graph.wait("a human who drives", lambda: _human_drives(graph))


_PRESENT = {Authority.POLICY: signal.SIGSTOP, Authority.HUMAN: signal.SIGCONT}
"""While a policy's faults are played the operator is asleep, or it would take over."""


def end(graph: RunningGraph) -> None:
    """Stop the episode, if one runs."""
    if graph.probe.state is not None and graph.probe.state.episode_id:
        request = srv.StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="fault is over")
        graph.probe.call(srv.StopEpisode, topics.STOP_EPISODE, request)


def _missing(graph: RunningGraph) -> list[str]:
    nodes = ["sim", "arbiter", "teleop", "bridge", "policy", "operator"]
    nodes += ["recorder", "keeper"] if graph.given.record else []
    return [node for node in nodes if graph.supervisor.pid(node) is None]


def _policy_drives(graph: RunningGraph) -> bool:
    probe, command = graph.probe, graph.probe.command
    return (
        command is not None
        and probe.chunk is not None
        and command.authority == Authority.POLICY
        and command.chunk_id == probe.chunk.chunk_id
        and probe.health["robot"][-1][2]["holding"] == "False"
    )


def _human_drives(graph: RunningGraph) -> bool:
    probe, command = graph.probe, graph.probe.command
    return (
        command is not None
        and command.authority == Authority.HUMAN
        and probe.state is not None
        and probe.state.mode == Mode.HUMAN
        and probe.frame is not None
        and command.lease == probe.frame.lease
        and probe.health["robot"][-1][2]["holding"] == "False"
    )


def within_limits(commands: Sequence[msg.JointCommand], what: str) -> None:
    """Hold commands against the robot's limits of position and speed.

    Raises:
        AssertionError: one is beyond them.
    """
    spec = load_robot("g1_dex3")
    for before, after in pairwise(commands):
        position = np.asarray(after.position)
        inside = (position >= spec.lower - 1e-6) & (position <= spec.upper + 1e-6)
        assert inside.all(), f"{what}: a command is out of range or not finite"
        if before.epoch != after.epoch or after.sequence != before.sequence + 1:
            continue
        dt = (to_ns(after.header.stamp) - to_ns(before.header.stamp)) / 1e9
        # The filter never makes up for lost time: two ticks of motion at most.
        most = spec.velocity * min(max(dt, 0.0), 0.010)
        step = np.abs(position - np.asarray(before.position))
        anchored = before.authority == Authority.HOLD
        assert anchored or (step <= most + 1e-6).all(), f"{what}: faster than the limit"
