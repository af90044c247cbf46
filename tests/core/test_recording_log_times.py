"""Laws of LogTimes: arrivals get the ROS time that was when they arrived, and keep their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.recording.log_times import LogTimes

MS = 1_000_000
START = 1_000 * 1_000 * MS


def test_without_simulation_it_is_the_time_of_arrival():
    """ROS time is wall time: so is the log time, to the nanosecond."""
    times = LogTimes()
    times.look(START, START)
    times.look(START + 20 * MS, START + 20 * MS)
    assert [times.ros_ns(START + k * MS + 7) for k in (0, 3, 19)] == [
        START + k * MS + 7 for k in (0, 3, 19)
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 100 * MS),
            st.integers(0, 300 * MS),
            st.lists(st.floats(0, 1), max_size=5),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_log_times_never_run_back(turns):
    """Slow, hurried and halting clocks: in order of arrival log times rise, and none leaves the
    span in which it arrived. A bag of a slow simulation was full of times that ran back."""
    times, wall, ros, last = LogTimes(), START, 5 * MS, 0
    times.look(wall, ros)
    for wall_step, ros_step, places in turns:
        before, before_ros = wall, ros
        wall, ros = wall + wall_step, ros + ros_step
        times.look(wall, ros)
        for place in sorted(places):
            found = times.ros_ns(before + int(place * wall_step))
            assert before_ros <= found <= ros
            assert found >= last
            last = found


def test_a_clock_that_was_set_is_followed_at_once():
    """After a jump of either clock arrivals get the new ROS time, not one between two worlds."""
    times = LogTimes()
    times.look(START, START)
    times.look(START + 20 * MS, 100)  # a simulation began anew
    assert times.ros_ns(START + 10 * MS) == 100
    times.look(START - 900 * MS, 120)  # somebody set the wall clock
    assert times.ros_ns(START + 30 * MS) == 120
    times.look(START - 880 * MS, 140)
    assert times.ros_ns(START - 890 * MS) == 130
    times.look(START - 860 * MS, START)  # the first /clock, decades later
    assert times.ros_ns(START - 870 * MS) == START


def test_what_waited_longer_than_a_turn_is_not_from_before_it():
    """A message that was not taken the turn before is logged no earlier than what was."""
    times = LogTimes()
    times.look(START, START)
    times.look(START + 20 * MS, START + 20 * MS)
    assert times.ros_ns(START - 300 * MS) == START
