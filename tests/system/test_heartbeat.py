"""`rove heartbeat` guards the robot: nothing starts without it, and its death stops the robot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from rove_msgs import srv

from graph_harness import NAMESPACE, PATIENCE_S, RunningGraph
from rove import topics
from rove.environment import HOOK_GUARD
from rove_core.vocabulary import Mode

pytestmark = pytest.mark.graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGraph]:
    running = RunningGraph(
        tmp_path_factory.mktemp("heartbeat"), operator="none", lab="none", record=False,
        policy="none", heartbeats="supervisor",
    )  # fmt: skip
    yield running
    running.close()


def _guard(graph: RunningGraph) -> subprocess.Popen[str]:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.domain)}
    environment.pop(HOOK_GUARD, None)
    return subprocess.Popen(
        [sys.executable, "-m", "rove.cli", "heartbeat", "--namespace", NAMESPACE],
        env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_guard_lets_it_start_and_its_death_stops_it(graph: RunningGraph) -> None:
    """HOLD without it, naming it; ESTOP after SIGKILL, with the reason; a reset needs it back;
    Enter in its terminal is an e-stop."""
    probe = graph.probe
    probe.wait("the reason", lambda: probe.state and "'supervisor'" in probe.state.reason)
    assert probe.state is not None
    assert probe.state.mode == Mode.HOLD
    guard = _guard(graph)
    try:
        graph.wait("a ready robot", lambda: probe.state.mode == Mode.IDLE)
        guard.send_signal(signal.SIGKILL)
        guard.wait()
        probe.wait("the e-stop", lambda: probe.state.mode == Mode.ESTOP)
        assert "heartbeat 'supervisor' is lost" in probe.state.reason
        request = srv.ResetEmergencyStop.Request(person="test")
        refused = probe.call(srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP, request)
        assert not refused.success
        guard = _guard(graph)
        deadline = time.monotonic() + PATIENCE_S
        while not probe.call(srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP, request).success:
            assert guard.poll() is None
            assert time.monotonic() < deadline
        graph.wait("a ready robot", lambda: probe.state.mode == Mode.IDLE)
        assert guard.stdin is not None
        guard.stdin.write("\n")
        guard.stdin.flush()
        probe.wait("the e-stop", lambda: probe.state.mode == Mode.ESTOP)
        assert "pressed Enter" in probe.state.reason
    finally:
        guard.kill()
        guard.wait()
