"""Laws of the recorder and its disk: full, broken or slow, it costs messages that are counted,
never a robot that waits."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest
from recording_examples import CAMERA, ROOM, START, Disk, FaultyFile, Rig, cdr
from test_recording_session import read_report

from rove_core.bag.reader import Bag
from rove_core.bag.recording.guard import DiskGuard, Room
from rove_core.bag.recording.inbox import Inbox
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.session import STOP_SECONDS, Closed, StopEpisode
from rove_core.bag.recording.worker import RecorderThread
from rove_core.bag.schema import BagState, RecordingEnd
from rove_core.errors import ConfigError
from rove_core.vocabulary import EpisodeChange, LossCause, Outcome

PLENTY, LOW, TOO_LITTLE = ROOM, 3 << 29, 1 << 29
"""Of the rig's marks: alarm below 2 GiB, stop below 1 GiB."""


def lost(rig: Rig, cause: LossCause) -> dict[str, int]:
    found: dict[str, int] = {}
    for loss in rig.sent(Loss):
        if loss.cause is cause:
            found[loss.topic] = found.get(loss.topic, 0) + loss.count
    return found


def test_low_water_is_an_alarm_and_nothing_else(tmp_path):
    """Below the low-water mark the episode is recorded to its end, with a warning that says how
    much is free."""
    rig = Rig(tmp_path)
    rig.start()
    rig.free = LOW
    rig.run(2.0)
    assert rig.session.status.level == 1
    assert "1.6 GB free" in rig.session.status.message
    rig.stop()
    rig.run(0.5)
    assert Bag(tmp_path / "one").outcome.recording is RecordingEnd.COMPLETE
    assert rig.sent(StopEpisode) == []


def test_a_full_disk_ends_the_episode_cleanly(tmp_path):
    """Below the stop mark the arbiter is asked to end the episode, and the bag is closed when it
    does, with that outcome and a note of the free space."""
    rig = Rig(tmp_path)
    rig.start()
    rig.free = TOO_LITTLE
    rig.run(1.1)
    assert ["0.5 GB free" in request.reason for request in rig.sent(StopEpisode)] == [True]
    assert rig.session.status.level == 2
    rig.command()
    rig.stop(outcome=Outcome.ABORTED)
    rig.run(0.5)
    outcome = Bag(tmp_path / "one").outcome
    assert (outcome.outcome, outcome.recording) == (Outcome.ABORTED, RecordingEnd.COMPLETE)
    assert "0.5 GB free" in outcome.reason
    assert ["0.5 GB free" in note.text for note in read_report(tmp_path / "one").notes] == [True]


def test_a_full_disk_closes_the_bag_without_an_answer(tmp_path):
    """Nobody ends the episode: the bag is closed all the same, whole, as STOPPED."""
    rig = Rig(tmp_path)
    rig.start()
    rig.free = TOO_LITTLE
    rig.run(1.0 + STOP_SECONDS + 0.2)
    outcome = Bag(tmp_path / "one").outcome
    assert (outcome.outcome, outcome.recording) == (Outcome.UNKNOWN, RecordingEnd.STOPPED)
    assert outcome.recording.state is BagState.COMPLETE
    assert "0.5 GB free" in outcome.reason
    rig.stop()
    rig.run(1.0)
    assert len(rig.sent(Closed)) == 1


