"""The simulated robot behind the real robot's topics and duties; it makes ``/clock``."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.service import Service
from rosgraph_msgs.msg import Clock as ClockMsg
from rove_msgs.msg import JointCommand, RobotTimes, TaskStatus
from rove_msgs.srv import ResetScene
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove.convert import joint_state_message, jpeg_message, to_stamp
from rove.parameters import parameter
from rove.spin import STEADY, run
from rove_core.action import NS
from rove_core.errors import RoveError
from rove_core.robot import load_robot
from rove_sim.nodes.task_status import task_message
from rove_sim.nodes.trouble import JOINTS, Trouble
from rove_sim.robot import Sensed, SimulatedRobot
from rove_sim.world import World

TIMES_S = 0.1
"""Between two messages of when commands reached the drives and pictures were taken."""
MOST_STEPS = 4
"""Physics steps in one timer call; a machine that is slower than that lets simulated time lag."""


class SimNode(Node):
    """Steps the world against wall time, serves the robot's topics and guards the joints."""

    def __init__(self) -> None:
        super().__init__("sim")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        task = parameter(self, "task", "erase_whiteboard", "task on the table")
        instruction = parameter(self, "instruction", "", "what to do; empty: drawn from the seed")
        self._seed = parameter(self, "seed", 1, "seed of the first scene", (0, 2**31))
        self._speed = parameter(
            self, "speed", 1.0, "simulated over wall time, at most", (0.05, 10.0)
        )
        variation = parameter(
            self, "variation", 0.0, "0 (plain lab) to 1: share of the ranges of a trial", (0.0, 1.0)
        )
        self._world = World(self._spec, task, self._seed, variation=variation)
        if instruction:
            self._world.reset(self._seed, instruction)
        for name in self._spec.cameras:  # the first picture takes as long as hundreds of steps
            self._world.render(name)
        # Robot time starts at wall time, so that it never runs backwards when the node restarts.
        self._robot = SimulatedRobot(self._world, time.time_ns())
        self._wall_mark = time.monotonic()
        self._owed = 0.0  # steps that wall time asks for and that were not made yet
        self._rate_mark = (time.monotonic(), self._robot.now_ns)
        self._real_time_factor = 0.0
        self._was_holding = True
        self._waiting = (-1, -1)  # epoch and sequence of a command that no step has followed yet
        self._times = RobotTimes()
        self._trouble = Trouble(self, self._spec)
        self._publishers_open()

    def _publishers_open(self) -> None:
        self._clock_told = self.create_publisher(ClockMsg, topics.CLOCK, qos.STREAM)
        self._states = self.create_publisher(JointState, topics.JOINT_STATES, qos.STREAM)
        self._pictures = {
            name: self.create_publisher(CompressedImage, topics.camera(name), qos.STREAM)
            for name in self._spec.cameras
        }
        self._task = self.create_publisher(TaskStatus, topics.LAB_TASK, qos.STATE)
        self._health = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self.create_subscription(JointCommand, topics.JOINT_COMMAND, self._command, qos.COMMAND)
        self._reset_service: Service = self.create_service(
            ResetScene, topics.RESET_SCENE, self._reset
        )
        self.create_timer(self._world.timestep_s, self._advance, clock=STEADY)
        self._told = self.create_publisher(RobotTimes, topics.ROBOT_TIMES, qos.PROPOSAL)
        self.create_timer(TIMES_S, self._tell_times, clock=STEADY)
        self.create_timer(1.0, self._report, clock=STEADY)

    def _command(self, message: JointCommand) -> None:
        position = np.frombuffer(message.position, dtype=np.float64)
        refused = self._robot.command(position, message.epoch, message.sequence)
        if refused is None:
            self._waiting = (message.epoch, message.sequence)

    def _note_applied(self) -> None:
        """Note that the command in hand reaches the drives now."""
        epoch, sequence = self._waiting
        if sequence < 0:
            return
        if self._times.epoch != epoch:
            self._tell_times()
            self._times.epoch = epoch
        self._times.sequence.append(sequence)
        self._times.applied_ns.append(time.time_ns())
        self._waiting = (-1, -1)

    def _tell_times(self) -> None:
        times, self._times = self._times, RobotTimes(epoch=self._times.epoch)
        if times.sequence or times.camera:
            times.header.stamp = self._stamp()
            self._told.publish(times)

    def _reset(self, request: Any, response: Any) -> Any:
        if request.task and request.task != self._world.task.name:
            response.message = (
                f"task {request.task!r} given; this simulator was started with "
                f"{self._world.task.name!r}"
            )
            return response
        try:
            chosen = self._robot.reset(request.seed, request.instruction or None)
        except RoveError as error:
            response.message = str(error)
            return response
        self._seed = int(request.seed)
        self._owed, self._wall_mark = 0.0, time.monotonic()
        self._publish_task()
        response.success, response.instruction = True, chosen
        return response

    def _advance(self) -> None:
        wall = time.monotonic()
        self._owed += (wall - self._wall_mark) * self._speed * NS / self._robot.step_ns
        self._wall_mark = wall
        steps = min(int(self._owed), MOST_STEPS)
        self._owed = min(self._owed - steps, 1.0)  # what is not caught up now is never caught up
        if steps:
            self._note_applied()
        for _ in range(steps):
            began_ns = time.time_ns()  # rendering and encoding belong to the picture's way
            self._publish(self._robot.step(), began_ns)
        if steps:
            self._clock_told.publish(ClockMsg(clock=self._stamp()))
        holding = self._robot.guard_state().holding
        if holding != self._was_holding:
            self._was_holding = holding
            self._report()

    def _stamp(self) -> TimeMsg:
        """What the robot's clock shows now."""
        return to_stamp(self._trouble.clock_ns(self._robot.now_ns))

    def _publish(self, sensed: Sensed, began_ns: int) -> None:
        stamp_ns = self._trouble.clock_ns(sensed.stamp_ns)
        if sensed.joints is not None and self._trouble.speaks(JOINTS):
            self._states.publish(joint_state_message(self._spec, *sensed.joints, stamp_ns))
        for name, jpeg in sensed.pictures.items():
            if not self._trouble.speaks(name):
                continue
            self._times.camera.append(name)
            self._times.picture_ns.append(stamp_ns)
            self._times.captured_ns.append(began_ns)
            self._pictures[name].publish(jpeg_message(jpeg, stamp_ns, name))
        if sensed.look:
            self._publish_task()

    def _publish_task(self) -> None:
        message = task_message(self._world, self._seed)
        message.real_time_factor = self._real_time_factor
        message.header.stamp = self._stamp()
        self._task.publish(message)

    def _report(self) -> None:
        wall, simulated = self._rate_mark
        passed = time.monotonic() - wall
        if passed > 0.9:
            self._real_time_factor = (self._robot.now_ns - simulated) / NS / passed
            self._rate_mark = (time.monotonic(), self._robot.now_ns)
        guard = self._robot.guard_state()
        status = DiagnosticStatus(
            name=f"{self.get_namespace().strip('/')}: robot",
            hardware_id=self._spec.name,
            level=DiagnosticStatus.WARN if guard.holding else DiagnosticStatus.OK,
            message=guard.reason if guard.holding else "follows joint_command",
        )
        publishers = self.count_publishers(topics.JOINT_COMMAND)
        if publishers > 1:  # a killed one is still listed until its lease ends
            status.level = max(status.level, DiagnosticStatus.WARN)
            status.message += f"; {publishers} publishers of joint_command, the first is obeyed"
        values: dict[str, object] = {
            "holding": guard.holding,
            "epoch": guard.epoch,
            "accepted": guard.accepted,
            "real_time_factor": round(self._real_time_factor, 3),
            "joint_command publishers": publishers,
        }
        values |= {f"refused: {why.value}": count for why, count in guard.refused.items()}
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._stamp()
        self._health.publish(message)

    def close(self) -> None:
        """Free the graphics context."""
        self._world.close()


def main() -> int:
    """Start the simulated robot."""
    return run(SimNode)
