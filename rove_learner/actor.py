"""The actor's fine-tuning (ROVE §3.3): all chunks with their own label, on the frozen backbone.

It begins with the weights of the policy before. Only the heads learn: joints, advantage, trunk
and chunk. At run time the policy is asked for *high*.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rove_core.errors import BagError, ConfigError
from rove_learner.chunks import chunk_rows
from rove_learner.frames import EpisodeFrames
from rove_learner.model import Actor
from rove_learner.train import batches, chunk_loss

FloatArray = npt.NDArray[np.float32]

HEADS = ("state", "advantage", "trunk", "chunk")
"""Modules of the actor that learn; everything else is the frozen backbone."""


@dataclass(frozen=True)
class ActorConfig:
    """How to fine-tune. The defaults are those of `make demo` (one core, about a minute).

    Attributes:
        steps: gradient steps.
        batch: chunks a step.
        learning_rate: of AdamW; falls to zero along a half cosine after a warm-up.
        hide_joints: probability that a sample does not see its joints (§3.3).
        joint_noise: rad, standard deviation of the noise on the joints that it sees (§3.3).
        average: decay of the moving average of the weights; the average is the result.
        held_out: share of the episodes that is only measured.
        report: steps between measurements.
        seed: of order, noise and split.
    """

    steps: int = 1500
    batch: int = 128
    learning_rate: float = 3e-4
    hide_joints: float = 0.15
    joint_noise: float = 0.01
    average: float = 0.99
    held_out: float = 0.1
    report: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "report"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "at least 1", "actor")
        for name in ("hide_joints", "average", "held_out"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(name, getattr(self, name), "0 to below 1", "actor")
        if not self.learning_rate > 0:
            raise ConfigError("learning_rate", self.learning_rate, "above 0", "actor")


@dataclass(frozen=True)
class Lessons:
    """Labelled chunks, S of them, of one or more episodes.

    Attributes:
        seen: (S, F) what the trunk is given of pictures and words (``Backbone.seen`` columns).
        position: (S, N) rad.
        target: (S, H, N) rad.
        counts: (S, H) 1 where a row counts, else 0.
        high: (S,) 1 high, 0 low.
    """

    seen: FloatArray
    position: FloatArray
    target: FloatArray
    counts: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.high)


def lessons_of(
    episode: EpisodeFrames,
    seen: FloatArray,
    advantage: npt.NDArray[np.float64],
    high: npt.NDArray[np.bool_],
    horizon: int,
) -> Lessons:
    """Return the chunks of an episode that start at a frame with an advantage.

    No chunk crosses a cut or a change of authority or stage (``chunks.frames_left``); none is
    forced to high, whoever drove.

    Args:
        episode: its frames.
        seen: (T+1, F).
        advantage: (T+1,) NaN where there is none.
        high: (T+1,).
        horizon: H.
    """
    starts = np.flatnonzero((episode.left > 0) & np.isfinite(advantage))
    rows, counts = chunk_rows(episode.left, starts, horizon)
    return Lessons(
        seen[starts],
        episode.position[starts],
        episode.target[rows],
        counts.astype(np.float32),
        high[starts].astype(np.float32),
    )


@dataclass(frozen=True)
class Measured:
    """One measurement: mean absolute errors in units of ``delta_scale``.

    ``held_out_other``: the same chunks with their labels swapped; as ``held_out`` when the
    network ignores them.
    """

    step: int
    train: float
    held_out: float
    held_out_other: float

    def plain(self) -> dict[str, float]:
        """Return it for a JSON file."""
        return dict(vars(self))


class _Tensors:
    """All chunks as tensors."""

    def __init__(self, parts: Sequence[Lessons], actor: Actor) -> None:
        def join(name: str) -> Tensor:
            return torch.from_numpy(np.concatenate([getattr(part, name) for part in parts]))

        self.seen, self.position, self.counts, self.high = (
            join(name) for name in ("seen", "position", "counts", "high")
        )
        delta = join("target") - self.position.unsqueeze(1)
        self.wanted = (delta - actor.get_buffer("delta_mean")) / actor.get_buffer("delta_scale")

    def __len__(self) -> int:
        return len(self.high)


@torch.no_grad()
def _measure(actor: Actor, data: _Tensors, swapped: bool = False, most: int = 1024) -> float:
    picks = torch.from_numpy(
        np.unique(np.linspace(0, len(data) - 1, min(most, len(data))).astype(int))
    )
    level = 1.0 - data.high[picks] if swapped else data.high[picks]
    predicted = actor.planned(data.seen[picks], data.position[picks], level)
    return float(chunk_loss(predicted, data.wanted[picks], data.counts[picks]))


def fine_tune(
    base: Actor,
    train: Sequence[Lessons],
    held_out: Sequence[Lessons],
    config: ActorConfig,
    on_measured: Callable[[Measured], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> tuple[Actor, list[Measured]]:
    """Return a fine-tuned copy of a policy, conditioned on the advantage, and its measurements.

    Raises:
        BagError: no chunk to learn from.
    """
    if not sum(len(part) for part in train):
        raise BagError(f"{len(train)} episodes given, none has a chunk with an advantage")
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    noise = torch.Generator().manual_seed(config.seed)
    actor = copy.deepcopy(base).requires_grad_(False)
    learning = []
    for name in HEADS:
        learning += list(actor.get_submodule(name).requires_grad_(True).parameters())
    average = copy.deepcopy(actor).requires_grad_(False).eval()
    slow = [p for name in HEADS for p in average.get_submodule(name).parameters()]
    data = _Tensors(train, actor)
    unseen = _Tensors(held_out, actor) if sum(map(len, held_out)) else data
    optimiser = torch.optim.AdamW(learning, lr=config.learning_rate, weight_decay=1e-2, fused=True)
    warm_up = min(100, max(1, config.steps // 10))

    def rate(step: int) -> float:
        fall = 0.5 * (1 + np.cos(np.pi * step / config.steps))
        return float(min((step + 1) / warm_up, 1.0) * fall)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    history: list[Measured] = []
    losses: list[float] = []
    order = batches(len(data), config.batch, rng)
    for step in range(1, config.steps + 1):
        picks = torch.from_numpy(next(order))
        position = data.position[picks]
        jitter = torch.randn(position.shape, generator=noise) * config.joint_noise
        shown = (torch.rand(len(picks), generator=noise) >= config.hide_joints).float()
        predicted = actor.planned(data.seen[picks], position + jitter, data.high[picks], shown)
        loss = chunk_loss(predicted, data.wanted[picks], data.counts[picks])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        decay = min(config.average, step / (step + 10))  # a young average must not keep the start
        with torch.no_grad():
            for kept, fresh in zip(slow, learning, strict=True):
                kept.lerp_(fresh, 1.0 - decay)
        on_step(step)
        if step % config.report == 0 or step == config.steps or step == 1:
            seen = _measure(average, unseen), _measure(average, unseen, swapped=True)
            history.append(Measured(step, float(np.mean(losses)), *seen))
            losses = []
            on_measured(history[-1])
    return average, history
