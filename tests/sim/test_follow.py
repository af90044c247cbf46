"""Laws of following a plan: a waypoint is where the hand stays, not where it passes by."""

from __future__ import annotations

import numpy as np

from rove_sim.tasks.follow import Follower
from rove_sim.tasks.plan import Plan, Waypoint, pose

DT = 0.05
THERE, THEN = pose((0.3, 0.0, 0.2)), pose((0.3, 0.1, 0.2))


def plan() -> Plan:
    """One place to stay at for 0.3 s, then another."""
    return (
        Waypoint("stay", THERE, 0.0, tolerance=0.01, hold_s=0.3),
        Waypoint("go on", THEN, 0.0, tolerance=0.01),
    )


def arrive(follower: Follower) -> None:
    """Let the goal come to the first waypoint; the tool is where the goal was."""
    tool = pose((0.25, 0.0, 0.2))
    for _ in range(60):
        tool = follower.step(tool, DT)
        if np.linalg.norm(tool[:3, 3] - THERE[:3, 3]) < 1e-3:
            return
    raise AssertionError("the goal never came to the waypoint")


def test_a_tool_that_passes_by_has_not_been_there() -> None:
    """Law: however often the tool comes near, the work goes on only when it stayed ``hold_s``."""
    follower = Follower(plan)
    arrive(follower)
    beside = pose((0.33, 0.0, 0.2))
    for step in range(40):  # 2 s: longer than the stay, shorter than patience
        follower.step(THERE if step % 4 else beside, DT)
        assert follower.phase == "stay"


def test_a_tool_that_stays_goes_on() -> None:
    """Law: after ``hold_s`` within the tolerance the next waypoint is under way."""
    follower = Follower(plan)
    arrive(follower)
    phases = []
    for _ in range(8):
        follower.step(THERE, DT)
        phases.append(follower.phase)
    assert phases[0] == "stay"
    assert phases[-1] == "go on"


def test_a_seen_offset_is_corrected_and_bounded() -> None:
    """Law: a hand that hangs 1.5 cm low is asked for higher, and never for more than 2 cm."""
    follower = Follower(plan)
    arrive(follower)
    low = pose((0.3, 0.0, 0.185))
    asked = [float(follower.step(low, DT)[2, 3]) for _ in range(50)]
    assert 0.205 < max(asked) <= 0.2201
