"""A benchmark's line says whether its figure keeps its bound."""

from __future__ import annotations

import json
import math

import pytest

from tests.bench.__main__ import discover, main
from tests.bench.result import Result, percentile


@pytest.mark.parametrize(
    ("value", "higher_is_better", "kept"),
    [(0.9, False, True), (1.1, False, False), (1.1, True, True), (0.9, True, False)],
)
def test_a_bound_has_a_direction(value: float, higher_is_better: bool, kept: bool) -> None:
    """A cost stays below its target and a rate above it."""
    assert Result("x", value, "ms", 2.0, 1.0, higher_is_better).ok is kept


def test_what_is_not_finite_keeps_no_bound() -> None:
    """A figure that is nan or infinite never passes, and the line stays valid JSON."""
    for value in (math.nan, math.inf):
        result = Result("x", value, "1/s", math.nan, 1.0, higher_is_better=True)
        assert not result.ok
        assert json.loads(result.line())["value"] is None


def test_the_line_has_what_a_reader_compares() -> None:
    """Name, value, unit, baseline, ratio, target and verdict are in every line."""
    entry = json.loads(Result("tick", 0.5, "ms", 5.0, 1.0).line())
    wanted = {"name": "tick", "value": 0.5, "unit": "ms", "baseline": 5.0, "ratio": 0.1}
    assert wanted.items() <= entry.items()
    assert entry["target"] == 1.0
    assert entry["ok"] is True


def test_percentiles_are_samples() -> None:
    """The nearest-rank percentile is one of the samples; 100 is the largest."""
    samples = [float(value) for value in range(1, 101)]
    assert [percentile(samples, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]


def test_benchmarks_are_found_and_a_wrong_word_lists_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Discovery needs no list, and a word that selects nothing is an error that helps."""
    names = [name for name, _ in discover()]
    assert "bench_arbiter.bench_tick" in names
    assert main(["no such benchmark"]) == 2
    assert names[0] in capsys.readouterr().err
