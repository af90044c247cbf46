"""Laws of redaction: what is named is gone from every byte, all else is there bit for bit."""

from __future__ import annotations

import io
import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bag_examples import MS, START, small_bag, small_info, small_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.records import Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from rove_core.bag import redact as module
from rove_core.bag.cuts import Note, change_cuts, read_cuts
from rove_core.bag.definitions import typestore
from rove_core.bag.episode import read_episode
from rove_core.bag.identity import Pseudonyms, Replacer
from rove_core.bag.reader import Bag
from rove_core.bag.record import header, message_type
from rove_core.bag.redact import REDACTION_RECORD, cameras_of, redact
from rove_core.bag.schema import (
    EPISODE_RECORD,
    TOPIC_TYPES,
    EpisodeInfo,
    RecordingEnd,
    RecordingReport,
    TopicReport,
)
from rove_core.bag.schema import Note as ReportNote
from rove_core.bag.verify.run import verify
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError, ConfigError
from rove_core.vocabulary import Mode, Outcome

DATA = Path(__file__).parent / "data"
NAME = "Ægir Quist"


def words(topic: str, **fields: object) -> bytes:
    """Return the CDR of a message of a topic with these fields, the others empty."""
    kind = message_type(TOPIC_TYPES[topic])
    return bytes(typestore().serialize_cdr(_filled(kind, fields), TOPIC_TYPES[topic]))


def _filled(kind: type, fields: dict[str, object]) -> object:
    values: dict[str, object] = {}
    for name, (node, detail) in typestore().fielddefs[kind.__msgtype__][1]:
        if node == 1:  # a plain value
            values[name] = "" if detail[0] == "string" else 0
        elif node == 2:  # a message
            values[name] = _filled(message_type(detail), {})
        elif detail[0][0] == 1 and detail[0][1][0] != "string":
            values[name] = np.zeros(0, dtype=detail[0][1][0])
        else:
            values[name] = []
    values |= {"header": header(START)} if "header" in values else {}
    return kind(**(values | fields))


def named_bag(
    folder: Path, name: str, other: str = "Bo", calibration: str = "", said: str = ""
) -> Path:
    """Write a bag that names an operator in every place where a bag may."""
    spec = small_spec()
    kept = {"name": calibration or name, "device": "quest3", "values": {"of": name, "span": 1.7}}
    info = small_info(
        spec, folder.name, operator_id=name, calibration=kept if name else {},
        parameters={"keys": f"/data/{name}/.config", "rate": 72}, instruction="wave",
    )  # fmt: skip
    writer = BagWriter(folder, info)
    status = message_type("diagnostic_msgs/msg/DiagnosticStatus")
    value = message_type("diagnostic_msgs/msg/KeyValue")
    health = status(
        name="toy: bridge", message=f"{name} is connected", level=0, hardware_id="",
        values=[value(key="operator", value=name), value(key="rate", value="72")],
    )  # fmt: skip
    rows = [
        ("camera/ego/compressed", "sensor_msgs/msg/CompressedImage", None),
        ("operator/frame", None, words("operator/frame", operator_id=name, sequence=7)),
        ("operator/frame", None, words("operator/frame", operator_id="")),
        ("operator/device", None, words(
            "operator/device", operator_id=name, device="quest3", joint_names=["elbow"],
            calibration_name=calibration or name, calibration=json.dumps(kept))),
        ("arbiter/state", None, words(
            "arbiter/state", mode=int(Mode.HUMAN), lease_holder=name, reason=f"{name} drives")),
        ("arbiter/state", None, words(
            "arbiter/state", reason=f"{other} gave the lease to {name}", question=f"{name}?")),
        ("arbiter/state", None, words("arbiter/state", reason=said or "policy drives")),
        ("policy/status", None, words(
            "policy/status", path=f"/data/{name}/p.onnx", reason=f"{other} agreed that policy 1")),
        ("episode", None, words("episode", episode_id=folder.name, reason=f"started by {other}")),
        ("/diagnostics", None, words("/diagnostics", status=[health])),
        ("joint_states", None, words("joint_states", name=["hip", "knee", "wrist"],
                                     position=np.zeros(3))),
    ]  # fmt: skip
    picture = _filled(
        message_type("sensor_msgs/msg/CompressedImage"),
        {"format": "jpeg", "data": np.arange(999, dtype=np.uint8)},
    )
    kind = "sensor_msgs/msg/CompressedImage"
    rows[0] = (rows[0][0], kind, bytes(typestore().serialize_cdr(picture, kind)))
    topics: dict[str, TopicReport] = {}
    for k, (topic, type_name, cdr) in enumerate(rows):
        full = topic if topic.startswith("/") else f"/toy/{topic}"
        if full not in topics:
            writer.declare(full, type_name or TOPIC_TYPES[topic])
        received = topics.get(full, TopicReport()).received + 1
        topics[full] = TopicReport(received, 0, START, START + k, 0.0, 0.0)
        writer.write(full, cdr, START + k * MS, START + k, sequence=received)
    report = RecordingReport(topics, {}, (ReportNote(START, f"{name} went away"),))
    return writer.close(Outcome.ABORTED, f"stopped by {other}", RecordingEnd.STOPPED, report)


