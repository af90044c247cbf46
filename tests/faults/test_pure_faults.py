"""A sample of the pure fault campaign, the whole of it, and proof that it can find something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rove_core.robot import load_robot
from rove_teleop.arbiter.timeouts import Timeouts
from tests.faults.pure import campaign, run
from tests.faults.schedule import draw, kinds

WHOLE = range(3000)


def _sample() -> list[int]:
    """Return the first seed of each fault: nothing is left out, and nothing is done for long."""
    first: dict[str, int] = {}
    for seed in WHOLE:
        first.setdefault(draw(seed, Timeouts()).kind.name, seed)
    return sorted(first.values())


def test_a_sample_of_schedules_breaks_no_law() -> None:
    """Every fault: held in time, owner only, within all limits."""
    verdicts = campaign(_sample())
    assert {v.fault for v in verdicts} == {kind.name for kind in kinds(Timeouts())}
    assert [v for v in verdicts if v.broken] == []


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_every_schedule_breaks_no_law() -> None:
    """The same for thousands."""
    assert [v for v in campaign(WHOLE) if v.broken] == []


@pytest.mark.parametrize(
    ("weakened", "fault"),
    [
        ("joint_states", "robot silent"),
        ("human_target", "retargeting silent"),
        ("clock_ahead", "clock leaps ahead"),
        ("tick_gap", "arbiter suspended"),
    ],
)
def test_the_campaign_finds_a_watchdog_that_sleeps(weakened: str, fault: str) -> None:
    """An arbiter whose watchdog waits far too long is found out, though others stand in for it."""
    spec, limits = load_robot("g1_dex3"), Timeouts()
    lazy = replace(limits, **{weakened: 60.0})
    schedules = [
        schedule
        for schedule in (draw(seed, limits) for seed in range(1000))
        if schedule.kind.name == fault and schedule.lasts > 60 and schedule.other is None
    ]
    assert any(run(schedule, spec, lazy).broken for schedule in schedules)


def test_the_campaign_finds_a_robot_that_touches_itself() -> None:
    """An arbiter that keeps no room is found out."""
    spec, limits = load_robot("g1_dex3"), Timeouts()
    verdicts = (run(draw(seed, limits), spec, judge_room=True) for seed in range(6))
    broken = [law for verdict in verdicts for law in verdict.broken]
    assert any(" near " in law for law in broken), broken
