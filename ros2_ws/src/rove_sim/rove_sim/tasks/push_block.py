"""Push the block to the mark that the instruction names, with the side of the fist."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.vocabulary import Outcome
from rove_sim.tasks.base import TaskStatus
from rove_sim.tasks.furniture import add_table
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.tasks.table import TABLE_AT, TableTask
from rove_sim.tasks.things import Loose, Rgba, add_box
from rove_sim.variation import Range

COLOURS: Mapping[str, Rgba] = MappingProxyType(
    {"red": (0.85, 0.08, 0.08, 1.0), "blue": (0.08, 0.15, 0.85, 1.0)}
)
BLOCK_AT = (0.70, 0.10)  # shares of the reach from the right shoulder
HALF = 0.03  # m, of the block
SPREAD = (0.02, 0.03)  # m, of the block's place in every trial
MARK_AT = (0.10, 0.14)  # m from the block to a mark, to either side
ON_MARK = 0.02  # m between block and mark
# Of the fist about the tool frame, m: to its middle from the front, half its width, room beside.
FIST_BACK, FIST_HALF, ROOM = 0.07, 0.052, 0.035
LIFT = 0.10  # m above the pushing height, where the fist passes over things
AIR_SPEED, PUSH_SPEED = 0.30, 0.10  # m/s


class PushBlock(TableTask):
    """See the module."""

    name: ClassVar[str] = "push_block"
    instructions: ClassVar[tuple[str, ...]] = tuple(
        f"push the block to the {colour} mark" for colour in COLOURS
    )
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType(
        {
            "block_x": Range(-0.03, 0.02, "m", "the block's place, away from the robot"),
            "block_y": Range(-0.04, 0.04, "m", "the block's place, to the left"),
        }
    )

    def furnish(self, scene: mujoco.MjSpec) -> FloatArray:
        """Add table, marks and block."""
        self._middle = self.place.place(*BLOCK_AT, TABLE_AT)
        add_table(scene, float(self._middle[2]), float(self._middle[0]))
        for colour, rgba in COLOURS.items():
            mark = scene.worldbody.add_body(name=f"{colour}_mark", pos=(0, 0, 1))
            add_box(mark, (HALF + 0.01, HALF + 0.01, 0.001), (0, 0, 0), rgba, solid=False)
        block = scene.worldbody.add_body(name="block", pos=(0, 0, 1))
        block.add_freejoint()
        add_box(
            block,
            (HALF,) * 3,
            (0, 0, 0),
            (0.9, 0.75, 0.2, 1),
            mass=0.1,
            friction=(0.4, 0.01, 0.001),
        )
        start: FloatArray = self._middle + np.array([FIST_BACK - 0.08, -0.16, LIFT + 0.05])
        return start

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        super().bind(model, data)
        self._block = Loose(model, data, "block")
        self._marks = [model.body(f"{colour}_mark").id for colour in COLOURS]

    def lay_out(self, rng: np.random.Generator) -> None:
        """Put the block between the marks; which of them is left is drawn."""
        begin = self._middle + np.array([*self._shift.values(), 0.0])
        begin[:2] += rng.uniform(-1.0, 1.0, 2) * SPREAD
        self._block.put(pose(begin + np.array([0.0, 0.0, HALF])))
        sides = rng.permutation([-1.0, 1.0])
        for mark, side in zip(self._marks, sides, strict=True):
            away = side * rng.uniform(*MARK_AT)
            self._model.body_pos[mark] = begin + np.array([0.0, away, 0.002])
        self._begin = begin

    def _gap(self, mark: int) -> FloatArray:
        """Return the (2,) m way from the block to a mark on the table."""
        way: FloatArray = (self._model.body_pos[self._marks[mark]] - self._block.pose[:3, 3])[:2]
        return way

    def _free(self) -> bool:
        return not self.hand.touching(self._block.body) and self._block.speed < 0.02

    def verdict(self) -> Outcome:
        """Return where the block is left."""
        if self._block.pose[2, 3] < self._begin[2]:
            return Outcome.FAILURE
        if not self._free() or self.hand.tool[2, 3] < self._begin[2] + LIFT:
            return Outcome.UNKNOWN
        if np.linalg.norm(self._gap(self.wanted)) <= ON_MARK:
            return Outcome.SUCCESS
        wrong = np.linalg.norm(self._gap(1 - self.wanted)) <= ON_MARK
        return Outcome.FAILURE if wrong else Outcome.UNKNOWN

    def status(self) -> TaskStatus:
        """Return the share of the way to the right mark, that to the wrong one, the verdict."""
        shares = []
        for mark in (self.wanted, 1 - self.wanted):
            whole = self._model.body_pos[self._marks[mark]][1] - self._begin[1]
            shares.append(float(np.clip(1.0 - self._gap(mark)[1] / whole, 0.0, 1.0)))
        if self._outcome is Outcome.SUCCESS:
            shares[0] = 1.0
        trouble = ""
        if self._outcome is Outcome.UNKNOWN:
            if shares[1] > 0.3:
                trouble = "the block is on its way to the wrong mark"
            elif abs(self._gap(self.wanted)[0]) > ON_MARK + 0.01:
                trouble = "the block has left the line to the mark"
        return TaskStatus(self._instruction, shares[0], shares[1], self._outcome, trouble)

    def plan(self) -> Plan:
        """Return the way beside the block, along, and up again."""
        block, way = self._block.pose[:3, 3], self._gap(self.wanted)
        tool = self.hand.tool[:3, 3]
        up = self._begin[2] + HALF + LIFT + 0.02
        if abs(way[1]) <= 0.7 * ON_MARK:
            side = np.sign(tool[1] - block[1])
            aside = [tool[0], block[1] + side * (HALF + FIST_HALF + ROOM), tool[2]]
            leave = (
                Waypoint("withdraw", pose(aside), 1.0, PUSH_SPEED, 0.02),
                Waypoint("withdraw", pose([*aside[:2], up]), 1.0, AIR_SPEED, 0.02),
            )
            return leave if tool[2] < up - 0.02 else ()
        side = -float(np.sign(way[1]))  # the fist pushes from there
        off = side * (HALF + FIST_HALF)
        x, low = block[0] + FIST_BACK, self._begin[2] + HALF + 0.02
        beside = block[1] + off + side * ROOM
        over = Waypoint("reach", pose([x, beside, up]), 1.0, AIR_SPEED, 0.03)
        return (
            over,
            Waypoint("lower", pose([x, beside, low]), 1.0, AIR_SPEED / 2, 0.02),
            Waypoint(
                "push", pose([x, block[1] + off + way[1], low]), 1.0, PUSH_SPEED, 0.012, look=True
            ),
        )

    def parts(self) -> Mapping[str, FloatArray]:
        """Return the block and the marks."""
        at = {
            f"{c}_mark": pose(self._model.body_pos[m])
            for c, m in zip(COLOURS, self._marks, strict=True)
        }
        return {"block": self._block.pose, **at}
