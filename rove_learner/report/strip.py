"""Film strip: what the robot saw, at evenly spread moments of an episode."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rove_core.bag.film import TOO_FAR_NS, nearest_pictures
from rove_core.bag.reader import Bag
from rove_core.bag.schema import camera_topic
from rove_core.colours import STAGE_COLOURS, STAGE_INK, STAGE_WORDS
from rove_core.errors import BagError
from rove_core.observation import Image
from rove_core.vocabulary import Stage
from rove_learner.report.recording import Recording, read_recording

FRAMES = 10
QUALITIES = ((256, 80), (128, 80), (128, 60), (96, 60), (64, 60), (64, 40))
"""(width in pixels, JPEG quality), best first; the last is taken if none is small enough."""


def moments_s(recording: Recording, frames: int = FRAMES) -> list[float]:
    """Return the middle of each cell of a strip, s since the first command."""
    return [(k + 0.5) / frames * recording.duration_s for k in range(frames)]


def pictures(recording: Recording, frames: int = FRAMES, camera: str = "ego") -> list[bytes | None]:
    """Return the JPEG picture nearest to each moment; None where none is near or readable.

    Without that camera the first one of the bag is taken.

    Raises:
        BagError: the bag has no camera.
    """
    bag = Bag(recording.path)
    topic = camera_topic(camera)
    if topic not in bag.topics:
        cameras = [name for name in bag.topics if name.startswith("camera/")]
        if not cameras:
            raise BagError(f"bag {recording.path} has no camera; it has: {', '.join(bag.topics)}")
        topic = cameras[0]
    wanted = [recording.begin_ns + round(at * 1e9) for at in moments_s(recording, frames)]
    within = max(TOO_FAR_NS, round(recording.duration_s * 1e9 / frames / 2))
    found = nearest_pictures(bag, topic, wanted, within)
    return [jpeg if jpeg and decode(jpeg) is not None else None for jpeg in found]


def decode(jpeg: bytes) -> Image | None:
    """Return the (height, width, 3) uint8 RGB picture, None when the bytes are none."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1])


def shrink(jpeg: bytes, most: int) -> bytes:
    """Return the picture in at most about this many bytes, unchanged when it is small already.

    Raises:
        BagError: the bytes are no picture.
    """
    if len(jpeg) <= most:
        return jpeg
    rgb = decode(jpeg)
    if rgb is None:
        raise BagError(f"{len(jpeg)} bytes given that are no JPEG picture")
    bgr, smaller = rgb[..., ::-1], jpeg
    for width, quality in QUALITIES:
        scale = min(1.0, width / bgr.shape[1])
        resized = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done and len(data) < len(smaller):
            smaller = data.tobytes()
        if len(smaller) <= most:
            break
    return smaller


def film_strip(bag: Path, frames: int = FRAMES) -> bytes:
    """Return a PNG of an episode: pictures above a labelled ribbon of its stages.

    Raises:
        BagError: the bag cannot be read, or has no command or no camera.
    """
    recording = read_recording(bag)
    figure = Figure(figsize=(12, 1.95), dpi=120, facecolor="white")
    cells = pictures(recording, frames)
    for k, jpeg in enumerate(cells):
        axes = figure.add_axes((0.01 + 0.98 * k / frames, 0.34, 0.98 / frames - 0.002, 0.60))
        axes.set_axis_off()
        picture = None if jpeg is None else decode(jpeg)
        if picture is None:
            axes.text(0.5, 0.5, "no picture", ha="center", va="center", color="#666", fontsize=8)
        else:
            axes.imshow(picture, aspect="auto")
    _ribbon(figure, recording)
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png")
    return out.getvalue()


def _ribbon(figure: Figure, recording: Recording) -> None:
    axes = figure.add_axes((0.01, 0.20, 0.98, 0.11))
    axes.set_xlim(0, max(recording.duration_s, 1e-3))
    axes.set_ylim(0, 1)
    for span in recording.spans:
        hatch = "////" if span.stage == Stage.NONE else ""
        axes.axvspan(
            span.start_s, span.end_s, facecolor=STAGE_COLOURS[span.stage], hatch=hatch,
            edgecolor="#aaa" if hatch else "white", linewidth=0.5,
        )  # fmt: skip
        word = STAGE_WORDS[span.stage]
        if span.seconds / max(recording.duration_s, 1e-3) > 0.011 * len(word):
            axes.text(
                (span.start_s + span.end_s) / 2, 0.46, word, ha="center", va="center",
                fontsize=8.5, color=STAGE_INK[span.stage],
                bbox={"facecolor": STAGE_COLOURS[span.stage], "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=8, length=2, colors="#555", pad=1)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")


def legend_stages(rows: Sequence[Recording]) -> list[Stage]:
    """Return the stages that occur, in the order of the enumeration, cut last."""
    seen = {span.stage for row in rows for span in row.spans}
    return sorted(seen, key=lambda stage: (stage == Stage.NONE, stage))
