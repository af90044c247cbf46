"""What a person's hands ask of the robot's: tips, vectors between tips, closure.

All of it is linear in the person's points once their palm's axes and the lengths of their fingers
are known, so one matrix a pair of hands does it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.robot.hand import FINGERS
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.hands.human import (
    HAND_JOINTS,
    POINTS,
    REFERENCE_PALM,
    HandSize,
    palm_axes,
)
from rove_teleop.retarget.hands.model import HandModel

_HAND = struct.Struct(f"{3 * HAND_JOINTS}d")  # numpy takes three times as long for a tuple
LOOK_EVERY = 8  # frames between two looks at the lengths of one hand's fingers
# Closure of a finger from its vector knuckle to tip over its length: 1 forward when it is straight,
# about -0.3 forward in a fist. That of a thumb: 0.5 to its side when stretched, 0 in a fist.
FINGER_OPEN, FINGER_SHUT = 1.0, -0.25
THUMB_OPEN, THUMB_SHUT = 0.45, -0.05


class HandTargets:
    """Turns hands of 75 floats into targets in the frame of a ``HandModel``.

    Attributes of the last ``read`` (F fingers and P pairs of the model, hands one after another):
        wanted: (F + P, 3) m; fingers: knuckle to tip for a robot's finger of its own length;
            pairs: from the first to the second tip, scaled by the profile.
        closure: (F,) 0 stretched to 1 in a fist.
        apart: (P,) m2, the pairs' distances squared.
        pair_scale: (P,) of ``between`` over the vector on a hand of the reference size.
    """

    def __init__(self, spec: RobotSpec, model: HandModel, sides: Sequence[str]) -> None:
        self._sides = tuple(sides)
        fingers = [spec.hands[side].fingers[name] for side, name in model.names]
        number = {name: i for i, name in enumerate(model.names)}
        self._follows = [
            (self._sides.index(side), [FINGERS.index(f) for f in finger.follows])
            for (side, _), finger in zip(model.names, fingers, strict=True)
        ]
        self.ends = np.array(
            [
                [number[side, finger] for finger in pinch.fingers]
                for side in sides
                for pinch in spec.hands[side].pinches
            ],
            dtype=np.intp,
        ).reshape(-1, 2)
        scale = np.array([finger.scale for finger in fingers])
        self.pair_scale = scale[self.ends].mean(axis=1)
        self._lengths = model.length
        self._sizes = [HandSize() for _ in sides]
        count = len(fingers)
        self._rows = np.zeros((count + len(self.ends), POINTS * len(sides)))
        palm_of = {side: model.palm[i] for i, (side, _) in enumerate(model.names)}
        self._palm_turned = np.array([palm_of[side].T for side in sides]).reshape(-1, 3, 3)
        # closure = start + slope . wanted, along the palm's axis that tells most about the finger.
        self._slope = np.zeros((count, 3))
        self._start = np.zeros(count)
        for i, (side, name) in enumerate(model.names):
            sideways = 1.0 if side == "right" else -1.0
            axis = sideways * model.palm[i][:, 1] if name == "thumb" else model.palm[i][:, 0]
            ends = (THUMB_OPEN, THUMB_SHUT) if name == "thumb" else (FINGER_OPEN, FINGER_SHUT)
            travel = ends[0] - ends[1]
            self._start[i] = ends[0] / travel
            self._slope[i] = -axis / (travel * model.length[i])
        self._right = np.array([1.0 if side == "right" else -1.0 for side in sides])
        self._seen = np.zeros((len(sides), HAND_JOINTS, 3))
        self._bytes = [hand.reshape(-1).data.cast("B") for hand in self._seen]
        self._good = np.zeros(len(sides), dtype=bool)
        self._axes = np.zeros((len(sides), 3, 3))
        self._placed = np.zeros((len(sides), POINTS, 3))
        self._turn = 0
        self.wanted: FloatArray = np.zeros((len(self._rows), 3))
        self.closure: FloatArray = np.zeros(count)
        self.apart: FloatArray = np.zeros(len(self.ends))

    def read(self, hands: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
        """Take in the hands that are given; return the sides whose values are a hand.

        A side that is not given, or is no hand, keeps the targets that it had.
        """
        self._turn += 1
        good = self._good
        for i, side in enumerate(self._sides):
            hand = hands.get(side)
            good[i] = hand is not None and len(hand) == 3 * HAND_JOINTS
            if hand is not None and good[i]:
                _HAND.pack_into(self._bytes[i], 0, *hand)
        palm_axes(self._seen, self._palm_turned, self._right, self._axes, self._placed, good)
        sides = [side for side, is_hand in zip(self._sides, good.tolist(), strict=True) if is_hand]
        if not sides:
            return ()
        changed = False
        for side in sides:
            i = self._sides.index(side)
            size = self._sizes[i]
            if size.palm == 0.0 or self._turn % LOOK_EVERY == i:
                size.see(hands[side])
                changed = changed or size.changed
        if changed:
            self._build_rows()
        _targets(self._rows, self._placed.reshape(-1, 3), self._start, self._slope, self.wanted,
                 self.closure, self.apart)  # fmt: skip
        return tuple(sides)

    def _build_rows(self) -> None:
        """Fill in the matrix that makes rows from points."""
        rows, count = self._rows, len(self._follows)
        rows[:] = 0.0
        for i, (hand, humans) in enumerate(self._follows):
            for human in humans:
                per_length = self._lengths[i] / self._sizes[hand].fingers[human] / len(humans)
                knuckle = POINTS * hand + 1 + 2 * human
                rows[i, knuckle], rows[i, knuckle + 1] = -per_length, per_length
        for k, (a, b) in enumerate(self.ends):
            hand = self._follows[a][0]
            size = self.pair_scale[k] * REFERENCE_PALM / max(self._sizes[hand].palm, 1e-3)
            for end, sign in ((a, -1.0), (b, 1.0)):
                tip = POINTS * hand + 2 + 2 * self._follows[end][1][0]
                rows[count + k, tip] += sign * size
        for size_of in self._sizes:
            size_of.changed = False


@compiled("void(f8[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1])")
def _targets(
    rows: FloatArray,
    placed: FloatArray,
    start: FloatArray,
    slope: FloatArray,
    wanted: FloatArray,
    closure: FloatArray,
    apart: FloatArray,
) -> None:
    """Fill in ``wanted``, ``closure`` and ``apart``, see ``HandTargets``.

    Args:
        rows: (F + P, K). placed: (K, 3) m. start: (F,). slope: (F, 3) 1/m.
    """
    count = len(closure)
    for r in range(len(rows)):
        x = y = z = 0.0
        for k in range(len(placed)):
            share = rows[r, k]
            x += share * placed[k, 0]
            y += share * placed[k, 1]
            z += share * placed[k, 2]
        wanted[r, 0], wanted[r, 1], wanted[r, 2] = x, y, z
        if r < count:
            closed = start[r] + slope[r, 0] * x + slope[r, 1] * y + slope[r, 2] * z
            closure[r] = min(max(closed, 0.0), 1.0)
        else:
            apart[r - count] = x * x + y * y + z * z
