"""Cuts: what a person says learning must not see of a bag, kept beside it in ``cuts.json``.

The MCAP file is never touched, so that its hash stays valid. Times are ROS time; a cut covers
every measurement, picture and command of its span, ends included::

    {"cuts_schema_version": 1, "episode_id": "...", "bag_start_ns": 1795493588540000000,
     "whole": null,
     "spans": [{"start_s": 3.2, "end_s": 5.0, "start_ns": ..., "end_ns": ...,
                "reason": "camera covered", "by": "Ada", "at": "2026-11-24T04:30:00+00:00"}]}

``start_s`` and ``end_s`` are seconds since the bag's start, for people; ``_ns`` is what counts.
``whole`` is null, or an object with ``reason``, ``by`` and ``at``: nothing of the bag is learnt.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mcap.opcode import Opcode
from mcap.records import Statistics

from rove_core.bag.episode import Episode
from rove_core.bag.reader import Bag
from rove_core.bag.scan import DamageError, parse, records
from rove_core.errors import BagError
from rove_core.vocabulary import Stage

CUTS_FILE = "cuts.json"
CUTS_SCHEMA_VERSION = 1
CLOCK_RUNS_NS = 1_000_000_000
LONGEST_NS = 86_400 * 1_000_000_000
"""No episode lasts a day: what was logged in the first second of 1970 had no clock yet."""
AGREE_NS = 1_000_000
"""Seconds are written with three decimals; beyond that they contradict the ns beside them."""


@dataclass(frozen=True)
class Note:
    """Why something was cut, by whom, and when (ISO 8601, with its offset from UTC)."""

    reason: str
    by: str = ""
    at: str = ""


@dataclass(frozen=True)
class Cut:
    """A span, ROS time, ns, ends included, and why learning must not see it."""

    start_ns: int
    end_ns: int
    note: Note


@dataclass(frozen=True)
class Cuts:
    """What people cut of one bag.

    Attributes:
        bag_start_ns, bag_end_ns: log time of the bag's first and last message, ns.
        spans: as they were made, in order of time; they may overlap.
        whole: set when nothing of the bag may be learnt.
    """

    bag_start_ns: int
    bag_end_ns: int
    spans: tuple[Cut, ...] = ()
    whole: Note | None = None

    def __post_init__(self) -> None:
        for cut in self.spans:
            if not self.bag_start_ns <= cut.start_ns < cut.end_ns <= self.bag_end_ns:
                length = self.seconds(self.bag_end_ns)
                raise BagError(
                    f"cut {self.seconds(cut.start_ns):.3f}:{self.seconds(cut.end_ns):.3f} s given, "
                    f"0 <= start < end <= {length:.3f} s of the bag allowed"
                )
            if not cut.note.reason.strip():
                raise BagError("a cut without a reason given; say why, people will ask")
        spans = sorted(self.spans, key=lambda cut: (cut.start_ns, cut.end_ns))
        object.__setattr__(self, "spans", tuple(spans))

    def seconds(self, t_ns: int) -> float:
        """Return a ROS time as seconds since the bag's start."""
        return (t_ns - self.bag_start_ns) / 1e9

    def merged(self) -> tuple[tuple[int, int], ...]:
        """Return the cut spans, (start, end) in ns, disjoint and in order."""
        found: list[tuple[int, int]] = []
        for cut in self.spans:
            if found and cut.start_ns <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], cut.end_ns))
            else:
                found.append((cut.start_ns, cut.end_ns))
        return tuple(found)

    def with_span(self, start_ns: int, end_ns: int, note: Note) -> Cuts:
        """Return the cuts with one more.

        Raises:
            BagError: reversed, empty, outside the bag, or without a reason.
        """
        return replace(self, spans=(*self.spans, Cut(start_ns, end_ns, note)))

    def without_span(self, index: int) -> Cuts:
        """Return the cuts less one, by its place in ``spans``.

        Raises:
            BagError: there is none.
        """
        if not 0 <= index < len(self.spans):
            allowed = f"1..{len(self.spans)}" if self.spans else "none, the bag has no manual cut"
            raise BagError(f"cut number {index + 1} given, allowed: {allowed}")
        return replace(self, spans=self.spans[:index] + self.spans[index + 1 :])

    def touch(
        self, times_ns: npt.NDArray[np.int64], before_ns: int, after_ns: int
    ) -> npt.NDArray[np.bool_]:
        """Return (T,): whether [t - before, t + after] meets a cut, for each of (T,) times."""
        spans = np.array(self.merged(), dtype=np.int64).reshape(-1, 2)
        # Of disjoint sorted spans only the first that ends at or after the window's begin counts.
        first = np.searchsorted(spans[:, 1], times_ns - before_ns)
        starts = np.append(spans[:, 0], np.iinfo(np.int64).max)
        met: npt.NDArray[np.bool_] = starts[first] <= times_ns + after_ns
        return met


def apply_cuts(episode: Episode, cuts: Cuts, max_age_ns: int) -> Episode:
    """Return the episode with every frame that touches a cut in stage NONE, as the arbiter cuts.

    A frame at t looks at samples from up to ``max_age_ns`` before it, and its action is the
    command in force one period after it; a frame goes when any of that may lie in a cut. Frames
    of one segment are one period apart, so nothing, however short, is cut without a frame going.

    Raises:
        BagError: the bag is cut as a whole.
    """
    if cuts.whole is not None:
        by = f" by {cuts.whole.by}" if cuts.whole.by else ""
        raise BagError(f"{episode.path}: excluded from learning{by}: {cuts.whole.reason}")
    if not cuts.spans:
        return episode
    cut = cuts.touch(episode.times_ns, max_age_ns, episode.period_ns)
    return replace(episode, stage=np.where(cut, np.uint8(Stage.NONE), episode.stage))


