"""Retargeter: frames that it must not follow, and that nothing jumps after them."""

from __future__ import annotations

import math
from typing import Any

import daqp
import msgspec
import numpy as np
import pinocchio as pin
import pytest
from retarget_bench import (
    BODY,
    JOINTS,
    PERIOD_NS,
    Run,
    enabled_run,
    frame,
    shifted,
)

from rove_core.errors import ContractError
from rove_teleop.retarget.body.solve import LeastSquares
from rove_teleop.retarget.faults import MAX_AGE_NS, REASONS
from rove_teleop.retarget.model import to_pose, to_transform

NAN = (math.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
# Half a turn about x: as a tracker reports a hand whose sides it mistakes.
FLIPPED = pin.SE3(pin.exp3(np.array([np.pi, 0.0, 0.0])), np.zeros(3))
FAULTS: dict[str, dict[str, Any]] = {
    "right_wrist of the frame is not finite": {"right_wrist": NAN},
    "head of the frame is not finite": {"head": NAN},
    "left_wrist of the frame has no unit": {"left_wrist": (0.0,) * 7},
    "right hand is squeezed but not tracked": {"right_tracked": False},
    "left hand is squeezed but not tracked": {"left_tracked": False},
    "right wrist leapt": {"right_wrist": (0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    "right wrist turned": {
        "right_wrist": to_pose(to_transform(frame().right_wrist) * FLIPPED),
    },
    "head leapt": {"head": (9.0, 3.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    "left_elbow of the frame is not finite": {"left_elbow": NAN, "left_elbow_tracked": True},
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_bad_frame_is_refused_and_nothing_jumps_after_it(reason: str) -> None:
    """A fault gives valid False with its reason and the last target, not a guess. The next good
    frame, wherever the hand is by then, starts from there: zero step."""
    run, shown, before = enabled_run()
    result = run.show(msgspec.structs.replace(shown, **FAULTS[reason]))
    assert not result.valid
    assert not result.enabled
    assert reason in result.reason
    assert np.array_equal(result.position, before)
    elsewhere = shifted(shown, "right", np.array([0.1, 0.2, -0.1]))
    result = run.show(elsewhere)
    assert result.valid
    assert result.enabled
    assert np.abs(result.position - before)[BODY].max() < 1e-6


def test_time_that_runs_backwards_is_refused_once() -> None:
    """A frame from the past is refused; a clock that was set back is lived with after that."""
    run, shown, before = enabled_run()
    result = run.show(shown, step_ns=-10 * PERIOD_NS)
    assert not result.valid
    assert "backwards" in result.reason
    assert np.array_equal(result.position, before)
    assert run.show(shown).valid


@pytest.mark.parametrize("age_ns", [MAX_AGE_NS + 10_000_000, -MAX_AGE_NS - PERIOD_NS])
def test_an_old_frame_is_refused(age_ns: int) -> None:
    """A frame of another time than now says nothing about where the hand is."""
    run, shown, _ = enabled_run()
    run.now += 10 * MAX_AGE_NS
    result = run.show(shown, age_ns=age_ns)
    assert not result.valid
    assert "ms old" in result.reason


def test_a_hand_that_is_not_squeezed_may_do_anything() -> None:
    """Faults of a loose hand, lost tracking and leaps included, do not stop the other one."""
    run = Run()
    start = frame(left_squeeze=0.0)
    run.show(start)
    odd = {"left_wrist": (0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 1.0), "left_tracked": False}
    result = run.show(msgspec.structs.replace(start, head_tracked=False, **odd))
    assert result.valid
    assert result.enabled


def test_the_head_must_be_seen_at_the_squeeze() -> None:
    """Without a head forward is unknown, so no origin is set."""
    result = Run().show(frame(head_tracked=False))
    assert not result.valid
    assert "head is not tracked" in result.reason


def test_measured_joints_that_are_not_finite_are_refused() -> None:
    """The target stays finite even when the robot reports nonsense."""
    run = Run()
    run.joints[3] = math.nan
    result = run.show(frame())
    assert not result.valid
    assert "measured" in result.reason
    assert np.isfinite(result.position).all()
    with pytest.raises(ContractError, match=r"\(42,\) given, \(43,\) allowed"):
        run.retargeter.update(frame(), JOINTS[:-1], 0, 0)


def test_no_time_means_no_motion() -> None:
    """Two frames with one stamp (a simulation slower than the operator) give one target."""
    run, shown, before = enabled_run()
    result = run.show(shifted(shown, "right", np.array([0.02, 0.0, 0.0])), step_ns=0)
    assert result.valid
    assert np.array_equal(result.position, before)


def test_every_refusal_is_counted_by_its_reason() -> None:
    """Each fault adds one to one known reason; a good frame adds nothing."""
    run, shown, _ = enabled_run()
    assert sum(run.retargeter.rejected.values()) == 0
    expected = {"not finite": 3, "quaternion": 1, "not tracked": 2, "leap": 2, "turn": 1}
    for change in FAULTS.values():
        run.show(shown)
        run.show(msgspec.structs.replace(shown, **change))
    assert dict(run.retargeter.rejected) == expected
    run.show(shown)
    run.show(shown, age_ns=MAX_AGE_NS + 1)
    assert set(run.retargeter.rejected) <= set(REASONS)


def test_the_sign_of_a_quaternion_does_not_matter() -> None:
    """q and -q are one rotation: a changed sign moves nothing and is not refused."""
    run, shown, _ = enabled_run()
    before = run.show(shown).position
    flipped = {
        name: (*pose[:3], *(-v for v in pose[3:]))
        for name in ("head", "left_wrist", "right_wrist")
        for pose in [getattr(shown, name)]
    }
    result = run.show(msgspec.structs.replace(shown, **flipped))
    assert result.valid
    assert np.abs(result.position - before).max() < 1e-3


def test_lost_frames_make_longer_leaps() -> None:
    """What is too far for one frame is not for the ten frames that were lost."""
    run, shown, _ = enabled_run()
    away = shifted(shown, "right", np.array([0.0, -0.7, 0.0]))
    assert "leapt" in run.show(away).reason
    run, shown, _ = enabled_run()
    assert run.show(away, step_ns=10 * PERIOD_NS).valid


def test_a_failing_solver_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """No solution: valid False, the reason, the last target, counted; the next good frame starts
    anew from the measured joints."""
    run, shown, before = enabled_run()
    with monkeypatch.context() as patch:
        patch.setattr(LeastSquares, "solve", lambda self: (np.full(17, np.nan), "cycling"))
        result = run.show(shifted(shown, "right", np.array([0.02, 0.0, 0.0])))
    assert not result.valid
    assert not result.enabled
    assert result.reason == "inverse kinematics: cycling"
    assert np.array_equal(result.position, before)
    assert run.retargeter.rejected["no solution"] == 1
    result = run.show(shown)
    assert result.valid
    assert np.abs(result.position - before)[BODY].max() < 1e-6


def test_a_solution_that_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that reports success with nonsense has not solved anything."""
    run, shown, before = enabled_run()
    good = daqp.solve

    def nonsense(*given: Any) -> Any:
        x, *rest = good(*given)
        return (np.full(len(x), np.nan), *rest)

    with monkeypatch.context() as patch:
        patch.setattr(daqp, "solve", nonsense)
        result = run.show(shifted(shown, "right", np.array([0.02, 0.0, 0.0])))
    assert "not finite" in result.reason
    assert np.array_equal(result.position, before)
