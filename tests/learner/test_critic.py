"""Laws of the critic: Monte-Carlo regression (Eq. 3) and OVE (§3.2)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import BagError, ConfigError
from rove_learner.critic import (
    Course,
    Critic,
    CriticConfig,
    Stopper,
    held_out_split,
    lessons,
    monte_carlo_regression,
)
from rove_learner.ove import anchors, expectile_loss, optimistic_value_estimation
from rove_learner.rewards import Boundary, RewardConfig

CONFIG = CriticConfig(
    pretrain_steps=200, steps=300, batch=64, hidden=32, dropout=0.0, learning_rate=5e-3,
    horizon=4, report=20, patience=20, weight_decay=0.0,
)  # fmt: skip


def course(name: str, length: int, success: bool | None, seed: int = 0) -> Course:
    """Return an episode whose features say how far it is, and on which of two roads."""
    rng = np.random.default_rng(seed)
    road = 1.0 if success else -1.0
    left = np.arange(length)[::-1] / 20.0
    features = np.stack([left, np.full(length, road)], axis=1) + rng.normal(0, 0.01, (length, 2))
    return Course(name, features.astype(np.float32), np.zeros(length, dtype=np.int64), success, ())


COURSES = [course(f"{ok}{i}", 20, ok, i) for i in range(4) for ok in (True, False)]


def test_expectile_loss_against_hand_numbers() -> None:
    """tau .7: errors +2 and -2 weigh .7 * 4 and .3 * 4; the mean of both is 2."""
    ahead, value = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    assert expectile_loss(ahead[:1], value[:1], 0.7).item() == pytest.approx(2.8)
    assert expectile_loss(ahead[1:], value[1:], 0.7).item() == pytest.approx(1.2)
    assert expectile_loss(ahead, value, 0.7).item() == pytest.approx(2.0)
    assert expectile_loss(ahead, value, 0.5).item() == pytest.approx(2.0)


@given(st.lists(st.floats(-500, 0), min_size=2, max_size=20), st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_the_minimiser_is_the_expectile(sample: list[float], tau: float) -> None:
    """At the tau-expectile m: tau * sum of (x - m)+ = (1 - tau) * sum of (m - x)+."""
    x = torch.tensor(sample, dtype=torch.float64)
    low, high = x.min().item(), x.max().item()
    for _ in range(60):  # the derivative is monotone: bisect its zero
        m = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(expectile_loss(x, m.expand(len(x)), tau), m)
        low, high = (m.item(), high) if slope < 0 else (low, m.item())
    m0 = (low + high) / 2
    above = sum(max(v - m0, 0.0) for v in sample)
    below = sum(max(m0 - v, 0.0) for v in sample)
    assert tau * above == pytest.approx((1 - tau) * below, abs=1e-6)


def test_no_gradient_flows_into_the_target() -> None:
    """V_target is no part of what is minimised."""
    ahead = torch.ones(3, requires_grad=True)
    value = torch.zeros(3, requires_grad=True)
    expectile_loss(ahead, value, 0.7).backward()  # type: ignore[no-untyped-call]
    assert ahead.grad is None
    assert value.grad is not None


def test_a_fresh_critic_says_the_mean_return() -> None:
    """The bias begins near the mean return, whatever the features are."""
    features = np.random.default_rng(0).normal(5, 3, (200, 6)).astype(np.float32)
    values = Critic.start(features, -240.0, CONFIG).values(features)
    assert values.mean() == pytest.approx(-240, abs=30)


def test_monte_carlo_regression_finds_the_returns() -> None:
    """Success and failure are told apart and time counts, on held-out episodes."""
    given_ = lessons(COURSES, RewardConfig(), 4)
    critic, history = monte_carlo_regression(given_[:6], given_[6:], CONFIG)
    good, bad = (critic.values(lesson.features) for lesson in given_[6:])
    assert bad.max() < good.min() - 200
    assert np.abs(bad - given_[7].returns).mean() < 60
    assert history[-1].held_out < 0.1 * history[0].train


def test_ove_keeps_the_better_of_two_continuations() -> None:
    """The same pictures end well or badly: the mean is in between, OVE lies above it."""
    same = [replace(c, features=COURSES[0].features, name=f"{i}") for i, c in enumerate(COURSES)]
    given_ = lessons(same, RewardConfig(), 4)
    start, _ = monte_carlo_regression(given_, given_, CONFIG)
    middle = start.values(same[0].features).mean()
    assert -320 < middle < -190
    means = {}
    for tau in (0.5, 0.7, 0.9):
        critic, _ = optimistic_value_estimation(start, given_, given_, replace(CONFIG, tau=tau))
        means[tau] = critic.values(same[0].features).mean()
    assert means[0.5] < means[0.7] < means[0.9]


def test_the_start_of_ove_is_not_changed() -> None:
    """The critic that it starts from stays as it is: the anchors of others depend on it."""
    given_ = lessons(COURSES, RewardConfig(), 4)
    start, _ = monte_carlo_regression(given_, given_, replace(CONFIG, pretrain_steps=5))
    before = {name: value.clone() for name, value in start.state_dict().items()}
    optimistic_value_estimation(start, given_, given_, replace(CONFIG, steps=5))
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_an_aborted_episode_is_anchored_and_has_no_return() -> None:
    """Its last H frames take the Monte-Carlo value as fixed target, within the range."""
    given_ = lessons([*COURSES, course("aborted", 10, None)], RewardConfig(), 4)
    assert [lesson.labelled for lesson in given_] == [True] * 8 + [False]
    critic, _ = monte_carlo_regression(given_, given_, replace(CONFIG, pretrain_steps=5))
    *others, fixed = anchors(critic, given_)
    assert all(np.isnan(row).all() for row in others)
    assert np.isfinite(fixed).tolist() == [False] * 6 + [True] * 4
    low, high = given_[0].limits
    wanted = np.clip(critic.values(given_[-1].features)[6:], low, high)
    np.testing.assert_allclose(fixed[6:], wanted)
    with pytest.raises(BagError, match="none with an ending"):
        monte_carlo_regression(given_[-1:], given_, CONFIG)
    with pytest.raises(BagError, match="none ended"):
        lessons([course("aborted", 10, None)], RewardConfig(), 4)


def test_c_fail_follows_the_mean_length_of_episodes_that_ended() -> None:
    """k 2 and 20 frames each: failures cost 40, aborted episodes do not count."""
    found = lessons(
        [*COURSES, course("aborted", 10, None)],
        RewardConfig(Boundary.REWARD, c_fail_lengths=2.0),
        4,
    )
    assert found[1].returns[-1] == -40
    assert found[0].limits == (-59.0, 0.0)


def test_the_best_weights_win() -> None:
    """Over-fitting is measured on held-out episodes; the best measurement is restored."""
    critic = Critic(2, 4, 0.0)
    stopper = Stopper(critic, 2)
    for held_out, over in ((1.0, False), (0.5, False), (0.9, False), (0.8, True)):
        with torch.no_grad():
            critic.get_buffer("mean").fill_(held_out)
        assert stopper.over(held_out) is over
    stopper.restore()
    assert critic.get_buffer("mean").tolist() == [0.5, 0.5]


@given(st.integers(2, 40), st.floats(0.01, 0.99))
def test_splits_hold_something_out_and_keep_something(n: int, share: float) -> None:
    """Every episode is in exactly one part; neither is empty."""
    train, aside = held_out_split(n, share, np.random.default_rng(0))
    assert sorted(train + aside) == list(range(n))
    assert train
    assert aside


@pytest.mark.parametrize("wrong", [{"tau": 1.0}, {"horizon": 0}, {"dropout": 1.0}, {"steps": 0},
                                   {"learning_rate": 0.0}])  # fmt: skip
def test_senseless_settings_are_refused(wrong: dict[str, float]) -> None:
    """A setting out of range names itself."""
    (name,) = wrong
    with pytest.raises(ConfigError, match=name):
        CriticConfig(**wrong)  # type: ignore[arg-type]
