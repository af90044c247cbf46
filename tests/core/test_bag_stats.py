"""Figures of an episode are those that a person would measure by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from bag_verify_examples import MS, PRESS, Row, Tape, at, good_tape, make
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rove_core.bag.stats.bumps import WINDOW_NS, bumps
from rove_core.bag.stats.commands import Commands
from rove_core.bag.stats.latency import DEVICE, FIRST_ROW, FRAME, INFERENCE, SOLVE, USED
from rove_core.bag.stats.run import BagStats, bag_stats, totals
from rove_core.bag.summary import summarise_bag
from rove_core.errors import BagError
from rove_core.latency.legs import LEGS
from rove_core.vocabulary import Authority, HandoverKind, Mode, Stage

DATA = Path(__file__).parent / "data"
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def figures(tape: Tape, folder: Path) -> BagStats:
    """Write a bag and read its figures."""
    return bag_stats(tape.write(folder / "bag"))


def without(tape: Tape, topic: str) -> Tape:
    """Remove a topic."""
    tape.rows = [row for row in tape.rows if row.topic != topic]
    return tape


def test_an_intervention_is_measured_from_press_to_hand_back(tmp_path: Path) -> None:
    """Ticks of 5 ms between the changes of mode and stage of the example's day."""
    (turn,) = figures(good_tape(), tmp_path).interventions
    assert turn.start_ns == at(PRESS)
    assert turn.duration_s == pytest.approx(140 * 0.005)
    assert turn.align_s == pytest.approx(30 * 0.005)
    assert turn.adaptation_s == pytest.approx(40 * 0.005)
    assert turn.recovery_s == pytest.approx(60 * 0.005)
    assert turn.clutch_s == pytest.approx(10 * 0.005)
    assert turn.ended_in is Mode.HANDBACK


def test_a_demonstration_is_no_intervention(tmp_path: Path) -> None:
    """Who drives from IDLE took nothing from a policy."""
    tape = good_tape()
    for row in tape.of("joint_command"):
        if row.message.mode == Mode.ALIGN:
            row.change(mode=int(Mode.IDLE))
    assert figures(tape, tmp_path).interventions == ()


def test_stages_sum_to_the_time_of_the_commands(tmp_path: Path) -> None:
    """Every moment belongs to one stage; a hole counts for as long as robots hold."""
    tape = good_tape()
    for row in tape.of("joint_command")[330:360]:
        tape.drop(row)
    found = figures(tape, tmp_path)
    assert sum(found.stages.values()) == pytest.approx(found.duration_s)
    assert found.duration_s == pytest.approx((399 - 31) * 0.005 + 0.05)
    assert found.stages[Stage.RECOVERY] == pytest.approx(60 * 0.005)


def test_latencies_are_the_differences_of_the_times(tmp_path: Path) -> None:
    """Each series against the times that the example was made with, ms."""
    found = figures(good_tape(), tmp_path).latency
    assert found[SOLVE].percentile(99) == pytest.approx(0.8)
    assert found[INFERENCE].percentile(50) == pytest.approx(12.0)
    assert found[FIRST_ROW].percentile(50) == pytest.approx(50.0)
    assert found[USED].percentile(100) == pytest.approx(40.0)
    assert found["camera/ego/compressed to recorder"].percentile(50) == pytest.approx(1.0)
    assert found["joint_states to recorder"].percentile(100) == 0.0
    assert found[DEVICE].percentile(100) == pytest.approx(0.0)
    # The command of a tick carries the frame of that tick or of one or two before; 2 ms older.
    assert found[FRAME].percentile(0) == pytest.approx(2.0)
    # 70 and 30 ticks of driving, three ticks a frame; the first 12 ms after a clutch of 10 ticks.
    assert len(found[FRAME]) == 24 + 11
    assert found[FRAME].percentile(100) == pytest.approx(12.0)


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(late=st.integers(1, 50), which=st.integers(0, 100))
def test_a_late_frame_shows_in_the_latency_of_the_device(
    tmp_path_factory: pytest.TempPathFactory, late: int, which: int
) -> None:
    """One frame that took longer than the others is the largest, by as much."""
    tape = good_tape()
    row = tape.of("operator/frame")[which]
    row.change(device_stamp_ns=row.message.device_stamp_ns - late * MS)
    found = figures(tape, tmp_path_factory.mktemp("late")).latency[DEVICE]
    assert found.percentile(100) == pytest.approx(late)
    assert found.percentile(50) == pytest.approx(0.0)


def test_a_bump_is_what_the_arbiter_measured(tmp_path: Path) -> None:
    """With handover messages in the bag their figures are shown, not ours."""
    (bump,) = figures(good_tape(), tmp_path).bumps
    assert bump.by_arbiter
    assert (bump.kind, bump.stamp_ns) == (HandoverKind.TAKEOVER, at(PRESS))
    assert bump.motion.step == pytest.approx(0.002)
    assert bump.ratio == pytest.approx(2.0)
    assert bump.press_to_authority_ms == pytest.approx(6.0)


