"""What the commands of ``rove bag`` share: finding bags, progress, bags that cannot be used.

A command is a module with ``main(words) -> exit status``::

    @dataclass(frozen=True)
    class Verify:
        '''One line that --help shows.'''
        folders: Folders = DEFAULT_FOLDERS

    def main(words: list[str]) -> int:
        given = parse(Verify, words, "verify")
        failures = Failures()
        for path, report in each(find(given.folders, failures), "verifying", verify, failures):
            ...  # print to stdout; the bar is gone meanwhile
        return failures.status()
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rove_core.bag.reader import find_bags, find_incomplete_bags
from rove_core.errors import BagError, RoveError

Kind = TypeVar("Kind")
Result = TypeVar("Result")

Folders = tyro.conf.Positional[tuple[Path, ...]]
"""Bags, or folders of bags at any depth."""
DEFAULT_FOLDERS = (Path("bags"),)
WIDTH = 140


def console(stderr: bool = False) -> Console:
    """Return a console that does not fold tables where nobody told it a width (pipes, logs)."""
    made = Console(highlight=False, stderr=stderr)
    return made if made.is_terminal else Console(highlight=False, stderr=stderr, width=WIDTH)


def parse(kind: type[Kind], words: Sequence[str], command: str) -> Kind:
    """Return the arguments of ``rove bag <command>``; ends with status 2 when they are wrong."""
    call: Any = tyro.cli  # its overloads do not know a type that comes as an argument
    made: Kind = call(kind, args=list(words), prog=f"rove bag {command}")
    return made


@dataclass
class Failures:
    """Bags that a command could not use, each said on stderr at once and counted at the end.

    Attributes:
        lines: what was said, one line a bag, beginning with its path.
    """

    lines: list[str] = field(default_factory=list)

    def add(self, path: Path, why: object) -> None:
        """Name a bag and what is wrong with it."""
        text = str(why)
        self.lines.append(text if text.startswith(str(path)) else f"{path}: {text}")
        print(f"error: {self.lines[-1]}", file=sys.stderr)

    def status(self) -> int:
        """Return the exit status: 1 when a bag failed, 0 otherwise."""
        return 1 if self.lines else 0


def find(words: Iterable[Path | str], failures: Failures, unfinished: bool = True) -> list[Path]:
    """Return the folders of the bags that were named or lie below what was named, no bag twice.

    Args:
        words: bags (their folder or MCAP file) and folders of bags.
        failures: gets what does not exist and what holds no bag.
        unfinished: take bags with ``.recording`` at the end of their name, too.
    """
    found: dict[Path, Path] = {}
    for word in map(Path, words):
        if word.is_file() and word.suffix == ".mcap":
            below = [word.parent]
        else:
            try:
                below = find_bags(word) + (find_incomplete_bags(word) if unfinished else [])
            except BagError as error:
                failures.add(word, error)
                continue
            if not below:
                failures.add(word, "no bag in this folder")
        for path in below:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def each(
    paths: Sequence[Path], what: str, do: Callable[[Path], Result], failures: Failures
) -> Iterator[tuple[Path, Result]]:
    """Yield ``(path, do(path))`` for every bag; one that cannot be used goes to ``failures``.

    On a terminal a bar on stderr shows the bag that is worked on; it is not there while the
    caller has the result, so that both may print. Elsewhere each bag is one line.

    Args:
        paths: of ``find``.
        what: the command in one word, for example "verifying".
        do: its work on one bag; may raise RoveError or OSError.
        failures: gets the bags for which it did.
    """
    terminal = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=terminal,
        transient=True,
        redirect_stdout=False,  # what is printed there may go to a file
        redirect_stderr=False,
        disable=not terminal.is_terminal,
    )
    task = bar.add_task(what, total=len(paths))
    try:
        for i, path in enumerate(paths, start=1):
            if not terminal.is_terminal:
                print(f"{what} {i}/{len(paths)} {path}", file=sys.stderr)
            bar.update(task, description=f"{what} {path.name}", completed=i - 1)
            bar.start()
            try:
                result = do(path)
            except (RoveError, OSError) as error:
                bar.stop()
                failures.add(path, error)
                continue
            bar.stop()
            yield path, result
    finally:
        bar.stop()
