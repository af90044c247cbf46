"""The recorder's process under real publishers: what was published is in the bag or counted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from recorder_harness import Load, Peer, Recorder, robot_file
from rove import topics
from rove_core.bag.reader import Bag, find_incomplete_bags
from rove_core.bag.schema import RecordingEnd
from rove_core.vocabulary import LossCause, Outcome
from tests.domains import claim_domain

# Not marked as graph: no watchdog judges here, so it runs beside other tests.
DOMAIN = claim_domain()

SLOW = """
import sys, time
from rove_core.bag import writer
from tests.domains import claim_domain
class Slow:
    def __init__(self, path): self.file = open(path, "xb")
    def write(self, data):
        time.sleep(len(data) / {rate})  # a card that takes so many bytes a second
        return self.file.write(data)
    def __getattr__(self, name): return getattr(self.file, name)
writer.BagWriter.__init__.__kwdefaults__["opener"] = Slow
"""
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""
START = "import sys; from rove.nodes.recorder import main; sys.exit(main())\n"


def with_disk(text: str, **values: int) -> tuple[str, ...]:
    """Return the command of a recorder whose disk is not what it should be."""
    return (sys.executable, "-c", text.format(**values) + START)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """One for each test: its episodes are latched, and all of them are called `one`."""
    joined = Peer(DOMAIN)
    yield joined
    joined.close()


@pytest.fixture
def recorders() -> Iterator[list[Recorder]]:
    started: list[Recorder] = []
    yield started
    for recorder in started:
        if recorder.process.poll() is None:
            recorder.stop(signal.SIGKILL)


def begin(peer: Peer, recorder: Recorder, loads: list[Load], episode: str = "one") -> None:
    """Start an episode once everybody hears everybody."""
    for load in loads:
        load.ready()
    peer.health.clear()
    peer.wait("the recorder", lambda: peer.health)
    peer.start(episode)
    peer.wait("a recording", lambda: f"records {episode}" in peer.health[-1][1])


def finished(peer: Peer, recorder: Recorder, name: str = "one") -> Bag:
    """Return the bag once it is closed."""
    folder = recorder.bags / name
    peer.wait(f"the bag {name}; log: {recorder.log.read_text()[-800:]}", folder.exists)
    return Bag(folder)


class Account(NamedTuple):
    """A topic of a bag: messages in it, lost ones by its loss messages, first and last count."""

    received: int
    lost: int
    first: int
    last: int


def account(bag: Bag) -> dict[str, Account]:
    """Return topic -> what became of its messages."""
    lost: dict[str, int] = {}
    for m in bag.messages([topics.RECORDER_LOSS]):
        name = bag.info.relative(m.message.topic)
        lost[name] = lost.get(name, 0) + m.message.count
    counts: dict[str, list[int]] = {}
    for raw in bag.raw_messages():
        counts.setdefault(raw.topic, []).append(raw.sequence)
    return {
        name: Account(len(numbers), lost.get(name, 0), min(numbers), max(numbers))
        for name, numbers in counts.items()
    }


def test_everything_that_was_published_is_accounted_for(tmp_path, peer, recorders):
    """3 cameras of 50 KB at 30 Hz and 4 joint topics at 500 Hz: received + lost, by the gaps of the
    count, are all that was published; nothing was lost by the recorder itself."""
    robot = robot_file(tmp_path)
    recorder = Recorder(tmp_path, DOMAIN, robot)
    recorders.append(recorder)
    loads = [Load("joints", recorder, robot, 4.0), Load("cameras", recorder, robot, 4.0)]
    begin(peer, recorder, loads)
    for load in loads:
        load.go()
    published = {k: v for load in loads for k, v in load.done()["published"].items()}
    peer.stop()
    bag = finished(peer, recorder)
    for load in loads:
        load.close()
    found = account(bag)
    for topic, count in published.items():
        told = found[topic]
        # What the middleware lost before the first or behind the last one shows in no gap.
        assert told.received + told.lost == told.last - told.first + 1, topic
        assert told.last <= count
        assert told.last - told.first >= 0.9 * count
    causes = {m.message.cause for m in bag.messages(["recorder/loss"])}
    assert causes <= {LossCause.MIDDLEWARE}
    assert recorder.stop() == 0


def test_the_seconds_before_the_start_are_kept(tmp_path, peer, recorders):
    """Cameras and joints that ran before the start are in the bag, from 2 s before it, in order of
    arrival; the description says with what the graph was started."""
    robot = robot_file(tmp_path, ("ego",))
    graph = "robot=g1_dex3&seed=7&record=true"
    recorder = Recorder(tmp_path, DOMAIN, robot, {"graph": graph})
    recorders.append(recorder)
    loads = [
        Load("joints", recorder, robot, 5.0, hertz=100.0),
        Load("cameras", recorder, robot, 5.0),
    ]
    for load in loads:
        load.ready()
    peer.health.clear()
    peer.wait("the recorder", lambda: peer.health)
    peer.policy("digest")
    for load in loads:
        load.go()
    for load in loads:  # 5 s of them are over when it starts
        load.done()
    peer.start("one")
    peer.wait("a recording", lambda: "records one" in peer.health[-1][1])
    peer.stop()
    bag = finished(peer, recorder)
    for load in loads:
        load.close()
    start = next(bag.messages([topics.EPISODE]))
    stamps = {name: [] for name in (topics.JOINT_STATES, topics.camera("ego"))}
    logged = []
    for raw in bag.raw_messages():
        logged.append(raw.log_time_ns)
        if raw.topic in stamps:
            stamps[raw.topic].append(raw.log_time_ns - start.log_time_ns)
    for name, times in stamps.items():
        assert times[0] >= -2_000_000_000, name
        assert times[-1] < 0, name
    # Those of the last 2 s, less the time between the last of them and the start.
    assert len(stamps[topics.JOINT_STATES]) >= 50
    # The loss of a whole turn's order would show as seconds, that of single messages as ms.
    assert np.diff(logged).min() > -50_000_000
    assert bag.info.policy_digest == "digest"
    assert bag.info.parameters["graph"]["seed"] == 7
    assert bag.info.parameters["recorder"]["pre_roll"] == 2.0


def test_a_second_recorder_of_a_folder_is_refused(tmp_path, recorders):
    """It ends with status 2, at once, and names the process that records there."""
    robot = robot_file(tmp_path, ("ego",))
    first = Recorder(tmp_path, DOMAIN + 1, robot)
    recorders.append(first)
    lock = first.bags / ".recorder.lock"
    probe = Peer(DOMAIN + 1)
    try:
        probe.wait("the first recorder", lambda: probe.health)
    finally:
        probe.close()
    assert lock.read_text() == f"{first.process.pid}\n"
    second = Recorder(tmp_path, DOMAIN + 1, robot)
    recorders.append(second)
    assert second.process.wait(60.0) == 2
    assert f"in use by the recorder with pid {first.process.pid}" in second.log.read_text()
    assert first.stop() == 0


def test_a_killed_recorder_goes_on_in_a_second_bag(tmp_path, peer, recorders):
    """After SIGKILL in the middle of an episode the next recorder records the rest of it as
    <id>-2, and makes the first part whole."""
    robot = robot_file(tmp_path, ("ego",))
    first = Recorder(tmp_path, DOMAIN, robot)
    recorders.append(first)
    load = Load("cameras", first, robot, 2.0)
    begin(peer, first, [load])
    load.go()
    load.done()
    load.close()
    first.stop(signal.SIGKILL)
    assert [path.name for path in find_incomplete_bags(first.bags)] == ["one.recording"]
    left = Bag(first.bags / "one.recording").topics[topics.camera("ego")].count
    assert left > 0  # most of 60; what a kill may take is the law of test_bag_crash
    second = Recorder(tmp_path, DOMAIN, robot)
    recorders.append(second)
    peer.health.clear()
    peer.wait("the second recorder", lambda: peer.health)
    # The start is known from before; a state of the arbiter says that it still runs.
    peer.wait("a recording", lambda: "records one" in peer.health[-1][1])
    peer.stop()
    rest = finished(peer, second, "one-2")
    assert rest.outcome.outcome is Outcome.SUCCESS
    assert rest.topics[topics.EPISODE].count == 2
    part = finished(peer, second, "one")
    assert part.outcome.recording is RecordingEnd.RECOVERED
    assert part.topics[topics.camera("ego")].count == left
    assert second.stop() == 0


def test_a_slow_disk_stalls_neither_robot_nor_recorder(tmp_path, peer, recorders):
    """On a disk that takes a fifth of the stream the publishers keep their rate, the recorder
    answers, and what does not fit is counted as lost in the backlog, all of it."""
    robot = robot_file(tmp_path)
    wrapper = with_disk(SLOW, rate=1_000_000)
    recorder = Recorder(tmp_path, DOMAIN, robot, {"queue": 2 << 20}, wrapper)
    recorders.append(recorder)
    loads = [Load("joints", recorder, robot, 6.0, hertz=100.0), Load("cameras", recorder, robot, 6)]
    begin(peer, recorder, loads)
    peer.health.clear()
    for load in loads:
        load.go()
    done = [load.done() for load in loads]
    heard = len(peer.health)
    assert all(result["seconds"] < 8.0 for result in done)  # 6 s of work
    assert heard >= 3  # once a second, all the time
    peer.stop()
    bag = finished(peer, recorder)
    for load in loads:
        load.close()
    found = account(bag)
    published = {k: v for result in done for k, v in result["published"].items()}
    for topic, count in published.items():
        told = found[topic]
        # Of a run at the end nothing came later; it is counted all the same.
        assert told.last - told.first + 1 <= told.received + told.lost <= count, topic
    backlog = [m.message for m in bag.messages(["recorder/loss"])]
    assert sum(m.count for m in backlog if m.cause == LossCause.BACKLOG) > 50
    commands = found[topics.JOINT_COMMAND]
    assert commands.lost <= 0.05 * (commands.received + commands.lost)  # pictures went first
    assert bag.outcome.outcome is Outcome.SUCCESS
    assert recorder.stop() == 0


def test_a_full_disk_asks_for_the_end_of_the_episode(tmp_path, peer, recorders):
    """When the disk refuses, the arbiter is asked to stop, diagnostics say ERROR, losses are
    published as the disk's, and what was written stays readable."""
    robot = robot_file(tmp_path)
    recorder = Recorder(tmp_path, DOMAIN, robot, None, with_disk(FULL, size=5_000_000))
    recorders.append(recorder)
    load = Load("cameras", recorder, robot, 4.0)
    begin(peer, recorder, [load])
    peer.stops.clear()
    peer.losses.clear()
    load.go()
    peer.wait("a request to stop", lambda: peer.stops)
    assert "not recorded any more: " in peer.stops[0]
    peer.wait("an error", lambda: peer.health[-1][0] == 2)
    load.done()
    load.close()
    peer.wait("losses", lambda: any(m.cause == LossCause.DISK for m in peer.losses))
    part = Bag(recorder.bags / "one.recording")
    assert part.topics[topics.camera("ego")].count >= 10
    assert recorder.stop() == 0


def test_no_room_no_recording(tmp_path, peer, recorders):
    """Below the stop mark nothing is recorded and the episode is asked to end."""
    robot = robot_file(tmp_path, ("ego",))
    marks = {"low_water": 1 << 49, "stop_water": 1 << 49}
    recorder = Recorder(tmp_path, DOMAIN, robot, marks)
    recorders.append(recorder)
    peer.health.clear()
    peer.stops.clear()
    peer.wait("the recorder", lambda: peer.health)
    assert peer.health[-1][0] == 1
    peer.start("one")
    peer.wait("a request to stop", lambda: peer.stops)
    peer.wait("an error", lambda: peer.health[-1][0] == 2)
    assert "is not recorded" in peer.health[-1][1]
    assert [p.name for p in Path(recorder.bags).iterdir()] == [".recorder.lock"]
    assert recorder.stop() == 0
