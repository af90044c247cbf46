"""Laws of recover: everything intact is saved, nothing else is told as true, and it may die."""

from __future__ import annotations

import io
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from bag_examples import MS, START, small_bag, small_info, small_spec
from bag_faults import (
    DiedError,
    contents,
    hooked,
    is_subsequence,
    killed_at,
    numbered,
    quick_folder,
    recorded,
    whole_episode,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.writer import Writer

from rove_core.bag.reader import Bag, find_bags, find_incomplete_bags
from rove_core.bag.rebuild import RECOVERY_RECORD
from rove_core.bag.recover import recover
from rove_core.bag.scan import HEAD, records
from rove_core.bag.schema import BagState, RecordingEnd
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError
from rove_core.vocabulary import LossCause, Outcome


@pytest.fixture
def quick():
    """An empty folder where forcing to the disk takes no time."""
    with quick_folder() as folder:
        yield folder


def cut_off(folder: Path, lost: int = 700) -> Path:
    """Return a recording of several chunks whose last ``lost`` bytes are missing."""
    with recorded(folder / "bag", 20, chunk_seconds=0.1, compression="lz4"):
        pass
    path = folder / "bag.recording"
    file = path / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:-lost])
    return path


def chunks_of(file: Path) -> list[tuple[int, int]]:
    """Return (begin, end) of the chunks of a whole file, record heads included."""
    data = file.read_bytes()
    found = records(io.BytesIO(data), len(data))
    return [(r.offset - HEAD.size, r.offset + r.length) for r in found if r.opcode == Opcode.CHUNK]


def spoil(file: Path, at: int, data: bytes) -> None:
    with open(file, "r+b") as stream:
        stream.seek(at)
        stream.write(data)


def test_a_cut_off_recording_becomes_a_whole_bag(tmp_path):
    """Everything that could be read of the recording is in the bag; it says what it is."""
    path = cut_off(tmp_path)
    before = contents(path)
    assert 200 < len(before) < 20 * 12 + 1
    told: list[tuple[int, int]] = []
    found = recover(path, progress=lambda *step: told.append(step))
    assert found == tmp_path / "bag"
    assert not path.exists()
    assert contents(found) == before
    assert told[-1] == (len(before), len(before))
    bag = Bag(found)
    bag.verify()
    assert bag.outcome.recording is RecordingEnd.RECOVERED
    assert bag.outcome.recording.state is BagState.RECOVERED
    assert bag.outcome.outcome is Outcome.UNKNOWN
    assert "bytes lost: from 0.9" in bag.outcome.reason
    assert bag.info == small_info(small_spec(), "bag")
    assert verify(found).ok, verify(found).errors
    assert sorted(p.name for p in found.iterdir()) == ["bag_0.mcap", "metadata.yaml"]


def test_the_outcome_is_that_of_the_last_event_when_no_record_was_written(tmp_path):
    """An episode that had ended keeps its end, though its writer died before it said so."""
    folder = tmp_path / "bag"
    whole_episode(folder, 4, chunk_seconds=0.1)
    end = chunks_of(folder / "bag_0.mcap")[-1][1]
    folder.rename(tmp_path / "bag.recording")
    file = tmp_path / "bag.recording" / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:end])
    outcome = Bag(recover(tmp_path / "bag.recording")).outcome
    assert (outcome.outcome, outcome.reason) == (Outcome.SUCCESS, "clean")
    assert outcome.recording is RecordingEnd.RECOVERED
    assert verify(folder).ok


def test_a_writer_that_died_between_closing_and_naming_loses_nothing(tmp_path):
    """The outcome that was written is kept, and every message."""
    whole_episode(tmp_path / "bag", 4)
    before = contents(tmp_path / "bag")
    (tmp_path / "bag").rename(tmp_path / "bag.recording")
    outcome = Bag(recover(tmp_path / "bag")).outcome  # its name without the ending will do
    assert (outcome.outcome, outcome.reason) == (Outcome.SUCCESS, "clean")
    assert outcome.recording is RecordingEnd.RECOVERED
    assert contents(tmp_path / "bag") == before


