"""Measured joints of a device to joints of the robot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_teleop.device.profile import DeviceProfile


class DeviceMap:
    """Brings the values of one device, in its order, to joints of the robot, within their limits.

    Args:
        profile: of the device.
        spec: the robot.
        joint_names: order of the values, as the device said in its hello.

    Attributes:
        indices: (K,) positions in the spec's order of the joints that the device moves.

    Raises:
        ConfigError: the device sends joints that its profile does not know, or lacks some of it;
            the profile is for another robot, or moves a joint that this one does not have.
    """

    def __init__(self, profile: DeviceProfile, spec: RobotSpec, joint_names: Sequence[str]) -> None:
        where = f"device {profile.name}"
        if profile.robot and profile.robot != spec.name:
            raise ConfigError("robot of the device", spec.name, profile.robot, where)
        unknown = [name for name in joint_names if name not in profile.joints]
        missing = [name for name in profile.joints if name not in joint_names]
        if unknown or missing or len(set(joint_names)) != len(joint_names):
            what = f"joints of the device: missing {missing}, unknown"
            raise ConfigError(what, unknown, profile.joints, where)
        joints = [profile.joints[name] for name in joint_names]
        self._names = tuple(joint_names)
        self.indices: npt.NDArray[np.intp] = np.array(
            [spec.index(joint.robot) for joint in joints], dtype=np.intp
        )
        self._slope = np.array([joint.sign * joint.scale for joint in joints])
        self._offset = np.array([joint.offset for joint in joints])
        self._range = (
            np.array([joint.lower for joint in joints]),
            np.array([joint.upper for joint in joints]),
        )
        self._lower, self._upper = spec.lower[self.indices], spec.upper[self.indices]

    def read(self, values: Sequence[float]) -> tuple[FloatArray, str]:
        """Return ((K,) rad of the joints ``indices``, why not or "").

        What is wrong is a value, not an error: too few values, one that is not finite, or one that
        the device cannot measure. The angles are moved into the robot's limits.
        """
        measured = np.array(values, dtype=np.float64)
        if measured.shape != self.indices.shape:
            given, allowed = len(values), len(self.indices)
            return np.zeros(allowed), f"device sends {given} joints, {allowed} allowed"
        lower, upper = self._range
        good = (measured >= lower) & (measured <= upper)  # False also for NaN
        if not good.all():
            i = int(np.argmin(good))
            return np.zeros(len(good)), (
                f"device joint {self._names[i]} at {measured[i]:.2f} rad, "
                f"{lower[i]:.2f} to {upper[i]:.2f} possible"
            )
        angles = self._slope * measured + self._offset
        return np.minimum(np.maximum(angles, self._lower), self._upper), ""

    def device_values(self, position: FloatArray) -> FloatArray:
        """Return the (K,) rad that the device measures where the robot's posture is (N,) rad."""
        values: FloatArray = (position[self.indices] - self._offset) / self._slope
        return values
