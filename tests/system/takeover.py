"""Records an episode of the real graph in which the scripted operator takes over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graph_harness import RunningGraph
from rove_core.bag.reader import Bag, find_bags
from rove_core.bag.summary import summarise_bag
from rove_core.vocabulary import Mode

ATTEMPTS = 3
"""A machine that itself stands still for a quarter of a second makes the robot hold."""
TAKEOVER_S, STALL_S = 1.5, 5.0
"""When the scripted operator takes over: after that time, and after that long without progress."""


def record(folders: pytest.TempPathFactory, **arguments: Any) -> Bag:
    """Return the bag of one episode; arguments of the graph replace those from here."""
    wanted = {"episodes": 1, "takeover_at": TAKEOVER_S, "stall": STALL_S, **arguments}
    for _ in range(ATTEMPTS):
        bag = _record(folders.mktemp("takeover"), wanted)
        modes = summarise_bag(bag.path).modes  # the bag begins seconds before the episode
        if Mode.HOLD not in modes[modes.index(Mode.AUTONOMOUS) :]:
            break
    return bag


def _record(folder: Path, arguments: dict[str, Any]) -> Bag:
    graph = RunningGraph(folder, **arguments)
    try:
        graph.probe.wait("the lab to end its episode", lambda: graph.supervisor.finished, 150.0)
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(graph.lines[-60:])) from error
    finally:
        graph.close()
    bags = find_bags(graph.bags)
    assert len(bags) == 1, graph.lines
    return Bag(bags[0])
