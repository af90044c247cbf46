"""Operator calibration: what is measured is right, what cannot be a person is refused."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_teleop.calibration import (
    EYES,
    NEUTRAL_S,
    SHOULDERS,
    Calibration,
    CalibrationStore,
    NeutralPose,
)
from rove_teleop.wire.messages import Frame

RATE = 72.0


def neutral(
    height: float, span: float, yaw: float = 0.0, place: tuple[float, float] = (0.0, 0.0)
) -> Frame:
    """A person in the neutral pose."""
    half = 0.5 * span * np.array([-math.sin(yaw), math.cos(yaw)])
    turn = (0.0, 0.0, math.sin(yaw / 2.0), math.cos(yaw / 2.0))
    x, y, level = *place, SHOULDERS * height
    return Frame(
        sequence=1, lease=0, device_stamp_ns=0, head=(x, y, EYES * height, *turn),
        left_wrist=(x + half[0], y + half[1], level, *turn),
        right_wrist=(x - half[0], y - half[1], level, *turn),
    )  # fmt: skip


def hold(pose: NeutralPose, frame: Frame, seconds: float, start_s: float = 0.0) -> bool:
    done = False
    for i in range(int(seconds * RATE) + 1):
        done = pose.take(frame, start_s + i / RATE)
    return done


@given(
    height=st.floats(1.25, 2.15),
    share=st.floats(0.70, 0.94),
    yaw=st.floats(-3.0, 3.0),
    place=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
)
def test_the_pose_gives_height_and_span(
    height: float, share: float, yaw: float, place: tuple
) -> None:
    """Wherever and however turned the person stands, to a tenth of a millimetre."""
    pose = NeutralPose()
    assert hold(pose, neutral(height, share * height, yaw, place), NEUTRAL_S + 0.1)
    found = pose.result("ann")
    assert found.height == pytest.approx(height, abs=2e-4)
    assert found.span == pytest.approx(share * height, abs=2e-4)
    assert 0.2 * height < found.arm < 0.45 * height


def test_two_seconds_are_two_seconds() -> None:
    """Less is not done, and asking for the result then is an error that says what to do."""
    pose, frame = NeutralPose(), neutral(1.75, 1.43)
    assert not hold(pose, frame, NEUTRAL_S - 0.1)
    with pytest.raises(ConfigError, match="2 s"):
        pose.result("ann")


def test_who_moves_starts_again() -> None:
    """A wrist that wanders by more than 2.5 cm restarts the two seconds."""
    pose, frame = NeutralPose(), neutral(1.75, 1.43)
    assert not hold(pose, frame, 1.5)
    x, y, z, *turn = frame.left_wrist
    moved = msgspec.structs.replace(frame, left_wrist=(x, y + 0.05, z, *turn))
    pose.take(moved, 1.6)
    assert pose.hint == "stand still"
    assert pose.progress == 0.0
    assert not hold(pose, frame, 1.5, start_s=1.7)
    assert hold(pose, frame, 2.1, start_s=4.0)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"left_tracked": False}, "tracked"),
        ({"head": (0.0, 0.0, 1.64, 0.0, math.sin(0.3), 0.0, math.cos(0.3))}, "ahead"),
        ({"left_wrist": (0.0, 0.7, 0.8, 0.0, 0.0, 0.0, 1.0)}, "shoulders"),
        ({"left_wrist": (0.5, 0.0, 1.4, 0.0, 0.0, 0.0, 1.0)}, "sides"),
        ({"left_wrist": (0.0, 0.45, 1.4, 0.0, 0.0, 0.0, 1.0)}, "equally"),
    ],
)
def test_another_pose_says_what_to_do(change: dict, hint: str) -> None:
    """Each way to stand wrongly has its hint, and no time counts."""
    pose = NeutralPose()
    frame = neutral(1.75, 1.43)
    if "left_wrist" in change and hint == "sides":
        change = change | {"right_wrist": (0.5, -0.1, 1.4, 0.0, 0.0, 0.0, 1.0)}
    assert not hold(pose, msgspec.structs.replace(frame, **change), 3.0)
    assert hint in pose.hint


@pytest.mark.parametrize(
    ("eye_height", "span", "said"),
    [(0.9, 0.75, "height"), (2.3, 1.9, "height"), (1.6, 0.9, "span"), (1.6, 1.8, "span")],
)
def test_what_is_no_person_is_refused(eye_height: float, span: float, said: str) -> None:
    """A floor that is wrong by half a metre and bent arms are found out, with what is allowed."""
    with pytest.raises(ConfigError, match=said):
        Calibration("ann", eye_height, span)


def test_a_calibration_is_kept_by_name(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """What was saved is loaded; a missing name, a damaged file and a bad name are told apart."""
    monkeypatch.setenv("ROVE_CALIBRATIONS", str(tmp_path / "kept"))
    store = CalibrationStore()
    with pytest.raises(ConfigError, match="rove calibrate ann"):
        store.load("ann")
    ann = Calibration("ann", 1.62, 1.41)
    path = store.save(ann)
    assert store.load("ann") == ann
    assert Calibration.from_json(ann.to_json()) == ann
    assert store.names() == ["ann"]
    path.write_text('{"name": "ann"}')
    with pytest.raises(ConfigError, match="measure it again"):
        store.load("ann")
    with pytest.raises(ConfigError):
        store.load("../ann")


def test_somebody_else_is_noticed() -> None:
    """A taller person, or longer arms, contradict a calibration; its owner in any posture does
    not."""
    ann, owner = Calibration("ann", 1.50, 1.28), neutral(1.50 / EYES, 1.28)
    assert ann.contradiction(owner) == ""
    squat = (0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 1.0)
    assert ann.contradiction(msgspec.structs.replace(owner, head=squat)) == ""
    assert "eyes" in ann.contradiction(neutral(1.85, 1.5))
    long = msgspec.structs.replace(owner, left_wrist=(0.0, 1.3, 1.3, 0.0, 0.0, 0.0, 1.0))
    assert "left wrist" in ann.contradiction(long)
