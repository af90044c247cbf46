"""Synthetic episodes whose answer is in the picture, and a network small enough for a test."""

from __future__ import annotations

import cv2
import numpy as np

from rove_core.vocabulary import Authority, Stage
from rove_learner.frames import EpisodeFrames
from rove_learner.model import ModelSize

JOINTS, FRAMES, SIDE = 3, 12, 32
SMALL = ModelSize(picture=32, fine=16, channels=16, words=8, points=4, width=32)
INSTRUCTIONS = ("go to the red dot", "go to the blue dot")


def picture(red: tuple[int, int], blue: tuple[int, int]) -> bytes:
    """Return a JPEG of a grey square with a red and a blue dot at (column, row)."""
    image = np.full((SIDE, SIDE, 3), 90, dtype=np.uint8)
    for (x, y), colour in ((red, (0, 0, 255)), (blue, (255, 0, 0))):
        image[y - 3 : y + 3, x - 3 : x + 3] = colour
    done, data = cv2.imencode(".jpg", image)
    assert done
    return data.tobytes()


def episode(rng: np.random.Generator, frames: int = FRAMES) -> EpisodeFrames:
    """Return a stand whose targets move the first joint to the side of the named dot."""
    asked = int(rng.integers(2))
    columns = rng.permutation([8, 24])
    rows = rng.integers(6, 26, 2)
    jpeg = picture((columns[0], rows[0]), (columns[1], rows[1]))
    side = 1.0 if columns[asked] > 16 else -1.0
    # The joints say nothing about the answer: only picture and words together do.
    stand = np.tile(rng.normal(0, 0.5, JOINTS), (frames, 1))
    return EpisodeFrames.build(
        "synthetic",
        INSTRUCTIONS[asked],
        {"ego": [jpeg] * frames},
        stand,
        stand + np.array([0.3 * side, 0.0, 0.05]),
        np.full(frames, Stage.DEMONSTRATION),
        np.full(frames, Authority.HUMAN),
        np.zeros(frames, dtype=int),
    )


def episodes(n: int, seed: int = 0, frames: int = FRAMES) -> list[EpisodeFrames]:
    """Return n episodes."""
    rng = np.random.default_rng(seed)
    return [episode(rng, frames) for _ in range(n)]
