"""What happens to a machine and its sensors: busy cores, a full disk, dead sensors, a clock."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rosgraph_msgs.msg import Clock

from graph_harness import RunningGraph
from rove import qos, topics
from rove.convert import to_ns
from rove.graph import SIMULATION_TIMEOUTS
from rove_core.vocabulary import Mode
from tests.faults.driving import within_limits
from tests.faults.processes import ROBOT_S, behind_the_last_chunk, by_machine, robot_silence
from tests.faults.verdict import WENT_ON, Found, StoodStillError, late_ticks

BUSY_S = 2.0
LEAP_S = 3.0
BURN = "import ctypes\nctypes.CDLL(None).prctl(1, 9)\nwhile True: pass"
"""It ends with this process."""


def tell_robot(graph: RunningGraph, name: str, value: str | float) -> None:
    """Set a parameter of the simulated robot, see ``rove_sim/nodes/trouble.py``.

    Raises:
        AssertionError: it is refused.
    """
    said = ParameterValue()
    if isinstance(value, str):
        said.type, said.string_value = ParameterType.PARAMETER_STRING, value
    else:
        said.type, said.double_value = ParameterType.PARAMETER_DOUBLE, value
    request = SetParameters.Request(parameters=[Parameter(name=name, value=said)])
    for result in graph.probe.call(SetParameters, "sim/set_parameters", request).results:
        assert result.successful, result.reason


@contextlib.contextmanager
def _dead(graph: RunningGraph, sensor: str) -> Iterator[None]:
    tell_robot(graph, "dead", sensor)
    try:
        yield
    finally:
        tell_robot(graph, "dead", "")


def dead_joints(graph: RunningGraph) -> Found:
    """Joint states end while all else goes on: HOLD in time, by robot time."""
    probe, began = graph.probe, time.monotonic()
    with _dead(graph, "joint_states"):
        _, state = probe.wait_mode(Mode.HOLD, since=began)
        if "joint states" not in state.reason:
            by_machine(state)
        assert "joint states" in state.reason, state.reason
        assert probe.joints is not None
        silent_ns = to_ns(state.header.stamp) - to_ns(probe.joints.header.stamp)
    return float(SIMULATION_TIMEOUTS["timeouts.joint_states"]), silent_ns / 1e9


def dead_camera(graph: RunningGraph) -> Found:
    """The policy sees nothing: it proposes nothing, and the robot holds behind its last chunk."""
    probe, began = graph.probe, time.monotonic()
    with _dead(graph, "ego"):
        probe.wait_mode(Mode.HOLD, since=began)
        return behind_the_last_chunk(graph)


def clock_leap(sign: float, graph: RunningGraph) -> Found:
    """The robot's clock leaps: HOLD at once, from the first ``/clock`` with the new time on."""
    probe, leapt = graph.probe, []
    last: list[int] = []

    def tick(message: Clock) -> None:
        now_ns = to_ns(message.clock)
        if last and abs(now_ns - last[-1]) > 0.5e9 * LEAP_S:
            leapt.append(time.monotonic())
        last[:] = [now_ns]

    heard = probe.subscribe(Clock, topics.CLOCK, qos.STREAM, tick)
    try:
        probe.wait("a clock", lambda: last)
        began = time.monotonic()
        graph.clock_offset += sign * LEAP_S
        tell_robot(graph, "clock_offset", graph.clock_offset)
        at, state = probe.wait_mode(Mode.HOLD, since=began)
    finally:
        probe.node.destroy_subscription(heard)
    if "clock" not in state.reason:
        by_machine(state)
    assert "clock" in state.reason, state.reason
    assert leapt, "the clock did not leap"
    return 0.0, max(0.0, at - leapt[0])


def slow_cpu(graph: RunningGraph) -> Found:
    """The arbiter shares one core with two busy processes and comes last: whenever it is too late
    the robot holds by itself, and no command breaks a limit."""
    probe, pid = graph.probe, graph.supervisor.pid("arbiter")
    assert pid is not None
    cores, core = os.sched_getaffinity(0), min(os.sched_getaffinity(0))
    tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    heard, first = len(probe.health["robot"]), len(probe.commands)
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(2)]
    try:
        for task in tasks:
            os.sched_setaffinity(task, {core})
            os.setpriority(os.PRIO_PROCESS, task, 10)
        for burner in burners:
            os.sched_setaffinity(burner.pid, {core})
        probe.hears(lambda: False, BUSY_S)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
        for task in tasks:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(task, cores)
                os.setpriority(os.PRIO_PROCESS, task, 0)
    commands = probe.commands[first:]
    assert commands, "the arbiter fell silent"
    within_limits(commands, "slow CPU")
    # Clearly above what the robot waits for; it also looks at robot time, which may be slower.
    if late_ticks(commands) > 2 * ROBOT_S:
        return ROBOT_S, robot_silence(graph, heard, 5.0)
    return WENT_ON


def full_disk(graph: RunningGraph) -> Found:
    """The recorder can write nothing more: the episode ends, and until then nothing stalls."""
    probe, pid = graph.probe, graph.supervisor.pid("recorder")
    assert pid is not None
    first, began = len(probe.commands), time.monotonic()
    heard = len(probe.health["robot"])
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        graph.probe.wait("the end of the episode", lambda: not probe.states[-1][1].episode_id)
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    state = next(s for at, s in probe.states if at >= began and not s.episode_id)
    if state.mode == Mode.HOLD:
        raise StoodStillError(state.reason)
    assert "not recorded any more" in state.reason, state.reason
    stalled = [n[1] for n in probe.health["robot"][heard:] if n[2]["holding"] == "True"]
    if stalled and late_ticks(probe.commands[first:]) > ROBOT_S:
        raise StoodStillError("the arbiter was late by itself")
    assert not stalled, f"the robot stalled: {stalled[0]}"
    return WENT_ON


TO_THE_POLICY = {
    "slow CPU": slow_cpu,
    "clock leaps ahead": partial(clock_leap, 1.0),
    "clock steps back": partial(clock_leap, -1.0),
    "full disk of the recorder": full_disk,
    "dead camera": dead_camera,
    "dead joint sensors": dead_joints,
}
TO_THE_HUMAN = {"slow CPU": slow_cpu, "dead joint sensors": dead_joints}
