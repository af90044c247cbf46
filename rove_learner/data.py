"""Bags to episodes that the actor can learn from, and an honest account of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rove_core.bag.cuts import apply_cuts, has_cuts, read_cuts
from rove_core.bag.episode import Episode, read_episode
from rove_core.bag.reader import Bag, find_bags, find_incomplete_bags
from rove_core.digest import digest
from rove_core.errors import BagError, ConfigError, ContractError
from rove_core.resample import observation_streams
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Outcome
from rove_learner.frames import EpisodeFrames, decode

SHOWN = 3
"""Reasons that an error message quotes; the rest is counted."""


@dataclass(frozen=True)
class DataSet:
    """What was read.

    Attributes:
        episodes: those to learn from, in order of their paths.
        left_out: bag -> why it is not among them.
    """

    episodes: tuple[EpisodeFrames, ...]
    left_out: dict[str, str]

    @property
    def frames(self) -> int:
        """Number of frames that a chunk may start from."""
        return sum(len(episode.starts) for episode in self.episodes)

    @property
    def digest(self) -> str:
        """Digest over what the episodes hold, wherever they lie."""
        return digest(sorted(episode.digest for episode in self.episodes))


def read_uncut(path: Path, spec: RobotSpec) -> Episode:
    """Return a bag's episode; frames that a person cut (``rove bag cut``) are in stage NONE.

    Raises:
        BagError: unreadable bag or cuts, or a person excluded the bag as a whole.
        ConfigError: the joints of the bag are not those of the spec.
    """
    episode = read_episode(path, spec)
    if not has_cuts(episode.path):
        return episode
    return apply_cuts(episode, read_cuts(Bag(path)), max(observation_streams(spec).values()))


def from_episode(episode: Episode) -> EpisodeFrames:
    """Return a bag's episode as the actor's frames; ``executed`` is the target.

    Raises:
        BagError: a picture of its first frame cannot be decoded or differs in size from the spec.
    """
    return EpisodeFrames.build(
        str(episode.path),
        episode.instruction,
        episode.images,
        episode.position,
        episode.executed,
        np.asarray(episode.stage),
        np.asarray(episode.authority),
        np.asarray(episode.segment),
    )


def check_pictures(episode: Episode, spec: RobotSpec) -> None:
    """Raise BagError when a camera's first picture is none, or of another size than the spec's."""
    for name, pictures in episode.images.items():
        camera = spec.cameras[name]
        shape = decode(pictures[0], f"{episode.path}, camera {name!r}").shape
        if shape != (camera.height, camera.width, 3):
            raise BagError(
                f"{episode.path}: picture of camera {name!r} {shape} given, "
                f"{(camera.height, camera.width, 3)} of robot {spec.name!r} allowed"
            )


def read_bags(
    folder: Path | str,
    spec: RobotSpec,
    outcomes: Collection[Outcome] = (Outcome.SUCCESS,),
    on_bag: Callable[[int, int], None] = lambda _done, _all: None,
) -> DataSet:
    """Read every bag below a folder.

    Bags of another robot, broken, unfinished or foreign ones and episodes with another outcome
    are left out, each with its reason.

    Args:
        folder: the bags.
        spec: the robot to learn for.
        outcomes: how an episode must have ended to be imitated.
        on_bag: told (bags done, bags in all).

    Raises:
        BagError: no such folder, no bags in it, or none of them can be used.
    """
    paths = find_bags(folder)
    unfinished = find_incomplete_bags(folder)
    if not paths and not unfinished:
        raise BagError(
            f"no bags below {str(folder)!r}; folders with a *.mcap file are expected, "
            "rove-sim collect makes some"
        )
    episodes: list[EpisodeFrames] = []
    left_out = {str(path): "its recording was cut off" for path in unfinished}
    for i, path in enumerate(paths, start=1):
        try:
            episodes.append(_read_one(path, spec, outcomes))
        except (BagError, ConfigError, ContractError) as error:
            left_out[str(path)] = str(error)
        on_bag(i, len(paths))
    if not episodes:
        raise BagError(
            f"none of the {len(left_out)} bags below {str(folder)!r} can be learnt from: "
            + quote(left_out)
        )
    return DataSet(tuple(episodes), left_out)


def _read_one(path: Path, spec: RobotSpec, outcomes: Collection[Outcome]) -> EpisodeFrames:
    episode = read_uncut(path, spec)
    if episode.info.robot != spec.name:
        raise BagError(f"{path}: robot {episode.info.robot!r} given, {spec.name!r} allowed")
    outcome = episode.outcome.outcome
    if outcome not in outcomes:
        allowed = ", ".join(sorted(o.name for o in outcomes))
        raise BagError(f"{path}: outcome {outcome.name} given, {allowed} asked for")
    check_pictures(episode, spec)
    frames = from_episode(episode)
    if not len(frames.starts):
        raise BagError(f"{path}: every frame is cut from learning (stage NONE)")
    return frames


def quote(left_out: dict[str, str]) -> str:
    """Return the first reasons in one line, the rest counted."""
    reasons = list(left_out.values())
    rest = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return "; ".join(reasons[:SHOWN]) + rest
