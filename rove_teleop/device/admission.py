"""May this operator drive with this device? The calibration and the device's joints decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_teleop.calibration import Calibration, CalibrationStore
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import load_device
from rove_teleop.wire.messages import Frame

CONTRADICTED_S = 0.5  # that frames must contradict a calibration before it counts as wrong


@dataclass(frozen=True)
class Admission:
    """What is known of an operator and their device.

    Attributes:
        problem: what has to be mended before this operator may drive, "" when nothing has.
        calibration: None when there is none.
        mapping: of the device's joints; None when it measures none.
    """

    problem: str
    calibration: Calibration | None = None
    mapping: DeviceMap | None = None


def find_calibration(store: CalibrationStore, name: str) -> tuple[str, str]:
    """Return (the calibration of that name as JSON or "", what is wrong or "")."""
    if not name:
        return "", "the device names no calibration: `rove calibrate NAME` measures one"
    try:
        return store.load(name).to_json(), ""
    except ConfigError as error:
        return "", str(error)


def admit(
    spec: RobotSpec,
    device: str,
    joint_names: Sequence[str],
    calibration: str,
    problem: str = "",
    required: bool = True,
) -> Admission:
    """Return whether an operator may drive.

    Args:
        spec: the robot.
        device: its kind; the name of its profile when it measures joints.
        joint_names: joints that the device measures, in order.
        calibration: the operator's calibration as JSON, "" when there is none.
        problem: why there is none, when that is known.
        required: an operator without a calibration may not drive.
    """
    found: Calibration | None = None
    fault = ""
    if calibration:
        try:
            found = Calibration.from_json(calibration, "operator/device")
        except ConfigError as error:
            fault = str(error)
    elif required:
        fault = problem or "no calibration is known of this operator"
    mapping: DeviceMap | None = None
    if joint_names:
        try:
            mapping = DeviceMap(load_device(device), spec, joint_names)
        except ConfigError as error:
            return Admission(f"device refused: {error}", found)
    return Admission(fault, found, mapping)


class CalibrationWatch:
    """Notices that the person in front of the device is not the calibrated one.

    Args:
        calibration: None: nothing is noticed.

    Attributes:
        problem: what was noticed, "" while all is well; it stays until the device says hello again.
    """

    def __init__(self, calibration: Calibration | None) -> None:
        self.problem = ""
        self._calibration = calibration
        self._since_ns: int | None = None

    def take(self, frame: Frame, stamp_ns: int) -> str:
        """Take in a frame at its time, ns; return ``problem``."""
        why = self._calibration.contradiction(frame) if self._calibration is not None else ""
        if not why:
            self._since_ns = None
        elif self._since_ns is None or stamp_ns < self._since_ns:
            self._since_ns = stamp_ns
        elif stamp_ns - self._since_ns > CONTRADICTED_S * 1e9:
            self.problem = f"wrong calibration: {why}; is it somebody else, or the floor wrong?"
        return self.problem
