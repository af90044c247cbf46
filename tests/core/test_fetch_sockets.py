"""Robot and learner over real sockets on the loopback: bags arrive whole, or the reason does."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from bag_examples import record_frames, small_info, small_spec
from fetch_examples import (
    AT,
    PATIENCE_S,
    SHORT_S,
    World,
    contents,
    set_time,
    tree,
    write_bag,
)
from test_delivery_sockets import Proxy

from rove_core.bag.fetch import client as client_module
from rove_core.bag.fetch.errors import FetchError, RefusedError, UnreachableError
from rove_core.bag.fetch.landing import Landing
from rove_core.bag.fetch.pull import Watcher
from rove_core.bag.fetch.wire import (
    Ask,
    Contents,
    List,
    Listing,
    Mark,
    Piece,
    Read,
    Refused,
    encode,
)
from rove_core.bag.keeping.digests import PIECE_BYTES, digest_file
from rove_core.bag.keeping.marks import read_marks
from rove_core.bag.keeping.plan import Limits
from rove_core.bag.reader import Bag
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import RECORDING_SUFFIX
from rove_core.errors import BagError, ConfigError
from rove_core.vocabulary import Outcome


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.stop()


class Trip(Watcher):
    """Does something once, when so many bytes have arrived."""

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        self._left, self._action = at, action
        self.fired = False
        self.resumed_bytes = self.arrived_bytes = 0

    def resumed(self, count: int) -> None:
        self.resumed_bytes += count

    def arrived(self, count: int) -> None:
        self.arrived_bytes += count
        self._left -= count
        if self._left <= 0 and not self.fired:
            self.fired = True
            self._action()


class Interrupted(Exception):  # noqa: N818
    """A pull that was killed, as far as its files can tell."""


def interrupt() -> None:
    raise Interrupted


# What arrives


def test_pulled_bags_are_equal_and_marked(world: World) -> None:
    """Every file of every finished bag arrives byte for byte; the robot notes who has it, under
    the name that it gave the key; a second pull fetches nothing."""
    bags = [write_bag(world.bags, name, size) for name, size in (("a", 1), ("b", 700_000))]
    (bags[1] / "cuts.json").write_text("{}")
    world.start()
    done = world.pull()
    assert (done.fetched, done.failed, done.robot) == (["a", "b"], {}, "toy")
    for bag in bags:
        assert contents(world.folder / "out" / bag.name) == contents(bag)
        (mark,) = read_marks(bag)
        assert (mark.name, mark.key) == ("learner", world.learner.public.decode())
        assert {n: f.sha256 for n, f in mark.files.items()} == {
            path: digest_file(bag / path).sha256 for path in contents(bag)
        }
    again = world.pull()
    assert (again.here, again.fetched, again.bytes) == (["a", "b"], [], 0)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 20 * PIECE_BYTES + 1])
def test_every_size_arrives_whole(world: World, size: int) -> None:
    """Sizes around a piece's, and more pieces than are on their way at once."""
    bag = write_bag(world.bags, "a", size)
    world.start()
    assert world.pull().bytes == sum(map(len, contents(bag).values()))
    assert contents(world.folder / "out" / "a") == contents(bag)


def test_what_is_being_recorded_is_never_listed(world: World) -> None:
    """A recording, what a recovery left and hidden folders stay on the robot; a bag that is
    finished while a pull runs comes with the next one."""
    live = write_bag(world.bags, "live" + RECORDING_SUFFIX)
    for name in (".hidden", "x.damaged", "x.recovering"):
        write_bag(world.bags, name)
    write_bag(world.bags, "a")
    world.start()
    watcher = Trip(1, lambda: live.rename(world.bags / "live"))
    assert world.pull(watcher=watcher).fetched == ["a"]
    assert watcher.fired
    assert world.pull().fetched == ["live"]


