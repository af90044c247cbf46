"""The bands of the picture: stages, modes, what was cut by hand, and what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.patches import Patch

from rove.bag.picture.page import FAINT, INK, SOFT, WIDE, Draw, Panel, clip, sentence
from rove.bag.picture.track import Commands, Track
from rove_core.colours import (
    MODE_COLOURS,
    MODE_INK,
    MODE_WORDS,
    STAGE_COLOURS,
    STAGE_INK,
    STAGE_WORDS,
    WARNING_COLOUR,
)
from rove_core.vocabulary import Mode, Stage

GAP_S = 0.1
"""Without a command for two periods of 20 Hz nothing was in force."""
LETTER = 0.075
"""Inches of a character of 8 points."""
HATCH, EDGE = "//////", "#b4b4b4"
MOST_TOPICS = 8


class Block(NamedTuple):
    """A stretch of a band, s, with what is written in it."""

    start: float
    end: float
    word: str
    colour: str
    ink: str
    hatched: bool = False


def runs(
    commands: Commands, values: npt.NDArray[np.uint8]
) -> Iterator[tuple[float, float, int | None]]:
    """Yield (start s, end s, value) of equal values in a row; None where no command came."""
    at = commands.at
    if not len(at):
        return
    # Commands may be thinned out: then the usual step is longer.
    longest = max(GAP_S, 3 * float(np.median(np.diff(at)))) if len(at) > 1 else GAP_S
    begin = 0
    for i in range(1, len(at) + 1):
        gap = i < len(at) and at[i] - at[i - 1] > longest
        if i < len(at) and values[i] == values[begin] and not gap:
            continue
        end = at[i] if i < len(at) and not gap else at[i - 1]
        yield float(at[begin]), float(end), int(values[begin])
        if gap:
            yield float(at[i - 1]), float(at[i]), None
        begin = i


def stage_blocks(commands: Commands) -> list[Block]:
    """Return the band of stages."""
    blocks = []
    for start, end, value in runs(commands, commands.stage):
        if value is None or value not in list(Stage):
            blocks.append(_unknown(start, end, value))
            continue
        stage = Stage(value)
        look = (STAGE_WORDS[stage], STAGE_COLOURS[stage], STAGE_INK[stage], stage == Stage.NONE)
        blocks.append(Block(start, end, *look))
    return blocks


def mode_blocks(commands: Commands) -> list[Block]:
    """Return the band of modes."""
    blocks = []
    for start, end, value in runs(commands, commands.mode):
        if value is None or value not in list(Mode):
            blocks.append(_unknown(start, end, value))
            continue
        mode = Mode(value)
        blocks.append(Block(start, end, MODE_WORDS[mode], MODE_COLOURS[mode], MODE_INK[mode]))
    return blocks


def _unknown(start: float, end: float, value: int | None) -> Block:
    word = "no command" if value is None else f"unknown: {value}"
    return Block(start, end, word, "#ffffff", SOFT, hatched=True)


def stages(track: Track) -> list[Panel]:
    """Stages, modes, their legend, and what people cut."""
    if not len(track.commands):
        return [Panel(0.25, sentence("the bag holds no command"), "stage")]
    above, below = stage_blocks(track.commands), mode_blocks(track.commands)
    return [
        Panel(0.24, _band(above, track.duration), "stage", gap=0.04),
        *_by_hand(track),
        Panel(0.24, _band(below, track.duration), "mode", gap=0.03, ticks=True),
        Panel(0.2, _legend(above, below), gap=0.02),
    ]


def _by_hand(track: Track) -> list[Panel]:
    """What people cut from learning."""
    name, gap = "cut by hand", 0.03
    if track.cuts is None:
        return [Panel(0.2, sentence("cuts.json cannot be read", warns=True), name, gap=gap)]
    panels = []
    if track.cuts.whole is not None:
        text = f"excluded from learning as a whole: {clip(track.cuts.whole.reason, 120)}"
        panels.append(Panel(0.2, sentence(text, warns=True), name, gap=gap))
        name = ""
    if track.cuts.spans:
        seconds = track.cuts.seconds
        blocks = [
            Block(seconds(c.start_ns), seconds(c.end_ns), c.note.reason, "#ffffff", INK, True)
            for c in track.cuts.spans
        ]
        panels.append(Panel(0.22, _band(blocks, track.duration, True), name, gap=gap))
    return panels


def _band(blocks: Sequence[Block], duration: float, beside: bool = False) -> Draw:
    """Return what draws a band; words stand inside, or ``beside`` where they do not fit."""

    def draw(axes: Axes) -> None:
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            axes.axvspan(
                block.start, block.end, facecolor=block.colour, edgecolor=EDGE,
                hatch=HATCH if block.hatched else "", linewidth=0,
            )  # fmt: skip
            room = (block.end - block.start) / duration * WIDE - 0.08
            fits = room > LETTER * len(block.word)
            if beside and not fits:
                free = (following.start if following else duration) - block.end
                left = free < 0.15 * duration and following is None
                most = (block.start if left else free) / duration * WIDE / LETTER
                place = (block.start if left else block.end, 0.46)
                axes.annotate(
                    clip(block.word, max(int(most) - 1, 1)), place,
                    xytext=(-4 if left else 4, 0), textcoords="offset points", va="center",
                    ha="right" if left else "left", fontsize=8, color=block.ink,
                )  # fmt: skip
            elif fits or room > LETTER * 6:
                axes.text(
                    (block.start + block.end) / 2, 0.46, clip(block.word, int(room / LETTER) + 1),
                    ha="center", va="center", fontsize=8, color=block.ink, clip_on=True,
                    bbox={"facecolor": block.colour, "edgecolor": "none", "pad": 0.6},
                )  # fmt: skip

    return draw


def _legend(above: Sequence[Block], below: Sequence[Block]) -> Draw:
    def draw(axes: Axes) -> None:
        at = 0.0
        for name, blocks in (("stages:", above), ("modes:", below)):
            words = {block.word: block for block in blocks}
            patches = [
                Patch(facecolor=b.colour, edgecolor=EDGE, hatch=HATCH if b.hatched else "")
                for b in words.values()
            ]
            axes.text(
                at, 0.45, name, transform=axes.transAxes, fontsize=8, color=SOFT, va="center",
            )  # fmt: skip
            axes.add_artist(
                Legend(
                    axes, patches, list(words), loc="center left", ncols=len(patches),
                    bbox_to_anchor=(at + 0.034, 0.5), frameon=False, fontsize=8, labelcolor=SOFT,
                    borderpad=0, handlelength=1.4, handletextpad=0.4, columnspacing=1.2,
                )
            )  # fmt: skip
            at += 0.06 + sum(0.03 + 0.0055 * len(word) for word in words)

    return draw


def losses(track: Track) -> list[Panel]:
    """What the recording lacks, in words and a row a topic, and what its recorder noted."""
    panels = []
    if not track.lost:
        panels.append(Panel(0.2, sentence("nothing is known to be lost"), "lost", gap=0.14))
    counts = Counter[str]()
    for mark in track.lost:
        counts[mark.topic] += mark.count
    if counts:
        causes = ", ".join(dict.fromkeys(mark.cause for mark in track.lost))
        more = f" of {len(counts)} topics" if len(counts) > 1 else ""
        text = f"{counts.total()} messages{more}, by cause: {causes}"
        panels.append(Panel(0.2, sentence(text, warns=True), "lost", gap=0.14))
    for topic, count in counts.most_common(MOST_TOPICS):
        name = f"{clip(topic, 22)}"
        panels.append(Panel(0.17, _losses(track, topic), "", f"{name}  {count}", gap=0.03))
    if track.notes:
        shown = [f"{at:.2f} s  {text}" for at, text in track.notes[:3]]
        more = f"  (and {len(track.notes) - 3} more)" if len(track.notes) > 3 else ""
        text = clip("  ·  ".join(shown) + more, 180)
        panels.append(Panel(0.2, sentence(text, warns=True), "recorder", gap=0.06))
    return panels


def _losses(track: Track, topic: str) -> Draw:
    at = [min(max(m.at, 0.0), track.duration) for m in track.lost if m.topic == topic]

    def draw(axes: Axes) -> None:
        axes.axhline(0.5, color=FAINT, linewidth=0.8, zorder=0)
        axes.plot(
            at, [0.5] * len(at), linestyle="none", marker="|", markersize=11,
            markeredgewidth=1.8, color=WARNING_COLOUR, clip_on=False,
        )  # fmt: skip

    return draw
