"""Laws of loss detection: what a publisher counted is seen, dropped or missing; nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.recording.sequence import SETTLE_MESSAGES, SETTLE_SECONDS, SequenceTracker


def missing(gaps) -> list[int]:
    return [number for gap in gaps for number in range(gap.first, gap.first + gap.count)]


@st.composite
def deliveries(draw):
    """A base, and for each count after it: lost or not, how far it is overtaken, how often."""
    base = draw(st.integers(2, 10**6))
    lost = draw(st.lists(st.booleans(), min_size=1, max_size=150))
    numbers = [base] + [base + 1 + i for i, gone in enumerate(lost) if not gone]
    # Each may be overtaken by a few, and come twice; the first and the last one stay in place.
    delays = draw(st.lists(st.integers(0, 8), min_size=len(numbers), max_size=len(numbers)))
    inner = sorted(range(1, len(numbers) - 1), key=lambda i: (i + delays[i], i))
    order = [0, *inner, len(numbers) - 1] if len(numbers) > 1 else [0]
    twice = draw(st.sets(st.sampled_from(order))) if order else set()
    stream = []
    for position in order:
        stream.append(numbers[position])
        if position in twice:
            stream.append(numbers[position])
    gone = sorted(set(range(base, max(numbers) + 1)) - set(numbers))
    return stream, gone


@given(deliveries())
def test_exactly_the_missing_counts_are_lost(delivery):
    """Every count between the first and the last that never came is in one gap; duplicates and
    messages that were overtaken are in none."""
    stream, gone = delivery
    tracker = SequenceTracker()
    gaps = [gap for number in stream for gap in tracker.seen(number, 0.0)]
    assert sorted(missing([*gaps, *tracker.settle()])) == gone
    assert tracker.settle() == []


@given(
    st.integers(2 * SETTLE_MESSAGES, 10**6),
    st.integers(1, SETTLE_MESSAGES),
    st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_a_new_publisher_counts_from_one(old, first, lost):
    """After a restart the counts before the first one heard are missing, and no others but those
    that are: what the dead publisher had in its counter means nothing."""
    tracker = SequenceTracker()
    tracker.seen(old, 0.0)
    numbers = [first] + [first + 1 + i for i, gone in enumerate(lost) if not gone]
    gaps = [gap for number in numbers for gap in tracker.seen(number, 1.0)]
    wanted = set(range(1, max(numbers) + 1)) - set(numbers)
    assert sorted(missing([*gaps, *tracker.settle()])) == sorted(wanted)


@given(st.integers(1, 1000), st.integers(1, 50), st.integers(1, 50), st.integers(0, 20))
def test_dropped_counts_are_not_missing(base, before, dropped, after):
    """Messages that arrived and were dropped are counted there and in no gap; what is missing
    before them is."""
    tracker = SequenceTracker()
    tracker.seen(base, 0.0)
    first = base + 1 + before
    gaps = tracker.dropped(first, first + dropped - 1, 0.0)
    for number in range(first + dropped, first + dropped + after):
        gaps += tracker.seen(number, 0.0)
    assert missing([*gaps, *tracker.settle()]) == list(range(base + 1, first))


def test_a_gap_is_given_up_after_its_time():
    """A gap that may still fill up is told after SETTLE_SECONDS, or after so many messages."""
    tracker = SequenceTracker()
    tracker.seen(1, 0.0)
    assert tracker.seen(4, 1.0) == []
    assert tracker.settle(1.0 + SETTLE_SECONDS / 2) == []
    assert missing(tracker.settle(1.0 + SETTLE_SECONDS)) == [2, 3]

    told = [tracker.seen(number, 2.0) for number in range(6, 8 + SETTLE_MESSAGES)]
    assert missing(gap for gaps in told for gap in gaps) == [5]


@pytest.mark.parametrize("numbers", [[0, 0, 0], [1], [7, 7, 7], [1, 2, 3, 1]])
def test_nothing_is_lost_where_nothing_is_known(numbers):
    """Counts that are unknown, one alone, the same again: no gap."""
    tracker = SequenceTracker()
    assert [gap for n in numbers for gap in tracker.seen(n, 0.0)] + tracker.settle() == []
