"""Scene: the robot as it stands, and the operator's target as a ghost, in 3-D in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import viser

from rove.console.parts import Limb, limbs_of
from rove_core.arrays import FloatArray
from rove_core.colours import HUMAN_COLOUR
from rove_core.robot import RobotSpec

STILL = 1e-3
"""rad; joints that moved less are not sent again (a finger tip moves 0.1 mm)."""
GREY = (205, 208, 214)
GHOST_OPACITY = 0.45


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def quaternion(matrix: FloatArray) -> FloatArray:
    """Return w x y z of a (3, 3) rotation (Shepperd 1978: the largest component first)."""
    m = matrix
    trace = np.array([m.trace(), *np.diag(m)])
    i = int(trace.argmax())
    if i == 0:
        q = [1 + trace[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
    elif i == 1:
        q = [m[2, 1] - m[1, 2], 1 + 2 * m[0, 0] - trace[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]]
    elif i == 2:
        q = [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], 1 + 2 * m[1, 1] - trace[0], m[1, 2] + m[2, 1]]
    else:
        q = [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1 + 2 * m[2, 2] - trace[0]]
    found = np.array(q, dtype=np.float64)
    return found / np.linalg.norm(found)


def turned(fixed: FloatArray, axis: Sequence[float], angle: float) -> FloatArray:
    """Return the w x y z of ``fixed`` (w x y z) followed by a turn about an axis of its frame."""
    w, x, y, z = fixed
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    a, b, d = (s * component for component in axis)
    return np.array(
        [
            w * c - x * a - y * b - z * d,
            w * a + x * c + y * d - z * b,
            w * b - x * d + y * c + z * a,
            w * d + x * b - y * a + z * c,
        ]
    )


class Figure:
    """One body in the scene."""

    def __init__(
        self,
        server: viser.ViserServer,
        spec: RobotSpec,
        limbs: Sequence[Limb],
        name: str,
        colour: tuple[int, int, int],
        opacity: float | None,
    ) -> None:
        self._index = {joint: i for i, joint in enumerate(spec.joint_names)}
        self._fixed_joints = dict(spec.fixed)
        self._root = server.scene.add_frame(f"/{name}", show_axes=False)
        self._moving: list[tuple[Limb, viser.FrameHandle, FloatArray]] = []
        self._shown: dict[str, float] = {}
        for limb in limbs:
            path = f"/{name}/" + "/".join(limb.path)
            turn = quaternion(limb.fixed[:3, :3])
            frame = server.scene.add_frame(
                path, show_axes=False, wxyz=turn, position=limb.fixed[:3, 3]
            )
            if limb.joint is not None:
                self._moving.append((limb, frame, turn))
            if limb.part is not None and len(limb.part.faces):
                server.scene.add_mesh_simple(
                    f"{path}/mesh",
                    limb.part.vertices,
                    limb.part.faces,
                    color=colour,
                    opacity=opacity,
                    flat_shading=True,
                    side="double",
                    cast_shadow=False,
                    receive_shadow=False,
                )

    def show(self, visible: bool) -> None:
        """Show or hide it."""
        if self._root.visible != visible:
            self._root.visible = visible

    def move(self, position: FloatArray) -> None:
        """Put it into an (N,) posture, rad, in the order of the robot profile."""
        for limb, frame, turn in self._moving:
            joint = limb.joint
            assert joint is not None
            value = self._value(joint.name, joint.mimic, position)
            if abs(value - self._shown.get(joint.name, np.inf)) < STILL:
                continue
            self._shown[joint.name] = value
            if joint.kind == "prismatic":
                along = limb.fixed[:3, :3] @ (np.array(joint.axis) * value)
                frame.position = limb.fixed[:3, 3] + along
            else:
                frame.wxyz = turned(turn, joint.axis, value)

    def _value(
        self, name: str, mimic: tuple[str, float, float] | None, position: FloatArray
    ) -> float:
        if name in self._index:
            return float(position[self._index[name]])
        if mimic is not None:
            other, ratio, offset = mimic
            return ratio * self._value(other, None, position) + offset
        return float(self._fixed_joints.get(name, 0.0))


class RobotScene:
    """The robot, its ghost and the floor.

    Args:
        server: of the page.
        spec: the robot.

    Raises:
        ConfigError: its URDF cannot be read.
    """

    def __init__(self, server: viser.ViserServer, spec: RobotSpec) -> None:
        self._server = server
        limbs = limbs_of(spec)
        self._robot = Figure(server, spec, limbs, "robot", GREY, None)
        self._ghost = Figure(server, spec, limbs, "ghost", _rgb(HUMAN_COLOUR), GHOST_OPACITY)
        self._ghost.show(False)
        self._robot.move(spec.home)
        floor = lowest(limbs, dict(zip(spec.joint_names, spec.home.tolist(), strict=True)))
        server.scene.set_up_direction("+z")
        server.scene.configure_default_lights(cast_shadow=False)
        server.scene.add_grid("/floor", 4.0, 4.0, position=(0.0, 0.0, floor), cell_size=0.25)
        server.initial_camera.position = (1.7, -1.3, 0.75)
        server.initial_camera.look_at = (0.1, 0.0, 0.05)

    def update(self, robot: FloatArray | None, ghost: FloatArray | None) -> None:
        """Show (N,) rad postures; None: the robot is where it was, there is no ghost."""
        with self._server.atomic():
            if robot is not None:
                self._robot.move(robot)
            if ghost is not None:
                self._ghost.move(ghost)
            self._ghost.show(ghost is not None)


def lowest(limbs: Sequence[Limb], positions: Mapping[str, float]) -> float:
    """Return the height of the lowest point of a posture, m, in the root link's frame."""
    places: dict[str, FloatArray] = {}
    found = 0.0
    for limb in limbs:
        placed = limb.fixed if len(limb.path) < 2 else places[limb.path[-2]] @ limb.fixed
        if limb.joint is not None and limb.joint.kind != "prismatic":
            turn = turned(np.array([1.0, 0, 0, 0]), limb.joint.axis, positions.get(limb.name, 0.0))
            placed = placed @ _matrix(turn)
        places[limb.name] = placed
        if limb.part is not None and len(limb.part.vertices):
            heights = limb.part.vertices @ placed[2, :3] + placed[2, 3]
            found = min(found, float(heights.min()))
    return found


def _matrix(q: FloatArray) -> FloatArray:
    w, x, y, z = q
    made = np.eye(4)
    made[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return made
