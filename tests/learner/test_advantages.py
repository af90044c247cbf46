"""Laws of advantages and labels (ROVE §3.3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightly_examples import A, C, N, R, write_episode
from test_data import robot

from rove_core.bag.episode import read_episode
from rove_core.errors import ConfigError, ContractError
from rove_learner.advantages import advantages, audit, folds, label, threshold
from rove_learner.episodes import from_bag
from rove_learner.rewards import Boundary, RewardConfig
from rove_learner.targets import monte_carlo, windows

NAN = float("nan")


def test_an_advantage_written_out() -> None:
    """H 2, success, V = -10 everywhere: -2 - 10 + 10 inside, and what is left at the end."""
    w = windows([0] * 5, True, [], 2, RewardConfig())
    assert advantages(w, [-10.0] * 5).tolist() == [-2, -2, -2, 9, 10]


def test_a_failure_is_seen_before_it_comes() -> None:
    """H 2, failed, V = -10: windows that hold the end say -491 and -490."""
    w = windows([0] * 4, False, [], 2, RewardConfig())
    assert advantages(w, [-10.0] * 4).tolist() == [-2, -2, -491, -490]


def test_cuts_and_boundaries_follow_the_windows() -> None:
    """A cut after frame 1, and t_r = 1, H 4, V = -10 (-20 after the cut)."""
    values = [-10.0, -10.0, -20.0, -20.0]
    paid = windows([0, 0, 1, 1], True, [1], 4, RewardConfig())
    assert advantages(paid, values).tolist() == [-511, -510, 19, 20]
    stop = windows([0, 0, 1, 1], True, [1], 4, RewardConfig(Boundary.TERMINAL))
    assert advantages(stop, values).tolist() == [-491, -490, 19, 20]


def test_inner_windows_of_an_aborted_episode_have_advantages() -> None:
    """Those that pass its end have none."""
    w = windows([0] * 5, None, [], 2, RewardConfig())
    np.testing.assert_array_equal(advantages(w, [0.0] * 5), [-2, -2, -2, NAN, NAN])


@given(st.integers(1, 30), st.booleans(), st.integers(1, 20))
def test_the_true_value_has_no_advantage(n: int, success: bool, horizon: int) -> None:
    """V = the return: nothing is better or worse than expected."""
    w = windows([0] * n, success, [], horizon, RewardConfig())
    np.testing.assert_allclose(advantages(w, monte_carlo(n, success, [], RewardConfig())), 0.0)


@given(
    st.lists(st.floats(-500, 500, width=32), min_size=3, max_size=200, unique=True),
    st.floats(0.05, 0.95),
)
def test_without_ties_the_share_is_met(values: list[float], share: float) -> None:
    """The number of high ones is as near to the wish as a whole number can be, at least one."""
    high = (np.array(values) > threshold(values, share)).sum()
    assert high >= 1
    assert high == 1 or abs(high - share * len(values)) <= 0.5 + 1e-9


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.floats(0.05, 1.0))
def test_ties_get_one_label_and_something_is_always_high(values: list[int], share: float) -> None:
    """`>` reproduces the labels; no other whole group would bring the share nearer."""
    given_ = np.array(values, dtype=float)
    high = given_ > threshold(given_, share)
    assert high.any()
    shares = [(given_ >= level).sum() for level in np.unique(given_)]
    wish = share * len(given_)
    assert abs(high.sum() - wish) == min(abs(n - wish) for n in shares)


def test_a_tied_quantile_written_out() -> None:
    """Eight of ten are 0, one is above: `> quantile` would leave one high, here it is one, too,
    for one is nearer to 3.5 than nine; with three above it is three; all alike are all high."""
    assert (np.array([5.0] + [0] * 8 + [-1]) > threshold([5.0] + [0] * 8 + [-1])).sum() == 1
    values = np.array([5.0] * 3 + [0] * 7)
    assert (values > threshold(values)).sum() == 3
    assert (np.zeros(10) > threshold(np.zeros(10))).all()
    with pytest.raises(ContractError, match="no advantage"):
        threshold([NAN])
    with pytest.raises(ConfigError, match="share"):
        threshold([1.0], 0.0)


def test_tasks_have_thresholds_of_their_own() -> None:
    """A task whose advantages are all lower still has its share of high ones."""
    found = [np.arange(100.0), np.arange(100.0) - 1000, np.full(3, NAN)]
    labels = label(["one", "two", "three"], found, 0.3)
    assert [int(high.sum()) for high in labels.high] == [30, 30, 0]
    assert set(labels.thresholds) == {"one", "two"}


@given(st.lists(st.sampled_from("ab"), min_size=2, max_size=40), st.integers(2, 6))
def test_folds_are_even_in_every_group(groups: list[str], k: int) -> None:
    """No fold is empty, and none has more than one episode of a group above another."""
    parts = folds(groups, k, 0)
    n = min(k, len(groups))
    assert set(parts.tolist()) == set(range(n))
    for group in set(groups):
        sizes = [sum(g == group and p == i for g, p in zip(groups, parts, strict=True))
                 for i in range(n)]  # fmt: skip
        assert max(sizes) - min(sizes) <= 1


def test_nothing_to_cross_is_said() -> None:
    """One fold, or one episode, would label what it was trained on."""
    with pytest.raises(ConfigError, match="2 folds"):
        folds(["a", "b"], 1, 0)
    with pytest.raises(ConfigError, match="2 episodes"):
        folds(["a"], 3, 0)


def test_the_audit_counts_and_warns(tmp_path: Path) -> None:
    """70 % of human corrections were labelled negative and nobody noticed (kai0#14)."""
    path = write_episode(tmp_path / "a", [R, R, N, A, A, C, C, C, C])
    episode = from_bag(read_episode(path, robot()), "a")
    assert episode.stage.tolist() == [R, R, A, A, C, C, C, C]
    good = np.array([1.0, -1, -1, -1, 2, 2, 2, -1])
    bad = np.array([1.0, 1, 2, -1, 2, -2, -2, NAN])
    labels = [replace(label(["wave"], [x]), high=(x > 0,)) for x in (good, bad)]
    fine = audit([episode], [good], labels[0])
    assert (fine.stage["recovery"].frames, fine.stage["recovery"].high) == (4, 3)
    assert fine.stage_outcome["adaptation success"].share == 0.0
    assert fine.outcome["success"].high == fine.total.high == 4
    assert fine.warnings == ()
    worse = audit([episode], [bad], labels[1])
    assert worse.stage["recovery"].frames == 3  # without an advantage it does not count
    assert any("recovery is mostly labelled low: 1 of 3" in text for text in worse.warnings)
    assert any("adaptation" in text for text in worse.warnings)
    plain = worse.plain()
    assert plain["total"] == {"frames": 7, "high": 4, "share": round(4 / 7, 4)}
