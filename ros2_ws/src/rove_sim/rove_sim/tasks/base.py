"""What a task of the simulated lab is: objects, a start, a judge, eyes for the scripted person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.tasks.plan import Plan
from rove_sim.variation import Range


@dataclass(frozen=True)
class TaskStatus:
    """The judge's view of a trial, from physics alone.

    Attributes:
        instruction: what the robot was asked to do.
        progress: 0-1, share of the work that is done.
        damage: 0-1, share of what had to stay that is spoilt.
        outcome: UNKNOWN while it runs, then SUCCESS or FAILURE for good.
        near_failure: why the trial is about to fail, in a few words; empty: it is not. A person
            who watches sees as much; no policy and no learner ever does.
    """

    instruction: str
    progress: float
    damage: float
    outcome: Outcome
    near_failure: str = ""


class Task(ABC):
    """A task: built into the model once, then reset and judged many times.

    Order of calls: ``build`` -> ``bind`` -> (``vary`` -> ``reset`` -> ``update`` after every
    physics step)*.

    Attributes:
        spec: the robot.
        variation: 0 (plain) to 1, how far a trial may differ within ``ranges``; set by the world.
    """

    name: ClassVar[str]
    instructions: ClassVar[tuple[str, ...]]
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType({})
    """What ``vary`` changes, and how far at variation 1."""
    time_limit_s: ClassVar[float] = 30.0
    """Who judges a trial calls it a time-out after this many seconds; an operator needs 10-20."""

    def __init__(self, spec: RobotSpec) -> None:
        self.spec = spec
        self.variation = 0.0
        self._instruction = self.instructions[0]

    @abstractmethod
    def start_posture(self) -> FloatArray:
        """Return the (N,) rad posture a trial starts in, in the joint order of the robot."""

    @abstractmethod
    def build(self, scene: mujoco.MjSpec) -> None:
        """Add the task's objects to a scene that holds the robot."""

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        self._model, self._data = model, data

    def vary(self, rng: np.random.Generator) -> None:
        """Change placement and looks within ``ranges``; ``reset`` follows. Default: nothing.

        The generator is not that of ``reset``: what is drawn here does not move the layout.
        """
        del rng

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
    def plan(self) -> Plan:
        """Return the waypoints from the scene as it is now to success; empty: nothing left to do.

        Asked again after something went wrong it starts where the work stands: a dropped thing is
        reached for again. Eyes and skill of operators and experts; a policy never gets this.
        """

    def goal_of(self, instruction: str) -> int:
        """Return which of the scene's goals an instruction means; two wordings may mean one."""
        return self.instructions.index(instruction)

    def plan_for(self, instruction: str) -> Plan:
        """Return ``plan`` as if something else had been asked: what a mistaken person does.

        Raises:
            ConfigError: an instruction this task does not know.
        """
        if instruction not in self.instructions:
            raise ConfigError("instruction", instruction, self.instructions, f"task {self.name}")
        asked, self._instruction = self._instruction, instruction
        try:
            return self.plan()
        finally:
            self._instruction = asked

    @abstractmethod
    def tool_in_wrist(self) -> FloatArray:
        """Return the (4, 4) pose, m, of the tool frame of ``plan`` in the robot's right wrist."""

    def parts(self) -> Mapping[str, FloatArray]:
        """Return name -> (4, 4) world pose, m, of the things that matter in the scene now."""
        return {}

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
