"""The actor's network: picture, instruction, joints and advantage to a chunk of joint targets.

Letters: B batch, N joints, H rows of a chunk, L words, C channels. Two parts:

- the *backbone*, ``ImageEncoder`` and ``InstructionEncoder``: what a critic shares and freezes;
- the *head*: the grounding of the instruction in the picture, the trunk and the chunk.

Once a policy was trained end to end, its grounding is frozen with the backbone
(``rove_learner.backbone``): both are what a vision-language model would bring along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from rove_core.instruction import PAD

LOUDNESS = 4.0
"""Factor on the words' embedding. What words do to a picture is a product, and a product of two
small numbers hardly learns: with 1, one seed of three still ignored the words of a synthetic task
when the others had solved it."""

OPPONENT = ((0.6, 0.6, 0.6), (2.0, -2.0, 0.0), (-1.0, -1.0, 2.0))
"""Rows: brightness, red against green, blue against yellow, from RGB. Most of a picture differs in
brightness; unmixed and louder, colour is heard from the first step on."""


@dataclass(frozen=True)
class ModelSize:
    """Sizes of the network; the defaults make about 1.2 M parameters.

    Attributes:
        picture: pixels, side of the square that every camera picture is resized to (by 16).
        fine: channels of the encoder's map of (picture / 4) squared cells.
        channels: channels of its map of (picture / 16) squared cells.
        words: width of the instruction's embedding.
        points: places of the picture that the grounding looks for.
        width: width of the trunk.
    """

    picture: int = 96
    fine: int = 32
    channels: int = 96
    words: int = 32
    points: int = 64
    width: int = 512


class ImageEncoder(nn.Module):
    """Backbone for pictures: (B, height, width, 3) uint8 RGB -> a fine and a coarse map.

    The fine map, (B, fine, picture/4, picture/4), keeps thin things such as ink apart; the coarse
    one, (B, channels, picture/16, picture/16), knows what surrounds them.
    """

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.picture = size.picture
        self.register_buffer("opponent", torch.tensor(OPPONENT)[:, :, None, None])
        # Strides first: on one CPU thread most of the time goes to maps of high resolution.
        self.patches = nn.Sequential(
            nn.Conv2d(3, size.fine, 6, stride=4, padding=1),
            nn.ReLU(),
            nn.Conv2d(size.fine, size.fine, 1),
            nn.ReLU(),
        )
        self.context = nn.Sequential(
            nn.Conv2d(size.fine, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, size.channels, 3, stride=2, padding=1),
            nn.ReLU(),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Resize, scale to -1..1 and encode; a robot therefore sends pictures as they are."""
        x = image.permute(0, 3, 1, 2).float()
        side = (self.picture, self.picture)
        if tuple(image.shape[1:3]) != side:
            x = fn.interpolate(x, size=side, mode="bilinear", align_corners=False)
        x = fn.conv2d(x / 127.5 - 1.0, self.get_buffer("opponent"))
        fine: Tensor = self.patches(x)
        return fine, self.context(fine)


