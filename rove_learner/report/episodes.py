"""The episodes: one table of all of them, and a figure of each along its time."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from rove_core.colours import STAGE_WORDS
from rove_core.errors import BagError
from rove_learner.report.head import counted, short
from rove_learner.report.night import Night, Values
from rove_learner.report.plot import (
    Axis,
    edge,
    number,
    path,
    percent,
    rule,
    shape,
    svg,
    ticks_path,
    x_labels,
    y_labels,
)
from rove_learner.report.recording import Boundary, Recording, Recordings
from rove_learner.report.strip import FRAMES, legend_stages, pictures, shrink

MOST_FIGURES = 60
"""Figures of a page; further episodes are in its table."""
PICTURE_BYTES = 3_300_000
"""All pictures of a page; base64 makes 4.4 MB of them, which leaves the rest 1.6 MB."""
LETTER_WIDTH = 0.0115
"""Part of a ribbon's least width that a letter of its labels takes."""
LONGEST_STEP_S = 0.11
"""Two periods of 20 Hz: a line of values breaks where frames were cut."""

COLUMNS = ("s", "takeovers", "rollout", "adaptation", "recovery", "demonstration")


Groups = Sequence[tuple[str, Recordings]]
"""Episodes under the word that says when they were driven, in the order of the page."""


def table(groups: Groups) -> str:
    """Return the table of all bags and the list of those that cannot be read."""
    rows = [row for _, group in groups for row in group.good]
    columns = COLUMNS if any(row.summary.demonstration_s for row in rows) else COLUMNS[:-1]
    head = "".join(f'<th class="num" scope="col">{word}</th>' for word in columns)
    bodies = "".join(_body(when, group, len(columns)) for when, group in groups)
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">episode</th>'
        f'<th scope="col">outcome</th>{head}<th scope="col">policy</th></tr></thead>'
        f'{bodies}</table></div><p class="soft small">Seconds of each stage; what is in none was '
        "cut from learning (aligning, pausing, handing back).</p>" + _unread(groups)
    )


def _body(when: str, group: Recordings, columns: int) -> str:
    rows = "".join(_row(row, columns) for row in group.good)
    rows = rows or f'<tr><td colspan="{columns + 3}" class="soft">no episode</td></tr>'
    return f'<tbody><tr><th colspan="{columns + 3}" scope="rowgroup">{when}</th></tr>{rows}</tbody>'


def _row(row: Recording, columns: int) -> str:
    s = row.summary
    stages = (s.rollout_s, s.adaptation_s, s.recovery_s, s.demonstration_s)
    cells = [f"{s.duration_s:.1f}", str(s.takeovers), *(f"{value:.1f}" for value in stages)]
    numbers = "".join(f'<td class="num">{cell}</td>' for cell in cells[:columns])
    return (
        f"<tr><td>{escape(row.name)}</td><td>{escape(s.outcome)}</td>{numbers}"
        f"<td>{short(s.policy)}</td></tr>"
    )


def _unread(groups: Groups) -> str:
    bad = [row for _, group in groups for row in group.bad]
    if not bad:
        return ""
    items = "".join(
        f"<li><b>{escape(row.path.name or str(row.path))}</b>: {escape(row.error)}</li>"
        for row in bad
    )
    return f'<p><b>{counted(len(bad), "bag")} cannot be read</b></p><ul class="bad">{items}</ul>'


def figures(groups: Groups, night: Night) -> str:
    """Return the legend and a figure of each episode."""
    rows = [row for _, group in groups for row in group.good]
    if not rows:
        return '<p class="missing">No episode can be shown.</p>'
    shown = _chosen([group.good for _, group in groups])
    budget = PICTURE_BYTES // (len(shown) * FRAMES)
    parts = [_legend(rows)]
    if "values" in night.missing:
        parts.append(f'<p class="missing">{escape(night.missing["values"])}</p>')
    for when, group in groups:
        parts += [episode(row, when, night, budget) for row in group.good if row in shown]
    if len(shown) < len(rows):
        left = len(rows) - len(shown)
        parts.append(f'<p class="missing">{left} further episodes are in the table only.</p>')
    return "".join(parts)


def _chosen(groups: Sequence[Sequence[Recording]]) -> list[Recording]:
    """Return the episodes to draw: the first ones of each group, in turns, as many as fit."""
    longest = max((len(group) for group in groups), default=0)
    turns = [group[i] for i in range(longest) for group in groups if i < len(group)]
    return turns[:MOST_FIGURES]


def _legend(rows: Sequence[Recording]) -> str:
    stages = legend_stages(rows)
    items = "".join(f'<li class="{STAGE_WORDS[s]}">{STAGE_WORDS[s]}</li>' for s in stages)
    return f'<ul class="legend" aria-label="stages">{items}</ul>'


@dataclass(frozen=True)
class _Track:
    """A row of a figure: its word in the gutter and its HTML."""

    word: str
    html: str


