"""What a night learns from: the day's bags and the demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rove_core.errors import BagError
from rove_core.robot.spec import RobotSpec
from rove_learner.episodes import LearnData, LearnEpisode, read_learn_episodes


class Teller(Protocol):
    """Told how a run goes: ``total`` None when it is not known; ``done`` 0 begins a bar."""

    def __call__(self, what: str, done: int, total: int | None) -> None: ...


def silent(what: str, done: int, total: int | None) -> None:
    """Say nothing."""


def require_endings(episodes: Sequence[LearnEpisode]) -> None:
    """Raise BagError when no episode says whether what it shows is good or bad."""
    if any(episode.success is not None for episode in episodes):
        return
    found = sorted({episode.outcome.name for episode in episodes})
    raise BagError(
        f"no success and no failure among {len(episodes)} episodes: outcomes {', '.join(found)} "
        "given, at least one SUCCESS, FAILURE or TIMEOUT needed; nothing says what is good"
    )


def read_night(
    bags: Path, demos: Sequence[Path], spec: RobotSpec, most_demos: int | None, tell: Teller
) -> LearnData:
    """Read the day's bags and the demonstrations.

    Raises:
        BagError: nothing usable in one of them, or no ending in all of it.
    """
    parts = [
        read_learn_episodes(
            [bags], spec, on_bag=lambda done, total: tell("reading bags", done, total)
        )
    ]
    if demos:
        parts.append(
            read_learn_episodes(
                demos, spec, most_demos,
                on_bag=lambda done, total: tell("reading demonstrations", done, total),
            )
        )  # fmt: skip
    episodes: dict[Path, LearnEpisode] = {}
    names: set[str] = set()
    for part in parts:
        for episode in part.episodes:
            if episode.path in episodes:
                continue  # a folder of demonstrations inside that of the bags
            name = episode.name
            while name in names:
                name = f"{name}+"
            names.add(name)
            episodes[episode.path] = replace(episode, name=name)
    left_out = {path: why for part in parts for path, why in part.left_out.items()}
    data = LearnData(tuple(episodes.values()), left_out)
    require_endings(data.episodes)
    return data
