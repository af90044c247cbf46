"""Laws of the actor's fine-tuning (ROVE §3.3): own labels, frozen backbone, cuts respected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from learner_examples import SMALL

from rove_core.errors import BagError, ConfigError
from rove_core.vocabulary import Authority, Stage
from rove_learner.actor import HEADS, ActorConfig, Lessons, fine_tune, lessons_of
from rove_learner.backbone import Backbone
from rove_learner.frames import EpisodeFrames
from rove_learner.model import Actor, module_digest

JOINTS, HORIZON = 2, 3


def actor() -> Actor:
    torch.manual_seed(0)
    return Actor(JOINTS, HORIZON, ("ego",), 4, 4, SMALL)


def chunks(n: int, seed: int, width: int) -> Lessons:
    """Return chunks whose targets go up when high and down when low; nothing else tells."""
    rng = np.random.default_rng(seed)
    high = rng.integers(0, 2, n).astype(np.float32)
    position = rng.normal(0, 0.1, (n, JOINTS)).astype(np.float32)
    move = np.where(high > 0, 1.0, -1.0)[:, None, None].astype(np.float32)
    return Lessons(
        rng.normal(0, 1, (n, width)).astype(np.float32),
        position,
        position[:, None] + np.tile(move, (1, HORIZON, JOINTS)),
        np.ones((n, HORIZON), dtype=np.float32),
        high,
    )


CONFIG = ActorConfig(steps=150, batch=32, learning_rate=3e-3, average=0.9, report=50)


def test_the_advantage_is_listened_to() -> None:
    """What only the label tells is learnt: high goes up, low goes down, on held-out chunks."""
    base = actor()
    unseen = chunks(64, 1, base.seen)
    made, history = fine_tune(base, [chunks(256, 0, base.seen)], [unseen], CONFIG)
    # A network that ignores the label is wrong by 1 either way.
    assert history[-1].held_out < 0.5 < 1.5 < history[-1].held_out_other
    seen, position = torch.from_numpy(unseen.seen), torch.from_numpy(unseen.position)
    with torch.no_grad():
        up, down = (made.planned(seen, position, torch.full((64,), x)) for x in (1.0, 0.0))
    assert ((up > 0) & (down < 0)).float().mean() > 0.95


def test_only_heads_learn_and_the_base_stays() -> None:
    """Backbone and base keep their weights; every head changes."""
    base = actor()
    before = module_digest(base)
    made, _ = fine_tune(base, [chunks(32, 0, base.seen)], [], replace(CONFIG, steps=3))
    assert module_digest(base) == before
    assert Backbone(made).digest == Backbone(base).digest
    for name in HEADS:
        assert module_digest(made.get_submodule(name)) != module_digest(base.get_submodule(name))


def test_the_same_seed_gives_the_same_weights() -> None:
    """One seed decides order and noise."""
    base = actor()
    lessons = [chunks(32, 0, base.seen)]
    short = replace(CONFIG, steps=3)
    digests = [
        module_digest(fine_tune(base, lessons, [], config)[0])
        for config in (short, short, replace(short, seed=1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_chunks_keep_their_label_and_stop_at_cuts_and_other_drivers() -> None:
    """Human chunks are low when their label says so; no row reaches across a border."""
    stage = np.array([Stage.ROLLOUT] * 3 + [Stage.RECOVERY] * 4)
    authority = np.array([Authority.POLICY] * 3 + [Authority.HUMAN] * 4)
    segment = np.array([0, 0, 0, 0, 0, 1, 1])
    target = np.arange(7, dtype=float)[:, None].repeat(JOINTS, axis=1)
    frames = EpisodeFrames.build(
        "x", "wave", {"ego": [b""] * 7}, target, target, stage, authority, segment
    )
    high = np.array([True, False, True, False, False, True, False])
    advantage = np.array([1.0, 1, 1, 1, 1, 1, np.nan])
    found = lessons_of(frames, np.zeros((7, 2), np.float32), advantage, high, HORIZON)
    assert found.high.tolist() == [1, 0, 1, 0, 0, 1]  # the last frame has no advantage
    assert found.counts.sum(axis=1).tolist() == [3, 2, 1, 2, 1, 2]
    assert found.target[1, :, 0].tolist() == [1, 2, 2]
    assert found.target[4, :, 0].tolist() == [4, 4, 4]


def test_nothing_to_learn_from_is_said() -> None:
    """No chunk, no fine-tuning; settings out of range name themselves."""
    base = actor()
    with pytest.raises(BagError, match="1 episodes"):
        fine_tune(base, [chunks(0, 0, base.seen)], [], CONFIG)
    for wrong in ({"steps": 0}, {"hide_joints": 1.0}, {"learning_rate": 0.0}):
        (name,) = wrong
        with pytest.raises(ConfigError, match=name):
            ActorConfig(**wrong)  # type: ignore[arg-type]
