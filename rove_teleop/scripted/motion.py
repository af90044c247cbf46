"""Scripted operators at 72 Hz on virtual time.

Each script displaces head and wrists from where they are at its beginning. Where those are the
robot's own, in its floor frame, a wrist's pose is where the robot's wrist should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_teleop.retarget.model import to_pose
from rove_teleop.scripted.hand import FIST, OPEN, HandPose, between, hand
from rove_teleop.wire.messages import Frame

RATE = 72.0
DT = 1.0 / RATE
SECONDS = 8.0
Offsets = tuple[FloatArray, FloatArray, FloatArray]  # m of the head, (2, 3) m and rad of the wrists


@dataclass(frozen=True)
class Moment:
    """One frame of a script.

    Attributes:
        dt: s since the frame before; a dropped frame makes it longer.
        head: where the operator's head is. wrists: left and right.
        closure: 0..1 of both hands.
        grip: what they close to, see ``hand``.
    """

    dt: float
    head: pin.SE3
    wrists: tuple[pin.SE3, pin.SE3]
    closure: float
    grip: HandPose = FIST

    def frame(self, seen_hands: bool) -> Frame:
        """Return the frame of the wire: with 25 joints a hand, or with triggers."""
        pose = between(OPEN, self.grip, self.closure)
        hands = {f"{side}_hand": hand(pose, side) for side in ("left", "right")}
        triggers = {f"{side}_trigger": self.closure for side in ("left", "right")}
        return Frame(
            sequence=1, lease=1, device_stamp_ns=0, head=to_pose(self.head),
            left_wrist=to_pose(self.wrists[0]), right_wrist=to_pose(self.wrists[1]),
            left_squeeze=1.0, right_squeeze=1.0, **(hands if seen_hands else triggers),
        )  # fmt: skip


def minimum_jerk(share: float) -> float:
    """Return 0..1 for a share of the time of a motion as people move (Flash and Hogan 1985)."""
    t = min(max(share, 0.0), 1.0)
    return t**3 * (10.0 - 15.0 * t + 6.0 * t * t)


def _via(points: list[list[float]], each_s: float, rest_s: float, t: float) -> FloatArray:
    """Return where a hand is that goes from point to point and rests at each."""
    whole = each_s + rest_s
    i = min(int(t / whole), len(points) - 1)
    start = np.array(points[i - 1] if i else [0.0, 0.0, 0.0])
    share = minimum_jerk((t - i * whole) / each_s)
    place: FloatArray = start + share * (np.array(points[i]) - start)
    return place


def _hands(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.stack([left, right])


NOWHERE = np.zeros(3)


def reach(t: float) -> Offsets:
    """The right hand reaches for five places in front of the robot and rests at each."""
    points = [[0.06, -0.05, 0.15], [0.02, 0.08, 0.2], [0.08, 0.02, 0.05], [0.0, -0.12, 0.22],
              [0.0, 0.0, 0.0]]  # fmt: skip
    turn = np.array([0.0, -0.4, 0.3]) * np.sin(0.5 * t) ** 2
    return NOWHERE, _hands(NOWHERE, _via(points, 0.9, 0.6, t)), _hands(NOWHERE, turn)


def wipe(t: float) -> Offsets:
    """The right hand wipes to and fro on an upright board, going down."""
    begin = minimum_jerk(t / 1.0)
    stroke = np.array([0.06, 0.09 * np.sin(2 * np.pi * 0.7 * t), 0.18 - 0.012 * t])
    return NOWHERE, _hands(NOWHERE, begin * stroke), np.zeros((2, 3))


def bimanual(t: float) -> Offsets:
    """Both hands lift something, turn it and bring it to one side."""
    lift = 0.15 * minimum_jerk(t / 1.5)
    side = 0.07 * np.sin(2 * np.pi * 0.25 * max(0.0, t - 1.5))
    tilt = 0.35 * np.sin(2 * np.pi * 0.3 * max(0.0, t - 1.5))
    place = np.array([0.03 * lift / 0.15, side, lift])
    turn = np.array([tilt, 0.0, 0.0])
    spread = 0.5 * np.array([0.0, 0.0, np.sin(tilt)]) * 0.4
    return NOWHERE, _hands(place + spread, place - spread), _hands(turn, turn)


def squat(t: float) -> Offsets:
    """The operator lifts the hands, squats by 20 cm, works a little, and stands up."""
    begin = minimum_jerk(t / 1.0)
    down = -0.2 * (minimum_jerk((t - 1.0) / 1.8) - minimum_jerk((t - 5.5) / 1.8))
    work = 0.04 * np.sin(2 * np.pi * 0.6 * t) * begin
    left = np.array([0.06 * begin, 0.03 * begin, 0.15 * begin + down])
    right = np.array([0.06 * begin + work, -0.03 * begin, 0.15 * begin + down])
    return np.array([0.0, 0.0, down]), _hands(left, right), np.zeros((2, 3))


def edge(t: float) -> Offsets:
    """The right hand goes 40 cm beyond the reach, moves sideways there, and comes back."""
    out = 0.6 * (minimum_jerk(t / 2.0) - minimum_jerk((t - 6.0) / 2.0))
    aside = 0.25 * np.sin(2 * np.pi * 0.4 * max(0.0, t - 2.0)) * minimum_jerk(8.0 - t)
    return (
        NOWHERE,
        _hands(NOWHERE, np.array([out, -0.1 + 0.1 * (out < 0.01) + aside, 0.1 * out])),
        (np.zeros((2, 3))),
    )


def wave(t: float) -> Offsets:
    """The right hand waves, 8 cm to each side at 1.2 Hz: what the joints' limits just bear."""
    begin = minimum_jerk(t / 1.5)
    swing = 0.08 * np.sin(2 * np.pi * 1.2 * t)
    return (
        NOWHERE,
        _hands(NOWHERE, begin * np.array([0.03, swing, 0.18])),
        _hands(NOWHERE, begin * np.array([3.0 * swing, 0.0, 0.0])),
    )


SCRIPTS: dict[str, Callable[[float], Offsets]] = {
    "reach": reach, "wipe": wipe, "bimanual": bimanual, "squat": squat, "edge of reach": edge,
    "fast wave": wave, "dropped frames": reach,
}  # fmt: skip
REACHABLE = [name for name in SCRIPTS if name != "edge of reach"]


def moments(script: str, head: pin.SE3, wrists: tuple[pin.SE3, pin.SE3]) -> Iterator[Moment]:
    """Yield the frames of a script from where head and wrists are at its beginning.

    In ``dropped frames`` a fifth of them is lost one by one, and now and then six in a row.
    """
    rng = np.random.default_rng(1)
    lose, last = 0, -DT
    for i in range(int(SECONDS * RATE)):
        t = i * DT
        if script == "dropped frames" and i:
            lose = lose - 1 if lose > 0 else (6 if rng.random() < 0.01 else 0)
            if lose or rng.random() < 0.2:
                continue
        by, places, turns = SCRIPTS[script](t)
        moved = tuple(
            pin.SE3(pin.exp3(turn) @ wrist.rotation, wrist.translation + place)
            for wrist, place, turn in zip(wrists, places, turns, strict=True)
        )
        closure = 0.5 - 0.5 * np.cos(2 * np.pi * 0.4 * t)
        yield Moment(t - last, pin.SE3(head.rotation, head.translation + by), moved, closure)
        last = t
