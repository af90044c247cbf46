"""Laws of the recording session: what arrives in an episode is in its bag, or counted as lost."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_examples import CAMERA, INDEX, MS, START, STREAMS, Rig, cdr

from rove_core.bag.definitions import typestore
from rove_core.bag.reader import Bag, deserialize, find_bags, find_incomplete_bags
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.session import TAIL_SECONDS, Closed, free_folder
from rove_core.bag.schema import (
    RECORDING_RECORD,
    EpisodeInfo,
    RecordingEnd,
    RecordingReport,
)
from rove_core.vocabulary import EpisodeChange, LossCause, Outcome, Stage


def read_report(path: Path) -> RecordingReport:
    """Read the closing report with the library's own reader."""
    from mcap.reader import make_reader

    with open(next(path.glob("*.mcap")), "rb") as stream:
        for record in make_reader(stream).iter_metadata():
            if record.name == RECORDING_RECORD:
                return RecordingReport.from_record(record.metadata, str(path))
    raise AssertionError(f"no report in {path}")


def contents(path: Path) -> list[tuple[str, int]]:
    return [(m.topic, m.sequence) for m in Bag(path).raw_messages()]


def losses_in(path: Path) -> list[tuple[str, int, int, LossCause]]:
    bag = Bag(path)
    return [
        (m.message.topic, m.message.first_missing, m.message.count, LossCause(m.message.cause))
        for m in bag.messages(["recorder/loss"])
    ]


def test_one_bag_an_episode(tmp_path):
    """A bag begins with the start, ends a tail after the stop, and holds what came in between."""
    rig = Rig(tmp_path)
    rig.start()
    wanted = [("episode", 1)]
    for _ in range(20):
        wanted.append(("joint_command", rig.command().sequence))
        rig.run(0.05)
    rig.stop()
    wanted.append(("episode", 2))
    rig.run(TAIL_SECONDS - 0.1)
    wanted.append(("joint_command", rig.command().sequence))
    assert not rig.sent(Closed)
    rig.run(0.15)
    assert rig.sent(Closed) == [Closed(tmp_path / "one", 23, 0)]
    rig.command()
    bag = Bag(tmp_path / "one")
    assert contents(tmp_path / "one") == wanted
    assert (bag.outcome.outcome, bag.outcome.reason) == (Outcome.SUCCESS, "clean")
    assert bag.outcome.recording is RecordingEnd.COMPLETE
    assert (bag.info.task, bag.info.seed, bag.info.revision) == ("wave", 7, "test")
    assert set(bag.topics) == {s.name for s in STREAMS} | {"recorder/loss"}


def test_the_seconds_before_a_start_are_in_the_bag(tmp_path):
    """The pre-roll comes first, in order; before it what still held then, stamped with its
    beginning; nothing of before."""
    rig = Rig(tmp_path, pre_roll=1.0)
    rig.hear("policy/status", cdr("policy/status", digest="old"))
    rig.hear("arbiter/handover")  # of an episode before
    rig.command(Stage.NONE)
    rig.run(1.5)
    wanted = []
    for _ in range(18):
        rig.run(0.1)
        wanted.append(("joint_command", rig.command(Stage.NONE).sequence))
    rig.start()
    rig.command()
    rig.session.close()
    inside = contents(tmp_path / "one")
    assert inside[0] == ("policy/status", 1)
    assert inside[1:12] == wanted[-11:]  # those within 1 s
    assert inside[12:] == [("episode", 1), ("joint_command", rig.sequences["joint_command"])]
    logged = [m.log_time_ns for m in Bag(tmp_path / "one").raw_messages()]
    assert logged == sorted(logged)
    assert logged[0] == logged[1] == rig.ros_ns - 1000 * MS
    assert Bag(tmp_path / "one").info.policy_digest == "old"


def test_no_command_of_the_episode_before_is_in_the_pre_roll(tmp_path):
    """The next bag begins with what came after the tail of the one before."""
    rig = Rig(tmp_path)
    for name in ("one", "two"):
        rig.start(name)
        rig.command()
        rig.stop(name)
        rig.command()
        rig.run(0.5)
        rig.command(Stage.NONE)
    assert len(rig.sent(Closed)) == 2
    stages = [m.message.stage for m in Bag(tmp_path / "two").messages(["joint_command"])]
    assert stages == [Stage.NONE, Stage.ROLLOUT, Stage.ROLLOUT]
    assert Bag(tmp_path / "two").topics["episode"].count == 2


