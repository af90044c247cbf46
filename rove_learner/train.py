"""Imitation training of the actor: L1 on chunks of normalised deltas (ROVE §3.3, the SFT actor)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rove_core.errors import BagError, ConfigError
from rove_core.instruction import Tokenizer, words
from rove_learner.frames import Batch, ChunkSet, EpisodeFrames, split, statistics
from rove_learner.model import Actor, ModelSize


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. The defaults are those of the shipped policy.

    Attributes:
        steps: gradient steps.
        batch: chunks a step.
        learning_rate: of AdamW, after the warm-up; falls to zero along a half cosine.
        seed: of weights, order, noise and the split.
        horizon: H, rows of a chunk.
        held_out: share of the episodes that is only measured.
        hide_joints: probability that a sample does not see its joints (method: "Actor").
        joint_noise: rad, standard deviation of the noise on the joints that the network sees.
        light: largest relative change of brightness and contrast of a picture.
        average: decay of the moving average of the weights; the average is the result.
        report: steps between two measurements.
        threads: CPU threads. More than one collapses when a core is busy with something else.
    """

    steps: int = 3000
    batch: int = 48
    learning_rate: float = 1.5e-3
    seed: int = 0
    horizon: int = 16
    held_out: float = 0.06
    hide_joints: float = 0.15
    joint_noise: float = 0.01
    light: float = 0.15
    average: float = 0.998
    report: int = 200
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "horizon", "report", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "at least 1", "training")
        for name in ("held_out", "hide_joints", "average"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(name, getattr(self, name), "0 to below 1", "training")
        if not self.learning_rate > 0:
            raise ConfigError("learning_rate", self.learning_rate, "above 0", "training")


@dataclass(frozen=True)
class Progress:
    """One measurement: losses are mean absolute errors in units of ``delta_scale``.

    Attributes:
        step: gradient steps done.
        train: loss of the batches since the last measurement (noise and hidden joints included).
        held_out: loss on held-out episodes, of the averaged weights.
        other_words: the same when every chunk is given another instruction of the data. Not above
            ``held_out``: the words are ignored (or there is only one instruction).
    """

    step: int
    train: float
    held_out: float
    other_words: float


@dataclass(frozen=True)
class Trained:
    """The result: the averaged network and how it got there."""

    actor: Actor
    tokenizer: Tokenizer
    statistics: dict[str, tuple[float, ...]]
    history: tuple[Progress, ...]
    held_out: ChunkSet


def chunk_loss(predicted: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
    """Return the mean absolute error over the rows that count; (B, H, N), (B, H, N), (B, H)."""
    error = (predicted - wanted).abs().mean(dim=-1)
    return (error * counts).sum() / counts.sum().clamp(min=1)


@dataclass(frozen=True)
class _Samples:
    images: list[Tensor]
    position: Tensor
    instruction: Tensor
    wanted: Tensor
    counts: Tensor


def _tensors(batch: Batch, actor: Actor) -> _Samples:
    position = torch.from_numpy(batch.position)
    delta = torch.from_numpy(batch.target) - position.unsqueeze(1)
    wanted = (delta - actor.get_buffer("delta_mean")) / actor.get_buffer("delta_scale")
    return _Samples(
        [torch.from_numpy(batch.images[name]) for name in actor.cameras],
        position,
        torch.from_numpy(batch.instruction),
        wanted,
        torch.from_numpy(batch.counts).float(),
    )


def vary_light(images: npt.NDArray[np.uint8], amount: float, rng: np.random.Generator) -> Tensor:
    """Return copies of (B, height, width, 3) pictures, each with its own contrast and brightness.

    ``amount`` 0.15 changes contrast by at most 15 % and brightness by 7.5 % of the range.
    """
    gain = 1.0 + amount * rng.uniform(-1, 1, len(images))
    shift = 255 * amount * 0.5 * rng.uniform(-1, 1, len(images))
    levels = np.arange(256)[None] * gain[:, None] + shift[:, None]
    tables = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return torch.from_numpy(
        np.stack([cv2.LUT(image, table) for image, table in zip(images, tables, strict=True)])
    )


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.intp]]:
    """Yield batches of indices for ever, every sample once an epoch."""
    pending = np.empty(0, dtype=np.intp)
    while True:
        while len(pending) < size:
            pending = np.concatenate([pending, rng.permutation(n)])
        yield pending[:size]
        pending = pending[size:]


