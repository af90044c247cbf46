"""Laws of colours: words on them can be read, and two that stand side by side are told apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from rove_core.colours import (
    MODE_COLOURS,
    MODE_INK,
    MODE_WORDS,
    STAGE_COLOURS,
    STAGE_INK,
    STAGE_WORDS,
)
from rove_core.vocabulary import Mode, Stage


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("page", "ink"),
    [(STAGE_COLOURS[s], STAGE_INK[s]) for s in Stage]
    + [(MODE_COLOURS[m], MODE_INK[m]) for m in Mode],
)
def test_words_can_be_read(page: str, ink: str) -> None:
    """Ink and colour have a contrast of at least 4.5 to 1."""
    light, dark = sorted((luminance(page), luminance(ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_stage_and_mode_has_its_own_colour_and_word() -> None:
    """No two stages and no two modes share one."""
    for colours, words, kind in (
        (STAGE_COLOURS, STAGE_WORDS, Stage),
        (MODE_COLOURS, MODE_WORDS, Mode),
    ):
        assert set(colours) == set(words) == set(kind)
        for values in (colours, words):
            assert all(a != b for a, b in combinations(values.values(), 2))
