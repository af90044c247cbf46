"""The simulated lab: a humanoid in MuJoCo, its tasks and the people around it."""

import ctypes
import os


def _choose_renderer() -> None:
    """Make MuJoCo draw without a display, unless the user chose; it decides when it is imported."""
    if "MUJOCO_GL" not in os.environ:
        try:
            ctypes.CDLL("libEGL.so.1")
            os.environ["MUJOCO_GL"] = "egl"
        except OSError:
            os.environ["MUJOCO_GL"] = "osmesa"


_choose_renderer()
