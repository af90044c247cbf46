"""The robot's hands for retargeting: fingertips and how the joints move them.

Every joint of a hand belongs to one finger, so the Jacobian of all tips is one column of three
numbers a joint; nothing larger is ever built.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.model import placements, reduced_model

Indices = npt.NDArray[np.intp]


class HandModel:
    """The hands of some sides; fingers of all sides are numbered through, F in all.

    Positions are in one fixed frame of pinocchio's model; only differences are used.

    Args:
        spec: the robot; its profile has ``hands``.
        sides: which hands.

    Attributes:
        names: (F,) side and name of each finger, for example ``("left", "thumb")``.
        joints: (n,) positions in the spec's order of this model's joints.
        finger: (n,) number of the finger that each joint belongs to.
        palm: (F, 3, 3) axes of the finger's palm as columns.
        wrist, knuckle: (F, 3) m, where the person's wrist joint and the finger's knuckle would be.
        length: (F,) m, knuckle to tip when the hand is open and the finger straight.

    Attributes of the last ``update``, views:
        places: (frames, 3) m; those of the tips are ``tip_frames`` (F,).
        jacobian: (6, n) of the joints, at the origin.

    Raises:
        ConfigError: the robot has no such hand, or pinocchio cannot read its model.
    """

    def __init__(self, spec: RobotSpec, sides: Sequence[str]) -> None:
        for side in sides:
            if side not in spec.hands:
                raise ConfigError("hand", side, spec.hands, f"robot {spec.name}")
        fingers = [(side, finger) for side in sides for finger in spec.hands[side].fingers.values()]
        self.names = [(side, finger.name) for side, finger in fingers]
        wanted = {joint for _, finger in fingers for joint in finger.joints}
        self._model = reduced_model(spec, sorted(wanted))
        names = list(self._model.names)[1:]
        self.joints = np.array([spec.index(name) for name in names], dtype=np.intp)
        owner = {joint: i for i, (_, finger) in enumerate(fingers) for joint in finger.joints}
        self.finger = np.array([owner[name] for name in names], dtype=np.intp)
        tips = [self._add(spec, finger.tip) for _, finger in fingers]
        palms = {side: self._add(spec, spec.hands[side].palm) for side in sides}
        self._data = self._model.createData()
        # Views into pinocchio's memory: reading them costs no call.
        self.places: FloatArray = placements(self._data.oMf)[1]
        self.tip_frames = np.array(tips, dtype=np.intp)
        self.jacobian: FloatArray = self._data.J

        straight = np.zeros(len(names))  # of every hand we know; its knuckles do not depend on it
        tips_then = self.tips(np.clip(straight, spec.lower[self.joints], spec.upper[self.joints]))
        placed = {side: self._data.oMf[palms[side]].copy() for side in sides}
        self.palm: FloatArray = np.array([placed[side].rotation for side, _ in fingers])
        self.wrist: FloatArray = np.array([placed[side].translation for side, _ in fingers])
        first = [self._model.getJointId(finger.joints[0]) for _, finger in fingers]
        self.knuckle: FloatArray = np.array([self._data.oMi[i].translation for i in first])
        self.length = np.linalg.norm(tips_then - self.knuckle, axis=1)

    def tips(self, q: FloatArray) -> FloatArray:
        """Return (F, 3) m, where the tips are for (n,) rad."""
        self.update(q)
        return self.places[self.tip_frames]

    def update(self, q: FloatArray) -> None:
        """Have ``places`` and ``jacobian`` be those for (n,) rad."""
        pin.computeJointJacobians(self._model, self._data, q)
        pin.updateFramePlacements(self._model, self._data)

    def columns(self, tips: FloatArray) -> FloatArray:
        """Return (3, n) m/rad: how each joint moves the tip of its finger where ``tips`` was asked
        last; ``tips`` is what it returned."""
        columns = np.empty((len(self.finger), 3))
        tip_columns(self.jacobian, tips, self.finger, columns)
        return columns.T

    def _add(self, spec: RobotSpec, role: str) -> int:
        frame = spec.frame(role)
        parent = self._model.frames[self._model.getFrameId(frame.parent)]
        offset = pin.SE3(np.array(frame.in_parent))
        added = pin.Frame(
            f"rove_{role}", parent.parentJoint, parent.placement * offset, pin.FrameType.OP_FRAME
        )
        return int(self._model.addFrame(added))


@compiled("void(f8[::1, :], f8[:, ::1], i8[::1], f8[:, ::1])")
def tip_columns(
    jacobian: FloatArray, tips: FloatArray, finger: Indices, columns: FloatArray
) -> None:
    """Fill in (n, 3) m/rad, how each joint moves its finger's tip: v + w x p.

    Args:
        jacobian: (6, n) of the joints. tips: (F, 3) m. finger: (n,) of each joint.
    """
    for j in range(len(finger)):
        p, v, w = tips[finger[j]], jacobian[:3, j], jacobian[3:, j]
        columns[j, 0] = v[0] + w[1] * p[2] - w[2] * p[1]
        columns[j, 1] = v[1] + w[2] * p[0] - w[0] * p[2]
        columns[j, 2] = v[2] + w[0] * p[1] - w[1] * p[0]
