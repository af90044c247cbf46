"""Place the cup on the coaster that the instruction names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.robot_model import OBJECT_CONTACT, ROBOT_CONTACT
from rove_sim.tasks.base import TaskStatus
from rove_sim.tasks.furniture import add_table
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.tasks.table import TABLE_AT, TableTask
from rove_sim.tasks.things import LOOSE_CONTACT, Loose, Rgba, add_box
from rove_sim.tasks.workplace import PINCH
from rove_sim.variation import Range

COLOURS: Mapping[str, Rgba] = MappingProxyType(
    {"red": (0.85, 0.08, 0.08, 1.0), "blue": (0.08, 0.15, 0.85, 1.0)}
)
CUP_AT, COASTERS_AT = (0.66, -0.06), (0.68, 0.26)  # shares of the reach from the right shoulder
RADIUS, HALF_HEIGHT = 0.028, 0.055  # m, of the cup
COASTER = 0.05  # m, half of a side
APART = 0.075  # m from the middle of the coasters to each
SPREAD = 0.015  # m, of cup and coasters in every trial
OPEN, CLOSED = 0.2, 1.0  # closure before and in the grip
GRIP_UP, BESIDE, CLEAR = 0.015, 0.10, 0.06  # m: above the cup's middle, to its right, in the air
ON_COASTER, UPRIGHT = 0.03, 0.3  # m and rad
RETRACTED_M = 0.09
AIR_SPEED, NEAR_SPEED = 0.30, 0.12  # m/s


class PlaceCup(TableTask):
    """See the module."""

    name: ClassVar[str] = "place_cup"
    instructions: ClassVar[tuple[str, ...]] = tuple(
        f"place the cup on the {colour} coaster" for colour in COLOURS
    )
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType(
        {
            "cup_x": Range(-0.02, 0.02, "m", "the cup's place, away from the robot"),
            "cup_y": Range(-0.03, 0.02, "m", "the cup's place, to the left"),
            "coasters_x": Range(-0.02, 0.02, "m", "the coasters' place, away from the robot"),
            "coasters_y": Range(-0.02, 0.02, "m", "the coasters' place, to the left"),
        }
    )
    tool: ClassVar[str] = PINCH

    def __init__(self, spec: RobotSpec) -> None:
        super().__init__(spec)
        self._rest_z = 0.0

    def furnish(self, scene: mujoco.MjSpec) -> FloatArray:
        """Add table, coasters and cup."""
        self._cup_at = self.place.place(*CUP_AT, TABLE_AT)
        self._coasters_at = self.place.place(*COASTERS_AT, TABLE_AT)
        add_table(scene, float(self._cup_at[2]), float(self._cup_at[0]))
        for colour, rgba in COLOURS.items():
            coaster = scene.worldbody.add_body(name=f"{colour}_coaster", pos=(0, 0, 1))
            add_box(coaster, (COASTER, COASTER, 0.001), (0, 0, 0), rgba, solid=False)
        cup = scene.worldbody.add_body(name="cup", pos=(0, 0, 1))
        cup.add_freejoint()
        cup.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=(RADIUS, HALF_HEIGHT, 0),
            rgba=(0.95, 0.93, 0.88, 1),
            mass=0.08,
            friction=(0.7, 0.01, 0.001),
            condim=4,
            priority=1,
            contype=OBJECT_CONTACT | LOOSE_CONTACT,
            conaffinity=ROBOT_CONTACT | LOOSE_CONTACT,
        )
        start: FloatArray = self._cup_at + np.array([-0.04, -BESIDE - 0.02, 0.14])
        return start

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        super().bind(model, data)
        self._cup = Loose(model, data, "cup")
        self._coasters = [model.body(f"{colour}_coaster").id for colour in COLOURS]

    def lay_out(self, rng: np.random.Generator) -> None:
        """Put the cup down; which coaster is the near one is drawn."""
        shift = np.array(list(self._shift.values())) + rng.uniform(-SPREAD, SPREAD, 4)
        begin = self._cup_at + np.array([*shift[:2], HALF_HEIGHT])
        middle = self._coasters_at + np.array([*shift[2:], 0.002])
        for coaster, side in zip(self._coasters, rng.permutation([-1.0, 1.0]), strict=True):
            self._model.body_pos[coaster] = middle + np.array([side * APART, 0.0, 0.0])
        self._cup.put(pose(begin))
        self._rest_z = float(begin[2])
        self._begin = begin

    def _gap(self, coaster: int) -> float:
        way = self._model.body_pos[self._coasters[coaster]] - self._cup.pose[:3, 3]
        return float(np.linalg.norm(way[:2]))

    def _tilt(self) -> float:
        return float(np.arccos(np.clip(self._cup.pose[2, 2], -1.0, 1.0)))

    def _lifted(self) -> float:
        return float(self._cup.pose[2, 3] - self._rest_z)

    def _held(self) -> bool:
        return len(self.hand.touching(self._cup.body)) >= 2

    def _retracted(self) -> bool:
        return bool(np.linalg.norm(self.hand.tool[:3, 3] - self._cup.pose[:3, 3]) > RETRACTED_M)

    def verdict(self) -> Outcome:
        """Return how the cup stands when nobody touches it."""
        if self._held() or self._cup.speed > 0.03:
            return Outcome.UNKNOWN
        if self._tilt() > UPRIGHT or self._lifted() < -0.03:
            return Outcome.FAILURE
        if not self._retracted():
            return Outcome.UNKNOWN
        if self._gap(self.wanted) <= ON_COASTER:
            return Outcome.SUCCESS
        return Outcome.FAILURE if self._gap(1 - self.wanted) <= ON_COASTER else Outcome.UNKNOWN

    def status(self) -> TaskStatus:
        """Return how far the cup is on its way, whether it is on the wrong coaster, the verdict."""
        goal = self._model.body_pos[self._coasters[self.wanted]][:2]
        whole = float(np.linalg.norm(goal - self._begin[:2]))
        progress = 0.9 * float(np.clip(1.0 - self._gap(self.wanted) / whole, 0.0, 1.0))
        if self._outcome is Outcome.SUCCESS:
            progress = 1.0
        wrong = float(self._gap(1 - self.wanted) <= ON_COASTER and self._lifted() < 0.01)
        return TaskStatus(self._instruction, progress, wrong, self._outcome, self._trouble(wrong))

    def _trouble(self, wrong: float) -> str:
        if self._outcome is not Outcome.UNKNOWN:
            return ""
        if wrong:
            return "the cup stands on the wrong coaster"
        if self._tilt() > UPRIGHT:
            return "the cup tilts"
        return "the cup falls" if self._lifted() > 0.02 and not self._held() else ""

    def plan(self) -> Plan:
        """Return the way from the cup as it is to the coaster."""
        tool, cup = self.hand.tool, self._cup.pose
        if self._gap(self.wanted) <= 0.8 * ON_COASTER and self._lifted() < 0.015:
            return () if self._retracted() else self._leave(tool)
        grip = pose(cup[:3, 3] + np.array([0.0, 0.0, GRIP_UP]))
        near = np.linalg.norm(tool[:3, 3] - grip[:3, 3]) < 0.05
        if self._held() and near:
            return self._carry(tool[:3, 3] - cup[:3, 3])
        if self._tilt() > UPRIGHT:
            return ()
        beside = pose(grip[:3, 3] - [0.0, BESIDE, 0.0])
        return (
            Waypoint("reach", beside, OPEN, AIR_SPEED, 0.015),
            Waypoint("approach", grip, OPEN, NEAR_SPEED, 0.01),
            Waypoint("grasp", grip, CLOSED, NEAR_SPEED, 0.03, hold_s=0.3, look=True),
            *self._carry(grip[:3, 3] - cup[:3, 3]),
        )

    def _carry(self, tool_from_cup: FloatArray) -> Plan:
        goal = self._model.body_pos[self._coasters[self.wanted]].copy()
        goal[2] = self._rest_z
        down = pose(goal + tool_from_cup + np.array([0.0, 0.0, 0.003]))
        over = pose(down[:3, 3] + np.array([0.0, 0.0, CLEAR]))
        here = self._cup.pose[:3, 3] + tool_from_cup
        up = pose([*here[:2], over[2, 3]])
        steps = (
            Waypoint("lift", up, CLOSED, NEAR_SPEED, 0.02),
            Waypoint("carry", over, CLOSED, AIR_SPEED / 2, 0.01, look=True),
            Waypoint("lower", down, CLOSED, NEAR_SPEED, 0.015, hold_s=0.2),
            *self._leave(down),
        )
        if self._gap(self.wanted) < 0.012:
            return steps[2:]
        return steps[1:] if self._lifted() > CLEAR - 0.02 else steps

    def _leave(self, tool: FloatArray) -> Plan:
        out = pose(tool[:3, 3] - [0.0, BESIDE + 0.03, 0.0])
        return (
            Waypoint("release", tool, OPEN, NEAR_SPEED, 0.04, hold_s=0.3),
            Waypoint("retract", out, OPEN, NEAR_SPEED, 0.03),
        )

    def parts(self) -> Mapping[str, FloatArray]:
        """Return the cup and the coasters."""
        body = self._model.body_pos
        at = {f"{c}_coaster": pose(body[b]) for c, b in zip(COLOURS, self._coasters, strict=True)}
        return {"cup": self._cup.pose, **at}
