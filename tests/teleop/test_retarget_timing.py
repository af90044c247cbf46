"""Where a cycle's time goes: stages add up to the whole, and windows tell its spread."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retarget_bench import JOINTS, PERIOD_NS, SPEC, frame, shifted

from rove_teleop.retarget.retargeter import STAGES, Retargeter
from rove_teleop.retarget.timing import StageClock, TimingWindow

NAMES = ("a", "b", "c")


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 10**7)), min_size=1))
def test_stages_add_up_whatever_their_order(marks: list[tuple[str, int]]) -> None:
    """Every ns from begin to end belongs to exactly one stage; a stage that comes twice is summed,
    and a new cycle knows nothing of the one before."""
    now = 0
    clock = StageClock(lambda: now, NAMES)
    for _ in range(2):
        begun, spent = now, dict.fromkeys(NAMES, 0)
        clock.begin()
        for stage, ns in marks:
            now += ns
            spent[stage] += ns
            clock.mark(stage)
        assert clock.end("c") == pytest.approx((now - begun) * 1e-6)
        assert clock.last == pytest.approx({name: ns * 1e-6 for name, ns in spent.items()})


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=200))
def test_a_window_tells_median_tail_and_longest(times: list[float]) -> None:
    """Nearest ranks; what was read is gone."""
    window = TimingWindow()
    for spent in times:
        window.add({"x": spent})
    assert window.cycles == len(times)
    spread = window.read()["x"]
    assert spread.longest == max(times)
    assert spread.p50 == statistics.median_low(times)
    assert spread.p50 <= spread.p99 <= spread.longest
    assert window.cycles == 0
    assert window.read() == {}


def test_the_stages_of_a_retargeter_are_its_cycle() -> None:
    """Whether a frame is followed, refused, or only looked at: its stages add up to ``solve_ms``;
    a hand that moves has spent time in all of them."""
    ticks = itertools.count(0, 1000)
    retargeter, now = Retargeter(SPEC, lambda: next(ticks)), PERIOD_NS
    still, moved = frame(), shifted(frame(), "right", np.array([0.02, 0.0, 0.0]))
    loose = frame(left_squeeze=0.0, right_squeeze=0.0)
    broken = frame(head=(float("nan"),) * 7)
    seen = []
    for shown in (loose, still, moved, broken):
        now += PERIOD_NS
        result = retargeter.update(shown, JOINTS, now, now)
        assert set(retargeter.stages) == set(STAGES)
        assert sum(retargeter.stages.values()) == pytest.approx(result.solve_ms)
        seen.append(retargeter.stages)
    assert all(spent > 0.0 for spent in seen[2].values())
    assert seen[3]["solve"] == seen[3]["hands"] == 0.0
