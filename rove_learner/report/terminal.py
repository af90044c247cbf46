"""The same in short for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from rove_learner.report.comparison import compare, overall
from rove_learner.report.head import estimate_words
from rove_learner.report.recording import Recording, read_recordings


def demo_table(before: Sequence[Path], after: Sequence[Path], learnt: Sequence[Path] = ()) -> Table:
    """Return a table of all episodes, before and after, and below it what they show.

    Args:
        before, after: bags or folders of bags; what cannot be read is a line with its error.
        learnt: more of them that were learnt from; shown and not compared.
    """
    old, new, more = read_recordings(before), read_recordings(after), read_recordings(learnt)
    measures = compare(old, new)
    lines = [
        f"cannot be read: {row.path.name}: {row.error}" for row in (*old.bad, *more.bad, *new.bad)
    ]
    lines += [
        f"{m.name}: {estimate_words(m.before, m.unit)} before, "
        f"{estimate_words(m.after, m.unit)} after. {m.verdict}"
        for m in measures
    ]
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=Text("\n".join([*lines, overall(measures)])),
        caption_justify="left",
        caption_style="",
    )
    table.add_column("episode", no_wrap=True)
    table.add_column("outcome")
    for column in ("s", "takeovers", "rollout", "adaptation", "recovery"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("policy", no_wrap=True)
    groups = [("before", old), ("after", new)]
    if learnt:
        groups.insert(1, ("learnt from, not compared", more))
    for when, group in groups:
        table.add_row(Text(when, style="bold"))
        for row in group.good:
            table.add_row(*(Text(cell) for cell in _cells(row)))
        if not group.good:
            table.add_row(Text("no episode"))
        table.add_section()
    return table


def _cells(row: Recording) -> list[str]:
    s = row.summary
    seconds = (s.duration_s, s.rollout_s, s.adaptation_s, s.recovery_s)
    total, rollout, adaptation, recovery = (f"{value:.1f}" for value in seconds)
    takeovers = str(s.takeovers)
    return [row.name, s.outcome, total, takeovers, rollout, adaptation, recovery, s.policy[:8]]
