"""Laws of episodes: what is cut, where interventions and t_r are, who said so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightly_examples import A, C, D, N, R, write_episode
from test_data import robot

from rove_core.bag.episode import read_episode
from rove_core.errors import BagError, ContractError
from rove_core.vocabulary import Mode, Outcome
from rove_learner.episodes import (
    LearnEpisode,
    from_bag,
    read_learn_episodes,
    with_recoveries,
)
from rove_learner.recovery import Recovery, Source, interventions, recovery_by_value, settle


def load(path: Path) -> LearnEpisode:
    return from_bag(read_episode(path, robot()), path.name)


def test_cut_frames_are_gone_and_segments_break_there(tmp_path: Path) -> None:
    """NONE frames vanish; a frame that the recorder lacks breaks a segment, too."""
    stages = [R, R, N, A, A, C, C, C, C, R]
    episode = load(write_episode(tmp_path / "a", stages))
    assert episode.stage.tolist() == [R, R, A, A, C, C, C, C, R]
    assert episode.segment.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert len(episode.images["ego"]) == len(episode) == 9
    # The action is what was executed: the command in force when the next frame is due.
    np.testing.assert_allclose(episode.executed[:, 0] - episode.position[:, 0], 0.1, atol=1e-6)
    lossy = load(write_episode(tmp_path / "b", [R] * 10, lost=(4, 5, 6, 7)))
    steps = np.diff(lossy.times_ns) > 50_000_000
    assert steps.any()
    np.testing.assert_array_equal(np.diff(lossy.segment), steps)


def test_the_mark_decides(tmp_path: Path) -> None:
    """t_r is the first recovery frame of each intervention, counted after cutting."""
    stages = [R, N, A, A, C, C, N, R, R, N, A, C, R]
    episode = load(write_episode(tmp_path / "a", stages))
    assert episode.spans == ((1, 4), (7, 8))
    assert episode.recoveries == (Recovery(3, Source.MARK), Recovery(8, Source.MARK))
    assert episode.recovery_frames == (3, 8)


def test_without_a_mark_the_end_stands_in(tmp_path: Path) -> None:
    """No recovery stage: t_r = T, and the source says so."""
    episode = load(write_episode(tmp_path / "a", [R, N, A, A, R, R], Outcome.FAILURE))
    assert episode.recoveries == (Recovery(4, Source.END),)
    assert episode.success is False


def test_aligning_anew_begins_an_intervention_and_a_clutch_does_not(tmp_path: Path) -> None:
    """Between two adaptations, ALIGN tells two takeovers from a pause of one."""
    stages = [R, A, A, N, A, C]
    human, clutch, align = Mode.HUMAN, Mode.CLUTCH, Mode.ALIGN
    for middle, spans in ((clutch, ((1, 4),)), (align, ((1, 2), (3, 4)))):
        modes = [Mode.AUTONOMOUS, human, human, middle, human, human]
        path = write_episode(tmp_path / middle.name, stages, modes=modes)
        assert load(path).spans == spans


def test_recovery_that_turns_into_adaptation_is_a_new_intervention() -> None:
    """A stage only goes from adaptation to recovery inside one intervention."""
    stage = np.array([A, C, A, C, R, A], dtype=np.uint8)
    assert interventions(stage, [0] * 6) == ((0, 1), (2, 3), (5, 5))
    assert interventions(np.array([R, D], dtype=np.uint8), [0, 0]) == ()


@pytest.mark.parametrize(
    ("outcome", "success"),
    [
        (Outcome.SUCCESS, True),
        (Outcome.FAILURE, False),
        (Outcome.TIMEOUT, False),
        (Outcome.ABORTED, None),
        (Outcome.UNKNOWN, None),
    ],
)
def test_endings(tmp_path: Path, outcome: Outcome, success: bool | None) -> None:
    """A time-out is a failure; an aborted or unknown episode has no terminal label."""
    assert load(write_episode(tmp_path / "a", [R] * 4, outcome)).success is success


def test_the_value_finds_where_the_motion_advances_for_good() -> None:
    """It falls, rises, falls again below that, and rises to the end: from the last minimum on."""
    values = np.array([-50.0] * 5 + [-60] * 6 + [-40] * 6 + [-80] * 6 + [-70] * 6 + [-30] * 6)
    found = recovery_by_value(values, (5, 34), 35)
    assert found.source == Source.VALUE
    assert 20 <= found.frame <= 23  # the smoothing is 2 frames wide each way
    assert recovery_by_value(values, (5, 22), 35) == Recovery(34, Source.END)
    assert recovery_by_value(np.zeros(35), (5, 20), 35) == Recovery(34, Source.END)
    with pytest.raises(ContractError, match="finite"):
        recovery_by_value([np.nan] * 35, (5, 20), 35)


@given(st.lists(st.floats(-500, 0), min_size=8, max_size=40))
def test_a_value_never_places_the_boundary_outside(values: list[float]) -> None:
    """t_r lies inside the intervention, or at T."""
    span, n = (2, len(values) - 3), len(values)
    found = recovery_by_value(values, span, n)
    if found.source == Source.END:
        assert found.frame == n - 1
    else:
        assert span[0] <= found.frame <= span[1]


def test_the_value_only_decides_what_no_mark_decided() -> None:
    """A mark stays where the operator put it."""
    marked, lost = Recovery(1, Source.MARK), Recovery(9, Source.END)
    values = np.array([0, 0, 0, -90, -90, -90, -90, -90, -10, -10], dtype=float)
    found = settle((marked, lost), ((0, 2), (3, 9)), values, 10)
    assert found[0] == marked
    assert found[1].source == Source.VALUE
    assert 5 <= found[1].frame <= 7


def test_digests_follow_the_content(tmp_path: Path) -> None:
    """Pictures have a digest of their own; moving t_r changes the episode's, not theirs."""
    one, two = (load(write_episode(tmp_path / n, [R, N, A, C, R])) for n in "ab")
    assert (one.digest, one.picture_digest) == (two.digest, two.picture_digest)
    moved = with_recoveries(one, (Recovery(0, Source.VALUE),))
    assert moved.picture_digest == one.picture_digest
    assert moved.digest != one.digest
    with pytest.raises(ContractError, match="1 interventions"):
        with_recoveries(one, ())


