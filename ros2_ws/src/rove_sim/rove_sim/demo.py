"""``make demo``: the whole loop once, on this machine, with the real processes.

Episodes on the graph with a scripted operator who helps when nothing goes on; the nightly job on
their bags; a signed push to the robot; the same scenes again with the new policy; a report. Every
figure at the end is read from the bags.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from rove.bag.common import console as wide_console
from rove.environment import ensure_ament_prefix
from rove.graph import GraphArguments, NodeSpec, build_graph, check_arguments
from rove.keys_cli import BRIDGE, LEARNER, ensure_local_keys
from rove.supervise import Supervisor
from rove.up import graph_environment
from rove_core.bag.summary import BagSummary, summarise
from rove_core.delivery.client import running
from rove_core.errors import PolicyError, RoveError
from rove_core.keys import KeyStore
from rove_core.robot import load_robot
from rove_learner.report.page import write_report
from rove_learner.report.terminal import demo_table

POLL_S = 0.1
PUSHED_S = 60.0
"""How long the graph may take to start and to run a pushed policy."""
NEVER = -1.0
EPISODE_S = 90.0
"""Wall time that an episode may take on a slow machine, its reset included."""


@dataclass(frozen=True)
class DemoArgs:
    """Run the whole loop once: episodes, learning, push, episodes, report.

    Attributes:
        out: folder of everything the demo makes; an older one is moved aside.
        episodes: before and after each; the same scenes.
        takeovers: more episodes, in which the operator takes over early; they are learnt from
            and not compared.
        demonstrations: by a simulated operator through the headset's path; the learner adds them.
        stall: s without progress after which the scripted operator takes over.
        operator: what the scripted operator wears: ``scripted``, a headset; ``exo``, a suit that
            measures joints.
        seed: of the first scene.
        robot: robot profile.
        task: name of the task.
    """

    out: Path = Path("build/demo")
    episodes: int = 10
    takeovers: int = 4
    demonstrations: int = 100
    stall: float = 3.0
    operator: Literal["scripted", "exo"] = "scripted"
    seed: int = 5000
    robot: str = "g1_dex3"
    task: str = "erase_whiteboard"


class Lab:
    """The graph of this demo, with ports, keys and a policy store of its own."""

    def __init__(self, args: DemoArgs, out: Path, console: Console) -> None:
        self._out, self._console = out, console
        self.spec = load_robot(args.robot)
        os.environ["ROVE_KEYS"] = str(out / "keys")
        self.keys: KeyStore = ensure_local_keys()
        self.delivery = f"tcp://127.0.0.1:{_free_port()}"
        self._given = GraphArguments(
            robot=args.robot,
            task=args.task,
            operator=args.operator,
            episodes=args.episodes,
            seed=args.seed,
            takeover_at=NEVER,
            stall=args.stall,
            store=str(out / "policies"),
            bridge=f"tcp://127.0.0.1:{_free_port()}",
            delivery=self.delivery,
            fetch="none",
        )
        self._environment = graph_environment(os.environ)
        self._environment.setdefault("ROS_DOMAIN_ID", str(40 + os.getpid() % 50))

    def robot(self, bags: Path, **changes: object) -> Supervisor:
        """Return the processes of everything but the lab's person."""
        graph = self._graph(bags, **changes)
        return self._supervisor([node for node in graph if not node.ends_graph], "robot")

    def person(self, bags: Path, **changes: object) -> Supervisor:
        """Return the process of the lab's person, who ends after the last episode."""
        graph = self._graph(bags, **changes)
        return self._supervisor([node for node in graph if node.ends_graph], "lab")

    def _graph(self, bags: Path, **changes: object) -> list[NodeSpec]:
        given = replace(self._given, bags=str(bags), **changes)  # type: ignore[arg-type]
        return build_graph(check_arguments(given), self.spec.name)

    def _supervisor(self, graph: list[NodeSpec], name: str) -> Supervisor:
        return Supervisor(graph, self._out / "parameters" / name, self._environment, self._say)

    def _say(self, name: str, line: str) -> None:
        with open(self._out / "graph.log", "a", encoding="utf-8") as log:
            log.write(f"{name}: {line}\n")
        if name == "lab" or " agreed that " in line or " was delivered" in line:
            self._console.print(f"  {line.removeprefix('INFO: ')}", markup=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_demo(args: DemoArgs) -> int:
    """Run the demo; return an exit status.

    Raises:
        RoveError: a step failed; what the earlier ones made stays in ``args.out``.
    """
    ensure_ament_prefix()
    console, began = wide_console(), time.monotonic()
    out = _fresh(args.out.absolute())
    day, after, night = out / "day", out / "after", out / "night"
    before, more = day / "before", day / "more"
    lab = Lab(args, out, console)
    _head(console, 1, f"{args.episodes} episodes; the operator helps after {args.stall:g} s")
    _episodes(lab, before, args.episodes)
    if args.takeovers:
        console.print(f"  {args.takeovers} more with a takeover after 1 s: only to learn from")
        seed = args.seed + args.episodes
        _episodes(lab, more, args.takeovers, takeover_at=1.0, seed=seed)
    _head(console, 2, f"{args.demonstrations} demonstrations, then the nightly job")
    _demonstrate(out / "demonstrations", args)
    base = Path(__file__).parent / "policies" / "erase_whiteboard.onnx"
    learn = [sys.executable, "-m", "rove_learner.cli", "nightly", "--base", str(base)]
    learn += ["--bags", str(day), "--demos", str(out / "demonstrations")]
    learn += ["--out", str(night), "--profile", args.robot]
    _command(learn)
    _head(console, 3, "push to the robot, then the same scenes with the new policy")
    robot = lab.robot(after)
    robot.start()
    try:
        _wait_for_robot(lab, robot)
        _command([*learn, "--robot", lab.delivery, "--robot-key", BRIDGE])
        _run_lab(lab, robot, after, args.episodes)
    finally:
        robot.stop()
    _head(console, 4, "report")
    learnt = [more] if args.takeovers else []
    console.print(demo_table([before], [after], learnt))
    report = write_report(out / "report.html", [before], [after], night, learnt)
    minutes = (time.monotonic() - began) / 60
    console.print(f"{report}  ({minutes:.1f} minutes)", markup=False, soft_wrap=True)
    return _verdict(console, before, after, night)


def _head(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}. {text}[/]")


def _fresh(out: Path) -> Path:
    """Return the folder, empty; what an earlier demo made is moved aside, never deleted."""
    if out.exists():
        number = 1
        while (aside := out.with_name(f"{out.name}.{number}")).exists():
            number += 1
        out.rename(aside)
    out.mkdir(parents=True)
    return out


def _episodes(lab: Lab, bags: Path, count: int, **changes: object) -> None:
    robot = lab.robot(bags, **changes)
    robot.start()
    try:
        _run_lab(lab, robot, bags, count, **changes)
    finally:
        robot.stop()


def _run_lab(lab: Lab, robot: Supervisor, bags: Path, count: int, **changes: object) -> None:
    person = lab.person(bags, episodes=count, **changes)
    person.start()
    deadline = time.monotonic() + PUSHED_S + count * EPISODE_S
    try:
        while not person.finished:
            robot.poll()
            person.poll()
            failed = robot.failed or person.failed
            if failed is not None:
                raise RoveError(f"the graph stopped: {failed}; see graph.log")
            if time.monotonic() > deadline:
                raise RoveError(f"{count} episodes took too long; see graph.log")
            time.sleep(POLL_S)
    finally:
        person.stop()


def _wait_for_robot(lab: Lab, robot: Supervisor) -> None:
    """Wait until the policy node answers learners."""
    learner, public = lab.keys.load(LEARNER), lab.keys.public(BRIDGE)
    deadline = time.monotonic() + PUSHED_S
    while True:
        robot.poll()
        try:
            running(lab.delivery, learner, public, timeout_s=3.0)
            return
        except PolicyError:
            if time.monotonic() > deadline:
                raise


def _demonstrate(out: Path, args: DemoArgs) -> None:
    """Collect demonstrations in lock step: an operator's frames through the same retargeting and
    arbiter as on the graph, the robot beside its start posture at the begin of each."""
    words = [sys.executable, "-m", "rove_sim.cli", "collect", "--out", str(out)]
    words += ["--operator", "expert", "--start-spread", "1", "--task", args.task]
    words += ["--episodes", str(args.demonstrations), "--robot", args.robot]
    _command(words)


def _command(words: list[str]) -> None:
    """Run a command of the project with this terminal, so that its progress bars are seen."""
    done = subprocess.run(words, check=False)
    if done.returncode:
        raise RoveError(f"`{' '.join(words[2:])}` ended with status {done.returncode}")


def _verdict(console: Console, before: Path, after: Path, night: Path) -> int:
    """Hold the bags against what a loop must show; a demo that did not learn is a failure."""
    made = json.loads((night / "run.json").read_text(encoding="utf-8"))["new_digest"]
    days: dict[str, list[BagSummary]] = {
        "before": summarise(before)[0],
        "after": summarise(after)[0],
    }
    problems = []
    if any(row.policy == made for row in days["before"]):
        problems.append("the new policy drove before it was made")
    if not days["after"] or any(row.policy != made for row in days["after"]):
        problems.append("the bags after the push do not name the pushed policy")
    more = before.with_name("more")
    helped = days["before"] + (summarise(more)[0] if more.is_dir() else [])
    for stage in ("rollout_s", "adaptation_s", "recovery_s"):
        if not any(getattr(row, stage) > 0 for row in helped):
            problems.append(f"no bag holds the stage {stage.removesuffix('_s')}")
    for problem in problems:
        console.print(f"[red]error:[/] {problem}")
    return 1 if problems else 0
