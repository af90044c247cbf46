"""Labels as people give them: now and then wrong, early, late or forgotten.

The physics knows the truth. A person who judges an episode or marks the end of the adaptation
(``t_r``) does not, so both can be made noisy at a set rate before they are recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.errors import ConfigError
from rove_core.vocabulary import Outcome

FLIPPED = {Outcome.SUCCESS: Outcome.FAILURE, Outcome.FAILURE: Outcome.SUCCESS,
           Outcome.TIMEOUT: Outcome.SUCCESS}  # fmt: skip

LABELS = 7  # keeps the chance of noisy labels apart from that of the scene


def label_chance(seed: int) -> np.random.Generator:
    """Return the source of chance for the labels of one episode, apart from that of its scene.

    Args:
        seed: of the episode's scene; the graph and fast collection label a seed alike.
    """
    return np.random.default_rng([seed, LABELS])


@dataclass(frozen=True)
class LabelNoise:
    """How unreliable labels are; the default is the truth.

    Attributes:
        outcome_rate: share of endings that are labelled the other way round. An aborted or
            unknown ending stays what it is.
        mark_missed: share of marks that are never made.
        mark_delay_s: s by which a mark is late on average: a person marks what they have seen.
        mark_spread_s: s, standard deviation of a mark's time; it may also come too early.

    Raises:
        ConfigError: a rate that is no share, a time that is negative.
    """

    outcome_rate: float = 0.0
    mark_missed: float = 0.0
    mark_delay_s: float = 0.0
    mark_spread_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("outcome_rate", "mark_missed"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(name, getattr(self, name), "0 to 1", "label noise")
        for name in ("mark_delay_s", "mark_spread_s"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ConfigError(name, getattr(self, name), "0 s or more", "label noise")

    def outcome(self, truth: Outcome, rng: np.random.Generator) -> Outcome:
        """Return the label of an ending."""
        wrong = rng.random() < self.outcome_rate  # drawn in every case: what follows is the same
        return FLIPPED.get(truth, truth) if wrong else truth

    def mark(
        self, truth_s: float, first_s: float, last_s: float, rng: np.random.Generator
    ) -> float | None:
        """Return when the end of the adaptation is marked, s; None: never.

        Args:
            truth_s: when it ended.
            first_s, last_s: start of the intervention and end of the episode; marks stay between.
            rng: source of chance.
        """
        missed = rng.random() < self.mark_missed
        shift = self.mark_delay_s + self.mark_spread_s * float(rng.standard_normal())
        return None if missed else float(np.clip(truth_s + shift, first_s, last_s))
