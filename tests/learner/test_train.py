"""Laws of training: it learns what is there to learn, the same way for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from learner_examples import INSTRUCTIONS, SMALL, episodes

from rove_core.errors import BagError, ConfigError
from rove_learner.frames import EpisodeFrames
from rove_learner.model import module_digest
from rove_learner.train import TrainingConfig, chunk_loss, train

QUICK = TrainingConfig(
    steps=250, batch=32, learning_rate=3e-3, horizon=4, report=50, average=0.95, held_out=0.2
)


def test_training_learns_picture_and_words() -> None:
    """Held-out loss falls to a fraction, and the words alone turn the motion round."""
    trained = train(episodes(400, frames=2), QUICK, SMALL, instruction_length=6)
    first, last = trained.history[0], trained.history[-1]
    assert last.held_out < 0.5 * first.held_out
    assert last.other_words > 2 * last.held_out
    batch = trained.held_out.batch(range(len(trained.held_out)))
    chunks = {}
    for text in INSTRUCTIONS:
        ids = np.tile(trained.tokenizer.encode(text), (len(batch.position), 1))
        with torch.no_grad():
            chunks[text] = trained.actor(
                [torch.from_numpy(batch.images["ego"])],
                torch.from_numpy(batch.position),
                torch.from_numpy(ids),
                torch.ones(len(batch.position)),
            ).numpy()
    moves = [chunks[text][:, -1, 0] - batch.position[:, 0] for text in INSTRUCTIONS]
    assert (np.sign(moves[0]) == -np.sign(moves[1])).mean() > 0.9


def test_the_same_seed_gives_the_same_weights() -> None:
    """One seed decides weights, order, noise and split; another seed gives another network."""
    config = TrainingConfig(steps=3, batch=4, horizon=4)
    digests = [
        module_digest(train(episodes(4), changed, SMALL).actor)
        for changed in (config, config, TrainingConfig(steps=3, batch=4, horizon=4, seed=1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_rows_that_do_not_count_do_not_teach() -> None:
    """Errors in masked rows change neither loss nor gradient."""
    predicted = torch.zeros(2, 3, 1, requires_grad=True)
    wanted = torch.tensor([[[1.0], [9.0], [9.0]], [[1.0], [1.0], [9.0]]])
    counts = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    loss = chunk_loss(predicted, wanted, counts)
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert predicted.grad is not None
    assert (predicted.grad.abs()[..., 0] * (1 - counts)).sum() == 0


def test_nothing_to_learn_from_is_said() -> None:
    """Episodes without a frame of any stage cannot train anything."""
    cut = [
        EpisodeFrames(e.source, e.instruction, e.pictures, e.position, e.target, e.left * 0)
        for e in episodes(3)
    ]
    with pytest.raises(BagError, match="3 episodes"):
        train(cut, QUICK, SMALL)


@pytest.mark.parametrize("field", [{"steps": 0}, {"held_out": 1.0}, {"learning_rate": 0.0}])
def test_senseless_settings_are_refused(field: dict[str, float]) -> None:
    """A setting out of range names itself and its range."""
    (name,) = field
    with pytest.raises(ConfigError, match=name):
        TrainingConfig(**field)  # type: ignore[arg-type]
