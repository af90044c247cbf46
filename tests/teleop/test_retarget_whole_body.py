"""Retargeter: what an operator's head, elbows, fingers and size do to the robot."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pinocchio as pin
import pytest
from retarget_bench import JOINTS, PERIOD_NS, SPEC, START_NS, Run, frame, shifted

from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_teleop.retarget.model import to_pose, to_transform
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.retarget.scale import Scale
from rove_teleop.scripted.hand import FIST, OPEN, hand
from rove_teleop.wire.messages import Frame

NOT_FINGERS = np.setdiff1d(
    np.arange(SPEC.size), np.concatenate([SPEC.indices("left_hand"), SPEC.indices("right_hand")])
)
LEGS = np.concatenate([SPEC.indices("left_leg"), SPEC.indices("right_leg")])


def moved(base: Frame, part: str, by: Any) -> Frame:
    """Displace a part in the operator's frame, m."""
    pose = to_transform(getattr(base, part))
    pose.translation += np.array(by, dtype=float)
    return msgspec.structs.replace(base, **{part: to_pose(pose)})


def squatting(base: Frame, depth: float) -> Frame:
    """An operator who squats by ``depth`` m with the hands going along."""
    shown = moved(base, "head", [0.0, 0.0, -depth])
    return shifted(shifted(shown, "left", [0, 0, -depth]), "right", [0, 0, -depth])  # type: ignore


def lower_to(run: Run, base: Frame, depth: float, frames: int = 72) -> None:
    """Squat evenly, then stay for two seconds."""
    for i in range(frames + 144):
        result = run.show(squatting(base, depth * min(1.0, (i + 1) / frames)))
        assert result.valid, result.reason


def pelvis_height(run: Run) -> float:
    return float(run.retargeter._ik.body.pelvis.translation[2])


def test_a_squat_lowers_the_pelvis_and_the_hands_stay_with_the_operators() -> None:
    """20 cm down less the deadband: knees bend, both legs alike, wrists are where they should be;
    standing up again ends where it began."""
    run, start = Run(), frame()
    run.show(start)
    before = pelvis_height(run)
    lower_to(run, start, 0.2)
    assert pelvis_height(run) - before == pytest.approx(-0.17, abs=0.03)
    assert run.results[-1].position_error < 3e-3
    left, right = (run.joints[SPEC.index(f"{side}_knee_joint")] for side in ("left", "right"))
    assert left > JOINTS[SPEC.index("left_knee_joint")] + 0.3
    assert left == pytest.approx(right, abs=0.02)
    for _ in range(36):
        run.show(squatting(start, 0.2))
    for i in range(216):
        run.show(squatting(start, 0.2 * max(0.0, 1.0 - i / 72)))
    assert np.abs(run.joints - JOINTS)[LEGS].max() < 0.01


def test_a_swaying_operator_has_a_standing_robot() -> None:
    """A head that sways by centimetres moves no leg at all."""
    run, start = Run(), frame()
    run.show(start)
    for i in range(144):
        sway = [0.04 * np.sin(0.1 * i), 0.04 * np.cos(0.13 * i), 0.02 * np.sin(0.2 * i)]
        assert run.show(moved(start, "head", sway)).valid
        assert np.array_equal(run.joints[LEGS], JOINTS[LEGS])


def test_a_head_that_is_lost_bends_nothing() -> None:
    """While the head is not tracked the robot keeps the height it had, wherever its pose says."""
    run, start = Run(), frame()
    run.show(start)
    lower_to(run, start, 0.15)
    before = pelvis_height(run)
    lost = msgspec.structs.replace(squatting(start, 0.15), head=start.head, head_tracked=False)
    for _ in range(72):
        assert run.show(lost).valid
    assert pelvis_height(run) == pytest.approx(before, abs=1e-3)


