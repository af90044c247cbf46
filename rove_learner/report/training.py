"""What was learned, and how: training curves, audit of the labels, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from rove_core.colours import STAGE_WORDS
from rove_core.vocabulary import Stage
from rove_learner.report.checks import final_loss, share_of_high
from rove_learner.report.night import Curve, Night
from rove_learner.report.plot import (
    Axis,
    number,
    path,
    percent,
    rule,
    shape,
    svg,
    x_labels,
    y_labels,
)

SETTINGS = (
    ("boundary", "boundary", "how the penalty at the failure boundary enters the return"),
    ("c_fail", "C_fail", "reward of a failure"),
    ("horizon", "H", "steps of a chunk and of a value target"),
    ("tau", "τ", "expectile of the critic; 0.5 is the mean"),
    ("base_digest", "policy before", ""),
    ("new_digest", "policy after", ""),
    ("backbone_digest", "backbone", "frozen, shared by critic and actor"),
)


def curves(night: Night) -> str:
    """Return the training curves of critic and actor."""
    parts = []
    for name, curve in (("critic", night.critic), ("actor", night.actor)):
        if curve is None:
            text = escape(night.missing.get(name, f"No training curve of the {name}."))
            parts.append(f'<section><h3>{name}</h3><p class="missing">{text}</p></section>')
        else:
            parts.append(f'<section class="chart"><h3>{name}</h3>{_chart(name, curve)}</section>')
    return f'<div class="charts">{"".join(parts)}</div>'


def _chart(name: str, curve: Curve) -> str:
    across = Axis(0.0, max(float(np.nanmax(curve.step)), 1.0))
    # Logarithmic where the loss falls far: its end would lie on the floor otherwise.
    both = np.concatenate([curve.train, curve.held_out])
    positive = both[np.isfinite(both)]
    far = positive.size > 0 and positive.min() > 0 and positive.max() / positive.min() > 20
    scale = np.log10 if far else (lambda values: values)
    train, held_out = scale(curve.train), scale(curve.held_out)
    up = Axis.around(np.concatenate([train, held_out]), zero=not far)
    levels = [v for v in up.ticks(4) if not far or float(v).is_integer()] or up.ticks(4)
    shapes = [rule(float(up.part(level))) for level in levels]
    shapes += [
        shape(path(*_known(curve.step, train), across, up), "line"),
        shape(path(*_known(curve.step, held_out), across, up), "line other"),
    ]
    said = (
        f"loss of the {name}: training {number(final_loss(curve.train))}, held out "
        f"{number(final_loss(curve.held_out))} at the end"
    )
    tags = "".join(
        f'<span class="y" style="top:{percent(1 - float(up.part(level)))}">'
        f"{number(10**level if far else level)}</span>"
        for level in levels
    )
    return (
        f'<div class="plot">{svg(shapes, said)}{tags if far else y_labels(up, levels)}'
        f"{_ends(train, held_out, up)}{x_labels(across, across.ticks(4))}</div>"
        f'<p class="soft small">Loss{" (logarithmic)" if far else ""} over steps; at the end '
        f"{number(final_loss(curve.train))} in training, {number(final_loss(curve.held_out))} on "
        "held-out episodes (dashed).</p>"
    )


def _known(step: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop steps that were not measured: the line goes on to the next one."""
    finite = np.isfinite(values)
    return step[finite], values[finite]


def _ends(train: np.ndarray, held_out: np.ndarray, up: Axis) -> str:
    """Return the names at the lines' ends, kept apart."""
    named = [
        (float(up.part(final_loss(values))), word)
        for values, word in ((train, "training"), (held_out, "held out"))
        if math.isfinite(final_loss(values))
    ]
    named.sort()
    if len(named) == 2 and named[1][0] - named[0][0] < 0.09:
        middle = (named[0][0] + named[1][0]) / 2
        named = [(middle - 0.045, named[0][1]), (middle + 0.045, named[1][1])]
    return "".join(
        f'<span class="end" style="top:{percent(1 - at)}">{word}</span>' for at, word in named
    )


def audit(night: Night) -> str:
    """Return the share of high labels of each stage."""
    given = night.run.get("label_audit")
    if "run" in night.missing:
        return f'<p class="missing">{escape(night.missing["run"])}</p>'
    if not isinstance(given, Mapping) or not given:
        return '<p class="missing">run.json holds no audit of the labels.</p>'
    words = set(STAGE_WORDS.values())
    rows = []
    for stage in [*(STAGE_WORDS[s] for s in Stage), *sorted(set(given) - words)]:
        if stage not in given:
            continue
        share = share_of_high(given[stage])
        kind = stage if stage in words else "rollout"
        filled = percent(share) if math.isfinite(share) else "0"
        of = given[stage].get("count") if isinstance(given[stage], Mapping) else None
        text = f"{100 * share:.0f} % high" if math.isfinite(share) else "no moment"
        text += f" of {number(float(of))}" if isinstance(of, int | float) else ""
        rows.append(
            f"<span>{escape(str(stage))}</span><div>"
            f'<i class="{kind}" style="width:{filled}"></i></div><span>{text}</span>'
        )
    return (
        '<p class="soft small">Share of moments whose advantage was labelled high, by stage. '
        "Nothing is labelled high because a person did it.</p>"
        f'<div class="share">{"".join(rows)}</div>'
    )


def settings(night: Night) -> str:
    """Return what the night was run with, and what it counted."""
    if "run" in night.missing:
        return f'<p class="missing">{escape(night.missing["run"])}</p>'
    rows = []
    for key, word, meaning in SETTINGS:
        value = f"<code>{escape(night.text(key))}</code>" if night.text(key) else "not recorded"
        tail = f' <span class="soft">{escape(meaning)}</span>' if meaning else ""
        rows.append((escape(word), value + tail))
    for key, word in (("t_r_sources", "t<sub>r</sub> decided by"), ("counts", "counts")):
        if night.run.get(key):
            rows.append((word, escape(_plain(night.run[key]))))
    body = "".join(f"<dt>{word}</dt><dd>{value}</dd>" for word, value in rows)
    return f"<dl>{body}</dl>"


def _plain(value: Any) -> str:
    """Return nested counts as a line of words."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(key).replace('_', ' ')} {f'({_plain(v)})' if isinstance(v, Mapping) else v}"
            for key, v in value.items()
        )
    return str(value)
