"""``rove bag plot``: a picture of an episode."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import tyro

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove.bag.picture.draw import picture
from rove.bag.picture.track import read_track
from rove_core.errors import BagError


@dataclass(frozen=True)
class Plot:
    """Draw a picture of each bag: film strip, stages, modes and why they changed, value, joints.

    Finished bags and what a dead recorder left; seconds count from the bag's start, as in
    ``rove bag cut``.
    """

    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    out: Path = Path("plots")
    """Folder of the pictures; an older picture of the same bag is replaced."""
    small: tyro.conf.FlagCreatePairsOff[bool] = False
    """256 colours: a quarter of the bytes; small things in the film may lose their colour."""


def main(words: list[str]) -> int:
    """Run ``rove bag plot``."""
    given = parse(Plot, words, "plot")
    failures = Failures()
    paths = find(given.folders, failures)
    names = dict(zip(paths, file_names(paths), strict=True))

    def work(path: Path) -> Path:
        file = given.out / names[path]
        write(file, picture(read_track(path), given.small))
        return file

    shown = console()
    for _, file in each(paths, "plotting", work, failures):
        shown.print(str(file), markup=False)
    return failures.status()


def file_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for the picture of each bag; bags of one name get their folder's before it."""
    names: list[str] = []
    for path in paths:
        parts = path.resolve().parts[1:]
        name = next(
            (n for k in range(1, len(parts) + 1) if (n := ".".join(parts[-k:])) not in names),
            f"{'.'.join(parts)}-{len(names)}",
        )
        names.append(name)
    return [f"{name}.png" for name in names]


def write(file: Path, data: bytes) -> None:
    """Write a picture in one step.

    Raises:
        BagError: the disk refuses.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise BagError(f"picture {file} cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
