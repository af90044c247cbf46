"""The robot seen in a mirror: which joint is whose twin, and with which sign it turns."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot.kinematics import Kinematics

# (left, right) parts of a name; a part counts where it begins the name or follows an underscore.
MARKS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("L", "R"), ("l", "r"))
_PARALLEL = 0.98  # cosine between an axis and its twin's mirror image; models are hand-made


@dataclass(frozen=True)
class Mirror:
    """The mirror image about the robot's x-z plane: ``mirrored = signs * position[twins]``.

    Attributes:
        twins: (N,) position of each joint's twin; its own where it has none.
        signs: (N,) 1 or -1; 0 where the twin's axis is no mirror image, or a joint that bends
            sideways has no twin, so that the image does not exist.
    """

    twins: npt.NDArray[np.intp]
    signs: FloatArray

    def image(self, position: FloatArray) -> FloatArray:
        """Return the (N,) posture in the mirror of an (N,) posture."""
        mirrored: FloatArray = self.signs * np.asarray(position)[self.twins]
        return mirrored


def side_of(name: str) -> str:
    """Return "left" or "right" as a name says, "" where it says neither."""
    for marks in MARKS:
        for side, mark in zip(("left", "right"), marks, strict=True):
            if re.search(rf"(^|_){mark}(?=_|$|[A-Z])", name):
                return side
    return ""


def twin_name(name: str) -> str | None:
    """Return the name with left and right exchanged, or None where neither is in it."""
    for left, right in MARKS:
        for here, there in ((left, right), (right, left)):
            swapped, count = re.subn(rf"(^|_){here}(?=_|$|[A-Z])", rf"\g<1>{there}", name)
            if count:
                return swapped
    return None


def mirror_of(kinematics: Kinematics, names: tuple[str, ...]) -> Mirror:
    """Return the mirror of joints by their names and by their axes where all stand at 0."""
    place = {name: i for i, name in enumerate(names)}
    links = kinematics.links({})
    axis = {
        joint.name: links[joint.child][:3, :3] @ np.array(joint.axis)
        for joint in kinematics.order
        if joint.name in place
    }
    kind = {joint.name: joint.kind for joint in kinematics.order}
    twins, signs = [], []
    for i, name in enumerate(names):
        twin = place.get(twin_name(name) or name, i)
        x, y, z = axis[names[twin]]
        # A turn's axis keeps its part across the mirror's plane and turns the others; a shift's
        # does the opposite.
        image = np.array([-x, y, -z]) if kind[name] == "revolute" else np.array([x, -y, z])
        match = float(image @ axis[name])
        twins.append(twin)
        signs.append(float(np.sign(match)) if abs(match) > _PARALLEL else 0.0)
    return Mirror(np.array(twins, dtype=np.intp), np.array(signs))


def asymmetries(
    mirror: Mirror, names: tuple[str, ...], lower: FloatArray, upper: FloatArray
) -> tuple[str, ...]:
    """Return a sentence for each pair of twins whose limits are no mirror images."""
    found = []
    for i, name in enumerate(names):
        j, sign = int(mirror.twins[i]), mirror.signs[i]
        if sign == 0.0 or j < i:
            continue
        image = (lower[j], upper[j]) if sign > 0 else (-upper[j], -lower[j])
        if not np.allclose((lower[i], upper[i]), image, atol=1e-3):
            found.append(
                f"limits of {name} are {lower[i]:.3f}..{upper[i]:.3f} rad, those of "
                f"{names[j]} in the mirror {image[0]:.3f}..{image[1]:.3f}"
            )
    return tuple(found)
