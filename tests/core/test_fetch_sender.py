"""The robot's decisions without sockets: turns, pace, pins, and what is read once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fetch_examples import AT, write_bag
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.fetch.catalogue import Catalogue
from rove_core.bag.fetch.sender import MOST_WAITING, PIN_S, Sender
from rove_core.bag.fetch.wire import (
    Ask,
    Contents,
    FromRobot,
    List,
    Mark,
    Marked,
    Piece,
    Preparing,
    Read,
    Refused,
    decode_from_learner,
    decode_from_robot,
    encode,
)
from rove_core.bag.keeping.digests import PIECE_BYTES, FileDigest, digest_file
from rove_core.bag.keeping.pace import BURST_S, Pace
from rove_core.errors import BagError, ConfigError, WireError

KEYS = {"key one": "one", "key two": "two"}


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Robot:
    """A sender with a bag of ten pieces, read already."""

    def __init__(self, folder: Path, pieces_per_s: float = 1e9) -> None:
        self.bag = write_bag(folder, "a", 10 * PIECE_BYTES)
        self.clock = Clock()
        self.read: Counter[str] = Counter()
        self.catalogue = Catalogue(folder, self._digest)
        pace = Pace(pieces_per_s * PIECE_BYTES, self.clock)
        self.sender = Sender(self.catalogue, "toy", KEYS, pace, lambda: AT, self.clock)
        assert isinstance(self.ask(), Preparing)
        self.catalogue.work(0)
        found = self.ask()
        assert isinstance(found, Contents)
        self.hashes = {file.name: file.sha256 for file in found.files}
        self.clock.now += 1  # a burst is allowed

    def _digest(self, path: Path, on_bytes: Callable[[int], None]) -> FileDigest:
        self.read[path.name] += 1
        return digest_file(path, on_bytes)

    def ask(self, bag: str = "a") -> FromRobot | None:
        return self.sender.take(b"p", "key one", Ask(1, bag))

    def want(self, peer: bytes, index: int) -> FromRobot | None:
        read = Read(7, "a", "a_0.mcap", self.hashes["a_0.mcap"], index)
        return self.sender.take(peer, "key one", read)

    def due(self) -> list[tuple[bytes, int]]:
        """Return (peer, index) of the pieces that go now."""
        sent = list(self.sender.due())
        assert all(isinstance(piece, Piece) for _, piece in sent), sent
        return [(peer, piece.index) for peer, piece in sent]  # type: ignore[union-attr]


def test_learners_take_turns(tmp_path: Path) -> None:
    """A learner with a long queue does not hold up another: while both wait, pieces alternate."""
    robot = Robot(tmp_path)
    for index in range(6):
        assert robot.want(b"one", index) is None
    for index in range(3):
        robot.want(b"two", index)
    peers = [peer for peer, _ in robot.due()]
    assert peers == [b"one", b"two"] * 3 + [b"one"] * 3


def test_pieces_go_no_faster_than_the_pace(tmp_path: Path) -> None:
    """Over any time not more than the rate, a short burst and one piece; nothing is forgotten."""
    robot = Robot(tmp_path, pieces_per_s=20.0)
    for index in range(10):
        robot.want(b"one", index)
    sent, began = robot.due(), robot.clock.now
    assert len(sent) == int(20 * BURST_S) + 1
    while len(sent) < 10:
        wait = robot.sender.wait_s()
        assert wait is not None
        assert 0 < wait <= 1 / 20
        robot.clock.now += wait / 2
        assert robot.due() == []
        robot.clock.now += wait / 2 + 1e-9
        sent += robot.due()
        assert len(sent) <= 20 * (robot.clock.now - began + BURST_S) + 1
    assert [index for _, index in sent] == list(range(10))
    assert robot.sender.wait_s() is None


@given(steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1000)), max_size=60))
def test_a_pace_is_kept_over_every_stretch(steps: list[tuple[float, int]]) -> None:
    """Whoever spends only when he may stays below rate x time + burst + one portion."""
    clock, rate = Clock(), 100.0
    pace, spent = Pace(rate, clock), list[tuple[float, int]]()
    for wait, count in steps:
        clock.now += wait
        if pace.wait_s() <= 0:
            pace.spend(count)
            spent.append((clock.now, count))
    for begin, (start, _) in enumerate(spent):
        for end in range(begin, len(spent)):
            total = sum(count for _, count in spent[begin:end])
            assert total <= rate * (spent[end][0] - start + BURST_S) + 1e-6


def test_a_pace_must_be_above_zero() -> None:
    """Nothing would ever be sent."""
    with pytest.raises(ConfigError, match="above 0"):
        Pace(0.0)


def test_a_learner_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    """More pieces at once than are allowed: the rest is refused, those before still come."""
    robot = Robot(tmp_path)
    answers = [robot.want(b"one", 0) for _ in range(MOST_WAITING + 3)]
    assert answers[:MOST_WAITING] == [None] * MOST_WAITING
    assert all(isinstance(answer, Refused) for answer in answers[MOST_WAITING:])
    assert len(robot.due()) == MOST_WAITING


def test_a_bag_is_pinned_while_it_is_sent(tmp_path: Path) -> None:
    """From its first piece until a while after its last; then its file is closed, too, because an
    open file keeps its room on the disk."""
    robot = Robot(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    assert robot.sender.pinned() == frozenset()
    robot.want(b"one", 0)
    robot.due()
    assert robot.sender.pinned() == {"a"}
    robot.clock.now += 0.9 * PIN_S
    assert robot.sender.pinned() == {"a"}
    assert len(os.listdir("/proc/self/fd")) == before + 1
    robot.clock.now += 0.2 * PIN_S
    assert robot.sender.pinned() == frozenset()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_learner_that_has_a_bag_pins_it_no_longer(tmp_path: Path) -> None:
    """Its mark ends its own pin, and nobody else's."""
    robot = Robot(tmp_path)
    robot.want(b"one", 0)
    read = Read(7, "a", "a_0.mcap", robot.hashes["a_0.mcap"], 0)
    robot.sender.take(b"two", "key two", read)
    assert len(robot.due()) == 2
    for key, pinned in (("key one", {"a"}), ("key two", set())):
        assert robot.sender.take(b"p", key, Mark(8, "a", robot.hashes)) == Marked(8)
        assert robot.sender.pinned() == pinned


