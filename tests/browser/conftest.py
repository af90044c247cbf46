"""One graph for both pages: that of the operator and that of the supervisor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The whole graph, its pages, and nobody else."""
    from graph_harness import PATIENT, RunningGraph, free_port

    graph = RunningGraph(
        tmp_path_factory.mktemp("pages"),
        limits=PATIENT,
        operator="wire",
        lab="none",
        page=f"https://127.0.0.1:{free_port()}",
        console=f"http://127.0.0.1:{free_port()}",
    )
    try:
        graph.probe.wait("an arbiter", lambda: graph.probe.state)
        yield graph
    finally:
        graph.close()
