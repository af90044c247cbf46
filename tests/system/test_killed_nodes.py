"""Whatever dies or freezes, the robot holds within the documented time and comes back.

Documented times (rove_teleop/arbiter/timeouts.py, rove/graph.py): the robot holds by itself 50 ms
of robot time after the last command; the arbiter holds 0.25 s (in simulation) after the last joint
states, and behind an expired chunk at once, in mode HOLD 0.5 s later. Times of another process
are judged by stamps of robot time, which a busy machine cannot distort; wall times get the time
the machine needs to react.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from rove_msgs import srv

from graph_harness import PATIENCE_S, RunningGraph
from rove import topics
from rove.convert import to_ns
from rove.graph import SIMULATION_TIMEOUTS
from rove_core.vocabulary import Authority, Mode, Outcome
from rove_teleop.arbiter.timeouts import Timeouts

# Once more where the machine itself stood still in the middle of a test.
pytestmark = [pytest.mark.graph, pytest.mark.flaky(reruns=2)]
REACTION_S = 1.0
"""What scheduling and transport may take on a machine with two busy cores."""


class Graphs:
    """The graph of this module, and another one after a test that it did not survive."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: RunningGraph | None = None

    def take(self) -> RunningGraph:
        """Return the running graph; it is not used again unless it is given back."""
        running, self._running = self._running, None
        if running is not None:
            return running
        folder = self._factory.mktemp("graph")
        return RunningGraph(folder, operator="none", lab="none", record=False)

    def give_back(self, running: RunningGraph) -> None:
        """Let the next test use a graph."""
        self._running = running

    def close(self) -> None:
        """End the graph that runs."""
        if self._running is not None:
            self._running.close()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphs]:
    made = Graphs(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture
def driving(graphs: Graphs) -> Iterator[RunningGraph]:
    """A graph in which the policy drives."""
    graph = graphs.take()
    try:
        _begin(graph)
        yield graph
        if graph.probe.state is not None and graph.probe.state.episode_id:
            _stop(graph)
    except BaseException:
        graph.close()
        raise
    graphs.give_back(graph)


def _begin(graph: RunningGraph) -> None:
    probe = graph.probe
    probe.wait("joint states", lambda: probe.joints is not None)
    probe.wait("an arbiter", lambda: probe.state)
    graph.leave_hold()
    if probe.state.episode_id:
        _stop(graph)
    probe.commands.clear()
    graph.start_episode()
    _wait_driving(graph, 0.0)


def _stop(graph: RunningGraph) -> None:
    request = srv.StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="test is over")
    graph.probe.call(srv.StopEpisode, topics.STOP_EPISODE, request)


def _drives(graph: RunningGraph, since: float) -> bool:
    probe = graph.probe
    return (
        probe.command is not None
        and probe.states[-1][0] > since
        and probe.state.mode == Mode.AUTONOMOUS
        and probe.command.authority == Authority.POLICY
        and probe.health["robot"][-1][2]["holding"] == "False"
        # a publisher that was started again may be known to the arbiter before this probe
        and probe.chunk is not None
        and probe.chunk.chunk_id == probe.command.chunk_id
    )


def _wait_driving(graph: RunningGraph, since: float) -> None:
    """Wait until the policy drives; a busy machine may cause another hold on the way."""
    deadline = time.monotonic() + PATIENCE_S
    while not graph.probe.hears(lambda: _drives(graph, since), 1.0):
        assert time.monotonic() < deadline, f"policy does not drive\n{graph.describe()}"
        graph.leave_hold()


