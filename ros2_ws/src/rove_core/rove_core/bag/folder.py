"""Where bags lie: the folder of one, and which of many are whole."""

from __future__ import annotations

from pathlib import Path

from rove_core.bag.schema import RECORDING_SUFFIX
from rove_core.errors import BagError

RECOVERING_SUFFIX = ".recovering"
"""Ends the name of a bag that a recovery is writing; worth nothing when the recovery died."""
DAMAGED_SUFFIX = ".damaged"
"""Ends the name of a bag that was damaged and of which a whole one was made."""


def locate(path: Path) -> tuple[Path, Path]:
    """Return (folder, MCAP file) of a bag, given either.

    Raises:
        BagError: there is none, or more than one file.
    """
    if path.is_file():
        return path.parent, path
    if path.is_dir():
        files = sorted(path.glob("*.mcap"))
        if len(files) == 1:
            return path, files[0]
        raise BagError(f"{path} is not a bag: {len(files)} *.mcap files found, 1 allowed")
    unfinished = path.with_name(path.name + RECORDING_SUFFIX)
    hint = f"; {unfinished} exists: its recording was cut off" if unfinished.exists() else ""
    raise BagError(f"bag {path} does not exist{hint}")


def _folders(folder: Path | str) -> list[Path]:
    root = Path(folder)
    if not root.is_dir():
        raise BagError(f"folder of bags {root} does not exist")
    found = {file.parent for file in root.rglob("*.mcap")}
    return sorted(p for p in found if not _is_superseded(p) and not _is_hidden(p, root))


def _is_hidden(path: Path, root: Path) -> bool:
    """Say whether a folder is, below the root, on its way: being deleted or still arriving."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _is_superseded(path: Path) -> bool:
    """Say whether a folder is what a recovery left beside the bag that it made or was making."""
    if path.name.endswith(DAMAGED_SUFFIX):
        return path.with_name(path.name.removesuffix(DAMAGED_SUFFIX)).is_dir()
    return path.name.endswith(RECOVERING_SUFFIX)


def find_bags(folder: Path | str) -> list[Path]:
    """Return the finished bags below a folder, sorted by path.

    Raises:
        BagError: the folder does not exist.
    """
    incomplete = set(find_incomplete_bags(folder))
    return [path for path in _folders(folder) if path not in incomplete]


def find_incomplete_bags(folder: Path | str) -> list[Path]:
    """Return the bags below a folder whose recording was cut off or still runs, sorted by path.

    Raises:
        BagError: the folder does not exist.
    """
    return [
        path
        for path in _folders(folder)
        if path.name.endswith((RECORDING_SUFFIX, DAMAGED_SUFFIX))
        or not (path / "metadata.yaml").is_file()
    ]
