"""Bags to what the learning half of ROVE reads: frames after cutting, stages, endings, t_r."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rove_core.bag.episode import Episode
from rove_core.bag.reader import find_bags, find_incomplete_bags
from rove_core.digest import digest
from rove_core.errors import BagError, ConfigError, ContractError
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import EpisodeKind, Mode, Outcome, Stage
from rove_learner.data import check_pictures, quote, read_uncut
from rove_learner.frames import EpisodeFrames
from rove_learner.recovery import Recovery, Source, interventions

SUCCEEDED: Mapping[Outcome, bool] = {
    Outcome.SUCCESS: True,
    Outcome.FAILURE: False,
    Outcome.TIMEOUT: False,
}
"""Terminal labels (§3.1, *ours*: a time-out is a failure). Other outcomes have none."""


@dataclass(frozen=True)
class LearnEpisode:
    """T+1 frames at 20 Hz after cutting; T is the last.

    Attributes:
        name: unique in a run; the bag's folder.
        path: the bag.
        instruction, task, kind, outcome: of the episode.
        times_ns: (T+1,) ROS time, ns.
        segment: (T+1,) counts from 0; frames of one segment follow each other without a cut.
        stage, authority: (T+1,) of the action.
        images: camera -> T+1 JPEG pictures.
        position: (T+1, N) rad, measured.
        executed: (T+1, N) rad, the command in force when the next frame is due.
        policy: (T+1,) index into ``policies`` of the policy in force.
        policies: policy digests; "" for none.
        spans: first and last frame of every intervention.
        recoveries: ``t_r`` of every intervention, with its source.
    """

    name: str
    path: Path
    instruction: str
    task: str
    kind: EpisodeKind
    outcome: Outcome
    times_ns: npt.NDArray[np.int64]
    segment: npt.NDArray[np.int64]
    stage: npt.NDArray[np.uint8]
    authority: npt.NDArray[np.uint8]
    images: Mapping[str, Sequence[bytes]]
    position: npt.NDArray[np.float32]
    executed: npt.NDArray[np.float32]
    policy: npt.NDArray[np.int64]
    policies: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    recoveries: tuple[Recovery, ...]

    def __len__(self) -> int:
        return len(self.times_ns)

    @property
    def success(self) -> bool | None:
        """How it ended; None without a terminal label (aborted, e-stopped, unknown)."""
        return SUCCEEDED.get(self.outcome)

    @property
    def recovery_frames(self) -> tuple[int, ...]:
        """Frames ``t_r``, each once."""
        return tuple(sorted({recovery.frame for recovery in self.recoveries}))

    @property
    def topic(self) -> str:
        """What thresholds and mean lengths are made for: the task, or else the instruction."""
        return self.task or self.instruction

    @cached_property
    def digest(self) -> str:
        """Digest over all that learning sees, wherever the bag lies."""
        return digest(
            [
                self.picture_digest, self.outcome, self.kind, self.task, self.times_ns,
                self.segment, self.stage, self.authority, self.position, self.executed,
                [[r.frame, r.source] for r in self.recoveries],
            ]
        )  # fmt: skip

    @cached_property
    def picture_digest(self) -> str:
        """Digest over pictures and instruction, all that a frozen backbone sees."""
        pictures = {name: b"".join(rows) for name, rows in self.images.items()}
        sizes = {name: [len(row) for row in rows] for name, rows in self.images.items()}
        return digest([self.instruction, pictures, sizes])

    def frames(self) -> EpisodeFrames:
        """Return the episode as the actor's frames; chunks end at cuts and changes of driver."""
        return EpisodeFrames.build(
            self.name, self.instruction, self.images, self.position, self.executed,
            self.stage, self.authority, self.segment,
        )  # fmt: skip


@dataclass(frozen=True)
class LearnData:
    """What was read: episodes, and bag -> why it is not among them."""

    episodes: tuple[LearnEpisode, ...]
    left_out: dict[str, str]

    @property
    def digest(self) -> str:
        """Digest over the episodes; their order does not count."""
        return digest(sorted(f"{e.name} {e.digest}" for e in self.episodes))