def test_a_recorder_writes_while_learners_pull(world: World) -> None:
    """The bag of a real writer comes once it is closed, and not a byte of it before."""
    write_bag(world.bags, "a")
    spec = small_spec()
    world.start()
    with EpisodeRecorder(world.bags / "live", spec, small_info(spec, "live")) as recorder:
        record_frames(recorder, spec, 3)
        assert world.pull().fetched == ["a"]
        record_frames(recorder, spec, 3, begin=3)
        assert world.pull().fetched == []
        recorder.close(Outcome.SUCCESS)
    assert world.pull().fetched == ["live"]
    pulled = Bag(world.folder / "out" / "live")
    assert pulled.info.episode_id == "live"
    assert len(list(pulled.raw_messages())) == 6 * 12


def test_many_bags_come_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bags than a page holds are all found."""
    monkeypatch.setattr("rove_core.bag.fetch.sender.PAGE", 3)
    names = [f"bag_{number}" for number in range(8)]
    for name in names:
        write_bag(world.bags, name, 10)
    world.start()
    with world.robot_bags() as robot:
        assert list(robot.list()[1]) == names
    assert world.pull().fetched == names


def test_several_learners_pull_at_once(world: World) -> None:
    """Two learners with keys of their own each get everything; both are noted."""
    for name in ("a", "b"):
        write_bag(world.bags, name, 30 * PIECE_BYTES)
    world.start()
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda k=k, o=o: results.append(world.pull(o, key=k).fetched))
        for k, o in ((world.learner, "one"), (world.second, "two"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert results == [["a", "b"]] * 2
    for name in ("a", "b"):
        assert {mark.name for mark in read_marks(world.bags / name)} == {"learner", "second"}
        assert contents(world.folder / "one" / name) == contents(world.folder / "two" / name)


def test_two_pulls_into_one_folder_do_not_meet(world: World) -> None:
    """The second says that another one is running."""
    world.start()
    with Landing(world.folder / "out"), pytest.raises(FetchError, match="another pull"):
        world.pull()


# Changes


def test_edited_cuts_come_alone(world: World) -> None:
    """Only the sidecar changed: it is fetched again, the recording is not; the bag counts as
    fetched only after that. Cuts that were taken back go here, too."""
    bag = write_bag(world.bags, "a")
    world.start()
    world.pull()
    for text in ("one", "two"):
        (bag / "cuts.json").write_text(text)
        with world.robot_bags() as robot:
            assert not robot.list()[1]["a"].marked
        done = world.pull()
        assert (done.renewed, done.bytes) == (["a"], 3)
        assert contents(world.folder / "out" / "a") == contents(bag)
        with world.robot_bags() as robot:
            assert robot.list()[1]["a"].marked
    (bag / "cuts.json").unlink()
    assert world.pull().renewed == ["a"]
    assert contents(world.folder / "out" / "a") == contents(bag)


def test_cuts_that_were_edited_on_both_sides_stay_both(world: World) -> None:
    """The person here does not lose work: the robot's file lies beside it."""
    bag = write_bag(world.bags, "a")
    (bag / "cuts.json").write_text("first")
    world.start()
    world.pull()
    here = world.folder / "out" / "a"
    (here / "cuts.json").write_text("mine")
    (bag / "cuts.json").write_text("theirs")
    assert world.pull().edited == ["a/cuts.json"]
    assert (here / "cuts.json").read_text() == "mine"
    assert (here / "cuts.json.robot").read_text() == "theirs"
    assert world.pull().here == ["a"]
    (bag / "cuts.json").unlink()
    world.pull()
    assert (here / "cuts.json").read_text() == "mine"


def test_a_recording_that_changed_replaces_the_old_copy(world: World) -> None:
    """Another recording under the old name (a redacted one) is fetched whole."""
    bag = write_bag(world.bags, "a")
    world.start()
    world.pull()
    (bag / "a_0.mcap").write_bytes(b"redacted")
    done = world.pull()
    assert (done.renewed, done.failed) == (["a"], {})
    assert contents(world.folder / "out" / "a") == contents(bag)
    assert sorted(p.name for p in (world.folder / "out").iterdir()) == [".incoming", "a"]


