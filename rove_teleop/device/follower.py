"""Exoskeleton to joint targets: the leader's posture itself, taken over without a step.

The mapping is absolute: robot and leader shall be in the same posture. So a squeeze is refused
while a joint of the leader is farther than ``ALIGN_MOST`` from the robot's, and after it the robot
goes from its measured joints to the leader's posture at ``BLEND_SPEED`` while it already follows
every motion. Fingers have no such bound: they take over when theirs are as closed as the robot's.

Where the leader's posture would bring the robot too near to itself the robot gives way and lags;
see ``guard``.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ContractError
from rove_core.robot import RobotSpec
from rove_teleop.device.guard import GuardedMotion
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.retarget.alignment import gaze_apart, wrists_apart
from rove_teleop.retarget.hands.hands import HandInput, Hands
from rove_teleop.retarget.model import SIDES, KinematicModel, to_transform
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.retarget.timing import StageClock
from rove_teleop.wire.messages import SQUEEZED, Frame

ALIGN_MOST = 0.6  # rad between a joint of leader and robot at which a squeeze is still taken
BLEND_SPEED = 0.6  # rad/s at which that difference is worked off
MAX_AGE_NS = 200_000_000  # of a frame; older ones say nothing about where the leader is
MAX_STEP_S = 0.05  # a longer gap is caught up at the joints' own speed
LEAP = 1.0  # rad in one frame, 72 rad/s at 72 Hz: a sensor that wraps or a device that restarted
REASONS = ("joints", "time backwards", "old", "device joints", "leap", "align")
# Of a cycle: is the frame fit; the gloves; the squeeze and the body's motion; the errors.
STAGES = ("check", "hands", "follow", "errors")

Mask = npt.NDArray[np.bool_]


class DeviceFollower:
    """Follows the joints of an exoskeleton, suit or leader arm; use one per robot and device.

    Each arm and hand follows while its own side is squeezed, everything else (waist, head) while
    any side is. Joints that the device does not move stay where they were commanded. The result is
    within limits of position, velocity and acceleration, from the measured joints on, and keeps
    the margins between the robot's own links.

    A frame that is refused (no joints, a value that the device cannot measure, old, backwards in
    time, a leap) drops the squeeze; the next good one takes it again from the measured joints.

    Args:
        spec: the robot.
        mapping: of the device.
        timer_ns: for ``solve_ms`` and ``stages`` only.
    """

    def __init__(
        self,
        spec: RobotSpec,
        mapping: DeviceMap,
        timer_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._spec, self._map, self._clock = spec, mapping, StageClock(timer_ns, STAGES)
        self._counts: Counter[str] = Counter()
        self._model = KinematicModel(spec)
        self._hands = Hands(spec, [side for side in SIDES if side in spec.hands])
        self._motion = GuardedMotion(spec)
        moved = np.zeros(spec.size, dtype=bool)
        moved[mapping.indices] = True
        fingers = {
            side: self._hands.indices(side)
            for side in SIDES
            if side in spec.hands and moved[self._hands.indices(side)].all()
        }
        self._gloves = fingers
        for side in SIDES:
            if side in spec.hands:
                moved[self._hands.indices(side)] = False
        # (N,) bool: body joints that follow while a side, or any side, is squeezed.
        self._own = {side: np.zeros(spec.size, dtype=bool) for side in SIDES}
        for side in SIDES:
            if f"{side}_arm" in spec.groups:
                self._own[side][spec.indices(f"{side}_arm")] = True
            self._own[side] &= moved
        self._shared = moved & ~self._own["left"] & ~self._own["right"]
        self._moved = moved
        self._squeezed: tuple[str, ...] = ()
        self._held: FloatArray = np.array(spec.home)
        self._active = np.zeros(spec.size, dtype=bool)  # followed since the first squeeze
        self._rest: FloatArray = np.array(spec.home)  # where joints that were released stop
        self._offset: FloatArray = np.zeros(spec.size)
        self._target: FloatArray | None = None
        self._leader: FloatArray | None = None  # in the frame before
        self._stamp_ns: int | None = None

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many frames were refused for each of ``REASONS``."""
        return self._counts

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
            commanded: (N,) rad, what the robot was last told; joints that do not follow stay there.

        Raises:
            ContractError: ``measured`` or ``commanded`` has the wrong shape.
        """
        self._clock.begin()
        joints = self._joints(measured, "measured")
        held = joints if commanded is None else self._joints(commanded, "commanded")
        leader, dt, reason = self._read(frame, joints, held, stamp_ns, now_ns)
        position_error = orientation_error = finger_error = head_error = math.nan
        self._clock.mark("check")
        if not reason:
            wanted = tuple(s for s in SIDES if getattr(frame, f"{s}_squeeze") > SQUEEZED)
            self._see_hands(leader, dt, wanted)
            finger_error = self._hands.error(joints)
            self._clock.mark("hands")
            first = bool(wanted) and not self._squeezed
            reason = self._squeeze(wanted, leader, joints, held)
            if self._squeezed and not reason:
                self._step(leader, dt)
            self._clock.mark("follow")
            apart = joints if first or self._target is None else self._target
            position_error, orientation_error = self._apart(leader, apart)
            if frame.head_tracked:
                head = self._model.head(self._model.q_of(joints))
                head_error = gaze_apart(to_transform(frame.head), head)
        if reason:
            self._drop()
        position = joints if self._target is None else self._target
        if not np.isfinite(position).all():
            position = self._spec.home
        return RetargetResult(
            valid=not reason,
            reason=reason,
            enabled=bool(self._squeezed),
            position=np.array(position),
            position_error=position_error,
            orientation_error=orientation_error,
            solve_ms=self._clock.end("errors"),
            finger_error=finger_error,
            head_error=head_error,
        )

    def _joints(self, values: FloatArray, name: str) -> FloatArray:
        joints = np.asarray(values, dtype=np.float64)
        if joints.shape != (self._spec.size,):
            raise ContractError(f"{name}: shape {joints.shape} given, ({self._spec.size},) allowed")
        return joints

    def _read(
        self, frame: Frame, joints: FloatArray, held: FloatArray, stamp_ns: int, now_ns: int
    ) -> tuple[FloatArray, float, str]:
        """Return (leader's (N,) posture on the robot, s since the frame before, why not or "")."""
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        last, self._leader = self._leader, None
        leader = np.array(joints)
        if not (np.isfinite(joints).all() and np.isfinite(held).all()):
            return leader, 0.0, self._count("joints", "measured joints are not finite")
        if before is not None and stamp_ns < before:
            return leader, 0.0, self._count("time backwards", "time of the frames runs backwards")
        if abs(now_ns - stamp_ns) > MAX_AGE_NS:
            age = f"frame is {(now_ns - stamp_ns) * 1e-6:.0f} ms old"
            return leader, 0.0, self._count("old", age)
        angles, reason = self._map.read(frame.device_joints)
        if reason:
            return leader, 0.0, self._count("device joints", reason)
        leader[self._map.indices] = angles
        self._leader = leader
        if last is not None and self._squeezed:
            leap = np.abs(leader - last) * self._moved
            worst = int(leap.argmax())
            if leap[worst] > LEAP:
                name = self._spec.joint_names[worst]
                why = f"{name} of the leader leapt {leap[worst]:.2f} rad in a frame"
                return leader, 0.0, self._count("leap", why)
        elapsed = 0.0 if before is None else (stamp_ns - before) * 1e-9
        return leader, min(elapsed, MAX_STEP_S), ""

    def _count(self, key: str, reason: str) -> str:
        self._counts[key] += 1
        return reason

    def _see_hands(self, leader: FloatArray, dt: float, wanted: tuple[str, ...]) -> None:
        for side in self._squeezed:
            if side not in wanted and side in self._gloves:
                self._hands.release(side)
        gloves = {side: HandInput(glove=leader[where]) for side, where in self._gloves.items()}
        self._hands.update(gloves, dt)

    def _squeeze(
        self, wanted: tuple[str, ...], leader: FloatArray, joints: FloatArray, held: FloatArray
    ) -> str:
        """Take sides that were squeezed, leave those that were released; return why not or ""."""
        fresh = [side for side in wanted if side not in self._squeezed]
        if not wanted:
            self._drop()
            self._target = None
            return ""
        follows = self._follows(wanted)
        before = self._follows(self._squeezed)
        new, left = follows & ~before, before & ~follows
        off = np.abs(leader - joints) * new
        worst = int(off.argmax())
        if off[worst] > ALIGN_MOST:
            name = self._spec.joint_names[worst]
            return self._count(
                "align",
                f"align first: {name} of the leader is {off[worst]:.2f} rad away, "
                f"at most {ALIGN_MOST:.2f} rad",
            )
        start = self._inside(joints)
        if not self._squeezed:
            self._held, self._active = np.array(held), np.zeros_like(new)
            self._motion.start(np.where(new, start, held))
        elif new.any():
            self._motion.restart(start, new)
        self._offset[new] = (start - leader)[new]
        self._active |= new
        self._rest[left] = self._motion.stop[left]  # a released arm brakes
        for side in fresh:
            if side in self._gloves:
                self._hands.engage(side, joints)
        self._squeezed = wanted
        return ""

    def _follows(self, sides: tuple[str, ...]) -> Mask:
        """Return the (N,) bool of the body's joints that follow while these sides are squeezed."""
        mask: Mask = self._shared & bool(sides)
        for side in sides:
            mask = mask | self._own[side]
        return mask

    def _step(self, leader: FloatArray, dt: float) -> None:
        follows = self._follows(self._squeezed)
        change = BLEND_SPEED * dt
        self._offset -= np.minimum(np.maximum(self._offset, -change), change)
        goal = np.where(follows, self._inside(leader + self._offset), self._rest)
        goal = self._inside(goal)
        reached = self._motion.step(goal, self._active, dt) if dt > 0.0 else self._motion.position
        position = np.where(self._active, reached, self._held)
        for side in self._squeezed:
            fingers = self._hands.follow(side) if side in self._gloves else None
            if fingers is not None:
                position[self._gloves[side]] = fingers
        self._held = position
        self._target = frozen_floats(self._inside(position), (self._spec.size,), "target")

    def _inside(self, posture: FloatArray) -> FloatArray:
        return np.minimum(np.maximum(posture, self._spec.lower), self._spec.upper)

    def _apart(self, leader: FloatArray, robot: FloatArray) -> tuple[float, float]:
        """Return how far the wrists of two postures are apart, m and rad."""
        wrists: list[list[pin.SE3]] = []
        for posture in (leader, robot):
            found = self._model.wrists(self._model.q_of(posture))
            wrists.append([found[side] for side in SIDES])
        return wrists_apart(*wrists)

    def _drop(self) -> None:
        for side in self._squeezed:
            if side in self._gloves:
                self._hands.release(side)
        self._squeezed = ()
