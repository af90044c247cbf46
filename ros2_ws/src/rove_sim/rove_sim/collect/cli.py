"""``rove-sim collect``: many episodes, faster than the clock on the wall."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rove.policies import policy_path
from rove_core.bag.recording.revision import code_revision
from rove_core.intervals import wilson
from rove_core.vocabulary import Outcome, Stage
from rove_sim.collect.episode import Episode, Plan
from rove_sim.collect.pool import Collected, Lost, collect
from rove_sim.labels import LabelNoise


@dataclass(frozen=True)
class CollectArgs:
    """Collect episodes without ROS, as bags: demonstrations, or rollouts with interventions.

    Attributes:
        task: name of the task.
        out: new or empty folder of the bags.
        policy: ONNX file that drives, ``shipped``, or ``none``: the operator demonstrates.
        operator: skill of the simulated operator (expert, skilled, novice), or ``none``.
        episodes: number of them.
        first_seed: of the scenes and operators, which count up from it.
        workers: processes; 0: one a core.
        robot: robot profile.
        device: what the operator wears: headset or exo.
        instruction: what is asked; empty: the seed decides.
        variation: 0 (plain lab) to 1: how far placement, light, textures and camera differ.
        start_spread: 0 to 1: how far waist and right arm begin beside the task's start posture.
        stall: s without progress after which the operator takes over; negative: never.
        takeover_at: s into an episode at which the operator takes over; negative: never.
        goal: progress at which the operator hands back; 1: when the work is done.
        longest: s of robot time after which an episode is a time-out.
        wrong_labels: share of outcomes that are labelled the other way round.
        missed_marks: share of recoveries that are never marked.
        late_marks: s by which marks of the recovery are late on average.
        mark_spread: s, standard deviation of a mark's time; it may also come too early.
    """

    task: str
    out: Path
    policy: str = "none"
    operator: str = "skilled"
    episodes: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 50
    first_seed: int = 0
    workers: int = 0
    robot: str = "g1_dex3"
    device: str = "headset"
    instruction: str = ""
    variation: float = 0.0
    start_spread: float = 0.0
    stall: float = 4.0
    takeover_at: float = -1.0
    goal: float = 1.0
    longest: float = 40.0
    wrong_labels: float = 0.0
    missed_marks: float = 0.0
    late_marks: float = 0.0
    mark_spread: float = 0.0


def run_collect(args: CollectArgs) -> None:
    """Collect, with a progress bar, and say what came of it.

    Raises:
        RoveError: see ``collect``.
    """
    plan = Plan(
        task=args.task,
        policy=None if args.policy == "none" else policy_path(args.policy).absolute(),
        operator=args.operator,
        robot=args.robot,
        device=args.device,
        instruction=args.instruction,
        variation=args.variation,
        start_spread=args.start_spread,
        stall=args.stall,
        takeover_at=args.takeover_at,
        goal=args.goal,
        longest=args.longest,
        labels=LabelNoise(args.wrong_labels, args.missed_marks, args.late_marks, args.mark_spread),
    )
    began = time.monotonic()
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        line = bar.add_task("episodes", total=args.episodes)

        def lost(what: Lost) -> None:
            bar.console.print(
                f"seed {what.seed}: its worker {what.why}; the episode is repeated "
                f"(attempt {what.attempt} was lost, finished episodes are kept)"
            )

        done = collect(
            plan,
            args.out,
            seeds,
            args.workers or os.cpu_count() or 1,
            code_revision(),
            lambda _: bar.advance(line),
            lost,
        )
    print(summary(done, time.monotonic() - began))
    print(f"{len(done.episodes)} bags in {args.out}")


def summary(done: Collected, wall_s: float) -> str:
    """Return success with its Wilson 95 % interval, times and speed, for people."""
    episodes, total = done.episodes, len(done.episodes)
    good = sum(e.truth is Outcome.SUCCESS for e in episodes)
    low, high = wilson(good, total)
    ends = Counter(e.truth.name.lower() for e in episodes if e.truth is not Outcome.SUCCESS)
    rest = "".join(f", {count} {name}" for name, count in sorted(ends.items()))
    lines = [
        f"{good} of {total} succeed, {good / total:.0%} (95 % interval {low:.0%} to "
        f"{high:.0%}){rest}",
        _times(episodes),
    ]
    helped = [e for e in episodes if e.takeovers]
    if helped:
        lines.append(f"taken over in {len(helped)} of {total}")
    holds = sum(e.holds for e in episodes)
    if holds:
        lines.append(f"the arbiter held {holds} times")
    seconds, cpu = sum(e.seconds for e in episodes), sum(e.cpu_s for e in episodes)
    lines.append(
        f"{seconds:.0f} s of robot time in {wall_s:.0f} s: {seconds / wall_s:.1f} times real time, "
        f"{seconds / max(cpu, 1e-9):.1f} times a core"
    )
    return "\n".join(lines)


def _times(episodes: list[Episode]) -> str:
    words = [f"episode {np.median([e.seconds for e in episodes]):.1f} s"]
    for stage in (Stage.ROLLOUT, Stage.ADAPTATION, Stage.RECOVERY, Stage.DEMONSTRATION):
        spans = [e.stages[stage] for e in episodes if e.stages.get(stage)]
        if spans:
            low, middle, high = np.percentile(spans, [10, 50, 90])
            words.append(f"{stage.name.lower()} {middle:.1f} s ({low:.1f} to {high:.1f})")
    return "median of " + ", ".join(words)
