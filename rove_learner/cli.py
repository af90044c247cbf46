"""The ``rove-learn`` command."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rove_core.errors import RoveError
from rove_core.robot import load_robot
from rove_learner.data import DataSet, read_bags
from rove_learner.nightly_cli import Nightly, run_nightly
from rove_learner.pretrain import pretrain, require_writable
from rove_learner.pull import Pull, run_pull
from rove_learner.train import Progress as Measured
from rove_learner.train import TrainingConfig


@dataclass(frozen=True)
class Pretrain:
    """Train a policy from scratch on the successful demonstrations of a folder of bags.

    Attributes:
        bags: folder with the bags; subfolders are searched.
        out: the policy file to write (*.onnx).
        robot: robot profile, by name or path.
        training: how to train.
    """

    bags: Path
    out: Path
    robot: str = "g1_dex3"
    training: Annotated[TrainingConfig, tyro.conf.arg(name="")] = TrainingConfig()  # noqa: RUF009


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def report_data(console: Console, data: DataSet) -> None:
    """Say what was read and what was left out, with the reasons."""
    words = sorted({episode.instruction for episode in data.episodes})
    console.print(
        f"read {len(data.episodes)} episodes, {data.frames} frames; instructions: {words}",
        highlight=False,
    )
    if data.left_out:
        console.print(f"left out {len(data.left_out)} bags:", highlight=False)
        for reason in list(data.left_out.values())[:5]:
            console.print(f"  {reason}", highlight=False, markup=False)


def run_pretrain(arguments: Pretrain, console: Console, command: str) -> None:
    """Do what ``rove-learn pretrain`` says.

    Raises:
        RoveError: anything a person can fix.
    """
    require_writable(arguments.out)
    spec = load_robot(arguments.robot)
    with _bar(console) as bar:
        reading = bar.add_task("reading bags", total=None)
        data = read_bags(
            arguments.bags,
            spec,
            on_bag=lambda done, total: bar.update(reading, completed=done, total=total),
        )
    report_data(console, data)
    with _bar(console) as bar:
        training = bar.add_task("training", total=arguments.training.steps)

        def show(measured: Measured) -> None:
            bar.console.print(
                f"step {measured.step:6d}  loss {measured.train:.4f}  "
                f"held out {measured.held_out:.4f}  with other words {measured.other_words:.4f}",
                highlight=False,
            )

        made = pretrain(
            data,
            spec,
            arguments.out,
            arguments.training,
            command,
            on_progress=show,
            on_step=lambda step: bar.update(training, completed=step),
        )
    console.print(
        f"wrote {made.path} ({made.path.stat().st_size / 1e6:.1f} MB), digest {made.digest}; "
        f"onnxruntime and torch differ by {made.difference:.1e} rad",
        highlight=False,
        soft_wrap=True,
    )


def main(argv: list[str] | None = None) -> int:
    """Run ``rove-learn``; return 2 after an error that a person can fix."""
    argv = sys.argv[1:] if argv is None else argv
    console = Console()
    arguments = tyro.extras.subcommand_cli_from_dict(
        {"pretrain": Pretrain, "nightly": Nightly, "pull": Pull},
        prog="rove-learn",
        description="Bags to a better policy.",
        args=argv,
    )
    try:
        command = shlex.join(["rove-learn", *argv])
        if isinstance(arguments, Nightly):
            run_nightly(arguments, console, command)
        elif isinstance(arguments, Pull):
            return run_pull(arguments, console)
        else:
            run_pretrain(arguments, console, command)
    except RoveError as error:
        Console(stderr=True).print(
            f"rove-learn: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
