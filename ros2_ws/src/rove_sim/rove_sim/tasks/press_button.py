"""Press the button that the instruction names with the fist, and take the hand away."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.vocabulary import Outcome
from rove_sim.robot_model import OBJECT_CONTACT, ROBOT_CONTACT
from rove_sim.tasks.base import TaskStatus
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.tasks.table import TableTask
from rove_sim.tasks.things import Rgba, add_box
from rove_sim.variation import Range

COLOURS: Mapping[str, Rgba] = MappingProxyType(
    {
        "red": (0.85, 0.08, 0.08, 1.0),
        "green": (0.10, 0.60, 0.15, 1.0),
        "blue": (0.08, 0.15, 0.85, 1.0),
    }
)
PANEL_AT = (0.84, 0.05, -0.16)  # the panel's face, shares of the reach from the right shoulder
SPACING = 0.125  # m between buttons: a fist is 10 cm wide
RADIUS, OUT = 0.025, 0.03  # m, of a button, and how far it stands out
TRAVEL, CLICK = 0.015, 0.010  # m, to its stop, and where it counts as pressed
SPRING = 400.0  # N/m: 4 N where it clicks
AWAY = 0.05  # m between fist and button when the hand is away
# The tool frame lies so far before the knuckles, where a held tool's face would be.
KNUCKLES = 0.024
AIR_SPEED, PRESS_SPEED = 0.30, 0.12  # m/s


class PressButton(TableTask):
    """See the module."""

    name: ClassVar[str] = "press_button"
    instructions: ClassVar[tuple[str, ...]] = tuple(f"press the {c} button" for c in COLOURS)
    ranges: ClassVar[Mapping[str, Range]] = MappingProxyType(
        {
            "panel_x": Range(-0.03, 0.01, "m", "the panel's place, away from the robot"),
            "panel_y": Range(-0.04, 0.04, "m", "the panel's place, to the left"),
            "panel_z": Range(-0.05, 0.05, "m", "the panel's height"),
        }
    )

    def furnish(self, scene: mujoco.MjSpec) -> FloatArray:
        """Add the panel with its buttons."""
        self._middle = self.place.place(*PANEL_AT)
        panel = scene.worldbody.add_body(name="panel", pos=self._middle)
        add_box(panel, (0.01, 0.22, 0.09), (0.01, 0, 0), (0.85, 0.85, 0.82, 1), "panel")
        add_box(panel, (0.02, 0.02, 0.45), (0.04, 0, -0.45), (0.4, 0.4, 0.42, 1), solid=False)
        for colour, rgba in COLOURS.items():
            button = panel.add_body(name=colour, gravcomp=1.0)
            button.add_joint(
                name=colour,
                type=mujoco.mjtJoint.mjJNT_SLIDE,
                axis=(1, 0, 0),
                range=(0, TRAVEL),
                limited=True,
                stiffness=SPRING,
                damping=5.0,
            )
            button.add_geom(
                type=mujoco.mjtGeom.mjGEOM_CYLINDER,
                size=(RADIUS, OUT / 2, 0),
                quat=(0.7071, 0, 0.7071, 0),
                pos=(-OUT / 2, 0, 0),
                rgba=rgba,
                mass=0.05,
                contype=OBJECT_CONTACT,
                conaffinity=ROBOT_CONTACT,
            )
        start: FloatArray = self._middle + np.array([-OUT - 0.12, -0.05, -0.10])
        return start

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Remember the compiled scene."""
        super().bind(model, data)
        self._panel = model.body("panel").id
        self._buttons = [model.body(colour).id for colour in COLOURS]
        self._travel = [int(model.joint(colour).qposadr[0]) for colour in COLOURS]

    def lay_out(self, rng: np.random.Generator) -> None:
        """Put the colours in a new order."""
        self._model.body_pos[self._panel] = self._middle + list(self._shift.values())
        for place, button in enumerate(rng.permutation(self._buttons)):
            self._model.body_pos[button] = (0.0, SPACING * (place - 1), rng.uniform(-0.03, 0.03))
        self._pressed: int | None = None

    def _button_at(self, button: int) -> FloatArray:
        """Return the (3,) m middle of a button's face at rest, world."""
        body = self._model.body_pos
        face: FloatArray = body[self._panel] + body[self._buttons[button]] + np.array([-OUT, 0, 0])
        return face

    def _away(self) -> float:
        """Return the distance from the front of the fist to the buttons' faces, m."""
        return float(self._button_at(0)[0] - (self.hand.tool[0, 3] - KNUCKLES))

    def verdict(self) -> Outcome:
        """Return which button was pressed first, once the hand is away."""
        if self._pressed is None:
            depths = self._data.qpos[self._travel]
            if depths.max() >= CLICK:
                self._pressed = int(depths.argmax())
            return Outcome.UNKNOWN
        if self._pressed != self.wanted:
            return Outcome.FAILURE
        return Outcome.SUCCESS if self._away() > AWAY else Outcome.UNKNOWN

    def status(self) -> TaskStatus:
        """Return how near the press is, whether another button is down, the verdict."""
        goal = self._button_at(self.wanted)
        front = self.hand.tool[:3, 3] - np.array([KNUCKLES, 0, 0])
        near = float(np.clip(1.0 - np.linalg.norm(goal - front) / 0.3, 0.0, 1.0))
        progress = 0.5 * near if self._pressed is None else 0.9
        wrong = float(self._pressed is not None and self._pressed != self.wanted)
        if self._outcome is Outcome.SUCCESS:
            progress = 1.0
        trouble = ""
        if self._outcome is Outcome.UNKNOWN and self._pressed is None and self._away() < 0.03:
            across = [float(np.linalg.norm(self._button_at(b)[1:] - front[1:])) for b in range(3)]
            if int(np.argmin(across)) != self.wanted:
                trouble = "the fist is at the wrong button"
            elif min(across) > 0.035:
                trouble = "the fist is beside the button"
        return TaskStatus(
            self._instruction, progress * (1.0 - wrong), wrong, self._outcome, trouble
        )

    def plan(self) -> Plan:
        """Return the way to the button, in and out."""
        goal = self._button_at(self.wanted)
        before, inside, out = (
            pose(goal + np.array([KNUCKLES + forward, 0.0, 0.0]))
            for forward in (-0.05, CLICK + 0.02, -AWAY - 0.03)
        )
        if self._pressed is not None:
            return (Waypoint("withdraw", out, 1.0, AIR_SPEED, 0.02),) if self._away() < AWAY else ()
        return (
            Waypoint("reach", before, 1.0, AIR_SPEED, 0.015),
            Waypoint("press", inside, 1.0, PRESS_SPEED, 0.03, hold_s=0.3, press=True, look=True),
            Waypoint("withdraw", out, 1.0, AIR_SPEED, 0.02),
        )

    def parts(self) -> Mapping[str, FloatArray]:
        """Return the faces of the buttons."""
        return {colour: pose(self._button_at(i)) for i, colour in enumerate(COLOURS)}
