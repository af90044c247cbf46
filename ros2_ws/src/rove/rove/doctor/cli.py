"""`rove doctor`: run all checks, show them with their cures, exit 1 if the stack cannot run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rove.doctor import machine, renderer, ros, stack
from rove.doctor.check import Check, Status, run_checks
from rove.environment import ensure_ament_prefix
from rove.graph import GraphArguments

COLOURS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red"}


def all_checks(
    robot: str, policy: str, bags: Path, bridge: str
) -> list[tuple[str, Callable[[], Check]]]:
    """Return the checks in the order in which one builds on the other."""
    return [
        ("python", machine.check_python),
        ("ros", ros.check_ros),
        ("messages", lambda: ros.check_messages(ros.installed_folder(), ros.source_folder())),
        ("rmw", ros.check_rmw),
        ("renderer", renderer.check_renderer),
        ("disk", lambda: machine.check_disk(bags)),
        ("shared memory", machine.check_shared_memory),
        ("clock", machine.check_clock),
        ("bridge port", lambda: machine.check_port(bridge)),
        ("keys", stack.check_keys),
        ("robot", lambda: stack.check_robot(robot)),
        ("policy", lambda: stack.check_policy(robot, policy)),
    ]


def table(checks: Sequence[Check]) -> Table:
    """Return the results as a table with the cure under each problem."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    for column in ("name", "status"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("found", overflow="fold")
    for check in checks:
        colour = COLOURS[check.status]
        shown.add_row(check.name, f"[{colour}]{check.status}[/]", _plain(check.found))
        if check.cure:
            shown.add_row("", f"[{colour}]cure[/]", _plain(check.cure))
    return shown


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def main(words: list[str]) -> int:
    """Return 1 when a check failed, else 0."""
    defaults = {item.name: str(item.default) for item in fields(GraphArguments)}
    parser = argparse.ArgumentParser(prog="rove doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--robot", default=defaults["robot"], help="robot profile")
    parser.add_argument("--policy", default=defaults["policy"], help="as for rove up")
    parser.add_argument("--bags", type=Path, default=Path("bags"), help="where bags will go")
    parser.add_argument("--bridge", default=defaults["bridge"], help="address of the bridge")
    given = parser.parse_args(words)
    ensure_ament_prefix()
    checks = run_checks(all_checks(given.robot, given.policy, given.bags, given.bridge))
    failed = any(check.status is Status.FAIL for check in checks)
    if given.json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        console = Console(highlight=False)
        console.print(table(checks))
        problems = sum(check.status is not Status.OK for check in checks)
        console.print(f"{len(checks)} checks, {problems} to look at" if problems else "all well")
    return int(failed)
