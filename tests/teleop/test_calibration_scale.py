"""How an operator's size becomes a scale of motion."""

from __future__ import annotations

import pytest

from rove_core.robot import load_robot
from rove_teleop.calibration import Calibration
from rove_teleop.retarget.scale import BodySize, Scale, robot_size, scale_of

ANN = Calibration("ann", 1.60, 1.40)


@pytest.mark.parametrize(
    ("robot", "eyes", "arm"),
    [("g1_dex3", (1.0, 1.25), (0.3, 0.42)), ("gr1t2_fourier", (1.3, 1.7), (0.38, 0.55))],
)
def test_robots_have_their_size(robot: str, eyes: tuple, arm: tuple) -> None:
    """Between what their makers' data sheets allow: the G1 is 1.3 m tall, the GR1 1.65 m."""
    size = robot_size(load_robot(robot))
    assert eyes[0] < size.eye_height < eyes[1]
    assert arm[0] < size.arm < arm[1]


def test_reach_is_metric_unless_asked_for() -> None:
    """Heights are scaled by the eyes, hands only on request, nobody known by nothing."""
    robot = BodySize(1.2, 0.4)
    assert scale_of(None, robot) == Scale(1.0, 1.0)
    assert scale_of(ANN, robot) == Scale(pytest.approx(0.75), 1.0)
    assert scale_of(ANN, robot, reach_by_arms=True).reach == pytest.approx(0.4 / ANN.arm)
