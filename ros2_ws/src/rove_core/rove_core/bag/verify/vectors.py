"""Check "vectors": joint vectors have one finite value a joint, and commands stay in the limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from rove_core.bag.verify.check import Check, Seen

COMMAND, STATES, TARGET, CHUNK = "joint_command", "joint_states", "teleop/target", "policy/chunk"
FRAME, DEVICE = "operator/frame", "operator/device"
TOLERANCE = 1e-6
"""rad beyond a limit; rounding."""
SETTLED = 0.1
"""rad beyond a limit that measured joints may be: a robot gives way to its end stops."""
HAND_VALUES = 75
"""Of 25 points in a hand, x y z each."""
JPEG_BEGIN, JPEG_END = b"\xff\xd8", b"\xff\xd9"


class VectorCheck(Check):
    """Right size, finite, inside the limits of the profile in the bag; pictures are pictures."""

    name = "vectors"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._n = len(self.subject.info.joint_names)
        self._names = set(self.subject.info.joint_names)
        self._device_joints = -1
        self._checked_names: list[str] | None = None

    def see(self, seen: Seen) -> None:
        """Look at the vectors of a message."""
        message, topic = seen.message, seen.topic
        if topic == COMMAND:
            if self._vector(message.position, "position", seen):
                self._limits(message.position, seen)
            for name in ("policy_wanted", "human_wanted"):
                self._vector(getattr(message, name), name, seen, empty=True)
        elif topic == STATES:
            self._measured(message, seen)
        elif topic == TARGET:
            self._vector(message.position, "position", seen, empty=not message.valid)
        elif topic == CHUNK:
            self._chunk(message, seen)
        elif topic == DEVICE:
            self._device_joints = len(message.joint_names)
        elif topic == FRAME:
            self._frame(message, seen)
        elif topic.startswith("camera/"):
            self._picture(message, seen)

    def _vector(self, values: Any, name: str, seen: Seen, empty: bool = False) -> bool:
        if empty and not len(values):
            return False
        if len(values) != self._n:
            text = f"{name} has {len(values)} values, the robot {self._n} joints"
            self.error(text, seen.topic, seen.stamp_ns, kind=f"{name} size")
            return False
        if not np.isfinite(values).all():
            joint = self.subject.info.joint_names[int(np.argmin(np.isfinite(values)))]
            text = f"{name} of {joint} is not finite"
            self.error(text, seen.topic, seen.stamp_ns, kind=f"{name} finite")
            return False
        return True

    def _limits(self, values: Any, seen: Seen) -> None:
        spec = self.subject.spec
        if spec is None or spec.size != self._n:
            return
        beyond = np.maximum(spec.lower - values, values - spec.upper)
        if beyond.max() > TOLERANCE:
            worst = int(beyond.argmax())
            text = f"{spec.joint_names[worst]} is sent {beyond[worst]:.4f} rad beyond its limits"
            self.error(text, seen.topic, seen.stamp_ns, kind="limits")

    def _measured(self, message: Any, seen: Seen) -> None:
        names = list(message.name)
        if names != self._checked_names:
            missing = self._names - set(names)
            if missing or len(set(names)) != len(names):
                text = f"joints {sorted(missing)} are missing or named twice"
                self.error(text, seen.topic, seen.stamp_ns, kind="names")
            self._checked_names = names
        if len(message.position) != len(names) or not np.isfinite(message.position).all():
            text = f"{len(message.position)} positions of {len(names)} joints, or not finite"
            self.error(text, seen.topic, seen.stamp_ns, kind="measured")
            return
        for name in ("velocity", "effort"):
            values = getattr(message, name)
            if len(values) not in (0, len(names)):
                text = f"{len(values)} values of {name} for {len(names)} joints"
                self.error(text, seen.topic, seen.stamp_ns, kind=name)
        spec = self.subject.spec
        if spec is None or tuple(names) != spec.joint_names:
            return
        beyond = np.maximum(spec.lower - message.position, message.position - spec.upper)
        if beyond.max() > SETTLED:
            worst = int(beyond.argmax())
            text = f"{names[worst]} is measured {beyond[worst]:.2f} rad beyond its limits"
            self.warning(text, seen.topic, seen.stamp_ns, kind="measured limits")

    def _chunk(self, message: Any, seen: Seen) -> None:
        rows, columns, values = int(message.horizon), int(message.joints), message.position
        if columns != self._n or rows < 1 or rows * columns != len(values):
            text = f"{len(values)} values given, {rows} rows of {columns}; {self._n} joints allowed"
            self.error(text, seen.topic, seen.stamp_ns, kind="chunk size")
        elif not np.isfinite(values).all():
            self.error("a target is not finite", seen.topic, seen.stamp_ns, kind="chunk finite")
        if not message.dt > 0:
            self.error(f"dt {message.dt} s between rows", seen.topic, seen.stamp_ns, kind="dt")

    def _frame(self, message: Any, seen: Seen) -> None:
        for side in ("left_hand", "right_hand"):
            values = getattr(message, side, ())  # since version 3
            if len(values) not in (0, HAND_VALUES):
                text = f"{side} has {len(values)} values, 0 or {HAND_VALUES} allowed"
                self.error(text, seen.topic, seen.stamp_ns, kind=side)
        joints = len(getattr(message, "device_joints", ()))
        if joints and self._device_joints not in (-1, joints):
            text = f"{joints} device joints, operator/device names {self._device_joints}"
            self.error(text, seen.topic, seen.stamp_ns, kind="device joints")

    def _picture(self, message: Any, seen: Seen) -> None:
        if "jpeg" not in message.format and "jpg" not in message.format:
            text = f"format {message.format!r} given, 'jpeg' allowed"
            self.error(text, seen.topic, seen.stamp_ns, kind="format")
        elif message.data[:2].tobytes() != JPEG_BEGIN:
            self.error("not a JPEG picture", seen.topic, seen.stamp_ns, kind="jpeg")
        elif message.data[-2:].tobytes() != JPEG_END:
            self.warning("a picture ends early", seen.topic, seen.stamp_ns, kind="jpeg end")
