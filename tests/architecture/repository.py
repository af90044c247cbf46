"""Where things lie in the checkout, for the tests of its structure."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / "ros2_ws" / "src"

PACKAGES = {
    "rove_core": WORKSPACE / "rove_core" / "rove_core",
    "rove_policy": ROOT / "rove_policy",
    "rove_teleop": ROOT / "rove_teleop",
    "rove_learner": ROOT / "rove_learner",
    "rove": WORKSPACE / "rove" / "rove",
    "rove_sim": WORKSPACE / "rove_sim" / "rove_sim",
}

_LEFT_OUT = {".git", ".venv", "build", "__pycache__", "bags", "runs"}


@functools.cache
def repository_files() -> tuple[Path, ...]:
    """Return the files that belong to the project: git's word, or all but what is built."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [name for name in listing.stdout.split("\0") if name]
        files = [ROOT / name for name in names]
    else:  # an archive without its history
        files = [
            Path(folder) / name
            for folder, folders, names in os.walk(ROOT)
            for name in names
            if not _prune(folders)
        ]
    return tuple(sorted(path for path in files if path.is_file() and not path.is_symlink()))


def _prune(folders: list[str]) -> None:
    folders[:] = [name for name in folders if name not in _LEFT_OUT and name[:1] != "."]


def python_files(folder: Path) -> list[Path]:
    """Return the modules below a folder of the project."""
    return [path for path in repository_files() if path.suffix == ".py" and folder in path.parents]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module) of every import of a file, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
