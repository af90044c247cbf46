"""Laws of plots: what is drawn is where its value is, on screens of any width."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.colours import STAGE_COLOURS, STAGE_INK, STAGE_WORDS
from rove_core.vocabulary import Stage
from rove_learner.report.plot import ACROSS, DOWN, POINTS, Axis, number, path, ticks_path

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@given(st.lists(finite, max_size=20), st.booleans())
def test_an_axis_holds_its_values_and_its_ticks(values: list[float], zero: bool) -> None:
    """Every value and every tick lies on the axis; ticks are few and evenly spaced."""
    axis = Axis.around([*values, float("nan")], zero)
    parts = axis.part(values)
    assert np.all((parts >= -1e-9) & (parts <= 1 + 1e-9))
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 9
    assert all(-1e-6 <= float(axis.part(tick)) <= 1 + 1e-6 for tick in ticks)
    if len(ticks) > 2:
        assert np.diff(ticks) == pytest.approx(np.diff(ticks)[0])


def test_a_line_goes_through_its_points() -> None:
    """The ends of a line are at the corners of its axes, up is up."""
    assert path([0, 10], [-5, 5], Axis(0, 10), Axis(-5, 5)) == f"M0.0 {DOWN}.00L{ACROSS}.0 0.00"


def test_a_line_breaks_where_nothing_was_measured() -> None:
    """Neither nan nor a leap in time is bridged."""
    unit = Axis(0, 1)
    assert path([0, 0.1, 0.2], [0, np.nan, 1], unit, unit).count("M") == 2
    assert path([0, 0.1, 0.9], [0, 0, 1], unit, unit, longest_step=0.2).count("M") == 2
    assert path([0, 0.1, 0.2], [0, 0, 1], unit, unit, longest_step=0.2).count("M") == 1
    assert path([], [], unit, unit) == ""


def test_a_long_line_is_thinned() -> None:
    """An hour of values takes no more points than a screen has columns for, and stays whole."""
    x = np.linspace(0, 1, 72_000)
    line = path(x, x, Axis(0, 1), Axis(0, 1), longest_step=2 / 72_000)
    assert len(re.findall("[ML]", line)) <= POINTS
    assert line.count("M") == 1
    assert ticks_path(x, Axis(0, 1), 0, 0.5).count("M") <= POINTS


def test_numbers_read_well() -> None:
    """No exponent, a true minus, and a dash for what is not a number."""
    assert number(0.25) == "0.25"
    assert number(-500) == "\N{MINUS SIGN}500"
    assert number(12345.6) == "12\N{NARROW NO-BREAK SPACE}346"
    assert number(float("nan")) == "\N{EN DASH}"


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2)."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("stage", list(Stage))
def test_words_on_a_stage_can_be_read(stage: Stage) -> None:
    """Each stage has a word, and its ink has a contrast of 4.5 to 1 on its colour."""
    assert STAGE_WORDS[stage]
    light, dark = sorted((luminance(STAGE_COLOURS[stage]), luminance(STAGE_INK[stage])))[::-1]
    assert (light + 0.05) / (dark + 0.05) >= 4.5
