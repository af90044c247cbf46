"""Retargeter: operator frames in, joint targets out, at the operator's rate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.errors import ContractError
from rove_core.robot import RobotSpec
from rove_teleop.retarget.alignment import Alignment, alignment
from rove_teleop.retarget.body.ik import STAGES as BODY_STAGES
from rove_teleop.retarget.body.ik import BodyIk, IkStep
from rove_teleop.retarget.body.turns import arrays_of, gaze_angle
from rove_teleop.retarget.clutch import Clutch, Clutches
from rove_teleop.retarget.facing import yaw_of
from rove_teleop.retarget.faults import FrameFaults
from rove_teleop.retarget.hands.hands import Hands, hand_input
from rove_teleop.retarget.model import SIDES, KinematicModel, to_transform
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.retarget.scale import Scale
from rove_teleop.retarget.timing import StageClock
from rove_teleop.retarget.trunk import Bend, Trunk
from rove_teleop.wire.messages import SQUEEZED, Frame

__all__ = ["RetargetResult", "Retargeter"]

# A step longer than this is a gap: the arms catch up at their speed limit, not in one leap.
MAX_STEP_S = 0.05

HEAD, LEFT, RIGHT, LEFT_ELBOW, RIGHT_ELBOW = range(5)  # parts of an operator
WRISTS = {"left": LEFT, "right": RIGHT}
ELBOWS = {"left": LEFT_ELBOW, "right": RIGHT_ELBOW}
NOTHING = Alignment()
# Of a cycle: is the frame fit; origins and goals; the body; the hands; target and errors.
STAGES = ("check", "aim", *BODY_STAGES, "hands", "errors")
_SQUEEZED: dict[tuple[bool, bool], tuple[str, ...]] = {
    (False, False): (), (True, False): ("left",), (False, True): ("right",), (True, True): SIDES
}  # fmt: skip


class Retargeter:
    """Follows the operator's wrists, head and fingers from the squeeze on; use one per robot.

    *Wrists* of squeezed hands go where the operator's went since the squeeze; see ``Clutch``. A
    hand that is not squeezed stays where it is, seen from the pelvis. *Head*: see ``Trunk``; a neck
    that moves turns as the operator's head does. *Elbows* swivel as the operator's do where
    trackers tell. *Fingers*: see ``Hands``. Everything that is not asked to move stays as it was
    commanded.

    *Alignment* (while nothing is enabled): the mapping is relative, so an operator need not stand
    as the robot does; the error only tells how different the two postures are, see ``alignment``.

    *Origins* are set from measured joints when a hand is squeezed; the step is zero then. The first
    hand re-anchors the whole body, a second one only its own arm (the rest is on its way). A frame
    that is refused drops the origins, and so does a solver without a solution; the next good one
    with a squeezed hand sets them.

    Args:
        spec: the robot.
        timer_ns: for ``solve_ms`` and ``stages`` only.

    Attributes:
        model: the kinematic model, for ``robot_poses``.
        scale: of the operator's motion, used from the next squeeze on.
    """

    def __init__(self, spec: RobotSpec, timer_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self.model = KinematicModel(spec)
        self.scale = Scale()
        self._spec, self._clock = spec, StageClock(timer_ns, STAGES)
        self._ik = BodyIk(spec, self._clock)
        self._hands = Hands(spec, [side for side in SIDES if side in spec.hands])
        self._has_hand = [side for side in SIDES if side in spec.hands]
        self._faults = FrameFaults()
        self._clutches, self._height_scale = Clutches(5), 1.0
        self._squeezed: tuple[str, ...] = ()
        self._elbows: dict[str, bool] = dict.fromkeys(SIDES, False)
        self._trunk, self._bend = Trunk(1.0), Bend()
        self._turn, self._finger_error, self._head_error = False, math.nan, math.nan
        self._squeezed_hands: list[str] = []
        self._fingers = {side: self._hands.indices(side) for side in self._has_hand}
        self._yaws: dict[str, float] = dict.fromkeys(SIDES, 0.0)
        self._eyes_at: FloatArray = np.zeros(3)
        self._loose: dict[str, pin.SE3] = {}  # side -> where it stays, in the pelvis frame
        self._held: FloatArray = np.array(spec.home)  # what is commanded now
        self._target: FloatArray | None = None  # the last good one
        names, moving = self._ik.tasks.names, self._ik.body.moving
        self._wrist_goals = [names["left_wrist"], names["right_wrist"]]
        self._wrists = slice(self._wrist_goals[0], self._wrist_goals[1] + 1)
        self._gaze = names.get("head")
        self._eyes = names["head"] if "head" in names else names["torso"]
        legs = np.concatenate([spec.indices(f"{side}_leg") for side in SIDES])
        self._upper = np.flatnonzero(~np.isin(moving, legs))  # of the body's joints
        self._lower = np.flatnonzero(np.isin(moving, legs))
        self._legs: FloatArray = np.zeros(len(self._lower))  # commanded minus measured
        self._upper_joints, self._lower_joints = moving[self._upper], moving[self._lower]

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many frames were refused for each of ``faults.REASONS``."""
        return self._faults.counts

    @property
    def stages(self) -> dict[str, float]:
        """Ms of each of ``STAGES`` in the last update; they add up to its ``solve_ms``."""
        return self._clock.last

    def update(
        self,
        frame: Frame,
        measured: FloatArray,
        stamp_ns: int,
        now_ns: int,
        commanded: FloatArray | None = None,
    ) -> RetargetResult:
        """Return the target for one frame. What is wrong with a frame is a value, never an error.

        Args:
            frame: as it came from the bridge.
            measured: (N,) rad, joint order of the spec.
            stamp_ns, now_ns: time of the frame and the present on one clock, ns.
            commanded: (N,) rad, what the robot was last told; fingers of a hand that is not
                squeezed stay there, and legs start from there: at the measured joints a hand that
                holds something would lose its grip, and loaded legs would sag a little at every
                squeeze. None: the measured joints.

        Raises:
            ContractError: ``measured`` or ``commanded`` has the wrong shape.
        """
        self._clock.begin()
        joints = self._joints(measured, "measured")
        held = joints if commanded is None else self._joints(commanded, "commanded")
        wanted = _SQUEEZED[frame.left_squeeze > SQUEEZED, frame.right_squeeze > SQUEEZED]
        reason = self._faults.find(frame, joints, held, wanted, self._squeezed, stamp_ns, now_ns)
        errors = NOTHING
        self._clock.mark("check")
        if reason:
            self._drop()
        else:
            dt = min(self._faults.elapsed, MAX_STEP_S)
            first = not self._squeezed
            if wanted:
                places, turns = self._see(frame)
                self._squeeze(wanted, places, turns, frame, joints, held)
                step = self._follow(frame, places, turns, dt)
                reason, errors = self._take_result(step, frame, turns, dt)
            else:
                self._drop()
                self._target = None
                self._see_hands(frame, dt)
                self._clock.mark("hands")
            if first and not reason:  # an origin makes every error vanish; this one decides ALIGN
                errors = alignment(frame, self.model.poses(joints), self._hands.error(joints))
        position = joints if self._target is None else self._target
        if reason and not np.isfinite(position).all():
            position = self._spec.home  # nothing good was ever measured
        return RetargetResult(
            not reason,
            reason,
            bool(self._squeezed),
            np.array(position),
            errors.position,
            errors.orientation,
            self._clock.end("errors"),
            errors.fingers,
            errors.head,
        )

    def _joints(self, values: FloatArray, name: str) -> FloatArray:
        joints = np.asarray(values, dtype=np.float64)
        if joints.shape != (self._spec.size,):
            raise ContractError(f"{name}: shape {joints.shape} given, ({self._spec.size},) allowed")
        return joints

    def _drop(self) -> None:
        """Follow nothing until the next squeeze."""
        for side in self._has_hand if self._squeezed else ():
            self._hands.release(side)
        self._squeezed = ()

    def _see(self, frame: Frame) -> tuple[FloatArray, FloatArray]:
        """Return (k, 3) and (k, 3, 3) of the operator's parts in their frame; 3 without elbows."""
        poses = [frame.head, frame.left_wrist, frame.right_wrist]
        if frame.left_elbow_tracked or frame.right_elbow_tracked:
            # One that is not tracked has a pose, too; it is not looked at.
            poses += [frame.left_elbow, frame.right_elbow]
        return arrays_of(poses)

    def _squeeze(
        self,
        wanted: tuple[str, ...],
        places: FloatArray,
        turns: FloatArray,
        frame: Frame,
        joints: FloatArray,
        held: FloatArray,
    ) -> None:
        """Set origins of hands that were squeezed; let those stay that were released."""
        if wanted == self._squeezed:
            return
        before, self._squeezed, ik = self._squeezed, wanted, self._ik
        self._squeezed_hands = [side for side in wanted if side in self._has_hand]
        body = joints[ik.body.moving]
        if not before:
            self._finger_error = self._head_error = math.nan
            self._held = np.array(held)
            ik.anchor(body)
            self._legs = held[self._lower_joints] - ik.body.joints[self._lower]
            self._height_scale = self.scale.height
            self._trunk, self._bend = Trunk(float(ik.body.pelvis.translation[2])), Bend()
            eyes = self._robot(self._eyes)
            self._eyes_at = eyes.translation
            self._set(HEAD, places, turns, eyes, self._yaw(frame), 1.0)
        for side in SIDES:
            wrist = self._robot(self._wrist_goals[SIDES.index(side)])
            if side in wanted and side not in before:
                if before:
                    ik.anchor_arm(side, body)
                    wrist = self._robot(self._wrist_goals[SIDES.index(side)])
                self._yaws[side], self._elbows[side] = self._yaw(frame), False
                self._set(WRISTS[side], places, turns, wrist, self._yaws[side], self.scale.reach)
                if side in self._has_hand:
                    self._hands.engage(side, joints)
            elif side not in wanted and (side in before or not before):
                ik.tasks.hold(f"{side}_wrist")
                self._loose[side] = ik.body.pelvis.actInv(wrist)
                if side in self._has_hand:
                    self._hands.release(side)

    def _set(
        self, part: int, places: FloatArray, turns: FloatArray, robot: pin.SE3, yaw: float,
        scale: float,
    ) -> None:  # fmt: skip
        operator = pin.SE3(turns[part], places[part])
        self._clutches.set(part, Clutch(operator, robot, yaw, scale))

    def _yaw(self, frame: Frame) -> float:
        """Return which way the operator faces minus which way the robot does, rad."""
        return yaw_of(to_transform(frame.head)) - yaw_of(self._robot(self._eyes))

    def _robot(self, task: int) -> pin.SE3:
        """Return where the frame of a task is, in the floor frame."""
        tasks = self._ik.tasks
        return pin.SE3(np.array(tasks.turns[task]), np.array(tasks.places[task]))

    def _follow(self, frame: Frame, places: FloatArray, turns: FloatArray, dt: float) -> IkStep:
        """Set all goals of the body and go one step."""
        ik = self._ik
        tasks, elbows_seen = ik.tasks, len(places) > LEFT_ELBOW
        if elbows_seen:
            self._take_elbows(frame, places, turns)
        moved, turned = self._clutches.targets(places, turns)
        if len(self._squeezed) == len(SIDES):
            tasks.goal_places[self._wrists] = moved[LEFT : RIGHT + 1]
            tasks.goal_turns[self._wrists] = turned[LEFT : RIGHT + 1]
        else:
            self._aim_one(moved, turned)
        if elbows_seen:
            tasks.elbow_goals = moved[LEFT_ELBOW:]
        tasks.elbow_hints[0] = elbows_seen and self._elbows["left"] and frame.left_elbow_tracked
        tasks.elbow_hints[1] = elbows_seen and self._elbows["right"] and frame.right_elbow_tracked
        if frame.head_tracked:
            forward, left, up = (moved[HEAD] - self._eyes_at).tolist()
            self._trunk.see(forward, left, up, self._height_scale)
            if self._gaze is not None:
                tasks.goal_turns[self._gaze] = turned[HEAD]
        bend = self._trunk.step(dt)
        if bend != self._bend:
            self._bend = bend
            ik.bend(bend.height, bend.pitch, bend.roll)
        self._clock.mark("aim")
        return ik.step(dt)

    def _aim_one(self, moved: FloatArray, turned: FloatArray) -> None:
        """Set the goals of the wrist that is squeezed and of the one that stays."""
        tasks = self._ik.tasks
        for side, goal in zip(SIDES, self._wrist_goals, strict=True):
            if side in self._squeezed:
                tasks.goal_places[goal] = moved[WRISTS[side]]
                tasks.goal_turns[goal] = turned[WRISTS[side]]
            elif not self._ik.standing:
                stays = self._ik.body.pelvis * self._loose[side]
                tasks.goal_places[goal], tasks.goal_turns[goal] = stays.translation, stays.rotation

    def _take_elbows(self, frame: Frame, places: FloatArray, turns: FloatArray) -> None:
        """Set origins of elbows that are seen, for the first time since their hand's squeeze."""
        robot = self._ik.tasks.elbow_places
        for i, side in enumerate(SIDES):
            seen = getattr(frame, f"{side}_elbow_tracked")
            if side in self._squeezed and seen and not self._elbows[side]:
                elbow = pin.SE3(np.eye(3), robot[i])
                self._set(ELBOWS[side], places, turns, elbow, self._yaws[side], self.scale.reach)
                self._elbows[side] = True

    def _take_result(
        self, step: IkStep, frame: Frame, turns: FloatArray, dt: float
    ) -> tuple[str, Alignment]:
        """Make the target of a step; return (why there is none or "", what is left to follow)."""
        if step.reason:
            self._faults.count("no solution", step.reason)
            self._drop()
            return step.reason, NOTHING
        spec, target, reached = self._spec, self._held, self._ik.body.joints
        target[self._upper_joints] = reached[self._upper]
        if not self._ik.standing:
            target[self._lower_joints] = self._legs + reached[self._lower]
        self._clock.mark("errors")
        self._see_hands(frame, dt)
        for side in self._squeezed_hands:
            fingers = self._hands.follow(side)
            if fingers is not None:
                target[self._fingers[side]] = fingers
        self._clock.mark("hands")
        np.maximum(target, spec.lower, out=target)
        np.minimum(target, spec.upper, out=target)
        self._target = target
        if len(self._squeezed) == len(SIDES):
            place, turned = max(step.position_error), max(step.turn_error)
        else:
            i = SIDES.index(self._squeezed[0])
            place, turned = step.position_error[i], step.turn_error[i]
        # These are for people: looked at in turns, each at half the rate.
        self._turn = not self._turn
        if self._turn:
            self._finger_error = self._hands.error(target, self._squeezed_hands)
        elif frame.head_tracked:
            self._head_error = gaze_angle(turns[HEAD], self._ik.tasks.turns[self._eyes])
        else:
            self._head_error = math.nan
        return "", Alignment(place, turned, self._finger_error, self._head_error)

    def _see_hands(self, frame: Frame, dt: float) -> None:
        inputs = {side: hand_input(frame, side) for side in self._has_hand}
        if inputs:
            self._hands.update(inputs, dt)
