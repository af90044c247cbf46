"""The head of the page: what happened, whether it means anything, and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from rove_core.vocabulary import EpisodeKind
from rove_learner.report.comparison import Estimate, Measure, overall
from rove_learner.report.night import Night
from rove_learner.report.plot import DASH, MINUS, number, percent
from rove_learner.report.recording import Recordings


def counted(n: int, word: str) -> str:
    """Return "1 episode", "2 episodes", "no episodes"."""
    return f"{n or 'no'} {word}{'' if n == 1 else 's'}"


def short(digest: str) -> str:
    """Return the first 12 digits of a digest as HTML."""
    return f"<code>{escape(digest[:12])}</code>" if digest else "no policy"


def head(before: Recordings, after: Recordings, night: Night, measures: Sequence[Measure]) -> str:
    """Return title, lead, verdict and the measures."""
    return (
        f'<p class="kicker">ROVE report{_when(before, night)}</p>'
        f"<h1>{_title(before, after)}</h1>"
        f'<p class="lead">{_story(before, after, night)}</p>'
        f'<p class="verdict">{escape(overall(measures))}</p>'
        f'<div class="measures">{"".join(measure_block(m) for m in measures)}</div>'
        f'<p class="soft small">{_footnote(before, after)}</p>'
    )


def warnings_block(warnings: Sequence[str]) -> str:
    """Return the warnings, prominent; nothing when there is none."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in warnings)
    word = "Warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    return f'<div class="warnings" role="alert"><h2>{word}</h2><ul>{items}</ul></div>'


def measure_block(measure: Measure) -> str:
    """Return one measure: both sides on one scale, and in words what the difference means."""
    rate = not measure.unit
    known = [
        value
        for side in (measure.before, measure.after)
        for value in (side.value, side.high)
        if math.isfinite(value)
    ]
    top = 1.0 if rate else max([*known, 1e-9]) * 1.1
    if not rate and max([*known, 0.0]) <= 0:
        top = 1.0
    sides = (
        _side("before", measure.before, measure.unit, top),
        _side("after", measure.after, measure.unit, top),
    )
    unit = f" {measure.unit}" if measure.unit == "s" else ""
    right = "100 %" if rate else f"{number(top)}{unit}"
    return (
        f"<section><h3>{escape(measure.name)}</h3>{''.join(sides)}"
        f'<div class="ends"><span>0</span><span>{right}</span></div>'
        f'<p class="small">{escape(_difference(measure))} {escape(measure.verdict)}</p></section>'
    )


def estimate_words(estimate: Estimate, unit: str) -> str:
    """Return value and 95 % interval, as in ``2 of 3: 67 % (21-94 %)`` or ``1.2 s (0.4-2.0)``."""
    if not estimate.n:
        return "no episode"
    value, low, high = estimate.value, estimate.low, estimate.high
    if not unit:
        counts = f"{round(value * estimate.n)} of {estimate.n}"
        return f"{counts}: {100 * value:.0f} % ({100 * low:.0f}{DASH}{100 * high:.0f} %)"
    digits, ending = (1, " s") if unit == "s" else (2, "")
    if not math.isfinite(low):
        interval = "one episode: no interval"
    elif low == high:  # a bootstrap of equal values says nothing
        interval = f"in each of {estimate.n}: no interval"
    else:
        interval = f"{low:.{digits}f}{DASH}{high:.{digits}f}"
    return f"{value:.{digits}f}{ending} ({interval})"


def difference_words(measure: Measure) -> str:
    """Return the difference with its interval, "" when there is none."""
    d = measure.difference
    if d is None or d.low == d.high:
        return ""
    if not measure.unit:
        text = (
            f"{100 * d.value:+.0f}".replace("+0", "0")
            + f" points ({100 * d.low:+.0f} to {100 * d.high:+.0f})"
        )
    else:
        digits, ending = (1, " s") if measure.unit == "s" else (2, "")
        text = f"{d.value:+.{digits}f}{ending} ({d.low:+.{digits}f} to {d.high:+.{digits}f})"
    return text.replace("-", MINUS)


