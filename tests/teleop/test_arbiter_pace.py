"""A person may take over only where robot time keeps up with the wall."""

from hypothesis import given
from hypothesis import strategies as st

from rove_teleop.arbiter.pace import ClockPace


def _run(pace: ClockPace, ratio: float, seconds: float, start: float = 5.0, ros: int = 0) -> str:
    answer = ""
    for tick in range(int(seconds * 200)):
        now = start + tick / 200
        answer = pace.refusal(now, ros + int((now - start) * ratio * 1e9))
    return answer


@given(st.floats(0.05, 3.0))
def test_refuses_exactly_below_the_limit(ratio: float) -> None:
    """After two seconds the answer depends on the ratio alone."""
    refused = _run(ClockPace(0.9), ratio, 3.0) != ""
    if abs(ratio - 0.9) > 0.01:
        assert refused == (ratio < 0.9)


def test_no_limit_never_refuses() -> None:
    """0 switches the check off, also for a clock that stands still."""
    assert _run(ClockPace(0.0), 0.0, 3.0) == ""


def test_unknown_speed_is_no_speed() -> None:
    """Before a second has been seen, and after the clock jumped back, the answer is no."""
    pace = ClockPace(0.9)
    assert "not known" in _run(pace, 1.0, 0.5)
    assert _run(pace, 1.0, 3.0, start=6.0, ros=10**12) == ""
    assert "not known" in pace.refusal(9.2, 0)