def _assert_at_rest(graph: RunningGraph) -> None:
    """The joints stop: the speed of every joint falls below 0.05 rad/s."""
    probe = graph.probe
    probe.wait(
        "joints at rest",
        lambda: probe.joints is not None and np.abs(probe.joints.velocity).max() < 0.05,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_policy_gone(driving: RunningGraph, how: signal.Signals) -> None:
    """Without new chunks the robot stops behind the last one, in HOLD after the chunk time-out."""
    probe = driving.probe
    sent = driving.signal("policy", how)
    _, state = probe.wait_mode(Mode.HOLD, since=sent)
    driven = [c.chunk_id for c in probe.commands if c.authority == Authority.POLICY]
    probe.wait("the last chunk", lambda: probe.chunk.chunk_id >= driven[-1])
    period_ns = round(probe.chunk.dt * 1e9)
    over_ns = to_ns(probe.chunk.start) + probe.chunk.horizon * period_ns
    followed = [c for c in probe.commands if to_ns(c.header.stamp) > over_ns]
    assert followed
    late = [(to_ns(c.header.stamp) - over_ns, c.chunk_id) for c in followed if c.authority]
    assert not late, f"policy still drives (ns, chunk): {late}; last chunk {probe.chunk.chunk_id}"
    assert to_ns(state.since) - over_ns <= (Timeouts().chunk + REACTION_S) * 1e9, state.reason
    assert state.authority == Authority.HOLD
    _assert_at_rest(driving)
    if how is signal.SIGSTOP:
        driving.signal("policy", signal.SIGCONT)
    resumed = time.monotonic()
    driving.leave_hold()
    _wait_driving(driving, resumed)  # with a policy that was started again, or woken up


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_arbiter_gone(driving: RunningGraph, how: signal.Signals) -> None:
    """The robot holds by itself 50 ms of robot time after the last command; the next arbiter
    begins in HOLD with a newer epoch and no lease, and the robot obeys it."""
    probe = driving.probe
    before = probe.state
    assert before is not None
    # The last message before the kill counts, too: on a busy machine the robot may hold already.
    heard = len(probe.health["robot"]) - 1
    sent = driving.signal("arbiter", how)

    def held() -> re.Match[str] | None:
        news = [re.search(r"no command for (\d+) ms", n[1]) for n in probe.health["robot"][heard:]]
        return next((found for found in news if found), None)

    silence = int(probe.wait("the robot holds by itself", held)[1])
    assert 50 <= silence <= 75, "the robot looks at its watch every 20 ms at least"
    held_ns = to_ns(probe.joints.header.stamp)
    _assert_at_rest(driving)
    if how is signal.SIGSTOP:
        # A shorter gap than this is no suspension: the arbiter would just go on.
        gap_ns = 2 * int(Timeouts().tick_gap * 1e9)
        probe.wait("time", lambda: to_ns(probe.joints.header.stamp) > held_ns + gap_ns)
        driving.signal("arbiter", signal.SIGCONT)
        _, state = probe.wait_mode(Mode.HOLD, since=sent)
        assert state.epoch == before.epoch
        assert "stood still" in state.reason
    else:
        fresh = probe.wait(
            "a new arbiter",
            lambda: next((s for _, s in probe.states if s.epoch > before.epoch), None),
        )

        # It is ready within milliseconds, often before this probe knows its publisher: what it
        # began with is in its log.
        def first_move() -> str | None:
            said = list(driving.lines)
            died = max(i for i, line in enumerate(said) if "ended (signal SIGKILL)" in line)
            moves = (line for line in said[died:] if line.startswith("arbiter:") and "->" in line)
            return next(moves, None)

        assert probe.wait("its first move", first_move).startswith("arbiter: INFO: HOLD -> ")
        assert fresh.lease == 0
        assert fresh.episode_id == ""
        while probe.wait("a mode", lambda: probe.state).mode != Mode.IDLE:
            driving.leave_hold()
        epoch = str(fresh.epoch)
        probe.wait(
            "the robot obeys the new epoch",
            lambda: (
                probe.health["robot"][-1][2]["epoch"] == epoch
                and probe.health["robot"][-1][2]["holding"] == "False"
            ),
        )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_robot_gone(driving: RunningGraph, how: signal.Signals) -> None:
    """Without joint states the arbiter holds after 0.1 s and says why, with a dead /clock too."""
    probe = driving.probe
    sent = driving.signal("sim", how)
    heard, state = probe.wait_mode(Mode.HOLD, since=sent)
    assert heard - sent <= float(SIMULATION_TIMEOUTS["timeouts.joint_states"]) + REACTION_S
    assert "joint states" in state.reason
    if how is signal.SIGSTOP:
        driving.signal("sim", signal.SIGCONT)
    probe.wait("joint states again", lambda: probe.joints is not None)
    seen = probe.joints
    probe.wait("new joint states", lambda: probe.joints is not seen)
    resumed = time.monotonic()
    driving.leave_hold()
    _wait_driving(driving, resumed)


def test_broken_policy_file_keeps_the_old_one(driving: RunningGraph, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A policy that cannot be loaded is refused with a reason; the old one keeps driving."""
    probe = driving.probe
    running = probe.wait("a running policy", lambda: probe.policy and probe.policy.digest)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a policy")
    answer = probe.call(
        srv.LoadPolicy, topics.LOAD_POLICY, srv.LoadPolicy.Request(path=str(broken))
    )
    assert not answer.success
    assert str(broken) in answer.message
    assert answer.digest == running
    chunk = probe.chunk
    assert chunk is not None
    probe.wait("another chunk", lambda: probe.chunk.chunk_id > chunk.chunk_id)
    assert probe.chunk is not None
    assert probe.chunk.policy_digest == running
