"""Laws of manual cuts in learning: nothing of a cut reaches a target, no chunk crosses one."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly_examples import A, C, D, R, write_episode
from test_data import MS, PERIOD, robot

import rove_learner.data
from rove_core.bag.cuts import Note, change_cuts, read_cuts
from rove_core.bag.episode import stamp_ns
from rove_core.bag.reader import Bag
from rove_core.errors import BagError
from rove_core.vocabulary import Mode, Stage
from rove_learner.chunks import chunk_rows
from rove_learner.data import read_bags
from rove_learner.episodes import LearnEpisode, read_learn_episodes
from rove_learner.rewards import RewardConfig
from rove_learner.targets import NONE, windows

FRAMES, HORIZON, BEGIN = 40, 8, 10**9
WHY = Note("camera covered")
spans = st.tuples(st.integers(0, FRAMES * 50 - 60), st.integers(1, 900))


def cut(path: Path, *given_ms: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Cut spans, (start, length) in ms since the first frame; return what is cut, ns."""
    bag = Bag(path)
    for start, length in given_ms:
        end = min(BEGIN + (start + length) * MS, read_cuts(bag).bag_end_ns)
        change_cuts(bag, lambda c, s=BEGIN + start * MS, e=end: c.with_span(s, e, WHY))
    return read_cuts(bag).merged()


def sources(path: Path) -> tuple[dict[bytes, int], dict[float, int]]:
    """Return picture -> stamp and commanded value -> stamp, ns, of everything in a bag."""
    bag = Bag(path)
    pictures: dict[bytes, int] = {}
    commands: dict[float, int] = {}
    for raw in bag.raw_messages(["camera/ego/compressed", "joint_command"]):
        message = bag.decode(raw.topic, raw.cdr)
        if raw.topic == "joint_command":
            # the same value again and again: the first is the earliest that can be meant
            commands.setdefault(round(float(message.position[0]), 4), stamp_ns(raw.cdr))
        else:
            pictures[message.data.tobytes()] = stamp_ns(raw.cdr)
    return pictures, commands


def outside(stamp: int, cuts: tuple[tuple[int, int], ...]) -> bool:
    return not any(begin <= stamp <= end for begin, end in cuts)


