"""Is a frame fit to move a robot? Each reason for "no" has a short name that is counted."""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from rove_core.vocabulary import Button
from rove_teleop.wire.messages import HAND_VALUES, Frame, Pose

QUATERNION_TOLERANCE = 1e-3  # of the norm; float32 devices stay within 1e-6, zeros and typos do not
REACH_M = 5.0  # of any pose from the operator's origin: larger than a play area's half
HAND_REACH_M = 0.35  # of a hand joint from that hand's wrist joint; the longest hands have 0.25
LARGEST_ANGLE = 4.0 * math.pi  # rad, of a measured joint; degrees sent by mistake go beyond it
MAX_LATE_NS = 200_000_000  # a frame this much later than the fastest ones is an old burst
# The fastest way of the last 10-20 s is the yardstick: long enough to remember the time before a
# stall, short enough to forgive drifting clocks and a network that became slower for good.
WINDOW_NS = 10_000_000_000
MAX_LEAP_NS = 10_000_000_000  # a device stamp this far ahead of the time that passed is a typo
_ALL_BUTTONS = int(Button.TAKEOVER | Button.MARK_RECOVERY | Button.HAND_BACK | Button.ESTOP
                   | Button.PAUSE)  # fmt: skip
_POSES = ("head", "left_wrist", "right_wrist", "left_elbow", "right_elbow")
_HANDS = ("left_hand", "right_hand")
_LEVELS = ("left_squeeze", "right_squeeze", "left_trigger", "right_trigger")

CONTENT_REASONS = frozenset({"not finite", "out of range", "too far", "quaternion", "buttons",
                             "hand", "device joints"})  # fmt: skip
# Reasons that would refuse every later frame too: the connection has to start anew.
ORDER_REASONS = frozenset({"sequence", "time backwards", "time leaps"})
REASONS = CONTENT_REASONS | ORDER_REASONS | {"late"}


class FrameChecker:
    """Checks the frames of one connection in the order they came.

    Args:
        device_joints: how many joints the device said it measures.

    Attributes:
        counts: reason -> frames refused for it since the start.
    """

    def __init__(self, device_joints: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._device_joints = device_joints
        self._sequence = 0
        self._stamp_ns: int | None = None
        self._received_ns = 0
        self._window_start_ns = 0
        self._fastest: list[int] = []  # way of the fastest frame: previous window, this window

    def check(self, frame: Frame, received_ns: int) -> tuple[Frame | None, tuple[str, ...]]:
        """Return the frame with unit quaternions and no reason, or None and the reasons.

        A refused frame is counted and changes nothing for the next one; only a late one tells
        about the network.

        Args:
            frame: as decoded; its types are already right.
            received_ns: monotonic time at which it was received, ns.
        """
        reasons = _content(frame, self._device_joints)
        if frame.sequence <= self._sequence:
            reasons.append("sequence")
        if not reasons:
            reasons = self._time(frame.device_stamp_ns, received_ns)
        self.counts.update(reasons)
        if reasons:
            return None, tuple(reasons)
        self._sequence, self._stamp_ns = frame.sequence, frame.device_stamp_ns
        self._received_ns = received_ns
        poses = {name: _normalised(getattr(frame, name)) for name in _POSES}
        return msgspec.structs.replace(frame, **poses), ()

    def _time(self, stamp_ns: int, received_ns: int) -> list[str]:
        if self._stamp_ns is not None:
            if stamp_ns < self._stamp_ns:
                return ["time backwards"]
            if stamp_ns - self._stamp_ns > received_ns - self._received_ns + MAX_LEAP_NS:
                return ["time leaps"]
        # The clocks share no origin: only the difference between two ways means something.
        way = received_ns - stamp_ns
        if not self._fastest:
            self._window_start_ns, self._fastest = received_ns, [way, way]
        elif received_ns - self._window_start_ns > WINDOW_NS:
            self._window_start_ns, self._fastest = received_ns, [self._fastest[1], way]
        self._fastest[1] = min(self._fastest[1], way)
        return ["late"] if way - min(self._fastest) > MAX_LATE_NS else []


def _content(frame: Frame, device_joints: int) -> list[str]:
    """Return what is wrong with the numbers of one frame."""
    poses = [getattr(frame, name) for name in _POSES]
    levels = [getattr(frame, name) for name in _LEVELS]
    hands = [hand for name in _HANDS if (hand := getattr(frame, name))]
    joints = frame.device_joints
    if not all(all(map(math.isfinite, values)) for values in (*poses, levels, *hands, joints)):
        return ["not finite"]
    reasons = []
    if not all(0.0 <= level <= 1.0 for level in levels) or frame.lease < 0:
        reasons.append("out of range")
    if any(math.hypot(*pose[:3]) > REACH_M for pose in poses):
        reasons.append("too far")
    if any(abs(math.hypot(*pose[3:]) - 1.0) > QUATERNION_TOLERANCE for pose in poses):
        reasons.append("quaternion")
    if frame.buttons & ~_ALL_BUTTONS:
        reasons.append("buttons")
    if not all(_is_hand(hand) for hand in hands):
        reasons.append("hand")
    # A device may send none while it starts; another number would move the wrong joints.
    if len(joints) not in (0, device_joints) or any(abs(v) > LARGEST_ANGLE for v in joints):
        reasons.append("device joints")
    return reasons


def _is_hand(values: tuple[float, ...]) -> bool:
    """Tell whether the values can be a hand: their number, and joints near the wrist's."""
    if len(values) != HAND_VALUES or math.hypot(*values[:3]) > REACH_M:
        return False
    wrist = values[:3]
    return all(
        math.dist(wrist, values[i : i + 3]) <= HAND_REACH_M for i in range(3, HAND_VALUES, 3)
    )


def _normalised(pose: Pose) -> Pose:
    norm = math.hypot(*pose[3:])
    x, y, z, qx, qy, qz, qw = pose
    return (x, y, z, qx / norm, qy / norm, qz / norm, qw / norm)
