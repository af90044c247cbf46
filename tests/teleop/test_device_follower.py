"""An exoskeleton's posture becomes the robot's: no step, no limit broken, refusals with reason."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rove_core.arrays import FloatArray
from rove_core.errors import ContractError
from rove_core.robot import load_robot
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf
from rove_teleop.device.follower import (
    ALIGN_MOST,
    BLEND_SPEED,
    REASONS,
    STAGES,
    DeviceFollower,
)
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import load_device
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.wire.messages import IDENTITY, Frame

SPEC = load_robot("g1_dex3")
EXO = load_device("exo_g1_dex3")
MAP = DeviceMap(EXO, SPEC, tuple(EXO.joints))
KINEMATICS = Kinematics(read_urdf(SPEC.urdf_path))
FINGERS = np.concatenate([SPEC.indices("left_hand"), SPEC.indices("right_hand")])
MS, PERIOD = 1_000_000, 14_000_000
STILL = Frame(
    sequence=1, lease=1, device_stamp_ns=0, head=IDENTITY, left_wrist=IDENTITY,
    right_wrist=IDENTITY,
)  # fmt: skip


class Bench:
    """A follower, its leader, and a robot that does at once what it is told."""

    def __init__(self) -> None:
        self.follower = DeviceFollower(SPEC, MAP)
        self.robot: FloatArray = np.array(SPEC.home)
        self.now_ns = 0

    def show(
        self,
        leader: FloatArray,
        left: float = 1.0,
        right: float = 1.0,
        step_ns: int = PERIOD,
        **change: object,
    ) -> RetargetResult:
        self.now_ns += step_ns
        fields = {"device_joints": tuple(MAP.device_values(leader))} | change
        frame = msgspec.structs.replace(STILL, left_squeeze=left, right_squeeze=right, **fields)
        result = self.follower.update(frame, self.robot, self.now_ns, self.now_ns, self.robot)
        if result.valid and result.enabled:
            self.robot = np.array(result.position)
        return result


def near_home(seed: int, spread: float = 0.25) -> FloatArray:
    """A posture around home, fingers closed a little."""
    rng = np.random.default_rng(seed)
    return np.clip(SPEC.home + rng.uniform(-spread, spread, SPEC.size), SPEC.lower, SPEC.upper)


def room(posture: FloatArray) -> float:
    """How far the nearest pair is above its margin, m, with hands as at home."""
    seen = np.array(posture)
    seen[FINGERS] = SPEC.home[FINGERS]
    links = KINEMATICS.links(dict(zip(SPEC.joint_names, seen.tolist(), strict=True)))
    return float((SPEC.collision.distances(links) - SPEC.collision.margins).min())


@pytest.mark.parametrize("seed", range(3))
def test_the_robot_ends_in_the_leaders_posture(seed: int) -> None:
    """After the blend every joint of the body that the device moves stands as the leader's, where
    the robot can stand so."""
    bench = Bench()
    leader = next(p for k in range(50) if room(p := near_home(50 * seed + k)) > 0.02)
    for _ in range(120):
        result = bench.show(leader)
    assert result.valid
    body = [i for i in MAP.indices if "hand" not in SPEC.joint_names[i]]
    np.testing.assert_allclose(result.position[body], leader[body], atol=1e-6)
    assert result.position_error < 1e-6
    others = np.setdiff1d(np.arange(SPEC.size), MAP.indices)
    np.testing.assert_array_equal(result.position[others], SPEC.home[others])


@given(seed=st.integers(0, 2**32 - 1))
@example(216)  # an arm that is squeezed again while it still brakes
@example(4802264)  # a hand passed the trunk too near between two looks at its way to rest
@settings(max_examples=12, deadline=None)
def test_limits_hold_from_the_squeeze_on(seed: int) -> None:
    """Leaders that rush about, through their own bodies too, hands squeezed and released: every
    followed joint keeps position, velocity and acceleration, starting at the measured joints, and
    every pair of links its margin."""
    rng, bench = np.random.default_rng(seed), Bench()
    last, speed = bench.robot, np.zeros(SPEC.size)
    goal, left = near_home(seed, 0.5), 1.0
    leader = np.array(bench.robot)
    fingers = np.isin(np.arange(SPEC.size), FINGERS)
    for i in range(120):
        if i % 15 == 0:
            goal = near_home(int(rng.integers(2**32)), 0.6)
            left = float(rng.integers(2))
        leader = leader + np.clip(goal - leader, -0.1, 0.1)
        dt = float(rng.uniform(0.005, 0.03))
        result = bench.show(leader, left=left, step_ns=int(dt * 1e9))
        if not result.valid:
            speed[:], last = 0.0, bench.robot
            continue
        now = (result.position - last) / dt
        assert (result.position >= SPEC.lower).all()
        assert (result.position <= SPEC.upper).all()
        assert (np.abs(now) <= SPEC.velocity + 1e-6).all()
        change = np.abs(now - speed)
        # Fingers of a released hand stop where they are; arms brake.
        assert (change[~fingers] <= (SPEC.acceleration * dt + 1e-6)[~fingers]).all()
        assert room(result.position) >= 0.0
        last, speed = result.position, now


def test_the_robot_gives_way_where_it_would_hit_itself() -> None:
    """What went wrong: a leader folded its arms deeper than the robot can, and the forearms met.
    The robot stops short of the margin, neither shakes nor sticks there, and goes along again as
    soon as the leader is back."""
    bench, start = Bench(), np.array(SPEC.home)
    folded = np.array(SPEC.home)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        folded[SPEC.index(f"{side}_shoulder_yaw_joint")] += 1.1 * sign
    assert room(folded) < -0.03
    way = np.concatenate([np.linspace(0.0, 1.0, 150), np.ones(40), np.linspace(1.0, 0.0, 150)])
    path = []
    for share in np.concatenate([way, np.zeros(40)]):
        result = bench.show(start + share * (folded - start))
        assert result.valid
        assert room(result.position) >= 0.0
        path.append(result.position)
    steps = np.abs(np.diff(path, axis=0)).max(axis=1)
    assert steps[170:190].max() < 2e-3  # it rests at the margin
    assert room(path[185]) < 0.01  # and not far before it
    assert result.position_error < 1e-6
    np.testing.assert_allclose(path[-1][MAP.indices], start[MAP.indices], atol=1e-6)


def test_stages_add_up_and_refusals_are_counted() -> None:
    """The times of the stages are the cycle's; each refusal has one reason among the known ones."""
    ticks = iter(range(0, 10**12, 1000))
    bench = Bench()
    bench.follower = DeviceFollower(SPEC, MAP, lambda: next(ticks))
    leader = np.array(SPEC.home)
    for _ in range(3):
        result = bench.show(leader)
        assert sum(bench.follower.stages.values()) == pytest.approx(result.solve_ms)
    assert set(bench.follower.stages) == set(STAGES)
    assert min(bench.follower.stages.values()) > 0.0
    bench.show(leader, device_joints=(math.nan,) * len(MAP.indices))
    bench.show(leader, device_joints=())
    bench.show(leader, step_ns=-PERIOD)
    assert bench.follower.rejected == {"device joints": 2, "time backwards": 1}
    assert set(bench.follower.rejected) <= set(REASONS)