@settings(max_examples=25, deadline=None)
@given(st.lists(spans, min_size=1, max_size=3), st.sets(st.integers(1, FRAMES - 2), max_size=3))
def test_nothing_of_a_cut_reaches_learning(given_ms: list[tuple[int, int]], lost: set[int]) -> None:
    """No picture, joint or command from inside a cut is a frame, a target or a chunk's row."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_episode(Path(folder) / "a", [R] * FRAMES, lost=sorted(lost))
        cuts = cut(path, *given_ms)
        try:
            (episode,) = read_learn_episodes([Path(folder)], robot()).episodes
        except BagError:  # the cuts left nothing
            assert sum(end - begin for begin, end in cuts) > 0.3 * FRAMES * PERIOD
            return
        pictures, commands = sources(path)
    for k in range(len(episode)):
        t = int(episode.times_ns[k])
        assert outside(pictures[episode.images["ego"][k]], cuts)
        assert outside(commands[round(float(episode.executed[k, 0]), 4)], cuts)
        assert not any(begin <= t + PERIOD and end >= t for begin, end in cuts)
    check_chunks(episode, cuts)


def check_chunks(episode: LearnEpisode, cuts: tuple[tuple[int, int], ...]) -> None:
    """Rows of chunks and of windows lie in an unbroken stretch on one side of every cut."""
    frames = episode.frames()
    rows, counts = chunk_rows(frames.left, frames.starts, HORIZON)
    for start, row, count in zip(frames.starts, rows, counts, strict=True):
        times = episode.times_ns[row[count]]
        assert (np.diff(times) == PERIOD).all()
        whole = (int(episode.times_ns[start]), int(times[-1]) + PERIOD)
        assert not any(begin <= whole[1] and end >= whole[0] for begin, end in cuts)
    found = windows(episode.segment, True, (), HORIZON, RewardConfig())
    for t in range(len(episode)):
        inside = episode.times_ns[t : t + int(found.steps[t])]
        assert (np.diff(inside) == PERIOD).all()
        if found.bootstrap[t] != NONE and found.steps[t] < HORIZON:  # it met a cut or a gap
            assert episode.times_ns[found.bootstrap[t]] - inside[-1] > PERIOD


def test_an_action_that_is_due_inside_a_cut_goes_with_its_frame(tmp_path: Path) -> None:
    """A cut of one millisecond takes every frame that looks at it or acts in it."""
    path = write_episode(tmp_path / "a", [R] * FRAMES)
    cut(path, (1020, 1))
    (episode,) = read_learn_episodes([tmp_path], robot()).episodes
    gone = set(range(FRAMES)) - {int(t - BEGIN) // PERIOD for t in episode.times_ns}
    # 1.000 s acts up to 1.050 s; 1.050 and 1.100 s may still show a picture of 1.020 s (2.5
    # periods old at most); the last frame has no command after it.
    assert gone - {FRAMES - 1} == {20, 21, 22}


def test_both_ways_of_learning_honour_cuts(tmp_path: Path) -> None:
    """Imitation of demonstrations cuts as the night does, at the same frames."""
    path = write_episode(tmp_path / "a", [D] * FRAMES)
    cut(path, (500, 300))
    (episode,) = read_learn_episodes([tmp_path], robot()).episodes
    (frames,) = read_bags(tmp_path, robot()).episodes
    assert len(frames.starts) == len(episode) < FRAMES - 6
    assert np.flatnonzero(frames.left == 0).min() == 9


def test_a_bag_that_is_excluded_is_left_out_with_who_and_why(tmp_path: Path) -> None:
    """``--whole`` is a reason like any other for which a bag is not among the episodes."""
    write_episode(tmp_path / "good", [R] * 4)
    bag = Bag(write_episode(tmp_path / "bad", [R] * 4))
    change_cuts(bag, lambda c: replace(c, whole=Note("wrong task shown", "Ada")))
    data = read_learn_episodes([tmp_path], robot())
    assert [e.name for e in data.episodes] == ["good"]
    assert "excluded from learning by Ada: wrong task shown" in data.left_out[str(bag.path)]
    assert list(read_bags(tmp_path, robot()).left_out) == [str(bag.path)]


def test_cuts_that_cannot_be_read_keep_a_bag_out(tmp_path: Path) -> None:
    """A damaged cuts.json never means that nothing is cut."""
    path = write_episode(tmp_path / "a", [R] * 4)
    write_episode(tmp_path / "b", [R] * 4)
    (path / "cuts.json").write_text("{")
    data = read_learn_episodes([tmp_path], robot())
    assert [e.name for e in data.episodes] == ["b"]
    assert "cuts.json" in data.left_out[str(path)]


def test_a_cut_through_align_does_not_join_two_interventions(tmp_path: Path) -> None:
    """Two takeovers stay two when what lies between them is cut by hand."""
    human, align = Mode.HUMAN, Mode.ALIGN
    stages = [R] * 4 + [A] * 8 + [Stage.NONE] * 2 + [A] * 8 + [C] * 8
    modes = [Mode.AUTONOMOUS] * 4 + [human] * 8 + [align] * 2 + [human] * 16
    path = write_episode(tmp_path / "a", stages, modes=modes)
    cut(path, (590, 120))
    (episode,) = read_learn_episodes([tmp_path], robot()).episodes
    assert len(episode.spans) == 2


def test_cuts_are_read_once_a_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading costs one look at a bag that has cuts, none at one that has not."""
    cut(write_episode(tmp_path / "a", [R] * FRAMES), (500, 300))
    write_episode(tmp_path / "b", [R] * 4)
    seen: list[str] = []

    def counted(bag: Bag) -> object:
        seen.append(bag.path.name)
        return read_cuts(bag)

    monkeypatch.setattr(rove_learner.data, "read_cuts", counted)
    read_learn_episodes([tmp_path], robot())
    assert seen == ["a"]
