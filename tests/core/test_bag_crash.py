"""Laws of a crash: a killed writer costs one open chunk, a failed power supply what was not synced.

Real processes are killed by a real SIGKILL; the power fails in a simulated disk that forgets,
keeps or garbles each page and each name that was not forced to it.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from bag_examples import MS, START, record_frames, small_info, small_spec
from bag_faults import (
    DiedError,
    Disk,
    contents,
    end,
    hooked,
    is_subsequence,
    killed_at,
    numbered,
    quick_folder,
    recorded,
    whole_episode,
)

from rove_core.bag.reader import Bag, RawMessage, find_bags, find_incomplete_bags
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.recover import recover
from rove_core.bag.schema import RecordingEnd
from rove_core.bag.verify.run import verify
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import EpisodeChange, Outcome

CHUNK_S = 0.2
FRAMES = 30  # 1.5 s of log time an episode, 8 chunks
SAMPLED, WHOLE = 6, 100


def campaign(sampled: int, whole: int) -> list[object]:
    """Return seeds: those of `make test`, and marked those of `make test-all`."""
    rest = [pytest.param(seed, marks=pytest.mark.full) for seed in range(sampled, whole)]
    return [*range(sampled), *rest]


def record_until_killed(folder: Path, done: mmap.mmap) -> None:
    """Record episode after episode; ``done`` holds (episode, frames of it written)."""
    spec = small_spec()
    for number in range(1000):
        path = folder / f"{number:03d}"
        info = small_info(spec, path.name)
        recorder = EpisodeRecorder(path, spec, info, chunk_seconds=CHUNK_S, sync_seconds=0.02)
        recorder.episode_event(START, EpisodeChange.STARTED)
        for k in range(FRAMES):
            record_frames(recorder, spec, 1, begin=k)
            done[:8] = struct.pack("<II", number, k + 1)
        end(recorder, FRAMES)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> list[RawMessage]:
    """The messages of one whole episode; those of all are equal but for its name."""
    folder = whole_episode(tmp_path_factory.mktemp("reference") / "000", FRAMES)
    return contents(folder)


def without_events(messages: list[RawMessage]) -> list[RawMessage]:
    return [m for m in messages if m.topic != "episode"]


@pytest.mark.parametrize("seed", campaign(SAMPLED, WHOLE))
def test_a_killed_writer_loses_at_most_its_open_chunk(seed, reference):
    """SIGKILL at a random moment: all older than the chunk time is there, bit for bit; it verifies.

    Finished episodes are whole, and there is at most one recording, which can be recovered.
    """
    random = np.random.default_rng(seed)
    target = int(random.integers(1, 4 * FRAMES))
    delay = float(random.uniform(0, 0.01))
    done = mmap.mmap(-1, 8)
    with quick_folder() as folder:
        child = os.fork()
        if child == 0:
            try:
                record_until_killed(folder, done)
            finally:
                os._exit(1)
        while True:  # until it came far enough; the moment after that is what is random
            number, frames = struct.unpack("<II", done[:8])
            if number * FRAMES + frames >= target:
                break
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the writer died by itself"
            time.sleep(0.0005)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        number, frames = struct.unpack("<II", done[:8])
        left = find_incomplete_bags(folder)
        assert len(left) <= 1
        for path in find_bags(folder):
            assert without_events(contents(path)) == without_events(reference)
            assert verify(path).ok
            assert Bag(path).outcome.recording is RecordingEnd.COMPLETE
        for path in left:
            saved = without_events(contents(path))
            assert saved == without_events(reference)[: len(saved)]
            if path.name == f"{number:03d}.recording":
                written = START + (frames - 1) * 50 * MS  # when its last whole frame began
                older = [
                    m for m in without_events(reference) if m.log_time_ns < written - CHUNK_S * 1e9
                ]
                assert saved[: len(older)] == older
            try:
                found = recover(path)
            except BagError:  # killed before even the description was written
                assert not saved
                continue
            assert without_events(contents(found)) == saved
            report = verify(found)
            assert report.ok, report.errors
            assert Bag(found).outcome.recording is RecordingEnd.RECOVERED


def test_a_writer_killed_at_any_step_of_closing_loses_nothing(reference):
    """Between any two steps of ``close`` there is one bag, and it holds every message."""
    step, alive = 0, True
    while alive:
        with quick_folder() as folder:
            # Without their QoS texts, which take a hundred times longer than the steps.
            alive = killed_at(step, lambda f=folder: numbered(f / "bag", 30).close(Outcome.SUCCESS))
            bags = [*find_bags(folder), *find_incomplete_bags(folder)]
            assert len(bags) <= 1
            for path in bags:
                try:
                    found = recover(path)
                except BagError:  # before the description was written
                    assert step < 4
                    continue
                assert found == folder / "bag"
                read = contents(found)
                numbers = [int.from_bytes(m.cdr[4:8], "little") for m in read]
                assert numbers in ([], list(range(30)))
        step += 1
    assert step > 8


class Driver:
    """Writes an episode and now and then forces it to the disk; knows what must survive.

    Attributes:
        forced: messages that were on the disk for good when the power failed.
    """

    def __init__(self, folder: Path, random: np.random.Generator, kind: str) -> None:
        self._folder, self._random, self._kind = folder, random, kind
        self.forced = 0

    def run(self) -> None:
        """Write until it is over."""
        bag = BagWriter(
            self._folder,
            small_info(small_spec(), self._folder.name),
            chunk_bytes=20_000,
            compression=self._kind,
            sync_seconds=float("inf"),
        )
        bag.declare("/toy/joint_states", "sensor_msgs/msg/JointState")
        for i in range(60):
            body = b"\0\1\0\0" + i.to_bytes(4, "little") + self._random.bytes(3000)
            bag.write("/toy/joint_states", body, START + i * MS, sequence=i + 1)
            if self._random.random() < 0.1:
                bag.flush()
                bag.sync()
                self.forced = i + 1
        bag.close(Outcome.SUCCESS, "clean")
        self.forced = 60


@pytest.mark.parametrize("seed", campaign(25, 400))
def test_a_power_cut_takes_only_what_was_not_synced(seed):
    """What was synced is recovered in order, and nothing is handed out that was never written.

    The power fails before or after a random step: a write, a sync, a rename. In what is left a
    page that was not synced is the old one, the new one, zeros or noise.
    """
    random = np.random.default_rng(seed)
    kind = ("zstd", "lz4", "none")[seed % 3]
    with quick_folder() as root:
        (root / "disk").mkdir()
        disk = Disk(root / "disk")
        left = int(random.integers(0, 40))
        bag = root / "disk" / "bag"

        def hook(name: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise DiedError
            disk.hook(name, arguments)

        driver = Driver(bag, random, kind)
        try:
            with hooked(hook):
                driver.run()
        except DiedError:
            pass
        disk.cut_power(root / "after", random)
        written = {}
        for path in (bag, bag.with_name("bag.recording")):
            if any(path.glob("*.mcap")):  # the power may fail before there is a file
                written = {m.sequence: m for m in contents(path)}
        found = [*find_bags(root / "after"), *find_incomplete_bags(root / "after")]
        assert len(found) == 1 or not driver.forced
        for path in found:
            try:
                whole = recover(path)
            except BagError:
                assert not driver.forced
                continue
            read = contents(whole)
            sequences = [m.sequence for m in read]
            assert sequences == sorted(set(sequences))
            assert sequences[: driver.forced] == list(range(1, driver.forced + 1))
            assert all(written[m.sequence] == m for m in read)
            Bag(whole).verify()


def test_the_simulated_disk_forgets(tmp_path):
    """A file that was never synced can be gone, empty or garbled; a synced one cannot.

    Without this the campaign above could not fail.
    """
    seen = set()
    for seed in range(60):
        root = tmp_path / str(seed)
        (root / "disk").mkdir(parents=True)
        disk = Disk(root / "disk")
        with hooked(disk.hook), open(root / "disk" / "kept", "wb") as kept:
            kept.write(b"k" * 5000)
            kept.flush()
            os.fsync(kept.fileno())
            descriptor = os.open(root / "disk", os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            (root / "disk" / "loose").write_bytes(b"l" * 9000)
        disk.cut_power(root / "after", np.random.default_rng(seed))
        assert (root / "after" / "kept").read_bytes() == b"k" * 5000
        loose = root / "after" / "loose"
        data = loose.read_bytes() if loose.exists() else None
        if data is None:
            seen.add("gone")
        elif data == b"l" * 9000:
            seen.add("whole")
        elif data.strip(b"l") == b"":
            seen.add("short")
        elif data.strip(b"l\0") == b"":
            seen.add("zeros")
        else:
            seen.add("noise")
    assert seen == {"gone", "whole", "short", "zeros", "noise"}


@pytest.mark.parametrize("seed", campaign(12, 200))
def test_a_recovery_survives_a_power_cut(seed: int) -> None:
    """The power fails during a recovery: a bag or its remains are found, and hold the same."""
    random = np.random.default_rng(seed)
    with quick_folder() as root:
        (root / "disk").mkdir()
        with recorded(root / "disk" / "bag", 4, chunk_seconds=0.1):
            pass
        path = root / "disk" / "bag.recording"
        file = path / "bag_0.mcap"
        file.write_bytes(file.read_bytes()[:-100])
        saved = contents(path)
        disk = Disk(root / "disk")
        left = int(random.integers(0, 26))

        def hook(name, arguments, disk=disk):
            nonlocal left
            left -= 1
            if left < 0:
                raise DiedError
            disk.hook(name, arguments)

        try:
            with hooked(hook):
                recover(path)
        except DiedError:
            pass
        disk.cut_power(root / "after", random)
        after = [*find_bags(root / "after"), *find_incomplete_bags(root / "after")]
        assert after
        assert contents(recover(after[0])) == saved
        assert is_subsequence([p.name for p in (root / "after").iterdir()], ["bag"])