def time_range(bag: Bag) -> tuple[int, int]:
    """Return the log time of a bag's earliest and latest message, ns: its start and its end.

    A recorder on simulated time logs 1970 until its first ``/clock``; such messages do not make
    a bag begin then.

    Raises:
        BagError: it holds no message.
    """
    if not bag.damage:  # a walk over the heads of the records
        with suppress(DamageError), open(bag.file, "rb") as stream:
            for record in records(stream, bag.file.stat().st_size):
                if record.opcode == Opcode.STATISTICS:
                    found = parse(stream, record)
                    if not isinstance(found, Statistics) or not found.message_count:
                        continue
                    first, last = found.message_start_time, found.message_end_time
                    if not _without_clock(first, last):
                        return first, last
    times = [message.log_time_ns for message in bag.raw_messages()]
    if not times:
        raise BagError(f"bag {bag.path} holds no message")
    last = max(times)
    return min(time for time in times if not _without_clock(time, last)), last


def _without_clock(time_ns: int, last_ns: int) -> bool:
    """Say whether a time of a bag that ends at ``last_ns`` was told by a clock that stood at 0."""
    return time_ns < CLOCK_RUNS_NS <= last_ns - LONGEST_NS


def has_cuts(folder: Path) -> bool:
    """Return whether a bag has a ``cuts.json``."""
    return (Path(folder) / CUTS_FILE).is_file()


def read_cuts(bag: Bag) -> Cuts:
    """Return what people cut of a bag; nothing where it has no ``cuts.json``.

    Raises:
        BagError: the file is malformed, of a newer version, of another bag, or a cut in it is
            reversed or outside the bag.
    """
    start_ns, end_ns = time_range(bag)
    none = Cuts(start_ns, end_ns)
    path = bag.path / CUTS_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return none
    except (OSError, UnicodeDecodeError) as error:
        raise BagError(f"{path} cannot be read: {error}") from error
    try:
        return _parse(json.loads(text), bag.info.episode_id, none)
    except BagError as error:
        raise BagError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BagError(f"{path} is malformed: {error!r}") from error


def change_cuts(bag: Bag, change: Callable[[Cuts], Cuts]) -> Cuts:
    """Change ``cuts.json`` in one step and return what it says now.

    The old file stays whole until the new one is on the disk; two people who change the cuts of
    one bag wait for each other. Without a cut left the file goes.

    Args:
        bag: finished; what a dead recorder left gets its name from ``recover`` first.
        change: from what is cut to what shall be.

    Raises:
        BagError: as ``read_cuts``, as ``change``, an unfinished bag, or the disk refuses.
    """
    if not (bag.path / "metadata.yaml").is_file():
        raise BagError(f"bag {bag.path} is not finished; recover it before cutting it")
    path = bag.path / CUTS_FILE
    folder = -1
    try:
        folder = os.open(bag.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        old = read_cuts(bag)
        cuts = change(old)
        if cuts == old:
            return cuts
        if cuts.spans or cuts.whole:
            _replace(path, _text(cuts, bag.info.episode_id))
        else:
            path.unlink(missing_ok=True)
        os.fsync(folder)
    except OSError as error:
        raise BagError(f"{path} cannot be written: {error}") from error
    finally:
        if folder >= 0:
            os.close(folder)  # frees the lock
    return cuts


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _text(cuts: Cuts, episode_id: str) -> str:
    plain = {
        "cuts_schema_version": CUTS_SCHEMA_VERSION,
        "episode_id": episode_id,
        "bag_start_ns": cuts.bag_start_ns,
        "whole": None if cuts.whole is None else vars(cuts.whole),
        "spans": [
            {
                "start_s": round(cuts.seconds(cut.start_ns), 3),
                "end_s": round(cuts.seconds(cut.end_ns), 3),
                "start_ns": cut.start_ns,
                "end_ns": cut.end_ns,
                **vars(cut.note),
            }
            for cut in cuts.spans
        ],
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _parse(plain: Any, episode_id: str, none: Cuts) -> Cuts:
    version = plain["cuts_schema_version"]
    if version != CUTS_SCHEMA_VERSION:
        raise BagError(
            f"cuts schema version {version!r} given, {CUTS_SCHEMA_VERSION} allowed; "
            "a newer version needs a newer ROVE"
        )
    told = (plain["episode_id"], plain["bag_start_ns"])
    if told != (episode_id, none.bag_start_ns):
        raise BagError(
            f"cuts of episode {told[0]!r} that begins at {told[1]} ns given, those of "
            f"{episode_id!r} that begins at {none.bag_start_ns} ns allowed: it is of another bag"
        )
    spans = []
    for row in plain["spans"]:
        cut = Cut(_whole_number(row["start_ns"]), _whole_number(row["end_ns"]), _note(row))
        for key, t_ns in (("start", cut.start_ns), ("end", cut.end_ns)):
            if abs(float(row[f"{key}_s"]) - none.seconds(t_ns)) * 1e9 > AGREE_NS:
                raise BagError(
                    f"{key}_s {row[f'{key}_s']} and {key}_ns {t_ns} given, which is "
                    f"{none.seconds(t_ns):.3f} s: they must agree"
                )
        spans.append(cut)
    whole = None if plain["whole"] is None else _note(plain["whole"])
    return replace(none, spans=tuple(spans), whole=whole)


def _whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number of ns")
    return value


def _note(row: Any) -> Note:
    texts = [row[key] for key in ("reason", "by", "at")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"reason, by and at {texts!r} are not texts")
    return Note(*texts)
