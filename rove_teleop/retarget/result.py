"""What one frame of an operator means for the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rove_core.arrays import FloatArray


@dataclass(frozen=True)
class RetargetResult:
    """What one frame means for the robot.

    Attributes:
        valid: False: do not follow; ``reason`` says why, ``position`` is the last good target.
        reason: "" when valid.
        enabled: a hand is squeezed and its origin is set, so ``position`` follows the operator.
        position: (N,) rad, joint order of the spec; the measured joints while nothing is enabled.
        position_error, orientation_error: m and rad, the largest over the hands. Enabled: how far
            a wrist of ``position`` is from where the operator holds it (out of reach, or still on
            its way). Not enabled, and in the frame that sets the first origin: alignment, see
            ``Retargeter``. NaN when no hand is tracked.
        solve_ms: time the call took, ms.
        finger_error, head_error: rad, see ``alignment``; NaN when not known.
    """

    valid: bool
    reason: str
    enabled: bool
    position: FloatArray
    position_error: float
    orientation_error: float
    solve_ms: float
    finger_error: float = math.nan
    head_error: float = math.nan