def test_the_blend_is_bounded() -> None:
    """A leader that is 0.5 rad off is reached at the blend's speed, not at the joint's."""
    bench, elbow = Bench(), SPEC.index("right_elbow_joint")
    leader = np.array(SPEC.home)
    leader[elbow] += 0.5
    before, fastest = bench.robot[elbow], 0.0
    for _ in range(100):
        result = bench.show(leader)
        fastest = max(fastest, abs(result.position[elbow] - before) / (PERIOD * 1e-9))
        before = result.position[elbow]
    assert result.position[elbow] == pytest.approx(leader[elbow], abs=1e-6)
    assert 0.5 * BLEND_SPEED < fastest <= BLEND_SPEED + 0.05


def test_a_squeeze_is_refused_above_the_documented_error() -> None:
    """One joint farther off than ALIGN_MOST: not enabled, and the reason names joint and both
    angles; at the bound it is taken."""
    bench, elbow = Bench(), SPEC.index("left_elbow_joint")
    leader = np.array(SPEC.home)
    leader[elbow] += ALIGN_MOST + 0.05
    result = bench.show(leader)
    assert (result.valid, result.enabled) == (False, False)
    assert "left_elbow_joint" in result.reason
    assert "0.65 rad" in result.reason
    assert result.position_error > 0.05
    leader[elbow] -= 0.06
    assert bench.show(leader).enabled


def test_each_arm_follows_its_own_squeeze() -> None:
    """With the right hand squeezed only, the left arm stays where it was commanded, the waist
    goes with any hand."""
    bench, leader = Bench(), near_home(1, 0.1)
    for _ in range(100):
        result = bench.show(leader, left=0.0)
    left, right, waist = (SPEC.indices(g) for g in ("left_arm", "right_arm", "waist"))
    np.testing.assert_array_equal(result.position[left], SPEC.home[left])
    np.testing.assert_allclose(result.position[right], leader[right], atol=1e-6)
    np.testing.assert_allclose(result.position[waist], leader[waist], atol=1e-6)