def content(bag: Path) -> Iterator[bytes]:
    """Yield all that a bag's folder says: names, sidecars, and every record, decompressed."""
    for path in bag.iterdir():
        yield path.name.encode()
        if path.suffix != ".mcap":
            yield path.read_bytes()
            continue
        for record in StreamReader(io.BytesIO(path.read_bytes())).records:
            if isinstance(record, Message):
                yield record.data
            elif isinstance(record, Metadata):
                yield json.dumps(record.metadata, ensure_ascii=False).encode()
            elif isinstance(record, Channel):
                yield json.dumps([record.topic, record.metadata], ensure_ascii=False).encode()
            elif isinstance(record, Schema):
                yield record.data


def holds(bag: Path, name: str) -> bool:
    """Say whether a name is anywhere in a bag, as it is or escaped as JSON does."""
    forms = {form.encode() for form in (name, json.dumps(name)[1:-1])}
    lower = [part.lower() for part in content(bag)]
    return any(form.lower() in part for form in forms for part in lower)


def test_a_name_is_gone_from_every_byte(tmp_path: Path) -> None:
    """Operator, supervisor and calibration are named nowhere; the rest of each message stays."""
    source = named_bag(tmp_path / "one", NAME, "Berta Lind", "aegir-tall")
    for name in (NAME, "Berta Lind", "aegir-tall"):
        assert holds(source, name)
    done = redact(source, tmp_path / "out", pseudonyms=Pseudonyms())
    for name in (NAME, "Berta Lind", "aegir-tall"):
        assert not holds(done.path, name)
        assert name in done.names
    assert done.remains == ()
    bag = Bag(done.path)
    bag.verify()
    read = {}
    for message in bag.messages():
        read.setdefault(message.topic, []).append(message.message)
    assert read["operator/frame"][0].operator_id == bag.info.operator_id == "operator-1"
    assert read["operator/frame"][0].sequence == 7
    assert [m.reason for m in read["arbiter/state"]][:2] == [
        "operator-1 drives", "operator-3 gave the lease to operator-1",
    ]  # fmt: skip
    assert read["arbiter/state"][0].lease_holder == "operator-1"
    assert read["operator/device"][0].calibration_name == "operator-2"
    assert json.loads(read["operator/device"][0].calibration)["values"]["span"] == 1.7
    assert read["policy/status"][0].path == "/data/operator-1/p.onnx"
    assert read["/diagnostics"][0].status[0].values[0].value == "operator-1"
    assert bag.info.parameters == {"keys": "/data/operator-1/.config", "rate": 72}
    assert bag.outcome.reason == "stopped by operator-3"
    assert bag.metadata[REDACTION_RECORD] == {"cameras": "[]", "persons": "true"}
    assert "operator-1 went away" in bag.metadata["rove.recording"]["notes"]


def test_all_else_is_copied_bit_for_bit(tmp_path: Path) -> None:
    """Messages without a name keep bytes, times, sequence and place; the source keeps all."""
    source = named_bag(tmp_path / "one", NAME)
    before = sorted(content(source))
    done = redact(source, tmp_path / "out", pseudonyms=Pseudonyms())
    assert sorted(content(source)) == before
    old, new = list(Bag(source).raw_messages()), list(Bag(done.path).raw_messages())
    assert [m._replace(cdr=b"") for m in old] == [m._replace(cdr=b"") for m in new]
    changed = [a.topic for a, b in zip(old, new, strict=True) if a.cdr != b.cdr]
    assert {topic: changed.count(topic) for topic in changed} == done.changed
    assert "joint_states" not in changed
    assert "camera/ego/compressed" not in changed
    assert changed.count("operator/frame") == 1
    a, b = Bag(source), Bag(done.path)
    assert {s.name: s.data for s in a.contents.schemas.values()} == {
        s.name: s.data for s in b.contents.schemas.values()
    }
    assert a.topics == b.topics
    assert (source / "metadata.yaml").read_text() == (done.path / "metadata.yaml").read_text()