def test_without_handovers_the_commands_tell_of_every_change(tmp_path: Path) -> None:
    """Takeover, two engagements and the hand-back; smooth commands bump less than normal."""
    found = figures(without(good_tape(), "arbiter/handover"), tmp_path).bumps
    assert [b.kind for b in found] == [
        HandoverKind.TAKEOVER,
        HandoverKind.ENGAGE,
        HandoverKind.ENGAGE,
        HandoverKind.HANDBACK,
    ]
    assert not any(b.by_arbiter for b in found)
    assert all(b.motion.step <= 0.0003 for b in found)


class _Bag:
    """As much of a bag as ``bumps`` needs: one joint name a column and no handovers."""

    topics: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, n: int) -> None:
        self.info = type("Info", (), {"joint_names": tuple(f"j{i}" for i in range(n))})()


def ride(position: np.ndarray, taken: int) -> Commands:
    """Commands at 200 Hz: the policy drives until tick ``taken``, then an operator aligns."""
    t = len(position)
    mode = np.where(np.arange(t) < taken, int(Mode.AUTONOMOUS), int(Mode.ALIGN)).astype(np.int64)
    authority = np.where(np.arange(t) < taken, int(Authority.POLICY), 0).astype(np.int64)
    zero = np.zeros(t, dtype=np.int64)
    stamps = at(0) + np.arange(t, dtype=np.int64) * 5 * MS
    return Commands(stamps, stamps, zero + 1, mode, authority, authority, zero, zero, position)


@settings(max_examples=40, deadline=None)
@given(
    jump=st.floats(0.01, 0.5),
    joint=st.integers(0, 2),
    after=st.integers(0, 90),
)
def test_a_jump_is_found_with_its_size_and_its_joint(jump: float, joint: int, after: int) -> None:
    """A step of one joint within the window is the step, its speed follows from 5 ms."""
    t, taken = 900, 600
    position = 0.3 * np.sin(np.arange(t)[:, None] * 0.01 + np.arange(3))
    position[taken + after :, joint] += jump
    (bump,) = bumps(_Bag(3), ride(position, taken))  # type: ignore[arg-type]
    ordinary = 0.3 * 0.01
    assert bump.joint == f"j{joint}"
    assert bump.motion.step == pytest.approx(jump, abs=ordinary)
    assert bump.motion.velocity == pytest.approx(bump.motion.step / 0.005)
    assert bump.motion.acceleration == pytest.approx(jump / 0.005**2, rel=0.1)
    assert bump.normal.step == pytest.approx(ordinary, rel=0.01)
    assert bump.normal.velocity == pytest.approx(ordinary / 0.005, rel=0.01)
    assert bump.ratio > 2


