"""Erase the stroke that the instruction names, and leave the other one (ROVE, task 1).

A 40 x 30 cm whiteboard stands in front of the robot, which holds an eraser in its right fist. Two
strokes of different colours are written on it. A mark of ink vanishes only where the felt lies
flat on it and is pressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.robot_model import OBJECT_CONTACT, ROBOT_CONTACT
from rove_sim.tasks.base import Task, TaskStatus
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.tasks.strokes import MARKS, place_strokes, write_stroke
from rove_sim.tasks.workplace import FIST, Workplace
from rove_sim.variation import Range

# The middle of the face, in shares of the reach from the right shoulder: on the G1 that is
# (0.46, -0.07, 0.98) m, where the whole board is reached with a flat eraser.
BOARD_AT = (0.82, 0.054, -0.165)
BOARD_HALF = (0.20, 0.15, 0.01)  # m
# Columns: the board frame's axes in the world (x to the robot's right, y up, z to the robot).
BOARD_AXES = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

# The felt's face is 5 x 8 cm: the long side across the hand, so that one pass covers a stroke. It
# lies in the profile's frame `right_fist`, whose x leaves the face.
FELT_HALF = np.array([0.010, 0.025, 0.040])  # m

# Felt glides on a whiteboard and gives: without the softness a touch-down peaks at 300 N.
FELT_FRICTION, FELT_SOLREF = (0.2, 0.005, 0.0001), (0.02, 1.0)

PRESS_FORCE_N = 6.0  # a light but deliberate push of a hand; a brush in passing stays below it
PRESS_GAP_M = 0.004  # felt farther than this from a mark does not touch it (a tilted eraser)

SUCCESS_SHARE = 0.95  # of the right ink
WITHDRAWN_M = 0.04  # between felt and board, when the hand counts as withdrawn
WITHDRAW_S = 5.0  # after the last ink; a hand that leans on the board for longer is stuck
NEAR_M = 0.03  # a felt this near to wrong ink is about to spoil it

# How the work is done: a hand's breadth off the board between strokes; the goal lies inside the
# board, and the drives turn that into 15-30 N. Deeper makes the felt stick and the body lean back.
HOVER, PRESS_DEPTH = 0.05, 0.018  # m
AIR_SPEED, PRESS_SPEED, WIPE_SPEED = 0.30, 0.12, 0.08  # m/s
END_INK = 0.05  # m of ink at an end of a stroke whose height the felt takes there

INK = {"red": (0.85, 0.08, 0.08, 1.0), "blue": (0.08, 0.15, 0.85, 1.0)}
COLOURS = tuple(INK)
# Side -> axis of the board frame (0 to the right, 1 up) and which end of it.
SIDES = {"left": (0, -1.0), "right": (0, 1.0), "lower": (1, -1.0), "upper": (1, 1.0)}
MARK_WIDTH, MARK_HEIGHT = 0.009, 0.001  # m; 2-3 pixels of a 128 x 128 ego picture


class EraseWhiteboard(Task):
    """See the module."""

    name: ClassVar[str] = "erase_whiteboard"
    instructions: ClassVar[tuple[str, ...]] = tuple(f"erase the {colour} stroke" for colour in INK)

    by_side: ClassVar[tuple[str, ...]] = tuple(f"erase the {side} stroke" for side in SIDES)
    """Accepted always, drawn at a variation above 0, and then only where they leave no doubt."""
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType(
        {
            "board_x": Range(-0.03, 0.01, "m", "the board's place, away from the robot"),
            "board_y": Range(-0.03, 0.03, "m", "the board's place, to the left"),
            "board_z": Range(-0.03, 0.03, "m", "the board's height"),
        }
    )

    def __init__(self, spec: RobotSpec) -> None:
        super().__init__(spec)
        self._ink = np.ones((2, MARKS), dtype=bool)  # True where ink is left, [colour, mark]
        self._outcome = Outcome.UNKNOWN
        self._clean_s: float | None = None  # when the right ink was gone, simulated time
        self.press_force = 0.0  # N, felt on board in the last physics step

    def start_posture(self) -> FloatArray:
        """Return the (N,) rad start: right fist closed round the eraser in front of the board."""
        posture = self.spec.ready.copy()
        for joint in self.spec.groups["right_hand"]:
            posture[self.spec.index(joint)] = self.spec.finger_closed[joint]
        return posture

    def build(self, scene: mujoco.MjSpec) -> None:
        """Add board, ink and eraser."""
        self._plain_centre = Workplace.of(self.spec, scene).place(*BOARD_AT)
        self._centre = self._plain_centre
        world, box = scene.worldbody, mujoco.mjtGeom.mjGEOM_BOX
        board = world.add_body(name="board", pos=self._centre, quat=_quat(BOARD_AXES))
        board.add_geom(
            name="board",
            type=box,
            size=BOARD_HALF,
            pos=(0, 0, -BOARD_HALF[2]),
            rgba=(0.95, 0.95, 0.95, 1),
            contype=OBJECT_CONTACT,
            conaffinity=ROBOT_CONTACT,
        )
        _decoration(board, float(self._centre[2]))
        for colour, rgba in INK.items():
            for mark in range(MARKS):
                # Not at the origin: MuJoCo would compile a shortcut that ignores later moves.
                board.add_geom(
                    name=f"{colour}_{mark}",
                    type=box,
                    pos=(0.01, 0.01, 0.01),
                    quat=(0.9, 0, 0, 0.4),
                    size=(0.003, MARK_WIDTH / 2, MARK_HEIGHT / 2),
                    rgba=rgba,
                    contype=0,
                    conaffinity=0,
                )
        fist = self.spec.frame(FIST)
        hand, turn = scene.body(fist.parent), fist.in_parent[:3, :3]
        hand.add_geom(
            name="felt",
            type=box,
            size=FELT_HALF,
            pos=fist.position - turn @ [FELT_HALF[0], 0, 0],
            quat=_quat(turn),
            rgba=(0.25, 0.25, 0.27, 1),
            mass=0.03,
            friction=FELT_FRICTION,
            solref=FELT_SOLREF,
            priority=1,  # the felt decides, not the board
            contype=ROBOT_CONTACT,
            conaffinity=OBJECT_CONTACT,
        )
        hand.add_geom(
            name="eraser_back",
            type=box,
            size=(0.018, 0.020, 0.034),
            mass=0.03,
            contype=0,
            conaffinity=0,
            pos=fist.position - turn @ [2 * FELT_HALF[0] + 0.018, 0, 0],
            quat=_quat(turn),
            rgba=(0.95, 0.75, 0.1, 1),
        )
        hand.add_site(name="eraser_face", pos=fist.position, quat=_quat(turn))

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene and where the marks are in it."""
        super().bind(model, data)
        self._marks = np.array([[model.geom(f"{c}_{i}").id for i in range(MARKS)] for c in COLOURS])
        self._board, self._felt = model.geom("board").id, model.geom("felt").id
        self._face = model.site("eraser_face").id
        self._face_place = data.site_xpos[self._face]  # (3,) m, world; a view of what is now
        self._board_body = model.body("board").id

    def vary(self, rng: np.random.Generator) -> None:
        """Move the board."""
        shift = np.array([r.draw(rng, self.variation) for r in self.ranges.values()])
        self._centre = self._plain_centre + shift
        self._model.body_pos[self._board_body] = self._centre

    def reset(self, rng: np.random.Generator, instruction: str) -> None:
        """Write two new strokes."""
        self._instruction = instruction
        self._ink[:] = True
        self._outcome, self._clean_s, self.press_force = Outcome.UNKNOWN, None, 0.0
        self._middles = place_strokes(rng, self.variation)
        for colour, middle in enumerate(self._middles):
            points = write_stroke(rng, middle)
            steps = np.diff(points, axis=0)
            ids = self._marks[colour]
            self._model.geom_pos[ids, :2] = (points[1:] + points[:-1]) / 2
            self._model.geom_pos[ids, 2] = MARK_HEIGHT / 2
            angles = np.arctan2(steps[:, 1], steps[:, 0])
            self._model.geom_quat[ids] = np.stack(
                [np.cos(angles / 2), 0 * angles, 0 * angles, np.sin(angles / 2)], axis=1
            )
            # Marks overlap by a third of their width, which closes the gaps in the bends.
            self._model.geom_size[ids, 0] = np.linalg.norm(steps, axis=1) / 2 + MARK_WIDTH / 3
            self._model.geom_rgba[ids] = INK[COLOURS[colour]]
        # (2, MARKS, 3) m, world.
        self._mark_places = self._centre + self._model.geom_pos[self._marks] @ BOARD_AXES.T

    @property
    def _right(self) -> int:
        """Index of the colour to erase."""
        return self.goal_of(self._instruction)

    def goal_of(self, instruction: str) -> int:
        """Return the index of the colour that an instruction means in this trial."""
        if instruction in self.instructions:
            return self.instructions.index(instruction)
        axis, end = list(SIDES.values())[self.by_side.index(instruction)]
        return int(np.argmax(end * self._middles[:, axis]))

    def choose_instruction(self, rng: np.random.Generator, instruction: str | None) -> str:
        """Return the given instruction or a random one, by colour or by side.

        Raises:
            ConfigError: an instruction this task does not know.
        """
        by_colour = super().choose_instruction(
            rng, None if instruction in self.by_side else instruction
        )
        if instruction is not None:
            return instruction
        chance = np.random.default_rng(deepcopy(rng).integers(2**32)).random(2)
        if chance[0] >= 0.5 * self.variation:
            return by_colour
        # What ``reset`` is about to draw, seen beforehand.
        middles = place_strokes(deepcopy(rng), self.variation)
        axis = int(np.argmax(np.abs(middles[0] - middles[1])))
        sides = [side for side, (along, _) in SIDES.items() if along == axis]
        return f"erase the {sides[int(chance[1] < 0.5)]} stroke"

    def update(self) -> None:
        """Wipe the marks under a pressed felt, then judge."""
        # Far from the board there is nothing to look for; contacts are costly to look at.
        near = self._face_place[0] > self._centre[0] - NEAR_M
        self.press_force = self._contact_force() if near else 0.0
        wiped = self.press_force >= PRESS_FORCE_N and self._wipe()
        # Nothing else changes the verdict than ink and, after the last ink, the withdrawal.
        if self._outcome is Outcome.UNKNOWN and (wiped or self._clean_s is not None):
            self._outcome = self._judge()

    def _judge(self) -> Outcome:
        gone = 1.0 - self._ink.mean(axis=1)
        if gone[1 - self._right] > 0.0:
            return Outcome.FAILURE
        if gone[self._right] < SUCCESS_SHARE:
            return Outcome.UNKNOWN
        if self._clean_s is None:
            self._clean_s = self._data.time
        if self._felt_on_board()[2] >= WITHDRAWN_M:
            return Outcome.SUCCESS
        late = self._data.time - self._clean_s > WITHDRAW_S
        return Outcome.FAILURE if late else Outcome.UNKNOWN

    def _felt_on_board(self) -> FloatArray:
        """Return the (3,) m middle of the felt's face in the board frame."""
        place: FloatArray = (self._data.site_xpos[self._face] - self._centre) @ BOARD_AXES
        return place

    def _contact_force(self) -> float:
        """Return the sum of normal forces between felt and board, N."""
        if not self._data.ncon:
            return 0.0
        total, force = 0.0, np.zeros(6)
        wanted = {self._felt, self._board}
        for i, pair in enumerate(self._data.contact.geom.tolist()):
            if wanted.issuperset(pair):
                mujoco.mj_contactForce(self._model, self._data, i, force)
                total += force[0]
        return total

    def _wipe(self) -> bool:
        """Take away the ink under the felt; tell whether there was any."""
        axes = self._data.site_xmat[self._face].reshape(3, 3)
        in_face = (self._mark_places - self._face_place) @ axes
        under = self._ink & (np.abs(in_face[..., 1]) <= FELT_HALF[1])
        under &= (np.abs(in_face[..., 2]) <= FELT_HALF[2]) & (in_face[..., 0] <= PRESS_GAP_M)
        if not under.any():
            return False
        self._ink &= ~under
        self._model.geom_rgba[self._marks, 3] = self._ink  # alpha 0: MuJoCo does not draw it
        return True

    def status(self) -> TaskStatus:
        """Return the shares of right and wrong ink that are gone, and the verdict."""
        gone = 1.0 - self._ink.mean(axis=1)
        return TaskStatus(
            self._instruction,
            float(gone[self._right]),
            float(gone[1 - self._right]),
            self._outcome,
            self._near_failure(),
        )

    def _near_failure(self) -> str:
        if self._outcome is not Outcome.UNKNOWN:
            return ""
        wrong = self._model.geom_pos[self._marks[1 - self._right], :2]
        felt = self._felt_on_board()
        reach = FELT_HALF[1:] + NEAR_M / 2
        if felt[2] < NEAR_M and (np.abs(wrong - felt[:2]) <= reach).all(axis=1).any():
            return "the eraser comes down on the wrong stroke"
        if self._clean_s is not None and self._data.time - self._clean_s > WITHDRAW_S / 2:
            return "the hand stays on the board"
        return ""

    def plan(self) -> Plan:
        """Return the way over what is left of the right ink, from its left end to the right."""
        ink = self._model.geom_pos[self._marks[self._right][self._ink[self._right]], :2]
        if self._clean_s is not None or not len(ink):
            away = self._felt_on_board()
            return (self._waypoint("withdraw", away[:2], 2 * HOVER, AIR_SPEED),)
        half = float(FELT_HALF[1])
        left, right = float(ink[:, 0].min()), float(ink[:, 0].max())
        begin = np.array([left - 0.4 * half, _height(ink[ink[:, 0] <= left + END_INK, 1])])
        end = np.array([right + 0.4 * half, _height(ink[ink[:, 0] >= right - END_INK, 1])])
        return (
            self._waypoint("reach", begin, HOVER, AIR_SPEED),
            self._waypoint("press", begin, -PRESS_DEPTH, PRESS_SPEED),
            self._waypoint("wipe", end, -PRESS_DEPTH, WIPE_SPEED),
            self._waypoint("withdraw", end, 2 * HOVER, AIR_SPEED),
        )

    def _waypoint(self, phase: str, place: FloatArray, off: float, speed: float) -> Waypoint:
        """Return a flat felt at (2,) m on the board, ``off`` m from it."""
        facing = np.stack([-BOARD_AXES[:, 2], -BOARD_AXES[:, 0], BOARD_AXES[:, 1]], axis=1)
        middle = self._centre + BOARD_AXES @ np.array([*place, off])
        return Waypoint(
            phase, pose(middle, facing), 1.0, speed, press=off < 0.0, look=phase == "wipe"
        )

    def tool_in_wrist(self) -> FloatArray:
        """Return the (4, 4) pose of the felt's face in the right wrist; x leaves the face."""
        data, wrist = self._data, self._model.body(self.spec.frames["right_wrist"]).id
        turn = data.xmat[wrist].reshape(3, 3)
        place = turn.T @ (data.site_xpos[self._face] - data.xpos[wrist])
        return pose(place, turn.T @ data.site_xmat[self._face].reshape(3, 3))

    def parts(self) -> Mapping[str, FloatArray]:
        """Return the board: its frame in the middle of the face, z out of it."""
        return {"board": pose(self._centre, BOARD_AXES)}


