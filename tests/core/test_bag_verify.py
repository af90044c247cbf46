"""A bag that is spoilt in one way is told by the check for it and by no other."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bag_examples import small_bag
from bag_verify_examples import (
    CAMERA,
    EPOCH,
    JPEG,
    MS,
    START,
    Row,
    Tape,
    at,
    good_tape,
    honest,
    make,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rove_core.bag.schema import EpisodeInfo, RecordingEnd
from rove_core.bag.verify.report import Level, Report
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Outcome, Stage

DATA = Path(__file__).parent / "data"
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example is a bag that is written and read: a failure is told as it is, not shrunk first."""
Draw = st.DataObject
Spoil = Callable[[Tape, Draw], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples of a property share; each removes its bag."""
    return tmp_path_factory.mktemp("bags")


def verified(tape: Tape, folder: Path) -> Report:
    """Write, verify and remove a bag."""
    path = folder / "bag"
    shutil.rmtree(path, ignore_errors=True)
    return verify(tape.write(path))


def found(report: Report, level: Level = Level.ERROR) -> set[str]:
    """Return the checks that found something of a level."""
    return {finding.check for finding in report.findings if finding.level is level}


def one(data: Draw, rows: list[Row]) -> Row:
    """Return any row."""
    return rows[data.draw(st.integers(0, len(rows) - 1))]


def inner(data: Draw, rows: list[Row]) -> int:
    """Return the index of any row but the first and the last."""
    return data.draw(st.integers(1, len(rows) - 2))


# ---- what may go wrong: (expected check, how) ----


def another_type(tape: Tape, data: Draw) -> None:
    topic = data.draw(st.sampled_from(["teleop/target", "operator/frame"]))
    tape.types[topic] = "rove_msgs/msg/PolicyStatus"
    for row in tape.of(topic):
        row.message, row.cdr = make("policy/status", row.stamp_ns), None


def older_definition(tape: Tape, data: Draw) -> None:
    """A field that the version does not have, put where no reader of the others trips over it."""
    from rove_core.bag.definitions import definition

    kind = data.draw(st.sampled_from(["rove_msgs/msg/PolicyStatus", "rove_msgs/msg/ActionChunk"]))
    lines = definition(kind).splitlines()
    last = next(i for i, line in enumerate(lines) if line.startswith("float32 inference_ms"))
    lines[last] = "float32 inference_seconds"
    tape.texts[kind] = "\n".join(lines) + "\n"


def short_message(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of("operator/frame"))
    assert row.cdr is not None
    row.cdr = row.cdr[: data.draw(st.integers(4, 60))]


def hidden_loss(tape: Tape, data: Draw) -> None:
    # Not a command: its own count would tell, too. Not a chunk: commands name it.
    topic = data.draw(st.sampled_from(["joint_states", "operator/frame", CAMERA, "teleop/target"]))
    rows = tape.of(topic)
    begin = inner(data, rows)
    for row in rows[begin : min(begin + data.draw(st.integers(1, 3)), len(rows) - 1)]:
        tape.drop(row)


def report_that_lies(tape: Tape, data: Draw) -> None:
    shown = tape.report
    row = one(data, tape.rows)
    tape.report = lambda _: honest(Tape([r for r in tape.rows if r is not row], tape.info))
    assert shown is not None


def stamp_runs_back(tape: Tape, data: Draw) -> None:
    rows = tape.of(data.draw(st.sampled_from(["joint_states", "operator/frame", CAMERA])))
    row = rows[inner(data, rows)]
    row.stamp(row.stamp_ns - data.draw(st.integers(60, 900)) * MS)


def stamp_of_tomorrow(tape: Tape, data: Draw) -> None:
    row = tape.of(data.draw(st.sampled_from(["joint_states", "operator/frame", CAMERA])))[-1]
    row.stamp(row.stamp_ns + data.draw(st.integers(300, 10**6)) * MS)


def recorder_set_back(tape: Tape, data: Draw) -> None:
    jump = data.draw(st.integers(1_100, 10**6)) * MS
    half = data.draw(st.integers(100, len(tape.rows) - 100))
    for row in tape.rows[half:]:
        row.log_ns -= jump
        row.publish_ns -= jump
        row.stamp(row.stamp_ns - jump)


def forbidden_mode(tape: Tape, data: Draw) -> None:
    """HANDBACK to HUMAN without ALIGN, told by commands and states alike."""
    for row in tape.rows:
        inside = at(290) <= row.stamp_ns < at(320)
        if row.topic in ("joint_command", "arbiter/state") and inside:
            row.change(mode=int(Mode.PAUSED))
            if row.topic == "arbiter/state" and row.message.previous_mode == Mode.CLUTCH:
                row.change(previous_mode=int(Mode.HUMAN))


def wrong_driver(tape: Tape, data: Draw) -> None:
    held = [r for r in tape.of("joint_command") if r.message.authority == Authority.HOLD]
    row = one(data, held[40:])
    choice = data.draw(st.sampled_from([(Authority.HUMAN, Stage.RECOVERY), (Authority.HOLD, 3)]))
    row.change(authority=int(choice[0]), stage=int(choice[1]))


def unknown_word(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of("joint_command"))
    row.change(**{data.draw(st.sampled_from(["mode", "authority", "stage"])): 77})


def stage_back(tape: Tape, data: Draw) -> None:
    """Recovery turns into adaptation again while the person drives on."""
    for row in tape.rows:
        inside = at(265) <= row.stamp_ns < at(290)
        if row.topic in ("joint_command", "arbiter/state") and inside:
            row.change(stage=int(Stage.ADAPTATION))


def older_epoch(tape: Tape, data: Draw) -> None:
    rows = tape.of("joint_command")
    rows[inner(data, rows)].change(epoch=EPOCH - data.draw(st.integers(1, 10**6)))


def unpublished_tick(tape: Tape, data: Draw) -> None:
    rows = tape.of("joint_command")
    for row in rows[inner(data, rows) :]:
        row.change(sequence=row.message.sequence + 1)


def state_disagrees(tape: Tape, data: Draw) -> None:
    states = [r for r in tape.of("arbiter/state")[1:-1] if r.message.authority == Authority.HUMAN]
    row = one(data, states)
    row.change(authority=int(Authority.HOLD), stage=int(Stage.NONE))


def other_policy(tape: Tape, data: Draw) -> None:
    rows = [r for r in tape.of("joint_command") if r.message.chunk_id]
    one(data, rows).change(policy_digest=data.draw(st.sampled_from(["e" * 64, ""])))


def unknown_chunk(tape: Tape, data: Draw) -> None:
    rows = [r for r in tape.of("joint_command") if r.message.chunk_id]
    one(data, rows).change(chunk_id=data.draw(st.integers(9, 10**6)))


def not_approved(tape: Tape, data: Draw) -> None:
    for row in tape.of("policy/status"):
        row.change(approved=False)


def unknown_policy(tape: Tape, data: Draw) -> None:
    for row in tape.of("policy/status"):
        row.change(digest="f" * 64)


def other_robot(tape: Tape, data: Draw) -> None:
    fields = {name: getattr(tape.info, name) for name in tape.info.__dataclass_fields__}
    tape.info = EpisodeInfo(**{**fields, "robot_digest": "0" * 64})


def other_outcome(tape: Tape, data: Draw) -> None:
    tape.outcome = data.draw(st.sampled_from([o for o in Outcome if o is not Outcome.SUCCESS]))


def no_end(tape: Tape, data: Draw) -> None:
    tape.drop(tape.of("episode")[1])


def two_starts(tape: Tape, data: Draw) -> None:
    start = tape.of("episode")[0]
    begin = tape.rows.index(start)
    again = Row("episode", start.message, start.log_ns, start.publish_ns, start.sequence)
    tape.rows.insert(begin, again)


def other_seed(tape: Tape, data: Draw) -> None:
    field = data.draw(st.sampled_from([("seed", 4), ("task", "dust"), ("instruction", "x")]))
    tape.of("episode")[0].change(**{field[0]: field[1]})


def other_episode(tape: Tape, data: Draw) -> None:
    inside = [r for r in tape.of("arbiter/state") if at(START) < r.stamp_ns < at(380)]
    one(data, inside).change(episode_id="1795-0002")


def short_vector(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of("joint_command"))
    row.change(position=row.message.position[: data.draw(st.integers(0, 42))])


def not_finite(tape: Tape, data: Draw) -> None:
    topic = data.draw(
        st.sampled_from(["joint_command", "joint_states", "teleop/target", "policy/chunk"])
    )
    row = one(data, tape.of(topic))
    values = np.array(row.message.position)
    values[data.draw(st.integers(0, 42))] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    row.change(position=values)


def beyond_limits(tape: Tape, data: Draw) -> None:
    spec = load_robot("g1_dex3")
    row = one(data, tape.of("joint_command"))
    values = np.array(row.message.position)
    joint = data.draw(st.integers(0, 42))
    values[joint] = spec.upper[joint] + data.draw(st.floats(1e-4, 1.0))
    row.change(position=values)


def lost_joint(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of("joint_states"))
    names = list(row.message.name)
    names[data.draw(st.integers(0, 42))] = "tail_joint"
    row.change(name=names)


def half_a_hand(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of("operator/frame"))
    if data.draw(st.booleans()):
        row.change(right_hand=np.zeros(74, dtype=np.float32))
    else:
        row.change(device_joints=np.zeros(3))


def no_picture(tape: Tape, data: Draw) -> None:
    row = one(data, tape.of(CAMERA))
    if data.draw(st.booleans()):
        row.change(data=JPEG[2:])
    else:
        row.change(format="png")


SPOILT: list[tuple[str, Spoil]] = [
    ("schemas", another_type),
    ("schemas", older_definition),
    ("schemas", short_message),
    ("gaps", hidden_loss),
    ("gaps", report_that_lies),
    ("clocks", stamp_runs_back),
    ("clocks", stamp_of_tomorrow),
    ("clocks", recorder_set_back),
    ("modes", forbidden_mode),
    ("modes", wrong_driver),
    ("modes", unknown_word),
    ("modes", stage_back),
    ("modes", older_epoch),
    ("modes", unpublished_tick),
    ("modes", state_disagrees),
    ("digests", other_policy),
    ("digests", unknown_chunk),
    ("digests", not_approved),
    ("digests", unknown_policy),
    ("profile", other_robot),
    ("episode", other_outcome),
    ("episode", no_end),
    ("episode", two_starts),
    ("episode", other_seed),
    ("episode", other_episode),
    ("vectors", short_vector),
    ("vectors", not_finite),
    ("vectors", beyond_limits),
    ("vectors", lost_joint),
    ("vectors", half_a_hand),
    ("vectors", no_picture),
]


@pytest.mark.parametrize(("check", "spoil"), SPOILT, ids=lambda v: getattr(v, "__name__", v))
def test_what_is_spoilt_is_told_by_its_check_alone(check: str, spoil: Spoil, folder: Path) -> None:
    """One thing wrong, wherever it is: its check has an error, no other check has one."""

    @settings(max_examples=6, deadline=None, phases=PHASES)
    @given(data=st.data())
    def law(data: Draw) -> None:
        tape = good_tape()
        spoil(tape, data)
        assert found(verified(tape, folder)) == {check}

    law()


def test_a_good_bag_has_no_findings(folder: Path) -> None:
    """Nothing to complain about, and every check had something to check."""
    report = verified(good_tape(), folder)
    assert report.findings == ()
    assert report.not_checked == {}
    assert (report.version, report.state.value, report.ok) == (3, "complete", True)
    assert report.topics["joint_command"].count == 400
    assert report.topics["joint_command"].rate_hz == pytest.approx(200.0)
    assert report.topics["joint_states"].largest_gap_s == pytest.approx(0.01)


@pytest.mark.parametrize("version", [1, 2])
def test_bags_of_older_versions_have_no_errors(version: int) -> None:
    """The bags that older versions wrote verify by the definitions of their version."""
    report = verify(DATA / f"bag_version_{version}")
    assert report.errors == ()
    assert report.version == version


def test_a_demonstration_without_ros_has_no_errors(tmp_path: Path) -> None:
    """What ``EpisodeRecorder`` writes has few topics; checks without any say so."""
    report = verify(small_bag(tmp_path / "bag"))
    assert report.errors == ()
    assert set(report.not_checked) == {"digests", "profile"}


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(data=st.data())
def test_admitted_losses_are_no_error(folder: Path, data: Draw) -> None:
    """Messages that ``recorder/loss`` and the closing report admit are lost, not hidden."""
    tape = good_tape()
    topic = data.draw(st.sampled_from(["joint_command", "joint_states", "operator/frame", CAMERA]))
    rows = tape.of(topic)
    begin = inner(data, rows)
    gone = rows[begin : begin + data.draw(st.integers(1, min(6, len(rows) - begin - 1)))]
    for row in gone:
        tape.drop(row)
    behind = next(i for i, row in enumerate(tape.rows) if row.log_ns > gone[-1].log_ns)
    now = tape.rows[behind].log_ns
    loss = make(
        "recorder/loss",
        now,
        topic=tape.full(topic),
        first_missing=gone[0].sequence,
        count=len(gone),
    )
    tape.rows.insert(behind, Row("recorder/loss", loss, now, now, 0))
    report = verified(tape, folder)
    assert report.errors == ()
    assert report.topics[topic].lost == len(gone)


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(data=st.data())
def test_a_stream_that_stops_is_told_by_its_rate(folder: Path, data: Draw) -> None:
    """A camera that falls silent, and joints at half their rate, are warnings of "rates"."""
    tape = good_tape()
    if data.draw(st.booleans()):
        since = data.draw(st.integers(2, 20))
        for row in tape.of(CAMERA)[since:]:
            tape.drop(row)
    else:
        for i, row in enumerate(tape.of("joint_states")):
            row.sequence = 50 + i // 2
            if i % 2:
                tape.drop(row)
    report = verified(tape, folder)
    assert report.errors == ()
    assert found(report, Level.WARNING) == {"rates"}


def test_a_node_without_a_clock_is_a_warning(folder: Path) -> None:
    """Stamp 0 is what a node sends before the first ``/clock``."""
    tape = good_tape()
    tape.of("operator/frame")[0].stamp(0)
    report = verified(tape, folder)
    assert report.errors == ()
    assert found(report, Level.WARNING) == {"clocks"}


@pytest.mark.parametrize("graph", [{"use_sim_time": True}, {"use_sim_time": False}])
def test_a_simulated_clock_may_run_at_its_own_speed(folder: Path, graph: dict[str, bool]) -> None:
    """ROS time that leaves wall time behind is simulation, if the graph says so: of a bag that says
    so where its recorder writes it, nobody is told that a clock was set."""
    tape = good_tape()
    tape.info = dataclasses.replace(tape.info, parameters={"graph": graph, "recorder": {}})
    for row in tape.rows[len(tape.rows) // 2 :]:
        row.publish_ns += 5_000 * MS
    report = verified(tape, folder)
    leaps = [f for f in report.warnings if "leaps" in f.text]
    assert bool(leaps) is not graph["use_sim_time"]


def test_a_replaced_publisher_is_a_warning(folder: Path) -> None:
    """A node that was started again counts from 1; nothing is lost by that."""
    tape = good_tape()
    for i, row in enumerate(tape.of("operator/frame")[60:]):
        row.sequence = 1 + i
    report = verified(tape, folder)
    assert report.errors == ()
    assert [f.topic for f in report.warnings] == ["operator/frame"]


def test_overtaken_messages_are_no_clock_that_runs_back(folder: Path) -> None:
    """Two messages that the middleware swapped have their counts swapped, too."""
    tape = good_tape()
    rows = tape.of("joint_states")
    first, second = rows[80], rows[81]
    first.message, second.message = second.message, first.message
    first.cdr, second.cdr = second.cdr, first.cdr
    first.sequence, second.sequence = second.sequence, first.sequence
    assert verified(tape, folder).findings == ()


def test_many_alike_are_told_once(folder: Path) -> None:
    """A clock that is wrong from the start is three findings, not thousands."""
    tape = good_tape()
    for row in tape.of("joint_states"):
        row.stamp(row.stamp_ns + 5_000 * MS)
    report = verified(tape, folder)
    assert len(report.errors) == 3
    assert "and 197 more" in report.errors[-1].text


def test_several_transitions_in_a_tick_are_allowed_when_the_arbiter_counts_them(
    folder: Path,
) -> None:
    """PAUSED to HUMAN is none, PAUSED to ALIGN to HUMAN in one tick is two."""
    tape = good_tape()
    tape.rows = [
        r for r in tape.rows if r.topic != "arbiter/state" or not at(150) < r.stamp_ns < at(180)
    ]
    for row in tape.rows:
        if row.topic == "joint_command" and at(150) <= row.stamp_ns < at(180):
            row.change(mode=int(Mode.PAUSED))
        if row.topic == "arbiter/state" and row.stamp_ns == at(150):
            row.change(mode=int(Mode.PAUSED))
        if row.topic == "arbiter/state" and row.stamp_ns >= at(180):
            row.change(transition=row.message.transition + 1)
    for i, row in enumerate(tape.of("arbiter/state")):
        row.sequence = i + 1
    assert verified(tape, folder).errors == ()
    for row in tape.of("arbiter/state"):
        if row.stamp_ns >= at(180):
            row.change(transition=row.message.transition - 1)
    assert found(verified(tape, folder)) == {"modes"}


def test_a_recording_that_still_runs_says_so(tmp_path: Path) -> None:
    """``.recording`` is an error of "file" that names the cure; the rest is checked."""
    good = good_tape()
    path = good.write(tmp_path / "bag").rename(tmp_path / "bag.recording")
    (path / "metadata.yaml").unlink()
    report = verify(path)
    assert found(report) == {"file"}
    assert "rove bag recover" in report.errors[0].text


def test_an_episode_that_the_recorder_left_has_no_end(folder: Path) -> None:
    """STOPPED is how a recording ends whose episode runs on."""
    tape = good_tape()
    tape.rows = [row for row in tape.rows if row.log_ns < at(300)]
    tape.end, tape.outcome = RecordingEnd.STOPPED, Outcome.UNKNOWN
    assert verified(tape, folder).errors == ()


def test_what_is_no_bag_is_refused(tmp_path: Path) -> None:
    """A folder without an MCAP file is no bag with findings, it is an error."""
    with pytest.raises(BagError, match="not a bag"):
        verify(tmp_path)
