"""``rove bag recover``: whole bags of what a dead recorder left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.folder import find_incomplete_bags
from rove_core.bag.reader import Bag
from rove_core.bag.recording.lock import is_written
from rove_core.bag.recover import recover
from rove_core.bag.schema import BagState


@dataclass(frozen=True)
class Recover:
    """Make whole bags of recordings that were cut off, and of bags that are damaged.

    Every message that reached the disk in an intact chunk is kept. What is whole already, and what
    is being recorded now, is left alone.
    """

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    all: tyro.conf.FlagCreatePairsOff[bool] = False
    """Look into finished bags below a folder, too; by default only at those that are named."""


def main(words: list[str]) -> int:
    """Run ``rove bag recover``."""
    given = parse(Recover, words, "recover")
    failures = Failures()
    paths = find(given.folders, failures)
    if not given.all:
        named = {path.resolve() for path in given.folders}
        paths = [p for p in paths if p.resolve() in named or p in find_incomplete_bags(p.parent)]
    shown = console()

    def work(path: Path) -> str:
        if is_written(path):
            return "is being recorded"
        made = recover(path)
        bag = Bag(made)
        if bag.outcome.recording.state is not BagState.RECOVERED:
            return "is whole"
        count = sum(topic.count for topic in bag.topics.values())
        outcome = bag.outcome
        return f"-> {made} ({count} messages, {outcome.outcome.name.lower()}: {outcome.reason})"

    for path, said in each(paths, "recovering", work, failures):
        shown.print(f"{path} {said}", markup=False, soft_wrap=True)
    if not paths and not failures.lines:
        shown.print("nothing to recover", markup=False)
    return failures.status()
