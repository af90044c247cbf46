"""Laws of the latency ledger: times are differences of stamps, whatever order these come in."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.latency.commands import CommandLedger
from rove_core.latency.ledger import FEW, OPEN, Ledger, LegReport, nearest_rank
from rove_core.latency.legs import CAMERA_LEGS, LEGS, OPERATOR_LEGS, SUMS, Stamp, with_limits
from rove_core.latency.words import alarm_of, reports_of, words_of

MS = 1_000_000
WAY = (
    Stamp.CAPTURED,
    Stamp.RECEIVED,
    Stamp.RETARGETED,
    Stamp.DECIDED,
    Stamp.COMMANDED,
    Stamp.APPLIED,
)


@given(st.lists(st.integers(0, 50), min_size=5, max_size=5), st.permutations(range(6)), st.data())
def test_a_leg_is_the_difference_of_its_stamps(
    steps: list[int], order: list[int], data: st.DataObject
) -> None:
    """In whatever order and pieces the stamps come, each leg counts once, with its length."""
    times = [1_000 * MS]
    for step in steps:
        times.append(times[-1] + step * MS)
    ledger = Ledger(OPERATOR_LEGS)
    rest = list(order)
    while rest:
        some = data.draw(st.integers(1, len(rest)))
        ledger.note("frame", {WAY[i]: times[i] for i in rest[:some]}, 0.0)
        rest = rest[some:]
    ledger.note("frame", {WAY[i]: times[i] + 7 * MS for i in order}, 0.0)  # told again: no news
    for report in ledger.report(0.0):
        start, end = WAY.index(report.leg.start), WAY.index(report.leg.end)
        assert report.count == 1
        assert report.p50_ms == report.p99_ms == pytest.approx(sum(steps[start:end]))


def test_sums_are_the_legs_between_them() -> None:
    """Each sum goes from the start of a leg to the end of another, and they join without a hole."""
    for legs in (OPERATOR_LEGS, CAMERA_LEGS):
        parts = [leg for leg in legs if leg.key not in SUMS]
        assert all(a.end is b.start for a, b in itertools.pairwise(parts))
        for leg in legs:
            if leg.key in SUMS:
                assert leg.start in {part.start for part in parts}
                assert leg.end in {part.end for part in parts}
    assert len({leg.key for leg in LEGS}) == len(LEGS)


def test_unknown_stamps_and_disagreeing_clocks_give_no_time() -> None:
    """A stamp of 0 is not known; an end before its start is counted apart, never as a time."""
    ledger = Ledger(OPERATOR_LEGS)
    ledger.note(1, {Stamp.CAPTURED: 0, Stamp.RECEIVED: 5 * MS}, 0.0)
    ledger.note(2, {Stamp.CAPTURED: 9 * MS, Stamp.RECEIVED: 5 * MS}, 0.0)
    assert ledger.times("device") == []
    assert ledger.backwards == {"device": 1}
    ledger.complete(3, {Stamp.RECEIVED: 1, Stamp.COMMANDED: 2}, 0.0)  # nobody noted it
    assert ledger.times("frame_to_command") == []


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 90)), min_size=1, max_size=60))
def test_only_the_window_counts(steps: list[tuple[float, int]]) -> None:
    """A report is of the times of the last seconds and of no others."""
    ledger, now, told = Ledger(OPERATOR_LEGS, window_s=10.0), 0.0, []
    for key, (wait, ms) in enumerate(steps):
        now += wait
        ledger.note(key, {Stamp.CAPTURED: 10 * MS, Stamp.RECEIVED: (10 + ms) * MS}, now)
        told.append((now, float(ms)))
    kept = sorted(ms for when, ms in told if now - when <= 10.0)
    report = ledger.report(now)[0]
    assert (report.count, report.largest_ms) == (len(kept), kept[-1])
    assert report.p50_ms == kept[math.ceil(0.5 * len(kept)) - 1]


def test_memory_is_bounded() -> None:
    """Things whose later stamps never come are forgotten, the oldest first."""
    ledger = Ledger(OPERATOR_LEGS)
    for key in range(OPEN + 10):
        ledger.note(key, {Stamp.RECEIVED: MS}, 0.0)
    ledger.complete(5, {Stamp.COMMANDED: 2 * MS}, 0.0)
    ledger.complete(OPEN, {Stamp.COMMANDED: 2 * MS}, 0.0)
    assert ledger.times("frame_to_command") == [1.0]


@given(st.integers(0, 40), st.floats(0.1, 100))
def test_an_alarm_needs_a_limit_that_is_broken_often_enough(count: int, limit: float) -> None:
    """p99 above the limit with enough times is an alarm that names the leg and both figures."""
    legs = with_limits(OPERATOR_LEGS, {"device": limit})
    ledger = Ledger(legs)
    for key in range(count):
        ledger.note(key, {Stamp.CAPTURED: MS, Stamp.RECEIVED: 51 * MS}, 0.0)
    text = alarm_of(ledger.report(0.0))
    assert bool(text) is (count >= FEW and limit < 50.0)
    assert not text or (legs[0].name in text and "p99 50 ms" in text)


@given(
    st.lists(
        st.builds(
            LegReport,
            st.sampled_from(LEGS),
            st.integers(1, 10**6),
            *[st.floats(0, 1e5).map(lambda value: round(value, 1))] * 3,
        ),
        unique_by=lambda report: report.leg.key,
    )
)
def test_reports_come_back_from_their_words(reports: list[LegReport]) -> None:
    """What stands in /diagnostics is what was measured, to a tenth of a millisecond."""
    assert reports_of(words_of(reports)) == tuple(reports)


@given(st.dictionaries(st.sampled_from([leg.key for leg in LEGS]) | st.text(), st.text()))
def test_other_words_are_left_out(words: dict[str, str]) -> None:
    """Whatever a stranger writes there, nothing breaks."""
    assert reports_of(words) == ()


def test_a_percentile_is_one_of_the_values() -> None:
    """Nearest rank, as the benchmarks use it; of nothing it is not a number."""
    values = [float(value) for value in range(1, 101)]
    assert [nearest_rank(values, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert math.isnan(nearest_rank([], 50))


def test_the_limits_are_those_of_the_page() -> None:
    """docs/interfaces.md names every leg, its two ends and its limit."""
    page = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip(" `"): cells
        for line in page.splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    for leg in LEGS:
        cells = rows[leg.key]
        assert leg.start.value in cells[2]
        assert leg.end.value in cells[3]
        assert cells[4].strip() == f"{leg.limit_ms:g} ms"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_replaced_command_is_applied_by_the_one_after_it(ticks: list[tuple[bool, bool]]) -> None:
    """Each frame counts once: from its first command to the first applied one not before it."""
    ledger = Ledger(OPERATOR_LEGS, math.inf)
    ways = CommandLedger(ledger)
    frame, told, wanted, waiting = 0, [], [], []
    for sequence, (new, looked) in enumerate(ticks, 1):
        frame += new
        now = sequence * 5 * MS
        ways.commanded((1, frame), (9, sequence), {Stamp.COMMANDED: now}, 0.0)
        waiting += [now] if new else []
        if looked:
            told.append((sequence, now + MS))
            wanted += [(now + MS - begun) / MS for begun in waiting]
            waiting = []
    ways.applied(9, [s for s, _ in told], [ns for _, ns in told], 0.0)
    assert ledger.times("robot") == wanted


def test_commands_of_a_dead_arbiter_are_never_applied() -> None:
    """A robot that obeys the next epoch says nothing about what the one before asked for."""
    ledger = Ledger(OPERATOR_LEGS, math.inf)
    ways = CommandLedger(ledger)
    ways.commanded((1, 1), (9, 50), {Stamp.COMMANDED: MS}, 0.0)
    ways.commanded((1, 2), (10, 1), {Stamp.COMMANDED: 2 * MS}, 0.0)
    ways.applied(10, [1], [5 * MS], 0.0)
    assert ledger.times("robot") == [3.0]
