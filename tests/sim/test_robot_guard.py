"""Laws of the robot's own last line."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rove_core.robot import RobotSpec, load_robot
from rove_sim.robot_guard import MAX_JUMP_RAD, TIMEOUT_S, Refusal, RobotGuard

SPEC = load_robot("g1_dex3")
START = np.clip(SPEC.home, SPEC.lower, SPEC.upper)
JOINTS = st.integers(0, SPEC.size - 1)


def fresh(now: float = 0.0) -> RobotGuard:
    return RobotGuard(SPEC, START, now)


def inward(joint: int, step: float) -> np.ndarray:
    """START with one joint moved by ``step`` rad towards the middle of its range."""
    target = START.copy()
    middle = (SPEC.lower[joint] + SPEC.upper[joint]) / 2
    target[joint] += np.copysign(step, middle - START[joint])
    return target


def offer(
    guard: RobotGuard,
    target=START,
    epoch=1,
    sequence=0,
    now=0.0,
    measured=START,
):
    return guard.command(target, epoch, sequence, now, measured)


def test_holds_before_the_first_command() -> None:
    """Law: a robot nobody commands holds where it stood, and says so."""
    state = fresh().state(0.0)
    assert state.holding
    assert "no command" in state.reason
    np.testing.assert_array_equal(fresh().target, START)


@given(st.lists(st.floats(0.0, 0.2), min_size=1, max_size=30))
def test_holds_exactly_when_silence_reaches_the_timeout(gaps: list[float]) -> None:
    """Law: holds if and only if no good command came for TIMEOUT_S; the target stays the last."""
    guard, now = fresh(), 10.0
    for sequence, gap in enumerate(gaps):
        assert offer(guard, inward(0, 0.01), 1, sequence, now=now) is None
        last, now = now, now + gap
        assert guard.state(now).holding == (now - last >= TIMEOUT_S)
        np.testing.assert_allclose(guard.target, inward(0, 0.01))


@given(JOINTS, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_refuses_what_is_not_finite(joint: int, value: float) -> None:
    """Law: one value that is not finite refuses the command and leaves the target alone."""
    guard, target = fresh(), START.copy()
    target[joint] = value
    assert offer(guard, target) is Refusal.SHAPE
    np.testing.assert_array_equal(guard.target, START)


@pytest.mark.parametrize(
    "target", [START[:-1], np.append(START, 0.0), START[None], "no", [None] * SPEC.size]
)
def test_refuses_a_wrong_shape(target: object) -> None:
    """Law: anything but N numbers is refused, without an exception."""
    assert offer(fresh(), target) is Refusal.SHAPE


@given(JOINTS, st.floats(1.01e-3, 3.0), st.booleans())
def test_refuses_beyond_the_limits_and_names_the_joint(
    joint: int, excess: float, above: bool
) -> None:
    """Law: beyond a limit by more than 1e-3 rad is refused, and the reason names the joint."""
    guard, target = fresh(), START.copy()
    target[joint] = SPEC.upper[joint] + excess if above else SPEC.lower[joint] - excess
    assert offer(guard, target) is Refusal.LIMITS
    assert SPEC.joint_names[joint] in guard.state(0.0).reason


@given(JOINTS, st.floats(0.0, 0.99e-3))
def test_clips_what_is_a_hair_outside(joint: int, excess: float) -> None:
    """Law: a rounding error at a limit is clipped, and the target never leaves the limits."""
    measured = START.copy()
    measured[joint] = SPEC.upper[joint]
    guard = RobotGuard(SPEC, measured, 0.0)
    target = measured.copy()
    target[joint] += excess
    assert offer(guard, target, measured=measured) is None
    assert (guard.target <= SPEC.upper).all()


@given(JOINTS, st.floats(0.0, 0.25))
def test_refuses_a_jump(joint: int, step: float) -> None:
    """Law: a step is taken if and only if it is at most MAX_JUMP_RAD from the present target."""
    target = inward(joint, step)
    # An ankle's whole range is 0.48 rad: a long step leaves it, which is another refusal.
    assume((SPEC.lower <= target).all() and (target <= SPEC.upper).all())
    moved = abs(target[joint] - START[joint])
    expected = Refusal.JUMP if moved > MAX_JUMP_RAD else None
    assert offer(fresh(), target) is expected


def test_a_holding_robot_can_be_picked_up_where_it_is() -> None:
    """Bug to avoid: an arbiter that restarts at the measured joints is refused for ever, because a
    hand under load is farther from the held target than a jump may be."""
    guard = fresh()
    assert offer(guard, now=0.0) is None
    pushed = inward(SPEC.index("right_wrist_pitch_joint"), 0.3)
    assert offer(guard, pushed, 1, 1, now=0.01, measured=pushed) is Refusal.JUMP
    assert offer(guard, pushed, 2, 0, now=0.2, measured=pushed) is None


def test_refuses_a_second_publisher_and_obeys_the_first() -> None:
    """Law: while one epoch is alive no other one is obeyed, a newer one neither; when it has
    fallen silent the next one is, and then the old one is not any more."""
    guard = fresh()
    assert offer(guard, epoch=1, sequence=0, now=0.0) is None
    assert offer(guard, epoch=2, sequence=0, now=0.03) is Refusal.PUBLISHER
    assert offer(guard, epoch=1, sequence=1, now=0.04) is None
    assert offer(guard, epoch=2, sequence=1, now=0.06) is Refusal.PUBLISHER
    assert offer(guard, epoch=2, sequence=2, now=0.1) is None
    assert offer(guard, epoch=1, sequence=2, now=0.11) is Refusal.EPOCH


def test_what_is_refused_does_not_feed_the_watchdog() -> None:
    """Law: a robot that hears only refused commands holds."""
    guard = fresh()
    assert offer(guard, epoch=1, sequence=5, now=0.0) is None
    for sequence, now in ((1, 0.02), (2, 0.04)):
        assert offer(guard, epoch=1, sequence=sequence, now=now) is Refusal.SEQUENCE
    assert guard.state(0.0 + TIMEOUT_S).holding


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 0.1)), max_size=40))
def test_epoch_and_sequence_never_go_back(commands: list[tuple[int, int, float]]) -> None:
    """Law: obeyed commands rise in (epoch, sequence); every command is counted once."""
    guard, obeyed, now = fresh(), [], 0.0
    for epoch, sequence, gap in commands:
        now += gap
        if offer(guard, START, epoch, sequence, now) is None:
            obeyed.append((epoch, sequence))
    assert all(a < b for a, b in pairwise(obeyed))
    state = guard.state(now)
    assert state.accepted == len(obeyed)
    assert state.accepted + sum(state.refused.values()) == len(commands)


def test_the_target_is_a_copy(spec: RobotSpec) -> None:
    """Law: changing the caller's array afterwards changes nothing."""
    guard, target = fresh(), START.copy()
    assert offer(guard, target) is None
    target[:] = 9.0
    np.testing.assert_array_equal(guard.target, START)
