"""Device profiles, their two-pose calibration, and the mapping of joints."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_core.robot import load_robot
from rove_teleop.device.calibrate import calibrate
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import (
    DeviceJoint,
    DeviceProfile,
    available_devices,
    leader_profile,
    load_device,
    read_profile,
    save_device,
)

SPEC = load_robot("g1_dex3")
EXO = load_device("exo_g1_dex3")
NAMES = tuple(EXO.joints)


@given(st.integers(0, 2**32 - 1))
def test_the_mapping_is_undone(seed: int) -> None:
    """What the device would measure in a posture gives that posture back, in any order of the
    joints."""
    rng = np.random.default_rng(seed)
    posture = rng.uniform(SPEC.lower, SPEC.upper)
    mapping = DeviceMap(EXO, SPEC, tuple(rng.permutation(NAMES)))
    angles, reason = mapping.read(mapping.device_values(posture))
    assert reason == ""
    np.testing.assert_allclose(angles, posture[mapping.indices], atol=1e-9)


@given(st.lists(st.floats(-4.0, 4.0), min_size=len(NAMES), max_size=len(NAMES)))
def test_what_is_mapped_is_within_the_limits(values: list[float]) -> None:
    """Any value that the device can measure gives angles within the robot's limits; any other is
    refused by the name of its joint."""
    mapping = DeviceMap(EXO, SPEC, NAMES)
    angles, reason = mapping.read(values)
    joints = EXO.joints.values()
    good = [j.lower <= v <= j.upper for j, v in zip(joints, values, strict=True)]
    if all(good):
        assert reason == ""
        assert (angles >= SPEC.lower[mapping.indices]).all()
        assert (angles <= SPEC.upper[mapping.indices]).all()
    else:
        assert NAMES[good.index(False)] in reason


def test_a_broken_sensor_is_named() -> None:
    """NaN, a value out of range and a missing value are refused with the reason."""
    mapping = DeviceMap(EXO, SPEC, NAMES)
    good = list(mapping.device_values(SPEC.home))
    assert mapping.read(good)[1] == ""
    for bad in (math.nan, math.inf, 3.5):
        values = list(good)
        values[6] = bad
        assert NAMES[6] in mapping.read(values)[1]
    assert "allowed" in mapping.read(good[:-1])[1]
    assert "0 joints" in mapping.read(())[1]


@pytest.mark.parametrize(
    "names",
    [NAMES[:-1], (*NAMES, "tail"), (*NAMES[:-1], "tail"), (*NAMES[:-1], NAMES[0])],
)
def test_unknown_and_missing_joints_are_refused(names: tuple[str, ...]) -> None:
    """A device that sends other joints than its profile has is refused; the error names them."""
    with pytest.raises(ConfigError, match=r"tail|missing|r_index_1"):
        DeviceMap(EXO, SPEC, names)


def test_a_device_for_another_robot_is_refused() -> None:
    """A profile made for one robot does not move another, nor joints that it does not have."""
    with pytest.raises(ConfigError, match="gr1t2_fourier"):
        DeviceMap(EXO, load_robot("gr1t2_fourier"), NAMES)
    strange = DeviceProfile("x", "", {"a": DeviceJoint("a", "third_elbow", 1, 1.0, 0.0, -1.0, 1.0)})
    with pytest.raises(ConfigError, match="third_elbow"):
        DeviceMap(strange, SPEC, ["a"])


@given(st.integers(0, 2**32 - 1))
def test_two_poses_find_sign_scale_and_offset(seed: int) -> None:
    """Whatever a device's signs, scales and offsets are, two postures in which every joint moves
    recover them."""
    rng = np.random.default_rng(seed)
    true = {
        name: replace(
            joint, sign=int(rng.choice([-1, 1])), scale=float(rng.uniform(0.5, 2.0)),
            offset=float(rng.uniform(-1.0, 1.0)), lower=-12.0, upper=12.0,
        )
        for name, joint in EXO.joints.items()
    }  # fmt: skip
    device = DeviceProfile("exo", "g1_dex3", true)
    unknown = DeviceProfile(
        "exo", "g1_dex3", {n: replace(j, sign=1, scale=1.0, offset=0.0) for n, j in true.items()}
    )
    postures = [
        dict(zip(SPEC.joint_names, row, strict=True))
        for row in (rng.uniform(-1.0, -0.7, SPEC.size), rng.uniform(0.1, 1.0, SPEC.size))
    ]
    measured = [
        {n: (p[j.robot] - j.offset) / (j.sign * j.scale) for n, j in true.items()} for p in postures
    ]
    found = calibrate(unknown, measured[0], postures[0], measured[1], postures[1])
    for name, joint in device.joints.items():
        assert found.joints[name].sign == joint.sign
        assert found.joints[name].scale == pytest.approx(joint.scale)
        assert found.joints[name].offset == pytest.approx(joint.offset)


ELBOW = DeviceProfile("arm", "", {"e": DeviceJoint("e", "left_elbow_joint", -1, 1.0, 0.0, -3, 3)})


def test_a_joint_that_stood_still_keeps_its_scale() -> None:
    """Only its zero is corrected."""
    found = calibrate(
        ELBOW, {"e": 0.5}, {"left_elbow_joint": 0.2}, {"e": 0.5}, {"left_elbow_joint": 0.2}
    )
    joint = found.joints["e"]
    assert (joint.sign, joint.scale, joint.offset) == (-1, 1.0, pytest.approx(0.7))


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (({"e": 0.0}, {"left_elbow_joint": 0.0}), ({"e": 1.0}, {"left_elbow_joint": 0.0}), "right"),
        (({"e": 0.0}, {"left_elbow_joint": 0.0}), ({"e": 0.4}, {"left_elbow_joint": 2.9}), "scale"),
        (({}, {"left_elbow_joint": 0.0}), ({"e": 1.0}, {"left_elbow_joint": 1.0}), "measured"),
        (({"e": 0.0}, {}), ({"e": 1.0}, {"left_elbow_joint": 1.0}), "left_elbow_joint"),
        (({"e": 9.0}, {"left_elbow_joint": 0.0}), ({"e": 1.0}, {"left_elbow_joint": 1.0}), "rad"),
    ],
)
def test_postures_that_tell_nothing_are_refused(a: tuple, b: tuple, said: str) -> None:
    """A joint that moved on one side only, an absurd lever, missing or impossible angles: the
    error names the joint."""
    with pytest.raises(ConfigError, match=said):
        calibrate(ELBOW, *a, *b)


def test_profiles_are_kept_and_win_over_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A saved profile reads back as it was, and is the one that its name means from then on."""
    monkeypatch.setenv("ROVE_CALIBRATIONS", str(tmp_path))
    assert available_devices() == ["exo_g1_dex3"]
    leader = leader_profile("arms", SPEC, ("left_arm", "right_arm"))
    path = save_device(leader)
    assert load_device("arms") == leader == load_device(str(path))
    changed = replace(EXO, joints={"r_elbow": EXO.joints["r_elbow"]})
    save_device(changed)
    assert load_device("exo_g1_dex3") == changed
    with pytest.raises(ConfigError, match="arms, exo_g1_dex3"):
        load_device("glove")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "mapping"),
        ("joints: {}", "at least one"),
        ("joints: {a: {sign: 1}}", "robot"),
        ("joints: {a: {robot: x, sgn: 1}}", "sgn"),
        ("joints: {a: {robot: x, sign: 2}}", "1 or -1"),
        ("joints: {a: {robot: x, scale: -1}}", "scale"),
        ("joints: {a: {robot: x, offset: much}}", "offset"),
        ("joints: {a: {robot: x, range: [1, 0]}}", "lowest"),
        ("joints: {a: {robot: x, range: 3}}", "lowest"),
        ("joints: {a: {robot: x}, b: {robot: x}}", "twice"),
        ("joints: {a: {robot: x", "YAML"),
    ],
)
def test_a_bad_profile_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Every mistake in the file is an error that names it."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_profile(path)
