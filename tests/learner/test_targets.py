"""Laws of H-step windows (ROVE §3.2), against episodes whose numbers are written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ContractError
from rove_learner.rewards import Boundary, RewardConfig
from rove_learner.targets import NONE, monte_carlo, windows

PAID, TERMINAL, GRADED = (RewardConfig(boundary) for boundary in Boundary)
WIDE = (-1e9, 0.0)
NAN = float("nan")


def check(found: object, wanted: list[float]) -> None:
    np.testing.assert_array_equal(np.asarray(found), np.array(wanted, dtype=float))


def test_windows_past_the_end_end_there() -> None:
    """Six frames, success, H 3, V(s_i) = -10 i: two bootstraps reach s_5, the rest end at T."""
    w = windows([0] * 6, True, [], 3, PAID)
    assert w.bootstrap.tolist() == [3, 4, 5, NONE, NONE, NONE]
    assert w.steps.tolist() == [3, 3, 3, 3, 2, 1]
    check(w.paid, [-3, -3, -3, -2, -1, 0])
    check(w.targets([0, -10, -20, -30, -40, -50], WIDE), [-33, -43, -53, -2, -1, 0])


def test_one_step_windows() -> None:
    """H 1: r_t + V(s_{t+1}), and r_T alone at the end."""
    w = windows([0] * 4, False, [], 1, PAID)
    assert w.bootstrap.tolist() == [1, 2, 3, NONE]
    check(w.targets([-7, -8, -9, -10], WIDE), [-9, -10, -11, -500])


def test_a_window_that_meets_a_cut_ends_there() -> None:
    """Cut after frame 2, H 4: frames 0-2 sum up to the cut and go on from the state after it."""
    w = windows([0, 0, 0, 1, 1, 1], True, [], 4, PAID)
    assert w.bootstrap.tolist() == [3, 3, 3, NONE, NONE, NONE]
    check(w.paid, [-3, -2, -1, -2, -1, 0])
    check(w.targets([0, 0, 0, -100, 0, 0], WIDE), [-103, -102, -101, -2, -1, 0])


def test_paid_boundaries_lie_inside_windows() -> None:
    """reward: C_fail is paid at t_r = 2 and the return goes on, H 2."""
    w = windows([0] * 5, True, [2], 2, PAID)
    check(w.paid, [-2, -501, -501, -1, 0])
    check(w.targets([-1, -2, -3, -4, -5], WIDE), [-5, -505, -506, -1, 0])


def test_nothing_bootstraps_across_a_terminal_boundary() -> None:
    """terminal: the same episode; windows that start up to t_r end at it, later ones do not."""
    w = windows([0] * 5, True, [2], 2, TERMINAL)
    assert w.bootstrap.tolist() == [2, NONE, NONE, NONE, NONE]
    check(w.targets([-1, -2, -3, -4, -5], WIDE), [-5, -501, -500, -1, 0])


def test_graded_boundaries_cost_less() -> None:
    """graded: the same episode pays -50 at t_r."""
    w = windows([0] * 5, True, [2], 2, GRADED)
    check(w.targets([-1, -2, -3, -4, -5], WIDE), [-5, -55, -56, -1, 0])


def test_a_failed_human_ending_is_a_failure() -> None:
    """t_r = 1 and the human fails at T = 3, H 2: both are paid, terminal stops at the first."""
    check(windows([0] * 4, False, [1], 2, PAID).targets([0] * 4, WIDE), [-501, -501, -501, -500])
    check(
        windows([0] * 4, False, [1], 2, TERMINAL).targets([0] * 4, WIDE), [-501, -500, -501, -500]
    )


def test_without_a_mark_the_end_is_the_boundary() -> None:
    """t_r = T: paid once when it failed, for every boundary alike."""
    for config in (PAID, TERMINAL, GRADED):
        check(windows([0] * 3, False, [2], 9, config).targets([0] * 3, WIDE), [-502, -501, -500])


def test_two_interventions() -> None:
    """t_r = 1 and 3, H 9: paid twice; terminal has three trajectories."""
    check(windows([0] * 6, True, [1, 3], 9, PAID).paid, [-1003, -1002, -502, -501, -1, 0])
    check(windows([0] * 6, True, [1, 3], 9, TERMINAL).paid, [-501, -500, -501, -500, -1, 0])
    check(windows([0] * 6, True, [1, 3], 9, GRADED).paid, [-103, -102, -52, -51, -1, 0])


def test_an_aborted_episode_alone_grounds_nothing() -> None:
    """No state without a target is bootstrapped from: no end, so no target anywhere."""
    w = windows([0] * 6, None, [], 2, PAID)
    assert w.closed.tolist() == [True] * 4 + [False] * 2
    assert w.bootstrap.tolist() == [2, 3, 4, 5, NONE, NONE]
    check(w.targets([0] * 6, WIDE), [NAN] * 6)
    check(w.backup([0, 0, -20, -30, -40, -50]), [-22, -32, -42, -52, NAN, NAN])


def test_inner_windows_of_an_aborted_episode_are_usable_once_its_tail_has_targets() -> None:
    """Anchored: the frames whose windows pass the end have targets from elsewhere."""
    w = windows([0] * 6, None, [], 2, PAID, anchored=True)
    check(w.targets([0, 0, -20, -30, -40, -50], WIDE), [-22, -32, -42, -52, NAN, NAN])


def test_a_terminal_boundary_grounds_what_comes_before_it() -> None:
    """Aborted after a terminal t_r = 2: frames up to it have targets, the tail has none."""
    w = windows([0] * 6, None, [2], 2, TERMINAL)
    check(w.targets([0] * 6, WIDE), [-2, -501, -500, NAN, NAN, NAN])


def test_targets_are_clipped_to_the_possible_range() -> None:
    """A value that drifted cannot drive a target further."""
    w = windows([0] * 3, True, [], 1, PAID)
    check(w.targets([0, -9000, 700], (-100.0, 0.0)), [-100, 0, 0])


def test_discounts_count_steps() -> None:
    """gamma .5, H 2: -1 - .5 + .25 V."""
    w = windows([0] * 4, True, [], 2, RewardConfig(gamma=0.5))
    check(w.targets([0, 0, -8, -16], WIDE), [-3.5, -5.5, -1, 0])


def test_a_horizon_of_nothing_is_refused() -> None:
    """H counts rewards."""
    with pytest.raises(ContractError, match="horizon 0"):
        windows([0], True, [], 0, PAID)
    with pytest.raises(ContractError, match="values"):
        windows([0, 0], True, [], 1, PAID).backup([0.0])


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.booleans(),
    st.sets(st.integers(0, 47), max_size=3),
    st.integers(1, 20),
    st.sampled_from(list(Boundary)),
    st.sampled_from([1.0, 0.9]),
)
def test_the_true_returns_are_the_fixed_point(
    lengths: list[int], success: bool, recoveries: set[int], horizon: int, boundary: Boundary,
    gamma: float,
) -> None:  # fmt: skip
    """Whatever the cuts, H and boundary: backing up the Monte-Carlo returns gives them back."""
    segment = np.repeat(np.arange(len(lengths)), lengths)
    n = len(segment)
    inside = [t for t in recoveries if t < n]
    config = RewardConfig(boundary, gamma=gamma)
    returns = monte_carlo(n, success, inside, config)
    w = windows(segment, success, inside, horizon, config)
    assert w.grounded.all()
    np.testing.assert_allclose(w.targets(returns, (-1e9, 0.0)), returns, atol=1e-6)


@given(
    st.integers(1, 40), st.sampled_from([True, False, None]),
    st.sets(st.integers(0, 39), max_size=3), st.integers(1, 20),
    st.sampled_from(list(Boundary)), st.booleans(),
)  # fmt: skip
def test_every_state_that_is_bootstrapped_from_has_a_target(
    n: int, success: bool | None, recoveries: set[int], horizon: int, boundary: Boundary,
    anchored: bool,
) -> None:  # fmt: skip
    """A kept window bootstraps from a kept one, or, when anchored, from the tail."""
    inside = [t for t in recoveries if t < n]
    w = windows([0] * n, success, inside, horizon, RewardConfig(boundary), anchored)
    for t in np.flatnonzero(w.grounded & (w.bootstrap != NONE)):
        ahead = w.bootstrap[t]
        assert ahead > t
        assert w.grounded[ahead] or (anchored and not w.closed[ahead])
