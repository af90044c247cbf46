"""The robot on its feet: a free pelvis, the joints of the body, and all that tasks ask about them.

The **floor frame** lies between the feet where they stood at the anchor, as high as they are: x
forward, y left, z up. It is the frame of all poses here. The fingers are no part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.model import SIDES, placements, reduced_model

BASE = 6  # degrees of freedom of the free pelvis, first in every velocity
BASE_Q = 7  # and its coordinates: x y z qx qy qz qw


class Configuration:
    """Joint angles, the pose of the pelvis that goes with them, and the Jacobians there.

    One call into pinocchio fills it all; the arrays below are views into pinocchio's memory, so
    they always are those of the newest ``update``. A *displacement* is (nv,): metres and rad of the
    pelvis in its own frame, then rad of the joints; ``q`` plus a displacement is an integration.

    Args:
        spec: the robot; hands stand as at home.
        links: M links of the URDF to look at.

    Attributes:
        model: pinocchio's, with a free-flyer at the pelvis.
        data: pinocchio's, at ``q``.
        q: (nq,) pelvis in the floor frame, then joints.
        moving: (nv - 6,) positions in the spec's order of the joints.
        jacobian: (6, nv) of the joints, at the floor frame's origin: linear rows, angular rows.
        mass_centre: (3,) m. mass_centre_jacobian: (3, nv).
        lower, upper: (nv - 6,) rad, limits of the joints.
        neutral_feet: both feet in the pelvis frame where all joints stand at 0.
        places: (joints, 3) m, origins of pinocchio's joint frames.
        link_turns, link_places: (M, 3, 3) and (M, 3) m, of the links asked for.

    Raises:
        ConfigError: see ``reduced_model``.
    """

    def __init__(self, spec: RobotSpec, links: Sequence[str] = ()) -> None:
        self.spec = spec
        joints = [
            joint
            for name, group in spec.groups.items()
            if name not in [f"{side}_hand" for side in SIDES]
            for joint in group
        ]
        self.model = reduced_model(spec, joints, pin.JointModelFreeFlyer())
        self.moving = np.array([spec.index(name) for name in list(self.model.names)[2:]])
        for i, link in enumerate(links):
            joint, offset = self.frame(link)
            added = pin.Frame(f"rove_{i}", joint, offset, pin.FrameType.OP_FRAME)
            self.model.addFrame(added)
        self.data = self.model.createData()
        self.jacobian: FloatArray = self.data.J
        self.mass_centre: FloatArray = self.data.com[0]
        self.mass_centre_jacobian: FloatArray = self.data.Jcom
        _, self.places = placements(self.data.oMi)
        turns, places = placements(self.data.oMf)
        first = len(places) - len(links)
        self.link_turns: FloatArray = turns[first:]
        self.link_places: FloatArray = places[first:]
        low, high = self.model.lowerPositionLimit, self.model.upperPositionLimit
        self.lower: FloatArray = np.array(low[BASE_Q:])
        self.upper: FloatArray = np.array(high[BASE_Q:])
        self.neutral_feet = self._feet(pin.neutral(self.model))
        self.q: FloatArray = np.zeros(0)
        self.stand(spec.home[self.moving])

    @property
    def size(self) -> int:
        """Number of degrees of freedom, nv."""
        return int(self.model.nv)

    @property
    def joints(self) -> FloatArray:
        """The (nv - 6,) rad of the joints."""
        return self.q[BASE_Q:]

    @property
    def pelvis(self) -> pin.SE3:
        """The pelvis in the floor frame."""
        return pin.XYZQUATToSE3(self.q[:BASE_Q])

    def update(self, q: FloatArray) -> None:
        """Go to (nq,)."""
        self.q = q
        pin.jacobianCenterOfMass(self.model, self.data, q, False)
        pin.updateFramePlacements(self.model, self.data)

    def ahead(self, displacement: FloatArray, times: float) -> FloatArray:
        """Return the (nq,) so many times (nv,) ahead; a joint that would go beyond its limit stops
        there, as it does when the robot brakes."""
        return self.after(self.q, times * displacement)

    def after(self, q: FloatArray, displacement: FloatArray) -> FloatArray:
        """Return the (nq,) after (nv,) from (nq,); joints stay within their limits to the last
        bit."""
        q = pin.integrate(self.model, q, displacement)
        _keep_within(q, self.lower, self.upper)
        return q

    def stand(self, joints: FloatArray) -> None:
        """Stand with both feet on the floor at (nv - 6,) rad, clipped to the limits.

        The floor is where the soles say: its directions are the mean of both feet's, its origin
        is midway between them.
        """
        q = pin.neutral(self.model)
        q[BASE_Q:] = np.clip(joints, self.lower, self.upper)
        left, right = (
            foot.rotation @ flat.rotation.T
            for foot, flat in zip(self._feet(q), self.neutral_feet, strict=True)
        )
        turn = left @ pin.exp3(0.5 * pin.log3(left.T @ right))
        middle = 0.5 * sum(foot.translation for foot in self._feet(q))
        q[:BASE_Q] = pin.SE3ToXYZQUAT(pin.SE3(turn, middle).inverse())
        self.update(q)

    def frame(self, link: str) -> tuple[int, pin.SE3]:
        """Return (joint that carries a link, the link in that joint's frame)."""
        frame = self.model.frames[self.model.getFrameId(link)]
        return int(frame.parentJoint), frame.placement

    def chain(self, joint: int) -> npt.NDArray[np.bool_]:
        """Return the (nv,) mask of what moves a joint's frame, that of the pelvis included."""
        mask = np.zeros(self.size, dtype=bool)
        for support in self.model.supports[joint]:
            carrier = self.model.joints[support]
            if support:
                mask[carrier.idx_v : carrier.idx_v + carrier.nv] = True
        return mask

    def columns(self, group: str) -> npt.NDArray[np.intp]:
        """Return the positions in a displacement of a group's joints; none where it has none."""
        if group not in self.spec.groups:
            return np.zeros(0, dtype=np.intp)
        found: npt.NDArray[np.intp] = BASE + np.flatnonzero(
            np.isin(self.moving, self.spec.indices(group))
        )
        return found

    def pose(self, link: str) -> pin.SE3:
        """Return a link in the floor frame."""
        joint, offset = self.frame(link)
        return self.data.oMi[joint] * offset

    def _feet(self, q: FloatArray) -> list[pin.SE3]:
        """Return both feet in the frame of the pelvis of ``q``."""
        pin.jacobianCenterOfMass(self.model, self.data, q, False)
        pelvis = pin.XYZQUATToSE3(q[:BASE_Q])
        return [pelvis.actInv(self.pose(self.spec.frames[f"{side}_foot"])) for side in SIDES]


@compiled("void(f8[::1], f8[::1], f8[::1])")
def _keep_within(q: FloatArray, lower: FloatArray, upper: FloatArray) -> None:
    """Move the joints of (nq,) into (nq - 7,) limits."""
    for j in range(len(lower)):
        q[BASE_Q + j] = min(max(q[BASE_Q + j], lower[j]), upper[j])
