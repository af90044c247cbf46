"""Retention: limits are kept by deleting what learners have, and nothing else ever goes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from fetch_examples import AT, set_time, write_bag
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.folder import find_bags
from rove_core.bag.keeping.digests import digest_file
from rove_core.bag.keeping.inventory import look_at, take_inventory
from rove_core.bag.keeping.marks import MOST_LEARNERS, Mark, MarkedFile, add_mark, read_marks
from rove_core.bag.keeping.plan import Candidate, Limits, plan
from rove_core.bag.keeping.sweep import Sweeper
from rove_core.bag.schema import RECORDING_SUFFIX
from rove_core.errors import BagError, ConfigError

NOW = 10**9
DAY = 86_400 * 10**9

candidates = st.lists(
    st.builds(
        Candidate,
        name=st.text("abcdef", min_size=1, max_size=4),
        bytes=st.integers(0, 50),
        ended_ns=st.integers(0, 20),
        fetched=st.booleans(),
        pinned=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda bag: bag.name,
)
limits = st.builds(
    Limits,
    most_bytes=st.none() | st.integers(0, 300),
    most_age_ns=st.none() | st.integers(0, 20),
)


@given(bags=candidates, limits=limits, now=st.integers(0, 30), other=st.integers(0, 100))
def test_the_plan_keeps_its_laws(
    bags: list[Candidate], limits: Limits, now: int, other: int
) -> None:
    """Only what a learner has and nobody reads goes, the oldest first, and no more than needed;
    what stays above a limit is said."""
    found = plan(bags, limits, now, other)
    by_name = {bag.name: bag for bag in bags}
    gone = [by_name[name] for name in found.names]
    left = [bag for bag in bags if bag.name not in found.names]
    may_go = [bag for bag in bags if bag.fetched and not bag.pinned]

    def old(bag: Candidate) -> bool:
        return limits.most_age_ns is not None and now - bag.ended_ns > limits.most_age_ns

    def order(bag: Candidate) -> tuple[int, str]:
        return bag.ended_ns, bag.name

    assert len(set(found.names)) == len(found.names)
    assert all(bag in may_go for bag in gone)
    assert found.bytes == sum(bag.bytes for bag in gone)
    # Oldest first, and nothing younger goes while something older could.
    assert gone == sorted(gone, key=order)
    assert gone == sorted(may_go, key=order)[: len(gone)]
    # No more than needed: before the last one that went not for its age, the limit was broken.
    total = other + sum(bag.bytes for bag in left)
    young = [bag for bag in gone if not old(bag)]
    if young:
        assert limits.most_bytes is not None
        assert total + young[-1].bytes > limits.most_bytes
    # As much as needed, where that is allowed.
    over = limits.most_bytes is not None and total > limits.most_bytes
    if over or any(old(bag) for bag in left):
        stays = [bag for bag in left if bag in may_go]
        assert not stays if over else not any(old(bag) for bag in stays)
    # What cannot be kept is said.
    assert found.excess_bytes == (max(0, total - (limits.most_bytes or 0)) if over else 0)
    assert found.overdue == sum(old(bag) and not bag.fetched for bag in left)
    assert found.kept == (not over and not found.overdue)
    if not found.kept:
        assert found.waiting == sum(not bag.fetched for bag in bags)
        assert found.waiting_bytes == sum(bag.bytes for bag in bags if not bag.fetched)


@given(bags=candidates, limits=limits, now=st.integers(0, 30), other=st.integers(0, 100))
def test_a_plan_that_was_done_asks_for_nothing_more(
    bags: list[Candidate], limits: Limits, now: int, other: int
) -> None:
    """Planning again after the deletions finds nothing to delete."""
    first = plan(bags, limits, now, other)
    left = [bag for bag in bags if bag.name not in first.names]
    assert plan(left, limits, now, other).names == ()


def test_bad_limits_are_refused() -> None:
    """A limit below zero names itself."""
    with pytest.raises(ConfigError, match="most_bytes"):
        Limits(most_bytes=-1)
    with pytest.raises(ConfigError, match="most_age_ns"):
        Limits(most_age_ns=-1)


# The folder


def mark(bag: Path, key: str = "key", **changes: str) -> None:
    """Note that a learner has the bag as it is; ``changes`` are other hashes, by file."""
    kept = look_at(bag)
    assert kept is not None
    files = {}
    for name, stamp in kept.files.items():
        files[name] = MarkedFile(stamp, changes.get(name, digest_file(bag / name).sha256))
    add_mark(bag, Mark("lab", key, AT, files))


def bag_at(folder: Path, name: str, ended_ns: int, fetched: bool = True, size: int = 1000) -> Path:
    bag = write_bag(folder, name, size)
    set_time(bag / f"{name}_0.mcap", ended_ns)
    set_time(bag / "metadata.yaml", ended_ns)
    if fetched:
        mark(bag)
    return bag


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sweeper(folder: Path, most_bytes: int | None = None, **arguments: object) -> Sweeper:
    limits = Limits(most_bytes, arguments.pop("most_age_ns", None))  # type: ignore[arg-type]
    return Sweeper(folder, limits, lambda: NOW, **arguments)  # type: ignore[arg-type]


def test_the_oldest_fetched_bags_go_until_the_limit_is_kept(tmp_path: Path) -> None:
    """Three of five have to go: the oldest two that a learner has do, and the bag that nobody has
    stays although it is the oldest of all."""
    bag_at(tmp_path, "a", 1, fetched=False)
    for age, name in enumerate("bcde", 2):
        bag_at(tmp_path, name, age)
    swept = sweeper(tmp_path, 3100).sweep()
    assert swept.deleted == ("b", "c")
    assert names(tmp_path) == ["a", "d", "e"]
    assert swept.alarm == ""


def test_age_deletes_what_learners_have_and_tells_of_the_rest(tmp_path: Path) -> None:
    """Above the age limit only fetched bags go; the alarm counts those that wait."""
    bag_at(tmp_path, "old", 1)
    bag_at(tmp_path, "waits", 1, fetched=False)
    bag_at(tmp_path, "young", NOW)
    swept = sweeper(tmp_path, most_age_ns=NOW // 2).sweep()
    assert swept.deleted == ("old",)
    assert names(tmp_path) == ["waits", "young"]
    assert "1 bags above the age limit: 1 bags with 0.0 GB wait for a learner" in swept.alarm


def test_what_is_not_a_finished_bag_is_never_touched(tmp_path: Path) -> None:
    """A recording, a bag without metadata, links, strangers and hidden folders stay, whatever the
    limit; their size counts and the alarm says that the limit is broken."""
    write_bag(tmp_path, "live" + RECORDING_SUFFIX)
    half = write_bag(tmp_path, "half")
    (half / "metadata.yaml").unlink()
    write_bag(tmp_path, ".hidden")
    elsewhere = write_bag(tmp_path.parent / f"{tmp_path.name}-elsewhere", "linked")
    mark(elsewhere)
    (tmp_path / "linked").symlink_to(elsewhere)
    (tmp_path / "notes.txt").write_text("x" * 100)
    before = names(tmp_path)
    swept = sweeper(tmp_path, 0).sweep()
    assert swept.deleted == ()
    assert names(tmp_path) == before
    assert swept.inventory.bytes >= 3 * 700_000
    assert "nothing waits for a learner" in swept.alarm
    assert elsewhere.is_dir()


def test_a_bag_that_is_still_written_is_no_bag(tmp_path: Path) -> None:
    """Between its last step and the free lock a writer's bag has its name already: it is neither
    listed nor deleted."""
    bag = bag_at(tmp_path, "a", 1)
    with open(bag / "a_0.mcap", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert look_at(bag) is None
        assert sweeper(tmp_path, 0).sweep().deleted == ()
    assert sweeper(tmp_path, 0).sweep().deleted == ("a",)


@pytest.mark.parametrize("file", ["a_0.mcap", "metadata.yaml", "cuts.json"])
def test_a_bag_that_changed_after_it_was_fetched_stays(tmp_path: Path, file: str) -> None:
    """Another recording, or cuts that were edited or added: no learner has that, so it stays."""
    bag = bag_at(tmp_path, "a", 1)
    (bag / file).write_text("changed")
    swept = sweeper(tmp_path, 0).sweep()
    assert swept.deleted == ()
    assert "1 bags" in swept.alarm
    mark(bag)
    assert sweeper(tmp_path, 0).sweep().deleted == ("a",)


def test_bytes_that_changed_without_a_trace_are_found(tmp_path: Path) -> None:
    """A bag whose size and times are those of the mark but whose bytes are not stays, with an
    alarm; it is not read again in every sweep, and the next older one goes instead."""
    bag = bag_at(tmp_path, "a", 1)
    bag_at(tmp_path, "b", 2)
    data = (bag / "a_0.mcap").read_bytes()
    (bag / "a_0.mcap").write_bytes(b"x" + data[1:])
    set_time(bag / "a_0.mcap", 1)
    read: list[int] = []
    keeper = sweeper(tmp_path, 1500, on_bytes=read.append)
    swept = keeper.sweep()
    assert swept.deleted == ("b",)
    assert "not those that a learner fetched" in swept.alarm
    read.clear()
    assert "not those that a learner fetched" in keeper.sweep().alarm
    assert read == []
    mark(bag)  # a learner fetched what is there now
    sweeper(tmp_path, 0).sweep()
    assert names(tmp_path) == []


def test_a_mark_that_is_not_true_deletes_nothing(tmp_path: Path) -> None:
    """A mark with the right stamps and a wrong hash: the bag stays."""
    bag = bag_at(tmp_path, "a", 1, fetched=False)
    mark(bag, **{"a_0.mcap": "0" * 64})
    assert sweeper(tmp_path, 0).sweep().deleted == ()


def test_a_malformed_note_means_that_nobody_has_the_bag(tmp_path: Path) -> None:
    """A broken or newer ``fetched.json`` deletes nothing, and the next mark mends it."""
    bag = bag_at(tmp_path, "a", 1)
    for text in ("{", '{"learners": [], "fetched_schema_version": 2}', '{"learners": [1]}'):
        (bag / "fetched.json").write_text(text)
        with pytest.raises(BagError, match=r"fetched\.json"):
            read_marks(bag)
        assert sweeper(tmp_path, 0).sweep().deleted == ()
    mark(bag)
    assert sweeper(tmp_path, 0).sweep().deleted == ("a",)


def test_a_bag_that_is_being_sent_or_cut_stays_for_now(tmp_path: Path) -> None:
    """While it is sent, or `rove bag cut` holds it, it stays; afterwards it goes."""
    bag = bag_at(tmp_path, "a", 1)
    pinned = {"a"}
    keeper = sweeper(tmp_path, 0, pinned=lambda: pinned)
    assert keeper.sweep().deleted == ()
    pinned.clear()
    folder = os.open(bag, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    swept = keeper.sweep()
    assert swept.deleted == ()
    assert "in use" in swept.alarm
    os.close(folder)
    assert keeper.sweep().deleted == ("a",)


def test_cuts_that_are_made_while_a_bag_is_checked_save_it(tmp_path: Path) -> None:
    """Whoever changes a bag between the plan and the deletion wins."""
    bag = bag_at(tmp_path, "a", 1)

    def cut(_: int) -> None:
        (bag / "cuts.json").write_text("{}")

    assert sweeper(tmp_path, 0, on_bytes=cut).sweep().deleted == ()
    assert names(bag) == ["a_0.mcap", "cuts.json", "fetched.json", "metadata.yaml"]


def test_a_deletion_that_died_is_finished_and_never_read(tmp_path: Path) -> None:
    """What a killed keeper was deleting is no bag for anybody, and goes at the next start."""
    write_bag(tmp_path, ".deleted-a")
    write_bag(tmp_path, "b")
    assert [bag.name for bag in take_inventory(tmp_path).bags] == ["b"]
    assert [path.name for path in find_bags(tmp_path)] == ["b"]
    sweeper(tmp_path).clean()
    assert names(tmp_path) == ["b"]


def test_what_cannot_be_served_is_said_and_stays(tmp_path: Path) -> None:
    """Names and files that must not cross machines: no learner can have them, so they stay, and
    the alarm names them."""
    odd = {"with link": "link", "with folder": "folder", "b a d": "name"}
    for name in odd:
        bag = write_bag(tmp_path, name.replace("with ", "with_"))
        if "link" in name:
            (bag / "x").symlink_to("/etc/passwd")
        if "folder" in name:
            (bag / "sub").mkdir()
        mark(bag)
    swept = sweeper(tmp_path, 0).sweep()
    assert swept.deleted == ()
    assert all(word in swept.alarm for word in ("'x'", "'sub'", "b a d", "cannot be served"))


def test_marks_are_one_for_each_learner_and_not_endless(tmp_path: Path) -> None:
    """A second mark of a key replaces its first; the oldest of very many goes."""
    bag = write_bag(tmp_path, "a", 10)
    for key in ("one", "two", "one"):
        mark(bag, key)
    assert [found.key for found in read_marks(bag)] == ["two", "one"]
    for number in range(MOST_LEARNERS + 5):
        mark(bag, f"key {number}")
    assert len(read_marks(bag)) == MOST_LEARNERS
    assert read_marks(bag)[-1].key == f"key {MOST_LEARNERS + 4}"


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    """Nothing was recorded yet: nothing to do, no alarm."""
    swept = sweeper(tmp_path / "none", 0).sweep()
    assert (swept.deleted, swept.alarm, swept.inventory.bytes) == ((), "", 0)