def episode(row: Recording, when: str, night: Night, bytes_a_picture: int) -> str:
    """Return the figure of one episode: view, stages, value and advantage along one time axis."""
    values = night.values.get(row.name)
    tracks = [_Track("view", _film(row, bytes_a_picture)), _Track("stage", ribbon(row))]
    if values is not None and values.time_ns.size:
        tracks += _value_tracks(row, values)
    across = Axis(0.0, max(row.duration_s, 1e-3))
    labels = x_labels(across, across.ticks(6), " s")
    axis = f'<div class="plot" style="height:0;margin-bottom:1.4rem">{labels}</div>'
    tracks.append(_Track("", axis))
    body = "".join(f'<div class="gutter">{t.word}</div>{t.html}' for t in tracks)
    facts = [when, f"“{row.info.instruction}”" if row.info.instruction else "", row.summary.outcome]
    facts += [f"{row.duration_s:.1f} s", counted(row.summary.takeovers, "takeover")]
    note = ""
    if values is None and "values" not in night.missing:
        note = " No value: values.npz does not hold this bag."
    return (
        f'<article class="episode"><h3>{escape(row.name)}</h3>'
        f'<p class="soft small">{escape(" · ".join(fact for fact in facts if fact))}</p>'
        f'<div class="scroll" tabindex="0"><div class="figure">{body}</div></div>'
        f'<p class="soft small">{_sequence(row)}.{note}</p></article>'
    )


def _film(row: Recording, most: int) -> str:
    try:
        found = pictures(row)
    except BagError as error:
        return f'<div class="missing small">{escape(str(error))}</div>'
    cells = []
    for k, jpeg in enumerate(found):
        at = (k + 0.5) / len(found) * row.duration_s
        if jpeg is None:
            cells.append("<span>no picture</span>")
            continue
        data = base64.b64encode(shrink(jpeg, most)).decode("ascii")
        cells.append(f'<img alt="view at {at:.1f} s" src="data:image/jpeg;base64,{data}">')
    return f'<div class="film">{"".join(cells)}</div>'


def ribbon(row: Recording) -> str:
    """Return the stages as a ribbon; a stage too short for its word has it in the line below."""
    total = max(row.duration_s, 1e-3)
    cells = []
    for span in row.spans:
        word, part = STAGE_WORDS[span.stage], span.seconds / total
        text = word if part > LETTER_WIDTH * len(word) else ""
        cells.append(
            f'<span class="{word}" style="width:{percent(part)}" '
            f'title="{word} {span.seconds:.1f} s">{text}</span>'
        )
    return f'<div class="ribbon">{"".join(cells)}</div>'


def _sequence(row: Recording) -> str:
    """Say the stages in words; what is shorter than 0.05 s is left out."""
    parts = [
        f"{STAGE_WORDS[span.stage]} {span.seconds:.1f} s"
        for span in row.spans
        if span.seconds >= 0.05
    ]
    if len(parts) > 12:
        parts = [*parts[:11], f"{len(parts) - 11} more"]
    return " → ".join(parts)


def _value_tracks(row: Recording, values: Values) -> list[_Track]:
    across = Axis(0.0, max(row.duration_s, 1e-3))
    seconds = (values.time_ns - row.begin_ns) / 1e9
    inside = (seconds >= -0.1) & (seconds <= row.duration_s + 0.1)
    if not inside.any():
        note = "The critic's times are not those of this bag."
        return [_Track("value", f'<div class="missing small">{note}</div>')]
    up = Axis.around(values.value[inside])
    levels = up.ticks(3)[:4]
    marks = _boundaries(row, values)
    labels = ""
    for mark in marks:
        at = min(1.0, max(0.0, mark.at_s / across.high))
        side = " left" if at > 0.85 else " right" if at < 0.15 else ""
        labels += (
            f'<span class="mark{side}" style="left:{percent(at)}">t<sub>r</sub> '
            f"{escape(mark.source)}</span>"
        )
    line = path(seconds[inside], values.value[inside], across, up, LONGEST_STEP_S)
    shapes = [rule(float(up.part(level))) for level in levels]
    shapes += [shape(line, "line")]
    shapes += [edge(min(1.0, max(0.0, mark.at_s / across.high))) for mark in marks]
    first, last = values.value[inside][0], values.value[inside][-1]
    said = f"critic's value, from {number(float(first))} to {number(float(last))} steps"
    top = ";margin-top:1rem" if marks else ""
    value = (
        f'<div class="plot inside" style="height:6.5rem{top}">{svg(shapes, said)}'
        f"{y_labels(up, levels)}{labels}</div>"
    )
    return [_Track("value<br>(steps)", value), _advantage(seconds, values, inside, across)]


def _advantage(
    seconds: np.ndarray, values: Values, inside: np.ndarray, across: Axis
) -> _Track:  # fmt: skip
    known = inside & np.isfinite(values.advantage)
    high, low = seconds[known & values.high], seconds[known & ~values.high]
    shapes = [
        shape(ticks_path(high, across, 0.0, 0.44), "high"),
        shape(ticks_path(low, across, 0.56, 1.0), "low"),
    ]
    said = f"advantage: {high.size} moments high, {low.size} low"
    return _Track("high<br>low", f'<div class="plot" style="height:2rem">{svg(shapes, said)}</div>')


def _boundaries(row: Recording, values: Values) -> tuple[Boundary, ...]:
    """Return those that the labels used; without them, those that the bag tells."""
    if values.t_r is None:
        return row.boundaries()
    return tuple(
        Boundary((stamp - row.begin_ns) / 1e9, f"by {source}" if source else "as labelled")
        for stamp, source in values.t_r
    )
