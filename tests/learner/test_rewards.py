"""Laws of rewards and returns (ROVE §3.1), against episodes whose numbers are written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError, ContractError
from rove_learner.rewards import Boundary, RewardConfig, rewards, value_range
from rove_learner.targets import monte_carlo

PAID = RewardConfig(Boundary.REWARD)
TERMINAL = RewardConfig(Boundary.TERMINAL)
GRADED = RewardConfig(Boundary.GRADED)


@pytest.mark.parametrize(
    ("config", "clean", "rescued", "failed"),
    [(PAID, -26, -532, -505), (TERMINAL, -26, -505, -505), (GRADED, -26, -82, -505)],
)
def test_the_table_of_the_method(
    config: RewardConfig, clean: float, rescued: float, failed: float
) -> None:
    """Five steps before the event, exact values, one line a boundary.

    Clean: 26 more steps, then success. Rescued: t_r in 5 steps, 27 more, success. Failed: in 5.
    """
    assert monte_carlo(27, True, [], config)[0] == clean
    assert monte_carlo(34, True, [5], config)[0] == rescued
    assert monte_carlo(6, False, [], config)[0] == failed


@pytest.mark.parametrize(
    ("length", "success", "recoveries", "wanted"),
    [
        (4, True, [], [-1, -1, -1, 0]),
        (4, False, [], [-1, -1, -1, -500]),
        (4, None, [], [-1, -1, -1, -1]),  # aborted: no terminal label
        (5, True, [2], [-1, -1, -500, -1, 0]),
        (5, False, [2], [-1, -1, -500, -1, -500]),  # a failed human ending is paid, too
        (6, True, [1, 3], [-1, -500, -1, -500, -1, 0]),  # two interventions
        (4, False, [3], [-1, -1, -1, -500]),  # no mark, failed: t_r = T is paid once
        (4, True, [3], [-1, -1, -1, -500]),  # no mark, success: adaptation is no recovery
        (4, None, [3], [-1, -1, -1, -500]),  # no mark, aborted: the boundary is still paid
        (1, True, [], [0]),
        (1, False, [0], [-500]),
    ],
)
def test_rewards_of_every_case(
    length: int, success: bool | None, recoveries: list[int], wanted: list[float]
) -> None:
    """0 at T on success, C_fail at T on any failed ending and at every t_r, else -1."""
    assert rewards(length, success, recoveries, PAID).tolist() == wanted


def test_a_rescue_costs_less_than_a_failure_only_when_graded() -> None:
    """C_rescue replaces C_fail at t_r; at T a failed ending still costs C_fail, once."""
    assert rewards(4, True, [1], GRADED).tolist() == [-1, -50, -1, 0]
    assert rewards(4, False, [1], GRADED).tolist() == [-1, -50, -1, -500]
    assert rewards(4, False, [3], GRADED).tolist() == [-1, -1, -1, -500]


def test_returns_of_written_out_episodes() -> None:
    """The sum from each frame on; a terminal t_r hides what follows from what came before."""
    assert monte_carlo(5, True, [2], PAID).tolist() == [-503, -502, -501, -1, 0]
    assert monte_carlo(5, True, [2], TERMINAL).tolist() == [-502, -501, -500, -1, 0]
    assert monte_carlo(5, False, [2], TERMINAL).tolist() == [-502, -501, -500, -501, -500]
    half = RewardConfig(gamma=0.5)
    assert monte_carlo(3, True, [], half).tolist() == [-1.5, -1, 0]


def test_an_aborted_episode_has_no_return() -> None:
    """Nobody knows what was still to come: every frame is left out of Monte-Carlo targets."""
    for config in (PAID, TERMINAL, GRADED):
        assert np.isnan(monte_carlo(4, None, [1], config)).all()


def test_c_fail_from_the_mean_length() -> None:
    """-k times the mean length, and the fixed number when k is 0."""
    assert RewardConfig(c_fail_lengths=2.0).fixed([40, 60]).c_fail == -100
    assert RewardConfig(c_fail=-7).fixed([40, 60]).c_fail == -7
    with pytest.raises(ContractError, match="no episode"):
        RewardConfig(c_fail_lengths=2.0).fixed([])


@pytest.mark.parametrize(
    "wrong", [{"boundary": "soft"}, {"c_fail": 1.0}, {"c_rescue": 0.0}, {"gamma": 0.0},
              {"gamma": 1.1}, {"c_fail_lengths": -1.0}, {"c_fail": float("nan")}],
)  # fmt: skip
def test_senseless_costs_are_refused(wrong: dict[str, object]) -> None:
    """A cost out of range names itself."""
    (name,) = wrong
    with pytest.raises(ConfigError, match=name):
        RewardConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "recoveries"), [(0, []), (3, [3]), (3, [-1])])
def test_a_boundary_outside_the_episode_is_refused(length: int, recoveries: list[int]) -> None:
    """Frames count from 0 to T."""
    with pytest.raises(ContractError, match="t_r"):
        rewards(length, True, recoveries, PAID)


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.booleans(), st.sets(st.integers(0, 39), max_size=3)),
        min_size=1, max_size=5,
    ),
    st.sampled_from(list(Boundary)),
)  # fmt: skip
def test_no_return_lies_outside_the_possible_range(
    episodes: list[tuple[int, bool, set[int]]], boundary: Boundary
) -> None:
    """Clipping to the range never changes a return that the data really holds."""
    config = RewardConfig(boundary)
    cases = [(n, ok, [t for t in ts if t < n]) for n, ok, ts in episodes]
    low, high = value_range(
        [rewards(n, ok, ts, config) for n, ok, ts in cases], [ok for _, ok, _ in cases], config
    )
    for n, ok, ts in cases:
        returns = monte_carlo(n, ok, ts, config)
        assert returns.min() >= low
        assert returns.max() <= high
