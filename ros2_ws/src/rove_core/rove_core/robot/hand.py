"""How a person's hand drives a robot's: which fingertip follows which, and when they pinch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FINGERS = ("thumb", "index", "middle", "ring", "pinky")

# m from the wrist joint to the fingertip of a straight adult hand (length of the hand 0.185 m,
# the mean of women and men); an operator's own hand is to be measured against it.
REFERENCE_REACH: Mapping[str, float] = {
    "thumb": 0.130,
    "index": 0.175,
    "middle": 0.185,
    "ring": 0.173,
    "pinky": 0.150,
}


@dataclass(frozen=True)
class Finger:
    """A finger of the robot.

    Attributes:
        name: thumb, index, middle, ring or pinky.
        tip: role of its tip in the profile's frames; the point that touches an object.
        joints: the finger's joints from the palm to the tip.
        follows: the person's fingers whose tips it follows, by their mean.
        scale: the robot's vector from palm to tip over the person's, for a reference hand.
    """

    name: str
    tip: str
    joints: tuple[str, ...]
    follows: tuple[str, ...]
    scale: float


@dataclass(frozen=True)
class Pinch:
    """Two fingers of the robot that meet when the person's do.

    Attributes:
        fingers: the robot's two fingers.
        contact: m between the two tip frames when the pads touch; the smallest distance that
            retargeting may ask for.
        begin: m between the person's tips (the first that each finger follows) below which the
            robot's fingers start to close.
    """

    fingers: tuple[str, str]
    contact: float
    begin: float


@dataclass(frozen=True)
class HandSpec:
    """One hand.

    Attributes:
        side: left or right.
        palm: role of the palm in the profile's frames. Its origin stands where the person's wrist
            joint is, x points along the straight fingers, z out of the back of the hand: a flat
            hand with its palm down that points forward has the axes of REP 103.
        fingers: in the order thumb, index, middle, ring, pinky, as far as the hand has them; none
            is a gripper, which the trigger alone drives.
        pinches: pairs that close, most important first.
    """

    side: str
    palm: str
    fingers: Mapping[str, Finger]
    pinches: tuple[Pinch, ...]