def test_a_camera_goes_and_nothing_else(tmp_path: Path) -> None:
    """Its topic and its pictures are gone, the record says so, every other byte is the same."""
    source = named_bag(tmp_path / "one", NAME)
    assert cameras_of(Bag(source)) == ("ego",)
    done = redact(source, tmp_path / "out", cameras=["ego"])
    old, new = Bag(source), Bag(done.path)
    assert set(old.topics) - set(new.topics) == {"camera/ego/compressed"}
    assert list(new.raw_messages()) == list(old.raw_messages(list(new.topics)))
    assert new.info == old.info
    assert new.metadata[REDACTION_RECORD] == {"cameras": '["ego"]', "persons": "false"}
    assert "/toy/camera/ego/compressed" not in new.metadata["rove.recording"]["topics"]
    assert not any(bytes(range(256)) in part for part in content(done.path))
    again = redact(done.path, tmp_path / "again", pseudonyms=Pseudonyms())
    assert Bag(again.path).metadata[REDACTION_RECORD] == {"cameras": '["ego"]', "persons": "true"}


def test_a_redacted_bag_verifies_as_its_source_does(tmp_path: Path) -> None:
    """Redaction adds no finding besides the camera that is not there."""
    source = small_bag(tmp_path / "one", frames=20)
    before = {(f.check, f.topic, f.text) for f in verify(source).findings}
    done = redact(source, tmp_path / "out", pseudonyms=Pseudonyms(), names=["clean"])
    assert {(f.check, f.topic, f.text) for f in verify(done.path).findings} == before
    blind = redact(source, tmp_path / "blind", cameras=["ego"])
    report = verify(blind.path)
    assert {f.text for f in report.errors} <= {text for _, _, text in before}
    states = [m.message.position[0] for m in Bag(blind.path).messages(["joint_states"])]
    assert states == list(range(20))
    with pytest.raises(BagError, match="camera/ego"):
        read_episode(blind.path, small_spec())


@pytest.mark.parametrize("version", [1, 2])
def test_old_bags_stay_what_they_are(tmp_path: Path, version: int) -> None:
    """A bag of an older version keeps its version, its definitions and its messages."""
    source = DATA / f"bag_version_{version}"
    done = redact(source, tmp_path, pseudonyms=Pseudonyms(), names=["wave"])
    old, new = Bag(source), Bag(done.path)
    assert new.metadata[EPISODE_RECORD]["bag_schema_version"] == str(version)
    for a, b in zip(old.raw_messages(), new.raw_messages(), strict=True):
        assert a[2:] == b[2:]
        assert str(new.decode(b.topic, b.cdr))  # written by the bag's own definitions


simple = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=4, max_size=12)


@settings(max_examples=12, deadline=None)
@given(simple, simple, st.text(max_size=20))
def test_no_name_survives(name: str, other: str, said: str) -> None:
    """For any name, in any place of any text, as a word of its own: it is gone afterwards."""
    text = f"{said} {name}; {other.swapcase()} {said}"
    with tempfile.TemporaryDirectory() as folder:
        source = named_bag(Path(folder) / "one", name, other, said=text)
        done = redact(source, Path(folder) / "out", pseudonyms=Pseudonyms(b"k" * 16))
        assert done.remains == ()
        last = [m.message for m in Bag(done.path).messages(["arbiter/state"])][-1]
        for gone in (name, other):
            assert not Replacer([gone], Pseudonyms()).is_in(last.reason)
        frames = [m.message for m in Bag(done.path).messages(["operator/frame"])]
        assert frames[0].operator_id == Pseudonyms(b"k" * 16).of(name)


def test_pseudonyms_are_stable_and_tell_nothing_without_the_key() -> None:
    """One name, one pseudonym in every run with the key; another key, another pseudonym."""
    one, same, other = (Pseudonyms(key * 16) for key in (b"a", b"a", b"b"))
    assert one.of("Ada") == same.of("ada") != other.of("Ada")
    assert one.of("Ada") != one.of("Bo")
    counted = Pseudonyms()
    told = [counted.of(name) for name in ("Ada", "Bo", "ADA")]
    assert told == ["operator-1", "operator-2", "operator-1"]
    with pytest.raises(ConfigError, match="at least 16"):
        Pseudonyms(b"short")


