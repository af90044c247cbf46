"""Laws of cuts.json: the bag stays as it is, nonsense is refused, what is cut is said with why."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_examples import MS, START, small_bag, small_info, small_spec
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag import cuts as module
from rove_core.bag.cuts import (
    CUTS_FILE,
    Cut,
    Cuts,
    Note,
    apply_cuts,
    change_cuts,
    read_cuts,
    time_range,
)
from rove_core.bag.episode import read_episode
from rove_core.bag.reader import Bag
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.unseen import BY_HAND, GAP, sight
from rove_core.errors import BagError
from rove_core.vocabulary import Authority, Mode, Outcome, Stage

WHY = Note("camera covered", "Ada", "2026-11-24T04:30:00+00:00")
PERIOD = 50 * MS


@pytest.fixture
def bag(tmp_path: Path) -> Bag:
    return Bag(small_bag(tmp_path / "one", frames=20))


def test_a_cut_is_kept_beside_a_bag_that_does_not_change(bag: Bag) -> None:
    """What was said is read back, in order of time; the MCAP file keeps its bytes."""
    before = hashlib.sha256(bag.file.read_bytes()).hexdigest()
    assert read_cuts(bag).spans == ()
    late, early = (START + 600 * MS, START + 700 * MS), (START + 100 * MS, START + 200 * MS)
    change_cuts(bag, lambda cuts: cuts.with_span(*late, WHY))
    change_cuts(bag, lambda cuts: cuts.with_span(*early, replace(WHY, by="")))
    cuts = read_cuts(bag)
    assert [(c.start_ns, c.end_ns) for c in cuts.spans] == [early, late]
    assert cuts.spans[1].note == WHY
    change_cuts(bag, lambda cuts: replace(cuts, whole=WHY))
    assert read_cuts(bag).whole == WHY
    assert hashlib.sha256(bag.file.read_bytes()).hexdigest() == before
    assert sorted(p.name for p in bag.path.iterdir()) == sorted(
        [bag.file.name, "metadata.yaml", CUTS_FILE]
    )


def test_a_cut_that_is_taken_back_leaves_nothing(bag: Bag) -> None:
    """Without a cut there is no file; a number that no cut has is refused."""
    change_cuts(bag, lambda cuts: cuts.with_span(START, START + MS, WHY))
    with pytest.raises(BagError, match=r"cut number 2 given, allowed: 1\.\.1"):
        change_cuts(bag, lambda cuts: cuts.without_span(1))
    change_cuts(bag, lambda cuts: cuts.without_span(0))
    assert not (bag.path / CUTS_FILE).exists()
    with pytest.raises(BagError, match="no manual cut"):
        change_cuts(bag, lambda cuts: cuts.without_span(0))


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 5), (5, 5), (9, 5), (0, 10**12), (10**12, 2 * 10**12)]
)
def test_spans_that_are_none_are_refused(bag: Bag, start: int, end: int) -> None:
    """Reversed, empty, and outside the bag: each says what was given and what is allowed."""
    with pytest.raises(BagError, match=r"start < end <= \d\.\d{3} s of the bag allowed"):
        change_cuts(bag, lambda cuts: cuts.with_span(START + start, START + end, WHY))
    with pytest.raises(BagError, match="without a reason"):
        change_cuts(bag, lambda cuts: cuts.with_span(START, START + 5, Note(" ")))
    assert not (bag.path / CUTS_FILE).exists()


def _of_another_bag(plain: dict[str, Any]) -> None:
    plain["bag_start_ns"] += 1


def _newer(plain: dict[str, Any]) -> None:
    plain["cuts_schema_version"] += 1


def _reversed(plain: dict[str, Any]) -> None:
    row = plain["spans"][0]
    row["start_ns"], row["end_ns"] = row["end_ns"], row["start_ns"]
    row["start_s"], row["end_s"] = row["end_s"], row["start_s"]


def _edited(plain: dict[str, Any]) -> None:
    plain["spans"][0]["end_s"] += 0.2


def _no_reason(plain: dict[str, Any]) -> None:
    del plain["spans"][0]["reason"]


def _fraction(plain: dict[str, Any]) -> None:
    plain["spans"][0]["start_ns"] += 0.5


def _wrong_kind(plain: dict[str, Any]) -> None:
    plain["spans"] = {"start_ns": 3}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_of_another_bag, "of another bag"),
        (_newer, "newer version needs a newer ROVE"),
        (_reversed, "start < end"),
        (_edited, "must agree"),
        (_no_reason, "malformed"),
        (_fraction, "whole number"),
        (_wrong_kind, "malformed"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(
    bag: Bag, spoil: Callable[[dict[str, Any]], None], words: str
) -> None:
    """A file that was copied, edited by half or written by a newer version is named and refused."""
    change_cuts(bag, lambda cuts: cuts.with_span(START + 100 * MS, START + 200 * MS, WHY))
    path = bag.path / CUTS_FILE
    plain = json.loads(path.read_text())
    spoil(plain)
    path.write_text(json.dumps(plain))
    with pytest.raises(BagError, match=words) as caught:
        read_cuts(bag)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_json_is_refused(bag: Bag) -> None:
    """Half a file says so."""
    (bag.path / CUTS_FILE).write_text('{"spans": [')
    with pytest.raises(BagError, match="malformed"):
        read_cuts(bag)


def test_a_write_that_fails_leaves_the_old_cuts(bag: Bag, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file takes the old one's place only when all of it is on the disk."""
    old = change_cuts(bag, lambda cuts: cuts.with_span(START, START + MS, WHY))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(BagError, match="No space left"):
        change_cuts(bag, lambda cuts: cuts.with_span(START, START + 2 * MS, WHY))
    monkeypatch.undo()
    assert read_cuts(bag) == old
    assert not (bag.path / f"{CUTS_FILE}.tmp").exists()


