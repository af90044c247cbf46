"""Pairing: codes are single-use, short-lived and hard to guess; tokens are one operator's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rove_teleop.webxr.pairing import CODE_NS, GUESSES, TOKEN_NS, WINDOW_NS, PairingDesk


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1

    def __call__(self) -> int:
        """Return ns."""
        return self.now


def desk(clock: Clock) -> PairingDesk:
    """Return a desk whose codes count up from 11111111."""
    count = iter(range(11111111, 99999999))
    return PairingDesk(clock, lambda: str(next(count)))


def test_a_code_pairs_once() -> None:
    """The code that paired somebody pairs nobody else."""
    at = desk(Clock())
    code = at.code
    paired, why = at.pair(code, "ann", "quest")
    assert paired is not None
    assert not why
    assert at.pair(code, "bob", "quest")[0] is None
    assert at.paired == paired


def test_a_code_dies_of_age() -> None:
    """After its life a code is wrong and another one is shown."""
    clock = Clock()
    at = desk(clock)
    code = at.code
    clock.now += CODE_NS
    assert at.pair(code, "ann", "quest")[0] is None
    assert at.code != code
    assert at.pair(at.code, "ann", "quest")[0] is not None


@given(st.lists(st.tuples(st.text(max_size=12), st.integers(0, WINDOW_NS // 3)), max_size=40))
def test_guessing_is_limited(tries: list[tuple[str, int]]) -> None:
    """Whatever is typed, whenever: in no window are more than GUESSES guesses looked at, and
    nothing but the code pairs."""
    clock = Clock()
    at = desk(clock)
    looked: list[int] = []
    for text, wait in tries:
        clock.now += wait
        right = at.code
        paired, why = at.pair(text, "eve", "browser")
        assert (paired is not None) <= (text == right)
        if paired is None and not why.startswith("too many"):
            looked.append(clock.now)
    for start in looked:
        assert sum(start <= t < start + WINDOW_NS for t in looked) <= GUESSES


def test_a_code_dies_of_wrong_guesses_and_the_limit_ends() -> None:
    """The right code is not taken while guesses are limited; later the new one is."""
    clock = Clock()
    at = desk(clock)
    code = at.code
    for _ in range(GUESSES):
        assert at.pair("00000000", "eve", "browser")[0] is None
    assert at.code != code
    assert "wait" in at.pair(at.code, "ann", "quest")[1]
    clock.now += WINDOW_NS
    assert at.pair(at.code, "ann", "quest")[0] is not None


def test_a_token_is_the_newest_operators_for_a_day() -> None:
    """A token brings its operator back until somebody else pairs or it is too old."""
    clock = Clock()
    at = desk(clock)
    ann, _ = at.pair(at.code, "ann", "quest")
    assert ann is not None
    assert at.resume(ann.token)[0] == ann
    assert ann.token not in repr(ann)
    bob, _ = at.pair(at.code, "bob", "quest")
    assert bob is not None
    assert at.resume(ann.token)[0] is None
    clock.now += TOKEN_NS
    assert at.resume(bob.token)[0] is None