def from_bag(episode: Episode, name: str) -> LearnEpisode:
    """Cut a bag's frames and find its interventions (§3.1).

    Raises:
        BagError: every frame is cut.
    """
    kept = np.flatnonzero(np.asarray(episode.stage) != Stage.NONE)
    if not len(kept):
        raise BagError(f"{episode.path}: every frame is cut from learning (stage NONE)")
    apart = (np.diff(kept) > 1) | (np.diff(episode.segment[kept]) != 0)
    # ALIGN begins an intervention even where the stage alone could not tell (no mark, no rollout
    # in between); a clutch or a hold in the middle of one does not.
    aligned = np.cumsum(np.asarray(episode.mode) == Mode.ALIGN)[kept]
    stage = episode.stage[kept]
    spans = interventions(stage, aligned)
    return LearnEpisode(
        name=name,
        path=episode.path,
        instruction=episode.instruction,
        task=episode.info.task,
        kind=episode.info.kind,
        outcome=episode.outcome.outcome,
        times_ns=episode.times_ns[kept],
        segment=np.concatenate([[0], np.cumsum(apart)]).astype(np.int64),
        stage=stage,
        authority=episode.authority[kept],
        images={camera: [rows[i] for i in kept] for camera, rows in episode.images.items()},
        position=episode.position[kept].astype(np.float32),
        executed=episode.executed[kept].astype(np.float32),
        policy=episode.commands_policy_digest[kept],
        policies=episode.policy_digests,
        spans=spans,
        recoveries=tuple(_marked(stage, span, len(kept)) for span in spans),
    )


def _marked(stage: npt.NDArray[np.uint8], span: tuple[int, int], length: int) -> Recovery:
    begin, end = span
    found = np.flatnonzero(stage[begin : end + 1] == Stage.RECOVERY)
    if len(found):
        return Recovery(begin + int(found[0]), Source.MARK)
    return Recovery(length - 1, Source.END)


def with_recoveries(episode: LearnEpisode, recoveries: Sequence[Recovery]) -> LearnEpisode:
    """Return the episode with other ``t_r``, one for each of its interventions."""
    if len(recoveries) != len(episode.spans):
        raise ContractError(
            f"{episode.name}: {len(recoveries)} t_r given, {len(episode.spans)} interventions"
        )
    return replace(episode, recoveries=tuple(recoveries))


def read_learn_episodes(
    folders: Sequence[Path],
    spec: RobotSpec,
    most: int | None = None,
    on_bag: Callable[[int, int], None] = lambda _done, _all: None,
) -> LearnData:
    """Read all bags below some folders, whatever their outcome.

    Broken, foreign and unfinished bags, and those of another robot, are left out with their
    reasons.

    Args:
        folders: where to look.
        spec: the robot to learn for.
        most: bags to read at most, spread evenly over those found; None: all.
        on_bag: told (bags done, bags in all).

    Raises:
        BagError: no such folder, no bags, or none that can be used.
    """
    paths = [path for folder in folders for path in find_bags(folder)]
    unfinished = [path for folder in folders for path in find_incomplete_bags(folder)]
    paths = list(dict.fromkeys(path.resolve() for path in paths))
    places = ", ".join(repr(str(folder)) for folder in folders)
    if not paths and not unfinished:
        raise BagError(f"no bags below {places}; folders with a *.mcap file are expected")
    if most is not None and len(paths) > most:
        picks = np.unique(np.linspace(0, len(paths) - 1, most).astype(int))
        paths = [paths[i] for i in picks]
    left_out = {str(path): "its recording was cut off" for path in unfinished}
    episodes: list[LearnEpisode] = []
    names: set[str] = set()
    for i, path in enumerate(paths, start=1):
        try:
            name = _unused(path, names)
            episodes.append(_read(path, spec, name))
            names.add(name)
        except (BagError, ConfigError, ContractError) as error:
            left_out[str(path)] = str(error)
        on_bag(i, len(paths))
    if not episodes:
        raise BagError(
            f"none of the {len(left_out)} bags below {places} can be learnt from: {quote(left_out)}"
        )
    return LearnData(tuple(episodes), left_out)


def _unused(path: Path, names: set[str]) -> str:
    """Return a name that no episode has: the folder's, with its parents where needed."""
    parts = path.parts
    for n in range(1, len(parts)):
        name = ".".join(parts[-n:])
        if name not in names:
            return name
    raise BagError(f"{path}: a bag of this name was read already")


def _read(path: Path, spec: RobotSpec, name: str) -> LearnEpisode:
    episode = read_uncut(path, spec)
    if episode.info.robot != spec.name:
        raise BagError(f"{path}: robot {episode.info.robot!r} given, {spec.name!r} allowed")
    check_pictures(episode, spec)
    return from_bag(episode, name)
