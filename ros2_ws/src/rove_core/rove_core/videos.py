"""Human experience videos: a folder of mp4 files and one label file (docs/interfaces.md).

It is the form in which videos of a head-worn camera are given, and the simulated ones are written.
They have no robot in them and no actions: a critic may learn from them, an actor never.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rove_core.errors import BagError, ContractError
from rove_core.vocabulary import Outcome

LABELS = "labels.json"
FORMAT = "rove human videos"
VERSION = 1
OUTCOMES = {"success": Outcome.SUCCESS, "failure": Outcome.FAILURE, "timeout": Outcome.TIMEOUT}


@dataclass(frozen=True)
class VideoLabel:
    """What a person wrote down about one video.

    Attributes:
        video: file name beside the label file.
        task: name of the task.
        instruction: what the person in the video was asked to do.
        outcome: how it ended; ABORTED and UNKNOWN do not occur.
        frames: number of frames.
        fps: frames per second.
        mistake: first frame at which it went wrong; None: it did not.
        recovery: first frame from which it was made good (``t_r``); None: never.
        person: who did it, a name without meaning.
        source: camera or program that made it.

    Raises:
        ContractError: frames out of order or outside the video, a file outside the folder, an
            outcome that is none.
    """

    video: str
    task: str
    instruction: str
    outcome: Outcome
    frames: int
    fps: float
    mistake: int | None = None
    recovery: int | None = None
    person: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        where = f"label of video {self.video!r}"
        if not self.video or Path(self.video).name != self.video:
            raise ContractError(f"{where}: a file name without a folder is allowed")
        if not self.task or not self.instruction:
            raise ContractError(f"{where}: task and instruction must not be empty")
        if self.outcome not in OUTCOMES.values():
            raise ContractError(f"{where}: outcome {self.outcome!r}; allowed: {list(OUTCOMES)}")
        if self.frames < 1 or not 1.0 <= self.fps <= 240.0:
            raise ContractError(
                f"{where}: {self.frames} frames at {self.fps} per s; allowed: 1 or more at 1 to 240"
            )
        if self.recovery is not None and self.mistake is None:
            raise ContractError(f"{where}: a recovery at {self.recovery} without a mistake")
        marks = [mark for mark in (self.mistake, self.recovery) if mark is not None]
        if sorted(marks) != marks or any(not 0 <= mark < self.frames for mark in marks):
            raise ContractError(
                f"{where}: mistake {self.mistake}, recovery {self.recovery}; allowed: in this "
                f"order within 0..{self.frames - 1}"
            )


def write_labels(folder: Path, labels: Iterable[VideoLabel]) -> Path:
    """Write the label file of a folder, whole or not at all, and return it."""
    entries = [{**asdict(label), "outcome": label.outcome.name.lower()} for label in labels]
    path, part = folder / LABELS, folder / f"{LABELS}.part"
    content = {"format": FORMAT, "version": VERSION, "videos": entries}
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def read_labels(folder: Path) -> tuple[VideoLabel, ...]:
    """Return the labels of a folder of videos.

    Raises:
        BagError: no label file, not one of this format, or a video that is not there.
        ContractError: an entry that says something impossible.
    """
    path = folder / LABELS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BagError(f"{path}: no readable label file: {error}") from error
    known = isinstance(content, dict) and content.get("format") == FORMAT
    if (
        not known
        or content.get("version") != VERSION
        or not isinstance(content.get("videos"), list)
    ):
        raise BagError(f"{path}: not a label file; format {FORMAT!r}, version {VERSION} is allowed")
    labels = tuple(_label(entry, f"{path}, entry {i}") for i, entry in enumerate(content["videos"]))
    missing = [label.video for label in labels if not (folder / label.video).is_file()]
    if missing:
        raise BagError(f"{path}: videos that are not beside it: {missing}")
    return labels


def _label(entry: object, where: str) -> VideoLabel:
    if not isinstance(entry, Mapping):
        raise ContractError(f"{where}: {entry!r}; an object is allowed")
    fields: dict[str, Any] = dict(entry)
    outcome = fields.get("outcome")
    if outcome not in OUTCOMES:
        raise ContractError(f"{where}: outcome {outcome!r}; allowed: {list(OUTCOMES)}")
    try:
        return VideoLabel(**{**fields, "outcome": OUTCOMES[outcome]})
    except TypeError as error:
        raise ContractError(f"{where}: {error}") from error
