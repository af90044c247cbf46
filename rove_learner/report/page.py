"""write_report: the page, one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rove_learner.report.checks import check
from rove_learner.report.comparison import compare
from rove_learner.report.episodes import figures, table
from rove_learner.report.head import head, warnings_block
from rove_learner.report.look import STYLE
from rove_learner.report.night import read_night
from rove_learner.report.recording import read_recordings
from rove_learner.report.training import audit, curves, settings

FILE = "report.html"
# Nothing may be fetched, whatever a bag's text holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(
    out: Path,
    before: Sequence[Path],
    after: Sequence[Path],
    night: Path,
    learnt: Sequence[Path] = (),
) -> Path:
    """Write the report of a night and return its path.

    A bag that cannot be read is listed with its error; a file of the night that is missing is
    named in its section. The same input gives the same bytes.

    Args:
        out: the file to write, or the folder for ``report.html``; made when missing.
        before: bags, or folders of bags, of the policy before.
        after: likewise of the policy after; may be empty.
        night: folder of the nightly job's files (``rove_learner.report.night``).
        learnt: more bags, or folders of bags, that were learnt from; shown and not compared.
    """
    old, new, made = read_recordings(before), read_recordings(after), read_night(night)
    measures = compare(old, new)
    groups = [("before", old), ("after", new)]
    if learnt:
        groups.insert(1, ("learnt from, not compared", read_recordings(learnt)))
    warnings = (*made.warnings, *check(old, new, made))
    sections = (
        head(old, new, made, measures),
        warnings_block(warnings),
        "<h2>All episodes</h2>" + table(groups),
        "<h2>Along the episodes</h2>"
        '<p class="soft small">What the robot saw, above who drove; the critic&rsquo;s value '
        "counts the steps of 50 ms that it still expects, penalties included.</p>"
        + figures(groups, made),
        "<h2>Training</h2>" + curves(made),
        "<h2>Labels</h2>" + audit(made),
        "<h2>Settings</h2>" + settings(made),
    )
    path = out if out.suffix == ".html" else out / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>ROVE report</title><style>{STYLE}</style></head><body><main>"
        + "\n".join(section for section in sections if section)
        + "<footer>Numbers and pictures come from the bags alone; values, curves, labels and "
        "settings from the night job&rsquo;s files.</footer></main></body></html>\n"
    )
    path.write_text(text, encoding="utf-8")
    return path
