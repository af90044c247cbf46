"""Laws of ActionChunk: its rows at their times, linear between, held outside, never corrupted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rove_core.action import ActionChunk
from rove_core.errors import ContractError

chunks = st.builds(
    lambda position, start, wait, dt: ActionChunk(start - wait, start, dt, position),
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=st.floats(-10, 10)
    ),
    st.integers(0, 2**61),
    st.integers(0, 10**9),
    st.integers(1, 10**9),
)


@given(chunks)
def test_a_row_is_met_at_its_time(chunk):
    """at(start + i dt) is row i."""
    for i, row in enumerate(chunk.position):
        np.testing.assert_allclose(chunk.at(chunk.start_ns + i * chunk.dt_ns), row, atol=1e-12)


@given(chunks, st.floats(0, 1))
def test_between_rows_it_is_linear(chunk, share):
    """Between two rows the target is their mix by the share of the time that has passed."""
    for i in range(chunk.horizon - 1):
        passed = round(share * chunk.dt_ns)
        mix = passed / chunk.dt_ns
        expected = (1 - mix) * chunk.position[i] + mix * chunk.position[i + 1]
        at = chunk.at(chunk.start_ns + i * chunk.dt_ns + passed)
        np.testing.assert_allclose(at, expected, atol=1e-9)


@given(chunks, st.integers(-(2**60), 2**62))
def test_the_target_never_leaves_the_rows(chunk, now_ns):
    """At any time, long before and long after too, each joint stays within its rows."""
    target = chunk.at(now_ns)
    assert target.shape == (chunk.position.shape[1],)
    assert (target >= chunk.position.min(axis=0) - 1e-9).all()
    assert (target <= chunk.position.max(axis=0) + 1e-9).all()


@given(chunks, st.integers(0, 2**61))
def test_it_is_held_before_and_after(chunk, apart):
    """Before the first row is due it is row 0, after the last that one."""
    np.testing.assert_array_equal(chunk.at(chunk.start_ns - apart), chunk.position[0])
    np.testing.assert_allclose(chunk.at(chunk.end_ns + apart), chunk.position[-1], atol=1e-12)


@given(chunks)
def test_it_expires_when_the_last_interval_is_over(chunk):
    """The last row is good for one interval more."""
    assert not chunk.expired(chunk.end_ns + chunk.dt_ns)
    assert chunk.expired(chunk.end_ns + chunk.dt_ns + 1)


@given(chunks)
def test_nobody_changes_a_chunk(chunk):
    """Neither the array it was made from, nor a target it returned, reaches into a chunk."""
    source = np.array(chunk.position)
    mine = ActionChunk(0, 0, chunk.dt_ns, source)
    source[:] = 99.0
    np.testing.assert_array_equal(mine.position, chunk.position)
    with pytest.raises(ValueError, match="read-only"):
        mine.position[0, 0] = 1.0
    mine.at(0)[:] = 99.0
    np.testing.assert_array_equal(mine.position, chunk.position)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"position": np.zeros(3)}, r"shape \(3,\) given"),
        ({"position": np.zeros((0, 3))}, r"shape \(0, 3\) given"),
        ({"position": np.array([[0.0, np.nan]])}, r"index \(0, 1\) is not finite"),
        ({"position": [["a"]]}, "not a numeric array"),
        ({"dt_ns": 0}, "dt_ns 0 given, > 0 allowed"),
        ({"start_ns": 9}, "starts at 9 ns, before its observation at 10 ns"),
    ],
)
def test_a_bad_chunk_is_refused(fields, words):
    """Shape, finiteness, step and order of times are checked when it is made."""
    good = {"observation_ns": 10, "start_ns": 10, "dt_ns": 1, "position": np.zeros((1, 2))}
    ActionChunk(**good)
    with pytest.raises(ContractError, match=words):
        ActionChunk(**{**good, **fields})
