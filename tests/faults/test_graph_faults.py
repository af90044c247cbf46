"""A sample of the graph fault campaign, and the whole of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import graph as campaign
from tests.faults import network
from tests.faults.__main__ import report
from tests.faults.graph import FAULTS, RunningGraph, play, start
from tests.faults.verdict import Verdict

pytestmark = pytest.mark.graph
SAMPLE = ("e-stop service", "bridge SIGKILL", "clock leaps ahead", "teleop SIGSTOP, human")
"""One of each kind; those of the arbiter, the policy and the simulator: test_killed_nodes.py."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGraph]:
    running = start(tmp_path_factory.mktemp("faults"))
    yield running
    running.close()


@pytest.mark.flaky(reruns=2)
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_faults_ends_in_hold(graph: RunningGraph, name: str) -> None:
    """The robot holds, or goes on where it has to; `make faults` judges the times."""
    seed = next(i for i, fault in enumerate(FAULTS) if fault.name == name)
    verdict = play(graph, seed, FAULTS[seed])
    campaign.end(graph)
    assert verdict.broken == ""


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_all_faults_end_in_hold(graph: RunningGraph) -> None:
    """All of them, those of one driver together."""
    chosen = sorted(enumerate(FAULTS), key=lambda pair: pair[1].driver)
    verdicts = [play(graph, seed, fault) for seed, fault in chosen]
    assert [v for v in verdicts if v.broken] == []


def test_every_kind_of_fault_is_in_the_campaign() -> None:
    """Fifty faults play all kinds, under the policy and under a human, and none twice by name."""
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))
    assert len(names) <= 50
    for node in ("sim", "arbiter", "policy", "teleop", "bridge", "recorder", "keeper"):
        assert {f"{node} SIGKILL", f"{node} SIGSTOP"} <= set(names)
    assert {"operator SIGKILL, human", "operator SIGSTOP, human"} <= set(names)


def test_sigterm_closes_the_graph(tmp_path: Path) -> None:
    """Bug: a campaign that was told to end left its graph's processes behind until they noticed.
    Its processes are gone when it is, and its report is written."""
    out = tmp_path / "faults.json"
    command = [sys.executable, "-m", "tests.faults", "--out", str(out), "--only", "policy SIGSTOP"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert "the graph runs" in process.stdout.readline()
        children = _descendants(process.pid)
        assert len(children) >= 6
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert json.loads(out.read_text())["faults"] == 0


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def test_the_report_tells_late_and_broken_from_good(tmp_path: Path) -> None:
    """One row a fault; the exit status counts what is late or broken, the JSON has everything, and
    what could not be played says why."""
    nan = float("nan")
    good = Verdict(0, "a", 0.25, 0.26, 0.0, "")
    late = Verdict(1, "b", 0.25, 0.30, 0.01, "")
    broken = Verdict(2, "c", nan, nan, 0.0, "it drives")
    skipped = Verdict(3, "d", nan, nan, 0.0, "", "no netem here")
    file = tmp_path / "out" / "faults.json"
    text, bad = report([good, late, broken, skipped], file)
    assert bad == 2
    words = ("LATE", "it drives", "0.300", "skipped: no netem here")
    assert [word in text for word in words] == [True] * 4
    told = json.loads(file.read_text())
    assert [row["in_time"] for row in told["verdicts"]] == [True, False, True, True]
    assert told["verdicts"][2]["hold_s"] is None
    assert told["verdicts"][3]["skipped"] == "no netem here"
    assert (told["largest_hold_s"], told["skipped"]) == (0.30, 1)


def test_a_machine_without_namespaces_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault of the network is reported as skipped, with the reason."""
    monkeypatch.setenv("PATH", os.devnull)
    verdicts = list(network.campaign(50, []))
    assert [v.seed for v in verdicts] == list(range(50, 55))
    assert {v.skipped for v in verdicts} == {"no iproute2 (ip, tc) here"}
