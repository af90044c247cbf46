"""SimulatedRobot: the world behind the robot's own guard, and when which sensor speaks.

Robot time is that of the physics: a step is 5 ms, and every sensor speaks on multiples of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from rove_core.action import NS
from rove_core.arrays import FloatArray
from rove_sim.robot_guard import GuardState, Refusal, RobotGuard
from rove_sim.world import Image, World

JPEG_QUALITY = 90
JOINT_STEPS = 2
"""Physics steps between joint states: 100 Hz."""
TASK_STEPS = 20
"""... between two looks of the simulated people at the work: 10 Hz."""


@dataclass(frozen=True)
class Sensed:
    """What the robot's sensors told after one step.

    Attributes:
        stamp_ns: robot time, ns.
        joints: (N,) rad and (N,) rad/s, when it was their turn.
        pictures: camera -> JPEG, of those whose turn it was.
        look: simulated people look at the work now.
    """

    stamp_ns: int
    joints: tuple[FloatArray, FloatArray] | None
    pictures: Mapping[str, bytes]
    look: bool


class SimulatedRobot:
    """Steps a world, one command at a time.

    Args:
        world: the robot at its task.
        now_ns: robot time at the start, ns; made a multiple of the step.

    Attributes:
        world: as given.
        now_ns: robot time, ns.
    """

    def __init__(self, world: World, now_ns: int) -> None:
        self.world = world
        self.step_ns = round(world.timestep_s * NS)
        self.now_ns = (now_ns // self.step_ns) * self.step_ns
        self._every = {
            name: max(1, round(NS / (camera.rate * self.step_ns)))
            for name, camera in world.spec.cameras.items()
        }
        self.guard = self._new_guard()

    def _new_guard(self) -> RobotGuard:
        return RobotGuard(self.world.spec, self.world.joint_positions(), self.now_ns / NS)

    def reset(self, seed: int, instruction: str | None = None) -> str:
        """Start a new trial; time goes on. Return the instruction.

        Raises:
            ConfigError: an instruction the task does not know.
        """
        chosen = self.world.reset(seed, instruction)
        self.guard = self._new_guard()
        return chosen

    def command(self, position: FloatArray, epoch: int, sequence: int) -> Refusal | None:
        """Offer a command to the guard, (N,) rad; see ``RobotGuard.command``."""
        return self.guard.command(
            position, epoch, sequence, self.now_ns / NS, self.world.joint_positions()
        )

    def guard_state(self) -> GuardState:
        """Return what the guard does now and why."""
        return self.guard.state(self.now_ns / NS)

    def step(self) -> Sensed:
        """Advance the physics by one step and return what is sensed then."""
        world = self.world
        world.step(self.guard.target)
        self.now_ns += self.step_ns
        step = self.now_ns // self.step_ns
        joints = None
        if step % JOINT_STEPS == 0:
            joints = (world.joint_positions(), world.joint_velocities())
        pictures = {
            name: to_jpeg(world.render(name))
            for name, every in self._every.items()
            if step % every == 0
        }
        return Sensed(self.now_ns, joints, pictures, step % TASK_STEPS == 0)


def to_jpeg(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """Return the JPEG of a (H, W, 3) uint8 RGB picture, as a robot's camera sends it."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV was built without JPEG")
    return np.asarray(data).tobytes()
