"""Draw an episode: its panels from top to bottom."""

from __future__ import annotations

from dataclasses import replace

from rove.bag.picture import bands, changes, curves, head
from rove.bag.picture.page import png
from rove.bag.picture.track import Track


def picture(track: Track, small: bool = False) -> bytes:
    """Return the picture of an episode as a PNG of 1600 pixels' width.

    Args:
        track: the episode.
        small: with few colours, as of ``png``.
    """
    drawn = [
        *curves.value(track),
        *curves.joints(track),
        *curves.hands(track),
        *curves.errors(track),
    ]
    if drawn:
        drawn[-1] = replace(drawn[-1], ticks=True)
    panels = [
        head.title(track),
        *head.film(track),
        *changes.numbers(track),
        *bands.stages(track),
        *changes.listed(track),
        *drawn,
        *bands.losses(track),
    ]
    return png(panels, track.duration, small)
