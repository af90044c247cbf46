"""/diagnostics of retargeting: the numbers in it are those of the frames since the last report."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus

from rove.retarget_health import LATE_MS, RetargetHealth


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {entry.key: entry.value for entry in status.values}


def test_times_rates_and_refusals_are_told() -> None:
    """Each stage, the wait before it and the whole way with median, 99th percentile and longest;
    the rate; refusals since the start, whoever counted them."""
    health = RetargetHealth()
    for i in range(1, 101):
        health.took({"check": 0.1, "solve": 0.01 * i}, waited_ms=2.0, cycle_ms=0.1 + 0.01 * i)
    health.refused["may not drive"] += 1
    status = health.status("g1: teleop", 2.0, {"leap": 3})
    told = values(status)
    assert status.level == DiagnosticStatus.OK
    assert status.message == "50 frames/s, 2.6 ms each"
    assert told["solve ms (p50, p99, longest)"] == "0.500, 0.990, 1.000"
    assert told["waited ms (p50, p99, longest)"] == "2.000, 2.000, 2.000"
    assert told["whole ms (p50, p99, longest)"] == "2.600, 3.090, 3.100"
    assert told["refused: leap"] == "3"
    assert told["refused: may not drive"] == "1"
    empty = health.status("g1: teleop", 1.0, {"leap": 3})
    assert empty.message == "no operator's frames"
    assert values(empty) == {"refused: leap": "3", "refused: may not drive": "1"}


def test_a_cycle_that_makes_frames_queue_is_a_warning() -> None:
    """One cycle longer than a headset's frame is named, however fast the others were."""
    health = RetargetHealth()
    for cycle in (0.3,) * 99 + (LATE_MS + 1.0,):
        health.took({"solve": cycle}, 1.0, cycle)
    status = health.status("g1: teleop", 1.0, {})
    assert status.level == DiagnosticStatus.WARN
    assert "a cycle took 15 ms" in status.message
