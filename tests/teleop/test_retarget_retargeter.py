"""Retargeter: zero step, limits, reach, mirror of left and right, alignment."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retarget_bench import (
    BODY,
    JOINTS,
    MODEL,
    PERIOD_NS,
    SPEC,
    START_NS,
    Run,
    enabled_run,
    frame,
    shifted,
)

from rove_core.arrays import FloatArray
from rove_teleop.retarget.model import robot_poses, to_transform
from rove_teleop.retarget.retargeter import Retargeter


def random_posture(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    joints = np.array(SPEC.home)
    joints[BODY] = rng.uniform(SPEC.lower[BODY], SPEC.upper[BODY])
    return joints


@given(st.integers(0, 2**32 - 1))
def test_order_of_joints_survives_the_round_trip(seed: int) -> None:
    """spec order -> pinocchio's q -> spec order gives the same vector back, joint by joint."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(SPEC.lower, SPEC.upper)
    assert np.array_equal(MODEL.position_of(MODEL.q_of(joints), joints), joints)
    q = MODEL.q_of(joints)
    for i, name in enumerate(list(MODEL.model.names)[1:]):
        assert q[i] == joints[SPEC.index(name)]


def test_poses_agree_with_the_whole_model() -> None:
    """Wrists of the reduced model are those of the URDF's full model, for joints in any place."""
    full = pin.buildModelFromUrdf(str(SPEC.urdf_path))
    data = full.createData()
    for seed in range(20):
        joints = random_posture(seed)
        q = pin.neutral(full)
        for name, value in zip(SPEC.joint_names, joints, strict=True):
            q[full.joints[full.getJointId(name)].idx_q] = value
        pin.framesForwardKinematics(full, data, q)
        pelvis = data.oMf[full.getFrameId(SPEC.frames["pelvis"])]
        poses = robot_poses(MODEL, joints)
        for side in ("left", "right"):
            wanted = pelvis.actInv(data.oMf[full.getFrameId(SPEC.frames[f"{side}_wrist"])])
            got = to_transform(getattr(poses, f"{side}_wrist"))
            assert np.allclose(got.homogeneous, wanted.homogeneous, atol=1e-9)


def test_the_head_is_where_the_eyes_are() -> None:
    """At home the head is 0.4-0.6 m above the pelvis and turns with the waist."""
    head = to_transform(robot_poses(MODEL, JOINTS).head)
    assert 0.4 < head.translation[2] < 0.6
    turned = JOINTS.copy()
    turned[SPEC.index("waist_yaw_joint")] = 0.5
    after = to_transform(robot_poses(MODEL, turned).head)
    assert pin.log3(head.rotation.T @ after.rotation) == pytest.approx([0, 0, 0.5], abs=1e-9)


@given(
    st.integers(0, 10_000),
    st.lists(st.floats(-0.5, 0.5), min_size=6, max_size=6),
    st.sampled_from([("left",), ("right",), ("left", "right")]),
)
@settings(max_examples=40, deadline=None)
def test_the_step_at_the_squeeze_is_zero(
    seed: int, away: list[float], hands: tuple[str, ...]
) -> None:
    """Whatever the posture, near limits too, and wherever the operator's hands are: at the squeeze
    and while they stay still, the target is the measured posture. Also at every squeeze after."""
    run = Run(random_posture(seed))
    before = run.joints.copy()
    loose = frame(left_squeeze=0.0, right_squeeze=0.0)
    for _ in range(2):
        loose = shifted(loose, "left", np.array(away[:3]), np.array(away[3:]))
        loose = shifted(loose, "right", np.array(away[3:]), np.array(away[:3]))
        assert not run.show(loose).enabled
        held = msgspec.structs.replace(loose, **{f"{hand}_squeeze": 1.0 for hand in hands})
        for i in range(5):
            result = run.show(held)
            assert result.valid
            assert result.enabled
            assert np.abs(result.position[BODY] - before[BODY]).max() < 1e-6
            assert i == 0 or result.position_error < 1e-6


