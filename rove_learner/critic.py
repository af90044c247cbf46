"""The critic V(s), s = (picture, instruction): a value head on frozen features (ROVE §3.2).

Never Q(s, a): human videos have no robot actions. Here: the head, what it is trained on, and its
pretraining by Monte-Carlo regression (Eq. 3). ``ove`` fine-tunes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rove_core.errors import BagError, ConfigError
from rove_learner.rewards import RewardConfig, rewards, value_range
from rove_learner.targets import Windows, monte_carlo, windows
from rove_learner.train import batches

FloatArray = npt.NDArray[np.float32]

VALUE_UNIT = 500.0
"""Steps; returns are divided by it so that the network's outputs are of the order of 1."""


@dataclass(frozen=True)
class CriticConfig:
    """How to train a critic. The defaults are those of `make demo` (small data, one core).

    Attributes:
        pretrain_steps: gradient steps of Monte-Carlo regression.
        steps: gradient steps of OVE.
        batch: frames a step.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        hidden: width of the head.
        dropout: of features and of the hidden layer.
        horizon: H (§3.2).
        tau: of the expectile (§3.2).
        average: share of V that V_target takes over a step; .005 does not fit in this many steps.
        held_out: share of the episodes that is only measured.
        report: steps between measurements.
        patience: measurements without improvement after which it stops.
        seed: of weights, order and split.
    """

    pretrain_steps: int = 300
    steps: int = 500
    batch: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 1e-2
    hidden: int = 128
    dropout: float = 0.5
    horizon: int = 16
    tau: float = 0.7
    average: float = 0.05
    held_out: float = 0.15
    report: int = 50
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("pretrain_steps", "steps", "batch", "hidden", "horizon", "report", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "at least 1", "critic")
        for name in ("tau", "average", "held_out"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ConfigError(name, getattr(self, name), "between 0 and 1", "critic")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError("dropout", self.dropout, "0 to below 1", "critic")
        if not self.learning_rate > 0:
            raise ConfigError("learning_rate", self.learning_rate, "above 0", "critic")


@dataclass(frozen=True)
class Lesson:
    """What a critic learns of one episode.

    Attributes:
        name: of the episode.
        features: (T+1, D).
        returns: (T+1,) Monte-Carlo returns, steps; NaN without a terminal label.
        windows: of OVE; those of an unlabelled episode are anchored.
        limits: lowest and highest possible value, steps.
    """

    name: str
    features: FloatArray
    returns: npt.NDArray[np.float64]
    windows: Windows
    limits: tuple[float, float]

    @property
    def labelled(self) -> bool:
        """Whether the episode has a terminal label."""
        return not bool(np.isnan(self.returns).any())


@dataclass(frozen=True)
class Course:
    """What is to be learnt from, before rewards are chosen: one entry an episode.

    Attributes:
        name, features: see ``Lesson``.
        segment: (T+1,).
        success: None without a terminal label.
        recoveries: frames ``t_r``.
    """

    name: str
    features: FloatArray
    segment: npt.NDArray[np.int64]
    success: bool | None
    recoveries: tuple[int, ...]


def lessons(courses: Sequence[Course], config: RewardConfig, horizon: int) -> list[Lesson]:
    """Return the lessons of some episodes under one choice of rewards; ``c_fail`` fixed here.

    The mean length that ``c_fail_lengths`` multiplies is that of the episodes with an ending.

    Raises:
        BagError: no episode has a terminal label.
    """
    lengths = [len(c.segment) for c in courses if c.success is not None]
    if not lengths:
        raise BagError(
            f"{len(courses)} episodes given, none ended in success, failure or time-out: "
            "a critic needs endings"
        )
    config = config.fixed(lengths)
    paid = [rewards(len(c.segment), c.success, c.recoveries, config) for c in courses]
    limits = value_range(paid, [c.success for c in courses], config)
    return [
        Lesson(
            c.name,
            c.features,
            monte_carlo(len(c.segment), c.success, c.recoveries, config),
            windows(c.segment, c.success, c.recoveries, horizon, config, anchored=True),
            limits,
        )
        for c in courses
    ]


class Critic(nn.Module):
    """Value head: (B, D) features -> (B,) steps."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.net = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    @classmethod
    def start(cls, features: FloatArray, mean_return: float, config: CriticConfig) -> Critic:
        """Return a fresh critic that normalises like ``features`` (M, D) and says the mean.

        The bias begins at the mean return: from 0, thousands of steps would go into finding it.
        """
        critic = cls(features.shape[1], config.hidden, config.dropout)
        critic.get_buffer("mean").copy_(torch.from_numpy(features.mean(axis=0)))
        spread = np.maximum(features.std(axis=0), 1e-3)
        critic.get_buffer("scale").copy_(torch.from_numpy(spread))
        last = critic.net[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.fill_(mean_return / VALUE_UNIT)
        return critic

    def forward(self, features: Tensor) -> Tensor:
        """Return the values, steps."""
        x = (features - self.get_buffer("mean")) / self.get_buffer("scale")
        # A feature that hardly varies in training must not explode on a new picture.
        out: Tensor = self.net(x.clamp(-5.0, 5.0)).squeeze(-1)
        return out * VALUE_UNIT

    @torch.no_grad()
    def values(self, features: FloatArray) -> npt.NDArray[np.float64]:
        """Return the (T+1,) values of an episode, steps, without dropout."""
        was = self.training
        self.eval()
        result = self(torch.from_numpy(features)).numpy().astype(np.float64)
        self.train(was)
        return np.asarray(result, dtype=np.float64)


@dataclass(frozen=True)
class Measured:
    """One measurement; losses are per frame, in units of ``VALUE_UNIT`` squared."""

    phase: str
    step: int
    train: float
    held_out: float

    def plain(self) -> dict[str, float | str]:
        """Return it for a JSON file."""
        return dict(vars(self))


def held_out_split(n: int, share: float, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return indices of training and held-out episodes; with one episode both are the same."""
    if n < 2:
        return list(range(n)), list(range(n))
    order = rng.permutation(n).tolist()
    aside = min(max(1, round(share * n)), n - 1)
    return sorted(order[aside:]), sorted(order[:aside])


class Stopper:
    """Keeps the best weights and says when to stop (value models over-fit: RLinf#1206)."""

    def __init__(self, critic: Critic, patience: int) -> None:
        self._critic, self._patience = critic, patience
        self._best, self._weights, self._since = np.inf, copy.deepcopy(critic.state_dict()), 0

    def over(self, held_out: float) -> bool:
        """Take a measurement; True when there were ``patience`` without improvement."""
        self._since += 1
        if held_out < self._best:
            self._best, self._since = held_out, 0
            self._weights = copy.deepcopy(self._critic.state_dict())
        return self._since >= self._patience

    def restore(self) -> None:
        """Give the critic its best weights."""
        self._critic.load_state_dict(self._weights)


def monte_carlo_regression(
    train: Sequence[Lesson],
    held_out: Sequence[Lesson],
    config: CriticConfig,
    on_measured: Callable[[Measured], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> tuple[Critic, list[Measured]]:
    """Fit a fresh critic to Monte-Carlo returns: E[(V(s_t) - sum gamma^(i-t) r_i)^2] (Eq. 3).

    Raises:
        BagError: no lesson for training has a terminal label.
    """
    known = [lesson for lesson in train if lesson.labelled]
    if not known:
        raise BagError(f"{len(train)} episodes given, none with an ending to regress on")
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    features = np.concatenate([lesson.features for lesson in known])
    returns = np.concatenate([np.clip(x.returns, *x.limits) for x in known])
    inputs, wanted = torch.from_numpy(features), torch.from_numpy(returns).float()
    critic = Critic.start(features, float(returns.mean()), config)
    optimiser = torch.optim.AdamW(
        critic.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    unseen = [lesson for lesson in held_out if lesson.labelled] or known
    stopper, history, losses = Stopper(critic, config.patience), [], []
    order = batches(len(returns), config.batch, rng)
    for step in range(1, config.pretrain_steps + 1):
        picks = torch.from_numpy(next(order))
        error = (critic(inputs[picks]) - wanted[picks]) / VALUE_UNIT
        loss = error.square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
        on_step(step)
        if step % config.report == 0 or step == config.pretrain_steps:
            errors = [critic.values(x.features) - np.clip(x.returns, *x.limits) for x in unseen]
            seen = float(np.mean(np.square(np.concatenate(errors) / VALUE_UNIT)))
            history.append(Measured("monte_carlo", step, float(np.mean(losses)), seen))
            losses = []
            on_measured(history[-1])
            if stopper.over(seen):
                break
    stopper.restore()
    return critic.eval(), history
