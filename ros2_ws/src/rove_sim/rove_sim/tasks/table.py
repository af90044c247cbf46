"""What tasks of the right hand at a table share: tool frame, start posture, patient verdicts."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.arm_ik import posture_at
from rove_sim.tasks.base import Task
from rove_sim.tasks.plan import pose
from rove_sim.tasks.things import Hand, firm_grip, quat
from rove_sim.tasks.workplace import FIST, SIDE, Workplace

TABLE_AT = -0.55  # the table's top, in shares of the reach from the right shoulder
JUDGE_STEPS = 4  # physics steps between two looks; each costs as much as a step
STAYS_S = 0.5  # for so long a verdict must hold before it counts


class TableTask(Task):
    """A task whose verdict counts when it has held for a while.

    A subclass furnishes the scene, lays out a trial and gives a verdict of the moment.

    Attributes:
        place: where the robot can reach, from ``build`` on.
        hand: tool frame and touched things, from ``bind`` on.
    """

    tool: ClassVar[str] = FIST

    def __init__(self, spec: RobotSpec) -> None:
        super().__init__(spec)
        self._outcome = Outcome.UNKNOWN
        self._since_s: float | None = None  # since when the verdict holds
        self._steps = 0
        self._shift = dict.fromkeys(self.ranges, 0.0)

    @abstractmethod
    def furnish(self, scene: mujoco.MjSpec) -> FloatArray:
        """Add the task's things; return the (3,) m place in the world where the tool starts."""

    @abstractmethod
    def lay_out(self, rng: np.random.Generator) -> None:
        """Put the things where they are when a trial starts."""

    @abstractmethod
    def verdict(self) -> Outcome:
        """Return how it stands this moment; SUCCESS and FAILURE count when they stay."""

    def start_posture(self) -> FloatArray:
        """Return the (N,) rad posture: the tool where ``furnish`` said, the left arm drawn back."""
        return self._start

    def build(self, scene: mujoco.MjSpec) -> None:
        """Add things, contact model and tool frame."""
        firm_grip(scene)
        self.place = Workplace.of(self.spec, scene)
        begin = self.furnish(scene)
        self._tool = self.place.tool_in_wrist(self.tool)
        wrist = scene.body(self.spec.frames[f"{SIDE}_wrist"])
        wrist.add_site(name="tool", pos=self._tool[:3, 3], quat=quat(self._tool[:3, :3]))
        fingers = self.spec.finger_closed if self.tool == FIST else self.spec.finger_open
        rest = self.spec.ready.copy()
        for joint, angle in fingers.items():
            if joint in self.spec.groups[f"{SIDE}_hand"]:
                rest[self.spec.index(joint)] = angle
        in_pelvis = np.linalg.inv(self.place.pelvis) @ pose(begin)
        self._start = posture_at(self.spec, self._tool, in_pelvis, rest)

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        super().bind(model, data)
        self.hand = Hand(model, data, "tool")

    def vary(self, rng: np.random.Generator) -> None:
        """Draw how far things are from their plain places."""
        self._shift = {key: r.draw(rng, self.variation) for key, r in self.ranges.items()}

    def reset(self, rng: np.random.Generator, instruction: str) -> None:
        """Lay out a new trial."""
        self._instruction = instruction
        self._outcome, self._since_s, self._steps = Outcome.UNKNOWN, None, 0
        self.lay_out(rng)

    @property
    def wanted(self) -> int:
        """Index of what the instruction names."""
        return self.instructions.index(self._instruction)

    def update(self) -> None:
        """Judge 50 times a second."""
        self._steps += 1
        if self._steps % JUDGE_STEPS or self._outcome is not Outcome.UNKNOWN:
            return
        verdict = self.verdict()
        if verdict is Outcome.UNKNOWN:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = self._data.time
        elif self._data.time - self._since_s >= STAYS_S:
            self._outcome = verdict

    def tool_in_wrist(self) -> FloatArray:
        """Return the (4, 4) pose of the tool frame in the right wrist."""
        return self._tool
