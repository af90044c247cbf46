"""Laws of a disk that fails: what it had taken is there, what it refused is told, and nobody
writes on. Failing calls are simulated one by one; the full disk is a real, small one."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bag_examples import small_bag
from bag_faults import FailingFile, contents, numbered, quick_folder
from mcap.reader import make_reader
from mcap_ros2.reader import read_ros2_messages
from rosbags.highlevel import AnyReader
from test_bag_recover import chunks_of

from rove_core.bag.reader import Bag
from rove_core.bag.recover import recover
from rove_core.bag.schema import RecordingEnd
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError
from rove_core.vocabulary import LossCause, Outcome

COUNT = 60
SAMPLED, WHOLE = 12, 200


def campaign(sampled: int, whole: int) -> list[object]:
    """Return seeds: those of `make test`, and marked those of `make test-all`."""
    rest = [pytest.param(seed, marks=pytest.mark.full) for seed in range(sampled, whole)]
    return [*range(sampled), *rest]


@pytest.mark.parametrize("seed", campaign(SAMPLED, WHOLE))
def test_a_disk_that_fails_at_any_call_costs_the_open_chunk(seed):
    """EIO or ENOSPC at a random write or sync, a part of it written: one BagError; every chunk that
    was taken before is read and recovered, in order, and the writer stays closed."""
    random = np.random.default_rng(seed)
    budget, short = int(random.integers(0, 70)), int(random.integers(0, 400))
    number = (errno.EIO, errno.ENOSPC)[seed % 2]
    taken = 0
    with quick_folder() as folder:
        whole = contents(numbered(folder / "whole", COUNT).close(Outcome.SUCCESS))
        writer = None
        try:
            writer = numbered(
                folder / "bag",
                0,
                chunk_bytes=700,
                compression=("zstd", "lz4", "none")[seed % 3],
                sync_seconds=0.0,
                opener=lambda path: FailingFile(path, budget, number, short),
            )
            for i, message in enumerate(whole, start=1):
                writer.write(
                    "/toy/joint_states",
                    message.cdr,
                    message.log_time_ns,
                    sequence=message.sequence,
                )
                if not writer.open_bytes:
                    taken = i
            closed = writer.close(Outcome.SUCCESS)
        except BagError as error:
            told = str(error)
        else:
            assert contents(closed) == whole
            return
        assert "cannot be written" in told
        assert not (folder / "bag").exists()
        if writer is not None:
            with pytest.raises(BagError, match="is closed"):
                writer.write("/toy/joint_states", b"", 0)
        path = folder / "bag.recording"
        try:
            saved = contents(path)
        except BagError:  # refused before even the description was written
            assert taken == 0
            return
        assert saved == whole[: len(saved)]
        assert len(saved) >= taken
        assert contents(recover(path)) == saved
        Bag(folder / "bag").verify()


FULL = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import numpy as np
from recording_examples import CAMERA, Rig, cdr
from rove_core.bag.recording.guard import DiskGuard
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.session import StopEpisode
disk, kept = Path({disk!r}), Path({kept!r})
rig = Rig(disk, chunk_bytes=50_000, compression="none", sync_seconds=0.1)
rig.session._guard = DiskGuard(disk, {low}, {stop})
random = np.random.default_rng(1)
rig.start()
levels, sent = [], 0
for _ in range(400):
    rig.hear(CAMERA, cdr(CAMERA, data=np.frombuffer(random.bytes(8_000), np.uint8)))
    sent += 1
    rig.run(0.05)
    levels.append(rig.session.status.level)
    if rig.sent(StopEpisode):
        break
rig.stop()
rig.run(1.0)
rig.session.close()
import shutil
for found in disk.iterdir():
    if found.is_dir():
        shutil.copytree(found, kept / found.name)
print(json.dumps(dict(
    levels=sorted(set(levels)), sent=sent, asked=[s.reason for s in rig.sent(StopEpisode)],
    lost={{cause: sum(x.count for x in rig.sent(Loss) if int(x.cause) == cause)
           for cause in (0, 1, 2)}},
)))
"""


