"""What somebody needs to know to do a task by hand: waypoints of the tool, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray, frozen_floats


@dataclass(frozen=True)
class Waypoint:
    """One place the tool has to pass on the way to success.

    Attributes:
        phase: what this part of the work is called: reach, grasp, lift, ...
        tool: (4, 4) pose of the tool frame in the world, m. See ``rove_sim.tasks.tools``.
        fingers: closure of the hand on the way there, 0 open to 1 closed.
        speed: m/s, at most, on the way there.
        tolerance: m, how near the tool has to come before the next one is begun.
        turn_tolerance: rad, the same for its orientation.
        hold_s: s to stay there: fingers take time to close, things to settle.
        press: the goal lies inside something hard and is not reached; what counts is the way
            along the surface, so nearness is measured across the surface (the tool's y and z).
        look: look again when it is done, and ask for a new plan: the hand may be empty.

    A waypoint is done when the goal has come there at ``speed``, the fingers too, and the tool has
    been near enough for ``hold_s``: one that only passes by does not count.
    """

    phase: str
    tool: FloatArray
    fingers: float
    speed: float = 0.25
    tolerance: float = 0.01
    turn_tolerance: float = 0.15
    hold_s: float = 0.0
    press: bool = False
    look: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tool", frozen_floats(self.tool, (4, 4), "waypoint"))

    @property
    def place(self) -> FloatArray:
        """Return the (3,) m origin of the tool in the world."""
        return self.tool[:3, 3]

    def distance(self, tool: FloatArray) -> tuple[float, float]:
        """Return (m, rad) from a tool at the (4, 4) world pose ``tool`` to this waypoint."""
        gap = self.tool[:3, :3].T @ (tool[:3, 3] - self.tool[:3, 3])
        if self.press:
            gap = gap[1:]
        turn = self.tool[:3, :3].T @ tool[:3, :3]
        angle = float(np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0)))
        return float(np.linalg.norm(gap)), angle

    def reached(self, tool: FloatArray) -> bool:
        """Tell whether a tool at the (4, 4) world pose ``tool`` is near enough."""
        metres, angle = self.distance(tool)
        return metres <= self.tolerance and angle <= self.turn_tolerance


Plan = tuple[Waypoint, ...]


def pose(place: Iterable[float], axes: FloatArray | None = None) -> FloatArray:
    """Return the (4, 4) pose of an origin, (3,) m, and axes, columns of (3, 3)."""
    result = np.eye(4)
    result[:3, 3] = list(place)
    if axes is not None:
        result[:3, :3] = axes
    return result
