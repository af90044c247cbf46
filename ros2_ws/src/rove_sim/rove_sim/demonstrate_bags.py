"""Scripted demonstrations as bags: what ``rove-sim demonstrate`` writes and ``rove-learn`` reads.

The bags hold what the recorder would have seen of an operator who drives in a demonstration:
camera as JPEG, joint states, and the commands with authority HUMAN, stage DEMONSTRATION.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Authority, EpisodeChange, EpisodeKind, Mode, Outcome, Stage
from rove_sim.demonstrate import DemoEpisode, demonstrate
from rove_sim.expert import PERIOD_S
from rove_sim.robot import JPEG_QUALITY, to_jpeg

START_NS = 1_000_000_000  # ROS time of the first frame; 0 would read as "no stamp"
PERIOD_NS = round(PERIOD_S * 1e9)


@dataclass(frozen=True)
class Written:
    """What was written: bags, how many of them the expert failed in, frames of 50 ms."""

    bags: tuple[Path, ...]
    failed: int
    frames: int


def write_demonstrations(
    spec: RobotSpec,
    task: str,
    out: Path,
    seeds: Sequence[int],
    on_episode: Callable[[int, int], None] = lambda _done, _all: None,
) -> Written:
    """Demonstrate a task once a seed and write one bag each.

    Args:
        spec: the robot.
        task: name of the task.
        out: folder of the bags, one subfolder each; made when missing.
        seeds: of the scenes; the same seed gives the same episode.
        on_episode: told (episodes done, episodes in all).

    Raises:
        ConfigError: unknown task, or no seed.
        BagError: a bag of that name is there already, or the disk refuses.
    """
    if not seeds:
        raise ConfigError("number of episodes", 0, "at least 1", "rove-sim demonstrate")
    out.mkdir(parents=True, exist_ok=True)
    bags, failed, frames = [], 0, 0
    for i, episode in enumerate(demonstrate(spec, task, seeds), start=1):
        bags.append(write_episode(spec, task, out, episode))
        failed += not episode.success
        frames += len(episode.stamps)
        on_episode(i, len(seeds))
    return Written(tuple(bags), failed, frames)


def write_episode(spec: RobotSpec, task: str, out: Path, episode: DemoEpisode) -> Path:
    """Write the bag of one episode and return its folder.

    Frame ``t`` lies at ``START_NS + t * PERIOD_NS``, on the grid of the resampler; its target
    takes force when frame ``t + 1`` is due.

    Raises:
        BagError: a bag of that name is there already, or the disk refuses.
    """
    name = f"{task}_{episode.seed:06d}"
    info = EpisodeInfo.of(
        spec,
        name,
        kind=EpisodeKind.DEMONSTRATION,
        task=task,
        instruction=episode.instruction,
        seed=episode.seed,
        parameters={"operator": "scripted expert", "jpeg_quality": JPEG_QUALITY},
    )
    outcome = Outcome.SUCCESS if episode.success else Outcome.FAILURE
    with EpisodeRecorder(out / name, spec, info) as recorder:
        recorder.episode_event(START_NS, EpisodeChange.STARTED)
        for t, (position, velocity, target) in enumerate(
            zip(episode.positions, episode.velocities, episode.targets, strict=True)
        ):
            stamp = START_NS + t * PERIOD_NS
            for camera, images in episode.images.items():
                recorder.camera(camera, stamp, to_jpeg(images[t]))
            recorder.joint_states(stamp, position, velocity)
            recorder.joint_command(
                stamp + PERIOD_NS,
                target,
                Authority.HUMAN,
                Stage.DEMONSTRATION,
                Mode.HUMAN,
                human_wanted=target,
            )
        end = START_NS + len(episode.stamps) * PERIOD_NS
        recorder.episode_event(end, EpisodeChange.STOPPED, outcome, "scripted")
        return recorder.close(outcome, "scripted")
