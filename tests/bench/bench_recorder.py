"""The recorder's process under real publishers: what it loses and what it costs."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rove.environment import ensure_ament_prefix
from tests.bench.result import Result
from tests.domains import claim_domain

SECONDS = 60.0
DOMAIN = claim_domain()
SIXTH, QUARTER = 1.0 / 6.0, 1.0 / 4.0


STALL_SECONDS = 0.5


def bench_stall() -> Iterator[Result]:
    """The same load while the recorder's process is stopped for half a second, as it happens on a
    machine that is busy: what waits in shared memory (rove/fastdds.xml) is there afterwards."""
    ensure_ament_prefix()
    from rove_core.bag.reader import Bag
    from tests.system.recorder_harness import Load, Peer, Recorder, robot_file

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        robot = robot_file(folder)
        recorder, peer = Recorder(folder, DOMAIN, robot), Peer(DOMAIN)
        try:
            loads = [Load(kind, recorder, robot, 4.0) for kind in ("joints", "cameras")]
            for load in loads:
                load.ready()
            peer.wait("the recorder", lambda: peer.health)
            peer.start("stall")
            peer.wait("a recording", lambda: "records stall" in peer.health[-1][1])
            for load in loads:
                load.go()
            time.sleep(1.0)
            recorder.process.send_signal(signal.SIGSTOP)
            time.sleep(STALL_SECONDS)
            recorder.process.send_signal(signal.SIGCONT)
            published = {k: v for load in loads for k, v in load.done()["published"].items()}
            peer.stop()
            peer.wait("the bag", (recorder.bags / "stall").exists)
            for load in loads:
                load.close()
            topics = Bag(recorder.bags / "stall").topics
        finally:
            recorder.stop()
            peer.close()
    lost = sum(count - topics[topic].count for topic, count in published.items())
    held_up = STALL_SECONDS * (4 * 500.0 + 3 * 30.0)
    yield Result(f"recorder stopped for {STALL_SECONDS} s, lost", lost, "messages", held_up, 0)


def bench_dds() -> Iterator[Result]:
    """3 cameras (50 KB, 30 Hz) and 4 joint topics (500 Hz) from two processes, for a minute.

    CPU is that of the recorder's process over the time in which they publish. Its own threads have
    a sixth of a core; the middleware's, which any subscriber of these topics pays, come on top: all
    together may take a quarter. Lost is by the publishers' counts.
    """
    ensure_ament_prefix()  # before anything imports ROS
    from rove_core.bag.reader import Bag
    from tests.system.recorder_harness import Load, Peer, Recorder, robot_file

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        robot = robot_file(folder)
        recorder, peer = Recorder(folder, DOMAIN, robot), Peer(DOMAIN)
        try:
            loads = [Load(kind, recorder, robot, SECONDS) for kind in ("joints", "cameras")]
            for load in loads:
                load.ready()
            peer.wait("the recorder", lambda: peer.health)
            peer.start("bench")
            peer.wait("a recording", lambda: "records bench" in peer.health[-1][1])
            before, begun = recorder.cpu_seconds(), time.monotonic()
            for load in loads:
                load.go()
            done = [load.done() for load in loads]
            after, took = recorder.cpu_seconds(), time.monotonic() - begun
            peer.stop()
            peer.wait("the bag", (recorder.bags / "bench").exists)
            for load in loads:
                load.close()
            recorder.stop()
            published = {k: v for result in done for k, v in result["published"].items()}
            topics = Bag(recorder.bags / "bench").topics
            received = {topic: topics[topic].count for topic in published}
        finally:
            recorder.stop()
            peer.close()
    total, lost = sum(published.values()), sum(published.values()) - sum(received.values())
    # A machine that could not publish at the rate measured another load.
    rate = total / max(result["seconds"] for result in done)
    nominal = 4 * 500.0 + 3 * 30.0
    yield Result("recorder load, messages/s", rate, "1/s", nominal, 0.97 * nominal, True)
    yield Result(f"recorder lost of {total}", lost, "messages", total, 0)
    own, everything = (after[1] - before[1]) / took, (after[0] - before[0]) / took
    yield Result("recorder CPU, without DDS threads", own, "cores", SIXTH, SIXTH)
    yield Result("recorder CPU, whole process", everything, "cores", QUARTER, QUARTER)