def test_a_calibrated_height_is_scaled() -> None:
    """With a scale the pelvis goes that share of the way down; a new scale counts from the next
    squeeze on, so that nothing jumps."""
    heights = []
    for scale in (1.0, 0.6):
        run, start = Run(), frame()
        run.retargeter.scale = Scale(height=scale)
        run.show(start)
        before = pelvis_height(run)
        for i in range(216):
            depth = 0.18 * min(1.0, (i + 1) / 72)
            run.show(moved(start, "head", [0.0, 0.0, -depth]))
        heights.append(pelvis_height(run) - before)
        run.retargeter.scale = Scale(height=3.0)
        here = run.joints.copy()
        run.show(moved(start, "head", [0.0, 0.0, -0.18]))
        assert np.abs(run.joints - here).max() < 5e-3
    assert heights[1] == pytest.approx(0.6 * heights[0], abs=0.01)


def test_a_loose_hand_stays_with_the_body() -> None:
    """The hand that is not squeezed goes down with the pelvis, and keeps its place seen from it."""
    run, start = Run(), frame(left_squeeze=0.0)
    run.show(start)
    before = run.retargeter.model.wrists(run.retargeter.model.q_of(run.joints))["left"]
    for i in range(216):
        shown = moved(start, "head", [0.0, 0.0, -0.15 * min(1.0, (i + 1) / 72)])
        run.show(shifted(shown, "right", np.array([0, 0, -0.15 * min(1.0, (i + 1) / 72)])))
    after = run.retargeter.model.wrists(run.retargeter.model.q_of(run.joints))["left"]
    assert after.translation == pytest.approx(before.translation, abs=5e-3)
    assert np.abs(run.joints - JOINTS)[LEGS].max() > 0.1


def test_legs_start_from_what_was_commanded() -> None:
    """Loaded legs sag below their command. A squeeze leaves the command as it is, and a squat
    starts from there: nothing sags at every squeeze."""
    retargeter, commanded = Retargeter(SPEC), JOINTS.copy()
    measured = JOINTS.copy()
    measured[SPEC.index("left_knee_joint")] += 0.01
    measured[SPEC.index("right_knee_joint")] += 0.01
    start = frame()
    for i in range(5):
        now = START_NS + i * PERIOD_NS
        result = retargeter.update(start, measured, now, now, commanded)
        assert np.array_equal(result.position[LEGS], commanded[LEGS])
    last = result.position
    for i in range(5, 150):
        now = START_NS + i * PERIOD_NS
        shown = moved(start, "head", [0.0, 0.0, -0.1 * min(1.0, i / 72)])
        result = retargeter.update(shown, measured, now, now, commanded)
        assert np.abs(result.position - last)[LEGS].max() <= 1.5 * PERIOD_NS * 1e-9 + 1e-9
        last = result.position
    assert np.abs(last - commanded)[LEGS].max() > 0.05


def test_elbows_that_are_tracked_swivel_the_arm() -> None:
    """An elbow that is lifted sideways lifts the robot's; its origin is set when it is first seen,
    so it starts without a step; the wrist stays."""
    run, start = Run(np.array(SPEC.resting)), frame(np.array(SPEC.resting))
    run.show(start)
    elbow = (0.2, 0.3, 1.0, 0.0, 0.0, 0.0, 1.0)
    seen = msgspec.structs.replace(start, left_elbow=elbow, left_elbow_tracked=True)
    before = run.joints.copy()
    run.show(seen)
    assert np.abs(run.joints - before)[NOT_FINGERS].max() < 1e-6
    tasks = run.retargeter._ik.tasks
    first = tasks.elbow_places[0].copy()
    for i in range(144):
        up = 0.06 * min(1.0, i / 72)
        result = run.show(moved(seen, "left_elbow", [0.0, up, up]))
    assert tasks.elbow_places[0, 1] - first[1] > 0.005
    assert result.position_error < 3e-3


