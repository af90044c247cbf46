"""What a benchmark yields."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Result:
    """One figure.

    Attributes:
        name: what was measured, with its conditions.
        value: the figure, in ``unit``.
        unit: of value, baseline and target.
        baseline: what it is compared with, measured in the same run or a budget; nan: nothing.
        target: the bound that value must keep.
        higher_is_better: the bound is a lower one.
    """

    name: str
    value: float
    unit: str
    baseline: float
    target: float
    higher_is_better: bool = False

    @property
    def ratio(self) -> float:
        """Value over baseline."""
        return self.value / self.baseline

    @property
    def ok(self) -> bool:
        """Whether the value keeps its bound; a value that is not finite keeps none."""
        if not math.isfinite(self.value):
            return False
        return self.value >= self.target if self.higher_is_better else self.value <= self.target

    def line(self) -> str:
        """Return the JSON line; nan becomes null."""
        entry = {**asdict(self), "ratio": self.ratio, "ok": self.ok}
        shown = {
            key: (_rounded(number) if isinstance(number, float) else number)
            for key, number in entry.items()
        }
        return json.dumps(shown)


def _rounded(number: float) -> float | None:
    return float(f"{number:.4g}") if math.isfinite(number) else None


def percentile(samples: list[float], percent: float) -> float:
    """Return the nearest-rank percentile of at least one sample."""
    rank = math.ceil(percent / 100 * len(samples))
    return sorted(samples)[max(rank, 1) - 1]