class InstructionEncoder(nn.Module):
    """Backbone for words: (B, L) int64 ids -> (B, words). The order of the words counts."""

    def __init__(self, vocabulary: int, length: int, size: ModelSize) -> None:
        super().__init__()
        self.word = nn.Embedding(vocabulary, size.words)
        self.place = nn.Parameter(torch.randn(length, size.words) * 0.1)
        self.mix = nn.Sequential(
            nn.Linear(size.words, size.words), nn.ReLU(), nn.Linear(size.words, size.words)
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Return an embedding of the whole (the same for every empty instruction).

        Words are summed, not averaged: in a sentence of five, an average would leave a fifth of
        the only word that differs, and pictures would be learnt long before words.
        """
        there = (ids != PAD).float().unsqueeze(-1)
        summed: Tensor = ((self.word(ids) + self.place) * there).sum(1)
        mixed: Tensor = self.mix(summed)
        return LOUDNESS * mixed


class Grounding(nn.Module):
    """Finds in a picture what the instruction means: the encoder's maps -> (B, ``features``).

    The words ask for ``points`` things (queries); each cell of the fine map answers (keys); the
    answer is the place of each thing, a soft arg-max over the cells, and how much stands out.
    Answers are normalised over the cells: what stands out of the picture is then found from the
    first step on, even if it covers one cell of a hundred. The coarse map, modulated by the words
    (FiLM), is read as a whole.

    Many random questions matter: where two strokes lie on both sides of the middle, neither the
    place of all ink nor the words alone say anything. Only a question that already finds another
    stroke for other words gives a gradient, and the trunk picks that one up.
    """

    depth = 16

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.key = nn.Conv2d(size.fine, self.depth, 1)
        self.query = nn.Linear(size.words, size.points * self.depth)
        self.where = nn.Parameter(torch.zeros(size.points, 2))
        self.sharpness = nn.Parameter(torch.full((1, size.points, 1), 4.0))
        self.modulate = nn.Linear(size.words, 2 * size.channels)
        self.shrink = nn.Sequential(nn.Conv2d(size.channels, 24, 1), nn.ReLU(), nn.Flatten())
        cells = size.picture // 16
        self.whole = nn.Sequential(nn.Linear(24 * cells * cells, 192), nn.ReLU())
        line = torch.linspace(-1.0, 1.0, size.picture // 4)
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("grid", torch.stack([x, y]).unsqueeze(0))
        self.features = 192 + 3 * size.points

    def forward(self, fine: Tensor, coarse: Tensor, words: Tensor) -> Tensor:
        """Return places, presences and the summary of the whole."""
        grid = self.get_buffer("grid")
        cells = grid.flatten(2)
        query = self.query(words).unflatten(1, (-1, self.depth))
        match = fn.layer_norm(query @ self.key(fine).flatten(2), cells.shape[-1:])
        logits = (match + self.where @ cells[0]) * self.sharpness
        places = torch.softmax(logits, dim=-1) @ cells.transpose(1, 2)
        there = torch.logsumexp(logits, dim=-1) * 0.1
        gain, shift = self.modulate(words)[:, :, None, None].chunk(2, dim=1)
        whole = self.whole(self.shrink(torch.relu(coarse * (1.0 + gain) + shift)))
        return torch.cat([places.flatten(1), there, whole], dim=1)


class Actor(nn.Module):
    """The policy network.

    The head predicts deltas to the measured joints (they generalise better than absolute
    targets); :meth:`forward` adds the measured joints, so the result is absolute.
    """

    def __init__(
        self,
        joints: int,
        horizon: int,
        cameras: Sequence[str],
        vocabulary: int,
        instruction_length: int,
        size: ModelSize | None = None,
    ) -> None:
        super().__init__()
        size = size or ModelSize()
        self.joints, self.horizon, self.cameras = joints, horizon, tuple(cameras)
        self.image_encoder = ImageEncoder(size)
        self.instruction_encoder = InstructionEncoder(vocabulary, instruction_length, size)
        parts = [Grounding(size) for _ in self.cameras]
        self.grounding = nn.ModuleList(parts)
        self.state = nn.Sequential(
            nn.Linear(joints + 1, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()
        )
        self.advantage = nn.Linear(1, 16)
        # Width of what the trunk is given of pictures and words, first argument of ``planned``.
        self.found = sum(part.features for part in parts)
        self.seen = self.found + size.words
        self.trunk = nn.Sequential(
            nn.Linear(self.seen + 64 + 16, size.width),
            nn.ReLU(),
            nn.Linear(size.width, size.width),
            nn.ReLU(),
        )
        self.chunk = nn.Linear(size.width, horizon * joints)
        for name, value in (("position_mean", 0.0), ("position_scale", 1.0)):
            self.register_buffer(name, torch.full((joints,), value))
        for name, value in (("delta_mean", 0.0), ("delta_scale", 1.0)):
            self.register_buffer(name, torch.full((joints,), value))

    def set_statistics(self, statistics: Mapping[str, Sequence[float]]) -> None:
        """Set the (N,) rad buffers ``position_mean/scale`` and ``delta_mean/scale``."""
        for name, values in statistics.items():
            self.get_buffer(name).copy_(torch.as_tensor(values, dtype=torch.float32))

    def normalised(
        self,
        images: Sequence[Tensor],
        position: Tensor,
        instruction: Tensor,
        advantage: Tensor,
        joints_seen: Tensor | None = None,
    ) -> Tensor:
        """Return normalised deltas (B, H, N).

        Args:
            images: one (B, height, width, 3) uint8 tensor a camera.
            position: (B, N) rad.
            instruction: (B, L) ids.
            advantage: (B,) 1 high, 0 low.
            joints_seen: (B,) 1 or 0, 0 hides the joints (training); None shows them.
        """
        words = self.instruction_encoder(instruction)
        seen = [
            grounding(*self.image_encoder(image), words)
            for grounding, image in zip(self.grounding, images, strict=True)
        ]
        return self.planned(torch.cat([*seen, words], dim=1), position, advantage, joints_seen)

    def planned(
        self,
        seen: Tensor,
        position: Tensor,
        advantage: Tensor,
        joints_seen: Tensor | None = None,
    ) -> Tensor:
        """Return normalised deltas (B, H, N) from what was seen.

        Args:
            seen: (B, ``seen``) the groundings of the cameras, then the instruction's embedding.
            position, advantage, joints_seen: as of :meth:`normalised`.
        """
        shown = torch.ones_like(advantage) if joints_seen is None else joints_seen
        state = (position - self.get_buffer("position_mean")) / self.get_buffer("position_scale")
        state = torch.cat([state * shown.unsqueeze(1), shown.unsqueeze(1)], dim=1)
        level = self.advantage(advantage.unsqueeze(1))
        found, words = seen[:, : self.found], seen[:, self.found :]
        parts = [found, self.state(state), level, words]
        flat: Tensor = self.chunk(self.trunk(torch.cat(parts, dim=1)))
        return flat.reshape(-1, self.horizon, self.joints)

    def forward(
        self, images: Sequence[Tensor], position: Tensor, instruction: Tensor, advantage: Tensor
    ) -> Tensor:
        """Return chunks of absolute targets, (B, H, N) rad."""
        delta = self.normalised(images, position, instruction, advantage)
        delta = delta * self.get_buffer("delta_scale") + self.get_buffer("delta_mean")
        return position.unsqueeze(1) + delta


def module_digest(module: nn.Module) -> str:
    """Return the SHA-256 (hex) of a module's weights and buffers, names included."""
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
