"""Laws of BagWriter: what is written is what is read, and a crash costs one chunk at most."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from bag_examples import MS, START, small_bag, small_info, small_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

from rove_core.bag.metadata import qos_text
from rove_core.bag.reader import Bag
from rove_core.bag.schema import RecordingEnd
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import Outcome

STATES, EVENTS = "/toy/joint_states", "/toy/episode"


def open_writer(folder: Path, **options: object) -> BagWriter:
    writer = BagWriter(folder, small_info(small_spec()), **options)
    writer.declare(STATES, "sensor_msgs/msg/JointState", qos_text(5, "best_effort"))
    writer.declare(EVENTS, "rove_msgs/msg/EpisodeEvent", qos_text())
    return writer


messages = st.lists(
    st.tuples(
        st.sampled_from([STATES, EVENTS]),
        st.binary(max_size=300),
        st.integers(0, 2**62),
        st.integers(0, 2**62),
        st.integers(0, 2**32 - 1),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(messages, st.sampled_from(["zstd", "lz4", "none"]), st.integers(1, 2000))
def test_what_is_written_is_what_is_read(written, compression, chunk_bytes):
    """read(write(x)) == x, in order, whatever the chunks; times may jump and go backwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bag"
        with open_writer(path, compression=compression, chunk_bytes=chunk_bytes) as writer:
            for message in written:
                writer.write(*message)
            writer.close(Outcome.FAILURE, "it fell")
        bag = Bag(path)
        read = [
            (f"/toy/{m.topic}", m.cdr, m.log_time_ns, m.publish_time_ns, m.sequence)
            for m in bag.raw_messages()
        ]
        assert read == written
        bag.verify()
        assert bag.outcome.outcome is Outcome.FAILURE
        with Reader(path) as theirs:
            assert sorted(bytes(raw) for _, _, raw in theirs.messages()) == sorted(
                message[1] for message in written
            )


def test_rosbag2_readers_open_it(tmp_path):
    """A bag is a rosbag2 folder: types, counts, times, QoS and messages are what others expect."""
    path = small_bag(tmp_path / "bag", frames=3)
    information = yaml.safe_load((path / "metadata.yaml").read_text())[
        "rosbag2_bagfile_information"
    ]
    assert information["version"] == 9
    assert information["storage_identifier"] == "mcap"
    assert information["relative_file_paths"] == ["bag_0.mcap"]
    counts = {
        topic["topic_metadata"]["name"]: topic["message_count"]
        for topic in information["topics_with_message_count"]
    }
    assert counts == {
        "/toy/joint_states": 3,
        "/toy/joint_command": 30,
        "/toy/episode": 2,
        "/toy/camera/ego/compressed": 3,
    }
    assert information["message_count"] == 38
    assert information["starting_time"]["nanoseconds_since_epoch"] == START
    assert information["duration"]["nanoseconds"] == 150 * MS
    with AnyReader([path]) as reader:
        connection = next(c for c in reader.connections if c.topic == "/toy/joint_command")
        assert connection.msgtype == "rove_msgs/msg/JointCommand"
        _, _, raw = next(reader.messages([connection]))
        assert list(reader.deserialize(raw, connection.msgtype).position) == [0.0, 0.0, 0.0]
    with Reader(path) as reader:
        profile = reader.connections[0].ext.offered_qos_profiles[0]
        assert (profile.reliability.name, profile.depth) == ("BEST_EFFORT", 5)


def test_a_bag_gets_its_name_when_it_is_whole(tmp_path):
    """Until close, only ``<name>.recording`` exists; afterwards only ``<name>``."""
    writer = open_writer(tmp_path / "deep" / "bag")
    recording = tmp_path / "deep" / "bag.recording"
    assert recording.is_dir()
    assert not (tmp_path / "deep" / "bag").exists()
    writer.write(STATES, b"\0\1\0\0", 5)
    assert writer.close(Outcome.SUCCESS) == tmp_path / "deep" / "bag"
    assert not recording.exists()
    assert sorted(p.name for p in (tmp_path / "deep" / "bag").iterdir()) == [
        "bag_0.mcap",
        "metadata.yaml",
    ]


def test_bags_are_never_overwritten(tmp_path):
    """Neither a bag, nor a recording, nor a bag that appears during a recording is replaced."""
    path = small_bag(tmp_path / "bag")
    before = (path / "bag_0.mcap").read_bytes()
    with pytest.raises(BagError, match="exists already"):
        open_writer(path)
    assert (path / "bag_0.mcap").read_bytes() == before

    running = open_writer(tmp_path / "other")
    with pytest.raises(BagError, match="exists already"):
        open_writer(tmp_path / "other")
    (tmp_path / "other").mkdir()  # an empty folder would be replaced by a plain rename
    with pytest.raises(BagError, match="appeared"):
        running.close(Outcome.SUCCESS)
    assert Bag(tmp_path / "other.recording").outcome.outcome is Outcome.SUCCESS


