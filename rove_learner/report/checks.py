"""What the report itself finds wrong, from the bags and from the night's files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rove_learner.report.night import Curve, Night
from rove_learner.report.recording import Recordings

OVERFIT = 2.0
"""A held-out loss this many times the training loss says that the network learned by heart."""


def check(before: Recordings, after: Recordings, night: Night) -> tuple[str, ...]:
    """Return what a person should know before believing the page, one sentence each."""
    return (
        *_policies(before, night.text("base_digest"), "before", "that this night started from"),
        *_policies(after, night.text("new_digest"), "after", "that this night made"),
        *_instructions(before, after),
        *_overfit(night.critic, "critic"),
        *_overfit(night.actor, "actor"),
        *_labels(night.run.get("label_audit")),
    )


def share_of_high(entry: Any) -> float:
    """Return the share of high of an entry of the label audit, nan when it names none."""
    value = entry.get("share", entry.get("high")) if isinstance(entry, Mapping) else entry
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def final_loss(values: np.ndarray) -> float:
    """Return the last finite loss, nan when there is none."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan


def _policies(rows: Recordings, digest: str, when: str, which: str) -> list[str]:
    found = []
    ran = sorted({row.summary.policy for row in rows.trials if row.summary.policy})
    strangers = [row for row in rows.trials if row.summary.policy and row.summary.policy != digest]
    if digest and strangers:
        names = ", ".join(sorted({row.summary.policy[:12] for row in strangers}))
        found.append(
            f"{len(strangers)} of {len(rows.trials)} episodes {when} ran policy {names}, "
            f"not {digest[:12]} {which}."
        )
    elif len(ran) > 1:
        names = ", ".join(name[:12] for name in ran)
        found.append(f"The episodes {when} ran {len(ran)} different policies: {names}.")
    return found


def _instructions(before: Recordings, after: Recordings) -> list[str]:
    old = {row.info.instruction for row in before.trials}
    new = {row.info.instruction for row in after.trials}
    if not old or not new or old == new:
        return []
    only = ", ".join(f"“{words}”" for words in sorted(old ^ new))
    return [f"Before and after were not told the same: {only} was asked on one side only."]


def _overfit(curve: Curve | None, name: str) -> list[str]:
    if curve is None:
        return []
    train, held_out = final_loss(curve.train), final_loss(curve.held_out)
    if not (train > 0 and held_out > OVERFIT * train):
        return []
    return [
        f"The {name} is {held_out / train:.1f} times worse on held-out episodes than on those it "
        "was trained on: it learned them by heart."
    ]


def _labels(audit: Any) -> list[str]:
    if not isinstance(audit, Mapping):
        return []
    rollout, recovery = (share_of_high(audit.get(key)) for key in ("rollout", "recovery"))
    if not recovery < rollout:
        return []
    return [
        f"The labels rank recovery ({recovery:.0%} high) below rollout ({rollout:.0%} high): "
        "the actor learns to avoid what the person did."
    ]
