"""A person's hand from WebXR's 25 joints: where its palm looks and how large it is.

Order of the joints (https://www.w3.org/TR/webxr-hand-input-1/): 0 wrist, 1-4 thumb (metacarpal,
proximal, distal, tip), then for index 5-9, middle 10-14, ring 15-19 and pinky 20-24 metacarpal,
proximal, intermediate, distal, tip. The *knuckle* of a finger is its proximal joint; the thumb's is
its metacarpal one.

The *palm frame* has its origin in the wrist joint, x along the straight middle finger, z out of the
back of the hand (so y is to the left of a hand with its palm down, for both hands alike).

Plain floats on purpose: for vectors of three numbers numpy takes ten times as long.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from operator import itemgetter

HAND_JOINTS = 25
WRIST = 0
KNUCKLES, TIPS = (1, 6, 11, 16, 21), (4, 9, 14, 19, 24)  # thumb, index, middle, ring, pinky
REFERENCE_PALM = 0.095  # m, wrist to middle knuckle of the reference hand (0.185 m long)
SMALLEST_PALM, LARGEST_PALM = 0.03, 0.20  # m; anything else is no hand
NEW_HAND = 0.2  # relative change of the palm that means somebody else's hand
LEARN = 0.1  # share of a newly seen length; trackers wobble by some millimetres

POINTS = 11  # joints that retargeting looks at: wrist, then knuckle and tip of each finger
_LOOKED_AT = [WRIST, *(joint for pair in zip(KNUCKLES, TIPS, strict=True) for joint in pair)]
points_of = itemgetter(*(3 * joint + axis for joint in _LOOKED_AT for axis in range(3)))
"""Return the 33 floats of those joints from a hand's 75."""

Axes = tuple[float, float, float, float, float, float, float, float, float]


def palm_axes(hand: Sequence[float], side: str) -> Axes | None:
    """Return the axes of the palm as columns of a (3, 3) matrix, row by row; None: not a hand.

    Args:
        hand: 75 floats; another number of them, or one that is not finite, is no hand.
        side: left or right.
    """
    if len(hand) != 3 * HAND_JOINTS or not math.isfinite(sum(hand)):
        return None
    x, y, z = hand[0:3]
    fx, fy, fz = hand[33] - x, hand[34] - y, hand[35] - z  # to the middle knuckle
    palm = math.sqrt(fx * fx + fy * fy + fz * fz)
    if not SMALLEST_PALM < palm < LARGEST_PALM:
        return None
    fx, fy, fz = fx / palm, fy / palm, fz / palm
    lx, ly, lz = hand[18] - hand[63], hand[19] - hand[64], hand[20] - hand[65]  # pinky to index
    ux, uy, uz = fy * lz - fz * ly, fz * lx - fx * lz, fx * ly - fy * lx
    up = math.sqrt(ux * ux + uy * uy + uz * uz)
    if not up > 0.1 * palm:  # knuckles in line with the palm: no hand has that
        return None
    up = up if side == "right" else -up
    ux, uy, uz = ux / up, uy / up, uz / up
    lx, ly, lz = uy * fz - uz * fy, uz * fx - ux * fz, ux * fy - uy * fx
    return (fx, lx, ux, fy, ly, uy, fz, lz, uz)


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
        """Look at a hand of 75 floats for which ``palm_axes`` is not None."""
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