def test_a_file_that_was_only_touched_is_not_sent(world: World) -> None:
    """New times, same bytes: nothing is sent, and the bag counts as fetched again."""
    bag = write_bag(world.bags, "a")
    world.start()
    world.pull()
    set_time(bag / "a_0.mcap", 5)
    done = world.pull()
    assert (done.here, done.bytes) == (["a"], 0)
    with world.robot_bags() as robot:
        assert robot.list()[1]["a"].marked


def test_a_bag_that_changes_while_it_is_fetched_is_fetched_anew(world: World) -> None:
    """Half of the old and half of the new recording is never put together."""
    bag = write_bag(world.bags, "a", 40 * PIECE_BYTES)
    new = os.urandom(30 * PIECE_BYTES)
    world.start()
    watcher = Trip(5 * PIECE_BYTES, lambda: (bag / "a_0.mcap").write_bytes(new))
    done = world.pull(watcher=watcher)
    assert watcher.fired
    assert (done.fetched, done.failed) == (["a"], {})
    assert (world.folder / "out" / "a" / "a_0.mcap").read_bytes() == new
    with world.robot_bags() as robot:
        assert robot.list()[1]["a"].marked


def test_bytes_that_rot_on_the_robot_are_noticed(world: World) -> None:
    """Bytes change on the robot's disk after it read them, with size and time as before: that bag
    is left out with a reason, nothing of it is here, it is not marked, and the others come."""
    rotten = write_bag(world.bags, "a", 40 * PIECE_BYTES)
    write_bag(world.bags, "b")
    file = rotten / "a_0.mcap"
    old_ns = file.stat().st_mtime_ns

    def rot() -> None:
        with open(file, "r+b") as stream:
            stream.seek(38 * PIECE_BYTES)
            stream.write(b"rot")
        set_time(file, old_ns)

    world.start()
    done = world.pull(watcher=Trip(PIECE_BYTES, rot))
    assert done.fetched == ["b"]
    assert "piece 38 is not what the robot read before" in done.failed["a"]
    assert sorted(p.name for p in (world.folder / "out").iterdir()) == [".incoming", "b"]
    assert read_marks(rotten) == ()


def test_a_bag_that_goes_meanwhile_is_left_out(world: World) -> None:
    """Deleted on the robot between list and fetch: named, the others come."""
    write_bag(world.bags, "a", 5 * PIECE_BYTES)
    doomed = write_bag(world.bags, "b")
    world.start()
    done = world.pull(watcher=Trip(1, lambda: shutil.rmtree(doomed)))
    assert done.fetched == ["a"]
    assert "'b' given, one of the finished bags allowed" in done.failed["b"]


# Interruptions


def test_a_pull_that_was_interrupted_goes_on(world: World) -> None:
    """What arrived before is not sent again, wherever the pull ended; until the end nothing is
    there under the bag's name, and no reader takes the rest for a bag."""
    bag = write_bag(world.bags, "a", 40 * PIECE_BYTES + 5)
    world.start()
    size = sum(map(len, contents(bag).values()))
    watcher = Trip(13 * PIECE_BYTES, interrupt)
    with pytest.raises(Interrupted):
        world.pull(watcher=watcher)
    assert [p.name for p in (world.folder / "out").iterdir()] == [".incoming"]
    second = Trip(1 << 40, interrupt)
    done = world.pull(watcher=second)
    assert done.bytes + watcher.arrived_bytes == size
    assert (second.resumed_bytes, second.arrived_bytes) == (watcher.arrived_bytes, done.bytes)
    assert contents(world.folder / "out" / "a") == contents(bag)


