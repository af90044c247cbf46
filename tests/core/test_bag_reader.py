"""Laws of Bag: what it returns is what was written, and what it cannot read it names."""

from __future__ import annotations

import functools
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bag_examples import START, small_bag, small_info, small_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.writer import Writer

from rove_core.bag import schema
from rove_core.bag.definitions import typestore
from rove_core.bag.reader import Bag, deserialize, find_bags, find_incomplete_bags
from rove_core.bag.record import header, message_type
from rove_core.bag.scan import records
from rove_core.bag.schema import RecordingEnd
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import EpisodeKind, Outcome


@functools.cache
def example() -> tuple[bytes, list[bytes]]:
    """Return the bytes of a bag of several chunks and the messages in it."""
    with tempfile.TemporaryDirectory() as folder:
        writer = BagWriter(Path(folder) / "bag", small_info(small_spec()), chunk_bytes=400)
        writer.declare("/toy/joint_states", "sensor_msgs/msg/JointState")
        random = np.random.default_rng(0)
        for i in range(40):
            writer.write("/toy/joint_states", random.bytes(60), START + i)
        file = writer.close(Outcome.SUCCESS) / "bag_0.mcap"
        return file.read_bytes(), [m.cdr for m in Bag(file).raw_messages()]


@functools.cache
def described() -> int:
    """Return the length of ``example`` up to the end of the episode's description."""
    content, _ = example()
    found = records(io.BytesIO(content), len(content))
    return next(r.offset + r.length for r in found if r.opcode == Opcode.METADATA)


@functools.cache
def heads() -> list[int]:
    """Return where kinds and lengths of the records of ``example`` lie."""
    content, _ = example()
    found = [record.offset for record in records(io.BytesIO(content), len(content))]
    return [offset - back for offset in found for back in range(1, 10)]


def place(folder: str, name: str, content: bytes) -> Path:
    path = Path(folder) / name
    path.mkdir()
    (path / "bag_0.mcap").write_bytes(content)
    return path