def test_an_unfinished_bag_is_not_cut(bag: Bag) -> None:
    """Recovery gives a bag its name and its times; cuts come after it."""
    os.unlink(bag.path / "metadata.yaml")
    with pytest.raises(BagError, match="recover it"):
        change_cuts(bag, lambda cuts: cuts.with_span(START, START + MS, WHY))


def test_the_range_of_a_bag_is_that_of_its_messages(bag: Bag, tmp_path: Path) -> None:
    """The index and a walk through what a dead writer left tell the same."""
    times = [message.log_time_ns for message in bag.raw_messages()]
    assert time_range(bag) == (min(times), max(times))
    left = tmp_path / "two.recording"
    shutil.copytree(bag.path, left)
    (file,) = left.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-40])
    assert time_range(Bag(left)) == (min(times), max(times))


@given(
    st.lists(st.tuples(st.integers(0, 990), st.integers(1, 400)), max_size=6),
    st.lists(st.integers(-50, 1500), min_size=1, max_size=30),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_merged_cuts_meet_what_the_single_ones_meet(
    spans: list[tuple[int, int]], times: list[int], before: int, after: int
) -> None:
    """Overlapping cuts are one; a window meets the merged ones exactly when it meets any."""
    cut = tuple(Cut(a, min(a + n, 1000), WHY) for a, n in spans)
    cuts = Cuts(0, 1000, cut)
    merged = cuts.merged()
    assert all(a[1] < b[0] for a, b in pairwise(merged))
    met = cuts.touch(np.array(times, dtype=np.int64), before, after)
    for t, found in zip(times, met, strict=True):
        assert found == any(c.start_ns <= t + after and c.end_ns >= t - before for c in cut)


def test_what_learning_does_not_see_adds_up(tmp_path: Path) -> None:
    """Seen and unseen frames are all frames, and each unseen span says why."""
    spec = small_spec()
    with EpisodeRecorder(tmp_path / "one", spec, small_info(spec)) as recorder:
        for k in range(40):
            t = START + k * PERIOD
            if not 20 <= k < 26:  # the camera was gone: pictures may be 2.5 periods old
                recorder.camera("ego", t, b"\xff\xd8%d" % k)
            recorder.joint_states(t, np.full(spec.size, float(k)))
            held = 5 <= k < 10
            words = (
                (Authority.HOLD, Stage.NONE, Mode.CLUTCH)
                if held
                else (Authority.HUMAN, Stage.RECOVERY, Mode.HUMAN)
            )
            for i in range(10):
                recorder.joint_command(t + i * 5 * MS, np.zeros(spec.size), *words)
        recorder.close(Outcome.SUCCESS)
    bag = Bag(tmp_path / "one")
    change_cuts(bag, lambda c: c.with_span(START + 1520 * MS, START + 1530 * MS, WHY))
    found = sight(bag.path, spec)
    assert found.seen + sum(row.frames for row in found.unseen) == found.frames == 40
    causes = {row.cause: row for row in found.unseen}
    assert set(causes) == {"CLUTCH", GAP, BY_HAND}
    assert causes["CLUTCH"].frames == 5
    assert "camera/ego" in causes[GAP].why
    assert causes[BY_HAND].why == "camera covered (Ada)"
    episode = apply_cuts(read_episode(bag.path, spec), read_cuts(bag), 125 * MS)
    assert found.seen == np.count_nonzero(episode.stage != Stage.NONE)
    change_cuts(bag, lambda cuts: replace(cuts, whole=WHY))
    assert sight(bag.path, spec).seen == 0
