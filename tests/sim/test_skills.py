"""Operators of three skills do the tasks through the whole path.

The claims of docs/how-to/collect.md: who is skilled succeeds, who is new to it does so less often,
and an adaptation takes as long as people's. A few seeds in every run, fifty trials each in the
whole campaign, which prints its table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from rove.policies import policy_path
from rove_core.vocabulary import Outcome, Stage
from rove_sim.collect import pool
from rove_sim.collect.episode import Collector, Episode, Plan

SEEDS = range(7000, 7050)
AT_LEAST = {"erase_whiteboard": 0.9, "bread_toaster": 0.8}
"""Share of a skilled operator's demonstrations that succeed."""


def collect(plan: Plan, folder: Path, seeds: Iterable[int]) -> list[Episode]:
    """Run episodes one after the other."""
    collector = Collector(plan, folder)
    episodes = [collector.run(seed) for seed in seeds]
    collector.close()
    return episodes


def successes(episodes: list[Episode]) -> int:
    """Return how many the physics calls a success."""
    return sum(episode.truth is Outcome.SUCCESS for episode in episodes)


@pytest.mark.parametrize("task", AT_LEAST)
def test_a_skilled_operator_demonstrates(task: str, tmp_path: Path) -> None:
    """Law: through retargeting, arbiter and contact the work gets done, without a fault."""
    episodes = collect(Plan(task), tmp_path, SEEDS[:4])
    assert successes(episodes) >= 3
    assert sum(episode.holds for episode in episodes) == 0


def test_an_adaptation_takes_as_long_as_a_persons(tmp_path: Path) -> None:
    """Law: after a takeover a person needs 1 to 4 s until the work goes on (ROVE §3.1)."""
    plan = Plan("erase_whiteboard", policy_path("shipped"), takeover_at=1.0)
    episodes = collect(plan, tmp_path, SEEDS[:5])
    first = [episode for episode in episodes if episode.takeovers == 1]
    assert len(first) >= 3
    for episode in first:
        assert 1.0 <= episode.stages[Stage.ADAPTATION] <= 4.0


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", AT_LEAST)
def test_skill_decides(task: str, tmp_path: Path) -> None:
    """Law: over 50 trials the skilled reach their share, and the novice stays measurably below."""
    counts = {}
    for skill in ("skilled", "novice"):
        plan = Plan(task, operator=skill)
        episodes = pool.collect(plan, tmp_path / skill, SEEDS, os.cpu_count() or 1).episodes
        counts[skill] = successes(episodes)
        seconds = np.median([episode.seconds for episode in episodes])
        print(f"{task}, {skill}: {counts[skill]} of {len(SEEDS)}, median {seconds:.1f} s")
    assert counts["skilled"] >= AT_LEAST[task] * len(SEEDS)
    table = [[count, len(SEEDS) - count] for count in counts.values()]
    assert fisher_exact(table, alternative="greater").pvalue < 0.05
