"""The scripted operator as a process: a headset's ZMQ client whose eyes are ``lab/task``.

Everything it does goes through the bridge, as a person's headset would. ROS is only its eyes: a
person sees the board, and ``lab/task`` stands in for that.
"""

from __future__ import annotations

import threading

from rclpy.node import Node
from rove_msgs.msg import TaskStatus

from rove import qos, topics
from rove.keys_cli import BRIDGE, OPERATOR, ensure_local_keys
from rove.parameters import parameter
from rove.spin import run
from rove_sim.labels import LabelNoise
from rove_sim.nodes.task_status import eyes_contract
from rove_sim.operators.run import PersonArgs, calibration_of
from rove_sim.operators.run import main as be_the_person
from rove_sim.operators.sight import Eyes
from rove_sim.operators.skill import SKILLS
from rove_teleop.calibration import CalibrationStore


class OperatorNode(Node):
    """Runs the scripted person in a thread and shows it the work that is left."""

    def __init__(self) -> None:
        super().__init__("operator")
        defaults = PersonArgs()
        robot = parameter(self, "robot", defaults.robot, "robot profile")
        address = parameter(self, "address", defaults.address, "ZMQ endpoint of the bridge")
        seed = parameter(self, "seed", defaults.seed, "seed of the person", (0, 2**31))
        takeover_at = parameter(
            self, "takeover_at", defaults.takeover_at, "s into an episode; negative: never"
        )
        stall = parameter(
            self,
            "stall",
            defaults.stall,
            "takes over after s without progress; negative: never",
        )
        goal = parameter(
            self, "goal", defaults.goal, "progress at which the robot is handed back", (0.0, 1.0)
        )
        skill = parameter(self, "skill", defaults.skill, f"of the person: {', '.join(SKILLS)}")
        device = parameter(self, "device", defaults.device, "headset, or exo: a suit with gloves")
        missed = parameter(
            self, "missed_marks", 0.0, "share of recoveries that are never marked", (0.0, 1.0)
        )
        late = parameter(self, "late_marks", 0.0, "s by which marks are late", (0.0, 60.0))
        spread = parameter(
            self, "mark_spread", 0.0, "s, standard deviation of a mark's time", (0.0, 60.0)
        )
        ensure_local_keys()
        self._args = PersonArgs(
            address=address,
            robot=robot,
            key=OPERATOR,
            server_key=BRIDGE,
            seed=seed,
            takeover_at=takeover_at,
            stall=stall,
            goal=goal,
            skill=skill,
            device=device,
            labels=LabelNoise(mark_missed=missed, mark_delay_s=late, mark_spread_s=spread),
        )
        # The bridge on this machine looks a calibration up by its name.
        CalibrationStore().save(calibration_of(self._args))
        self._eyes = Eyes()
        self._over = threading.Event()
        self.finished, self.exit_status = False, 0
        self.create_subscription(TaskStatus, topics.LAB_TASK, self._look, qos.STATE)
        self._thread = threading.Thread(target=self._person, name="person", daemon=True)
        self._thread.start()

    def _look(self, message: TaskStatus) -> None:
        self._eyes = eyes_contract(message)

    def _person(self) -> None:
        try:
            be_the_person(self._args, lambda: self._eyes, self._over.is_set, self.get_logger().info)
        except Exception as error:  # the process must not look alive without its person
            self.get_logger().error(f"the scripted person ended: {error}")
            self.exit_status = 1
        self.finished = True

    def close(self) -> None:
        """End the person."""
        self._over.set()
        self._thread.join(2.0)


def main() -> int:
    """Start the scripted operator."""
    return run(OperatorNode)
