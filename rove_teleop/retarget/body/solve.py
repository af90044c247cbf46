"""The quadratic program: least squares within bounds and walls, by daqp."""

from __future__ import annotations

import math

import daqp
import numpy as np

from rove_core.arrays import FloatArray

SOLVED = (1, 2)  # daqp: optimal, or optimal with soft rows
REASONS = {
    -1: "bounds exclude each other", -2: "cycling", -3: "unbounded", -4: "too many iterations",
    -5: "not convex", -6: "bad start",
}  # fmt: skip


class LeastSquares:
    """Minimise |A x - b|^2 + sum w x^2 - 2 p x within low <= x <= high and walls x >= least.

    Args:
        rows, target: A (m, n) and b (m,).
        weight, pull: w and p, (n,); w above 0.
        low, high: (n,).
    """

    def __init__(
        self,
        rows: FloatArray,
        target: FloatArray,
        weight: FloatArray,
        pull: FloatArray,
        low: FloatArray,
        high: FloatArray,
    ) -> None:
        n = len(low)
        self._hessian = rows.T @ rows
        self._hessian.reshape(-1)[:: n + 1] += weight
        self._linear = target @ rows
        self._linear += pull
        np.negative(self._linear, self._linear)
        self.low, self.high, self._none = low, high, np.empty((0, n))

    def solve(
        self, walls: FloatArray | None = None, least: FloatArray | None = None
    ) -> tuple[FloatArray, str]:
        """Return (n,) and "", or anything and why there is no solution.

        Args:
            walls, least: (w, n) and (w,), or none.
        """
        low, high = self.low, self.high
        if walls is None or least is None:
            walls = self._none
        else:
            low = np.concatenate([low, least])
            high = np.concatenate([high, np.full(len(least), 1e30)])
        x, _, flag, _ = daqp.solve(self._hessian, self._linear, walls, high, low)
        if flag not in SOLVED:
            return x, REASONS.get(flag, f"solver status {flag}")
        return x, "" if math.isfinite(x @ x) else "solution not finite"