@settings(max_examples=20, deadline=None)
@given(after=st.integers(WINDOW_NS // (5 * MS) + 3, 250))
def test_a_jump_after_the_window_is_not_the_handovers(after: int) -> None:
    """What happens later has another cause."""
    position = 0.3 * np.sin(np.arange(900)[:, None] * 0.01 + np.arange(3))
    position[600 + after :, 1] += 0.4
    (bump,) = bumps(_Bag(3), ride(position, 600))  # type: ignore[arg-type]
    assert bump.motion.step < 0.004


def test_a_clock_that_stands_still_is_no_infinite_speed() -> None:
    """Two ticks of one stamp are one command; a hole in the recording is no step."""
    position = 0.3 * np.sin(np.arange(900)[:, None] * 0.01 + np.arange(3))
    commands = ride(position, 600)
    commands.stamps[620:] -= 5 * MS  # tick 620 has the stamp of 619
    commands.stamps[640:] += 300 * MS
    position[640:] += 1.0
    (bump,) = bumps(_Bag(3), commands)  # type: ignore[arg-type]
    assert bump.motion.step < 0.007
    assert math.isfinite(bump.motion.jerk)


def test_too_little_motion_has_no_normal() -> None:
    """Of less than a second of motion a 99th percentile says nothing."""
    position = 0.3 * np.sin(np.arange(200)[:, None] * 0.01 + np.arange(3))
    (bump,) = bumps(_Bag(3), ride(position, 100))  # type: ignore[arg-type]
    assert math.isnan(bump.normal.step)
    assert math.isnan(bump.ratio)


def test_totals_are_sums_and_joined_series(tmp_path: Path) -> None:
    """Two bags together: counts and seconds add up, percentiles are of all values."""
    first = bag_stats(good_tape().write(tmp_path / "a"))
    spare = without(good_tape(), "operator/frame")
    second = bag_stats(without(spare, "teleop/target").write(tmp_path / "b"))
    both = totals([first, second])
    assert (both.bags, both.successes, len(both.interventions)) == (2, 2, 2)
    assert both.duration_s == pytest.approx(first.duration_s + second.duration_s)
    assert len(both.latency[SOLVE]) == len(first.latency[SOLVE])
    assert len(both.latency[INFERENCE]) == 2 * len(first.latency[INFERENCE])
    assert totals([]).bags == 0


def test_figures_are_strict_json(tmp_path: Path) -> None:
    """What is not known is null, never NaN, which is no JSON."""
    tape = good_tape()
    tape.of("arbiter/handover")[0].change(press_to_authority_ms=math.nan, normal_step=math.nan)
    found = figures(tape, tmp_path)
    text = json.dumps([found.to_json(), totals([found]).to_json()], allow_nan=False)
    assert json.loads(text)[0]["bumps"][0]["press_to_authority_ms"] is None


@pytest.mark.parametrize("version", [1, 2])
def test_older_bags_have_figures(version: int) -> None:
    """A bag without operator and policy has rates and durations, and nothing else."""
    found = bag_stats(DATA / f"bag_version_{version}")
    assert (found.interventions, found.bumps, found.errors) == ((), (), 0)
    assert found.duration_s == pytest.approx(0.195)
    assert found.topics["joint_command"].rate_hz == pytest.approx(200.0)


def test_a_bag_of_other_definitions_is_not_measured(tmp_path: Path) -> None:
    """Fields of another meaning would be figures of nothing."""
    tape = good_tape()
    tape.types["teleop/target"] = "rove_msgs/msg/PolicyStatus"
    for row in tape.of("teleop/target"):
        row.message, row.cdr = make("policy/status", row.stamp_ns), None
    with pytest.raises(BagError, match="teleop/target"):
        figures(tape, tmp_path)


def test_the_summary_says_the_same(tmp_path: Path) -> None:
    """``rove bag info`` and ``rove bag stats`` agree on stages and takeovers."""
    path = good_tape().write(tmp_path / "bag")
    row, found = summarise_bag(path), bag_stats(path)
    assert row.takeovers == len(found.interventions)
    assert row.recovery_s == pytest.approx(found.stages[Stage.RECOVERY])
    assert row.duration_s == pytest.approx(found.duration_s)
    assert (row.state.value, row.version, row.lost) == ("complete", 3, 0)


def test_the_ledger_of_a_bag_is_that_of_its_stamps(tmp_path: Path) -> None:
    """Every leg that messages carry stamps of is measured once a frame and once a picture."""
    tape, wall = good_tape(), 10**18
    for row in tape.of("joint_command"):
        number = row.message.operator_sequence
        if number:
            base = wall + number * 15 * MS
            stamps = {"captured_ns": 0, "received_ns": 9, "retargeted_ns": 12, "decided_ns": 15}
            row.change(**{name: base + ms * MS for name, ms in stamps.items()})
            row.change(commanded_ns=base + 16 * MS)
    first = {}
    for row in tape.of("joint_command"):
        first.setdefault(row.message.operator_sequence, row.message)
    del first[0]
    done = list(first.values())[:20]
    times = make(
        "robot/times",
        at(399),
        epoch=done[0].epoch,
        sequence=np.array([m.sequence for m in done], dtype=np.uint64),
        applied_ns=np.array([m.commanded_ns + 4 * MS for m in done], dtype=np.int64),
        camera=["ego"],
        picture_ns=np.array([77], dtype=np.int64),
        captured_ns=np.array([wall], dtype=np.int64),
    )
    for row in tape.of("operator/frame")[:9]:
        row.change(picture_ns=77, shown_ns=wall + 42 * MS)
    tape.rows.append(Row("robot/times", times, at(399), at(399), 1))
    found = figures(tape, tmp_path).latency
    frames = len(first)
    wanted = {
        "pose captured to received": (9.0, frames),
        "received to retargeted": (3.0, frames),
        "retargeted to decided": (3.0, frames),
        "decided to commanded": (1.0, frames),
        "received to commanded": (7.0, frames),
        "commanded to applied": (4.0, 20),
        "pose captured to applied": (20.0, 20),
        "camera captured to shown": (42.0, 1),
    }
    measured = {
        name: (found[name].percentile(50), len(found[name])) for name in wanted if name in found
    }
    assert measured == wanted


def test_a_bag_without_stamps_has_no_ledger(tmp_path: Path) -> None:
    """Bags of versions 1 and 2 have none of the fields; their other figures are as before."""
    for version in (1, 2):
        found = bag_stats(DATA / f"bag_version_{version}").latency
        assert not {leg.name for leg in LEGS} & set(found)


def test_commands_from_before_the_clock_ran_are_not_decades_of_episode(tmp_path: Path) -> None:
    """An arbiter without a clock stamps 0: a bag of 9 s was said to last 1,795,697,185 s."""
    tape = good_tape()
    for row in tape.of("joint_command")[:5]:
        row.stamp(0)
    path = tape.write(tmp_path / "bag")
    assert 1.0 < summarise_bag(path).duration_s < 3.0
    assert 1.0 < bag_stats(path).duration_s < 3.0


def test_a_bag_begins_with_the_first_command_that_has_a_time(tmp_path: Path) -> None:
    """A command that came before the recorder had a clock put its episode into 1970, and `rove up`
    left the bag out of its table."""
    tape = good_tape()
    first, second = tape.of("joint_command")[:2]
    first.log_ns = 0
    assert summarise_bag(tape.write(tmp_path / "bag")).start_ns == second.log_ns
