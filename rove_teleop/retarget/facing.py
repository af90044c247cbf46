"""Which way a person faces. Apart from the clutch, so that who only looks compiles nothing."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray


def yaw_of(head: pin.SE3) -> float:
    """Return which way an operator faces, rad about z, from the head's pose in their frame.

    Taken from the head's left axis, which stays level when the operator looks down at the hands;
    the forward axis would lose its direction there.
    """
    left = head.rotation[:, 1]
    return float(np.arctan2(-left[0], left[1]))


def turn_about_z(yaw: float) -> FloatArray:
    """Return the (3, 3) rotation about z by ``yaw`` rad."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