def test_chunks_behind_a_damage_are_saved_and_the_hole_is_told(tmp_path):
    """One broken chunk costs its own messages only; the original is kept beside the new bag."""
    folder = whole_episode(tmp_path / "bag", 20, chunk_seconds=0.1)
    before = contents(folder)
    file = folder / "bag_0.mcap"
    begin, end = chunks_of(file)[4]
    spoil(file, end - 9, b"\xff\xfe\xfd")
    with pytest.raises(BagError, match="broken"):
        contents(folder)
    partly = Bag(folder, partial=True)
    [damage] = partly.damages
    assert (damage.begin, damage.end) == (begin, end)
    assert START < damage.after_ns < damage.before_ns < damage.after_ns + 300 * MS
    recover(folder)
    after = contents(folder)
    assert is_subsequence(after, before)
    assert len(before) - 40 < len(after) < len(before)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bag", "bag.damaged"]
    assert find_bags(tmp_path) == [folder]
    assert find_incomplete_bags(tmp_path) == []
    bag = Bag(folder)
    losses = [m.message for m in bag.messages(["recorder/loss"])]
    assert sum(loss.count for loss in losses) == len(before) - len(after)
    assert {loss.cause for loss in losses} == {LossCause.DISK}
    assert (bag.outcome.outcome, bag.outcome.reason) == (Outcome.SUCCESS, "clean")
    assert bag.metadata[RECOVERY_RECORD]["source_kept"] == "true"
    assert verify(folder).ok, verify(folder).errors
    assert recover(folder) == folder  # whole: left alone
    assert contents(folder) == after


def test_a_broken_length_does_not_hide_what_follows(tmp_path):
    """A chunk whose record says a wrong length or kind is read by its own; no message is lost."""
    folder = whole_episode(tmp_path / "bag", 20, chunk_seconds=0.1)
    before, file = contents(folder), folder / "bag_0.mcap"
    clean = file.read_bytes()
    begin, _ = chunks_of(file)[3]
    for at, data in (
        (begin + 1, b"\xff" * 7),
        (begin + 2, b"\0\0"),
        (begin, b"\x99"),
        (begin, b"\7"),
    ):
        file.write_bytes(clean)
        spoil(file, at, data)
        with pytest.raises(BagError):
            Bag(folder).verify()
        assert contents(folder, partial=True) == before
    spoil(file, begin + 33, b"\xff" * 30)  # and the chunk's own
    kept = contents(folder, partial=True)
    assert is_subsequence(kept, before)
    assert len(before) - 40 < len(kept) < len(before)


def test_what_lies_beside_the_messages_is_kept(tmp_path):
    """Attachments, others' metadata records, schemas and channels survive a recovery."""
    folder = tmp_path / "bag.recording"
    folder.mkdir()
    text = "uint32 count\nstring word\n"
    writer = Writer(str(folder / "bag_0.mcap"))
    writer.start("ros2")
    writer.add_metadata("rove", small_info(small_spec(), "bag").to_record())
    writer.add_metadata("lab", {"bench": "7"})
    writer.add_attachment(3, 4, "notes.txt", "text/plain", b"left lamp broken")
    schema = writer.register_schema("rove_msgs/msg/EpisodeEvent", "ros2msg", text.encode())
    channel = writer.register_channel("/toy/episode", "cdr", schema, {"more": "x"})
    cdr = b"\0\1\0\0" + (9).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"hi\0"
    writer.add_message(channel, 5, cdr, 4, 1)
    writer.flush()
    path = recover(folder)
    bag = Bag(path)
    assert bag.metadata["lab"] == {"bench": "7"}
    [message] = bag.messages()
    assert (message.message.count, message.message.word) == (9, "hi")
    assert (message.log_time_ns, message.publish_time_ns, message.sequence) == (5, 4, 1)
    with open(bag.file, "rb") as stream:
        reader = make_reader(stream)
        [attachment] = reader.iter_attachments()
        summary = reader.get_summary()
    assert (attachment.name, attachment.data) == ("notes.txt", b"left lamp broken")
    assert (attachment.create_time, attachment.log_time) == (3, 4)
    [kept] = summary.channels.values()
    assert kept.metadata == {"more": "x"}
    assert [s.data.decode() for s in summary.schemas.values()] == [text]


def test_a_recording_that_is_being_written_is_refused(tmp_path):
    """While its writer lives, a recording is not touched; afterwards it is recovered."""
    writer = numbered(tmp_path / "bag", 20, chunk_bytes=500)
    with pytest.raises(BagError, match="still being written"):
        recover(tmp_path / "bag.recording")
    assert (tmp_path / "bag.recording").is_dir()
    writer.abandon()
    assert len(contents(recover(tmp_path / "bag.recording"))) == 20


def test_a_bag_is_never_overwritten(tmp_path):
    """A recording beside a bag of its name stays, and so does the bag, whatever it is."""
    small_bag(tmp_path / "bag")
    before = contents(tmp_path / "bag")
    path = cut_off(tmp_path / "other").rename(tmp_path / "bag.recording")
    with pytest.raises(BagError, match="never overwritten"):
        recover(path)
    assert contents(tmp_path / "bag") == before
    assert path.is_dir()
    shutil.rmtree(tmp_path / "bag")
    (tmp_path / "bag").mkdir()  # an empty folder, too
    with pytest.raises(BagError):
        recover(path)
    assert path.is_dir()


