"""``rove bag stats``: interventions, bumps, latency and rates of bags and of all together."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.stats.latency import MEANING, Series
from rove_core.bag.stats.run import BagStats, Totals, bag_stats, totals


@dataclass(frozen=True)
class Stats:
    """Show interventions, bumps at changes of authority, latencies, rates and losses.

    A bump is the largest step of a joint between two commands within 0.5 s of the change, beside
    the 99th percentile of ordinary motion.
    """

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON: each bag's figures, and the totals."""


def main(words: list[str]) -> int:
    """Run ``rove bag stats``."""
    given = parse(Stats, words, "stats")
    failures = Failures()
    rows = [row for _, row in each(find(given.folders, failures), "reading", bag_stats, failures)]
    both = totals(rows)
    if given.json:
        print(json.dumps({"bags": [r.to_json() for r in rows], "totals": both.to_json()}, indent=1))
    elif rows:
        _print(console(), rows, both)
    return failures.status()


def _print(shown: Console, rows: Sequence[BagStats], both: Totals) -> None:
    shown.print(_episodes(rows, both))
    if any(row.interventions for row in rows):
        shown.print(_turns(rows))
    if any(row.bumps for row in rows):
        shown.print(_bumps(rows))
    if both.latency:
        shown.print(_latency(both.latency))
    shown.print(_rates(rows))


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in words:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _episodes(rows: Sequence[BagStats], both: Totals) -> Table:
    numbers = ("s", "interventions", "s by hand", "share", "lost", "errors")
    table = _table("episodes", ("bag", "outcome"), numbers)
    for row in rows:
        by_hand = sum(turn.adaptation_s + turn.recovery_s for turn in row.interventions)
        table.add_row(
            row.path.name,
            row.outcome,
            f"{row.duration_s:.1f}",
            str(len(row.interventions)),
            f"{by_hand:.1f}",
            _share(by_hand, row.duration_s),
            str(row.lost),
            str(row.errors),
        )
    if len(rows) > 1:
        table.add_section()
        by_hand = sum(turn.adaptation_s + turn.recovery_s for turn in both.interventions)
        table.add_row(
            f"{both.bags} bags",
            f"{both.successes} successes",
            f"{both.duration_s:.1f}",
            str(len(both.interventions)),
            f"{by_hand:.1f}",
            _share(by_hand, both.duration_s),
            str(both.lost),
            str(sum(row.errors for row in rows)),
        )
    return table


def _turns(rows: Sequence[BagStats]) -> Table:
    numbers = ("s", "align", "adaptation", "recovery", "clutch")
    table = _table("interventions, s", ("bag", "ended in"), numbers)
    for row in rows:
        for turn in row.interventions:
            parts = (turn.align_s, turn.adaptation_s, turn.recovery_s, turn.clutch_s)
            table.add_row(
                row.path.name,
                turn.ended_in.name if turn.ended_in is not None else "(bag ends)",
                *(f"{value:.2f}" for value in (turn.duration_s, *parts)),
            )
    return table


def _bumps(rows: Sequence[BagStats]) -> Table:
    numbers = ("step rad", "p99", "ratio", "rad/s", "rad/s2", "rad/s3", "press ms")
    table = _table("changes of authority", ("bag", "change", "told by", "joint"), numbers)
    for row in rows:
        for bump in row.bumps:
            motion = bump.motion
            table.add_row(
                row.path.name,
                bump.kind.name.lower(),
                "arbiter" if bump.by_arbiter else "commands",
                bump.joint,
                _number(motion.step, 5),
                _number(bump.normal.step, 5),
                _number(bump.ratio, 2),
                _number(motion.velocity, 3),
                _number(motion.acceleration, 1),
                _number(motion.jerk, 0),
                _number(bump.press_to_authority_ms, 1),
            )
    return table


def _latency(latency: Mapping[str, Series]) -> Table:
    table = _table("latency, ms", ("what",), ("count", "p50", "p99", "largest"))
    table.add_column("between", overflow="fold")
    for name, series in sorted(latency.items()):
        table.add_row(
            name,
            str(len(series)),
            *(_number(series.percentile(q), 2) for q in (50, 99, 100)),
            MEANING.get(name, "ROS: log time minus stamp"),
        )
    return table


def _rates(rows: Sequence[BagStats]) -> Table:
    table = _table("rates", ("topic",), ("messages", "Hz, least", "nominal", "gap s", "lost"))
    names = sorted({name for row in rows for name in row.topics})
    for name in names:
        found = [row.topics[name] for row in rows if name in row.topics]
        nominal = max(rate.nominal_hz for rate in found)
        running = [rate.rate_hz for rate in found if rate.count > 1]
        table.add_row(
            name,
            str(sum(rate.count for rate in found)),
            f"{min(running):.1f}" if running else "",
            f"{nominal:g}" if nominal else "",
            f"{max(rate.largest_gap_s for rate in found):.3f}",
            str(sum(rate.lost for rate in found)),
        )
    return table


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole > 0 else ""
