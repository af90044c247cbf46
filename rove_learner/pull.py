"""``rove-learn pull``: the finished bags of a robot, whole and verified, into a folder here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rove_core.bag.fetch.client import RobotBags
from rove_core.bag.fetch.errors import FetchError, UnreachableError
from rove_core.bag.fetch.landing import Landing
from rove_core.bag.fetch.pull import Pulled, Watcher, pull
from rove_core.errors import ConfigError
from rove_core.keys import KeyStore

INTERRUPTED = 130
"""Exit status of who was stopped by Ctrl-C."""


@dataclass(frozen=True)
class Pull:
    """Fetch the finished bags of a robot that are not here yet.

    A bag appears in --out whole or not at all. Killed or cut off, the same command goes on where
    it stopped. The robot may delete a bag once a learner has it.

    Attributes:
        robot: address of the robot's keeper, for example tcp://10.0.0.7:7449.
        out: folder for the bags.
        keys: folder of the keys; default: $ROVE_KEYS or ~/.config/rove/keys.
        robot_key: name of the robot's public key (`rove keys`).
        learner_key: name of this machine's key.
        timeout: s without progress after which the robot counts as gone.
        watch: keep pulling, until Ctrl-C.
        every: s between two looks with --watch.
    """

    robot: str
    out: Path
    keys: Path | None = None
    robot_key: str = "robot"
    learner_key: str = "learner"
    timeout: float = 20.0
    watch: bool = False
    every: float = 5.0


class _Bars(Watcher):
    """One progress bar for all bytes, with their rate."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._left = 0
        self._total = 0.0
        self._task = progress.add_task("asking the robot", total=None)

    def begin(self, bags: int, bytes_: int) -> None:
        self._left, self._total = bags, float(bytes_)
        self._progress.reset(self._task, description=f"{bags} bags", total=self._total)

    def preparing(self, bag: str, done: int, size: int) -> None:
        share = f"{100 * done // size} %" if size else ""
        self._progress.update(self._task, description=f"{bag}: the robot reads it {share}")

    def fetching(self, bag: str) -> None:
        words = f"{bag}, {self._left} to go"
        self._left -= 1
        self._progress.update(self._task, description=words)

    def resumed(self, count: int) -> None:
        self._total -= count  # not counted as arrived: the rate would be wrong
        self._progress.update(self._task, total=self._total)

    def arrived(self, count: int) -> None:
        self._progress.advance(self._task, count)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def run_pull(arguments: Pull, console: Console) -> int:
    """Do what ``rove-learn pull`` says; return 0, or 1 when bags are missing.

    Raises:
        ConfigError: address, keys or a number that is wrong.
    """
    for name in ("timeout", "every"):
        if not getattr(arguments, name) > 0:
            raise ConfigError(name, getattr(arguments, name), "above 0 s", f"--{name}")
    store = KeyStore(arguments.keys)
    key, robot_public = store.load(arguments.learner_key), store.public(arguments.robot_key)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    status = 0

    def say_error(error: FetchError) -> None:
        errors.print(f"rove-learn pull: {error}", style="red", markup=False)

    try:
        with Landing(arguments.out) as landing:
            while True:
                try:
                    with (
                        RobotBags(arguments.robot, key, robot_public, arguments.timeout) as robot,
                        _progress(console) as progress,
                    ):
                        done = pull(robot, landing, _now, _Bars(progress))
                except UnreachableError as error:
                    if not arguments.watch:
                        raise
                    say_error(error)
                else:
                    status = _report(done, arguments, console, errors)
                if not arguments.watch:
                    return status
                time.sleep(arguments.every)
    except FetchError as error:
        say_error(error)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; the same pull goes on where this one was", highlight=False)
        return status if arguments.watch else INTERRUPTED


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _report(done: Pulled, arguments: Pull, console: Console, errors: Console) -> int:
    """Say what was done; return the exit status."""
    news = [*done.fetched, *done.renewed]
    if news or not arguments.watch:
        renewed = f", {len(done.renewed)} renewed" if done.renewed else ""
        console.print(
            f"{done.robot}: {len(done.fetched)} bags fetched{renewed} "
            f"({done.bytes / 1e6:.1f} MB), {len(done.here)} were here; in {arguments.out}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for file in done.edited:
        words = f"{file} was edited here and on the robot: yours stays, the robot's is beside it"
        errors.print(f"{words} as {Path(file).name}.robot", style="yellow", markup=False)
    for bag, reason in done.failed.items():
        errors.print(f"left out {bag}: {reason}", style="red", markup=False)
    return 1 if done.failed else 0
