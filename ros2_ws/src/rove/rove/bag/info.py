"""``rove bag info``: what bags hold, read from the bags alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.reader import Bag
from rove_core.bag.summary import BagSummary, summarise_bag


@dataclass(frozen=True)
class Info:
    """Show what bags hold: outcome, takeovers, seconds in each stage, modes, what was lost."""

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    topics: tyro.conf.FlagCreatePairsOff[bool] = False
    """List each bag's records and topics, too."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def main(words: list[str]) -> int:
    """Run ``rove bag info``."""
    given = parse(Info, words, "info")
    failures = Failures()
    paths = find(given.folders, failures)
    rows = list(each(paths, "reading", summarise_bag, failures))
    rows.sort(key=lambda row: row[1].start_ns)
    if given.json:
        print(json.dumps([_plain(path, row) for path, row in rows], indent=1))
        return failures.status()
    shown = console()
    if rows:
        print_table(shown, [row for _, row in rows])
    if given.topics:
        for path, _ in rows:
            print_topics(shown, Bag(path))
    return failures.status()


def print_table(shown: Console, rows: Sequence[BagSummary]) -> None:
    """Print one row a bag, and below it the modes of those in which a person took over."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("bag", "instruction", "outcome"):
        table.add_column(column, overflow="fold")
    for column in ("s", "takeovers", "rollout", "adaptation", "recovery", "lost"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("policy", no_wrap=True)
    for row in rows:
        seconds = (row.duration_s, row.rollout_s, row.adaptation_s, row.recovery_s)
        total, rollout, adaptation, recovery = (f"{value:.1f}" for value in seconds)
        table.add_row(
            row.name,
            row.instruction,
            row.outcome,
            total,
            str(row.takeovers),
            rollout,
            adaptation,
            recovery,
            "?" if row.lost < 0 else str(row.lost),
            row.policy[:12],
        )
    shown.print(table)
    for row in rows:
        if row.takeovers:
            modes = " > ".join(mode.name for mode in row.modes)
            shown.print(f"{row.name}: {modes}", markup=False, soft_wrap=True)
        for note in row.notes:
            shown.print(f"{row.name}: {note}", markup=False, soft_wrap=True)


def print_topics(shown: Console, bag: Bag) -> None:
    """Print the records of a bag and its topics."""
    info = bag.info
    shown.print(f"\n{bag.path}", markup=False, style="bold")
    for name, value in (
        ("robot", f"{info.robot}, {len(info.joint_names)} joints, digest {info.robot_digest[:12]}"),
        ("episode", f"{info.episode_id}, {info.kind.name.lower()}, task {info.task!r}"),
        ("operator", info.operator_id),
        ("revision", info.revision),
        ("records", ", ".join(bag.metadata)),
    ):
        if value:
            shown.print(f"  {name:9s} {value}", markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("topic", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("messages", justify="right", no_wrap=True)
    for topic in sorted(bag.topics.values(), key=lambda topic: topic.name):
        table.add_row(topic.full_name, topic.type, str(topic.count))
    shown.print(table)


def _plain(path: Path, row: BagSummary) -> dict[str, Any]:
    modes = [mode.name for mode in row.modes]
    return {"path": str(path)} | asdict(row) | {"modes": modes}
