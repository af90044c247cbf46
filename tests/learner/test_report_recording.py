"""Laws of what the report reads from a bag."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import ALONE, BEGIN_NS, GIVEN_UP, HELPED, SHOWN, Part, write_episode

from rove_core.vocabulary import EpisodeKind, Outcome, Stage
from rove_learner.report.recording import read_recording, read_recordings

LOOK_S = 0.021  # a change of stage is seen this late at most


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(Stage)), st.sampled_from([0.1, 0.24, 0.5])),
        min_size=1,
        max_size=6,
    )
)
def test_spans_cover_the_episode_and_agree_with_the_summary(parts: list[Part]) -> None:
    """Spans follow each other without holes, change stage each time, and sum up to the stages."""
    with tempfile.TemporaryDirectory() as folder:
        row = read_recording(write_episode(Path(folder) / "bag", parts))
    assert row.begin_ns == BEGIN_NS
    assert row.spans[0].start_s == 0
    assert row.spans[-1].end_s == pytest.approx(sum(seconds for _, seconds in parts))
    for a, b in zip(row.spans, row.spans[1:], strict=False):
        assert a.end_s == b.start_s
        assert a.stage != b.stage
    for stage, seconds in (
        (Stage.ROLLOUT, row.summary.rollout_s),
        (Stage.RECOVERY, row.summary.recovery_s),
    ):
        drawn = sum(span.seconds for span in row.spans if span.stage == stage)
        assert drawn == pytest.approx(seconds, abs=LOOK_S * (len(parts) + 1))


@pytest.mark.parametrize(
    ("parts", "at"),
    [
        (ALONE, []),
        (SHOWN, []),
        (HELPED, [1.2]),
        (GIVEN_UP, [1.0]),
        ((*GIVEN_UP, (Stage.NONE, 0.2), (Stage.ROLLOUT, 0.8)), [2.0]),
        ((*HELPED, (Stage.ROLLOUT, 0.4), *GIVEN_UP), [1.2, 3.4]),
        # A clutch in the middle of an adaptation does not end it.
        ((*GIVEN_UP, (Stage.NONE, 0.2), (Stage.ADAPTATION, 0.2), (Stage.RECOVERY, 0.2)), [1.4]),
    ],
)
def test_the_boundary_is_the_end_of_adaptation(
    tmp_path: Path, parts: tuple[Part, ...], at: list[float]
) -> None:
    """t_r is where recovery begins; an intervention that never gets there has it at the end."""
    row = read_recording(write_episode(tmp_path / "bag", parts))
    found = row.boundaries()
    assert [boundary.at_s for boundary in found] == pytest.approx(at, abs=LOOK_S)
    for boundary in found:
        drawn_at_the_end = boundary.at_s == row.duration_s
        assert ("no mark" in boundary.source) == drawn_at_the_end


def test_time_without_commands_is_cut(tmp_path: Path) -> None:
    """Where nothing was in force for longer than two periods, no stage is claimed."""
    row = read_recording(write_episode(tmp_path / "bag", ALONE, silent=(0.3, 0.7)))
    assert [span.stage for span in row.spans] == [Stage.ROLLOUT, Stage.NONE, Stage.ROLLOUT]
    assert (row.spans[1].start_s, row.spans[1].end_s) == pytest.approx((0.3, 0.7), abs=LOOK_S)


def test_success_without_help_needs_both(tmp_path: Path) -> None:
    """Only a success in which nobody drove counts as done alone."""
    cases = {
        "alone": (ALONE, Outcome.SUCCESS, True),
        "failed": (ALONE, Outcome.FAILURE, False),
        "timeout": (ALONE, Outcome.TIMEOUT, False),
        "helped": (HELPED, Outcome.SUCCESS, False),
        "shown": (SHOWN, Outcome.SUCCESS, False),
    }
    for name, (parts, outcome, alone) in cases.items():
        row = read_recording(write_episode(tmp_path / name, parts, outcome))
        assert row.succeeded_alone is alone, name


def test_only_rollouts_of_known_outcome_are_trials(tmp_path: Path) -> None:
    """Demonstrations and unknown endings say nothing of a policy; an abort does."""
    write_episode(tmp_path / "shown", SHOWN, kind=EpisodeKind.DEMONSTRATION)
    write_episode(tmp_path / "unknown", ALONE, Outcome.UNKNOWN)
    write_episode(tmp_path / "aborted", ALONE, Outcome.ABORTED)
    rows = read_recordings([tmp_path])
    assert len(rows.good) == 3
    assert [row.name for row in rows.trials] == ["aborted"]


def test_what_cannot_be_read_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    """A missing, a foreign and a truncated bag each have a line; good ones come in time's order."""
    late = write_episode(tmp_path / "a_late", begin_ns=BEGIN_NS + 10**12)
    early = write_episode(tmp_path / "b_early")
    cut = write_episode(tmp_path / "cut")
    file = next(cut.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-2000])
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "foreign.mcap").write_bytes(b"not a recording at all")
    rows = read_recordings([late, early, cut, foreign, tmp_path / "gone"])
    assert [row.name for row in rows.good] == ["b_early", "a_late"]
    errors = {row.path.name: row.error for row in rows.bad}
    assert set(errors) == {"cut", "foreign", "gone"}
    assert "truncated" in errors["cut"]
    assert "not a bag" in errors["foreign"]
    assert "does not exist" in errors["gone"]


def test_a_bag_that_changed_is_read_again(tmp_path: Path) -> None:
    """What was read before is not kept past a change of the file."""
    bag = write_episode(tmp_path / "one", ALONE)
    assert read_recording(bag).duration_s == pytest.approx(1.0)
    next(bag.glob("*.mcap")).unlink()
    (bag / "metadata.yaml").unlink()
    bag.rmdir()
    write_episode(bag, HELPED)
    assert read_recording(bag).duration_s == pytest.approx(2.0)
