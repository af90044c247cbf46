"""Laws of the inbox and the pre-roll: bounded, in order, and every message is somewhere."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.recording.inbox import LARGE_BYTES, Arrival, Dropped, Inbox
from rove_core.bag.recording.preroll import JUMP_NS, PreRoll
from rove_core.errors import ContractError

S = 1_000_000_000


def arrival(stream: int, sequence: int, size: int = 10, log_ns: int = 0) -> Arrival:
    return Arrival(stream, bytes(size), sequence, log_ns, log_ns)


puts = st.tuples(st.integers(0, 2), st.sampled_from([10, 300, 20_000]))


@given(st.lists(st.one_of(puts, st.none()), max_size=80), st.integers(1, 60_000))
def test_every_message_is_taken_or_counted_as_dropped(actions, capacity):
    """For each stream the taken messages and the dropped runs, in order, are all that was put;
    what waits is never more than the capacity."""
    inbox = Inbox(capacity)
    counts = dict.fromkeys(range(3), 0)
    taken: list[Arrival | Dropped] = []
    accepted = 0
    for action in actions:
        if action is None:
            taken += inbox.take()
            continue
        stream, size = action
        counts[stream] += 1
        accepted += inbox.put(arrival(stream, counts[stream], size))
        assert inbox.waiting_bytes <= capacity
    taken += inbox.take()
    assert inbox.waiting_bytes == 0
    assert inbox.dropped == sum(counts.values()) - accepted
    for stream, count in counts.items():
        numbers: list[int] = []
        for item in taken:
            if item.stream == stream and isinstance(item, Arrival):
                numbers.append(item.sequence)
            elif item.stream == stream:
                assert item.count == item.last - item.first + 1
                numbers += range(item.first, item.last + 1)
        assert numbers == list(range(1, count + 1))


def test_pictures_are_dropped_before_commands():
    """When three quarters are full no picture fits any more, and small messages still do."""
    inbox = Inbox(4 * LARGE_BYTES)
    picture = LARGE_BYTES + 1
    results = [inbox.put(arrival(0, i + 1, picture)) for i in range(4)]
    assert results == [True, True, False, False]
    assert inbox.put(arrival(1, 1, 100))
    assert [type(item) for item in inbox.take()] == [Arrival, Arrival, Dropped, Arrival]


def test_unknown_counts_and_new_publishers_make_new_runs():
    """A run of dropped messages never joins two publishers; unknown counts stay unknown."""
    inbox = Inbox(1)
    for sequence in (8, 9, 1, 2):
        inbox.put(arrival(0, sequence))
    for _ in range(3):
        inbox.put(arrival(1, 0))
    runs = [(r.stream, r.first, r.last, r.count) for r in inbox.take()]
    assert runs == [(0, 8, 9, 2), (0, 1, 2, 2), (1, 0, 0, 3)]


def test_two_threads_lose_nothing():
    """With a taker that runs at the same time, the same law holds: all is taken or dropped."""
    inbox, total = Inbox(2_000), 30_000
    done = threading.Event()
    taken: list[Arrival | Dropped] = []

    def consume() -> None:
        while not done.is_set():
            taken.extend(inbox.take())

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in range(total):
        inbox.put(arrival(0, number + 1))
    done.set()
    consumer.join()
    taken.extend(inbox.take())
    numbers: list[int] = []
    for item in taken:
        more = [item.sequence] if isinstance(item, Arrival) else range(item.first, item.last + 1)
        numbers += more
    assert numbers == list(range(1, total + 1))


times = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, S // 2), st.integers(1, 400)), max_size=60
)


@given(times, st.sampled_from([0.0, 0.4, 2.0]), st.sampled_from([0, 500, 100_000]))
def test_the_pre_roll_is_the_newest_part(steps, seconds, capacity):
    """It is the longest end of what came that is within the time and the bytes, in order; the last
    message of each stream before it is kept as well."""
    pre_roll, came, now = PreRoll(seconds, capacity), [], 0
    for number, (stream, step, size) in enumerate(steps):
        now += step
        came.append(arrival(stream, number + 1, size, now))
        pre_roll.add(came[-1])
    wanted, room = [], capacity
    for item in reversed(came):
        room -= len(item.cdr)
        if room < 0 or item.log_ns < now - int(seconds * 1e9):
            break
        wanted.insert(0, item)
    assert pre_roll.bytes == sum(len(item.cdr) for item in wanted)
    before = came[: len(came) - len(wanted)]
    for stream in range(3):
        own = [item for item in came if item.stream == stream]
        assert pre_roll.last(stream) == (own[-1] if own else None)
    held, span = pre_roll.take(now)
    assert span == wanted
    assert {item.stream: item for item in held} == {item.stream: item for item in before}
    assert pre_roll.take(now)[1] == []
    assert pre_roll.bytes == 0


def test_a_clock_that_was_set_back_empties_the_pre_roll():
    """Messages from before a jump lie in the future and are not what came before a start."""
    pre_roll = PreRoll(2.0)
    pre_roll.add(arrival(0, 1, log_ns=100 * S))
    pre_roll.add(arrival(0, 2, log_ns=100 * S - JUMP_NS // 2))  # out of order, no jump
    pre_roll.add(arrival(1, 1, log_ns=50 * S))
    pre_roll.add(arrival(1, 2, log_ns=51 * S))
    held, span = pre_roll.take(51 * S)
    assert [(item.stream, item.sequence) for item in span] == [(1, 1), (1, 2)]
    assert [(item.stream, item.sequence) for item in held] == [(0, 2)]


def test_what_was_published_before_the_last_stop_is_left_out():
    """Late commands of the episode before do not become the beginning of the next one."""
    pre_roll = PreRoll(2.0)
    for number, published in enumerate((10, 30, 20, 40)):
        pre_roll.add(Arrival(0, b"", number + 1, published, number))
    held, span = pre_roll.take(4, after_publish_ns=20)
    assert [item.sequence for item in span] == [2, 4]
    assert [item.sequence for item in held] == [3]


@pytest.mark.parametrize("now", [30, 1])
def test_what_is_old_when_the_span_ends_is_left_out(now):
    """Was: a robot that had been silent for long got its old messages into the next bag, because
    only a new message let the old ones go. A clock that jumped back leaves none either."""
    pre_roll = PreRoll(2.0)
    pre_roll.add(arrival(0, 1, log_ns=20 * S))
    held, span = pre_roll.take(now * S)
    assert ([item.sequence for item in held], span) == ([1], [])


def test_bad_bounds_are_refused():
    """Negative or empty bounds are named."""
    with pytest.raises(ContractError, match="0 bytes given"):
        Inbox(0)
    with pytest.raises(ContractError, match=r"-1\.0 s and 5 bytes"):
        PreRoll(-1.0, 5)
