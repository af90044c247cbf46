"""Laws of the device clock: the error is bounded by half the fastest round trip."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rove_core.latency.device_clock import LONGEST_TRIP_NS, WINDOW_NS, DeviceClock

MS = 1_000_000
delays = st.integers(0, 80 * MS)
trips = st.lists(st.tuples(delays, delays, st.integers(0, 50 * MS)), min_size=1, max_size=30)


def play(clock: DeviceClock, offset: int, rounds: list[tuple[int, int, int]], begin: int) -> int:
    """Let the robot tell, the device answer after a while; wall = device + offset. Return now."""
    now = begin
    for there, back, held in rounds:
        told = now
        heard = told + there - offset
        sent = heard + held
        now = sent + offset + back
        clock.heard(sent, now, told, heard)
        now += 1
    return now


@given(st.integers(-(10**15), 10**15), trips)
def test_round_trips_bound_the_error(offset: int, rounds: list[tuple[int, int, int]]) -> None:
    """However uneven the two ways are, a stamp is right to half the fastest round trip."""
    clock = DeviceClock()
    play(clock, offset, rounds, 10**18)
    fastest = min(there + back for there, back, _ in rounds)
    assert clock.round_trips
    assert clock.error_ns == fastest // 2
    assert abs(clock.wall_ns(12345) - (12345 + offset)) <= fastest // 2 + 1


@given(st.integers(-(10**15), 10**15), st.lists(delays, min_size=1, max_size=20))
def test_without_echo_the_fastest_message_took_no_time(offset: int, ways: list[int]) -> None:
    """Times of a device that echoes nothing are above the least one, and never negative."""
    clock, device = DeviceClock(), 10**17
    for way in ways:
        device += 100 * MS
        clock.heard(device, device + offset + way)
    assert not clock.round_trips
    assert clock.error_ns is None
    assert clock.wall_ns(device) == device + offset + min(ways)


@given(trips, trips, st.integers(-(10**13), 10**13))
def test_a_clock_that_drifts_or_is_set_is_read_anew(
    before: list[tuple[int, int, int]], after: list[tuple[int, int, int]], shift: int
) -> None:
    """Two windows later nothing of the old offset is left."""
    clock = DeviceClock()
    now = play(clock, 5 * MS, before, 10**18)
    for _ in range(2):  # each quiet window drops what is older
        now = play(clock, 5 * MS + shift, after, now + WINDOW_NS + 1)
    fastest = min(there + back for there, back, _ in after)
    assert abs(clock.wall_ns(0) - (5 * MS + shift)) <= fastest // 2 + 1


def test_nonsense_is_left_out() -> None:
    """Negative or endless round trips and answers before their question change nothing."""
    clock = DeviceClock()
    assert clock.wall_ns(1) == 0
    clock.heard(1_000, 5_000, told_ns=4_000, told_heard_ns=2_000)  # heard after it was sent
    clock.heard(1_000, 5_000, told_ns=9_000, told_heard_ns=900)  # told in the future
    clock.heard(1_000, 5_000 + LONGEST_TRIP_NS, told_ns=4_000, told_heard_ns=900)
    assert not clock.round_trips


def test_a_wall_clock_set_back_starts_anew() -> None:
    """What was learnt before the robot's clock was set back is wrong after it."""
    clock = DeviceClock()
    play(clock, 50 * MS, [(0, 0, 0)], 10**18)
    play(clock, -(10**12), [(3 * MS, 3 * MS, 0)], 10**18 - 10**12)
    assert abs(clock.wall_ns(0) + 10**12) <= 3 * MS + 1
