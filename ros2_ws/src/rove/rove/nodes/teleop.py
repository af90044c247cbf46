"""Teleop node: operator frames and measured joints in, joint targets out."""

from __future__ import annotations

import math
import time

import msgspec
import numpy as np
from rclpy.node import Node
from rove_msgs.msg import ArbiterState, JointCommand, JointTarget, OperatorDevice, OperatorFrame
from sensor_msgs.msg import JointState

from rove import qos, topics
from rove.convert import JointOrder, doubles, frame_contract, to_ns
from rove.latest import Latest
from rove.parameters import parameter
from rove.spin import run
from rove_core.errors import RoveError
from rove_core.robot import RobotSpec, load_robot
from rove_teleop.device.admission import Admission, CalibrationWatch, admit
from rove_teleop.device.follower import DeviceFollower
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.retarget.scale import robot_size, scale_of
from rove_teleop.wire.messages import Frame

UNKNOWN = "the bridge has not told about this operator's device yet"


class TeleopNode(Node):
    """Retargets every frame of the lease holder, by hand poses or by the device's joints."""

    def __init__(self) -> None:
        super().__init__("teleop")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        self._required = parameter(
            self, "require_calibration", True, "an operator without a calibration may not drive"
        )
        self._reach_by_arms = parameter(
            self,
            "reach_by_arms",
            False,
            "scale the hands' displacements by the lengths of robot's and operator's arms",
        )
        self._retargeter = Retargeter(self._spec)
        self._size = robot_size(self._spec)
        self._order = JointOrder(self._spec)
        self._joints = Latest(self, JointState, topics.JOINT_STATES)
        self._commands = Latest(self, JointCommand, topics.JOINT_COMMAND)
        self._holder = ""
        self._operators: dict[str, _Operator] = {}
        self._driver: _Operator | None = None  # whose frame was retargeted last
        self._targets = self.create_publisher(JointTarget, topics.TELEOP_TARGET, qos.STREAM)
        self.create_subscription(OperatorFrame, topics.OPERATOR_FRAME, self._frame, qos.STREAM)
        self.create_subscription(OperatorDevice, topics.OPERATOR_DEVICE, self._device, qos.STATE)
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._state, qos.STATE)

    def _state(self, message: ArbiterState) -> None:
        self._holder = message.lease_holder

    def _device(self, message: OperatorDevice) -> None:
        known = (
            message.device,
            tuple(message.joint_names),
            message.calibration_name,
            message.calibration,
        )
        before = self._operators.get(message.operator_id)
        if before is not None and before.known == known:
            return  # told again because somebody else came or left
        problem = (
            f"no calibration {message.calibration_name!r} on this robot"
            if message.calibration_name
            else "the device names no calibration"
        )
        admission = admit(
            self._spec,
            message.device,
            message.joint_names,
            message.calibration,
            problem,
            self._required,
        )
        if admission.problem:
            self.get_logger().warning(f"{message.operator_id}: {admission.problem}")
        self._operators[message.operator_id] = _Operator(self._spec, admission, known)

    def _frame(self, message: OperatorFrame) -> None:
        joints, command = self._joints.get(), self._commands.get()
        if joints is None or message.operator_id != self._holder:
            return
        try:
            measured = self._order.positions(joints)
        except RoveError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        frame, stamp_ns = frame_contract(message), to_ns(message.header.stamp)
        operator = self._operators.get(message.operator_id)
        problem = UNKNOWN if operator is None else operator.problem(frame, stamp_ns)
        if problem and (operator is not None or self._required):
            target = JointTarget(valid=False, reason=problem, position=doubles(measured))
            for name in ("position", "orientation", "finger", "head"):
                setattr(target, f"{name}_error", math.nan)
            self._publish(message, target)
            self._driver = None
            return
        if operator is None or operator is not self._driver:
            frame = self._change_driver(operator, frame)
        device = operator.follower if operator is not None else None
        result = (device or self._retargeter).update(
            frame,
            measured,
            stamp_ns=stamp_ns,
            now_ns=self.get_clock().now().nanoseconds,
            commanded=np.asarray(command.position) if command is not None else None,
        )
        target = JointTarget(
            valid=result.valid,
            reason=result.reason,
            enabled=result.enabled,
            position=doubles(result.position),
            position_error=result.position_error,
            orientation_error=result.orientation_error,
            finger_error=result.finger_error,
            head_error=result.head_error,
            solve_ms=result.solve_ms,
        )
        self._publish(message, target)

    def _change_driver(self, operator: _Operator | None, frame: Frame) -> Frame:
        """Scale to another operator; return their first frame with open hands, so that nobody goes
        on from the origin of somebody else's squeeze."""
        if operator is None and self._driver is None:
            return frame  # nobody told who that is, and nobody else drove in between
        self._driver = operator
        calibration = operator.calibration if operator is not None else None
        self._retargeter.scale = scale_of(calibration, self._size, self._reach_by_arms)
        return msgspec.structs.replace(frame, left_squeeze=0.0, right_squeeze=0.0)

    def _publish(self, frame: OperatorFrame, target: JointTarget) -> None:
        target.header.stamp = frame.header.stamp
        target.lease, target.operator_sequence = frame.lease, frame.sequence
        target.captured_ns, target.received_ns = frame.captured_ns, frame.received_ns
        target.retargeted_ns = time.time_ns()
        self._targets.publish(target)


class _Operator:
    """What this node keeps for one operator: may they drive, and through which device."""

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


def main() -> int:
    """Start the teleop node."""
    return run(TeleopNode)
