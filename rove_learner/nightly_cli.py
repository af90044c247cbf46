"""``rove-learn nightly``: what a person may choose, and what is shown while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from rove_core.errors import ConfigError, PolicyError
from rove_core.robot import load_robot
from rove_learner.actor import ActorConfig
from rove_learner.backbone import load_actor
from rove_learner.critic import CriticConfig
from rove_learner.night_data import read_night
from rove_learner.nightly import Night, NightlyConfig, nightly
from rove_learner.pushing import Courier
from rove_learner.rewards import Boundary, RewardConfig


@dataclass(frozen=True)
class Nightly:
    """Make a better policy from the day's bags and bring it to the robot.

    The defaults are those of `make demo`: about 10 rollouts and 100 demonstrations take 2-4
    minutes on one core. Run it again with the same --out to continue after a kill or a robot that
    could not be reached.

    Attributes:
        bags: folder with the day's bags; subfolders are searched.
        base: policy to start from (*.onnx).
        out: folder of the results.
        demos: folders with demonstrations.
        most_demos: demonstrations to use at most, spread evenly; 0 is all.
        previous: --out of the iteration before; its critic finds t_r where no mark came.
        profile: robot profile, by name or path.
        robot: address of the robot's delivery, for example tcp://10.0.0.7:5580; "" pushes nothing.
        robot_key: name of the robot's public key (`rove keys`).
        learner_key: name of this machine's key.
        signing_key: name of the key that signs.
        push_timeout: s without progress after which a push gives up.
        steps_pretrain: steps of each critic's Monte-Carlo regression.
        steps_critic: steps of each critic's OVE.
        steps_actor: steps of the actor.
        boundary: how the penalty at t_r enters the return.
        c_fail: reward of a failure, steps.
        c_fail_lengths: k above 0: C_fail is -k times the mean episode length instead.
        c_rescue: reward at t_r with --boundary graded, steps.
        horizon: H of the critic, steps.
        tau: expectile.
        folds: K of the cross-fitting.
        share_high: share of the chunks to label high.
        seed: of everything random.
    """

    bags: Path
    base: Path
    out: Path
    demos: tuple[Path, ...] = ()
    most_demos: int = 100
    previous: Path | None = None
    profile: str = "g1_dex3"
    robot: str = ""
    robot_key: str = "robot"
    learner_key: str = "learner"
    signing_key: str = "learner"
    push_timeout: float = 30.0
    steps_pretrain: int = CriticConfig.pretrain_steps
    steps_critic: int = CriticConfig.steps
    steps_actor: int = ActorConfig.steps
    boundary: Boundary = Boundary.REWARD
    c_fail: float = RewardConfig.c_fail
    c_fail_lengths: float = 0.0
    c_rescue: float = RewardConfig.c_rescue
    horizon: int = CriticConfig.horizon
    tau: float = CriticConfig.tau
    folds: int = NightlyConfig.folds
    share_high: float = NightlyConfig.share_high
    seed: int = 0

    def config(self) -> NightlyConfig:
        """Return what to learn with.

        Raises:
            ConfigError: a number out of range.
        """
        if not 0 < self.share_high <= 1:
            raise ConfigError("share_high", self.share_high, "above 0 to 1", "nightly")
        if self.most_demos < 0:
            raise ConfigError("most_demos", self.most_demos, "0 (all) or more", "nightly")
        if self.folds < 2:
            raise ConfigError("folds", self.folds, "at least 2", "nightly")
        return NightlyConfig(
            rewards=RewardConfig(self.boundary, self.c_fail, self.c_fail_lengths, self.c_rescue),
            critic=CriticConfig(
                pretrain_steps=self.steps_pretrain, steps=self.steps_critic,
                horizon=self.horizon, tau=self.tau, seed=self.seed,
            ),
            actor=ActorConfig(steps=self.steps_actor, seed=self.seed),
            folds=self.folds,
            share_high=self.share_high,
            seed=self.seed,
        )  # fmt: skip


class _Bars:
    """One progress bar a step of the run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


def run_nightly(arguments: Nightly, console: Console, command: str) -> None:
    """Do what ``rove-learn nightly`` says.

    Raises:
        RoveError: anything a person can fix.
    """
    config = arguments.config()
    spec = load_robot(arguments.profile)
    if not arguments.base.is_file():
        raise PolicyError(f"policy to start from {str(arguments.base)!r} does not exist")
    courier = None
    if arguments.robot:  # keys now: not after all the work
        courier = Courier.ready(
            arguments.robot, arguments.robot_key, arguments.learner_key, arguments.signing_key,
            arguments.push_timeout,
        )  # fmt: skip
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    with Progress(*columns, console=console) as progress:
        bars = _Bars(progress)
        most = arguments.most_demos or None
        data = read_night(arguments.bags, arguments.demos, spec, most, bars)
        night = nightly(
            data, arguments.base, spec, arguments.out, config, command, time.time_ns(),
            arguments.previous, bars,
        )  # fmt: skip
    report_night(console, night)
    if courier is None:
        return
    with Progress(*columns, console=console) as progress:
        bars = _Bars(progress)
        manifest = load_actor(night.policy).manifest
        changed = courier.deliver(
            night.policy, manifest, time.time_ns(), lambda done, n: bars("push, bytes", done, n)
        )
    words = "runs on" if changed else "ran already on"
    console.print(f"policy {night.digest[:12]} {words} {arguments.robot}", highlight=False)


def report_night(console: Console, night: Night) -> None:
    """Say what was learnt from, what is odd, and what came out."""
    summary, total = night.summary, night.summary["counts"]
    console.print(
        f"{total['episodes']} episodes, {total['frames']} frames: {total['outcome_episodes']}; "
        f"{total['interventions']} interventions, t_r by {summary['t_r_sources']}",
        highlight=False,
    )
    shares = summary["label_audit"]["stage"].items()
    said = ", ".join(f"{name} {row['share']:.0%}" for name, row in shares if row["frames"])
    console.print(f"high advantage: {said}", highlight=False)
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    if night.reused:
        console.print(f"done by an earlier run: {', '.join(night.reused)}", highlight=False)
    console.print(f"wrote {night.policy}, digest {night.digest}", highlight=False, soft_wrap=True)