def test_description_topics_and_messages_come_back(tmp_path):
    """Info, topics without namespace, and decoded messages are those of the recorder."""
    fields = {"task": "wipe", "instruction": "erase", "seed": 7, "parameters": {"rate": 200.0}}
    path = small_bag(tmp_path / "bag", frames=2, kind=EpisodeKind.DEMONSTRATION, **fields)
    bag = Bag(path)
    assert bag.info == small_info(small_spec(), "bag", kind=EpisodeKind.DEMONSTRATION, **fields)
    assert {name: (t.type, t.count) for name, t in bag.topics.items()} == {
        "joint_states": ("sensor_msgs/msg/JointState", 2),
        "joint_command": ("rove_msgs/msg/JointCommand", 20),
        "episode": ("rove_msgs/msg/EpisodeEvent", 2),
        "camera/ego/compressed": ("sensor_msgs/msg/CompressedImage", 2),
    }
    assert bag.outcome == schema.EpisodeOutcome(Outcome.SUCCESS, "clean", RecordingEnd.COMPLETE)
    states = list(bag.messages(["joint_states"]))
    assert [list(m.message.position) for m in states] == [[0.0] * 3, [1.0] * 3]
    assert [m.sequence for m in states] == [1, 2]
    assert states[0].message.name == ["hip", "knee", "wrist"]
    assert states[0].log_time_ns == START
    assert len(list(bag.messages())) == 26
    assert Bag(path / "bag_0.mcap").info == bag.info


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cut_off_recording_is_a_prefix(data):
    """However many bytes are left of a recording, what is read is a prefix of it."""
    content, written = example()
    length = data.draw(st.integers(1, len(content) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = place(folder, "bag.recording", content[:length])
        if length < described():
            with pytest.raises(BagError, match="not a bag"):
                Bag(path)
            return
        bag = Bag(path)
        assert bag.outcome.recording is RecordingEnd.CUT_OFF
        assert bag.damage
        read = [m.cdr for m in bag.raw_messages()]
        assert read == written[: len(read)]
        assert sum(t.count for t in bag.topics.values()) == len(read)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_truncated_bag_is_refused_unless_asked_for(data):
    """A finished bag whose end is missing is a BagError; ``partial`` reads its intact part."""
    content, written = example()
    length = data.draw(st.integers(described(), len(content) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = place(folder, "bag", content[:length])
        with pytest.raises(BagError, match="truncated"):
            Bag(path)
        bag = Bag(path, partial=True)
        assert bag.outcome.recording is RecordingEnd.CUT_OFF
        read = [m.cdr for m in bag.raw_messages()]
        assert read == written[: len(read)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_flipped_byte_never_passes_as_another_message(data):
    """Damage in the middle is a BagError or leaves the messages as they were.

    Kinds and lengths of records carry no checksum of their own: a chunk whose kind was damaged
    used to be skipped, and a damaged length ended in a MemoryError.
    """
    content, written = example()
    at = data.draw(st.one_of(st.sampled_from(heads()), st.integers(0, len(content) - 1)))
    broken = bytearray(content)
    broken[at] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = place(folder, "bag", bytes(broken))
        try:
            bag = Bag(path)
            assert [m.cdr for m in bag.raw_messages()] == written
        except BagError:
            pass


def test_zeros_after_a_power_cut_end_the_recording(tmp_path):
    """Blocks that never reached the disk read as zeros: the recording ends before them."""
    content, written = example()
    half = len(content) // 2
    path = place(str(tmp_path), "bag.recording", content[:half] + bytes(half))
    bag = Bag(path)
    read = [m.cdr for m in bag.raw_messages()]
    assert 0 < len(read) < len(written)
    assert read == written[: len(read)]


def test_a_missing_or_empty_bag_is_named(tmp_path):
    """Missing path, missing file, empty file and foreign bytes are BagErrors that say which."""
    with pytest.raises(BagError, match="gone does not exist"):
        Bag(tmp_path / "gone")
    (tmp_path / "late.recording").mkdir()
    with pytest.raises(BagError, match="recording was cut off"):
        Bag(tmp_path / "late")
    with pytest.raises(BagError, match=r"0 \*.mcap files found, 1 allowed"):
        Bag(tmp_path / "late.recording")
    with pytest.raises(BagError, match="is empty"):
        Bag(place(str(tmp_path), "empty", b""))
    for i, content in enumerate((b"x", b"SQLite format 3\0" * 9)):
        with pytest.raises(BagError, match="does not start as an MCAP file"):
            Bag(place(str(tmp_path), f"foreign{i}", content))


def test_a_foreign_bag_is_not_ours(tmp_path):
    """A valid MCAP file without our record is refused, naming the records it has."""
    (tmp_path / "bag").mkdir()
    writer = Writer(str(tmp_path / "bag" / "bag_0.mcap"))
    writer.start("ros2")
    writer.add_metadata("rosbag2", {})
    writer.finish()
    with pytest.raises(BagError, match=r"not a bag of ROVE.*found: rosbag2"):
        Bag(tmp_path / "bag")


def test_a_newer_version_is_refused(tmp_path, monkeypatch):
    """A bag of a later schema names its version and what this reader allows."""
    monkeypatch.setattr(schema, "BAG_SCHEMA_VERSION", 3)
    path = small_bag(tmp_path / "bag")
    assert Bag(path).info.episode_id == "bag"
    monkeypatch.setattr(schema, "BAG_SCHEMA_VERSION", 2)
    with pytest.raises(BagError, match=r"version '3' given, 1\.\.2 allowed \(in .*bag\)"):
        Bag(path)


def test_the_schemas_in_the_bag_decide(tmp_path):
    """A bag written with an older message text is read by that text, not by today's."""
    writer = BagWriter(tmp_path / "bag", small_info(small_spec()))
    old = "uint32 count\nstring word\n"
    writer.declare("/toy/episode", "rove_msgs/msg/EpisodeEvent", text=old)
    cdr = b"\0\1\0\0" + (9).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"hi\0"
    writer.write("/toy/episode", cdr, 1)
    writer.close(Outcome.SUCCESS)
    small_bag(tmp_path / "new")
    [message] = Bag(tmp_path / "bag").messages()
    assert (message.message.count, message.message.word) == (9, "hi")
    first = next(Bag(tmp_path / "new").messages(["episode"]))
    assert first.message.episode_id == "new"


def test_bytes_that_do_not_fit_their_schema_are_named(tmp_path):
    """A message that cannot be decoded names its topic."""
    writer = BagWriter(tmp_path / "bag", small_info(small_spec()))
    writer.declare("/toy/episode", "rove_msgs/msg/EpisodeEvent")
    writer.write("/toy/episode", b"\0\1\0\0\1", 1)
    path = writer.close(Outcome.SUCCESS)
    with pytest.raises(BagError, match="message of topic 'episode'"):
        list(Bag(path).messages())


@given(st.binary(max_size=20), st.integers(1, 60))
def test_bytes_after_a_message_are_ignored(tail, cut):
    """ROS pads some messages; the message counts, not what follows. A shorter one is refused.

    rosbags refused JointStates without effort that rclpy had serialised: 4 bytes too many.
    """
    kind = "rove_msgs/msg/ValueEstimate"
    value = message_type(kind)(
        header=header(START), value=-2.5, takeover_suggested=True, critic_digest="c" * 60
    )
    cdr = bytes(typestore().serialize_cdr(value, kind))
    assert deserialize(typestore(), cdr + tail, kind) == value
    with pytest.raises(BagError, match="not a rove_msgs/msg/ValueEstimate"):
        deserialize(typestore(), cdr[:-cut], kind)
    for head in (b"", b"\0\1", b"\0\3\0\0", b"\1\1\0\0"):
        with pytest.raises(BagError, match="plain CDR allowed"):
            deserialize(typestore(), head, kind)


def test_an_unknown_topic_names_those_that_are_there(tmp_path):
    """Asking for a topic that was not recorded is an error, not an empty answer."""
    bag = Bag(small_bag(tmp_path / "bag"))
    with pytest.raises(BagError, match=r"\['camera/left/compressed'\] are not in bag .*joint_stat"):
        next(bag.raw_messages(["camera/left/compressed"]))


def test_global_topics_keep_their_slash_and_the_root_namespace_works(tmp_path):
    """Names are relative to the namespace; /diagnostics stays global, whatever the namespace."""
    for namespace in ("", "/lab/toy"):
        folder = tmp_path / f"bag{len(namespace)}"
        writer = BagWriter(folder, small_info(small_spec(), namespace=namespace))
        writer.declare(f"{namespace}/joint_states", "sensor_msgs/msg/JointState")
        writer.declare("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray")
        assert set(Bag(writer.close(Outcome.SUCCESS)).topics) == {"joint_states", "/diagnostics"}


def test_find_bags_keeps_incomplete_ones_apart(tmp_path):
    """Finished bags and the rest are two sorted lists that together hold every bag once."""
    for name in ("b", "a", "day/c"):
        small_bag(tmp_path / name, frames=1)
    BagWriter(tmp_path / "d", small_info(small_spec())).abandon()
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    (tmp_path / "copy" / "metadata.yaml").unlink()
    assert find_bags(tmp_path) == [tmp_path / "a", tmp_path / "b", tmp_path / "day/c"]
    assert find_incomplete_bags(tmp_path) == [tmp_path / "copy", tmp_path / "d.recording"]
    with pytest.raises(BagError, match="nowhere does not exist"):
        find_bags(tmp_path / "nowhere")
