"""The demo by an exoskeleton: `rove up operator:=exo` from takeover to hand-back."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_harness import RunningGraph
from rove_core.bag.reader import find_bags
from rove_core.bag.summary import summarise_bag
from rove_core.vocabulary import Mode

pytestmark = [pytest.mark.graph, pytest.mark.full]
ATTEMPTS = 3
"""A machine that itself stands still for a quarter of a second makes the robot hold."""


def _story(folder: Path) -> list[Mode]:
    graph = RunningGraph(folder, operator="exo", episodes=1, takeover_at=1.0)
    try:
        graph.probe.wait("the lab to end its episode", lambda: graph.supervisor.finished, 150.0)
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(graph.lines[-60:])) from error
    finally:
        graph.close()
    bags = find_bags(graph.bags)
    assert len(bags) == 1, graph.lines
    return list(summarise_bag(bags[0]).modes)


def test_an_exoskeleton_takes_over_and_hands_back(tmp_path: Path) -> None:
    """On the real graph: ALIGN, HUMAN and HANDBACK between two times of AUTONOMOUS."""
    for attempt in range(ATTEMPTS):
        modes = _story(tmp_path / str(attempt))
        if Mode.HOLD not in modes:
            break
    story = [mode for mode in modes if mode is not Mode.CLUTCH]
    wanted = [Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.HANDBACK, Mode.AUTONOMOUS]
    start = story.index(Mode.ALIGN) - 1
    assert story[start : start + len(wanted)] == wanted, [mode.name for mode in modes]