def test_a_squeeze_again_starts_from_the_measured_joints() -> None:
    """Released, moved by hand, squeezed: the first target is within one step of acceleration of
    where the robot is now."""
    bench, leader = Bench(), near_home(2)
    for _ in range(80):
        bench.show(leader)
    assert not bench.show(leader, left=0.0, right=0.0).enabled
    arm = SPEC.indices("right_arm")
    bench.robot[arm] = np.clip(bench.robot[arm] + 0.2, SPEC.lower[arm], SPEC.upper[arm])
    start = np.array(bench.robot)
    result = bench.show(leader)
    assert result.enabled
    step = np.abs(result.position - start)
    assert (step <= SPEC.acceleration * (PERIOD * 1e-9) ** 2 + 1e-9).all()


def test_the_gaze_is_compared() -> None:
    """Looking down by 0.4 rad more than the robot does is a head error of 0.4 rad; a frame whose
    joints are no posture has no errors."""
    bench, leader = Bench(), np.array(SPEC.home)
    level = bench.show(leader).head_error
    down = (0.0, 0.0, 1.5, 0.0, math.sin(0.2), 0.0, math.cos(0.2))
    assert level == pytest.approx(0.0, abs=1e-6)
    assert bench.show(leader, head=down).head_error == pytest.approx(0.4, abs=1e-6)
    assert math.isnan(bench.show(leader, device_joints=()).head_error)


def test_gloves_catch_the_hand() -> None:
    """A robot's closed hand stays closed under an open glove, and follows once the glove closed."""
    bench, leader = Bench(), np.array(SPEC.home)
    hand, names = SPEC.indices("right_hand"), SPEC.groups["right_hand"]
    closed, opened = (
        np.array([table[name] for name in names])
        for table in (SPEC.finger_closed, SPEC.finger_open)
    )
    bench.robot[hand] = closed
    leader[hand] = opened
    for _ in range(30):
        result = bench.show(leader)
    np.testing.assert_array_equal(result.position[hand], closed)
    assert result.finger_error > 0.3
    leader[hand] = closed
    for _ in range(60):
        result = bench.show(leader)
    leader[hand] = opened
    for _ in range(120):
        result = bench.show(leader)
    np.testing.assert_allclose(result.position[hand], opened, atol=1e-3)
    assert result.finger_error < 0.1


def spoil(values: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    return {
        "none": (),
        "few": values[:-1],
        "nan": (math.nan, *values[1:]),
        "range": (*values[:6], 4.0, *values[7:]),
    }


@pytest.mark.parametrize("kind", ["none", "few", "nan", "range"])
def test_bad_joints_hold_the_last_good_target(kind: str) -> None:
    """They are refused with a reason, the target stays the last good one, and the next good frame
    goes on from the measured joints."""
    bench, leader = Bench(), near_home(3)
    for _ in range(50):
        good = bench.show(leader)
    bad = spoil(tuple(MAP.device_values(leader)))[kind]
    for _ in range(3):
        result = bench.show(leader, device_joints=bad)
        assert (result.valid, result.enabled) == (False, False)
        assert result.reason
        np.testing.assert_array_equal(result.position, good.position)
    assert bench.show(leader).enabled


def test_a_leap_backwards_time_and_old_frames_are_refused() -> None:
    """A joint that leaps by more than a radian in a frame, a stamp before the last, a frame that
    waited for 300 ms: each has its reason."""
    bench, leader = Bench(), np.array(SPEC.home)
    assert bench.show(leader).enabled
    leapt = np.array(leader)
    leapt[SPEC.index("right_elbow_joint")] += 1.1
    assert "leapt" in bench.show(leapt).reason
    assert bench.show(leader).enabled
    assert "backwards" in bench.show(leader, step_ns=-PERIOD).reason
    frame = msgspec.structs.replace(STILL, device_joints=tuple(MAP.device_values(leader)))
    late = bench.follower.update(frame, bench.robot, bench.now_ns, bench.now_ns + 300 * MS)
    assert "300 ms old" in late.reason
    broken = np.full(SPEC.size, math.nan)
    result = bench.follower.update(frame, broken, bench.now_ns, bench.now_ns)
    assert not result.valid
    assert np.isfinite(result.position).all()
    with pytest.raises(ContractError):
        bench.follower.update(frame, broken[:-1], bench.now_ns, bench.now_ns)
