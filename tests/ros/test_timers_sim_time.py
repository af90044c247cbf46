"""Timers on ROS time follow /clock under the EventsExecutor, at whatever pace it runs.

Everything is judged in simulated time, and the clock takes its next step only when the node has
dealt with the last one, so that a slow machine makes the test slow and not wrong.

That wait hides a trap: when two steps of /clock are taken before a due timer is dispatched, the
executor (rclpy 7.1.6) dispatches it twice, the second time a period early. The rate stays right,
the spacing does not. So the nodes' own timers run on the monotonic clock
(`tests/architecture/test_node_rules.py`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

PERIOD_MS, STEP_MS, STEPS, PACE = 50, 5, 120, 0.5

PROGRAM = """
import json, sys, time
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage

period_ms, step_ms, steps, pace = (float(word) for word in sys.argv[1:])
rclpy.init()
robot = rclpy.create_node("robot")
node = rclpy.create_node("node", parameter_overrides=[Parameter("use_sim_time", value=True)])
publisher = robot.create_publisher(ClockMessage, "/clock", 10)
executor = EventsExecutor()
executor.add_node(node)
fired, steady_fired = [], []
node.create_timer(period_ms * 1e-3, lambda: fired.append(node.get_clock().now().nanoseconds))
steady = Clock(clock_type=ClockType.STEADY_TIME)
node.create_timer(0.02, lambda: steady_fired.append(time.monotonic()), clock=steady)

def turn_until(done, seconds=20.0):
    # Every wait is finite: without a timeout this executor never gives the GIL back.
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        executor.spin_once(timeout_sec=0.02)
    return True

def set_clock(now_ns):
    message = ClockMessage()
    message.clock.sec, message.clock.nanosec = divmod(now_ns, 10**9)
    there = lambda: node.get_clock().now().nanoseconds >= now_ns
    for _ in range(10):
        publisher.publish(message)
        if turn_until(there, 2.0):
            break
    assert there(), "the node never took its time from /clock"
    for _ in range(10):  # clock jump, dispatch, and what they queue
        executor.spin_once(timeout_sec=0.0)

assert turn_until(lambda: publisher.get_subscription_count() == 1), "no discovery"
start_ns = 100 * 10**9
set_clock(start_ns)
# The first tick after the jump from zero belongs to the jump.
assert turn_until(lambda: fired), "no tick after the clock appeared"
anchor = len(fired)
late, started = [], time.monotonic()
for step in range(1, int(steps) + 1):
    now_ns = start_ns + round(step * step_ms * 1e6)
    wait = started + step * step_ms * 1e-3 / pace - time.monotonic()
    if wait > 0:
        turn_until(lambda end=time.monotonic() + wait: time.monotonic() >= end)
    set_clock(now_ns)
    due = int(step * step_ms // period_ms)
    if not turn_until(lambda: len(fired) - anchor >= due, 5.0):
        late.append(now_ns - start_ns)
elapsed = time.monotonic() - started
before = len(fired)
steady_before = len(steady_fired)
turn_until(lambda: len(steady_fired) >= steady_before + 10)
print(json.dumps({
    "fired_ms": [(t - start_ns) / 1e6 for t in fired[anchor:]],
    "late_ms": [t / 1e6 for t in late],
    "pace": steps * step_ms * 1e-3 / elapsed,
    "fired_while_clock_stood": len(fired) - before,
    "steady_while_clock_stood": len(steady_fired) - steady_before,
}))
sys.stdout.flush()
executor.remove_node(node)
executor.shutdown()
rclpy.try_shutdown()
"""


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, object]]:
    return {}


@pytest.fixture
def result(
    run_python: Callable[..., CompletedProcess[str]], results: dict[str, dict[str, object]]
) -> dict[str, object]:
    """One run of the program, shared by the tests of this module."""
    if "run" not in results:
        words = [str(value) for value in (PERIOD_MS, STEP_MS, STEPS, PACE)]
        finished = run_python(PROGRAM, *words, timeout=90.0)
        assert finished.returncode == 0, finished.stderr
        results["run"] = json.loads(finished.stdout.splitlines()[-1])
    return results["run"]


def test_timers_tick_once_per_simulated_period(result: dict[str, object]) -> None:
    """At half of real time a ROS-time timer ticks once per simulated period, none lost."""
    assert result["pace"] <= PACE * 1.01
    assert result["late_ms"] == []
    assert len(result["fired_ms"]) == STEPS * STEP_MS // PERIOD_MS


def test_timers_never_tick_early(result: dict[str, object]) -> None:
    """Two ticks are a whole simulated period apart, to the step of the clock."""
    ticks = [0.0, *result["fired_ms"]]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    assert min(gaps) >= PERIOD_MS - STEP_MS
    assert max(gaps) <= PERIOD_MS + STEP_MS


def test_a_dead_clock_stops_ros_timers_and_no_watchdog(result: dict[str, object]) -> None:
    """While /clock stands still, ROS-time timers stand still and monotonic ones go on."""
    assert result["fired_while_clock_stood"] == 0
    assert result["steady_while_clock_stood"] >= 10
