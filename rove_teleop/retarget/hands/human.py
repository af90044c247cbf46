"""A person's hand from WebXR's 25 joints: where its palm looks and how large it is.

Order of the joints (https://www.w3.org/TR/webxr-hand-input-1/): 0 wrist, 1-4 thumb (metacarpal,
proximal, distal, tip), then for index 5-9, middle 10-14, ring 15-19 and pinky 20-24 metacarpal,
proximal, intermediate, distal, tip. The *knuckle* of a finger is its proximal joint; the thumb's is
its metacarpal one.

The *palm frame* has its origin in the wrist joint, x along the straight middle finger, z out of the
back of the hand (so y is to the left of a hand with its palm down, for both hands alike).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled

HAND_JOINTS = 25
WRIST = 0
KNUCKLES, TIPS = (1, 6, 11, 16, 21), (4, 9, 14, 19, 24)  # thumb, index, middle, ring, pinky
REFERENCE_PALM = 0.095  # m, wrist to middle knuckle of the reference hand (0.185 m long)
SMALLEST_PALM, LARGEST_PALM = 0.03, 0.20  # m; anything else is no hand
NEW_HAND = 0.2  # relative change of the palm that means somebody else's hand
LEARN = 0.1  # share of a newly seen length; trackers wobble by some millimetres

POINTS = 11  # joints that retargeting looks at: wrist, then knuckle and tip of each finger
LOOKED_AT = (WRIST, *(joint for pair in zip(KNUCKLES, TIPS, strict=True) for joint in pair))


@compiled("void(f8[:, :, ::1], f8[:, :, ::1], f8[::1], f8[:, :, ::1], f8[:, :, ::1], b1[::1])")
def palm_axes(
    hands: FloatArray,
    turned: FloatArray,
    sides: FloatArray,
    axes: FloatArray,
    placed: FloatArray,
    good: npt.NDArray[np.bool_],
) -> None:
    """Find the palm's axes of some hands, and place the joints that retargeting looks at by them.

    Args:
        hands: (S, 25, 3) m, in any one frame.
        turned: (S, 3, 3) the transposed axes of the robot's palms.
        sides: (S,) 1 of a right hand, -1 of a left one.
        axes: (S, 3, 3) gets the axes of the palm as columns.
        placed: (S, 11, 3) gets the points, turned from the person's palm to the robot's.
        good: (S,) whether to look at a hand; gets False where its values are no hand.
    """
    for s in range(len(hands)):
        hand = hands[s]
        if not good[s] or not np.isfinite(hand.sum()):
            good[s] = False
            continue
        fx, fy, fz = (hand[11, 0] - hand[0, 0], hand[11, 1] - hand[0, 1], hand[11, 2] - hand[0, 2])
        palm = math.sqrt(fx * fx + fy * fy + fz * fz)  # to the middle knuckle
        if not SMALLEST_PALM < palm < LARGEST_PALM:
            good[s] = False
            continue
        fx, fy, fz = fx / palm, fy / palm, fz / palm
        # From the pinky's knuckle to the index's.
        lx, ly, lz = (hand[6, 0] - hand[21, 0], hand[6, 1] - hand[21, 1], hand[6, 2] - hand[21, 2])
        ux, uy, uz = fy * lz - fz * ly, fz * lx - fx * lz, fx * ly - fy * lx
        up = math.sqrt(ux * ux + uy * uy + uz * uz)
        if not up > 0.1 * palm:  # knuckles in line with the palm: no hand has that
            good[s] = False
            continue
        up *= sides[s]
        ux, uy, uz = ux / up, uy / up, uz / up
        lx, ly, lz = uy * fz - uz * fy, uz * fx - ux * fz, ux * fy - uy * fx
        found = axes[s]
        found[0, 0], found[0, 1], found[0, 2] = fx, lx, ux
        found[1, 0], found[1, 1], found[1, 2] = fy, ly, uy
        found[2, 0], found[2, 1], found[2, 2] = fz, lz, uz
        for k in range(POINTS):
            joint = LOOKED_AT[k]
            for i in range(3):
                value = 0.0
                for j in range(3):
                    along = 0.0
                    for a in range(3):
                        along += hand[joint, a] * found[a, j]
                    value += along * turned[s, j, i]
                placed[s, k, i] = value


class HandSize:
    """Lengths of one person's hand, learnt while it is seen: a finger a frame, all at first.

    Attributes:
        palm: m, wrist to middle knuckle.
        fingers: m, length of each finger along its bones from knuckle to tip.
        changed: the lengths differ by 0.5 % or more from those when it was last set to False.
    """

    def __init__(self) -> None:
        self.palm, self.fingers = 0.0, [0.0] * 5
        self.changed = False
        self._told: list[float] = []
        self._next = 0

    def see(self, hand: Sequence[float]) -> None:
        """Look at a hand of 75 floats that ``palm_axes`` finds good."""
        palm = math.dist(hand[0:3], hand[33:36])
        if abs(palm - self.palm) > NEW_HAND * self.palm:
            self.palm = palm
            self.fingers = [_length(hand, finger) for finger in range(5)]
        else:
            finger = self._next = (self._next + 1) % 5
            self.palm += LEARN * (palm - self.palm)
            old = self.fingers[finger]
            self.fingers[finger] = old + LEARN * (_length(hand, finger) - old)
        now = [self.palm, *self.fingers]
        if not self._told or any(
            abs(a - b) > 0.005 * b for a, b in zip(now, self._told, strict=True)
        ):
            self._told, self.changed = now, True


def _length(hand: Sequence[float], finger: int) -> float:
    places = [
        hand[3 * joint : 3 * joint + 3] for joint in range(KNUCKLES[finger], TIPS[finger] + 1)
    ]
    total = sum(math.dist(a, b) for a, b in itertools.pairwise(places))
    return max(total, 1e-3)
