"""The ``rove-sim`` command."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rove_core.errors import ConfigError, RoveError
from rove_sim.collect.cli import CollectArgs, run_collect
from rove_sim.collect.watch import WatchArgs, watch
from rove_sim.demo import DemoArgs, run_demo
from rove_sim.picture import PictureArgs, picture

app = tyro.extras.SubcommandApp()
SHIPPED = Path(__file__).parent / "policies" / "erase_whiteboard.onnx"


def _progress(label: str) -> Progress:
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


@dataclass(frozen=True)
class EvaluateArgs:
    """Run a policy closed-loop without ROS and report success with its interval.

    Attributes:
        policy: ONNX file; the shipped one by default.
        trials: number of scenes, none of which a demonstration was made in.
        robot: name of the robot's profile.
        task: name of the task.
        low: ask for low instead of high advantage.
    """

    policy: Path = SHIPPED
    trials: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 40
    robot: str = "g1_dex3"
    task: str = "erase_whiteboard"
    low: bool = False


@app.command(name="picture")
def picture_command(args: tyro.conf.OmitArgPrefixes[PictureArgs]) -> None:
    """Write a PNG of the robot at work."""
    print(picture(args))


@app.command(name="tasks")
def tasks_command() -> None:
    """List the tasks of the lab."""
    from rove_sim.tasks import TASKS

    print("\n".join(TASKS))


@app.command(name="collect")
def collect_command(args: tyro.conf.OmitArgPrefixes[CollectArgs]) -> None:
    """Collect episodes without ROS, as bags: demonstrations, or rollouts with interventions."""
    run_collect(args)


@app.command(name="watch")
def watch_command(args: tyro.conf.OmitArgPrefixes[WatchArgs]) -> None:
    """Write an mp4 of one episode: from outside and from the robot's head."""
    episode = watch(args)
    print(f"{args.out}: {episode.truth.name.lower()} after {episode.seconds:.1f} s")


@app.command(name="evaluate")
def evaluate_command(args: tyro.conf.OmitArgPrefixes[EvaluateArgs]) -> None:
    """Run a policy closed-loop without ROS and report success with its interval."""
    from rove_core.robot import load_robot
    from rove_sim.evaluate_policy import FIRST_TEST_SEED, evaluate_policy

    if args.trials < 1:
        raise ConfigError("number of trials", args.trials, "1 or more", "--trials")
    with _progress("trials") as bar:
        line = bar.add_task("", total=args.trials)
        result = evaluate_policy(
            args.policy,
            load_robot(args.robot),
            args.task,
            range(FIRST_TEST_SEED, FIRST_TEST_SEED + args.trials),
            advantage_high=not args.low,
            on_trial=lambda begun, _: bar.update(line, completed=begun - 1),
        )
        bar.update(line, completed=args.trials)
    print(result.text())


@dataclass(frozen=True)
class HumanVideosArgs:
    """Film a person, through their own eyes, doing, failing and recovering a task.

    Attributes:
        task: name of the task.
        out: folder of the mp4 files and of labels.json; it must hold no labels yet.
        videos: number of them.
        seed: of the first; they count up from it.
        recoveries: share of videos with a mistake that is made good.
        failures: share of videos with a mistake that is not.
        pixels: width and height.
        variation: 0 (plain lab) to 1.
        wrong_outcomes: share of outcomes that are labelled the other way round.
        missed_marks: share of recoveries that nobody marked.
        mark_spread: s, standard deviation of a mark's time.
    """

    task: str
    out: Path
    videos: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 180
    seed: int = 0
    recoveries: float = 0.35
    failures: float = 0.30
    pixels: int = 224
    variation: float = 1.0
    wrong_outcomes: float = 0.0
    missed_marks: float = 0.0
    mark_spread: float = 0.0


@app.command(name="human-videos")
def human_videos_command(args: tyro.conf.OmitArgPrefixes[HumanVideosArgs]) -> None:
    """Film a person, through their own eyes, doing, failing and recovering a task."""
    from rove_sim.human.videos import VideoOrder, film
    from rove_sim.labels import LabelNoise
    from rove_sim.tasks import TASKS

    if args.task not in TASKS:
        raise ConfigError("task", args.task, TASKS, "--task")
    noise = LabelNoise(args.wrong_outcomes, args.missed_marks, 0.0, args.mark_spread)
    order = VideoOrder(
        args.task,
        args.out,
        args.videos,
        args.seed,
        args.recoveries,
        args.failures,
        args.pixels,
        args.variation,
        noise,
    )
    with _progress("videos") as bar:
        line = bar.add_task("", total=args.videos)
        labels = film(order, lambda done, _: bar.update(line, completed=done))
    ends = Counter(label.outcome.name.lower() for label in labels)
    recovered = sum(label.recovery is not None for label in labels)
    print(f"{len(labels)} videos in {args.out}: {dict(ends)}, {recovered} with a recovery")


@app.command(name="demo")
def demo_command(args: tyro.conf.OmitArgPrefixes[DemoArgs]) -> None:
    """Run the whole loop once: episodes, learning, push, episodes, report."""
    sys.exit(run_demo(args))


def main() -> int:
    """Run ``rove-sim`` and return its exit status; what a user can fix is one line, not a trace."""
    try:
        app.cli(prog="rove-sim")
    except RoveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
