"""What the actor learns from: episodes of frames in memory, and batches of chunks from them.

Pictures stay JPEG until a batch needs them: 20 times smaller, and decoding 64 of 128 x 128 takes
6 ms. The robot's pictures went through JPEG too, so training sees what the robot will see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rove_core.digest import digest
from rove_core.errors import BagError
from rove_core.instruction import Tokenizer
from rove_core.observation import Image
from rove_learner.chunks import chunk_rows, frames_left

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

SCALE_FLOOR = 0.01
"""rad; a joint that hardly moves must not fill the loss with its servo's noise."""


def decode(jpeg: bytes, where: str = "picture") -> Image:
    """Return the (height, width, 3) uint8 RGB picture of JPEG bytes.

    Raises:
        BagError: the bytes are no picture.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise BagError(f"{where}: {len(jpeg)} bytes given that are no JPEG picture")
    rgb: Image = np.ascontiguousarray(picture[..., ::-1])
    return rgb


@dataclass(frozen=True)
class EpisodeFrames:
    """One episode on the 20 Hz grid, T frames.

    Attributes:
        source: where it came from, for messages.
        instruction: what the robot was told.
        pictures: camera -> T JPEG pictures, at the frames.
        position: (T, N) rad, measured at the frames.
        target: (T, N) rad; row t is the command in force when frame t + 1 is taken.
        left: (T,) frames to the end of each frame's run (``rove_learner.chunks.frames_left``).
    """

    source: str
    instruction: str
    pictures: Mapping[str, Sequence[bytes]]
    position: FloatArray
    target: FloatArray
    left: npt.NDArray[np.intp]

    @classmethod
    def build(
        cls,
        source: str,
        instruction: str,
        pictures: Mapping[str, Sequence[bytes]],
        position: npt.ArrayLike,
        target: npt.ArrayLike,
        stage: npt.NDArray[np.integer],
        authority: npt.NDArray[np.integer],
        segment: npt.NDArray[np.integer],
    ) -> EpisodeFrames:
        """Make an episode from its frames' stage, authority and segment, (T,) each."""
        return cls(
            source,
            instruction,
            pictures,
            np.asarray(position, dtype=np.float32),
            np.asarray(target, dtype=np.float32),
            frames_left(stage, authority, segment),
        )

    @property
    def starts(self) -> npt.NDArray[np.intp]:
        """Frames that a chunk may start from."""
        found: npt.NDArray[np.intp] = np.flatnonzero(self.left)
        return found

    @property
    def digest(self) -> str:
        """Digest over everything that training sees of it."""
        pictures = {name: b"".join(rows) for name, rows in self.pictures.items()}
        return digest([self.instruction, pictures, self.position, self.target, self.left])


@dataclass(frozen=True)
class Statistics:
    """Normalisation, (N,) rad each: of measured joints, and of targets minus measured joints."""

    position_mean: FloatArray
    position_scale: FloatArray
    delta_mean: FloatArray
    delta_scale: FloatArray

    def plain(self) -> dict[str, tuple[float, ...]]:
        """Return the same as numbers, for the manifest and for ``Actor.set_statistics``."""
        return {name: tuple(float(v) for v in values) for name, values in vars(self).items()}


@dataclass(frozen=True)
class Batch:
    """B chunks with what the robot saw at their start.

    Attributes:
        images: camera -> (B, height, width, 3) uint8 RGB.
        position: (B, N) rad, measured.
        instruction: (B, L) ids.
        target: (B, H, N) rad, absolute.
        counts: (B, H) bool, False for rows past the end of a run.
    """

    images: Mapping[str, npt.NDArray[np.uint8]]
    position: FloatArray
    instruction: IntArray
    target: FloatArray
    counts: npt.NDArray[np.bool_]


class ChunkSet:
    """All chunks of some episodes; frame ``i`` of the set is a chunk's start."""

    def __init__(
        self, episodes: Sequence[EpisodeFrames], tokenizer: Tokenizer, horizon: int
    ) -> None:
        self.episodes, self.horizon = list(episodes), horizon
        pairs = [(e, t) for e, episode in enumerate(self.episodes) for t in episode.starts]
        self._index = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        self._words = [tokenizer.encode(episode.instruction) for episode in self.episodes]

    def __len__(self) -> int:
        return len(self._index)

    def batch(self, picks: Iterable[int]) -> Batch:
        """Return the chunks that start at the given frames of the set."""
        targets, counts, chosen = [], [], []
        for e, t in self._index[np.fromiter(picks, dtype=np.intp)]:
            episode = self.episodes[e]
            rows, count = chunk_rows(episode.left, np.array([t]), self.horizon)
            targets.append(episode.target[rows[0]])
            counts.append(count[0])
            chosen.append((episode, int(t), self._words[e]))
        cameras = chosen[0][0].pictures
        return Batch(
            images={
                name: np.stack([decode(e.pictures[name][t], e.source) for e, t, _ in chosen])
                for name in cameras
            },
            position=np.stack([e.position[t] for e, t, _ in chosen]),
            instruction=np.stack([w for _, _, w in chosen]),
            target=np.stack(targets),
            counts=np.stack(counts),
        )


def statistics(episodes: Sequence[EpisodeFrames], horizon: int) -> Statistics:
    """Return the normalisation for chunks of H rows from these episodes."""
    positions, deltas = [], []
    for episode in episodes:
        starts = episode.starts
        rows, counts = chunk_rows(episode.left, starts, horizon)
        delta = episode.target[rows] - episode.position[starts][:, None]
        positions.append(episode.position[starts])
        deltas.append(delta[counts])
    position, delta = np.concatenate(positions), np.concatenate(deltas)

    def scale(values: FloatArray) -> FloatArray:
        floored: FloatArray = np.maximum(values.std(axis=0), np.float32(SCALE_FLOOR))
        return floored

    return Statistics(position.mean(axis=0), scale(position), delta.mean(axis=0), scale(delta))


def split(
    episodes: Sequence[EpisodeFrames], held_out: float, rng: np.random.Generator
) -> tuple[list[EpisodeFrames], list[EpisodeFrames]]:
    """Return training and held-out episodes, whole ones; at least one each.

    Raises:
        BagError: fewer than two episodes.
    """
    if len(episodes) < 2:
        raise BagError(
            f"{len(episodes)} episode(s) to learn from given, at least 2 needed: "
            "one is held out to see over-fitting"
        )
    order = rng.permutation(len(episodes))
    n = min(max(1, round(held_out * len(episodes))), len(episodes) - 1)
    return [episodes[i] for i in order[n:]], [episodes[i] for i in order[:n]]
