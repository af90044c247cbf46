"""The picture of a profile: the robot with frames and capsules, its hands, its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rove.profile.meshes import Surface
from rove.profile.render import View, render, view_along
from rove.profile.scene import Scene, closed_hands, make_scene, open_hands
from rove_core.arrays import FloatArray
from rove_core.robot import Capsule, RobotSpec
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf

BODY_PIXEL, HAND_PIXEL = 0.0025, 0.0006  # m
AXIS = 0.06  # m, length of a frame's axes on the body; on a hand a third of it
AXIS_COLOURS = ("#d62728", "#2ca02c", "#1f77b4")  # x, y, z
CAPSULE_COLOURS = {"left": "#1f77b4", "right": "#d9822b", "": "#7a4fa3"}
FRONT = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # seen from the front, the robot's left on the right
SIDE = ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))  # seen from its left
ROUND = 24  # corners of half a circle


def draw(spec: RobotSpec, path: Path) -> tuple[str, ...]:
    """Write a PNG of a profile; return sentences about what could not be shown.

    Args:
        spec: the robot.
        path: where to write.
    """
    from matplotlib.figure import Figure  # slow to import, and most commands do not draw

    home = make_scene(spec, open_hands(spec))
    figure = Figure(figsize=(20, 13), dpi=100, layout="constrained")
    figure.suptitle(
        f"{spec.name}: {spec.size} joints at home with open hands; "
        "frames x red, y green, z blue; capsules left blue, right orange, middle violet"
    )
    grid = figure.add_gridspec(2, 4, width_ratios=[1.15, 1.0, 1.0, 1.0])
    for column, (name, axes) in enumerate((("front", FRONT), ("left side", SIDE))):
        _body(figure.add_subplot(grid[:, column]), home, name, *axes)
    fist = make_scene(spec, closed_hands(spec))
    if spec.hands:
        side = next(iter(spec.hands))
        for row, (scene, name) in enumerate(((home, "open"), (fist, "closed"))):
            _hand(figure.add_subplot(grid[row, 2]), scene, side, name)
    _limits(figure.add_subplot(grid[:, 3]), spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return home.problems


def _body(
    axes: Any,
    scene: Scene,
    name: str,
    right: tuple[float, float, float],
    up: tuple[float, float, float],
) -> None:
    points = [_placed(surface, scene.poses[link]) for link, surface in scene.surfaces.items()]
    points += [scene.frame(role)[None, :3, 3] for role in scene.roles]
    view = view_along(right, up, np.concatenate(points), BODY_PIXEL, 0.05)
    _picture(axes, scene, view, list(scene.surfaces))
    # From the side the right half lies behind the left one: its outlines would only confuse.
    hidden = "right" if right == SIDE[0] else "nothing"
    for capsule in scene.spec.collision.shapes.values():
        if not capsule.name.startswith(hidden):
            _capsule(axes, scene, view, capsule)
    fingers = {f.tip for hand in scene.spec.hands.values() for f in hand.fingers.values()}
    for role in scene.roles:
        if role.startswith(hidden):
            continue
        if role in fingers:
            spot = view.project(scene.frame(role)[:3, 3])
            axes.plot(*spot, ".", color="black", markersize=2)
        else:
            _triad(axes, scene.frame(role), view, role, AXIS)
    for camera in scene.spec.cameras.values():
        _camera(axes, scene, view, camera.name)
    axes.set_title(name)


def _hand(axes: Any, scene: Scene, side: str, name: str) -> None:
    """Show a hand from the thumb's side, fingers to the right, back of the hand up."""
    hand = scene.spec.hands[side]
    palm = scene.frame(hand.palm)
    kinematics = Kinematics(read_urdf(scene.spec.urdf_path))
    inside = _below(kinematics, scene.spec.frame(hand.palm).parent)
    own = {k: Surface(v.triangles) for k, v in scene.surfaces.items() if k in inside}
    tips = [scene.frame(finger.tip)[None, :3, 3] for finger in hand.fingers.values()]
    points = np.concatenate([_placed(v, scene.poses[k]) for k, v in own.items()] + tips)
    # From the thumb's side and a little from the palm, so that fingers do not hide each other.
    sideways = 1.0 if side == "left" else -1.0
    up = palm[:3, 2] * 0.8 + palm[:3, 1] * 0.6 * sideways
    view = view_along(tuple(palm[:3, 0]), tuple(up), points, HAND_PIXEL, 0.02)
    _picture(axes, scene, view, list(own))
    for role in (hand.palm, *(finger.tip for finger in hand.fingers.values())):
        label = role.removeprefix(f"{side}_").removesuffix("_tip")
        _triad(axes, scene.frame(role), view, label, AXIS / 4)
    for pinch in hand.pinches:
        ends = [scene.frame(hand.fingers[finger].tip)[:3, 3] for finger in pinch.fingers]
        flat = view.project(np.array(ends))
        axes.plot(flat[:, 0], flat[:, 1], ":", color="black", linewidth=0.8)
    axes.set_title(f"{side} hand, {name} (dotted: pinches)")


