"""Laws of labels as people give them: the set rate, and truth when there is no noise."""

from __future__ import annotations

import numpy as np
import pytest

from rove_core.errors import ConfigError
from rove_core.vocabulary import Outcome
from rove_sim.labels import LabelNoise


def test_without_noise_labels_are_the_truth() -> None:
    """Law: the default changes nothing."""
    rng, noise = np.random.default_rng(0), LabelNoise()
    for truth in Outcome:
        assert noise.outcome(truth, rng) is truth
    assert noise.mark(3.0, 1.0, 9.0, rng) == 3.0


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_outcomes_are_wrong_at_the_set_rate(rate: float) -> None:
    """Law: 4000 labels are wrong as often as asked (4 standard deviations), aborted ones never."""
    rng, noise = np.random.default_rng(1), LabelNoise(outcome_rate=rate)
    wrong = np.mean([noise.outcome(Outcome.SUCCESS, rng) is Outcome.FAILURE for _ in range(4000)])
    assert abs(wrong - rate) < 4 * np.sqrt(rate * (1 - rate) / 4000)
    for truth in (Outcome.ABORTED, Outcome.UNKNOWN):
        assert all(noise.outcome(truth, rng) is truth for _ in range(200))


def test_marks_are_late_spread_and_missed_as_set() -> None:
    """Law: share of missed marks, mean delay and spread are those asked for; none leaves its
    episode."""
    rng = np.random.default_rng(2)
    noise = LabelNoise(mark_missed=0.1, mark_delay_s=0.4, mark_spread_s=0.3)
    marks = [noise.mark(5.0, 0.0, 10.0, rng) for _ in range(4000)]
    made = np.array([mark for mark in marks if mark is not None])
    assert abs(1 - len(made) / 4000 - 0.1) < 0.02
    assert abs(made.mean() - 5.4) < 0.02
    assert abs(made.std() - 0.3) < 0.02
    assert all(4.9 <= (noise.mark(5.0, 4.9, 5.1, rng) or 5.0) <= 5.1 for _ in range(200))


def test_a_wrong_label_does_not_change_what_is_drawn_next() -> None:
    """Law: labels of one episode do not move those of the next: the chance is used up equally."""
    states = []
    for rate in (0.0, 1.0):
        rng = np.random.default_rng(3)
        LabelNoise(outcome_rate=rate, mark_missed=rate).outcome(Outcome.SUCCESS, rng)
        LabelNoise(mark_missed=rate).mark(1.0, 0.0, 2.0, rng)
        states.append(rng.random())
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome_rate": 1.5},
        {"mark_missed": -0.1},
        {"mark_delay_s": -1.0},
        {"mark_spread_s": float("nan")},
    ],
)
def test_impossible_rates_are_refused(wrong: dict[str, float]) -> None:
    """Law: the message names the rate, what was given and what is allowed."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LabelNoise(**wrong)