def test_gaps_are_losses_in_the_bag(tmp_path):
    """A gap inside the recording, the pre-roll included, is told, written and counted; a gap
    between two recordings is none."""
    rig = Rig(tmp_path)
    rig.command(Stage.NONE)
    rig.run(0.1)
    rig.command(Stage.NONE, skip=3)  # 2, 3, 4 in the pre-roll
    rig.start()
    rig.hear("joint_states")
    rig.hear("joint_states", skip=1)  # 2 while it records
    rig.run(1.0)
    rig.stop()
    rig.run(1.0)
    states, commands = "/toy/joint_states", "/toy/joint_command"
    lost = LossCause.MIDDLEWARE
    assert sorted(losses_in(tmp_path / "one")) == [(commands, 2, 3, lost), (states, 2, 1, lost)]
    told = [(loss.topic, loss.first_missing, loss.count) for loss in rig.sent(Loss)]
    assert sorted(told) == [(commands, 2, 3), (states, 2, 1)]
    report = read_report(tmp_path / "one")
    assert report.losses == {"middleware": 4, "backlog": 0, "disk": 0}
    assert (report.topics[commands].received, report.topics[commands].lost) == (2, 3)

    rig.run(5.0)
    rig.hear("joint_states", skip=50)  # nobody recorded
    rig.run(5.0)
    rig.start("two")
    rig.hear("joint_states", skip=50)  # the first one that is recorded: lost before
    rig.hear("joint_states")
    rig.stop("two")
    rig.run(1.0)
    assert losses_in(tmp_path / "two") == []


@st.composite
def episodes(draw):
    step = st.tuples(st.sampled_from(["joint_states", "joint_command", CAMERA]), st.integers(0, 3))
    return draw(st.lists(st.lists(step, min_size=1, max_size=25), min_size=1, max_size=3))


@settings(max_examples=30, deadline=None)
@given(episodes())
def test_received_and_lost_are_all_that_was_published(story):
    """For each bag and topic: received + lost = last - first count + 1, and the report says what
    the bag holds."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        for number, steps in enumerate(story):
            name = f"e{number}"
            rig.start(name)
            for topic, skip in steps:
                rig.hear(topic, b"\0\1\0\0", skip)
                rig.run(0.05)
            rig.stop(name)
            rig.run(1.0)
            counts: dict[str, list[int]] = {}
            for message in Bag(Path(folder) / name).raw_messages():
                counts.setdefault(message.topic, []).append(message.sequence)
            report = read_report(Path(folder) / name)
            for topic, numbers in counts.items():
                if topic == "recorder/loss":
                    continue
                told = report.topics[f"/toy/{topic}"]
                assert told.received == len(numbers)
                assert told.received + told.lost == numbers[-1] - numbers[0] + 1
            assert sum(report.losses.values()) == sum(t.lost for t in report.topics.values())


def test_the_report_has_actual_and_nominal_rates(tmp_path):
    """40 Hz of a topic of 100 Hz are 40 of 100 Hz, in the report and in the status."""
    rig = Rig(tmp_path)
    rig.start()
    for _ in range(200):
        rig.hear("joint_states")
        rig.run(0.025, 0.025)
    rates = rig.session.status.values["rate: joint_states"]
    assert rates == "40.0 of 100 Hz"
    assert "joint_states: 40.0 of 100 Hz" in rig.session.status.message
    assert rig.session.status.level == 1
    rig.session.close()
    told = read_report(tmp_path / "one").topics["/toy/joint_states"]
    assert told.rate_hz == pytest.approx(40.0)
    assert told.nominal_hz == 100.0
    assert (told.first_ns, told.last_ns) == (START, START + (199 * 25) * MS)


def test_a_bag_says_who_and_with_what(tmp_path):
    """Operator, calibration, policy and parameters at the start are in the description."""
    rig = Rig(tmp_path, parameters={"graph": {"robot": "toy"}})
    calibration = {"arm": 0.62}
    rig.hear(
        "operator/device",
        cdr("operator/device", operator_id="ann", device="exo", calibration_name="ann-3",
            calibration=json.dumps(calibration)),
    )  # fmt: skip
    rig.hear("policy/status", cdr("policy/status", digest="abc", approved=True))
    rig.run(60.0, 1.0)
    rig.start()
    rig.session.close()
    info: EpisodeInfo = Bag(tmp_path / "one").info
    assert (info.operator_id, info.policy_digest) == ("ann", "abc")
    assert info.calibration == {"name": "ann-3", "device": "exo", "values": calibration}
    assert info.parameters == {"graph": {"robot": "toy"}}
    assert Bag(tmp_path / "one").topics["operator/device"].count == 1


def test_a_calibration_that_is_no_json_is_kept_as_text(tmp_path):
    """What a device calls its calibration never costs a recording."""
    rig = Rig(tmp_path)
    rig.hear("operator/device", cdr("operator/device", calibration_name="x", calibration="{broken"))
    rig.start()
    rig.session.close()
    assert Bag(tmp_path / "one").info.calibration["values"] == "{broken"


def test_an_old_start_is_recorded_when_the_arbiter_says_that_it_runs(tmp_path):
    """A recorder that comes late goes by the arbiter's state; a start that is over is none."""
    rig = Rig(tmp_path)
    rig.start("over", age=30.0)
    rig.stop("over")
    rig.start("running", age=10.0)
    rig.hear("arbiter/state", cdr("arbiter/state", episode_id="other"))
    assert not list(tmp_path.glob("*.recording"))
    rig.hear("arbiter/state", cdr("arbiter/state", episode_id="running"))
    rig.command()
    rig.session.close()
    bag = Bag(tmp_path / "running")
    assert bag.outcome.recording is RecordingEnd.STOPPED
    assert bag.outcome.outcome is Outcome.UNKNOWN
    event = next(bag.messages(["episode"])).message
    assert event.change == EpisodeChange.STARTED
    assert find_incomplete_bags(tmp_path) == []