def test_nothing_is_recorded_until_there_is_room_again(tmp_path):
    """No bag begins on a full disk; the arbiter is told; above the low-water mark it goes on."""
    rig = Rig(tmp_path, free=TOO_LITTLE)
    rig.start("one")
    rig.run(1.1)
    assert "episode one is not recorded: 0.5 GB free" in rig.session.status.message
    assert rig.session.status.level == 2
    assert len(rig.sent(StopEpisode)) == 1
    rig.stop("one")
    rig.free = LOW  # more than it stopped at, and still not enough
    rig.run(1.1)
    rig.start("two")
    rig.stop("two")
    rig.free = PLENTY
    rig.run(1.1)
    assert rig.session.status.level == 1  # only that the robot's topics are silent
    rig.start("three")
    rig.stop("three")
    rig.run(1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["three"]


def test_marks_and_silent_disks():
    """Marks must be in order; a disk that does not answer has no room."""
    with pytest.raises(ConfigError, match="0 <= stop <= low"):
        DiskGuard(Path("x"), 1, 2)
    state = DiskGuard(Path("/nowhere/at/all")).look()
    assert state.room is Room.NONE
    assert "does not answer" in state.text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("where", ["write", "sync"])
def test_a_disk_that_refuses(tmp_path, number, where):
    """Until the disk refused the bag is readable; what came after, and what was in the open
    chunk, is counted as lost to the disk; the arbiter is asked to stop, people are told."""
    disk = Disk()
    rig = Rig(tmp_path, opener=disk)
    rig.start()
    for _ in range(40):
        rig.command()
        rig.run(0.05)
    error = OSError(number, "injected")
    setattr(disk.files[0], "error" if where == "write" else "sync_error", error)
    for _ in range(60):
        rig.command()
        rig.run(0.05)
    assert rig.session.status.level == 2
    assert "injected" in rig.session.status.message
    assert len(rig.sent(StopEpisode)) == 1
    rig.stop()
    rig.run(1.0)
    assert rig.sent(Closed) == []
    assert rig.session.status.level == 2

    kept = Bag(tmp_path / "one.recording")
    assert kept.outcome.recording.state is BagState.RECORDING
    told = lost(rig, LossCause.DISK)
    inside = kept.topics["joint_command"].count
    if where == "write":
        assert inside + told["/toy/joint_command"] == 100
    else:  # written but not known to be safe: perhaps more than was promised
        assert 40 <= inside <= 100 <= inside + told["/toy/joint_command"]
    assert inside >= 35

    rig.start("two")  # the disk is back
    rig.command()
    rig.stop("two")
    rig.run(0.5)
    assert Bag(tmp_path / "two").outcome.recording is RecordingEnd.COMPLETE
    assert rig.session.status.level < 2


def test_a_bag_that_cannot_be_opened_is_told(tmp_path):
    """A folder that refuses bags is an error in the status and a request to stop."""
    rig = Rig(tmp_path / "bags")
    (tmp_path / "bags").write_text("in the way")
    rig.start()
    assert "episode one is not recorded" in rig.session.status.message
    assert len(rig.sent(StopEpisode)) == 1
    rig.stop()
    rig.run(1.0)


def test_syncs_come_at_their_interval_and_in_the_disks_thread(tmp_path):
    """What was written is on the disk within a second and a chunk, silent streams included, and
    only the thread that owns the bag ever waits for the disk."""
    disk = Disk()
    rig = Rig(tmp_path, opener=disk)
    inbox = Inbox()
    worker = RecorderThread(inbox, rig.session, lambda: rig.ros_ns)
    inbox.put(rig.make_event(EpisodeChange.STARTED))
    for _ in range(3):
        inbox.put(rig.make("joint_states"))

    def turns() -> None:
        worker.pump()
        rig.seconds = 0.3  # the chunk is over
        worker.pump()

    owner = threading.Thread(target=turns)
    owner.start()
    owner.join()
    file = disk.files[0]
    assert file.threads == {owner.ident}
    rig.run(1.4)
    assert file.syncs  # nothing arrived any more
    assert Bag(tmp_path / "one.recording").topics["joint_states"].count == 3
    size = file.tell()
    assert file.syncs[-1] == size
    rig.run(5.0)
    assert len(file.syncs) == 1  # nothing new, nothing to sync
    for _ in range(50):
        rig.command()
        rig.run(0.1)
    assert 4 <= len(file.syncs) - 1 <= 5  # 5 s


class SlowFile(FaultyFile):
    """A disk of a few KB a second: every write takes its time."""

    def write(self, data: bytes) -> int:
        time.sleep(min(len(data) / 2e6, 0.2))
        return super().write(data)


@pytest.mark.parametrize("how", ["stalls", "is slow"])
def test_a_slow_disk_stalls_nobody_and_costs_only_counted_messages(tmp_path, how):
    """With a disk that hangs, or is far slower than the stream, the thread that hands messages over
    never waits; what found no room is in the bag as lost in the BACKLOG, the rest as messages."""
    disk = Disk(SlowFile if how == "is slow" else FaultyFile)
    rig = Rig(tmp_path, opener=disk, chunk_bytes=50_000)
    rig.start()
    file = disk.files[0]
    inbox = Inbox(400_000)
    worker = RecorderThread(inbox, rig.session, lambda: rig.ros_ns)
    worker.start()
    if how == "stalls":
        file.open.clear()
    sent = {CAMERA: 0, "joint_states": 0}
    picture, states = bytes(20_000), cdr("joint_states")
    for number in range(3000):
        inbox.put(rig.make("joint_states", states))
        sent["joint_states"] += 1
        if number % 15 == 0:
            inbox.put(rig.make(CAMERA, picture))
            sent[CAMERA] += 1
    assert inbox.dropped > 0
    assert inbox.highest_bytes <= 400_000
    file.open.set()  # only now: all was handed over while the disk hung
    worker.stop()
    bag = Bag(tmp_path / "one")
    report = read_report(tmp_path / "one")
    for name, count in sent.items():
        told = report.topics[f"/toy/{name}"]
        assert told.received == bag.topics[name].count
        assert told.received + told.lost == count
    assert report.losses["backlog"] == inbox.dropped
    assert report.losses["middleware"] == report.losses["disk"] == 0
    in_bag = [m.message for m in bag.messages(["recorder/loss"])]
    assert {m.cause for m in in_bag} == {LossCause.BACKLOG}
    assert sum(m.count for m in in_bag) == inbox.dropped


def test_a_thread_that_breaks_says_so(tmp_path):
    """An error that nobody foresaw ends the thread with its text instead of silence."""
    inbox = Inbox()
    rig = Rig(tmp_path)
    worker = RecorderThread(inbox, rig.session, lambda: 1 // 0)
    worker.start()
    worker._thread.join(10.0)
    assert "ZeroDivisionError" in worker.error
    worker.stop()


def test_the_stamp_of_dropped_messages_is_their_own(tmp_path):
    """A run of dropped messages is told with the ROS time of its first one."""
    rig = Rig(tmp_path)
    rig.start()
    inbox = Inbox(1)
    inbox.put(rig.make("joint_states"))
    rig.seconds = 5.0
    for item in inbox.take():
        rig.session.arrived(item)
    assert [loss.stamp_ns for loss in rig.sent(Loss)] == [START]
