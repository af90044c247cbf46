"""What a person wants to know of the data of a run: counts, and what is odd about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rove_core.vocabulary import Outcome, Stage
from rove_learner.episodes import LearnEpisode


def counts(episodes: Sequence[LearnEpisode], left_out: Mapping[str, str]) -> dict[str, Any]:
    """Return numbers of bags and episodes, and frames by stage, by outcome and by policy.

    ``policies`` names the digests that drove rollout frames; demonstrations name none.
    """
    stages: Counter[str] = Counter()
    outcome_episodes: Counter[str] = Counter()
    outcome_frames: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    policies: Counter[str] = Counter()
    for episode in episodes:
        for stage, n in zip(*np.unique(episode.stage, return_counts=True), strict=True):
            stages[Stage(stage).name.lower()] += int(n)
        outcome_episodes[episode.outcome.name.lower()] += 1
        outcome_frames[episode.outcome.name.lower()] += len(episode)
        kinds[episode.kind.name.lower()] += 1
        drove = episode.policy[episode.stage == Stage.ROLLOUT]
        for index, n in zip(*np.unique(drove, return_counts=True), strict=True):
            policies[episode.policies[index]] += int(n)
    return {
        "bags": len(episodes) + len(left_out),
        "left_out": len(left_out),
        "episodes": len(episodes),
        "frames": sum(len(episode) for episode in episodes),
        "interventions": sum(len(episode.spans) for episode in episodes),
        "kinds": dict(kinds),
        "stage_frames": dict(stages),
        "outcome_episodes": dict(outcome_episodes),
        "outcome_frames": dict(outcome_frames),
        "policy_frames": dict(policies),
    }


def warnings_of(episodes: Sequence[LearnEpisode], left_out: Mapping[str, str]) -> list[str]:
    """Return what is odd about the data, in words."""
    said = []
    if left_out:
        names = ", ".join(sorted(Path(path).name for path in left_out)[:5])
        said.append(f"{len(left_out)} bags left out: {names}")
    known = [episode.success for episode in episodes if episode.success is not None]
    if not any(known):
        said.append("no success in the data: the critic only knows how it fails")
    if all(known):
        said.append("no failure in the data: the critic only knows how it succeeds")
    odd = [e for e in episodes if e.success is None]
    if odd:
        words = sorted({Outcome(e.outcome).name.lower() for e in odd})
        said.append(f"{len(odd)} episodes without a terminal label ({', '.join(words)})")
    lost = sum(r.source.value == "end" for e in episodes for r in e.recoveries)
    if lost:
        said.append(f"{lost} interventions never reached recovery: t_r = T")
    return said
