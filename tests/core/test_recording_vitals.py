"""Laws of the pulse: who fell silent is noted once, and the bag says so."""

from __future__ import annotations

from recording_examples import CAMERA, INDEX, STREAMS, Rig, cdr
from test_recording_session import read_report

from rove_core.bag.reader import Bag
from rove_core.bag.recording.vitals import SILENT_SECONDS, Vitals
from rove_core.vocabulary import Outcome

ALWAYS = ("joint_states", "joint_command", "arbiter/state", CAMERA)


def beat(rig: Rig, seconds: float, *others: str) -> None:
    """Let what a robot always sends come at 10 Hz, and others."""
    for _ in range(round(seconds * 10)):
        for name in (*ALWAYS, *others):
            rig.hear(name)
        rig.run(0.1)


def notes(rig: Rig) -> list[str]:
    rig.session.close()
    return [note.text for note in read_report(rig.folder / "one").notes]


def test_a_policy_that_disappears_is_noted(tmp_path):
    """Heartbeats of the policy stop in the middle: the report and the outcome's reason say so, and
    when it came back."""
    rig = Rig(tmp_path)
    rig.hear("policy/status", cdr("policy/status", digest="abc"))
    rig.start()
    beat(rig, 2.0, "policy/status")
    beat(rig, SILENT_SECONDS + 1.5)
    assert "policy/status is silent" in rig.session.status.message
    assert rig.session.status.level == 1
    beat(rig, 2.0, "policy/status")
    assert rig.session.status.message.startswith("records one; ")  # only the low rates
    assert "is silent" not in rig.session.status.message
    rig.stop(outcome=Outcome.FAILURE)
    rig.run(0.5)
    found = [note.text for note in read_report(tmp_path / "one").notes]
    assert [text.split(" for ")[0].split(" after ")[0] for text in found] == [
        "policy/status: silent",
        "policy/status: is back",
    ]
    outcome = Bag(tmp_path / "one").outcome
    assert outcome.outcome is Outcome.FAILURE
    assert outcome.reason.startswith("clean; policy/status: silent for ")


def test_a_publisher_that_leaves_is_noted_at_once(tmp_path):
    """When the last publisher says goodbye nobody waits for the silence."""
    rig = Rig(tmp_path)
    rig.publishers = {INDEX["policy/status"]: 1}
    rig.start()
    beat(rig, 2.0, "policy/status")
    rig.publishers = {INDEX["policy/status"]: 0}
    beat(rig, 1.1)
    assert any("policy/status" in text and "publisher is gone" in text for text in notes(rig))


def test_a_camera_that_never_came_is_noted(tmp_path):
    """The profile says that the robot has it; a policy that nobody ever heard is not missed."""
    rig = Rig(tmp_path)
    rig.start()
    for _ in range(50):
        for name in ALWAYS[:-1]:
            rig.hear(name)
        rig.run(0.1)
    assert notes(rig) == [f"{CAMERA}: nothing came"]


def test_nothing_is_noted_where_nothing_is_wrong(tmp_path):
    """A whole robot, an operator who comes and goes, the tail after the end: no note."""
    rig = Rig(tmp_path)
    rig.start()
    beat(rig, 2.0, "operator/frame", "policy/status")
    beat(rig, 2.0, "policy/status")
    rig.stop()
    rig.run(5.0)
    assert read_report(tmp_path / "one").notes == ()
    assert Bag(tmp_path / "one").outcome.reason == "clean"


def test_notes_in_the_reason_are_few(tmp_path):
    """A link that comes and goes fills the report, not the line that people read."""
    rig = Rig(tmp_path)
    rig.start()
    for _ in range(4):
        beat(rig, 1.1)
        rig.run(SILENT_SECONDS + 1.1)
    rig.session.close()
    report, reason = read_report(tmp_path / "one"), Bag(tmp_path / "one").outcome.reason
    assert len(report.notes) > 8
    assert reason.endswith(f"{len(report.notes) - 3} more notes")
    stamps = [note.stamp_ns for note in report.notes]
    assert stamps == sorted(stamps)


def test_rates_are_of_ros_time():
    """A simulation at half the speed of the wall still has its nominal rates; a clock that stands
    still, or jumps back, has none to tell."""
    vitals = Vitals(STREAMS)
    for step in range(401):
        ros_ns = step * 10_000_000  # 100 Hz
        vitals.count(ros_ns)
        vitals.heard(INDEX["joint_states"], step * 0.02)
    assert vitals.rates()["joint_states"] == (100.0, 100.0)
    assert "joint_states" not in vitals.slow()
    vitals.count(ros_ns)
    vitals.count(0)
    assert vitals.rates()["joint_states"] == (100.0, 100.0)