def _picture(axes: Any, scene: Scene, view: View, links: list[str]) -> None:
    grey = render(view, scene.surfaces, scene.poses, links, np.random.default_rng(0))
    axes.imshow(grey, cmap="gray", vmin=0.0, vmax=1.0, extent=view.extent, interpolation="nearest")
    axes.set_aspect("equal")
    axes.set_xlim(view.extent[:2])
    axes.set_ylim(view.extent[2:])
    axes.tick_params(labelsize=7)


def _placed(surface: Surface, pose: FloatArray) -> FloatArray:
    moved: FloatArray = surface.vertices @ pose[:3, :3].T + pose[:3, 3]
    return moved


def _below(kinematics: Kinematics, link: str) -> set[str]:
    found = {link}
    for joint in kinematics.order:
        if joint.parent in found:
            found.add(joint.child)
    return found


def _capsule(axes: Any, scene: Scene, view: View, capsule: Capsule) -> None:
    """Draw the outline, which in parallel projection is that of a flat capsule."""
    pose = scene.poses[capsule.link]
    ends = np.array([capsule.start, capsule.end]) @ pose[:3, :3].T + pose[:3, 3]
    start, end = view.project(ends)
    angle = float(np.arctan2(*(end - start)[::-1]))
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, ROUND) + angle
    circle = [np.stack([np.cos(a), np.sin(a)], axis=1) for a in (half, half + np.pi)]
    outline = np.concatenate([start + capsule.radius * circle[0], end + capsule.radius * circle[1]])
    colour = CAPSULE_COLOURS[next(s for s in ("left", "right", "") if capsule.name.startswith(s))]
    axes.fill(*outline.T, facecolor=colour, alpha=0.12, edgecolor="none")
    axes.plot(*np.concatenate([outline, outline[:1]]).T, color=colour, linewidth=0.9)


def _triad(axes: Any, pose: FloatArray, view: View, label: str, length: float) -> None:
    origin = view.project(pose[:3, 3])
    for k, colour in enumerate(AXIS_COLOURS):
        tip = view.project(pose[:3, 3] + length * pose[:3, k])
        axes.plot([origin[0], tip[0]], [origin[1], tip[1]], color=colour, linewidth=1.3)
    box = {"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.5}
    axes.annotate(
        label, origin, xytext=(4, 4), textcoords="offset points", fontsize=7, bbox=box, clip_on=True
    )


def _camera(axes: Any, scene: Scene, view: View, name: str) -> None:
    from rove_core.robot.frame import pose

    camera = scene.spec.cameras[name]
    placed = scene.poses[camera.parent] @ pose(camera.position, camera.rpy)
    reach, half = 0.25, float(np.tan(camera.fovy / 2))
    origin = view.project(placed[:3, 3])
    for edge in (-half, half):
        tip = view.project(placed[:3, 3] + reach * (placed[:3, 0] + edge * placed[:3, 2]))
        axes.plot([origin[0], tip[0]], [origin[1], tip[1]], "--", color="black", linewidth=0.8)
    axes.annotate(f"camera {name}", tip, fontsize=7, clip_on=True)


def _limits(axes: Any, spec: RobotSpec) -> None:
    rows = np.arange(spec.size)[::-1]
    axes.barh(rows, spec.upper - spec.lower, left=spec.lower, height=0.6, color="#c9d6e8")
    axes.plot(spec.home, rows, "|", color="black", markersize=7, label="home")
    axes.plot(spec.resting, rows, "x", color="#d62728", markersize=4, label="rest")
    axes.set_yticks(rows, spec.joint_names, fontsize=6)
    axes.axvline(0.0, color="grey", linewidth=0.5)
    edge = 0
    for joints in spec.groups.values():
        edge += len(joints)
        axes.axhline(spec.size - edge - 0.5, color="grey", linewidth=0.4)
    axes.set_ylim(-0.7, spec.size - 0.3)
    axes.set_xlabel("rad")
    axes.tick_params(axis="x", labelsize=7)
    axes.legend(fontsize=7, loc="lower right")
    axes.set_title("limits with margin")