@torch.no_grad()
def measure(
    actor: Actor,
    chunks: ChunkSet,
    other: Callable[[Tensor], Tensor] = lambda ids: ids,
    batch: int = 64,
    most: int = 512,
) -> float:
    """Return the loss on at most ``most`` chunks spread over the set, without noise.

    ``other`` maps (B, L) instructions to those that the network is given instead.
    """
    picks = np.unique(np.linspace(0, len(chunks) - 1, min(most, len(chunks))).astype(np.intp))
    total, rows = 0.0, 0.0
    for i in range(0, len(picks), batch):
        samples = _tensors(chunks.batch(picks[i : i + batch]), actor)
        advantage = torch.ones(len(samples.position))
        predicted = actor.normalised(
            samples.images, samples.position, other(samples.instruction), advantage
        )
        count = float(samples.counts.sum())
        total += float(chunk_loss(predicted, samples.wanted, samples.counts)) * count
        rows += count
    return total / max(rows, 1.0)


def next_instruction(texts: Sequence[str], tokenizer: Tokenizer) -> Callable[[Tensor], Tensor]:
    """Return a map of (B, L) ids of known instructions to those of the next one of the list."""
    ids = [tuple(int(i) for i in tokenizer.encode(text)) for text in texts]
    following = dict(zip(ids, [*ids[1:], *ids[:1]], strict=True))

    def swap(given: Tensor) -> Tensor:
        return torch.tensor([following[tuple(row)] for row in given.tolist()])

    return swap


def train(
    episodes: Sequence[EpisodeFrames],
    config: TrainingConfig,
    size: ModelSize | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
    instruction_length: int = 12,
) -> Trained:
    """Train an actor from scratch on everything that the episodes hold.

    Every chunk is conditioned on *high*: demonstrations are what the policy should do, and there
    is no critic yet.

    Raises:
        BagError: fewer than two episodes, or none with a frame to learn from.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    noise = torch.Generator().manual_seed(config.seed)
    useful = [episode for episode in episodes if len(episode.starts)]
    if not useful:
        raise BagError(f"{len(episodes)} episodes given, none has a frame to learn from")
    kept, aside = split(useful, config.held_out, rng)
    texts = sorted({" ".join(words(episode.instruction)) for episode in useful})
    tokenizer = Tokenizer.build(texts, instruction_length)
    swap = next_instruction(texts, tokenizer)
    chunks, unseen = (ChunkSet(part, tokenizer, config.horizon) for part in (kept, aside))
    numbers = statistics(kept, config.horizon).plain()
    joints, cameras = useful[0].position.shape[1], tuple(useful[0].pictures)
    actor = Actor(joints, config.horizon, cameras, tokenizer.size, instruction_length, size)
    actor.set_statistics(numbers)
    average = copy.deepcopy(actor).requires_grad_(False)
    optimiser = torch.optim.AdamW(
        actor.parameters(), lr=config.learning_rate, weight_decay=1e-2, fused=True
    )
    warm_up = min(200, max(1, config.steps // 10))

    def rate(step: int) -> float:
        fall = 0.5 * (1 + np.cos(np.pi * step / config.steps))
        return float(min((step + 1) / warm_up, 1.0) * fall)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    history: list[Progress] = []
    losses: list[float] = []
    for step, picks in zip(
        range(1, config.steps + 1), batches(len(chunks), config.batch, rng), strict=False
    ):
        batch = chunks.batch(picks)
        samples = _tensors(batch, actor)
        images = [vary_light(batch.images[name], config.light, rng) for name in cameras]
        jitter = torch.randn(samples.position.shape, generator=noise) * config.joint_noise
        seen = (torch.rand(len(picks), generator=noise) >= config.hide_joints).float()
        predicted = actor.normalised(
            images, samples.position + jitter, samples.instruction, torch.ones(len(picks)), seen
        )
        loss = chunk_loss(predicted, samples.wanted, samples.counts)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(actor.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        decay = min(config.average, step / (step + 10))  # a young average must not keep the start
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), actor.parameters(), strict=True):
                slow.lerp_(fast, 1.0 - decay)
        on_step(step)
        if step % config.report == 0 or step == config.steps or step == min(50, config.report):
            measured = measure(average, unseen), measure(average, unseen, swap)
            history.append(Progress(step, float(np.mean(losses)), *measured))
            losses = []
            on_progress(history[-1])
    return Trained(average.eval(), tokenizer, numbers, tuple(history), unseen)
