"""Before and after as numbers, and whether the difference between them means anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.intervals import wilson
from rove_learner.report.recording import Recording, Recordings

DRAWS = 10_000
"""Draws of a bootstrap or of a permutation test: p is good to 0.002 near 0.05."""
CHANCE = 0.05
"""A difference that chance makes this often or more is said to mean nothing."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured value over n episodes with its 95 % interval (nan without episodes)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """After minus before with its 95 % interval; ``p``: how often chance makes as large a one."""

    value: float
    low: float
    high: float
    p: float

    @property
    def means_something(self) -> bool:
        """Whether both the interval excludes 0 and shuffling rarely makes as large a difference.

        Both, because the bootstrap interval of a few equal episodes shrinks onto the estimate:
        1, 1, 1 takeovers against 0, 0, 0 would exclude 0, and chance still makes it in 1 of 10.
        """
        return not self.low <= 0 <= self.high and self.p < CHANCE


@dataclass(frozen=True)
class Measure:
    """One thing that is compared.

    Attributes:
        name: what it is, in words.
        unit: "" for a rate 0..1, else the unit of the values.
        higher_is_better: its direction.
        before, after: the estimates.
        difference: None when one side has no episode.
    """

    name: str
    unit: str
    higher_is_better: bool
    before: Estimate
    after: Estimate
    difference: Difference | None

    @property
    def verdict(self) -> str:
        """What the difference means, in one sentence."""
        if self.difference is None:
            side = "after" if self.before.n else "before"
            return f"Nothing to compare: no episode {side}."
        counts = f"{self.before.n} and {self.after.n} episodes"
        if self.difference.value == 0:
            return f"No difference in {counts}, which does not show that there is none."
        if not self.difference.means_something:
            return f"With {counts} this difference means nothing."
        better = (self.difference.value > 0) == self.higher_is_better
        chance = f"p = {self.difference.p:.3f}" if self.difference.p >= 0.001 else "p < 0.001"
        word = "Better" if better else "Worse"
        return f"{word}: chance alone rarely makes a difference this large ({chance})."


def compare(
    before: Recordings, after: Recordings, rng: np.random.Generator | None = None
) -> tuple[Measure, ...]:
    """Compare success without help and the help that was needed.

    Only trials count (``Recording.is_trial``); an aborted one counts as not succeeded.

    Args:
        before, after: the episodes.
        rng: for bootstrap and permutation; seeded with 0 by default, so that a report repeats.
    """
    rng = rng or np.random.default_rng(0)
    old, new = before.trials, after.trials
    alone = _column(old, _alone), _column(new, _alone)
    rate = Measure(
        "Success without help",
        "",
        True,
        rate_estimate(alone[0]),
        rate_estimate(alone[1]),
        rate_difference(*alone, rng),
    )
    return rate, *(
        Measure(
            name,
            unit,
            False,
            mean_estimate(_column(old, of), rng),
            mean_estimate(_column(new, of), rng),
            mean_difference(_column(old, of), _column(new, of), rng),
        )
        for name, unit, of in (
            ("Takeovers per episode", "takeovers", _takeovers),
            ("Human driving per episode", "s", _human),
        )
    )


def rate_estimate(successes: FloatArray) -> Estimate:
    """Return the rate of (n,) zeros and ones with its Wilson interval."""
    if not successes.size:
        return Estimate(math.nan, math.nan, math.nan, 0)
    low, high = wilson(int(successes.sum()), successes.size)
    return Estimate(float(successes.mean()), low, high, successes.size)


def rate_difference(
    before: FloatArray, after: FloatArray, rng: np.random.Generator
) -> Difference | None:
    """Return the difference of two rates with Newcombe's interval (1998, method 10)."""
    if not before.size or not after.size:
        return None
    a, b = rate_estimate(before), rate_estimate(after)
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return Difference(value, low, high, permutation_p(before, after, rng))


def mean_estimate(values: FloatArray, rng: np.random.Generator) -> Estimate:
    """Return the mean of (n,) values with its bootstrap interval; one value has no interval."""
    if not values.size:
        return Estimate(math.nan, math.nan, math.nan, 0)
    low, high = _interval(_resampled_means(values, rng)) if values.size > 1 else (math.nan,) * 2
    return Estimate(float(values.mean()), low, high, values.size)


def mean_difference(
    before: FloatArray, after: FloatArray, rng: np.random.Generator
) -> Difference | None:
    """Return the difference of two means with its bootstrap interval."""
    if not before.size or not after.size:
        return None
    low, high = _interval(_resampled_means(after, rng) - _resampled_means(before, rng))
    value = float(after.mean() - before.mean())
    return Difference(value, low, high, permutation_p(before, after, rng))


def permutation_p(before: FloatArray, after: FloatArray, rng: np.random.Generator) -> float:
    """Return how often shuffled labels make a difference of means at least as large (two-sided)."""
    pooled = np.concatenate([before, after])
    order = rng.random((DRAWS, pooled.size)).argsort(axis=1)
    shuffled = pooled[order]
    split = before.size
    made = np.abs(shuffled[:, split:].mean(axis=1) - shuffled[:, :split].mean(axis=1))
    measured = abs(after.mean() - before.mean())
    return float((np.sum(made >= measured - 1e-12) + 1) / (DRAWS + 1))


def _resampled_means(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    means: FloatArray = values[rng.integers(values.size, size=(DRAWS, values.size))].mean(axis=1)
    return means


def _interval(draws: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def _column(rows: Sequence[Recording], of: Callable[[Recording], float]) -> FloatArray:
    return np.array([of(row) for row in rows], dtype=np.float64)


def _alone(row: Recording) -> float:
    return float(row.succeeded_alone)


def _takeovers(row: Recording) -> float:
    return float(row.summary.takeovers)


def _human(row: Recording) -> float:
    return row.human_s


def overall(measures: Sequence[Measure]) -> str:
    """Say in one or two sentences what the comparison shows."""
    first = measures[0]
    if first.difference is None:
        return first.verdict
    counts = f"{first.before.n} episodes before and {first.after.n} after"
    telling = [m for m in measures if m.difference is not None and m.difference.means_something]
    if not telling:
        return f"With {counts}, none of the differences below means anything."
    words = "; ".join(f"{m.name.lower()}: {m.verdict.partition(':')[0].lower()}" for m in telling)
    return f"With {counts}, more than chance explains: {words}."
