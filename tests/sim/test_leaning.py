"""A person whose robot hand stays short leans towards the thing, and only then."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_sim.operators.skill import skill_of
from rove_sim.operators.working import MOST_LEAN, Working
from rove_sim.tasks.plan import Plan, Waypoint, pose

DT, LATENCY_S = 1.0 / 72.0, 0.05


def _lean(short: np.ndarray, press: bool = False, seconds: float = 6.0) -> np.ndarray:
    """Return the lean, m, of somebody whose tool follows up to a gap of (3,) m."""
    place = np.array([0.3, -0.3, 0.1])
    goal = Waypoint("reach", pose(place), 0.0, 0.3, 0.001, press=press)
    plan: Plan = (goal,)
    start = pin.SE3(np.eye(3), place - 0.05)
    working = Working(
        start, 0.0, lambda: plan, skill_of("expert"), LATENCY_S, np.random.default_rng(0)
    )  # fmt: skip
    late = round(LATENCY_S / DT)  # what is seen is as old as that
    seen = [start] * (late + 1)
    for i in range(round(seconds / DT)):
        wish = working.work(seen[-1 - late], 0.0, i * DT, DT)
        seen.append(pin.SE3(wish.rotation, wish.translation - short))
    return working.lean


def test_a_hand_that_arrives_leaves_the_person_upright() -> None:
    assert not _lean(np.zeros(3)).any()


def test_a_hand_that_stays_short_is_leant_towards() -> None:
    """Bug: the slice lies beyond the arm's reach, and the hand hung beside it until the time was
    over. Forward and to the right where the hand is short there, forward where it is too high."""
    forward, left = _lean(np.array([0.03, -0.03, -0.02]))
    assert forward > 0.05
    assert left < -0.03
    assert np.hypot(forward, left) <= MOST_LEAN + 1e-9
    forward, left = _lean(np.array([0.0, 0.0, -0.03]))
    assert forward > 0.05
    assert abs(left) < 0.03


def test_pressing_is_no_reason_to_lean() -> None:
    """The hand never gets there, and is not meant to."""
    assert not _lean(np.array([0.03, 0.0, 0.0]), press=True).any()
