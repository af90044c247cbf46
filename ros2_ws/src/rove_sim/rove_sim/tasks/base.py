"""What a task of the simulated lab is: objects, a start, a judge, eyes for the scripted person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome


@dataclass(frozen=True)
class TaskStatus:
    """The judge's view of a trial, from physics alone.

    Attributes:
        instruction: what the robot was asked to do.
        progress: 0-1, share of the work that is done.
        damage: 0-1, share of what had to stay that is spoilt.
        outcome: UNKNOWN while it runs, then SUCCESS or FAILURE for good.
    """

    instruction: str
    progress: float
    damage: float
    outcome: Outcome


class Task(ABC):
    """A task: built into the model once, then reset and judged many times.

    Order of calls: ``build`` -> ``bind`` -> (``reset`` -> ``update`` after every physics step)*.
    """

    name: ClassVar[str]
    instructions: ClassVar[tuple[str, ...]]

    def __init__(self, spec: RobotSpec) -> None:
        self.spec = spec

    @abstractmethod
    def start_posture(self) -> FloatArray:
        """Return the (N,) rad posture a trial starts in, in the joint order of the robot."""

    @abstractmethod
    def build(self, scene: mujoco.MjSpec) -> None:
        """Add the task's objects to a scene that holds the robot."""

    @abstractmethod
    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""

    @abstractmethod
    def reset(self, rng: np.random.Generator, instruction: str) -> None:
        """Lay out a new trial; the same generator state gives the same trial."""

    @abstractmethod
    def update(self) -> None:
        """Look at the contacts of the last physics step and change the scene and the verdict."""

    @abstractmethod
    def status(self) -> TaskStatus:
        """Return the verdict so far."""

    @abstractmethod
    def marks_in_pelvis(self) -> FloatArray:
        """Return (M, 3) m, places that still want work, in the pelvis frame.

        Eyes of the scripted person; a policy never gets this.
        """

    @abstractmethod
    def board_in_pelvis(self) -> FloatArray:
        """Return the (4, 4) pose of the workplace in the pelvis frame, m, z towards the robot.

        Eyes of the scripted person; a policy never gets this.
        """

    def choose_instruction(self, rng: np.random.Generator, instruction: str | None) -> str:
        """Return the given instruction or a random one; layouts do not depend on which.

        Raises:
            ConfigError: an instruction this task does not know.
        """
        # Drawn in both cases, so that what is drawn next is the same.
        drawn = self.instructions[int(rng.integers(len(self.instructions)))]
        if instruction is None:
            return drawn
        if instruction not in self.instructions:
            raise ConfigError("instruction", instruction, self.instructions, f"task {self.name}")
        return instruction
