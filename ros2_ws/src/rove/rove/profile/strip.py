"""The picture strip of ``rove profile follow``: the operator, and robots that follow."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rove.profile.follow import Journey, Stop
from rove.profile.mannequin import mannequin
from rove.profile.meshes import Surface, read_surfaces
from rove.profile.render import View, render
from rove.profile.scene import named
from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf
from rove_teleop.retarget.model import SIDES
from rove_teleop.scripted.tour import HEIGHT, STATIONS

PIXEL = 0.0052  # m
AZIMUTH, ELEVATION = -0.70, 0.22  # rad, of the viewer: in front, to the robot's right, from above
BEHIND, AHEAD = 0.42, 0.78  # m of a panel, to the left and the right of who stands there
ABOVE, BELOW = 0.06, 0.24  # m over who stands there and under the floor
TITLES = 0.3  # inch
FINER = 2  # the robots are drawn at this many times the resolution and averaged
GREYS = 96  # of the palette; a few steps from white to each colour of the marks come on top
GOAL, WRIST = "#d95f02", "#1b6ca8"


def draw_strip(journeys: list[Journey], path: Path) -> None:
    """Write a PNG: a column a station, on top the operator, below each robot.

    Rings show where the wrists should be, dots where they are.
    """
    from matplotlib.figure import Figure

    tops = [HEIGHT, *(_top(journey) for journey in journeys)]
    heights = [top + ABOVE + BELOW for top in tops]
    inch = 100 * PIXEL
    wide, high = len(STATIONS) * (BEHIND + AHEAD) / inch, sum(heights) / inch + TITLES
    figure = Figure(figsize=(wide, high), dpi=100)
    grid = figure.add_gridspec(
        len(heights), len(STATIONS), height_ratios=heights, wspace=0.0, hspace=0.0,
        left=0.0, right=1.0, bottom=0.0, top=1.0 - TITLES / high,
    )  # fmt: skip
    shapes = {j.spec.name: read_surfaces(j.spec.urdf_path, j.spec.mesh_root)[0] for j in journeys}
    for column, station in enumerate(STATIONS):
        axes = figure.add_subplot(grid[0, column])
        moment = journeys[0].stops[column].moment
        parts = mannequin(moment)
        view = _view(tops[0])
        _show(axes, view, parts, dict.fromkeys(parts, np.eye(4)))
        axes.set_title(station.name, fontsize=9, pad=4)
        if column == 0:
            _say(axes, view, f"operator, {HEIGHT:.2f} m")
        for row, journey in enumerate(journeys, 1):
            axes = figure.add_subplot(grid[row, column])
            stop = journey.stops[column]
            view = _view(tops[row])
            poses = _placed(journey.spec, stop)
            _show(axes, view, shapes[journey.spec.name], poses)
            _marks(axes, view, stop)
            text = f"{journey.spec.name}\n" if column == 0 else ""
            _say(axes, view, text + _off(stop))
    _write(path, figure)


def _write(path: Path, figure: Any) -> None:
    """Write a figure with few colours, which makes the file a quarter of the size."""
    from matplotlib.colors import to_rgb
    from PIL import Image

    colours = [np.repeat(np.linspace(0.0, 1.0, GREYS)[:, None], 3, axis=1)]
    for mark in (GOAL, WRIST):
        share = np.linspace(0.0, 0.8, 8)[:, None]
        colours.append(share + (1.0 - share) * np.array(to_rgb(mark)))
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * np.concatenate(colours)).round().astype(np.uint8).tobytes())
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _view(top: float) -> View:
    toward = np.array(
        [np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH),
         np.sin(ELEVATION)]
    )  # fmt: skip
    right = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0.0])
    up = np.cross(toward, right)
    # More room where the hands go: forward is to the right in the picture.
    return View(right, up, (-BEHIND, -BELOW), (AHEAD, float(up[2]) * top + ABOVE), PIXEL)


def _show(
    axes: Any, view: View, surfaces: Mapping[str, Surface], poses: Mapping[str, FloatArray]
) -> None:
    floor = np.array([[0.45, 0.32], [0.45, -0.32], [-0.3, -0.32], [-0.3, 0.32]])
    flat = view.project(np.column_stack([floor, np.zeros(4)]))
    axes.fill(*flat.T, color="#ececec", linewidth=0.0)
    finer = replace(view, pixel=view.pixel / FINER)
    grey = render(finer, surfaces, poses, list(surfaces), np.random.default_rng(0))
    rows, columns = (size - size % FINER for size in grey.shape)
    blocks = grey[:rows, :columns].reshape(rows // FINER, FINER, columns // FINER, FINER)
    seen = ~np.isnan(blocks)
    covered = seen.sum(axis=(1, 3))
    mean = np.where(seen, blocks, 0.0).sum(axis=(1, 3)) / np.maximum(covered, 1)
    picture = np.dstack([mean, mean, mean, covered / FINER**2])
    axes.imshow(picture, extent=view.extent, interpolation="nearest", zorder=2)
    axes.set_aspect("equal")
    axes.set_xlim(view.extent[:2])
    axes.set_ylim(view.extent[2:])
    axes.set_axis_off()


def _marks(axes: Any, view: View, stop: Stop) -> None:
    goals, wrists = view.project(stop.goals), view.project(stop.wrists)
    for goal, wrist in zip(goals, wrists, strict=True):
        axes.plot([goal[0], wrist[0]], [goal[1], wrist[1]], color=GOAL, linewidth=0.9, zorder=3)
        axes.plot(*goal, "o", mfc="none", mec=GOAL, markersize=8, mew=1.3, zorder=4)
        axes.plot(*wrist, "o", color=WRIST, markersize=3.2, zorder=5)


def _off(stop: Stop) -> str:
    off = 1e3 * np.linalg.norm(stop.wrists - stop.goals, axis=1)
    return "  ".join(f"{side} {value:.0f} mm" for side, value in zip(SIDES, off, strict=True))


def _say(axes: Any, view: View, text: str) -> None:
    left, _, bottom, _ = view.extent
    axes.text(left + 0.02, bottom + 0.015, text, fontsize=7.5, va="bottom", zorder=6)


def _top(journey: Journey) -> float:
    """Return the m from the floor to the top of a robot that stands as at its first station."""
    spec, stop = journey.spec, journey.stops[0]
    surfaces, _ = read_surfaces(spec.urdf_path, spec.mesh_root)
    poses = _placed(spec, stop)
    return max(
        float((s.vertices @ poses[link][:3, :3].T + poses[link][:3, 3])[:, 2].max())
        for link, s in surfaces.items()
    )


def _placed(spec: RobotSpec, stop: Stop) -> dict[str, FloatArray]:
    """Return link -> (4, 4) in the floor frame, with the floor under the soles at z = 0."""
    links = Kinematics(read_urdf(spec.urdf_path)).links(named(spec, stop.joints))
    root = stop.pelvis @ np.linalg.inv(links[spec.frames["pelvis"]])
    return {link: root @ pose for link, pose in links.items()}
