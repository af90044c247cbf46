"""Trouble: what a simulated robot can be made to suffer while it runs, by two parameters.

``dead`` names sensors that say nothing, ``clock_offset`` moves the robot's clock, which jumps when
it is set: `ros2 param set /g1_dex3/sim dead ego`. The robot itself, its guard and its physics, goes
on; what fails is what others hear of it.
"""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node

from rove_core.action import NS
from rove_core.robot import RobotSpec

JOINTS = "joint_states"
FARTHEST_S = 3600.0


class Trouble:
    """Declares the two parameters on a node and holds what they say.

    Args:
        node: of the simulator.
        spec: the robot, whose cameras have names.
    """

    def __init__(self, node: Node, spec: RobotSpec) -> None:
        self._sensors = (JOINTS, *spec.cameras)
        self._dead: frozenset[str] = frozenset()
        self._offset_ns = 0
        for name, default, text in (
            ("dead", "", f"sensors that say nothing, with commas: {', '.join(self._sensors)}"),
            ("clock_offset", 0.0, "s that the robot's clock is ahead of what it would be"),
        ):
            node.declare_parameter(name, default, ParameterDescriptor(description=text))
            self._take(node.get_parameter(name))
        node.add_on_set_parameters_callback(self._set)

    def _set(self, parameters: list[Any]) -> SetParametersResult:
        for given in parameters:
            if wrong := self._take(given):
                return SetParametersResult(successful=False, reason=wrong)
        return SetParametersResult(successful=True)

    def _take(self, given: Any) -> str:
        """Take a parameter that is ours; return what is wrong with it."""
        if given.name == "dead":
            dead = frozenset(name.strip() for name in given.value.split(",") if name.strip())
            if not dead <= set(self._sensors):
                return f"dead {given.value!r} given; allowed: {', '.join(self._sensors)}"
            self._dead = dead
        elif given.name == "clock_offset":
            if not abs(given.value) <= FARTHEST_S:
                return f"clock_offset {given.value} given; allowed: +-{FARTHEST_S} s"
            self._offset_ns = round(given.value * NS)
        return ""

    def speaks(self, sensor: str) -> bool:
        """Tell whether a sensor, ``joint_states`` or a camera, is not dead."""
        return sensor not in self._dead

    def clock_ns(self, robot_ns: int) -> int:
        """Return what the robot's clock shows at its time ``robot_ns``, ns."""
        return robot_ns + self._offset_ns