def _height(values: FloatArray) -> float:
    """Return the middle of (M,) m heights."""
    return float(values.min() + values.max()) / 2


def _quat(axes: FloatArray) -> FloatArray:
    """Return the (4,) quaternion (w, x, y, z) of a rotation matrix."""
    quat: FloatArray = np.roll(Rotation.from_matrix(axes).as_quat(), 1)
    return quat


def _decoration(board: mujoco.MjsBody, height: float) -> None:
    """Add frame and stand, which nothing touches."""
    box = mujoco.mjtGeom.mjGEOM_BOX
    x, y, _ = BOARD_HALF
    metal = (0.55, 0.57, 0.6, 1)
    for position, size in (
        ((0, y + 0.006, -0.01), (x + 0.012, 0.006, 0.013)),
        ((0, -y - 0.006, -0.01), (x + 0.012, 0.006, 0.013)),
        ((x + 0.006, 0, -0.01), (0.006, y, 0.013)),
        ((-x - 0.006, 0, -0.01), (0.006, y, 0.013)),
    ):
        board.add_geom(type=box, pos=position, size=size, rgba=metal, contype=0, conaffinity=0)
    board.add_geom(
        type=box,
        pos=(0, -height / 2, -0.035),
        size=(0.02, height / 2, 0.012),
        rgba=metal,
        contype=0,
        conaffinity=0,
    )
    board.add_geom(
        type=box,
        pos=(0, -height + 0.01, -0.035),
        size=(0.18, 0.01, 0.12),
        rgba=metal,
        contype=0,
        conaffinity=0,
    )
