"""Put a slice of bread into the slot that the instruction names (ROVE, task 2).

Two slices stand in a rack, a toaster with two slots beside it. The right hand is held level, comes
from the right and pinches the near slice at its side edge between thumb and fingers; friction
alone carries it. Slices stand upright in rack and slots, with a broad side towards the robot.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.vocabulary import Outcome
from rove_sim.tasks.base import TaskStatus
from rove_sim.tasks.furniture import (
    BASE,
    HOLDER_FLOOR,
    SLICE,
    SLOT,
    SLOT_DEPTH,
    SLOT_X,
    TOASTER_HEIGHT,
    add_rack,
    add_slice,
    add_table,
    add_toaster,
)
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.tasks.table import TABLE_AT, TableTask
from rove_sim.tasks.things import Loose
from rove_sim.tasks.workplace import PINCH
from rove_sim.variation import Range

SLOTS = ("near", "far")
# Shares of the reach from the right shoulder: the near slice, the middle of the toaster.
SLICE_AT, TOASTER_AT = (0.66, -0.10), (0.70, 0.28)
SLICE_SPACING = 0.09  # m from the near to the far slice; fingers need room behind the near one
SLICE_SPREAD, TOASTER_SPREAD = 0.010, 0.010  # m, drawn in every trial

# The grip: how far inside the side edge and below the upper edge; both fingers still find bread.
GRIP_INSIDE, GRIP_BELOW = 0.020, 0.036  # m
OPEN, CLOSED = 0.45, 1.0  # closure before and in the grip
START = (-0.04, -0.07, 0.05)  # m from the near slice's right upper edge
BESIDE = 0.08  # m to the right of the grip, where the hand comes down before it goes in
BESIDE_M = 0.006  # so near to that place must it be
CLEAR = 0.015  # m between a carried slice and what is below
# A slot leaves 6 mm at each broad side of a slice: so well must it stand before it goes down.
ALIGNED_M, ALIGNED_RAD = 0.005, 0.05
INSERT = 0.030  # m into the slot; deeper and a finger meets the toaster
# Down into the slot so slowly that what is seen can still be corrected on the way.
AIR_SPEED, CARRY_SPEED, NEAR_SPEED, INSERT_SPEED = 0.30, 0.20, 0.12, 0.028  # m/s

IN_SLOT_M = 0.012  # above the slot's floor: a slice that went in all the way
STUCK_TILT = 0.45  # rad from upright: the hand has no grip for that
RETRACTED_M = 0.10  # between tool and grip when the hand counts as retracted


class BreadToaster(TableTask):
    """See the module."""

    name: ClassVar[str] = "bread_toaster"
    instructions: ClassVar[tuple[str, ...]] = tuple(
        f"put the bread into the {slot} slot" for slot in SLOTS
    )
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType(
        {
            "slice_x": Range(-0.02, 0.02, "m", "the rack's place, away from the robot"),
            "slice_y": Range(-0.02, 0.02, "m", "the rack's place, to the left"),
            "toaster_x": Range(-0.02, 0.02, "m", "the toaster's place, away from the robot"),
            "toaster_y": Range(-0.02, 0.03, "m", "the toaster's place, to the left"),
        }
    )

    tool: ClassVar[str] = PINCH

    def furnish(self, scene: mujoco.MjSpec) -> FloatArray:
        """Add table, rack, slices and toaster."""
        self._rack_at = self.place.place(*SLICE_AT, TABLE_AT)
        self._toaster_at = self.place.place(*TOASTER_AT, TABLE_AT)
        self._table = float(self._rack_at[2])
        add_table(scene, self._table, self._rack_at[0])
        add_rack(scene, SLICE_SPACING)
        add_toaster(scene)
        for name in ("slice", "other_slice"):
            add_slice(scene, name)
        start: FloatArray = self._rack_at + np.array([0, -SLICE[1] / 2, SLICE[2]]) + START
        return start

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        super().bind(model, data)
        self._slice = Loose(model, data, "slice")
        self._other = Loose(model, data, "other_slice")
        self._rack, self._toaster = model.body("rack").id, model.body("toaster").id

    def lay_out(self, rng: np.random.Generator) -> None:
        """Put the slices into the rack."""
        shift = np.array(list(self._shift.values()))
        spread = shift + rng.uniform(-1.0, 1.0, 4) * np.repeat([SLICE_SPREAD, TOASTER_SPREAD], 2)
        rack, toaster = self._rack_at.copy(), self._toaster_at.copy()
        rack[:2] += spread[:2]
        toaster[:2] += spread[2:]
        self._model.body_pos[self._rack], self._model.body_pos[self._toaster] = rack, toaster
        up = HOLDER_FLOOR + SLICE[2] / 2 + 0.001
        for thing, forward in ((self._slice, 0.0), (self._other, SLICE_SPACING)):
            thing.put(pose(rack + np.array([forward, 0.0, up])))
        self._rest_z = float(rack[2] + up)

    @property
    def _slot(self) -> str:
        return SLOTS[self.wanted]

    def _slot_at(self, slot: str, above: float) -> FloatArray:
        """Return the (4, 4) pose of a slice in a slot, ``above`` the slot's floor, m."""
        place = self._model.body_pos[self._toaster] + [
            SLOT_X[slot],
            0.0,
            BASE + above + SLICE[2] / 2,
        ]
        return pose(place)

    def _in_slot(self) -> str:
        """Return the slot that holds the slice, at least half way down; empty: none."""
        at = self._slice.pose[:3, 3] - self._model.body_pos[self._toaster]
        for slot, x in SLOT_X.items():
            inside = abs(at[0] - x) < SLOT[0] / 2 and abs(at[1]) < SLOT[1] / 2
            if (
                inside
                and at[2] - SLICE[2] / 2 < TOASTER_HEIGHT - 0.015
                and self._tilt() < STUCK_TILT
            ):
                return slot
        return ""

    def _height(self) -> float:
        """Return how far the slice's lower edge is above the slots' floor, m."""
        return float(
            self._slice.pose[2, 3] - SLICE[2] / 2 - self._model.body_pos[self._toaster][2] - BASE
        )

    def _tilt(self) -> float:
        """Return the slice's angle from upright, rad."""
        return float(np.arccos(np.clip(abs(self._slice.pose[2, 2]), 0.0, 1.0)))

    def _turned(self) -> float:
        """Return the slice's angle from how it goes into a slot, rad."""
        return float(np.arccos(np.clip((np.trace(self._slice.pose[:3, :3]) - 1) / 2, -1.0, 1.0)))

    def _about_z(self) -> FloatArray:
        """Return the (3, 3) part of the slice's turn that is about the vertical."""
        x = self._slice.pose[:2, 0] / np.linalg.norm(self._slice.pose[:2, 0])
        return np.array([[x[0], -x[1], 0.0], [x[1], x[0], 0.0], [0.0, 0.0, 1.0]])

    def _held(self) -> bool:
        """Tell whether at least two links of the hand touch the slice."""
        return len(self.hand.touching(self._slice.body)) >= 2

    def verdict(self) -> Outcome:
        """Return how the slice is now."""
        slot, still = self._in_slot(), self._slice.speed < 0.05
        if self._tilt() > STUCK_TILT and still and not self._held():
            return Outcome.FAILURE
        if self._slice.pose[2, 3] < self._table - 0.02:
            return Outcome.FAILURE
        if not slot or not still or self.hand.touching(self._slice.body):
            return Outcome.UNKNOWN
        if slot != self._slot:
            return Outcome.FAILURE
        inside = self._height() < IN_SLOT_M
        return Outcome.SUCCESS if inside and self._retracted() else Outcome.UNKNOWN

    def _retracted(self) -> bool:
        return bool(np.linalg.norm(self.hand.tool[:3, 3] - self._grip()) > RETRACTED_M)

    def _grip(self) -> FloatArray:
        """Return the (3,) m place of the grip at the slice as it stands, world."""
        edge = [0.0, GRIP_INSIDE - SLICE[1] / 2, SLICE[2] / 2 - GRIP_BELOW]
        place: FloatArray = self._slice.pose[:3, :3] @ edge + self._slice.pose[:3, 3]
        return place

    def status(self) -> TaskStatus:
        """Return how far the slice is on its way, whether it is in the wrong slot, the verdict."""
        slot, wrong = self._in_slot(), 0.0
        if slot == self._slot:
            down = 1.0 - max(0.0, self._height()) / SLOT_DEPTH
            progress = 0.5 + 0.4 * float(np.clip(down, 0.0, 1.0))
        else:
            wrong = float(bool(slot))
            lifted = float(np.clip((self._slice.pose[2, 3] - self._rest_z) / 0.05, 0.0, 1.0))
            goal = self._slot_at(self._slot, SLOT_DEPTH)[:3, 3]
            near = 1.0 - np.clip(np.linalg.norm(self._slice.pose[:3, 3] - goal) / 0.3, 0.0, 1.0)
            progress = lifted * (0.2 + 0.3 * float(near)) if self._tilt() < STUCK_TILT else 0.0
        if self._outcome is Outcome.SUCCESS:
            progress = 1.0
        return TaskStatus(self._instruction, progress, wrong, self._outcome, self._near_failure())

    def _near_failure(self) -> str:
        if self._outcome is not Outcome.UNKNOWN:
            return ""
        slot, lifted = self._in_slot(), self._slice.pose[2, 3] - self._rest_z > 0.02
        if slot and slot != self._slot:
            return "the slice is in the wrong slot"
        if lifted and not slot and not self._held():
            return "the slice slipped out of the hand"
        if self._tilt() > STUCK_TILT:
            return "the slice is not upright"
        return ""

    def plan(self) -> Plan:
        """Return the way from the slice as it is into the slot."""
        tool, slot = self.hand.tool, self._in_slot()
        if slot and self._height() < IN_SLOT_M:
            return self._leave(tool) if not self._retracted() else ()
        slice_pose = self._slice.pose
        grip = pose(self._grip(), self._about_z())
        held = self._held() and np.linalg.norm(tool[:3, 3] - grip[:3, 3]) < 0.04
        if held:
            tool_in_slice = np.linalg.inv(slice_pose) @ tool
            return self._carry(slice_pose, tool_in_slice)
        if self._tilt() > STUCK_TILT:
            return ()
        beside = grip.copy()
        beside[:3, 3] -= BESIDE * grip[:3, 1]
        # From beside the hand goes straight in, so there it must stand well; look once more then.
        reach = Waypoint("reach", beside, OPEN, AIR_SPEED, BESIDE_M, hold_s=0.3, look=True)
        taken = Waypoint("grasp", grip, CLOSED, NEAR_SPEED, 0.02, hold_s=0.3, look=True)
        steps = (
            Waypoint("approach", grip, OPEN, NEAR_SPEED, 0.008),
            taken,
            *self._carry(slice_pose, np.linalg.inv(slice_pose) @ grip),
        )
        return steps if reach.distance(tool)[0] < 1.5 * BESIDE_M else (reach, *steps)

    def _carry(self, slice_pose: FloatArray, tool_in_slice: FloatArray) -> Plan:
        if self._in_slot() == self._slot and self._height() < SLOT_DEPTH - INSERT + 0.01:
            tool = slice_pose @ tool_in_slice
            return (
                Waypoint("release", tool, OPEN, NEAR_SPEED, 0.03, hold_s=0.4),
                *self._leave(tool),
            )
        over = self._slot_at(self._slot, SLOT_DEPTH + CLEAR)
        lifted = pose([*slice_pose[:2, 3], max(over[2, 3], slice_pose[2, 3])])
        inside = self._slot_at(self._slot, SLOT_DEPTH - INSERT)
        let_go = inside @ tool_in_slice
        steps = (
            Waypoint("lift", lifted @ tool_in_slice, CLOSED, NEAR_SPEED, 0.02),
            Waypoint(
                "carry",
                over @ tool_in_slice,
                CLOSED,
                CARRY_SPEED,
                ALIGNED_M,
                ALIGNED_RAD,
                hold_s=0.1,
                look=True,
            ),
            Waypoint("insert", let_go, CLOSED, INSERT_SPEED, 0.008, hold_s=0.2, look=True),
            Waypoint("release", let_go, OPEN, NEAR_SPEED, 0.03, hold_s=0.4),
        )
        gap = float(np.linalg.norm(slice_pose[:2, 3] - over[:2, 3]))
        if gap < 1.2 * ALIGNED_M and self._turned() < 1.5 * ALIGNED_RAD:
            return (*steps[2:], *self._leave(let_go))
        if slice_pose[2, 3] > over[2, 3] - 0.01:
            return (*steps[1:], *self._leave(let_go))
        return (*steps, *self._leave(let_go))

    def _leave(self, tool: FloatArray) -> Plan:
        """Return the way of the open hand out to the right, then up."""
        out = np.array(tool)
        out[1, 3] -= BESIDE + 0.04
        up = out.copy()
        up[2, 3] += 0.05
        return (
            Waypoint("release", tool, OPEN, NEAR_SPEED, 0.04, hold_s=0.2),
            Waypoint("retract", out, OPEN, NEAR_SPEED, 0.03),
            Waypoint("retract", up, OPEN, AIR_SPEED, 0.03),
        )

    def parts(self) -> Mapping[str, FloatArray]:
        """Return slices, rack and toaster (origins of the latter two on the table)."""
        body = self._model.body_pos
        return {
            "slice": self._slice.pose,
            "other_slice": self._other.pose,
            "rack": pose(body[self._rack]),
            "toaster": pose(body[self._toaster]),
        }
