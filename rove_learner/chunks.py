"""Which frames of an episode may be learnt from, and how far a chunk may reach from each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.errors import ContractError
from rove_core.vocabulary import Stage


def frames_left(
    stage: npt.NDArray[Any], authority: npt.NDArray[Any], segment: npt.NDArray[Any]
) -> npt.NDArray[np.intp]:
    """Return (T,): frames from each one to the end of its run, itself included; 0 = never learn.

    A run is a stretch of one segment (no cut inside), one stage and one authority. Stage NONE
    (alignment, clutch, pause, hold) is cut from learning.

    Args:
        stage: (T,) ``Stage`` of each frame.
        authority: (T,) ``Authority`` of each frame.
        segment: (T,) number of the uncut stretch that each frame lies in.

    Raises:
        ContractError: the arrays differ in length.
    """
    if not stage.shape == authority.shape == segment.shape or stage.ndim != 1:
        shapes = f"{stage.shape}, {authority.shape}, {segment.shape}"
        raise ContractError(f"stage, authority, segment: shapes {shapes} given, (T,) each allowed")
    left = np.zeros(len(stage), dtype=np.intp)
    for t in range(len(stage) - 1, -1, -1):
        if stage[t] == Stage.NONE:
            continue
        goes_on = (
            t + 1 < len(stage)
            and stage[t + 1] == stage[t]
            and authority[t + 1] == authority[t]
            and segment[t + 1] == segment[t]
        )
        left[t] = 1 + (left[t + 1] if goes_on else 0)
    return left


def chunk_rows(
    left: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], horizon: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the frames that the rows of chunks come from, and which rows count.

    Row ``h`` of a chunk that starts at frame ``t`` is the target of frame ``t + h``. Rows past
    the end of the run repeat its last frame and do not count.

    Args:
        left: (T,) from :func:`frames_left`.
        starts: (S,) frames with ``left > 0``.
        horizon: H.

    Returns:
        (S, H) frames and (S, H) bool, True where a row counts.
    """
    offset = np.arange(horizon)[None]
    reach = left[starts][:, None]
    return starts[:, None] + np.minimum(offset, reach - 1), offset < reach
