"""Teleop node: operator frames and measured joints in, joint targets out."""

from __future__ import annotations

import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rove_msgs.msg import ArbiterState, JointCommand, JointTarget, OperatorDevice, OperatorFrame
from sensor_msgs.msg import JointState

from rove import qos, topics
from rove.convert import JointOrder, frame_contract, target_message, to_ns
from rove.latest import Latest
from rove.parameters import parameter
from rove.retarget_health import RetargetHealth
from rove.spin import STEADY, run
from rove_core.errors import RoveError
from rove_core.robot import load_robot
from rove_teleop.teleoperation import Teleoperation

REPORT_S = 1.0


class TeleopNode(Node):
    """Retargets every frame of the lease holder, by hand poses or by the device's joints."""

    def __init__(self) -> None:
        super().__init__("teleop")
        spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        required = parameter(
            self, "require_calibration", True, "an operator without a calibration may not drive"
        )
        reach_by_arms = parameter(
            self,
            "reach_by_arms",
            False,
            "scale the hands' displacements by the lengths of robot's and operator's arms",
        )
        self._teleoperation = Teleoperation(spec, required, reach_by_arms)
        self._order = JointOrder(spec)
        self._joints = Latest(self, JointState, topics.JOINT_STATES)
        self._commands = Latest(self, JointCommand, topics.JOINT_COMMAND)
        self._health, self._reported = RetargetHealth(), time.monotonic()
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self._targets = self.create_publisher(JointTarget, topics.TELEOP_TARGET, qos.STREAM)
        self.create_subscription(OperatorFrame, topics.OPERATOR_FRAME, self._frame, qos.STREAM)
        self.create_subscription(OperatorDevice, topics.OPERATOR_DEVICE, self._device, qos.STATE)
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._state, qos.STATE)
        self.create_timer(REPORT_S, self._report, clock=STEADY)

    def _state(self, message: ArbiterState) -> None:
        self._teleoperation.holder = message.lease_holder

    def _device(self, message: OperatorDevice) -> None:
        problem = self._teleoperation.meet(
            message.operator_id,
            message.device,
            message.joint_names,
            message.calibration_name,
            message.calibration,
        )
        if problem:
            self.get_logger().warning(f"{message.operator_id}: {problem}")

    def _frame(self, message: OperatorFrame) -> None:
        if message.operator_id != self._teleoperation.holder:
            return  # nothing of it is decoded
        joints, command = self._joints.get(), self._commands.get()
        if joints is None:
            return
        try:
            measured = self._order.positions(joints)
        except RoveError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        stamp_ns, now_ns = to_ns(message.header.stamp), self.get_clock().now().nanoseconds
        result = self._teleoperation.take(
            message.operator_id,
            frame_contract(message),
            measured,
            stamp_ns=stamp_ns,
            now_ns=now_ns,
            commanded=np.asarray(command.position) if command is not None else None,
        )
        if result is None:
            return
        stages = self._teleoperation.stages
        if stages is None:
            self._health.refused["may not drive"] += 1
        else:
            self._health.took(stages, (now_ns - stamp_ns) * 1e-6, result.solve_ms)
        target = target_message(result, message)
        target.retargeted_ns = time.time_ns()
        self._targets.publish(target)

    def _report(self) -> None:
        now, name = time.monotonic(), f"{self.get_namespace().strip('/')}: teleop"
        refused = self._teleoperation.rejected
        status = self._health.status(name, now - self._reported, refused)
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._reported = now
        self._diagnostics.publish(message)


def main() -> int:
    """Start the teleop node."""
    return run(TeleopNode)
