"""Both hands of an operator to those of the robot, whatever the operator's device measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.hands.solver import HandSolver
from rove_teleop.retarget.motion_limit import MotionLimit
from rove_teleop.wire.messages import Frame

SIDES = ("left", "right")
CATCH = 0.05  # of the travel from open to closed: near enough to the hand's closure to take it over
# Of seen hands and gloves, whose fingers are not the robot's: a full fist may fall short a little.
LOOSE_CATCH = 0.12
PULLED = 0.05  # of a trigger: less is a finger that rests on it
TRIGGER_FINGERS = ("thumb", "index")  # where a grip drives the others


@dataclass(frozen=True)
class HandInput:
    """What one hand of the operator does; the first of the following that is given counts.

    Attributes:
        glove: (F,) rad of the robot's hand, joint order of the spec's group, from a device whose
            joints are mapped already; None: no glove.
        joints: 75 floats, WebXR's hand joints in any one frame; empty: not seen.
        trigger: 0 open to 1 closed.
        grip: likewise for the fingers other than thumb and index; None: the trigger drives all.
    """

    trigger: float = 0.0
    grip: float | None = None
    joints: Sequence[float] = ()
    glove: FloatArray | None = None


def hand_input(frame: Frame, side: str, glove: FloatArray | None = None) -> HandInput:
    """Return what a frame says about a hand; its squeeze is the enable, so there is no grip."""
    if side == "left":
        return HandInput(frame.left_trigger, None, frame.left_hand, glove)
    return HandInput(frame.right_trigger, None, frame.right_hand, glove)


class _Source(Enum):
    NONE = auto()
    TRIGGER = auto()
    JOINTS = auto()
    GLOVE = auto()


@dataclass
class _Hand:
    """One hand: which entries of the model's vectors are its own, and who moves it."""

    indices: npt.NDArray[np.intp]  # (F,) in the spec's order
    own: npt.NDArray[np.intp]  # (F,) entries of the model's vectors, in the order of the group
    open: FloatArray  # (F,) rad
    travel: FloatArray  # (F,) rad, open to closed
    by_trigger: npt.NDArray[np.bool_]  # (F,) where a grip drives the others
    source: _Source = _Source.NONE
    wanted: FloatArray | None = field(default=None)  # (F,) rad that the operator's hand means
    engaged: bool = False
    caught: bool = False
    braking: bool = False
    closure: float = 0.0  # of the robot's hand when it was engaged or left to itself


