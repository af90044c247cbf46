"""ActionChunk: joint targets that a policy proposes for the next moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ContractError

NS = 1_000_000_000


@dataclass(frozen=True)
class ActionChunk:
    """Absolute joint targets on an even time grid.

    Row ``i`` is due at ``start_ns + i * dt_ns``. A policy that was trained on frames of 20 Hz
    sets ``start_ns = observation_ns + dt_ns``: the target of a frame is the command in force
    when the next frame is taken.

    Attributes:
        observation_ns: ROS time of the observation that the chunk was made from, ns.
        start_ns: ROS time at which row 0 is due, ns.
        dt_ns: time between rows, ns.
        position: (H, N) rad, joint order of the spec.
        policy_digest: digest of the policy that made it.
        chunk_id: counts up from 1 for each run of the policy.
    """

    observation_ns: int
    start_ns: int
    dt_ns: int
    position: FloatArray
    policy_digest: str = ""
    chunk_id: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", frozen_floats(self.position, (None, None), "chunk"))
        if self.dt_ns <= 0:
            raise ContractError(f"chunk: dt_ns {self.dt_ns} given, > 0 allowed")
        if self.start_ns < self.observation_ns:
            raise ContractError(
                f"chunk: starts at {self.start_ns} ns, before its observation at "
                f"{self.observation_ns} ns"
            )

    @property
    def horizon(self) -> int:
        """Number of rows, H."""
        return int(self.position.shape[0])

    @property
    def end_ns(self) -> int:
        """ROS time at which the last row is due, ns."""
        return self.start_ns + (self.horizon - 1) * self.dt_ns

    def at(self, now_ns: int) -> FloatArray:
        """Return the (N,) target at a moment, rad: linear between rows, held before and after."""
        phase = (now_ns - self.start_ns) / self.dt_ns
        phase = min(max(phase, 0.0), self.horizon - 1.0)
        low = min(int(phase), self.horizon - 2) if self.horizon > 1 else 0
        if self.horizon == 1:
            return np.array(self.position[0])
        weight = phase - low
        result: FloatArray = (1.0 - weight) * self.position[low] + weight * self.position[low + 1]
        return result

    def expired(self, now_ns: int) -> bool:
        """Tell whether the last row's interval is over."""
        return now_ns > self.end_ns + self.dt_ns