def test_what_a_kill_left_damaged_is_sent_again(world: World) -> None:
    """A part that ends within a piece, whose bytes are wrong, or that is too long: the good
    beginning is used, the rest is sent again."""
    bag = write_bag(world.bags, "a", 20 * PIECE_BYTES + 5)
    world.start()
    data = (bag / "a_0.mcap").read_bytes()
    wrong = bytearray(data)
    wrong[7 * PIECE_BYTES + 3] ^= 1
    cases = [
        (data[: 3 * PIECE_BYTES + 11], 3), (bytes(wrong), 7), (data + b"more", 20), (b"", 0)
    ]  # fmt: skip
    for number, (left, good) in enumerate(cases):
        out = f"out{number}"
        with pytest.raises(Interrupted):
            world.pull(out, watcher=Trip(1, interrupt))
        (part,) = (world.folder / out / ".incoming" / "a").glob("*.part")
        part.write_bytes(left)
        missing = max(0, len(data) - good * PIECE_BYTES)
        assert world.pull(out).bytes == missing + len((bag / "metadata.yaml").read_bytes())
        assert contents(world.folder / out / "a") == contents(bag)


def test_a_pull_that_ended_before_the_mark_marks_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bag is here and the robot was not told: the next pull tells it, without a byte."""
    bag = write_bag(world.bags, "a")
    world.start()
    with monkeypatch.context() as patch:
        patch.setattr(client_module.RobotBags, "mark", lambda *_: interrupt())
        with pytest.raises(Interrupted):
            world.pull()
    assert read_marks(bag) == ()
    done = world.pull()
    assert (done.here, done.bytes) == (["a"], 0)
    assert len(read_marks(bag)) == 1


def test_a_mark_comes_after_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the robot is told, every file and the folders that name them were forced to the disk."""
    write_bag(world.bags, "a")
    world.start()
    done: list[str] = []
    real_fsync, real_mark = os.fsync, client_module.RobotBags.mark

    def fsync(descriptor: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real_fsync(descriptor)

    def mark(*arguments: object) -> None:
        done.append("mark")
        real_mark(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(client_module.RobotBags, "mark", mark)
    world.pull()
    before = done[: done.index("mark")]
    assert sum(".part" in path for path in before) == 2
    assert str(world.folder / "out" / ".incoming" / "a") in before
    assert before[-1] == str(world.folder / "out")


def test_an_interrupted_replacement_is_mended(world: World) -> None:
    """Killed between the two renames that replace an old copy: the next pull has one of them."""
    write_bag(world.bags, "a")
    world.start()
    world.pull()
    out = world.folder / "out"
    before = tree(out)
    (out / "a").rename(out / ".replaced-a")
    assert world.pull().here == ["a"]
    assert tree(out) == before
    shutil.copytree(out / "a", out / ".replaced-a")
    assert world.pull().here == ["a"]
    assert tree(out) == before


def test_a_pull_survives_a_restart_of_the_robot(world: World) -> None:
    """The keeper goes away in the middle and comes back: the pull goes on where it was."""
    bag = write_bag(world.bags, "a", 40 * PIECE_BYTES)
    world.start()

    def restart() -> None:
        world.stop()
        world.start()

    watcher = Trip(10 * PIECE_BYTES, restart)
    done = world.pull(watcher=watcher)
    assert watcher.fired
    assert (done.fetched, done.failed) == (["a"], {})
    assert done.bytes == sum(map(len, contents(bag).values()))
    assert contents(world.folder / "out" / "a") == contents(bag)


def test_a_pull_survives_a_line_that_breaks(world: World) -> None:
    """A line that is cut again and again, also within a piece: the bag arrives whole."""
    bag = write_bag(world.bags, "a", 20 * PIECE_BYTES)
    world.start()
    proxy = Proxy(world.endpoint, [100, 600, 900])  # what the learner sends: questions
    with contextlib.closing(proxy):
        done = world.pull(address=proxy.endpoint)
    assert (done.fetched, done.failed) == (["a"], {})
    assert proxy.connections >= 4
    assert contents(world.folder / "out" / "a") == contents(bag)


# Nobody there, wrong keys


def test_nobody_there_is_a_clear_error(world: World) -> None:
    """The address, what was tried and what to look at; a malformed address is named."""
    world.start()
    world.stop()
    with pytest.raises(UnreachableError, match=r"nothing answers there \(\d+ tries.*keeper node"):
        world.pull(timeout_s=SHORT_S)
    for address in ("nonsense", ""):
        with pytest.raises(ConfigError, match="tcp://"):
            world.pull(address=address)


def test_an_unknown_key_is_refused_and_told_what_to_do(world: World) -> None:
    """The robot does not know the learner: said at once, with the command that lets it in; the
    learner with the right key is served meanwhile, and one without encryption hears nothing."""
    write_bag(world.bags, "a")
    world.start()
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(world.endpoint)
    plain.send(encode(List(1)))
    with pytest.raises(UnreachableError, match=r"not accept .*'eve'; .* `rove keys accept eve.pub"):
        world.pull(key=world.eve)
    assert world.pull().fetched == ["a"]
    assert plain.poll(0) == 0
    plain.close()


def test_a_wrong_key_of_the_robot_is_told_apart(world: World) -> None:
    """Another robot answers at the address: the error says that the public key is not its own."""
    world.start()
    with pytest.raises(UnreachableError, match="public key given here is not that of the robot"):
        world.pull(server_public=world.eve.public, timeout_s=SHORT_S)


# Limits


def test_only_what_learners_have_is_deleted_while_they_pull(world: World) -> None:
    """A size limit of zero: each bag goes soon after its mark and none before, while the one that
    is still recorded stays."""
    for name in ("a", "b", "c"):
        write_bag(world.bags, name)
    write_bag(world.bags, "live" + RECORDING_SUFFIX)
    kept = {name: contents(world.bags / name) for name in ("a", "b", "c")}
    service = world.start(Limits(most_bytes=0))
    assert wait_until(lambda: "3 bags" in service.health().alarm)
    assert world.pull().fetched == ["a", "b", "c"]
    for name, files in kept.items():
        assert contents(world.folder / "out" / name) == files
    assert wait_until(lambda: service.health().deleted == 3)
    left = {path.name for path in world.bags.iterdir()}
    assert left == {".keeper.lock", "live" + RECORDING_SUFFIX}


def wait_until(condition: Callable[[], bool]) -> bool:
    """Look until a condition holds; False when it never does."""
    tries = itertools.count()
    pause = threading.Event()
    while not condition():
        if next(tries) > PATIENCE_S / 0.01:
            return False
        pause.wait(0.01)
    return True


def test_two_keepers_of_one_folder_do_not_meet(world: World) -> None:
    """The second is refused; and nobody pulls into a robot's own folder, where the copy would be
    the original."""
    world.start()
    with pytest.raises(BagError, match="another keeper"):
        World.start(_twin(world))
    world.stop()
    with pytest.raises(ConfigError, match="no robot records into"):
        Landing(world.bags)


def _twin(world: World) -> World:
    twin = object.__new__(World)
    twin.__dict__.update(world.__dict__, endpoint="tcp://127.0.0.1:*", service=None)
    return twin


def test_a_taken_port_is_a_configuration_error_and_frees_the_folder(world: World) -> None:
    """Binding where somebody else listens names the endpoint; the folder can be kept elsewhere."""
    world.start()
    (world.folder / "other").mkdir()
    other = World(world.folder / "other")
    other.endpoint = world.endpoint
    with pytest.raises(ConfigError, match="endpoint of the fetching of bags"):
        other.start()
    other.endpoint = "tcp://127.0.0.1:*"
    other.start()
    other.stop()


# What is here already


def test_a_bag_that_came_another_way_is_adopted(world: World) -> None:
    """The same files, brought on a disk: nothing is sent, and the robot hears of them."""
    bag = write_bag(world.bags, "a")
    shutil.copytree(bag, world.folder / "out" / "a")
    world.start()
    done = world.pull()
    assert (done.here, done.bytes) == (["a"], 0)
    assert len(read_marks(bag)) == 1


def test_what_is_in_the_way_is_never_overwritten(world: World) -> None:
    """Another bag of that name, or one of another robot, stays; the pull says so and goes on."""
    write_bag(world.bags, "a")
    write_bag(world.bags, "b")
    mine = write_bag(world.folder / "out", "a", seed=5)
    before = tree(mine)
    world.start()
    done = world.pull()
    assert done.fetched == ["b"]
    assert "is in the way" in done.failed["a"]
    receipt = world.folder / "out" / "b" / "pulled.json"
    other = receipt.read_text().replace(world.robot.public.decode(), world.eve.public.decode())
    receipt.write_text(other)
    assert "came from another robot" in world.pull().failed["b"]
    assert tree(mine) == before
    assert read_marks(world.bags / "a") == ()


def test_a_copy_that_lost_bytes_here_does_not_count(world: World) -> None:
    """A recording that was cut short here is not told to be safe."""
    bag = write_bag(world.bags, "a")
    world.start()
    world.pull()
    (bag / "fetched.json").unlink()
    file = world.folder / "out" / "a" / "a_0.mcap"
    file.write_bytes(file.read_bytes()[:-1])
    assert "is in the way" in world.pull().failed["a"]
    assert read_marks(bag) == ()


# Full disks


def test_a_disk_without_room_is_a_clear_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first byte: what is needed and what is free; nothing under the bag's name."""
    write_bag(world.bags, "a")
    world.start()
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(world.folder)._replace(free=1_000_000)
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(FetchError, match=r"'a' needs 0.7 MB.*1.0 MB free; make room"):
            world.pull()
    assert [p.name for p in (world.folder / "out").iterdir()] == [".incoming"]
    assert world.pull().fetched == ["a"]


def test_a_disk_that_fills_up_is_a_clear_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle: the reason, nothing under the bag's name, no mark; later the pull goes on."""
    bag = write_bag(world.bags, "a", 20 * PIECE_BYTES)
    world.start()
    real, calls = os.pwrite, itertools.count()

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if next(calls) >= 10:
            raise OSError(28, "No space left on device")
        return real(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(FetchError, match=r"No space left on device.*same pull goes on"):
            world.pull()
    assert [p.name for p in (world.folder / "out").iterdir()] == [".incoming"]
    assert read_marks(bag) == ()
    done = world.pull()
    assert (done.fetched, done.bytes) == (["a"], 10 * PIECE_BYTES + len(b"bag: a\n"))


# Peers that keep no rule


HOSTILE = ["../a", "..", ".", "", "/etc", "a/b", "a\\b", "a\x00b", ".incoming", "x" * 300, "a\n"]


def test_a_learner_cannot_leave_the_folder(world: World) -> None:
    """Names that lead elsewhere, notes of the keeper, wrong hashes and pieces past the end: each
    is refused, and the robot goes on serving."""
    bag = write_bag(world.bags, "a")
    write_bag(world.folder, "outside")
    (world.bags / "link").symlink_to(world.folder / "outside")
    (world.bags / "live.recording").mkdir()
    world.start()
    world.pull()
    sha = digest_file(bag / "a_0.mcap").sha256
    note = digest_file(bag / "fetched.json").sha256
    with world.raw() as speak:
        while not isinstance(speak(Ask(1, "a")), Contents):
            pass
        for name in [*HOSTILE, "link", "live", "live.recording", "../outside"]:
            for message in (Ask(2, name), Mark(2, name, {"x": sha}), Read(2, name, "x", sha, 0)):
                assert isinstance(speak(message), Refused), message
        for name in [*HOSTILE, "fetched.json", "missing"]:
            assert isinstance(speak(Read(3, "a", name, sha, 0)), Refused)
        assert isinstance(speak(Read(3, "a", "fetched.json", note, 0)), Refused)
        assert isinstance(speak(Read(3, "a", "a_0.mcap", sha, 3)), Refused)
        assert isinstance(speak(Read(3, "a", "a_0.mcap", "0" * 64, 0)), Refused)
        assert isinstance(speak(Mark(3, "a", {"a_0.mcap": sha})), Refused)
        assert isinstance(speak(Mark(3, "a", {})), Refused)
        assert isinstance(speak(List(3, wire_version=2)), Refused)
        for data in (b"", b"noise", bytes(60_000)):
            assert isinstance(speak(data), Refused)
        speak.socket.send_multipart([b"a", b"b"])
        assert isinstance(speak.answer(), Refused)
        assert isinstance(speak(Read(4, "a", "a_0.mcap", sha, 0)), Piece)


class Hostile:
    """A robot that answers what it was told to."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def __call__(self, *_: object) -> object:
        return next(self._answers)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_robot_cannot_leave_the_folder(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Bags and files with names that lead elsewhere: nothing is written outside, whoever checks."""
    write_bag(world.bags, "a")
    world.start()
    files = (digest_file(world.bags / "a" / "a_0.mcap"),)
    before = tree(world.folder)
    with world.robot_bags() as robot, Landing(world.folder / "out") as landing:
        listed = robot.list()[1]["a"]
        with monkeypatch.context() as patch:
            changed = type(listed)(name, listed.files, False)
            patch.setattr(robot, "_ask", Hostile(Listing(1, "toy", (changed,), False)))
            with pytest.raises(FetchError, match="not believed"):
                robot.list()
            odd = type(files[0])(name, files[0].stamp, files[0].sha256, files[0].pieces)
            patch.setattr(robot, "_ask", Hostile(Contents(1, (*files, odd))))
            with pytest.raises(RefusedError, match="not believed"):
                robot.contents("a")
        with pytest.raises(RefusedError, match="plain name"):
            landing.receive("a", [odd], lambda *_: iter([b""]))
        with pytest.raises(RefusedError, match="plain name"):
            landing.receive(name, files, lambda *_: iter([b""]))
    shutil.rmtree(world.folder / "out")
    assert tree(world.folder) == before


def test_a_robot_cannot_lie_about_sizes_or_go_on_forever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes that do not fit the size, a list that does not advance, a file twice: not believed."""
    write_bag(world.bags, "a")
    world.start()
    file = digest_file(world.bags / "a" / "a_0.mcap")
    short = type(file)(file.name, file.stamp, file.sha256, file.pieces[:-1])
    with world.robot_bags() as robot:
        listed = robot.list()[1]["a"]
        for files in ((short,), (file, file), ()):
            monkeypatch.setattr(robot, "_ask", Hostile(Contents(1, files)))
            with pytest.raises(RefusedError, match="not believed"):
                robot.contents("a")
        page = Listing(1, "toy", (listed,), True)
        monkeypatch.setattr(robot, "_ask", Hostile(page, page))
        with pytest.raises(FetchError, match="not believed"):
            robot.list()
        monkeypatch.setattr(robot, "_ask", Hostile(Listing(1, "toy", (), True)))
        with pytest.raises(FetchError, match="endless"):
            robot.list()


def test_a_wrong_whole_is_never_settled(tmp_path: Path) -> None:
    """Pieces that all fit and a hash of the whole that does not: refused, and nothing is kept."""
    file = digest_file(write_bag(tmp_path, "a", 3 * PIECE_BYTES) / "a_0.mcap")
    data = (tmp_path / "a" / "a_0.mcap").read_bytes()
    liar = type(file)(file.name, file.stamp, "0" * 64, file.pieces)
    pieces = [data[i : i + PIECE_BYTES] for i in range(0, len(data), PIECE_BYTES)]
    with Landing(tmp_path / "out") as landing:
        with pytest.raises(RefusedError, match="not the one that the robot announced"):
            landing.receive("a", [liar], lambda _, first: iter(pieces[first:]))
        assert list((tmp_path / "out" / ".incoming" / "a").iterdir()) == []


def test_the_time_of_a_receipt_is_the_one_given(world: World) -> None:
    """Receipts carry the injected clock, not one of their own."""
    write_bag(world.bags, "a", 10)
    world.start()
    world.pull()
    assert AT in (world.folder / "out" / "a" / "pulled.json").read_text()
