"""Intervals for success rates; a bare percentage is never reported."""

from __future__ import annotations

import math
from statistics import NormalDist

from rove_core.errors import ContractError


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a success rate, 0..1 (Wilson 1927).

    Unlike ``rate +- error`` it stays inside 0..1 and means something for 0 and for all successes.

    Raises:
        ContractError: no trial, more successes than trials, or a confidence outside 0..1.
    """
    if trials < 1 or not 0 <= successes <= trials or not 0.0 < confidence < 1.0:
        raise ContractError(
            f"wilson: {successes} successes of {trials} trials at {confidence} given; "
            "0 <= successes <= trials, trials >= 1, 0 < confidence < 1 allowed"
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, weight = successes / trials, z * z / trials
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / trials + weight / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)