def test_unusable_bags_are_named(tmp_path: Path) -> None:
    """Truncated, foreign and wholly cut bags are left out with reasons; names stay unique."""
    write_episode(tmp_path / "x" / "same", [R] * 4)
    write_episode(tmp_path / "y" / "same", [R] * 5)
    write_episode(tmp_path / "still", [N] * 4)
    for name, change in (("cut", lambda b: b[:-300]), ("foreign", lambda b: b"no bag")):
        (mcap,) = write_episode(tmp_path / name, [R] * 4).glob("*.mcap")
        mcap.write_bytes(change(mcap.read_bytes()))
    data = read_learn_episodes([tmp_path], robot())
    assert sorted(e.name for e in data.episodes) == ["same", "y.same"]
    reasons = {Path(path).name: why for path, why in data.left_out.items()}
    assert {n: w in reasons[n] for n, w in
            (("cut", "truncated"), ("foreign", "not a bag"), ("still", "NONE"))} == {
        "cut": True, "foreign": True, "still": True}  # fmt: skip
    few = read_learn_episodes([tmp_path / "x", tmp_path / "y"], robot(), most=1)
    assert len(few.episodes) == 1


def test_no_bags_and_only_broken_ones_are_errors(tmp_path: Path) -> None:
    """Both say what was found where."""
    with pytest.raises(BagError, match="no bags below"):
        read_learn_episodes([tmp_path], robot())
    (mcap,) = write_episode(tmp_path / "cut", [R] * 4).glob("*.mcap")
    mcap.write_bytes(mcap.read_bytes()[:-300])
    with pytest.raises(BagError, match=r"none of the 1 bags.*truncated"):
        read_learn_episodes([tmp_path], robot())