def test_only_whole_words_are_replaced() -> None:
    """Somebody called Ann does not change what was planned; an underscore ends a word."""
    replacer = Replacer(["Ann", "Ann Bo"], Pseudonyms())
    assert replacer.text("ann planned ann_2: ANN, Ann Bo") == (
        "operator-1 planned operator-1_2: operator-1, operator-2"
    )
    assert replacer.json('{"by": "\\u0041nn"}') == '{"by": "operator-1"}'


def test_a_name_that_is_a_word_of_the_bag_itself_is_told(tmp_path: Path) -> None:
    """An operator who is called as a joint, a topic or the robot: those stay, and it is said."""
    done = redact(named_bag(tmp_path / "one", "operator"), tmp_path / "out",
                  pseudonyms=Pseudonyms())  # fmt: skip
    assert any(text.startswith("names of topics") for text in done.remains)
    joint = redact(named_bag(tmp_path / "two", "knee"), tmp_path / "out", pseudonyms=Pseudonyms())
    assert "joint_states, name" in joint.remains
    states = next(iter(Bag(joint.path).messages(["joint_states"]))).message
    assert states.name == ["hip", "knee", "wrist"]
    assert Bag(joint.path).info.joint_names == ("hip", "knee", "wrist")


def test_cuts_go_along_without_the_names(tmp_path: Path) -> None:
    """What people cut stays cut in the copy, at the same times; who cut it does not show."""
    source = small_bag(tmp_path / "one", frames=10)
    note = Note("Carla's sleeve", "Carla", "2026-11-24T04:30:00+00:00")
    old = change_cuts(Bag(source), lambda c: c.with_span(START + MS, START + 99 * MS, note))
    change_cuts(Bag(source), lambda c: replace(c, whole=Note("x", "Carla")))
    done = redact(source, tmp_path / "out", pseudonyms=Pseudonyms(), cameras=["ego"])
    new = read_cuts(Bag(done.path))
    assert new.merged() == old.merged()
    assert new.spans[0].note == Note("operator-1's sleeve", "operator-1", note.at)
    assert not holds(done.path, "Carla")


def test_a_folder_whose_name_is_a_person_is_renamed(tmp_path: Path) -> None:
    """The name of the bag is part of it."""
    done = redact(named_bag(tmp_path / "ada-1", "ada"), tmp_path / "out", pseudonyms=Pseudonyms())
    assert done.path.name == "operator-1-1"
    assert Bag(done.path).info.episode_id == "operator-1-1"
    assert not holds(done.path, "ada-1")


def test_nothing_is_overwritten_and_nothing_half_done_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never in place, never over another bag; after an error the folder is as it was."""
    source = small_bag(tmp_path / "one")
    with pytest.raises(BagError, match="never overwritten"):
        redact(source, tmp_path, cameras=["ego"])
    with pytest.raises(BagError, match=r"camera left given, bag .* has: ego"):
        redact(source, tmp_path / "out", cameras=["left"])
    assert not (tmp_path / "out").exists()

    def broken(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Copy, "_message", broken)
    with pytest.raises(BagError, match="No space left"):
        redact(source, tmp_path / "out", cameras=["ego"])
    assert list((tmp_path / "out").iterdir()) == []
    (source / "metadata.yaml").unlink()
    with pytest.raises(BagError, match="recover it"):
        redact(source, tmp_path / "out", cameras=["ego"])


def test_memory_does_not_grow_with_the_bag(tmp_path: Path) -> None:
    """A bag is copied chunk by chunk: four times the pictures, no more memory."""

    def peak(pictures: int) -> int:
        spec, path = small_spec(), tmp_path / str(pictures)
        rng = np.random.default_rng(0)
        writer = BagWriter(path, EpisodeInfo.of(spec, path.name, profile="x"))
        kind = "sensor_msgs/msg/CompressedImage"
        writer.declare("/toy/camera/ego/compressed", kind)
        for k in range(pictures):
            data = rng.integers(0, 256, 100_000, dtype=np.uint8)
            message = _filled(message_type(kind), {"format": "jpeg", "data": data})
            cdr = bytes(typestore().serialize_cdr(message, kind))
            writer.write("/toy/camera/ego/compressed", cdr, START + k * 50 * MS)
        writer.close(Outcome.SUCCESS)
        tracemalloc.start()
        try:
            redact(path, tmp_path / "out", pseudonyms=Pseudonyms(), names=["nobody here"])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(160) < peak(40) * 1.3
