"""The frozen backbone (ROVE §3.2): pictures and words of a policy file to features, once.

The value head and the action head sit on it. It is the image encoder, the instruction encoder and
their grounding of a shipped policy, trained end to end once and never again. Proprioception is no
part of it: a value that sees joints over-fits.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as fn

from rove_core.delivery.files import write_atomic
from rove_core.delivery.manifest import METADATA_KEY, PolicyManifest
from rove_core.digest import digest, file_digest
from rove_core.errors import PolicyError
from rove_core.instruction import Tokenizer
from rove_learner.episodes import LearnEpisode
from rove_learner.export import TOLERANCE_RAD
from rove_learner.frames import decode
from rove_learner.model import Actor, ModelSize, module_digest

PREFIX = "actor."
"""What the names of a policy file's weights begin with (``export.PolicyGraph``)."""

FEATURES_VERSION = 1
"""Counts up when ``Backbone.forward`` computes something else; part of the digest."""

BATCH = 64

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Base:
    """A policy file read back: network, manifest, tokenizer and the file's digest."""

    actor: Actor
    manifest: PolicyManifest
    tokenizer: Tokenizer
    digest: str


def load_actor(path: Path | str) -> Base:
    """Read a policy file back into the network that it was exported from.

    The weights come from the initializers, whose names are those of the network; that the result
    computes what the file computes is checked on random observations.

    Raises:
        PolicyError: no policy file, another architecture, or another result than onnxruntime's.
    """
    path = Path(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's and the file system's errors are of many kinds
        raise PolicyError(f"{path}: no policy file that can be read: {error}") from error
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in texts:
        raise PolicyError(f"{path}: no policy of ROVE: it has no {METADATA_KEY!r}")
    manifest = PolicyManifest.from_json(texts[METADATA_KEY], str(path))
    weights = {
        entry.name.removeprefix(PREFIX): torch.from_numpy(numpy_helper.to_array(entry).copy())
        for entry in model.graph.initializer
        if entry.name.startswith(PREFIX)
    }
    tokenizer = manifest.tokenizer
    try:
        actor = Actor(
            manifest.size, manifest.horizon, tuple(manifest.cameras), tokenizer.size,
            tokenizer.length, _size_of(weights),
        )  # fmt: skip
        missing, unexpected = actor.load_state_dict(weights, strict=False)
    except (KeyError, RuntimeError) as error:
        raise PolicyError(f"{path}: not the network of this version of ROVE: {error}") from error
    # Constants of the network (grids) are folded by the exporter and made anew here.
    lost = sorted(set(missing) & {name for name, _ in actor.named_parameters()})
    if lost or unexpected:
        raise PolicyError(
            f"{path}: not the network of this version of ROVE: weights {lost} missing, "
            f"{sorted(unexpected)} not known"
        )
    actor.eval()
    _require_same(path, actor, manifest)
    return Base(actor, manifest, tokenizer, file_digest(path))


def _size_of(weights: dict[str, Tensor]) -> ModelSize:
    cells = round((weights["grounding.0.whole.0.weight"].shape[1] / 24) ** 0.5)
    return ModelSize(
        picture=16 * cells,
        fine=weights["image_encoder.patches.0.weight"].shape[0],
        channels=weights["image_encoder.context.2.weight"].shape[0],
        words=weights["instruction_encoder.word.weight"].shape[1],
        points=weights["grounding.0.where"].shape[0],
        width=weights["trunk.0.weight"].shape[0],
    )


def _require_same(path: Path, actor: Actor, manifest: PolicyManifest) -> None:
    rng = np.random.default_rng(0)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    mean = actor.get_buffer("position_mean").numpy()
    for level in (0.0, 1.0):
        images = [
            rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
            for width, height in manifest.cameras.values()
        ]
        ids = rng.integers(0, manifest.tokenizer.size, (1, manifest.instruction_length))
        position = (mean + rng.normal(0, 0.02, (1, manifest.size))).astype(np.float32)
        arrays = [*images, position, ids.astype(np.int64), np.full(1, level, np.float32)]
        feeds = dict(zip([x.name for x in session.get_inputs()], arrays, strict=True))
        theirs = np.asarray(session.run(["chunk"], feeds)[0])
        with torch.no_grad():
            *pictures, joints, words, advantage = (torch.from_numpy(a) for a in arrays)
            ours = actor(pictures, joints, words, advantage).numpy()
        difference = float(np.abs(ours - theirs).max())
        if not difference <= TOLERANCE_RAD:
            raise PolicyError(
                f"{path}: the network read from it differs by {difference} rad from what it "
                f"computes, at most {TOLERANCE_RAD} rad allowed"
            )


class Backbone(nn.Module):
    """Pictures and words to (B, ``width``) features; frozen.

    The first ``seen`` columns are what the actor's trunk is given (``Actor.planned``): groundings
    and words. The rest are the image encoder's maps, pooled, for the value: how much ink is left
    and where, whatever the instruction says.
    """

    CELLS = 6
    """Side of the pooled fine map, and twice that of the coarse one: 2.5 cm of the board."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.image_encoder = actor.image_encoder
        self.instruction_encoder = actor.instruction_encoder
        self.grounding = actor.grounding
        self.cameras = actor.cameras
        self.seen = actor.seen
        self.requires_grad_(False)
        self.eval()
        self.digest = digest([FEATURES_VERSION, module_digest(self)])

    @torch.no_grad()
    def forward(self, images: Sequence[Tensor], instruction: Tensor) -> Tensor:
        """Return the features.

        Args:
            images: one (B, height, width, 3) uint8 RGB tensor a camera.
            instruction: (B, L) ids.
        """
        words = self.instruction_encoder(instruction)
        found, pooled = [], []
        for grounding, image in zip(self.grounding, images, strict=True):
            fine, coarse = self.image_encoder(image)
            found.append(grounding(fine, coarse, words))
            pooled.append(fn.adaptive_max_pool2d(fine, self.CELLS).flatten(1))
            pooled.append(fn.adaptive_avg_pool2d(coarse, self.CELLS // 2).flatten(1))
        return torch.cat([*found, words, *pooled], dim=1)

    def features(self, episode: LearnEpisode, tokenizer: Tokenizer) -> FloatArray:
        """Return the (T+1, D) features of an episode's frames.

        Raises:
            BagError: a picture cannot be decoded.
            ConfigError: the instruction is too long.
        """
        ids = torch.from_numpy(tokenizer.encode(episode.instruction)).unsqueeze(0)
        rows = []
        for i in range(0, len(episode), BATCH):
            images = [
                torch.from_numpy(
                    np.stack([decode(p, episode.name) for p in episode.images[name][i : i + BATCH]])
                )
                for name in self.cameras
            ]
            rows.append(self(images, ids.expand(len(images[0]), -1)))
        result: FloatArray = torch.cat(rows).numpy()
        return result


class FeatureCache:
    """Features on disk, one file a bag, named after what they were computed from.

    Args:
        folder: where; made when needed.
        backbone, tokenizer: what computes them.
    """

    def __init__(self, folder: Path, backbone: Backbone, tokenizer: Tokenizer) -> None:
        self.folder, self.backbone, self.tokenizer = folder, backbone, tokenizer
        self.computed = 0

    def path(self, episode: LearnEpisode) -> Path:
        """Return the file of an episode's features."""
        words = self.tokenizer.encode(episode.instruction)
        key = digest([self.backbone.digest, episode.picture_digest, words])
        return self.folder / f"{key}.npy"

    def features(self, episode: LearnEpisode) -> FloatArray:
        """Return (T+1, D) float32 (kept as float16); a damaged file is computed anew."""
        path = self.path(episode)
        if path.is_file():
            try:
                kept = np.load(path, allow_pickle=False)
                if kept.ndim == 2 and len(kept) == len(episode):
                    return np.asarray(kept, dtype=np.float32)
            except (ValueError, OSError, EOFError):
                pass
        # float16: 1 part in 1000, below the noise of a JPEG, and half the memory.
        half = self.backbone.features(episode, self.tokenizer).astype(np.float16)
        self.computed += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, half)
        write_atomic(path, buffer.getvalue())
        return half.astype(np.float32)


def all_features(
    episodes: Sequence[LearnEpisode],
    cache: FeatureCache,
    on_episode: Callable[[int], None] = lambda _: None,
) -> list[FloatArray]:
    """Return the features of every episode."""
    result = []
    for i, episode in enumerate(episodes, start=1):
        result.append(cache.features(episode))
        on_episode(i)
    return result