def _difference(measure: Measure) -> str:
    words = difference_words(measure)
    return f"Difference {words}." if words else ""


def _side(when: str, estimate: Estimate, unit: str, top: float) -> str:
    marks, words = "", escape(estimate_words(estimate, unit))
    if estimate.n:
        if estimate.low < estimate.high:
            left, right = estimate.low / top, min(1.0, estimate.high / top)
            marks += f'<i style="left:{percent(left)};width:{percent(right - left)}"></i>'
        marks += f'<u style="left:{percent(estimate.value / top)}"></u>'
    return (
        f'<div class="side {when}"><div class="row"><b>{when}</b><span>{words}</span></div>'
        f'<div class="track">{marks}</div></div>'
    )


def _when(before: Recordings, night: Night) -> str:
    try:
        stamp = int(night.run.get("started_ns") or 0)
        when = datetime.fromtimestamp(stamp // 10**9, UTC) if stamp > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        when = None
    return f" · night job of {when:%d %B %Y, %H:%M} UTC" if when else ""


def _title(before: Recordings, after: Recordings) -> str:
    old, new = len(before.trials), len(after.trials)
    if not old and not new:
        return "No episode to report on"
    if not new:
        return f"{counted(old, 'episode')} recorded, none with a new policy yet"
    return f"{counted(old, 'episode')} before the night, {counted(new, 'episode')} after it"


def _story(before: Recordings, after: Recordings, night: Night) -> str:
    base = night.text("base_digest") or _digest(before)
    new = night.text("new_digest")
    parts = []
    if before.trials:
        parts.append(f"Before, policy {short(base)} drove {_help(before)}.")
    if not night.run:
        parts.append("What the night job did is not known: its record is missing.")
    elif new:
        parts.append(f"The night job learned from the bags and made policy {short(new)}.")
    else:
        parts.append("The night job made no new policy.")
    if after.trials:
        ran = _digest(after)
        which = "the same policy" if ran == base else f"policy {short(ran)}"
        parts.append(f"After it, {which} drove {_help(after)}.")
    return " ".join(parts)


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _digest(rows: Recordings) -> str:
    return rows.trials[-1].summary.policy if rows.trials else ""


def _help(rows: Recordings) -> str:
    trials = rows.trials
    takeovers = sum(row.summary.takeovers for row in trials)
    seconds = sum(row.human_s for row in trials)
    if not takeovers:
        return f"{counted(len(trials), 'episode')}, and nobody had to take over"
    return (
        f"{counted(len(trials), 'episode')}; a person took over {_times(takeovers)} "
        f"and drove for {seconds:.1f} s"
    )


def _footnote(before: Recordings, after: Recordings) -> str:
    rows = (*before.good, *after.good)
    demonstrations = sum(row.info.kind == EpisodeKind.DEMONSTRATION for row in rows)
    unknown = sum(not row.is_trial for row in rows) - demonstrations
    left = [
        text
        for n, text in (
            (demonstrations, f"{counted(demonstrations, 'demonstration')}"),
            (unknown, f"{counted(unknown, 'episode')} without a known outcome"),
            (
                len(before.bad) + len(after.bad),
                f"{counted(len(before.bad) + len(after.bad), 'bag')} that cannot be read",
            ),
        )
        if n
    ]
    out = f" Left out here: {', '.join(left)}." if left else ""
    return (
        "Brackets and bars are 95 % intervals: Wilson's for rates, bootstrap over episodes for "
        "means, Newcombe's for the difference of rates. A difference counts when its interval "
        "excludes 0 and shuffling the episodes makes as large a one less than 1 time in 20. "
        f"An aborted episode counts as not succeeded.{out}"
    )
