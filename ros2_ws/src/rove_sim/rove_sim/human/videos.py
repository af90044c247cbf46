"""``rove-sim human-videos``: performances as mp4, with labels as a person would write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rove_core.errors import ConfigError
from rove_core.videos import LABELS, VideoLabel, write_labels
from rove_sim.human.body import human
from rove_sim.human.performance import Kind, perform
from rove_sim.labels import LabelNoise
from rove_sim.trials import PERIOD_S
from rove_sim.world import Image, World

PIXELS = (64, 1024)
SOURCE = "rove-sim human-videos"
CRF = 20  # of x264: no loss that a 224 x 224 encoder would notice


@dataclass(frozen=True)
class VideoOrder:
    """What to film.

    Attributes:
        task: name of the task.
        out: folder of the videos, without a label file.
        videos: number of them.
        seed: of the first; they count up from it.
        recoveries, failures: shares of the videos that are meant to go so; the rest succeed.
        pixels: width and height, even.
        variation: 0 to 1, how far the scenes differ.
        noise: of the labels.

    Raises:
        ConfigError: a number out of range, or a folder that holds labels already.
    """

    task: str
    out: Path
    videos: int = 180
    seed: int = 0
    recoveries: float = 0.35
    failures: float = 0.30
    pixels: int = 224
    variation: float = 1.0
    noise: LabelNoise = field(default_factory=LabelNoise)

    def __post_init__(self) -> None:
        if self.videos < 1:
            raise ConfigError("number of videos", self.videos, "1 or more", "--videos")
        if not PIXELS[0] <= self.pixels <= PIXELS[1] or self.pixels % 2:
            raise ConfigError("pixels", self.pixels, f"an even number in {PIXELS}", "--pixels")
        shares = (self.recoveries, self.failures)
        if not (min(shares) >= 0.0 and sum(shares) <= 1.0):
            raise ConfigError("recoveries and failures", shares, "shares, together 1 at most", "")
        if (self.out / LABELS).exists():
            raise ConfigError("folder", str(self.out), f"one without a {LABELS}", "--out")


def film(
    order: VideoOrder, on_video: Callable[[int, int], None] = lambda _done, _all: None
) -> tuple[VideoLabel, ...]:
    """Film all videos and return their labels; what was filmed before a failure is kept.

    Args:
        order: what to film.
        on_video: told (videos done, videos in all).

    Raises:
        ConfigError: unknown task.
    """
    labels: list[VideoLabel] = []
    worlds: dict[str, World] = {}
    order.out.mkdir(parents=True, exist_ok=True)
    for seed in range(order.seed, order.seed + order.videos):
        person = human(seed, order.pixels)
        looks = person.urdf_path.stem
        if looks not in worlds:
            worlds[looks] = World(person, order.task, seed, variation=order.variation)
        labels.append(_film_one(order, worlds[looks], looks, seed))
        write_labels(order.out, labels)
        on_video(len(labels), order.videos)
    for world in worlds.values():
        world.close()
    return tuple(labels)


def kind_of(order: VideoOrder, seed: int) -> Kind:
    """Return how the video of a seed is meant to go."""
    chance = np.random.default_rng([seed, 502]).random()
    if chance < order.failures:
        return Kind.FAILURE
    return Kind.RECOVERY if chance < order.failures + order.recoveries else Kind.SUCCESS


def _film_one(order: VideoOrder, world: World, looks: str, seed: int) -> VideoLabel:
    name = f"{order.task}_{seed:06d}.mp4"
    part = order.out / f"{name}.part"
    with Mp4(part, order.pixels, order.pixels, round(1.0 / PERIOD_S)) as video:
        done = perform(world, seed, kind_of(order, seed), lambda: video.add(world.render("ego")))
    part.replace(order.out / name)
    rng = np.random.default_rng([seed, 503])
    recovery = done.recovery_at
    if recovery is not None and done.mistake_at is not None:
        marked = order.noise.mark(
            recovery * PERIOD_S, done.mistake_at * PERIOD_S, (done.frames - 1) * PERIOD_S, rng
        )
        recovery = None if marked is None else round(marked / PERIOD_S)
    return VideoLabel(
        video=name,
        task=order.task,
        instruction=done.instruction,
        outcome=order.noise.outcome(done.outcome, rng),
        frames=done.frames,
        fps=1.0 / PERIOD_S,
        mistake=done.mistake_at,
        recovery=recovery,
        person=looks,
        source=SOURCE,
    )


class Mp4:
    """Writes (H, W, 3) uint8 RGB pictures into an mp4 (H.264, 4:2:0).

    Args:
        path: file to write, whatever its ending.
        width, height: even, pixels.
        fps: pictures per second.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        import av

        self._av: Any = av
        self._container: Any = av.open(str(path), "w", format="mp4")
        self._stream: Any = self._container.add_stream("libx264", rate=fps)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt, self._stream.options = "yuv420p", {"crf": str(CRF)}

    def add(self, image: Image) -> None:
        """Add a picture."""
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def __enter__(self) -> Mp4:
        return self

    def __exit__(self, *_error: object) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
