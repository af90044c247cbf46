"""What a profile says, as tables for the terminal."""

from __future__ import annotations

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from rove.profile.scene import Scene, named
from rove_core.robot import RobotSpec
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf

NEAREST = 8  # pairs of shapes that the table shows


def print_report(console: Console, scene: Scene) -> None:
    """Print joints, frames, hands and the nearest pairs of a profile."""
    spec = scene.spec
    for table in (_joints(spec), _frames(scene), _hands(spec), _pairs(spec)):
        if table.row_count:
            console.print(table)
    for joint, at in spec.fixed.items():
        console.print(f"fixed {joint} at {at:g}: {spec.reasons[f'fixed.{joint}']}", markup=False)
    for joint, (other, ratio, offset) in spec.coupled.items():
        console.print(f"coupled {joint} = {ratio:g} * {other} + {offset:g}", markup=False)
    for entry, reason in spec.reasons.items():
        if not entry.startswith("fixed."):
            console.print(f"why {entry}: {reason}", markup=False)


def _table(title: str, names: str, numbers: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in names.split():
        table.add_column(column, no_wrap=True)
    for column in numbers.split():
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _joints(spec: RobotSpec) -> Table:
    table = _table(
        f"{spec.name}: {spec.size} joints (rad, s, Nm)",
        "group joint",
        "lower upper home rest velocity acceleration effort",
    )
    for group, joints in spec.groups.items():
        for k, joint in enumerate(joints):
            i = spec.index(joint)
            vectors = (spec.lower, spec.upper, spec.home, spec.resting)
            table.add_row(
                group if k == 0 else "",
                joint,
                *(f"{vector[i]:.3f}" for vector in vectors),
                *(f"{v[i]:g}" for v in (spec.velocity, spec.acceleration, spec.effort)),
                end_section=k == len(joints) - 1,
            )
    return table


def _frames(scene: Scene) -> Table:
    table = _table("frames at home, in the pelvis (m)", "role link", "x y z")
    pelvis = np.linalg.inv(scene.frame("pelvis"))
    for role in scene.roles:
        place = (pelvis @ scene.frame(role))[:3, 3]
        parent = scene.spec.frame(role).parent + (" +" if role in scene.spec.offsets else "")
        table.add_row(role, parent, *(f"{v:.3f}" for v in place))
    return table


def _hands(spec: RobotSpec) -> Table:
    table = _table("hands", "hand finger follows joints", "scale")
    for side, hand in spec.hands.items():
        for name, finger in hand.fingers.items():
            follows, joints = " ".join(finger.follows), str(len(finger.joints))
            table.add_row(side, name, follows, joints, f"{finger.scale:g}")
        for pinch in hand.pinches:
            table.add_row(
                side,
                "pinch",
                " ".join(pinch.fingers),
                "",
                f"{pinch.contact * 1e3:g} mm from {pinch.begin * 1e3:g} mm",
            )
    return table


def _pairs(spec: RobotSpec) -> Table:
    count = f"{len(spec.collision.shapes)} shapes, {len(spec.collision.pairs)} pairs"
    table = _table(f"collision: {count}; nearest (m)", "first second", "home rest margin")
    if not spec.collision.pairs:
        return table
    kinematics = Kinematics(read_urdf(spec.urdf_path))
    home, rest = (
        spec.collision.distances(kinematics.links(named(spec, posture)))
        for posture in (spec.home, spec.resting)
    )
    for i in np.argsort(np.minimum(home, rest) - spec.collision.margins)[:NEAREST]:
        pair = spec.collision.pairs[i]
        table.add_row(
            pair.first, pair.second, f"{home[i]:.3f}", f"{rest[i]:.3f}", f"{pair.margin:g}"
        )
    return table
