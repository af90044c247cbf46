"""Room: what a posture must keep, whoever asks for it: apart from itself, and in the workspace.

Every requirement is a *slack* in metres that must not be negative: the distance of two capsules
less their margin, or the distance of a frame's origin from a face of its box.

Capsules are thicker than the robot. A pair that the profile's own ``ready`` posture does not keep
says nothing about contact there, and would hold the waist and the legs of a robot that begins so:
it is left out.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_core.arrays import BoolArray, FloatArray, Indices
from rove_core.robot import RobotSpec
from rove_teleop.retarget.body.collision import RESERVE, Collisions, moment
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.model import placements

AXES = ("x", "y", "z")
FACES = 2 * len(AXES)


class Room:
    """The requirements of a robot's profile. Holds buffers; one per user.

    Args:
        spec: the robot; without collision pairs and boxes nothing is required.

    Attributes:
        names: (C,) requirements, for people.
        moving: (M,) indices in the spec of the joints that matter to any requirement.
        levers: (C, M) m by which no rad of such a joint can make a slack smaller than by that.
        moved_by: (C, N) whether a joint of the spec moves what the requirement is about.
        left_out: names of those that ``ready`` does not keep.

    Raises:
        ConfigError: see ``reduced_model``.
    """

    def __init__(self, spec: RobotSpec) -> None:
        roles = list(spec.workspace)
        links = [spec.frames[role] for role in roles]
        self._configuration = configuration = Configuration(spec, links)
        self._collisions = Collisions(configuration)
        self._q = np.array(configuration.q)
        self._joints = self._q[BASE_Q:]
        pelvis = configuration.pose(spec.frames["pelvis"])  # constant: nothing moves it here
        self._model, self._data = configuration.model, self._collisions.looked_at
        _, places = placements(self._data.oMf)
        self._links = [self._model.getFrameId(f"rove_{i}") for i in range(len(roles))]
        self._places = places[len(places) - len(roles) :]
        pairs = spec.collision.pairs
        self.names = (
            *(f"{pair.first} near {pair.second}" for pair in pairs),
            *(f"{role} at {side} {axis} of the workspace" for role in roles
              for side in ("lower", "upper") for axis in AXES),
        )  # fmt: skip
        # A face is a plane: its slack is normal . place - offset.
        self._normals = np.concatenate([pelvis.rotation.T, -pelvis.rotation.T])
        levers = np.zeros((len(roles), configuration.size - BASE))
        for row, link in zip(levers, links, strict=True):
            _fill_levers(row, configuration.model, *configuration.frame(link))
        walls = np.repeat(levers, FACES, axis=0)
        joints = np.pad(walls > 0.0, ((0, 0), (BASE, 0)))
        self._masks = np.concatenate([self._collisions.masks, joints])
        self.moving: Indices = configuration.moving
        self.levers: FloatArray = np.concatenate([self._collisions.levers, walls])
        self.moved_by: BoolArray = np.zeros((len(self.names), spec.size), dtype=bool)
        self.moved_by[:, self.moving] = np.concatenate([self._collisions.moved_by, walls > 0.0])
        self._offsets = np.full(len(self.names), -RESERVE)
        for box, wall in zip(
            spec.workspace.values(), self._offsets[len(pairs) :].reshape(-1, FACES), strict=True
        ):
            wall[:] = self._normals @ pelvis.translation
            wall += np.concatenate([box.lower, -np.asarray(box.upper)])
        unkept = self.slack(spec.ready) < 0.0
        self._offsets[unkept] = -np.inf
        self.left_out = tuple(self.names[i] for i in np.flatnonzero(unkept))

    def slack(self, position: FloatArray) -> FloatArray:
        """Return the (C,) m by which each requirement is met at (N,) rad; negative: it is not."""
        position.take(self.moving, out=self._joints, mode="clip")
        found = np.empty(len(self._offsets))
        count = self._collisions.count
        found[:count] = self._collisions.look_at(self._q)
        if self._links:
            for link in self._links:
                pin.updateFramePlacement(self._model, self._data, link)
            found[count:] = (self._places @ self._normals.T).ravel()
        found -= self._offsets
        return found

    def gradients(self, position: FloatArray, rows: Indices) -> FloatArray:
        """Return the (len(rows), N) m/rad by which joints change some slacks at (N,) rad.

        Args:
            position: (N,) rad.
            rows: increasing; which requirements.
        """
        found = np.zeros((len(rows), len(position)))
        if not len(rows):
            return found
        if not np.array_equal(position[self.moving], self._joints):  # looked there last
            self.slack(position)
        pin.computeJointJacobians(self._model, self._data)
        slopes = np.array([self._wrench(row) for row in rows.tolist()]) @ self._data.J
        slopes *= self._masks[rows]
        found[:, self.moving] = slopes[:, BASE:]
        return found

    def _wrench(self, row: int) -> list[float]:
        wall = row - self._collisions.count
        if wall < 0:
            return self._collisions.wrench(row)
        place, face = divmod(wall, FACES)  # as for a pair, at the place that is before the wall
        return moment(*self._normals[face].tolist(), *self._places[place].tolist())

    def reach(self, way: FloatArray) -> FloatArray:
        """Return the (C,) m that no slack can lose on a way of (N,) rad, each joint turning so far.

        Args:
            way: not negative.
        """
        lost: FloatArray = self.levers @ way[self.moving]
        return lost


def _fill_levers(row: FloatArray, model: pin.Model, joint: int, offset: pin.SE3) -> None:
    """Write the m by which a rad of each joint can move the origin of a frame at most."""
    far = float(np.linalg.norm(offset.translation))
    while joint > 1:  # joint 1 is the free pelvis
        row[model.joints[joint].idx_v - BASE] = far
        far += float(np.linalg.norm(model.jointPlacements[joint].translation))
        joint = model.parents[joint]
