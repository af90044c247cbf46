"""A sample of the graph fault campaign, and the whole of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import graph as campaign
from tests.faults.__main__ import report
from tests.faults.graph import FAULTS, RunningGraph, Verdict, play

pytestmark = pytest.mark.graph
SAMPLE = (1, 6, 7, 9, 12)
"""policy SIGSTOP, the e-stop, and three kinds of bad messages; others: test_killed_nodes.py."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGraph]:
    folder = tmp_path_factory.mktemp("faults")
    running = RunningGraph(folder, operator="none", lab="none", record=False)
    yield running
    running.close()


@pytest.mark.flaky(reruns=2)
@pytest.mark.parametrize("seed", SAMPLE, ids=lambda seed: FAULTS[seed])
def test_a_sample_of_faults_ends_in_hold(graph: RunningGraph, seed: int) -> None:
    """The robot holds, or is not driven by what it must refuse; `make faults` judges the times."""
    verdict = play(graph, seed)
    campaign.end(graph)
    assert verdict.broken == ""


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_fifty_faults_end_in_hold(graph: RunningGraph) -> None:
    """All kinds, several times."""
    verdicts = [play(graph, seed) for seed in range(50)]
    assert [v for v in verdicts if v.broken] == []


def test_the_report_tells_late_and_broken_from_good(tmp_path: Path) -> None:
    """One row a fault; the exit status counts what is late or broken, the JSON has everything."""
    nan = float("nan")
    good = Verdict(0, "a", 0.25, 0.26, 0.0, "")
    late = Verdict(1, "b", 0.25, 0.30, 0.01, "")
    broken = Verdict(2, "c", nan, nan, 0.0, "it drives")
    file = tmp_path / "out" / "faults.json"
    text, bad = report([good, late, broken], file)
    assert bad == 2
    assert [word in text for word in ("LATE", "it drives", "0.300")] == [True] * 3
    told = json.loads(file.read_text())
    assert [row["in_time"] for row in told["verdicts"]] == [True, False, True]
    assert told["verdicts"][2]["hold_s"] is None
    assert told["largest_hold_s"] == 0.30
