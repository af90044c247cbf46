"""Laws of batches: what a chunk says is what its episode holds."""

from __future__ import annotations

import numpy as np
import pytest
from learner_examples import INSTRUCTIONS, JOINTS, SIDE, episodes, picture

from rove_core.errors import BagError
from rove_core.instruction import Tokenizer
from rove_learner.frames import SCALE_FLOOR, ChunkSet, decode, split, statistics


def test_a_batch_is_what_the_episodes_hold() -> None:
    """Picture, joints, words and targets of every chunk are those of its start frame."""
    given = episodes(3)
    tokenizer = Tokenizer.build(INSTRUCTIONS, 6)
    chunks = ChunkSet(given, tokenizer, horizon=4)
    assert len(chunks) == sum(len(e.position) for e in given)
    batch = chunks.batch(range(len(chunks)))
    assert batch.images["ego"].shape == (len(chunks), SIDE, SIDE, 3)
    i = 0
    for one in given:
        for t in range(len(one.position)):
            np.testing.assert_array_equal(batch.position[i], one.position[t])
            np.testing.assert_array_equal(batch.target[i, 0], one.target[t])
            np.testing.assert_array_equal(batch.images["ego"][i], decode(one.pictures["ego"][t]))
            np.testing.assert_array_equal(batch.instruction[i], tokenizer.encode(one.instruction))
            assert batch.counts[i].sum() == min(4, len(one.position) - t)
            i += 1


def test_pictures_are_rgb() -> None:
    """Red stays red through JPEG: OpenCV's order must not leak."""
    pixel = decode(picture((16, 16), (6, 6)))[16, 16]
    assert pixel[0] > 200
    assert pixel[2] < 60


def test_bytes_that_are_no_picture_are_named() -> None:
    """A broken picture names its episode."""
    with pytest.raises(BagError, match=r"episode 7.*4 bytes"):
        decode(b"\xff\xd8no", "episode 7")


def test_statistics_normalise_and_keep_still_joints_quiet() -> None:
    """Normalised deltas have mean 0 and spread 1; a joint that never moves gets the floor."""
    given = episodes(20)
    numbers = statistics(given, horizon=1)
    delta = np.concatenate([e.target - e.position for e in given])
    scaled = (delta - numbers.delta_mean) / numbers.delta_scale
    np.testing.assert_allclose(scaled[:, 0].mean(), 0, atol=1e-4)
    np.testing.assert_allclose(scaled[:, 0].std(), 1, atol=1e-3)
    assert numbers.delta_scale[1] == pytest.approx(SCALE_FLOOR)
    assert set(numbers.plain()) == {
        "position_mean", "position_scale", "delta_mean", "delta_scale",
    }  # fmt: skip
    assert all(len(row) == JOINTS for row in numbers.plain().values())


@pytest.mark.parametrize(("n", "share"), [(2, 0.0), (2, 0.9), (10, 0.2), (50, 0.06)])
def test_a_split_keeps_episodes_whole_and_apart(n: int, share: float) -> None:
    """Every episode is on one side, and neither side is empty."""
    given = episodes(n)
    kept, aside = split(given, share, np.random.default_rng(0))
    assert kept
    assert aside
    assert sorted(map(id, kept + aside)) == sorted(map(id, given))


def test_one_episode_cannot_be_split() -> None:
    """Without a held-out episode over-fitting would go unseen."""
    with pytest.raises(BagError, match="at least 2"):
        split(episodes(1), 0.1, np.random.default_rng(0))