def test_a_state_may_arrive_before_the_start_that_it_confirms(tmp_path):
    """Latched messages come in any order: the state went by unused, and nothing was recorded."""
    rig = Rig(tmp_path)
    rig.hear("arbiter/state", cdr("arbiter/state", episode_id="running"))
    rig.start("over", age=30.0)
    rig.stop("over")
    assert not list(tmp_path.glob("*.recording"))
    rig.start("running", age=10.0)
    rig.command()
    rig.session.close()
    bag = Bag(tmp_path / "running")
    assert [m.message.change for m in bag.messages(["episode"])] == [EpisodeChange.STARTED]
    assert bag.topics["joint_command"].count == 1
    assert [path.name for path in find_bags(tmp_path)] == ["running"]


def test_a_start_without_a_stop_ends_the_bag_before(tmp_path):
    """Another episode closes the one that ran; the same one told twice changes nothing."""
    rig = Rig(tmp_path)
    rig.start("one")
    rig.start("one")
    rig.command()
    rig.start("two")
    rig.command()
    rig.stop("two", Outcome.FAILURE)
    rig.start("three")  # within the tail
    rig.session.close()
    ends = {
        name: (Bag(tmp_path / name).outcome.recording, Bag(tmp_path / name).outcome.outcome)
        for name in ("one", "two", "three")
    }
    assert ends == {
        "one": (RecordingEnd.STOPPED, Outcome.UNKNOWN),
        "two": (RecordingEnd.COMPLETE, Outcome.FAILURE),
        "three": (RecordingEnd.STOPPED, Outcome.UNKNOWN),
    }
    assert Bag(tmp_path / "one").topics["joint_command"].count == 1


def test_a_second_bag_of_an_episode(tmp_path):
    """What is left of an episode is never overwritten: it goes on in <id>-2, -3, ..."""
    (tmp_path / "one.recording").mkdir()
    (tmp_path / "one-2").mkdir()
    assert free_folder(tmp_path / "one") == tmp_path / "one-3"
    rig = Rig(tmp_path)
    rig.start()
    rig.stop()
    rig.run(0.5)
    assert rig.sent(Closed)[0].path == tmp_path / "one-3"


def test_events_that_cannot_be_read_stop_nothing(tmp_path):
    """A garbled event is told in the status and the recorder goes on."""
    rig = Rig(tmp_path)
    rig.hear("episode", b"\0\1\0\0\1")
    rig.run(1.1)
    assert rig.session.status.level == 2
    assert "episode: " in rig.session.status.message
    rig.start()
    rig.session.close()
    assert Bag(tmp_path / "one").outcome.recording is RecordingEnd.STOPPED


def test_a_loss_message_is_what_ros_reads():
    """The CDR of a loss decodes to the same words, through the message's own definition."""
    loss = Loss(START + 5, LossCause.BACKLOG, "/toy/joint_states", 2**40, 3)
    read = deserialize(typestore(), loss.cdr(), "rove_msgs/msg/RecordingLoss")
    assert (read.cause, read.topic, read.first_missing, read.count) == (1, loss.topic, 2**40, 3)
    assert read.header.stamp.sec * 10**9 + read.header.stamp.nanosec == START + 5


def test_every_topic_of_the_contract_is_recorded():
    """Of the topics in TOPIC_TYPES none is left out but the recorder's own losses."""
    from rove_core.bag.schema import TOPIC_TYPES

    assert set(INDEX) == (set(TOPIC_TYPES) | {CAMERA}) - {"recorder/loss"}
