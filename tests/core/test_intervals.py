"""A success rate is told with the interval that its number of trials allows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ContractError
from rove_core.intervals import wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_contains_the_rate_and_stays_inside(count: tuple[int, int]) -> None:
    """0 <= low <= rate <= high <= 1."""
    low, high = wilson(*count)
    assert 0.0 <= low <= count[0] / count[1] + 1e-12
    assert count[0] / count[1] - 1e-12 <= high <= 1.0


@given(counts)
def test_the_ends_solve_the_score_equation(count: tuple[int, int]) -> None:
    """Each end p is where |rate - p| is z standard errors of p (the definition)."""
    successes, trials = count
    for p in wilson(successes, trials):
        if 0.0 < p < 1.0:
            error = math.sqrt(p * (1 - p) / trials)
            assert abs(abs(successes / trials - p) - 1.959964 * error) < 1e-6


@given(counts)
def test_symmetric_in_success_and_failure(count: tuple[int, int]) -> None:
    """Counting failures instead mirrors the interval."""
    low, high = wilson(*count)
    mirrored = wilson(count[1] - count[0], count[1])
    assert mirrored == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("count", [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts(count: tuple[int, int]) -> None:
    """No trial has no rate."""
    with pytest.raises(ContractError, match="given"):
        wilson(*count)