@pytest.mark.parametrize("robot", ["g1_dex3", "gr1t2_fourier"])
def test_fingers_follow_hands_that_are_seen(robot: str) -> None:
    """A fist that the device sees closes the squeezed hand, on both robots, within limits."""
    spec = load_robot(robot)
    retargeter, joints = Retargeter(spec), np.array(spec.home)
    fields: dict[str, Any] = {"left_squeeze": 1.0, "right_squeeze": 1.0}
    seen = {
        shape: Frame(
            sequence=1, lease=1, device_stamp_ns=0, head=_pose(0.05, 0.0, 1.2),
            left_wrist=_pose(0.3, 0.2, 0.9), right_wrist=_pose(0.3, -0.2, 0.9),
            left_hand=hand(points, "left"), right_hand=hand(points, "right"), **fields,
        )
        for shape, points in (("open", OPEN), ("fist", FIST))
    }  # fmt: skip
    indices = np.concatenate([spec.indices(f"{side}_hand") for side in ("left", "right")])
    joints[indices] = [
        np.clip(spec.finger_open[spec.joint_names[i]], spec.lower[i], spec.upper[i])
        for i in indices
    ]
    closed = np.array([spec.finger_closed[spec.joint_names[i]] for i in indices])
    start, last = joints.copy(), joints.copy()
    for i in range(144):
        now = START_NS + i * PERIOD_NS
        result = retargeter.update(seen["open" if i < 10 else "fist"], joints, now, now)
        assert result.valid, result.reason
        joints = np.array(result.position)
        most = spec.velocity * PERIOD_NS * 1e-9
        assert i == 0 or np.all(np.abs(joints - last)[indices] <= most[indices] * (1 + 1e-6))
        last = joints
    travel = closed - start[indices]
    along = (joints - start)[indices] @ travel / (travel @ travel)
    assert along > 0.7
    assert result.finger_error < 0.2


def test_a_neck_turns_as_the_head_does() -> None:
    """A robot whose head moves looks where the operator looks, and nothing else moves."""
    spec = load_robot("gr1t2_fourier")
    retargeter, joints = Retargeter(spec), np.array(spec.home)
    start = Frame(
        sequence=1, lease=1, device_stamp_ns=0, head=_pose(0.05, 0.0, 1.2),
        left_wrist=_pose(0.3, 0.2, 0.9), right_wrist=_pose(0.3, -0.2, 0.9),
        right_squeeze=1.0,
    )  # fmt: skip
    error = 0.0
    for i in range(144):
        now = START_NS + i * PERIOD_NS
        turn = pin.exp3(np.array([0.0, 0.0, 0.5 * min(1.0, i / 72)]))
        head = to_pose(pin.SE3(turn, np.array([0.05, 0.0, 1.2])))
        result = retargeter.update(msgspec.structs.replace(start, head=head), joints, now, now)
        assert result.valid
        joints, error = np.array(result.position), result.head_error
    assert joints[spec.index("head_yaw_joint")] - spec.home[
        spec.index("head_yaw_joint")
    ] == pytest.approx(0.5, abs=0.05)
    others = np.ones(spec.size, dtype=bool)
    others[spec.indices("head")] = False
    fingers = np.concatenate([spec.indices(f"{side}_hand") for side in ("left", "right")])
    others[fingers] = False
    assert np.abs(joints - spec.home)[others].max() < 0.01
    assert error < 0.6


def _pose(x: float, y: float, z: float) -> tuple[float, float, float, float, float, float, float]:
    return (x, y, z, 0.0, 0.0, 0.0, 1.0)


def test_a_squeeze_with_another_hand_does_not_stand_the_robot_up() -> None:
    """While one hand holds the robot low, squeezing and releasing the other moves no leg."""
    run, start = Run(), frame(left_squeeze=0.0)
    run.show(start)
    low = squatting(start, 0.15)
    for i in range(216):
        run.show(squatting(start, 0.15 * min(1.0, (i + 1) / 72)))
    before: FloatArray = run.joints.copy()
    for squeeze in (1.0, 1.0, 0.0, 0.0, 1.0):
        result = run.show(msgspec.structs.replace(low, left_squeeze=squeeze))
        assert result.valid
        assert np.abs(run.joints - before)[NOT_FINGERS].max() < 2e-3