def test_what_cannot_be_recovered_is_named_and_stays(tmp_path):
    """No bag, an empty file and a file without a description are errors that remove nothing."""
    with pytest.raises(BagError, match="does not exist"):
        recover(tmp_path / "gone.recording")
    for name, data in (("empty", b""), ("short", b"\x89MCAP0\r\n"), ("noise", b"\7" * 5000)):
        folder = tmp_path / f"{name}.recording"
        folder.mkdir()
        (folder / "x_0.mcap").write_bytes(data)
        with pytest.raises(BagError, match=f"{name}"):
            recover(folder)
        assert (folder / "x_0.mcap").read_bytes() == data
        assert not (tmp_path / f"{name}.recovering").exists()


def sources() -> dict[str, object]:
    """Return ways to damage a bag; each makes ``bag`` or ``bag.recording`` in a folder."""

    def cut(folder: Path) -> Path:
        numbered(folder / "bag", 40, chunk_bytes=800).abandon()
        file = folder / "bag.recording" / "bag_0.mcap"
        file.write_bytes(file.read_bytes()[:-300])
        return folder / "bag.recording"

    def end_missing(folder: Path) -> Path:
        path = numbered(folder / "bag", 40, chunk_bytes=800).close(Outcome.SUCCESS)
        file = path / "bag_0.mcap"
        file.write_bytes(file.read_bytes()[:-300])
        return path

    def middle_broken(folder: Path) -> Path:
        path = numbered(folder / "bag", 40, chunk_bytes=800).close(Outcome.SUCCESS)
        spoil(path / "bag_0.mcap", chunks_of(path / "bag_0.mcap")[1][1] - 5, b"\0\0\0")
        return path

    def recording_broken(folder: Path) -> Path:
        middle_broken(folder).rename(folder / "bag.recording")
        return folder / "bag.recording"

    return {f.__name__: f for f in (cut, end_missing, middle_broken, recording_broken)}


@pytest.mark.parametrize("kind", sources())
def test_a_recovery_may_be_killed_at_any_step(quick, kind):
    """Killed anywhere, nothing that could be saved is lost, and another call ends as the first.

    The state between two steps is a bag, or something of which the next call makes one.
    """
    make = sources()[kind]
    path = make(quick / "once")
    saved = contents(path, partial=True)
    assert saved
    recover(path)
    wanted = sorted(p.name for p in (quick / "once").iterdir())
    step, alive = 0, True
    while alive:
        folder = quick / str(step)
        path = make(folder)
        alive = killed_at(step, lambda path=path: recover(path))
        assert contents(recover(path)) == saved, step
        assert contents(folder / "bag") == saved
        assert sorted(p.name for p in folder.iterdir()) == wanted, step
        shutil.rmtree(folder)
        step += 1
    assert step > 15


@pytest.mark.parametrize("kind", sources())
def test_a_recovery_that_fails_removes_nothing(quick, kind):
    """An error at any step, a full disk for one, leaves what the next call needs."""
    make = sources()[kind]
    step, failed = 0, True
    saved = contents(make(quick / "once"), partial=True)
    while failed:
        path, left = make(quick / str(step)), step

        def fail(name: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise OSError(28, "No space left on device")

        with hooked(fail), suppress(BagError):
            recover(path)
        failed = left < 0
        assert contents(recover(path)) == saved
        step += 1


@settings(max_examples=60)
@given(st.data())
def test_any_truncation_is_recovered(data):
    """However a file is cut, what is recovered is what ``Bag`` reads of it: a prefix."""
    with quick_folder() as folder:
        numbered(folder / "bag", 40, chunk_bytes=800).close(Outcome.SUCCESS)
        file = folder / "bag" / "bag_0.mcap"
        written, content = contents(folder / "bag"), file.read_bytes()
        boundaries = [edge for pair in chunks_of(file) for edge in pair]
        length = data.draw(st.one_of(st.sampled_from(boundaries), st.integers(0, len(content) - 1)))
        file.write_bytes(content[:length])
        try:
            found = recover(folder / "bag")
        except BagError:
            assert length < boundaries[0]  # not even the description
            assert file.read_bytes() == content[:length]
            return
        read = contents(found)
        assert read == written[: len(read)]
        whole = sum(1 for end in boundaries[1::2] if end <= length)
        assert (len(read) > 0) == (whole > 0)
        assert Bag(found).outcome.recording is RecordingEnd.RECOVERED


def test_an_abort_from_outside_leaves_no_half_bag(tmp_path):
    """Ctrl-C during a recovery: the recording is as it was, nothing lies beside it."""
    path = cut_off(tmp_path)
    before = (path / "bag_0.mcap").read_bytes()

    def stop(done: int, total: int) -> None:
        raise DiedError

    with pytest.raises(DiedError):
        recover(path, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["bag.recording"]
    assert (path / "bag_0.mcap").read_bytes() == before
