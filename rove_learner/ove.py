"""Optimistic Value Estimation (ROVE §3.2): the critic's fine-tuning by an expectile.

    Vhat_t = sum_{i=t}^{t+H-1} gamma^(i-t) r_i + gamma^H V_target(s_{t+H})
    L_OVE  = E[ |tau - 1{Vhat_t - V(s_t) < 0}| * (Vhat_t - V(s_t))^2 ]

tau .5 is the mean; towards 1 it keeps the best continuation that the data really holds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rove_core.errors import BagError
from rove_learner.critic import (
    VALUE_UNIT,
    Critic,
    CriticConfig,
    Lesson,
    Measured,
    Stopper,
)
from rove_learner.train import batches

FloatArray = npt.NDArray[np.float64]


def expectile_loss(ahead: Tensor, value: Tensor, tau: float) -> Tensor:
    """Return L_OVE of targets Vhat and values V (§3.2), the mean over the batch.

    Args:
        ahead: (B,) Vhat; no gradient flows into it.
        value: (B,) V(s_t).
        tau: 0..1.
    """
    difference = ahead.detach() - value
    weight = (tau - (difference < 0).to(difference.dtype)).abs()
    return (weight * difference.square()).mean()


def anchors(critic: Critic, lessons: Sequence[Lesson]) -> list[FloatArray]:
    """Return (T+1,) fixed targets of every lesson; NaN where its windows are closed.

    An aborted episode has windows that pass its end. Their frames' target is the value by the
    Monte-Carlo critic, which knows such pictures from episodes that did end (*ours*): without
    one, no inner window of the episode could bootstrap from them, and none before those.
    """
    found = []
    for lesson in lessons:
        fixed = np.full(len(lesson.returns), np.nan)
        open_ = ~lesson.windows.closed
        if open_.any():
            fixed[open_] = np.clip(critic.values(lesson.features)[open_], *lesson.limits)
        found.append(fixed)
    return found


def _targets(
    values: list[FloatArray], lessons: Sequence[Lesson], fixed: list[FloatArray]
) -> FloatArray:
    rows = [
        np.where(np.isnan(held), lesson.windows.targets(value, lesson.limits), held)
        for value, lesson, held in zip(values, lessons, fixed, strict=True)
    ]
    return np.concatenate(rows)


def optimistic_value_estimation(
    critic: Critic,
    train: Sequence[Lesson],
    held_out: Sequence[Lesson],
    config: CriticConfig,
    on_measured: Callable[[Measured], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> tuple[Critic, list[Measured]]:
    """Fine-tune a copy of a critic; the copy and the measurements are returned.

    ``V_target`` is an exponential moving average of V; the weights of the best held-out loss win.

    Raises:
        BagError: no frame has a target.
    """
    torch.manual_seed(config.seed + 1)
    rng = np.random.default_rng(config.seed + 1)
    train_fixed, unseen_fixed = anchors(critic, train), anchors(critic, held_out)
    critic = copy.deepcopy(critic)
    average = copy.deepcopy(critic).requires_grad_(False).eval()
    inputs = torch.from_numpy(np.concatenate([lesson.features for lesson in train]))
    first = _targets([average.values(x.features) for x in train], train, train_fixed)
    usable = np.flatnonzero(np.isfinite(first))
    if not len(usable):
        raise BagError(f"{len(train)} episodes given, no frame of them has a target")
    optimiser = torch.optim.AdamW(
        critic.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    stopper = Stopper(critic, config.patience)
    history: list[Measured] = []
    losses: list[float] = []
    order = batches(len(usable), config.batch, rng)
    # Only the frames that a batch bootstraps from need V_target: two small passes a step.
    ahead_of, paid, discount, limits = _flat(train)
    held = np.concatenate(train_fixed)
    critic.train()
    for step in range(1, config.steps + 1):
        picks = usable[next(order)]
        source = ahead_of[picks]
        with torch.no_grad():
            value_ahead = average(inputs[torch.from_numpy(np.maximum(source, 0))]).numpy()
        target = paid[picks] + discount[picks] * np.where(source < 0, 0.0, value_ahead)
        target = np.clip(target, *limits)
        target = np.where(np.isnan(held[picks]), target, held[picks])
        loss = expectile_loss(
            torch.from_numpy(target).float() / VALUE_UNIT,
            critic(inputs[torch.from_numpy(picks)]) / VALUE_UNIT,
            config.tau,
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), critic.parameters(), strict=True):
                slow.lerp_(fast, config.average)
        losses.append(float(loss.detach()))
        on_step(step)
        if step % config.report == 0 or step == config.steps:
            unseen = _measure(critic, average, held_out, unseen_fixed, config.tau)
            history.append(Measured("ove", step, float(np.mean(losses)), unseen))
            losses = []
            on_measured(history[-1])
            if stopper.over(unseen):
                break
    stopper.restore()
    return critic.eval(), history


def _flat(
    lessons: Sequence[Lesson],
) -> tuple[npt.NDArray[np.intp], FloatArray, FloatArray, tuple[float, float]]:
    """Return the windows of all lessons one after the other, bootstraps as indices into that."""
    ahead, offset = [], 0
    for lesson in lessons:
        bootstrap = lesson.windows.bootstrap
        ahead.append(np.where(bootstrap < 0, bootstrap, bootstrap + offset))
        offset += len(bootstrap)
    paid = np.concatenate([lesson.windows.paid for lesson in lessons])
    discount = np.concatenate([lesson.windows.discount for lesson in lessons])
    return np.concatenate(ahead), paid, discount, lessons[0].limits


def _measure(
    critic: Critic,
    average: Critic,
    lessons: Sequence[Lesson],
    fixed: list[FloatArray],
    tau: float,
) -> float:
    target = _targets([average.values(x.features) for x in lessons], lessons, fixed)
    value = np.concatenate([critic.values(x.features) for x in lessons])
    known = np.isfinite(target)
    if not known.any():
        return float("nan")
    ahead, values = (torch.from_numpy(x[known] / VALUE_UNIT) for x in (target, value))
    return float(expectile_loss(ahead, values, tau))
