"""``rove up``: the graph of ``bringup.launch.py`` without the launch package."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from rove.bag.common import console as wide_console
from rove.bag.info import print_table
from rove.graph import GraphArguments, bags_folder, build_graph, parse_arguments
from rove.supervise import Supervisor
from rove_core.bag.summary import summarise
from rove_core.errors import RoveError
from rove_core.robot import load_robot

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "white")
POLL_S = 0.1
FASTDDS_PROFILE = Path(__file__).resolve().with_name("fastdds.xml")


def usage() -> str:
    """Return the text of ``rove up --help``."""
    lines = ["usage: rove up [name:=value ...]", "", "Start the robot's node graph.", ""]
    for item in fields(GraphArguments):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        lines.append(f"  {item.name + ':=' + str(default):34s} {item.metadata['text']}")
    return "\n".join(lines)


def graph_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the graph's processes.

    Discovery stays on this machine unless the user chose otherwise, because DDS without SROS2
    authenticates nobody. Shared memory gets room for processes that stand still for a moment.
    Rendering goes offscreen; numeric libraries get one thread each.
    """
    environment = dict(base)
    environment.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(FASTDDS_PROFILE))
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault("MUJOCO_GL", "egl")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")
    environment["PYTHONUNBUFFERED"] = "1"
    environment["RCUTILS_CONSOLE_OUTPUT_FORMAT"] = "{severity}: {message}"
    return environment


def main(words: list[str]) -> int:
    """Start the graph, show what its nodes print, stop it on Ctrl-C or when the lab is done."""
    if any(word in ("-h", "--help") for word in words):
        print(usage())
        return 0
    console = wide_console()
    try:
        given = parse_arguments(words)
        spec = load_robot(given.robot)
        graph = build_graph(given, given.namespace or spec.name)
        folder = Path(tempfile.mkdtemp(prefix="rove-up-"))
        colours = {node.name: COLOURS[i % len(COLOURS)] for i, node in enumerate(graph)}

        def say(name: str, line: str) -> None:
            console.print(f"[{colours[name]}]{name:>9s}[/] ", end="")
            console.print(line, markup=False)

        supervisor = Supervisor(graph, folder, graph_environment(os.environ), say)
    except RoveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    began_ns = time.time_ns()
    console.print(f"{len(graph)} nodes in namespace {graph[0].namespace}; Ctrl-C stops them")
    supervisor.start()
    try:
        while not stop.is_set() and not supervisor.finished and supervisor.failed is None:
            supervisor.poll()
            stop.wait(POLL_S)
    finally:
        supervisor.stop()
    if given.record:
        _summary(console, bags_folder(given), began_ns)
    if supervisor.failed is not None:
        console.print(f"[red]error:[/] {supervisor.failed}")
        return 1
    return 0


def _summary(console: Console, folder: Path, since_ns: int) -> None:
    """Print the bags of this run, read back from disk."""
    if not folder.is_dir():
        console.print(f"no bag was recorded in {folder}", markup=False)
        return
    rows, bad = summarise(folder)
    console.print(f"bags in {folder}", markup=False)
    print_table(console, [row for row in rows if row.start_ns >= since_ns])
    for line in bad:
        console.print(f"[red]unreadable[/] {line}")
