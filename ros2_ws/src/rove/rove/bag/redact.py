"""``rove bag redact``: copies of bags without a camera or without the names of persons."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from rove.bag.common import DEFAULT_FOLDERS, Failures, Folders, console, each, find, parse
from rove_core.bag.identity import Pseudonyms
from rove_core.bag.reader import Bag
from rove_core.bag.redact import Redacted, cameras_of, redact
from rove_core.errors import BagError, ConfigError


@dataclass(frozen=True)
class Redact:
    """Write copies of bags without a camera's pictures, or without the names of persons.

    The bags themselves stay as they are, and nothing is overwritten. A copy keeps its motion, the
    measures of the operator's body and the other cameras: those may still tell who it was.
    """

    out: Path
    """Folder of the copies."""
    folders: Folders = DEFAULT_FOLDERS
    """Bags, or folders of bags."""
    camera: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Leave out this camera's pictures; may be given several times."""
    all_cameras: tyro.conf.FlagCreatePairsOff[bool] = False
    """Leave out every camera's pictures."""
    operator: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the names of operators and other persons by pseudonyms, wherever they stand."""
    name: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Replace this name, too; for persons whom a bag names in words of its own."""
    pseudonym_key: Path | None = None
    """File of at least 16 random bytes: pseudonyms stay the same in every run with this key.
    Without it they count, operator-1, operator-2, ..., anew in every run."""


def main(words: list[str]) -> int:
    """Run ``rove bag redact``."""
    given = parse(Redact, words, "redact")
    if not (given.camera or given.all_cameras or given.operator or given.name):
        raise ConfigError("what to redact", "nothing", "--camera, --all-cameras, --operator, ...")
    if given.camera and given.all_cameras:
        raise ConfigError("--camera", " ".join(given.camera), "without --all-cameras")
    pseudonyms = _pseudonyms(given) if given.operator or given.name else None
    failures = Failures()
    shown = console()

    def work(path: Path) -> Redacted:
        cameras = given.camera
        if given.all_cameras:
            cameras = cameras_of(Bag(path))
        return redact(path, given.out, cameras=cameras, pseudonyms=pseudonyms, names=given.name)

    paths = find(given.folders, failures, unfinished=False)
    for path, done in each(paths, "redacting", work, failures):
        shown.print(f"{done.path}: {_done(done)}", markup=False)
        if done.remains:
            where = "; ".join(done.remains)
            failures.add(path, f"{done.path} still holds a name, as a word of its own: {where}")
    return failures.status()


def _pseudonyms(given: Redact) -> Pseudonyms:
    if given.pseudonym_key is None:
        return Pseudonyms()
    try:
        return Pseudonyms(given.pseudonym_key.read_bytes())
    except OSError as error:
        raise BagError(f"pseudonym key {given.pseudonym_key} cannot be read: {error}") from error


def _done(done: Redacted) -> str:
    parts = []
    if done.cameras:
        parts.append(f"without camera {', '.join(done.cameras)}")
    if done.names:
        count = sum(done.changed.values())
        parts.append(f"{len(done.names)} names replaced, in {count} messages")
    return "; ".join(parts) or "no name was found"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
