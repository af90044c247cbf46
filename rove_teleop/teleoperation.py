"""Teleoperation: who may drive, through which device, and what each of their frames means."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.device.admission import Admission, CalibrationWatch, admit
from rove_teleop.device.follower import DeviceFollower
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.retarget.scale import robot_size, scale_of
from rove_teleop.wire.messages import Frame

UNKNOWN = "the bridge has not told about this operator's device yet"


class Teleoperation:
    """Retargets the frames of the lease holder, by hand poses or by the device's joints.

    Args:
        spec: the robot.
        required: an operator without a calibration may not drive.
        reach_by_arms: scale the hands' displacements by the lengths of robot's and operator's arms.

    Attributes:
        holder: operator id of who holds the lease, "" when nobody does; set it.
        stages: where the time of the last frame went, None when its operator may not drive.
    """

    def __init__(self, spec: RobotSpec, required: bool = True, reach_by_arms: bool = False) -> None:
        self.holder = ""
        self.stages: Mapping[str, float] | None = None
        self._gone: Counter[str] = Counter()  # refused by devices that were replaced
        self._spec, self._required, self._reach_by_arms = spec, required, reach_by_arms
        self._retargeter = Retargeter(spec)
        self._size = robot_size(spec)
        self._operators: dict[str, _Operator] = {}
        self._driver: _Operator | None = None  # whose frame was retargeted last

    def meet(
        self,
        operator_id: str,
        device: str,
        joint_names: Sequence[str],
        calibration_name: str,
        calibration: str,
    ) -> str:
        """Take what the bridge tells of an operator's device; return what they must mend.

        Args:
            operator_id: who.
            device: its kind; the name of its profile when it measures joints.
            joint_names: joints that it measures, in order.
            calibration_name, calibration: of the operator; JSON, "" when there is none.
        """
        known = (device, tuple(joint_names), calibration_name, calibration)
        before = self._operators.get(operator_id)
        if before is not None and before.known == known:
            return ""  # told again because somebody else came or left
        problem = (
            f"no calibration {calibration_name!r} on this robot"
            if calibration_name
            else "the device names no calibration"
        )
        admission = admit(self._spec, device, joint_names, calibration, problem, self._required)
        if before is not None and before.follower is not None:
            self._gone.update(before.follower.rejected)
        self._operators[operator_id] = _Operator(self._spec, admission, known)
        return admission.problem

    def take(
        self,
        operator_id: str,
        frame: Frame,
        measured: FloatArray,
        stamp_ns: int,
        now_ns: int,
        commanded: FloatArray | None = None,
    ) -> RetargetResult | None:
        """Return what a frame means for the joints, None when its sender does not hold the lease.

        Args:
            operator_id: who sent it.
            frame: as the bridge accepted it.
            measured: (N,) rad, joint order of the spec.
            stamp_ns, now_ns: time of the frame and the present on one clock, ns.
            commanded: (N,) rad, what the robot was last told; see ``Retargeter.update``.

        Raises:
            ContractError: ``measured`` or ``commanded`` has the wrong shape.
        """
        if operator_id != self.holder:
            return None
        operator = self._operators.get(operator_id)
        problem = UNKNOWN if operator is None else operator.problem(frame, stamp_ns)
        if problem and (operator is not None or self._required):
            self._driver = self.stages = None
            return RetargetResult(False, problem, False, measured, math.nan, math.nan, 0.0)
        if operator is None or operator is not self._driver:
            frame = self._change_driver(operator, frame)
        device = operator.follower if operator is not None else None
        retargeter = device or self._retargeter
        result = retargeter.update(
            frame, measured, stamp_ns=stamp_ns, now_ns=now_ns, commanded=commanded
        )
        self.stages = retargeter.stages
        return result

    @property
    def rejected(self) -> Counter[str]:
        """How many frames were refused, by reason."""
        refused = Counter(self._retargeter.rejected) + self._gone
        for operator in self._operators.values():
            if operator.follower is not None:
                refused.update(operator.follower.rejected)
        return refused

    def _change_driver(self, operator: _Operator | None, frame: Frame) -> Frame:
        """Scale to another operator; return their first frame with open hands, so that nobody goes
        on from the origin of somebody else's squeeze."""
        if operator is None and self._driver is None:
            return frame  # nobody told who that is, and nobody else drove in between
        self._driver = operator
        calibration = operator.calibration if operator is not None else None
        self._retargeter.scale = scale_of(calibration, self._size, self._reach_by_arms)
        return msgspec.structs.replace(frame, left_squeeze=0.0, right_squeeze=0.0)


class _Operator:
    """What is kept for one operator: may they drive, and through which device."""

    def __init__(self, spec: RobotSpec, admission: Admission, known: tuple[object, ...]) -> None:
        self.known = known
        self._problem = admission.problem
        self.calibration = admission.calibration
        self._watch = CalibrationWatch(admission.calibration)
        mapping = admission.mapping
        self.follower = DeviceFollower(spec, mapping) if mapping is not None else None

    def problem(self, frame: Frame, stamp_ns: int) -> str:
        """Return why the operator of a frame may not drive, "" when they may."""
        return self._problem or self._watch.take(frame, stamp_ns)