def on_small_disk(tmp_path: Path, low: int, stop: int) -> dict[str, object]:
    """Record onto a tmpfs of 1 MB of its own; return what was told. Bags are copied to ``kept``."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    tests = str(Path(__file__).parent)
    script = FULL.format(tests=tests, disk=str(disk), kept=str(kept), low=low, stop=stop)
    mount = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3"'
    words = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(disk), sys.executable, script]
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mounts of one's own")
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if "mount:" in done.stderr:
        pytest.skip(f"this machine allows no mounts of one's own: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_a_disk_that_runs_full_ends_the_episode_before_it_is(tmp_path):
    """On a real, small disk: first the alarm, then the request to stop, then a whole bag."""
    told = on_small_disk(tmp_path, low=600_000, stop=300_000)
    assert told["levels"] == [0, 1, 2] or told["levels"] == [1, 2]
    assert len(told["asked"]) == 1
    assert told["lost"] == {"0": 0, "1": 0, "2": 0}
    bag = Bag(tmp_path / "kept" / "one")
    assert bag.outcome.recording is RecordingEnd.COMPLETE
    assert bag.outcome.outcome is Outcome.SUCCESS
    assert bag.topics["camera/ego/compressed"].count == told["sent"]
    bag.verify()


def test_a_disk_that_is_full_costs_counted_messages(tmp_path):
    """Without marks the disk itself refuses (ENOSPC): what it took is recovered, and what it
    refused is counted as the disk's, to the message."""
    told = on_small_disk(tmp_path, low=0, stop=0)
    assert len(told["asked"]) == 1
    assert "No space left" in told["asked"][0]
    path = tmp_path / "kept" / "one.recording"
    saved = Bag(path).topics["camera/ego/compressed"].count
    assert saved >= 50
    # The start and the end of the episode are messages, too.
    lost = told["lost"][str(int(LossCause.DISK))]
    assert 0 <= saved + lost - told["sent"] <= 2
    found = recover(path)
    assert Bag(found).topics["camera/ego/compressed"].count == saved
    assert Bag(found).outcome.recording is RecordingEnd.RECOVERED


def test_foreign_readers_open_a_whole_and_a_recovered_bag(tmp_path):
    """mcap's own reader, mcap-ros2-support and rosbags see every message and decode it."""
    whole = small_bag(tmp_path / "whole", frames=4)
    torn = small_bag(tmp_path / "torn", frames=4).rename(tmp_path / "torn.recording")
    (file,) = torn.glob("*.mcap")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 60])  # the index is gone
    for path in (whole, recover(torn)):
        ours = [(m.topic, m.log_time_ns) for m in Bag(path).raw_messages()]
        assert len(ours) == 4 * 12 + 2
        with open(Bag(path).file, "rb") as stream:
            found = [(c.topic, m.log_time) for _, c, m in make_reader(stream).iter_messages()]
        assert sorted(found) == sorted((f"/toy/{topic}", t) for topic, t in ours)
        decoded = [
            list(m.ros_msg.position)
            for m in read_ros2_messages(str(Bag(path).file), topics=["/toy/joint_states"])
        ]
        assert decoded == [[float(k)] * 3 for k in range(4)]
        with AnyReader([path]) as reader:
            (states,) = (c for c in reader.connections if c.topic == "/toy/joint_states")
            theirs = [
                reader.deserialize(raw, states.msgtype).position.tolist()
                for _, _, raw in reader.messages([states])
            ]
        assert theirs == decoded


def test_every_truncation_at_a_chunk_boundary_keeps_the_chunks_before_it():
    """Cut at the begin and the end of each chunk, and one byte beside: exactly the whole chunks
    before the cut are recovered."""
    with quick_folder() as folder:
        numbered(folder / "bag", COUNT, chunk_bytes=800).close(Outcome.SUCCESS)
        written = contents(folder / "bag")
        data, edges = (folder / "bag" / "bag_0.mcap").read_bytes(), []
        for begin, end in chunks_of(folder / "bag" / "bag_0.mcap"):
            edges += [begin - 1, begin, begin + 1, end - 1, end, end + 1]
        ends = [end for _, end in chunks_of(folder / "bag" / "bag_0.mcap")]
        assert len(ends) > 4
        counts: dict[int, int] = {}
        for number, cut in enumerate(edges):
            path = folder / f"{number}.recording"
            path.mkdir()
            (path / "bag_0.mcap").write_bytes(data[:cut])
            if number == 0:  # the description, which lies before the first chunk, is cut off
                with pytest.raises(BagError):
                    recover(path)
                continue
            found = recover(path)
            read = contents(found)
            assert read == written[: len(read)]
            chunks = sum(end <= cut for end in ends)
            assert counts.setdefault(chunks, len(read)) == len(read)
            assert Bag(found).outcome.recording is RecordingEnd.RECOVERED
            assert not [f for f in verify(found).errors if f.check in ("file", "gaps")]
        sizes = [counts[n] for n in sorted(counts)]
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == len(written)