def test_a_second_squeeze_moves_nothing_either() -> None:
    """Squeezing the left hand while the right one moves leaves the left arm where it is, and does
    not pull the right one back to where it was measured."""
    run = Run()
    start = frame(left_squeeze=0.0)
    run.show(start)
    moved = shifted(start, "right", np.array([0.05, 0.05, 0.0]))
    run.reach(start, moved, 20)
    for _ in range(72):
        run.show(moved)
    before = run.joints.copy()
    run.joints = run.joints - 0.01 * np.isin(np.arange(SPEC.size), SPEC.indices("right_arm"))
    after = run.show(msgspec.structs.replace(moved, left_squeeze=1.0)).position
    run.joints = before
    assert np.abs(after[SPEC.indices("left_arm")] - before[SPEC.indices("left_arm")]).max() < 0.01
    assert np.abs(after[SPEC.indices("right_arm")] - before[SPEC.indices("right_arm")]).max() < 0.01


@pytest.mark.parametrize("hand", ["left", "right"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_five_centimetres_are_reached_in_half_a_second(hand: str, axis: int, sign: float) -> None:
    """5 cm in 0.25 s, then still: within 0.5 s of frames both wrists are within 3 mm and 0.01 rad
    of where they should be, and the other hand has stayed where it was."""
    run = Run()
    start = frame()
    run.show(start)
    by = sign * 0.05 * np.eye(3)[axis]
    end = shifted(start, hand, by)
    run.reach(start, end, 18, hand)
    for _ in range(18):
        result = run.show(end)
    assert result.position_error < 3e-3
    assert result.orientation_error < 0.01
    poses, home = robot_poses(MODEL, result.position), robot_poses(MODEL, JOINTS)
    for side in ("left", "right"):
        moved = np.array(getattr(poses, f"{side}_wrist")) - np.array(getattr(home, f"{side}_wrist"))
        assert moved[:3] == pytest.approx(by if side == hand else np.zeros(3), abs=3e-3)


@pytest.mark.parametrize(("hand", "other"), [("left", "right"), ("right", "left")])
def test_a_hand_moves_its_own_arm(hand: str, other: str) -> None:
    """Moving one hand by 5 cm moves its own arm, the waist a little, the other arm only so much as
    makes up for the waist, and nothing else."""
    run = Run()
    start = frame(**{f"{other}_squeeze": 0.0})
    run.show(start)
    end = shifted(start, hand, np.array([0.0, 0.0, 0.05]))
    result = run.reach(start, end, 36, hand)
    change = np.abs(result.position - JOINTS)
    assert change[SPEC.indices(f"{hand}_arm")].max() > 0.2
    assert change[SPEC.indices("waist")].max() < 0.2
    assert change[SPEC.indices(f"{other}_arm")].max() < 0.2
    for group in ("left_leg", "right_leg", f"{other}_hand"):
        assert np.array_equal(result.position[SPEC.indices(group)], JOINTS[SPEC.indices(group)])


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_limits_hold_whatever_the_operator_does(seed: int) -> None:
    """Wild motion of both hands for 60 frames: every target is finite, within the spec's position
    limits, and no joint is asked to go faster than its limit."""
    rng = np.random.default_rng(seed)
    run = Run(random_posture(seed))
    shown, last = frame(), None
    for _ in range(60):
        for hand in ("left", "right"):
            shown = shifted(shown, hand, rng.normal(0, 0.08, 3), rng.normal(0, 0.3, 3))
        step_ns = int(rng.integers(0, 3 * PERIOD_NS))
        result = run.show(shown, step_ns=step_ns)
        assert result.valid, result.reason
        assert np.all(result.position >= SPEC.lower)
        assert np.all(result.position <= SPEC.upper)
        if last is not None:
            fastest = SPEC.velocity[BODY] * step_ns * 1e-9
            assert np.all(np.abs(result.position - last)[BODY] <= fastest + 1e-9)
        last = result.position


@pytest.mark.parametrize("direction", [[1, 0, 0], [-1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, 1],
                                       [0, 0, -1], [1, -1, 1], [0, -1, 1]])  # fmt: skip
def test_out_of_reach_neither_freezes_nor_thrashes(direction: list[float]) -> None:
    """A hand that goes 1 m away and comes back: the arm stretches after it without jerking to and
    fro, goes on following sideways motion at the edge of reach, and is home with the hand."""
    run = Run()
    start = frame(left_squeeze=0.0)
    run.show(start)
    away = shifted(start, "right", np.array(direction, dtype=float))
    run.reach(start, away, 72)
    for _ in range(72):
        run.show(away)
    steps = np.array([
        np.abs(b.position - a.position)[BODY].max()
        for a, b in zip(run.results[-36:], run.results[-35:], strict=False)
    ])  # fmt: skip
    assert steps.max() < 0.02  # half a second later it rests
    aside = shifted(away, "right", 0.3 * np.roll(np.array(direction, dtype=float), 1))
    at_edge = run.joints.copy()
    run.reach(away, aside, 36)
    assert np.abs(run.joints - at_edge).max() > 0.05
    run.reach(aside, start, 72)
    for _ in range(36):
        result = run.show(start)
    assert result.position_error < 0.01
    assert all(r.valid for r in run.results)


def test_alignment_is_zero_for_a_person_who_stands_like_the_robot() -> None:
    """In the robot's posture, wherever they stand and face, both errors are zero; a hand that is
    10 cm off and turned by 0.3 rad shows exactly that."""
    run, loose = Run(), {"left_squeeze": 0.0, "right_squeeze": 0.0}
    result = run.show(frame(**loose))
    assert result.valid
    assert not result.enabled
    assert result.position_error == pytest.approx(0.0, abs=1e-6)
    assert result.orientation_error == pytest.approx(0.0, abs=1e-6)
    off = shifted(frame(**loose), "left", np.array([0.06, 0.0, 0.08]), np.array([0, 0, 0.3]))
    result = run.show(off)
    assert result.position_error == pytest.approx(0.1, abs=1e-6)
    assert result.orientation_error == pytest.approx(0.3, abs=1e-6)
    # The frame of the squeeze still shows it: who decides about the squeeze must not see zero.
    squeezed = run.show(msgspec.structs.replace(off, right_squeeze=1.0))
    assert squeezed.enabled
    assert squeezed.position_error == pytest.approx(0.1, abs=1e-6)
    assert run.show(msgspec.structs.replace(off, right_squeeze=1.0)).position_error < 1e-6
    unseen = run.show(frame(left_tracked=False, right_tracked=False, **loose))
    assert unseen.valid
    assert math.isnan(unseen.position_error)


def test_fingers_follow_the_trigger_of_a_squeezed_hand_only() -> None:
    """Trigger 1 closes a squeezed hand; the loose hand and the legs stay at the last command."""
    retargeter, commanded = Retargeter(SPEC), JOINTS + 0.005
    commanded = np.clip(commanded, SPEC.lower, SPEC.upper)
    shown = frame(left_squeeze=0.0, left_trigger=1.0, right_trigger=1.0)
    for i in range(72):
        now = START_NS + i * PERIOD_NS
        result = retargeter.update(shown, JOINTS, now, now, commanded)
    for joint in SPEC.groups["right_hand"]:
        limits = SPEC.lower[SPEC.index(joint)], SPEC.upper[SPEC.index(joint)]
        closed = float(np.clip(SPEC.finger_closed[joint], *limits))
        assert result.position[SPEC.index(joint)] == pytest.approx(closed)
    for group in ("left_hand", "left_leg", "right_leg"):
        indices = SPEC.indices(group)
        assert np.array_equal(result.position[indices], commanded[indices])


def test_results_are_copies() -> None:
    """Writing into a result or into the measured joints changes no later result."""
    run, shown, before = enabled_run()
    run.results[-1].position[:] = 7.0
    joints = run.joints
    result = run.show(shown)
    joints[:] = 7.0
    assert np.abs(result.position - before)[BODY].max() < 0.03
    assert 0.0 < result.solve_ms < 1000.0


def test_forward_is_where_the_eyes_look() -> None:
    """With the robot's waist turned, an operator who pushes the hand away from their face moves the
    robot's hand away from its face."""
    joints = JOINTS.copy()
    joints[SPEC.index("waist_yaw_joint")] = 0.6
    run = Run(joints)
    start = frame()  # an operator who faces straight ahead
    run.show(start)
    run.reach(start, shifted(start, "right", np.array([0.05, 0.0, 0.0])), 18)
    result = run.show(shifted(start, "right", np.array([0.05, 0.0, 0.0])))
    before, after = robot_poses(MODEL, joints), robot_poses(MODEL, result.position)
    moved = np.array(after.right_wrist[:3]) - np.array(before.right_wrist[:3])
    assert moved == pytest.approx(0.05 * np.array([np.cos(0.6), np.sin(0.6), 0.0]), abs=3e-3)
