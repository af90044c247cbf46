"""``rove bag verify``: is a bag what it says it is?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.verify.report import NOWHERE_NS, Finding, Level, Report
from rove_core.bag.verify.run import verify

COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow"}


@dataclass(frozen=True)
class Verify:
    """Check bags: file, schemas, rates, gaps, clocks, modes, digests, profile, episode, vectors.

    An error is a bag that contradicts itself or hides a loss; a warning is a sound bag of
    something that was not as it should be. Errors make the exit status 1.
    """

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    strict: tyro.conf.FlagCreatePairsOff[bool] = False
    """Count warnings as errors, and what could not be checked, too."""
    rates: tyro.conf.FlagCreatePairsOff[bool] = False
    """List each topic's messages, rate, largest gap and losses."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def main(words: list[str]) -> int:
    """Run ``rove bag verify``."""
    given = parse(Verify, words, "verify")
    failures = Failures()
    shown, reports = console(), []
    for path, report in each(find(given.folders, failures), "verifying", verify, failures):
        reports.append(report)
        if not given.json:
            print_report(shown, path, report)
            if given.rates:
                print_rates(shown, report)
    if given.json:
        print(json.dumps([report.to_json() for report in reports], indent=1))
    else:
        shown.print(_conclusion(reports, failures), markup=False)
    bad = [report for report in reports if _is_bad(report, given.strict)]
    return 1 if bad else failures.status()


def print_report(shown: Console, path: Path, report: Report) -> None:
    """Print what was found in a bag."""
    words = [_count(report.errors, "error"), _count(report.warnings, "warning")]
    verdict = ", ".join(word for word in words if word) or "good"
    colour = "red" if report.errors else "yellow" if report.warnings else "green"
    shown.print(f"[{colour}]{verdict}[/] ", end="")
    shown.print(f"{path} ({report.state}, version {report.version})", markup=False, soft_wrap=True)
    for finding in report.findings:
        shown.print(f"  [{COLOURS[finding.level]}]{finding.level:7s}[/] ", end="")
        shown.print(_line(finding), markup=False, soft_wrap=True)
    for check, why in report.not_checked.items():
        shown.print(f"  not checked: {check}: {why}", markup=False, soft_wrap=True, style="dim")


def print_rates(shown: Console, report: Report) -> None:
    """Print how each topic of a bag was recorded."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("topic", no_wrap=True)
    for column in ("messages", "Hz", "nominal", "largest gap s", "lost"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, rate in sorted(report.topics.items()):
        table.add_row(
            name,
            str(rate.count),
            f"{rate.rate_hz:.1f}",
            f"{rate.nominal_hz:g}" if rate.nominal_hz else "",
            f"{rate.largest_gap_s:.3f}",
            str(rate.lost),
        )
    shown.print(table)


def _line(finding: Finding) -> str:
    where = f"{finding.topic}: " if finding.topic else ""
    when = "" if finding.stamp_ns == NOWHERE_NS else f" (at {finding.stamp_ns / 1e9:.3f} s)"
    return f"{finding.check}: {where}{finding.text}{when}"


def _count(found: Sequence[Finding], word: str) -> str:
    return f"{len(found)} {word}{'s' * (len(found) != 1)}" if found else ""


def _is_bad(report: Report, strict: bool) -> bool:
    return not report.ok or (strict and bool(report.warnings or report.not_checked))


def _conclusion(reports: Sequence[Report], failures: Failures) -> str:
    good = sum(report.ok for report in reports)
    text = f"{good} of {len(reports)} bags without errors"
    if failures.lines:
        text += f"; {len(failures.lines)} could not be read"
    return text
