"""Table, rack, slices and toaster of the bread task. Lengths in m; y is the robot's left."""

from __future__ import annotations

import mujoco

from rove_sim.tasks.things import add_box

SLICE = (0.017, 0.11, 0.11)  # thin side towards the robot, wide, tall
SLICE_MASS = 0.04  # kg
# Crust on crust, on plastic, on rubber finger tips; torsional friction keeps it from swinging.
SLICE_FRICTION = (0.6, 0.01, 0.001)

SLOT = (0.030, 0.13)  # of an opening, away from the robot and across
SLOT_X = {"near": -0.032, "far": 0.032}  # of a slot's middle from the toaster's
SLOT_DEPTH, BASE = 0.09, 0.02
RACK_GAP, RACK_BELOW = 0.023, 0.010  # a wire rack narrows a slot from this far below its opening
WALL = 0.012
TOASTER_HEIGHT = SLOT_DEPTH + BASE
TOASTER_HALF = (SLOT_X["far"] + SLOT[0] / 2 + WALL, SLOT[1] / 2 + WALL)

HOLDER_FLOOR, HOLDER_WALL = 0.010, 0.045  # of the rack: floor, height of its dividers
HOLDER_GAP, HOLDER_RIM = 0.023, 0.005

WOOD = (0.62, 0.45, 0.30, 1.0)
STEEL, DARK = (0.75, 0.76, 0.78, 1.0), (0.16, 0.16, 0.18, 1.0)
PLASTIC = (0.35, 0.55, 0.45, 1.0)
BREAD = (0.85, 0.65, 0.38, 1.0)


def add_table(scene: mujoco.MjSpec, height: float, x: float) -> None:
    """Add a table whose top lies at ``height`` with its middle ``x`` before the robot."""
    table = scene.worldbody.add_body(name="table", pos=(x + 0.06, -0.02, 0.0))
    add_box(table, (0.18, 0.34, 0.015), (0, 0, height - 0.015), WOOD, "table_top")
    for across in (-0.30, 0.30):
        add_box(table, (0.02, 0.02, (height - 0.03) / 2), (0.1, across, (height - 0.03) / 2),
                WOOD, solid=False)  # fmt: skip


def add_rack(scene: mujoco.MjSpec, spacing: float) -> None:
    """Add the rack: two places for slices, ``spacing`` apart; its origin is below the near one."""
    rack = scene.worldbody.add_body(name="rack", pos=(0, 0, 1))
    wide = SLICE[1] / 2 + 0.006
    middle = spacing / 2
    add_box(rack, (middle + 0.03, wide, HOLDER_FLOOR / 2), (middle, 0, HOLDER_FLOOR / 2), PLASTIC)
    for place in (0.0, spacing):
        for side in (-1, 1):
            at = place + side * (HOLDER_GAP + HOLDER_RIM) / 2
            add_box(
                rack, (HOLDER_RIM / 2, wide, HOLDER_WALL / 2), (at, 0, HOLDER_WALL / 2), PLASTIC
            )


def add_slice(scene: mujoco.MjSpec, name: str) -> None:
    """Add a slice that moves freely."""
    bread = scene.worldbody.add_body(name=name, pos=(0, 0, 1))
    bread.add_freejoint()
    add_box(
        bread,
        [side / 2 for side in SLICE],
        (0, 0, 0),
        BREAD,
        name,
        mass=SLICE_MASS,
        friction=SLICE_FRICTION,
        condim=4,
        priority=1,
    )


def slot_floor() -> float:
    """Return the height of a slot's floor above the table."""
    return BASE


def add_toaster(scene: mujoco.MjSpec) -> None:
    """Add the toaster; its origin lies on the table in the middle."""
    toaster = scene.worldbody.add_body(name="toaster", pos=(0, 0, 1))
    deep, wide = TOASTER_HALF
    up, middle = TOASTER_HEIGHT / 2, (TOASTER_HEIGHT + BASE) / 2
    add_box(toaster, (deep, wide, BASE / 2), (0, 0, BASE / 2), DARK)
    for x in (-deep + WALL / 2, deep - WALL / 2):
        add_box(toaster, (WALL / 2, wide, up), (x, 0, up), STEEL)
    between = SLOT_X["far"] - SLOT[0] / 2
    add_box(toaster, (between, wide, SLOT_DEPTH / 2), (0, 0, middle), STEEL)
    for y in (-wide + WALL / 2, wide - WALL / 2):
        add_box(toaster, (deep, WALL / 2, up), (0, y, up), STEEL)
    tall = (SLOT_DEPTH - RACK_BELOW) / 2
    for x in SLOT_X.values():
        for side in (-1, 1):
            at = x + side * (RACK_GAP + SLOT[0]) / 4
            thick = (SLOT[0] - RACK_GAP) / 4
            add_box(toaster, (thick, SLOT[1] / 2, tall), (at, 0, BASE + tall), DARK)
    add_box(toaster, (0.004, 0.02, 0.03), (-deep - 0.004, 0.03, 0.05), DARK, solid=False)
