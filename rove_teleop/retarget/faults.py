"""Which frames a retargeter must not follow, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.compiled import compiled
from rove_teleop.wire.messages import Frame, Pose

MAX_AGE_NS = 200_000_000  # of a frame; older ones say nothing about where the hand is
# A quaternion of another length is no rotation: a device that has not started sends zeros.
LEAST_SQUARE, MOST_SQUARE = 0.99**2, 1.01**2
# In one frame. No hand does 36 m/s; no wrist turns by a right angle in 14 ms (people reach a third
# of it), but a tracker that mistakes one side of the hand for the other turns by half a circle.
LEAP_M, LEAP_RAD = 0.5, 1.5
# Frames that were lost make leaps longer: what a hand may do in each further second.
LEAP_M_S, LEAP_RAD_S = 10.0, 30.0
FRAME_S = 1.0 / 72.0

REASONS = (
    "joints", "not finite", "quaternion", "time backwards", "old", "not tracked", "no head",
    "leap", "turn", "no solution",
)  # fmt: skip


class FrameFaults:
    """Judges the frames of one operator in their order, and counts what it refuses.

    Attributes:
        counts: one of ``REASONS`` -> frames refused for it.
        elapsed: s between the last two frames.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.elapsed = 0.0
        self._stamp_ns: int | None = None
        self._before: dict[str, Pose] = {}  # of what was followed

    def find(
        self,
        frame: Frame,
        measured: FloatArray,
        held: FloatArray,
        wanted: Sequence[str],
        followed: Sequence[str],
        stamp_ns: int,
        now_ns: int,
    ) -> str:
        """Return why a frame cannot be followed, for people; "" when it can.

        Args:
            frame: as it came from the bridge.
            measured, held: (N,) rad, of the robot.
            wanted: sides that are squeezed. followed: those that were in the frame before.
            stamp_ns, now_ns: time of the frame and the present on one clock, ns.
        """
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        self.elapsed = 0.0 if before is None else max(0.0, (stamp_ns - before) * 1e-9)
        poses, self._before = self._before, {}
        if not (_finite(measured) and (held is measured or _finite(held))):
            return self.count("joints", "measured joints are not finite")
        given = [frame.head, frame.left_wrist, frame.right_wrist]
        if frame.left_elbow_tracked or frame.right_elbow_tracked:
            given += [pose for _, pose in _elbows(frame)]
        if not _fit(np.array(given, dtype=np.float64)):
            return self._what_is_wrong(frame)
        if before is not None and stamp_ns < before:
            return self.count("time backwards", "time of the frames runs backwards")
        if abs(now_ns - stamp_ns) > MAX_AGE_NS:
            return self.count("old", f"frame is {(now_ns - stamp_ns) * 1e-6:.0f} ms old")
        tracked = frame.head_tracked
        watched = {"head": frame.head} if wanted and tracked else {}
        for side in wanted:
            if not (frame.left_tracked if side == "left" else frame.right_tracked):
                return self.count("not tracked", f"{side} hand is squeezed but not tracked")
            if not tracked and side not in followed:
                return self.count("no head", "head is not tracked, so forward is unknown")
            watched[side] = frame.left_wrist if side == "left" else frame.right_wrist
        self._before = watched
        if followed:
            for part, pose in watched.items():
                last = poses.get(part)
                if last is not None and (reason := self._leap(part, last, pose)):
                    return reason
        return ""

    def _what_is_wrong(self, frame: Frame) -> str:
        parts = [("head", frame.head), ("left_wrist", frame.left_wrist)]
        for name, pose in [*parts, ("right_wrist", frame.right_wrist), *_elbows(frame)]:
            if not math.isfinite(sum(pose)):
                return self.count("not finite", f"{name} of the frame is not finite")
            if not LEAST_SQUARE < sum(v * v for v in pose[3:]) < MOST_SQUARE:
                return self.count("quaternion", f"{name} of the frame has no unit quaternion")
        return self.count("not finite", "the frame is too far away")

    def count(self, key: str, reason: str) -> str:
        """Count a refusal and return its reason."""
        self.counts[key] += 1
        return reason

    def _leap(self, part: str, before: Pose, now: Pose) -> str:
        lost = max(0.0, self.elapsed - FRAME_S)
        x, y, z, a, b, c, d = before
        u, v, w, e, f, g, h = now
        what = part if part == "head" else f"{part} wrist"
        leap = math.sqrt((u - x) ** 2 + (v - y) ** 2 + (w - z) ** 2)
        if leap > LEAP_M + LEAP_M_S * lost:
            return self.count("leap", f"{what} leapt {leap:.2f} m in one frame")
        # Half the angle between two quaternions of either sign.
        angle = 2.0 * math.acos(min(1.0, abs(a * e + b * f + c * g + d * h)))
        if angle > LEAP_RAD + LEAP_RAD_S * lost:
            return self.count("turn", f"{what} turned {angle:.2f} rad in one frame")
        return ""


def _elbows(frame: Frame) -> list[tuple[str, Pose]]:
    """Return name and pose of the elbows that a frame tells about."""
    left = [("left_elbow", frame.left_elbow)] if frame.left_elbow_tracked else []
    right = [("right_elbow", frame.right_elbow)] if frame.right_elbow_tracked else []
    return left + right


def _finite(values: FloatArray) -> bool:
    return math.isfinite(values @ values)


@compiled("b1(f8[:, ::1])")
def _fit(poses: FloatArray) -> bool:
    """Tell whether (k, 7) poses are finite and have unit quaternions."""
    total, fit = 0.0, True
    for k in range(len(poses)):
        square = 0.0
        for i in range(3, 7):
            square += poses[k, i] * poses[k, i]
        fit = fit and LEAST_SQUARE < square < MOST_SQUARE  # a NaN is not
        total += poses[k, 0] + poses[k, 1] + poses[k, 2]
    return fit and math.isfinite(total)
