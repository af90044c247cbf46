"""Laws of chunks: none crosses a cut, a change of stage or a change of authority."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ContractError
from rove_core.vocabulary import Stage
from rove_learner.chunks import chunk_rows, frames_left

TICKS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2]), st.integers(0, 1)),
    min_size=1,
    max_size=40,
)


def arrays(
    ticks: list[tuple[int, int, int]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return stage, authority and segment; the third of a tick says whether a cut precedes it."""
    stage, authority, cut = np.array(ticks).T
    return stage, authority, np.cumsum(cut)


@given(TICKS, st.integers(1, 10))
def test_a_chunk_never_crosses(ticks: list[tuple[int, int, int]], horizon: int) -> None:
    """Every row that counts is of the start's segment, stage and authority, and follows it."""
    stage, authority, segment = arrays(ticks)
    left = frames_left(stage, authority, segment)
    starts = np.flatnonzero(left)
    rows, counts = chunk_rows(left, starts, horizon)
    for start, row, count in zip(starts, rows, counts, strict=True):
        assert count[0]
        assert row.max() < len(stage)
        used = row[count]
        assert list(used) == list(range(start, start + len(used)))
        between = slice(start, used[-1] + 1)
        for what in (stage, authority, segment):
            assert len(set(what[between])) == 1
        assert stage[start] != Stage.NONE


@given(TICKS)
def test_nothing_that_may_be_learnt_is_lost(ticks: list[tuple[int, int, int]]) -> None:
    """Exactly the ticks with a stage start a chunk, and a run counts down to 1 at its end."""
    stage, authority, segment = arrays(ticks)
    left = frames_left(stage, authority, segment)
    assert ((left > 0) == (stage != Stage.NONE)).all()
    for t in np.flatnonzero(left):
        same = t + 1 < len(stage) and all(
            what[t] == what[t + 1] for what in (stage, authority, segment)
        )
        assert left[t] == (left[t + 1] + 1 if same else 1)


def test_rows_past_the_end_repeat_and_do_not_count() -> None:
    """A run of three frames and H = 5: the last two rows repeat frame 2 and do not count."""
    left = frames_left(np.full(3, 1), np.full(3, 1), np.zeros(3, dtype=int))
    rows, counts = chunk_rows(left, np.array([0]), 5)
    assert rows.tolist() == [[0, 1, 2, 2, 2]]
    assert counts.tolist() == [[True, True, True, False, False]]


def test_arrays_of_different_length_are_refused() -> None:
    """A shifted provenance would label the wrong ticks."""
    with pytest.raises(ContractError, match=r"\(3,\).*\(2,\)"):
        frames_left(np.zeros(3), np.zeros(2), np.zeros(3))
