"""Laws of the comparison: it finds what is there, and calls nothing what chance makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_examples import ALONE, HELPED, write_episode

from rove_core.vocabulary import Outcome
from rove_learner.report.comparison import (
    compare,
    mean_difference,
    mean_estimate,
    overall,
    permutation_p,
    rate_difference,
    rate_estimate,
)
from rove_learner.report.recording import Recordings, read_recordings


def draw() -> np.random.Generator:
    """Return the same generator each time."""
    return np.random.default_rng(5)


def outcomes(successes: int, n: int) -> np.ndarray:
    """Return n zeros and ones."""
    return np.r_[np.ones(successes), np.zeros(n - successes)]


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],
)
def test_difference_of_rates_is_newcombes(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """The intervals are those that Newcombe printed (1998, table II, method 10)."""
    found = rate_difference(outcomes(*second), outcomes(*first), draw())
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_permutation_agrees_with_counting() -> None:
    """Of the 20 ways to split 3 ones and 3 zeros into two threes, 2 are as extreme."""
    p = permutation_p(np.zeros(3), np.ones(3), draw())
    assert p == pytest.approx(2 / 20, abs=0.01)


def test_three_episodes_prove_nothing() -> None:
    """With 3 and 3 even all against none means nothing, though the bootstrap excludes 0."""
    for found in (
        rate_difference(np.zeros(3), np.ones(3), draw()),
        mean_difference(np.ones(3), np.zeros(3), draw()),
    ):
        assert found is not None
        assert not found.low <= 0 <= found.high
        assert not found.means_something


def test_a_real_difference_is_found() -> None:
    """Of 20 against 20 clearly different episodes the difference is named."""
    found = rate_difference(outcomes(4, 20), outcomes(16, 20), draw())
    assert found is not None
    assert found.means_something
    assert found.value == pytest.approx(0.6)


def test_chance_is_seldom_called_a_difference() -> None:
    """Between two samples of one policy a difference is claimed in about 1 of 20, not more."""
    rng = np.random.default_rng(0)
    claims = 0
    for _ in range(200):
        found = mean_difference(rng.poisson(1.0, 8) * 1.0, rng.poisson(1.0, 8) * 1.0, rng)
        assert found is not None
        claims += found.means_something
    assert claims <= 18  # 95 % of a binomial of 200 at 0.05 is 15


def test_estimates_hold_their_value_and_know_their_limits() -> None:
    """Intervals surround the value; no episode gives nan, one episode no interval of a mean."""
    rate = rate_estimate(outcomes(2, 3))
    assert 0 < rate.low < rate.value < rate.high < 1
    mean = mean_estimate(np.array([1.0, 2.0, 6.0]), draw())
    assert mean.low < mean.value == 3.0 < mean.high
    assert np.isnan(rate_estimate(np.zeros(0)).value)
    assert np.isnan(mean_estimate(np.array([4.0]), draw()).low)
    assert mean_estimate(np.array([4.0]), draw()).value == 4.0


@pytest.fixture
def few(tmp_path: Path) -> tuple[Recordings, Recordings]:
    """Two helped episodes and a failure before, two lone successes after."""
    for k in range(2):
        write_episode(tmp_path / "before" / f"h{k}", HELPED)
        write_episode(tmp_path / "after" / f"a{k}", ALONE)
    write_episode(tmp_path / "before" / "f", ALONE, Outcome.FAILURE)
    return read_recordings([tmp_path / "before"]), read_recordings([tmp_path / "after"])


def test_measures_come_from_the_bags(few: tuple[Recordings, Recordings]) -> None:
    """Success alone, takeovers and seconds of human are those of the episodes."""
    alone, takeovers, human = compare(*few)
    assert (alone.before.value, alone.after.value) == (0.0, 1.0)
    assert takeovers.before.value == pytest.approx(2 / 3)
    assert takeovers.after.value == 0
    assert human.before.value == pytest.approx(2 * 1.2 / 3, abs=0.03)
    assert (alone.before.n, alone.after.n) == (3, 2)


def test_a_difference_of_few_is_called_nothing_in_plain_words(
    few: tuple[Recordings, Recordings],
) -> None:
    """The words name the numbers of episodes, and the same data gives the same words."""
    measures = compare(*few)
    assert "With 3 and 2 episodes this difference means nothing" in measures[0].verdict
    assert overall(measures) == (
        "With 3 episodes before and 2 after, none of the differences below means anything."
    )
    assert measures == compare(*few)


def test_many_episodes_say_better_and_worse(few: tuple[Recordings, Recordings]) -> None:
    """The same episodes ten times over do mean something, in the right direction."""
    before, after = (Recordings(rows.good * 10) for rows in few)
    assert all(m.verdict.startswith("Better") for m in compare(before, after))
    assert all(m.verdict.startswith("Worse") for m in compare(after, before))
    assert "success without help: better" in overall(compare(before, after))


def test_one_side_alone_compares_nothing(few: tuple[Recordings, Recordings]) -> None:
    """Without episodes after, or before, there is no difference and the words say so."""
    before, after = few
    assert compare(before, Recordings())[0].difference is None
    assert "no episode after" in overall(compare(before, Recordings()))
    assert "no episode before" in overall(compare(Recordings(), after))