def test_chunks_end_by_time_and_by_size(tmp_path):
    """Everything but the open chunk is readable while the writer still runs."""
    writer = open_writer(tmp_path / "slow", chunk_seconds=0.1)
    for i in range(8):  # 0, 50, 100 | 150, 200, 250 | 300, 350
        writer.write(STATES, b"\0\1\0\0", START + i * 50 * MS)
    assert Bag(tmp_path / "slow.recording").topics["joint_states"].count == 6
    writer.flush()
    assert Bag(tmp_path / "slow.recording").topics["joint_states"].count == 8
    writer.abandon()

    writer = open_writer(tmp_path / "big", chunk_bytes=1000, chunk_seconds=3600)
    for i in range(5):  # 400, 800, 1200 | 1600, ...
        writer.write(STATES, bytes(400), START + i)
    assert Bag(tmp_path / "big.recording").topics["joint_states"].count == 3
    writer.abandon()


def test_a_clock_that_jumps_back_does_not_keep_a_chunk_open(tmp_path):
    """After a jump to the past, chunks still reach the disk within their time."""
    with open_writer(tmp_path / "bag", chunk_seconds=0.1) as writer:
        writer.write(STATES, b"\0\1\0\0", START)
        writer.write(STATES, b"\0\1\0\0", 5)
        assert Bag(tmp_path / "bag.recording").topics["joint_states"].count == 2


CHILD = """
import sys
sys.path.insert(0, {folder!r})
from test_bag_writer import STATES, MS, START, open_writer, Path
writer = open_writer(Path({path!r}), chunk_seconds=0.05)
for i in range(1000):
    writer.write(STATES, b"\\0\\1\\0\\0" + i.to_bytes(4, "little"), START + i * 5 * MS)
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_writer_loses_one_chunk_at_most(tmp_path):
    """After SIGKILL the messages before the last 50 ms are there, intact and in order."""
    script = CHILD.format(folder=str(Path(__file__).parent), path=str(tmp_path / "bag"))
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "bag").exists()
    bag = Bag(tmp_path / "bag.recording")
    assert bag.outcome.recording is RecordingEnd.CUT_OFF
    assert bag.outcome.outcome is Outcome.UNKNOWN
    numbers = [int.from_bytes(m.cdr[4:], "little") for m in bag.raw_messages()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 1000 - 11


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, {folder!r})
from test_bag_writer import STATES, Outcome, BagError, Path, open_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
writer = open_writer(Path({path!r}), chunk_bytes=10_000, compression="none")
try:
    for i in range(100):
        writer.write(STATES, bytes(1000), i)
except BagError as error:
    print(error)
try:
    writer.write(STATES, b"", 0)
except BagError as error:
    print(error)
"""


def test_a_full_disk_is_a_bag_error(tmp_path):
    """When the disk refuses, the error names the bag, the writer closes, what was written stays."""
    script = FULL_DISK.format(folder=str(Path(__file__).parent), path=str(tmp_path / "bag"))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert "cannot be written" in first
    assert "bag.recording" in first
    assert "is closed" in second
    assert 1 <= Bag(tmp_path / "bag.recording").topics["joint_states"].count < 40


def test_outcome_and_recording_end_are_kept_apart(tmp_path):
    """A recording that was stopped says so without touching how the episode ended."""
    with open_writer(tmp_path / "bag") as writer:
        writer.close(Outcome.ABORTED, "the operator left", RecordingEnd.STOPPED)
    outcome = Bag(tmp_path / "bag").outcome
    assert outcome.outcome is Outcome.ABORTED
    assert outcome.reason == "the operator left"
    assert outcome.recording is RecordingEnd.STOPPED


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: w.write("/toy/nothing", b"", 0), "'/toy/nothing' given, /toy/joint_states"),
        (lambda w: w.write(STATES, b"", -1), "-1"),
        (lambda w: w.write(STATES, b"", 0, 2**63), "9223372036854775808"),
        (lambda w: w.declare(STATES, "sensor_msgs/msg/JointState"), "twice"),
        (lambda w: w.declare("states", "sensor_msgs/msg/JointState"), "'states' given"),
        (lambda w: w.declare("/a", "rove_msgs/msg/Nothing"), "rove_msgs/msg/Nothing"),
        (lambda w: w.declare("/a", "rove_msgs/msg/EpisodeEvent", "{a"), "QoS of topic /a"),
        (lambda w: w.declare("/a", "rove_msgs/msg/EpisodeEvent", "a: 1"), "a YAML list"),
    ],
)
def test_bad_calls_name_what_was_given(tmp_path, call, words):
    """A wrong call is a BagError that names it, and the bag goes on."""
    with open_writer(tmp_path / "bag") as writer:
        with pytest.raises(BagError) as caught:
            call(writer)
        assert words in str(caught.value)
        writer.write(STATES, b"\0\1\0\0", 1)
        writer.close(Outcome.SUCCESS)
    assert Bag(tmp_path / "bag").topics["joint_states"].count == 1


def test_a_closed_bag_and_a_bad_place_are_refused(tmp_path):
    """Writing after close, an unknown compression and a file in the way are BagErrors."""
    writer = open_writer(tmp_path / "bag")
    writer.close(Outcome.SUCCESS)
    writer.abandon()  # harmless
    for call in (lambda: writer.write(STATES, b"", 0), lambda: writer.close(Outcome.SUCCESS)):
        with pytest.raises(BagError, match="is closed"):
            call()
    with pytest.raises(BagError, match="'gzip' given, zstd, lz4, none allowed"):
        open_writer(tmp_path / "gz", compression="gzip")
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match="cannot be written"):
        open_writer(tmp_path / "file" / "bag")