class Hands:
    """Moves the robot's fingers from the squeeze on, within limits of speed and acceleration.

    An operator takes over a hand only when theirs is as closed as the robot's is: who squeezes with
    an open hand while the robot holds something does not make it drop the thing. From there the
    fingers go to where the operator's are without a step. A hand that is no longer seen, or a value
    that is not finite, brakes the fingers where they are until it is back; a change of device (from
    seen fingers to a trigger) has to catch the hand anew.

    Call ``update`` for every frame, ``engage`` at a squeeze, ``release`` when it opens, and
    ``follow`` for the posture.

    Args:
        spec: the robot; its profile has ``hands``.
        sides: which of them.

    Attributes:
        solver: turns seen fingers into postures.

    Raises:
        ConfigError: the robot has no such hand.
    """

    def __init__(self, spec: RobotSpec, sides: Sequence[str] = SIDES) -> None:
        self.solver = HandSolver(spec, sides)
        joints = self.solver.model.joints
        entry = {int(joint): i for i, joint in enumerate(joints)}
        self._hands: dict[str, _Hand] = {}
        for side in sides:
            names = spec.groups[f"{side}_hand"]
            indices = spec.indices(f"{side}_hand")
            lower, upper = spec.lower[indices], spec.upper[indices]
            ends = [
                np.clip([table[name] for name in names], lower, upper)
                for table in (spec.finger_open, spec.finger_closed)
            ]
            pulled = {
                joint
                for name, finger in spec.hands[side].fingers.items()
                if name in TRIGGER_FINGERS
                for joint in finger.joints
            }
            self._hands[side] = _Hand(
                indices,
                np.array([entry[int(i)] for i in indices], dtype=np.intp),
                ends[0],
                ends[1] - ends[0],
                np.array([name in pulled for name in names]),
            )
        self._limit = MotionLimit(spec.velocity[joints], spec.acceleration[joints])
        self._target = self._limit.position.copy()

    def indices(self, side: str) -> npt.NDArray[np.intp]:
        """Return the (F,) positions of a hand's joints in the spec's order."""
        return self._hands[side].indices

    def closure(self, side: str, posture: FloatArray) -> float:
        """Return how far a hand is closed, 0..1, in (F,) rad."""
        hand = self._hands[side]
        along = float((posture - hand.open) @ hand.travel)
        return min(max(along / max(float(hand.travel @ hand.travel), 1e-9), 0.0), 1.0)

    def engage(self, side: str, position: FloatArray) -> None:
        """Begin at the (N,) rad, joint order of the spec, in which the hand is now."""
        hand = self._hands[side]
        now = position[hand.indices]
        self._limit.start(now, hand.own)
        self._target[hand.own] = now
        hand.engaged, hand.caught, hand.braking = True, False, True
        hand.closure = self.closure(side, now)

    def release(self, side: str) -> None:
        """Leave the hand to itself."""
        self._hands[side].engaged = False

    def update(self, inputs: Mapping[str, HandInput], dt: float) -> None:
        """Take in what the operator's hands do ``dt`` s after the frame before."""
        seen = {side: given.joints for side, given in inputs.items() if given.joints}
        good = self.solver.follow(seen, dt) if seen else ()
        engaged = False
        for side, hand in self._hands.items():
            given = inputs.get(side)
            self._listen(side, hand, given, side in good)
            if hand.engaged:
                engaged = True
                self._aim(side, hand)
        if engaged:
            self._limit.step(self._target, dt)

    def wanted(self, side: str) -> FloatArray | None:
        """Return the (F,) rad that the operator's hand means now, None when nothing tells."""
        return self._hands[side].wanted

    def follow(self, side: str) -> FloatArray | None:
        """Return the (F,) rad that the robot's hand shall take, None while it stays as it is."""
        hand = self._hands[side]
        return self._limit.position[hand.own] if hand.engaged and hand.caught else None

    def error(self, position: FloatArray, sides: Sequence[str] | None = None) -> float:
        """Return the root mean square over the fingers' joints, rad, between what the operator's
        hands mean and (N,) rad; NaN when none of the hands is known."""
        squares, count = 0.0, 0
        for side in self._hands if sides is None else sides:
            hand = self._hands[side]
            if hand.wanted is not None:
                off = hand.wanted - position[hand.indices]
                squares, count = squares + float(off @ off), count + len(off)
        return math.sqrt(squares / count) if count else math.nan

    def _listen(self, side: str, hand: _Hand, given: HandInput | None, seen: bool) -> None:
        """Find out which device moves the hand and what it wants."""
        hand.wanted = None
        if given is None:
            return
        source = hand.source
        if given.glove is not None:
            source = _Source.GLOVE
        elif given.joints:
            source = _Source.JOINTS
        elif source in (_Source.NONE, _Source.TRIGGER) or given.trigger > PULLED:
            # A device that showed fingers and shows none now has an open trigger, too; that must
            # not open the robot's hand.
            source = _Source.TRIGGER
        else:
            return
        if source is not hand.source:
            if hand.caught:
                hand.closure = self.closure(side, self._limit.position[hand.own])
            hand.source, hand.caught = source, False
        if source is _Source.GLOVE:
            assert given.glove is not None
            if np.isfinite(given.glove).all():
                hand.wanted = self._limited(hand, given.glove)
        elif source is _Source.JOINTS:
            hand.wanted = self.solver.q[hand.own] if seen else None
        else:
            hand.wanted = _trigger_posture(hand, given)

    def _limited(self, hand: _Hand, posture: FloatArray) -> FloatArray:
        whole = self.solver.q.copy()
        whole[hand.own] = posture
        return self.solver.inside(whole)[hand.own]

    def _aim(self, side: str, hand: _Hand) -> None:
        """Set the hand's target for this frame."""
        if hand.wanted is not None and not hand.caught:
            catch = CATCH if hand.source is _Source.TRIGGER else LOOSE_CATCH
            hand.caught = self.closure(side, hand.wanted) >= hand.closure - catch
        if hand.wanted is not None and hand.caught:
            self._target[hand.own], hand.braking = hand.wanted, False
        elif not hand.braking:
            self._target[hand.own] = self._limit.stop[hand.own]
            hand.braking = True


def _trigger_posture(hand: _Hand, given: HandInput) -> FloatArray | None:
    trigger = given.trigger
    if given.grip is None:
        return hand.open + trigger * hand.travel if math.isfinite(trigger) else None
    if not (math.isfinite(trigger) and math.isfinite(given.grip)):
        return None
    posture: FloatArray = hand.open + np.where(hand.by_trigger, trigger, given.grip) * hand.travel
    return posture