def test_a_learner_that_left_is_forgotten(tmp_path: Path) -> None:
    """Its queue takes nobody's turn any more."""
    robot = Robot(tmp_path)
    robot.want(b"one", 0)
    robot.sender.left(b"one")
    robot.sender.left(b"never there")
    assert robot.sender.wait_s() is None
    assert robot.due() == []


def test_a_bag_is_read_once_for_all_learners(tmp_path: Path) -> None:
    """A second question is answered from memory; a changed file is read again."""
    robot = Robot(tmp_path)
    for _ in range(3):
        assert isinstance(robot.ask(), Contents)
    assert robot.read == {"a_0.mcap": 1, "metadata.yaml": 1}
    (robot.bag / "metadata.yaml").write_text("another")
    assert isinstance(robot.ask(), Preparing)
    robot.catalogue.work(0)
    assert isinstance(robot.ask(), Contents)
    assert robot.read["metadata.yaml"] == 2


def test_a_piece_of_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    """Also through a file that is open already, and when the new one has the old one's place."""
    robot = Robot(tmp_path)
    robot.want(b"one", 0)
    robot.due()
    with open(robot.bag / "a_0.mcap", "ab") as file:
        file.write(b"more")
    robot.want(b"one", 1)
    robot.want(b"two", 1)
    answers = [answer for _, answer in robot.sender.due()]
    assert [isinstance(a, Refused) and a.again for a in answers] == [True, True]


def test_a_file_that_changes_just_before_it_is_read_is_told_as_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes never go out: at the learner they would pass for a damaged disk's."""
    robot = Robot(tmp_path)
    read = os.pread

    def race(descriptor: int, count: int, offset: int) -> bytes:
        (robot.bag / "a_0.mcap").write_bytes(bytes(9 * PIECE_BYTES))
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", race)
    robot.want(b"one", 3)
    ((_, answer),) = robot.sender.due()
    assert isinstance(answer, Refused)
    assert answer.again


def test_a_mark_needs_the_present_content(tmp_path: Path) -> None:
    """Only who names the hashes of all files as they are now is noted; a keeper that was restarted
    since believes an earlier note of what it had read then."""
    robot = Robot(tmp_path)
    mark = Mark(3, "a", robot.hashes)
    wrong = {**robot.hashes, "a_0.mcap": "0" * 64}
    for files in ({}, wrong, {"a_0.mcap": robot.hashes["a_0.mcap"]}):
        answer = robot.sender.take(b"p", "key one", Mark(3, "a", files))
        assert isinstance(answer, Refused)
        assert answer.again
    assert robot.sender.take(b"p", "key one", mark) == Marked(3)
    fresh = Sender(Catalogue(tmp_path, digest_file), "toy", KEYS, Pace(), lambda: AT, robot.clock)
    assert fresh.take(b"p", "key two", mark) == Marked(3)
    (robot.bag / "cuts.json").write_text("{}")
    for sender in (robot.sender, fresh):
        assert isinstance(sender.take(b"p", "key two", mark), Refused)
    text = (robot.bag / "fetched.json").read_text()
    assert '"one"' in text
    assert '"two"' in text


def test_a_bag_that_cannot_be_read_is_refused_once_and_tried_again(tmp_path: Path) -> None:
    """The reason reaches the learner; the next question reads it again."""
    robot = Robot(tmp_path)
    write_bag(tmp_path, "b", 10)
    fail = [True]

    def digest(path: Path, on_bytes: Callable[[int], None]) -> FileDigest:
        if fail[0]:
            raise BagError("Input/output error")
        return digest_file(path, on_bytes)

    robot.catalogue._digest = digest
    for expected in (Refused, Contents):
        assert isinstance(robot.ask("b"), Preparing)
        robot.catalogue.work(0)
        assert isinstance(robot.ask("b"), expected)
        fail[0] = False


def test_nothing_to_read_is_no_work(tmp_path: Path) -> None:
    """The reading thread waits without a question."""
    assert not Catalogue(tmp_path, digest_file).work(0)


@given(st.binary(max_size=200))
def test_noise_is_no_message(data: bytes) -> None:
    """Bytes from the network raise WireError and nothing else, either way."""
    for decode in (decode_from_learner, decode_from_robot):
        try:
            decode(data)
        except WireError as error:
            said = str(error)
        else:
            continue
        assert "version 1" in said


def test_messages_come_back_as_they_went() -> None:
    """A round trip through the bytes changes nothing; what is too large is refused unread."""
    for message in (List(1, "a"), Ask(2, "b"), Read(3, "b", "f", "0" * 64, 9), Mark(4, "b", {})):
        assert decode_from_learner(encode(message)) == message
    for answer in (Piece(1, 2, b"x"), Refused(0, "no"), Marked(3), Preparing(1, 2, 3)):
        assert decode_from_robot(encode(answer)) == answer
    with pytest.raises(WireError, match="allowed"):
        decode_from_learner(bytes(70_000))
