"""How far a trial may differ from the plain lab: ranges that are written down, and one dial.

``variation`` runs from 0 (the plain lab: only what a task always draws) to 1 (the whole range).
A quantity is drawn uniformly from ``variation`` times its range, around the plain value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """How far a quantity may be from its plain value at variation 1.

    Attributes:
        low, high: in ``unit``, added to the plain value (for ``share``: to 1, a factor).
        unit: m, rad, or ``share``.
        what: for people.
    """

    low: float
    high: float
    unit: str
    what: str

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low <= 0.0 <= self.high):
            raise ConfigError("range", (self.low, self.high), "low <= 0 <= high", self.what)

    def draw(self, rng: np.random.Generator, variation: float) -> float:
        """Return an offset; the draw costs the same chance at every variation."""
        return variation * float(rng.uniform(self.low, self.high))


def check_share(name: str, share: float) -> float:
    """Return a number from 0 (plain lab) to 1 (the whole range).

    Raises:
        ConfigError: it is not one.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(name, share, "0 (plain lab) to 1", f"argument {name}")
    return float(share)
