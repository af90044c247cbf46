"""A tour of what an operator asks of a humanoid: one posture after the other, at a person's pace.

The person stands upright in their own frame (x forward, y left, z up, on the floor), with both
hands in front. The same tour goes to every robot; what is displaced is displaced in metres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.calibration import EYES, Calibration
from rove_teleop.scripted.hand import FIST, PINCH, HandPose
from rove_teleop.scripted.motion import DT, Moment, minimum_jerk

HEIGHT = 1.75  # m
HEAD = pin.SE3(np.eye(3), np.array([0.0, 0.0, EYES * HEIGHT]))
WRISTS = (
    pin.SE3(np.eye(3), np.array([0.33, 0.20, 1.08])),
    pin.SE3(np.eye(3), np.array([0.33, -0.20, 1.08])),
)
CALIBRATION = Calibration("tour", EYES * HEIGHT, 0.82 * HEIGHT)
MOVE_S, REST_S = 1.2, 0.8

Triple = tuple[float, float, float]
NOWHERE: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Station:
    """A posture of the tour, told by displacements from its beginning.

    Attributes:
        name: for people.
        head, left, right: m, of the head and the wrists.
        head_turn, left_turn, right_turn: rad about x, y, z.
        closure: 0..1 of both hands. grip: what they close to.
        reachable: False: the robot can only come near.
    """

    name: str
    head: Triple = NOWHERE
    left: Triple = NOWHERE
    right: Triple = NOWHERE
    head_turn: Triple = NOWHERE
    left_turn: Triple = NOWHERE
    right_turn: Triple = NOWHERE
    closure: float = 0.0
    grip: HandPose = FIST
    reachable: bool = True


STATIONS = (
    Station("squeeze"),
    Station("reach up, pinch", right=(0.08, -0.10, 0.28), right_turn=(0.0, -0.6, 0.0),
            closure=1.0, grip=PINCH),
    Station("lift with both, fists", left=(0.05, -0.02, 0.20), right=(0.05, 0.02, 0.20),
            left_turn=(0.5, 0.0, 0.0), right_turn=(-0.5, 0.0, 0.0), closure=1.0),
    Station("hands into each other", left=(0.02, -0.25, 0.10), right=(0.02, 0.25, 0.10),
            reachable=False),
    Station("beyond reach", right=(0.60, -0.05, 0.15), reachable=False),
    Station("squat", head=(0.0, 0.0, -0.35), left=(0.05, 0.03, -0.20), right=(0.05, -0.03, -0.20)),
    Station("lean and look left", head=(0.22, 0.0, -0.04), left=(0.16, 0.0, 0.05),
            right=(0.16, 0.0, 0.05), head_turn=(0.0, 0.0, 0.5)),
)  # fmt: skip


def tour(rest_s: float = REST_S) -> Iterator[tuple[Moment, Station, bool]]:
    """Yield every frame with the station that it goes to, and whether it is the last one there.

    Args:
        rest_s: s at each station, after ``MOVE_S`` on the way to it.
    """
    before, moving, resting = STATIONS[0], round(MOVE_S / DT), round(rest_s / DT)
    for station in STATIONS:
        for i in range(1, moving + resting + 1):
            share = minimum_jerk(i / moving)
            grip = station.grip if station.closure else before.grip
            moment = Moment(
                dt=DT,
                head=_moved(HEAD, _mix(before.head, station.head, share),
                            _mix(before.head_turn, station.head_turn, share)),
                wrists=(
                    _moved(WRISTS[0], _mix(before.left, station.left, share),
                           _mix(before.left_turn, station.left_turn, share)),
                    _moved(WRISTS[1], _mix(before.right, station.right, share),
                           _mix(before.right_turn, station.right_turn, share)),
                ),
                closure=_closure(before, station, share),
                grip=grip,
            )  # fmt: skip
            yield moment, station, i == moving + resting
        before = station


def _closure(a: Station, b: Station, share: float) -> float:
    """Return how closed the hands are; between two different grips they open first."""
    if a.closure and b.closure and a.grip is not b.grip:
        return abs(1.0 - 2.0 * share) * (a.closure if share < 0.5 else b.closure)
    return (1.0 - share) * a.closure + share * b.closure


def _mix(a: Triple, b: Triple, share: float) -> FloatArray:
    mixed: FloatArray = (1.0 - share) * np.array(a) + share * np.array(b)
    return mixed


def _moved(pose: pin.SE3, by: FloatArray, turn: FloatArray) -> pin.SE3:
    return pin.SE3(pin.exp3(turn) @ pose.rotation, pose.translation + by)
