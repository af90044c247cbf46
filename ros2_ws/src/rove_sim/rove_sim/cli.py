"""The ``rove-sim`` command."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rove_core.errors import ConfigError, RoveError
from rove_sim.demo import DemoArgs, run_demo
from rove_sim.picture import PictureArgs, picture

app = tyro.extras.SubcommandApp()
SHIPPED = Path(__file__).parent / "policies" / "erase_whiteboard.onnx"


def _progress(label: str) -> Progress:
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


@dataclass(frozen=True)
class DemonstrateArgs:
    """Write demonstrations of the scripted expert as bags.

    Attributes:
        out: folder of the bags.
        episodes: number of them.
        first_seed: of the scenes, which count up from it.
        robot: name of the robot's profile.
        task: name of the task.
    """

    out: Path
    episodes: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 300
    first_seed: int = 0
    robot: str = "g1_dex3"
    task: str = "erase_whiteboard"


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


@app.command(name="demonstrate")
def demonstrate_command(args: tyro.conf.OmitArgPrefixes[DemonstrateArgs]) -> None:
    """Write demonstrations of the scripted expert as bags."""
    from rove_core.robot import load_robot
    from rove_sim.demonstrate_bags import write_demonstrations

    seeds = range(args.first_seed, args.first_seed + args.episodes)
    with _progress("demonstrations") as bar:
        line = bar.add_task("", total=args.episodes)
        written = write_demonstrations(
            load_robot(args.robot),
            args.task,
            args.out,
            seeds,
            lambda done, _: bar.update(line, completed=done),
        )
    print(f"{len(written.bags)} bags, {written.frames} frames of 50 ms in {args.out}")
    print(f"the expert failed in {written.failed}")


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
