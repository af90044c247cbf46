"""``rove bag cut``: what learning must not see of bags."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import tyro
from rich import box
from rich.table import Table

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.cuts import Cuts, Note, change_cuts, read_cuts
from rove_core.bag.reader import Bag
from rove_core.bag.unseen import BY_HAND, Sight, sight
from rove_core.bag.verify.profile import robot_of
from rove_core.errors import BagError, ConfigError
from rove_core.robot import load_robot
from rove_core.robot.spec import RobotSpec

WHOLE = "whole"
ROUNDING_S = 0.05
"""People read times off a picture; this far beyond the bag still means its begin or end."""


@dataclass(frozen=True)
class Cut:
    """Show what learning does not see of bags, and why; add a cut, or take one back.

    Cuts by hand are kept in cuts.json beside the bag; the recording itself never changes. Seconds
    count from the bag's start, as on the axis of ``rove bag plot``.
    """

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    span: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Cut these seconds of one bag: 3.2:5.0, or 3.2: to its end, :5 from its start."""
    whole: tyro.conf.FlagCreatePairsOff[bool] = False
    """Exclude the bags as a whole."""
    remove: str = ""
    """Take back the cut with this number in the list of one bag, or "whole"."""
    reason: str = ""
    """Why; needed for a cut."""
    by: str = ""
    """Who cuts; the name you are logged in with when left out."""


def main(words: list[str]) -> int:
    """Run ``rove bag cut``."""
    given = parse(Cut, words, "cut")
    failures = Failures()
    paths = find(given.folders, failures)
    change = _change(given, len(paths), datetime.now(UTC))
    if change is not None and failures.lines:
        return failures.status()  # nothing is changed by a command that means another bag
    shown = console()

    def work(path: Path) -> tuple[Bag, Cuts, Sight | str]:
        bag = Bag(path)
        cuts = change_cuts(bag, lambda old: change(old)) if change else read_cuts(bag)
        try:
            return bag, cuts, sight(path, _robot(bag))
        except (BagError, ConfigError) as error:
            return bag, cuts, str(error)

    for path, (bag, cuts, seen) in each(paths, "cutting" if change else "reading", work, failures):
        shown.print(_headline(path, bag, cuts, seen), markup=False)
        shown.print(_table(cuts, seen))
    return failures.status()


def parse_span(text: str, cuts: Cuts) -> tuple[int, int]:
    """Return the (start, end) in ns of ``3.2:5.0``, s since the bag's start.

    Raises:
        ConfigError: it is written in another way.
    """
    start, colon, end = text.partition(":")
    try:
        first = cuts.bag_start_ns + round(float(start) * 1e9) if start else cuts.bag_start_ns
        last = cuts.bag_start_ns + round(float(end) * 1e9) if end else cuts.bag_end_ns
    except (ValueError, OverflowError):
        colon = ""
    if not colon:
        raise ConfigError("span", text, "FROM:TO in seconds, for example 3.2:5.0", "--span")
    if cuts.bag_end_ns < last <= cuts.bag_end_ns + ROUNDING_S * 1e9:
        last = cuts.bag_end_ns
    return first, last


def _change(given: Cut, bags: int, now: datetime) -> Callable[[Cuts], Cuts] | None:
    """Return what to do with the cuts of each bag, None when they are only shown."""
    asked = sum((bool(given.span), given.whole, bool(given.remove)))
    if not asked:
        if given.reason or given.by:
            raise ConfigError("--reason or --by", given.reason or given.by, "with --span, --whole")
        return None
    if asked > 1:
        raise ConfigError("options", "several", "one of --span, --whole and --remove")
    if (given.span or given.remove not in ("", WHOLE)) and bags != 1:
        raise ConfigError("number of bags", bags, "1 with --span, and with --remove of a number")
    if given.remove == WHOLE:
        return lambda cuts: replace(cuts, whole=None)
    if given.remove:
        if not given.remove.isdigit():
            raise ConfigError("--remove", given.remove, f'the number of a cut, or "{WHOLE}"')
        return lambda cuts: cuts.without_span(int(given.remove) - 1)
    if not given.reason.strip():
        raise ConfigError("--reason", given.reason, "why learning must not see it, in words")
    note = Note(given.reason, given.by or _user(), now.isoformat(timespec="seconds"))
    if given.whole:
        return lambda cuts: replace(cuts, whole=note)

    def add(cuts: Cuts) -> Cuts:
        for text in given.span:
            cuts = cuts.with_span(*parse_span(text, cuts), note)
        return cuts

    return add


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return ""


def _robot(bag: Bag) -> RobotSpec:
    """Return the robot of the profile in the bag, or that of its name which ships with ROVE."""
    spec, why = robot_of(bag.info.robot, bag.info.robot_profile)
    if spec is not None and spec.joint_names == bag.info.joint_names:
        return spec
    try:
        return load_robot(bag.info.robot)
    except ConfigError as error:
        raise ConfigError("robot", bag.info.robot, why or str(error), str(bag.path)) from error


def _headline(path: Path, bag: Bag, cuts: Cuts, seen: Sight | str) -> str:
    length = cuts.seconds(cuts.bag_end_ns)
    start = f"{path}: {length:.2f} s"
    if cuts.whole is not None:
        by = f" by {cuts.whole.by}" if cuts.whole.by else ""
        return f"{start}; learning sees nothing: excluded{by}: {cuts.whole.reason}"
    if not (bag.path / "metadata.yaml").is_file():
        return f"{start}; learning sees nothing: its recording was cut off (rove bag recover)"
    if isinstance(seen, str):
        return f"{start}; learning sees nothing: {seen}"
    share = seen.seen / seen.frames if seen.frames else 0.0
    return f"{start}; learning sees {seen.seen} of {seen.frames} frames ({share:.0%})"


def _table(cuts: Cuts, seen: Sight | str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("from s", "to s", "frames"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("cut by", no_wrap=True)
    table.add_column("why")
    for row in () if isinstance(seen, str) else seen.unseen:
        if row.cause != BY_HAND:
            begin, end = cuts.seconds(row.start_ns), cuts.seconds(row.end_ns)
            table.add_row(f"{begin:.2f}", f"{end:.2f}", str(row.frames), row.cause, row.why)
    for i, cut in enumerate(cuts.spans, start=1):
        begin, end = cuts.seconds(cut.start_ns), cuts.seconds(cut.end_ns)
        frames = "" if isinstance(seen, str) else str(_frames(seen, cut.start_ns, cut.end_ns))
        note = ", ".join(part for part in (cut.note.by, cut.note.at[:16]) if part)
        why = f"{cut.note.reason} ({note})" if note else cut.note.reason
        table.add_row(f"{begin:.2f}", f"{end:.2f}", frames, f"hand, number {i}", why)
    return table


def _frames(seen: Sight, start_ns: int, end_ns: int) -> int:
    """Return how many frames go by hand that touch a span; a few more than lie inside it."""
    return sum(
        row.frames
        for row in seen.unseen
        if row.cause == BY_HAND and row.start_ns <= end_ns and row.end_ns >= start_ns
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
