"""The quadratic program: least squares within bounds and walls, by daqp."""

from __future__ import annotations

import math

import daqp
import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled

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
        self._hessian, self._linear = np.empty((n, n)), np.empty(n)
        _normal_equations(rows, target, weight, pull, self._hessian, self._linear)
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


@compiled("void(f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[::1])")
def _normal_equations(
    rows: FloatArray,
    target: FloatArray,
    weight: FloatArray,
    pull: FloatArray,
    hessian: FloatArray,
    linear: FloatArray,
) -> None:
    """Fill in A'A + diag(w), (n, n), and -(A'b + p), (n,); see ``LeastSquares``."""
    n = len(weight)
    hessian[:] = 0.0
    for i in range(n):
        hessian[i, i] = weight[i]
        linear[i] = -pull[i]
    for r in range(len(rows)):
        for i in range(n):
            factor = rows[r, i]
            if factor != 0.0:  # a joint moves few of the frames
                linear[i] -= factor * target[r]
                for k in range(i + 1):
                    hessian[i, k] += factor * rows[r, k]
    for i in range(n):
        for k in range(i):
            hessian[k, i] = hessian[i, k]
