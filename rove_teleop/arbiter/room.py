"""Room: what a posture must keep, whoever asks for it: apart from itself, and in the workspace.

Every requirement is a *slack* in metres that must not be negative: the distance of two capsules
less their margin, or the distance of a frame's origin from a face of its box.

Capsules are thicker than the robot. A pair that the profile's own ``ready`` posture does not keep
says nothing about contact there, and would hold the waist and the legs of a robot that begins so:
it is left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.body.collision import RESERVE, Collisions
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.model import placements

BoolArray = npt.NDArray[np.bool_]
AXES = ("x", "y", "z")
DIFFERENCE = 1e-4  # rad


class Room:
    """The requirements of a robot's profile. Holds buffers; one per user.

    Args:
        spec: the robot; without collision pairs and boxes nothing is required.

    Attributes:
        names: (C,) requirements, for people.
        moved_by: (C, N) whether a joint of the spec moves what the requirement is about.
        left_out: names of those that ``ready`` does not keep.

    Raises:
        ConfigError: see ``reduced_model``.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self._configuration = configuration = Configuration(spec)
        self._collisions = Collisions(configuration)
        self._q = np.array(configuration.q)
        joint, offset = configuration.frame(spec.frames["pelvis"])
        pelvis = configuration.data.oMi[joint] * offset
        self._pelvis_turn, self._pelvis_place = pelvis.rotation, pelvis.translation
        self._frames = [configuration.frame(spec.frames[role]) for role in spec.workspace]
        self._carriers = np.array([joint for joint, _ in self._frames], dtype=np.intp)
        self._offsets = np.array([offset.translation for _, offset in self._frames])
        self._turns, self._places = placements(self._collisions.looked_at.oMi)
        boxes = spec.workspace.values()
        self._lower = np.array([box.lower for box in boxes]).reshape(-1, 3)
        self._upper = np.array([box.upper for box in boxes]).reshape(-1, 3)
        self._levers = np.zeros((len(self._frames), configuration.size - BASE))
        for row, (joint, offset) in zip(self._levers, self._frames, strict=True):
            _fill_levers(row, configuration.model, joint, offset)
        pairs = spec.collision.pairs
        self.names = (
            *(f"{pair.first} near {pair.second}" for pair in pairs),
            *(f"{role} at {side} {axis} of the workspace" for role in spec.workspace
              for side in ("lower", "upper") for axis in AXES),
        )  # fmt: skip
        moving = np.concatenate(
            [self._collisions.moved_by, np.repeat(self._levers > 0.0, 2 * len(AXES), axis=0)]
        )
        self.moved_by: BoolArray = np.zeros((len(self.names), spec.size), dtype=bool)
        self.moved_by[:, configuration.moving] = moving
        self._extra = np.zeros(len(self.names))
        unkept = self.slack(spec.ready) < 0.0
        self._extra[unkept] = np.inf
        self.left_out = tuple(self.names[i] for i in np.flatnonzero(unkept))

    def slack(self, position: FloatArray) -> FloatArray:
        """Return the (C,) m by which each requirement is met at (N,) rad; negative: it is not."""
        self._q[BASE_Q:] = position[self._configuration.moving]
        apart = self._collisions.look_at(self._q) + RESERVE
        if not self._frames:
            return apart + self._extra
        turns = self._turns[self._carriers]
        places = self._places[self._carriers] + np.einsum("fij,fj->fi", turns, self._offsets)
        places = (places - self._pelvis_place) @ self._pelvis_turn
        walls = np.concatenate([places - self._lower, self._upper - places], axis=1)
        return np.concatenate([apart, walls.ravel()]) + self._extra

    def gradients(self, position: FloatArray, rows: npt.NDArray[np.intp]) -> FloatArray:
        """Return the (len(rows), N) m/rad by which joints change some slacks at (N,) rad."""
        found = np.zeros((len(rows), len(position)))
        here = self.slack(position)
        pairs = rows < self._collisions.count
        if pairs.any():
            slopes = self._collisions.gradients(rows[pairs], there=True)
            found[np.ix_(pairs, self._configuration.moving)] = slopes[:, BASE:]
        walls = rows[~pairs]  # by differences: six rows a wrist, asked for when one is reached
        moved = np.array(position)
        for joint in np.flatnonzero(self.moved_by[walls].any(axis=0)):
            moved[joint] += DIFFERENCE
            found[~pairs, joint] = (self.slack(moved)[walls] - here[walls]) / DIFFERENCE
            moved[joint] = position[joint]
        return found

    def reach(self, way: FloatArray) -> FloatArray:
        """Return the (C,) m that no slack can lose on a way of (N,) rad, each joint turning so far.

        Args:
            way: not negative.
        """
        turned = way[self._configuration.moving]
        return np.concatenate(
            [self._collisions.reach(turned), np.repeat(self._levers @ turned, 2 * len(AXES))]
        )


def _fill_levers(row: FloatArray, model: pin.Model, joint: int, offset: pin.SE3) -> None:
    """Write the m by which a rad of each joint can move the origin of a frame at most."""
    far = float(np.linalg.norm(offset.translation))
    while joint > 1:  # joint 1 is the free pelvis
        row[model.joints[joint].idx_v - BASE] = far
        far += float(np.linalg.norm(model.jointPlacements[joint].translation))
        joint = model.parents[joint]
