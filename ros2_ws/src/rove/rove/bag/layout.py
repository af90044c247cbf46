"""``rove bag layout``: a Foxglove layout that fits a bag."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rove.bag.common import Failures, console, find, parse
from rove_core.bag.layout import foxglove_layout
from rove_core.bag.reader import Bag
from rove_core.bag.redact import cameras_of
from rove_core.bag.stats.commands import read_commands
from rove_core.errors import BagError, RoveError

MOST_MOVED = 6
"""Joints to plot when none is named: more lines in one plot cannot be told apart."""


@dataclass(frozen=True)
class LayoutOf:
    """Print a Foxglove layout: cameras, stages, value and joints of a bag side by side.

    Open the bag's .mcap in Foxglove, then "Layouts", "Import from file". One layout fits every bag
    of the same robot.
    """

    bag: tyro.conf.Positional[Path]
    """A bag, or a folder of bags, of which the newest is taken."""
    joints: tuple[str, ...] = ()
    """Joints to plot; those that moved most in this bag when none is named."""
    out: Path | None = None
    """File to write; standard output when there is none."""


def main(words: list[str]) -> int:
    """Run ``rove bag layout``."""
    given, failures = parse(LayoutOf, words, "layout"), Failures()
    paths = find([given.bag], failures, unfinished=False)
    if not paths:
        return failures.status()
    try:
        text = json.dumps(_layout(paths[-1], given.joints), indent=1) + "\n"
        if given.out is None:
            print(text, end="")
        else:
            given.out.write_text(text, encoding="utf-8")
            console(stderr=True).print(f"{given.out} fits {paths[-1]}", markup=False)
    except (RoveError, OSError) as error:
        failures.add(paths[-1], error)
    return failures.status()


def _layout(path: Path, wanted: tuple[str, ...]) -> dict[str, object]:
    bag = Bag(path)
    names = bag.info.joint_names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise BagError(f"joints {', '.join(unknown)} given, allowed: {', '.join(names)}")
    if not wanted:
        position = read_commands(bag).position
        moved = np.ptp(position, axis=0) if len(position) else np.zeros(len(names))
        most = np.argsort(-moved, kind="stable")[:MOST_MOVED]
        wanted = tuple(names[i] for i in sorted(most.tolist()))
    return foxglove_layout(bag.info.namespace, cameras_of(bag), names, wanted)
