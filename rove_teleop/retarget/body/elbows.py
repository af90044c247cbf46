"""Where a person's elbows are tells how the robot's arms swivel about the line to their wrists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import BASE, Configuration
from rove_teleop.retarget.model import SIDES

MOST_M = 0.02  # of one step along the swivel
BENT_M = 0.02  # distance of the elbow from the line shoulder-wrist, times its length in m, from
# which on the swivel is fully known; a stretched arm has none


class Elbows:
    """The swivel of both elbows: the way they go while shoulder and wrist stay where they are.

    A hint is followed along that way only, so it never pulls at a wrist: people's arms are not as
    long as the robot's.

    Args:
        configuration: the robot.

    Attributes:
        masks: (2, nv) 1 where a joint of the arm moves the elbow.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        spec, joints, masks = configuration.spec, [], []
        for side in SIDES:
            arm = configuration.columns(f"{side}_arm")
            shoulder = int(arm[0]) - BASE + 2  # joint 0 is the world, joint 1 the free pelvis
            link = spec.frames.get(f"{side}_elbow")
            middle = shoulder + len(arm) // 2  # a seven-joint arm has its elbow there
            elbow = configuration.frame(link)[0] if link else middle
            joints.append([shoulder, elbow, configuration.frame(spec.frames[f"{side}_wrist"])[0]])
            masks.append(configuration.chain(elbow) & np.isin(np.arange(configuration.size), arm))
        self._joints = np.array(joints, dtype=np.intp)
        self.masks: FloatArray = np.array(masks, dtype=np.float64)

    @property
    def places(self) -> FloatArray:
        """The (2, 3) m of the elbows in the floor frame."""
        found: FloatArray = self._configuration.places[self._joints[:, 1]]
        return found

    def swivel(self, goals: FloatArray, hints: Sequence[bool]) -> tuple[FloatArray, FloatArray]:
        """Return (2, 6) wrenches of the swivel and the (2,) m to go along it.

        Args:
            goals: (2, 3) m. hints: whether they count.
        """
        shoulder, elbow, wrist = self._configuration.places[self._joints].transpose(1, 0, 2)
        way = np.cross(wrist - shoulder, elbow - shoulder)
        size = np.sqrt(np.einsum("ki,ki->k", way, way))
        known = np.array(hints) * np.minimum(1.0, size / BENT_M)
        way *= (known / np.maximum(size, 1e-9))[:, None]
        off = np.clip(np.einsum("ki,ki->k", goals - elbow, way), -MOST_M, MOST_M)
        return np.concatenate([way, np.cross(elbow, way)], axis=1), off
