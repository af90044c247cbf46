"""Rewards of an episode (ROVE §3.1), one a frame, and what they say about the range of values.

Frames count from 0; ``T`` is the last one. gamma is 1 unless a caller says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rove_core.errors import ConfigError, ContractError

FloatArray = npt.NDArray[np.float64]

STEP = -1.0
"""Reward of every other step: the return encodes time (§3.1)."""


class Boundary(StrEnum):
    """How the penalty at ``t_r``, the end of an adaptation, enters the return (*ours*)."""

    REWARD = "reward"
    """As the equation is written: ``C_fail`` is paid and the return goes on."""
    TERMINAL = "terminal"
    """``C_fail`` ends it: nothing before ``t_r`` bootstraps across it."""
    GRADED = "graded"
    """``C_rescue`` is paid instead: a rescue costs less than a failure."""


@dataclass(frozen=True)
class RewardConfig:
    """What an ending and a rescue cost, in steps.

    Attributes:
        boundary: see ``Boundary``; the default is the paper's.
        c_fail: C_fail, -500 in fine-tuning (§3.1).
        c_fail_lengths: k above 0 replaces ``c_fail`` by -k times the mean length of the
            episodes (*ours*: -500 belongs to episodes of a few hundred steps); 0 does not.
        c_rescue: C_rescue of ``graded`` (*ours*).
        gamma: discount.
    """

    boundary: Boundary = Boundary.REWARD
    c_fail: float = -500.0
    c_fail_lengths: float = 0.0
    c_rescue: float = -50.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if self.boundary not in list(Boundary):
            raise ConfigError("boundary", self.boundary, [b.value for b in Boundary], "rewards")
        object.__setattr__(self, "boundary", Boundary(self.boundary))
        for name in ("c_fail", "c_rescue"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) < 0):
                raise ConfigError(name, getattr(self, name), "a finite number below 0", "rewards")
        if not (np.isfinite(self.c_fail_lengths) and self.c_fail_lengths >= 0):
            raise ConfigError("c_fail_lengths", self.c_fail_lengths, "0 or above", "rewards")
        if not 0 < self.gamma <= 1:
            raise ConfigError("gamma", self.gamma, "above 0 to 1", "rewards")

    def fixed(self, lengths: Sequence[int]) -> RewardConfig:
        """Return the same with ``c_fail`` as a number: -k times the mean of ``lengths``, frames."""
        if not self.c_fail_lengths:
            return self
        if not len(lengths):
            raise ContractError("C_fail from lengths: no episode given, at least 1 needed")
        c_fail = -self.c_fail_lengths * float(np.mean(lengths))
        return RewardConfig(self.boundary, c_fail, 0.0, self.c_rescue, self.gamma)

    @property
    def at_boundary(self) -> float:
        """Reward at ``t_r``."""
        return self.c_rescue if self.boundary == Boundary.GRADED else self.c_fail


def rewards(
    length: int, success: bool | None, recoveries: Sequence[int], config: RewardConfig
) -> FloatArray:
    """Return the (length,) rewards of an episode (§3.1).

    The cases of the equation, with *ours* where it is silent: every failed ending, whoever drove
    and a time-out included, gets ``C_fail`` at T; when T is also a ``t_r`` a failed ending is
    paid once, and a success that nobody was seen to recover still pays the boundary (adaptation
    must not look like recovery).

    Args:
        length: T + 1 frames after cutting.
        success: how it ended; None: it has no terminal label, T is a step like others.
        recoveries: frames ``t_r``, one an intervention.
        config: costs; ``c_fail_lengths`` already fixed.

    Raises:
        ContractError: no frames, or a ``t_r`` outside the episode.
    """
    if length < 1 or any(not 0 <= t < length for t in recoveries):
        raise ContractError(
            f"rewards: {length} frames, t_r {list(recoveries)} given; frames >= 1, "
            "0 <= t_r < frames allowed"
        )
    result = np.full(length, STEP)
    if success is not None:
        result[-1] = 0.0 if success else config.c_fail
    for t in recoveries:
        if success is False and t == length - 1:
            continue  # t_r == T: paid once
        result[t] = config.at_boundary
    return result


def value_range(
    sequences: Sequence[FloatArray], success: Sequence[bool | None], config: RewardConfig
) -> tuple[float, float]:
    """Return (lowest, highest) value that these episodes allow (*ours*).

    The highest is 0: no step is worth more. The lowest is that of the worst episode from its
    start, an unlabelled ending counted as a failure. Targets are clipped to it, for with gamma 1
    nothing else stops a value that drifts.
    """
    lowest = 0.0
    for row, ended in zip(sequences, success, strict=True):
        lowest = min(lowest, float(row.sum()) + (config.c_fail if ended is None else 0.0))
    return lowest, 0.0
