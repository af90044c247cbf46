"""The end of an adaptation, ``t_r`` (ROVE §3.1): where it is, and who says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rove_core.errors import ContractError
from rove_core.vocabulary import Stage

SMOOTHING = 5
"""Frames (0.25 s) of the running median: one odd picture must not decide."""

MARGIN = 5.0
"""Steps of return that the value must have gained by the end of the intervention: less is noise
of the critic."""


class Source(StrEnum):
    """Who decided where ``t_r`` is; stored with the label."""

    MARK = "mark"
    """The operator pressed the button."""
    VALUE = "value"
    """The value of the previous critic advances for good from there."""
    END = "end"
    """Neither: recovery was never reached, ``t_r = T``."""


@dataclass(frozen=True)
class Recovery:
    """``t_r`` of one intervention: frame after cutting, and its source."""

    frame: int
    source: Source


def interventions(
    stage: npt.NDArray[np.uint8], aligned: npt.ArrayLike
) -> tuple[tuple[int, int], ...]:
    """Return the first and the last frame of every intervention.

    One begins where a human takes over (adaptation or recovery after something else), where
    recovery is followed by adaptation, and where the operator aligned anew. A cut in the middle
    (clutch, hold) does not end it.

    Args:
        stage: (T+1,) of the frames after cutting.
        aligned: (T+1,) a number that changes when ALIGN was passed before the frame.
    """
    turn = np.asarray(aligned)
    human = np.isin(stage, (Stage.ADAPTATION, Stage.RECOVERY))
    spans: list[tuple[int, int]] = []
    for t in np.flatnonzero(human):
        goes_on = (
            t > 0
            and human[t - 1]
            and turn[t] == turn[t - 1]
            and not (stage[t - 1] == Stage.RECOVERY and stage[t] == Stage.ADAPTATION)
        )
        spans.append((spans.pop()[0], int(t)) if goes_on else (int(t), int(t)))
    return tuple(spans)


def recovery_by_value(
    values: npt.ArrayLike, span: tuple[int, int], length: int, margin: float = MARGIN
) -> Recovery:
    """Return ``t_r`` of an intervention without a mark (*ours*).

    From the last minimum of the smoothed value on, the human's motion never falls back below it:
    that is where it advances the value for good, if it gains ``margin`` by its end.

    Args:
        values: (T+1,) value of every frame, by the previous iteration's critic, steps.
        span: first and last frame of the intervention.
        length: T + 1.
        margin: steps.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (length,) or not np.isfinite(given).all():
        raise ContractError(f"t_r by value: {given.shape} values given, ({length},) finite allowed")
    begin, end = span
    smooth = running_median(given[begin : end + 1])
    lowest = len(smooth) - 1 - int(np.argmin(smooth[::-1]))
    if smooth[-1] - smooth[lowest] < margin:
        return Recovery(length - 1, Source.END)
    return Recovery(begin + lowest, Source.VALUE)


def running_median(
    values: npt.NDArray[np.float64], width: int = SMOOTHING
) -> npt.NDArray[np.float64]:
    """Return the centred running median, (T,); ends repeat their last value."""
    padded = np.pad(values, width // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    result: npt.NDArray[np.float64] = np.median(windows, axis=1)
    return result


def settle(
    recoveries: Sequence[Recovery],
    spans: Sequence[tuple[int, int]],
    values: npt.ArrayLike,
    length: int,
) -> tuple[Recovery, ...]:
    """Return the recoveries with those that no mark decided found by the value."""
    return tuple(
        recovery if recovery.source == Source.MARK else recovery_by_value(values, span, length)
        for recovery, span in zip(recoveries, spans, strict=True)
    )
