"""Check of the offscreen renderer: a real picture, made by the simulator's own engine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from rove.doctor.check import Check, fail, ok, warn

DEFAULT_BACKENDS = ("egl", "osmesa")
TIMEOUT = 60.0  # s, the first picture of a software renderer compiles its shaders
CURE = "sudo apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libopengl0"

# A program of its own: the backend is chosen at import, and a broken driver takes its process
# down. Prints the mean and the spread of the picture's 8-bit values.
PROBE = """
import mujoco
world = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><light pos='0 0 3'/><geom type='sphere' size='.3' rgba='1 .2 .2 1'/>"
    "<camera name='eye' pos='0 -1 0' xyaxes='1 0 0 0 0 1'/></worldbody></mujoco>"
)
data = mujoco.MjData(world)
mujoco.mj_forward(world, data)
with mujoco.Renderer(world, 64, 64) as renderer:
    renderer.update_scene(data, camera="eye")
    picture = renderer.render()
print(picture.mean(), picture.std())
"""


def render(
    backend: str, environ: Mapping[str, str], probe: str = PROBE, timeout: float = TIMEOUT
) -> str:
    """Make one picture with ``backend``; return what is wrong with it, or nothing."""
    variables = {**environ, "MUJOCO_GL": backend}
    variables.pop("PYOPENGL_PLATFORM", None)  # MuJoCo derives it from its own variable
    try:
        result = subprocess.run(
            [sys.executable, "-c", probe],
            capture_output=True, text=True, env=variables, timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no picture within {timeout:.0f} s"
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        # Destructors print after the error that matters.
        errors = [line for line in lines if "Error" in line and "__del__" not in line]
        return (errors or lines)[0].strip()
    mean, spread = (float(word) for word in result.stdout.splitlines()[-1].split())
    # A sphere before black: one grey value all over means that nothing was drawn.
    return "" if mean > 1 and spread > 1 else f"the picture is blank (mean {mean:.1f})"


def check_renderer(
    environ: Mapping[str, str] | None = None,
    backends: Sequence[str] = DEFAULT_BACKENDS,
    probe: str = PROBE,
) -> Check:
    """Say which backend really draws; the one that MUJOCO_GL names is tried first."""
    environ = os.environ if environ is None else environ
    if importlib.util.find_spec("mujoco") is None:
        cure = "`make up` installs it; a robot without the simulator needs none"
        return warn("renderer", "mujoco is not installed", cure)
    chosen = environ.get("MUJOCO_GL", "")
    order = [chosen, *(name for name in backends if name != chosen)] if chosen else list(backends)
    wrong: list[str] = []
    for backend in order:
        problem = render(backend, environ, probe)
        if problem:
            wrong.append(f"{backend}: {problem}")
            continue
        if backend == order[0]:
            return ok("renderer", f"MUJOCO_GL={backend} draws")
        found = f"MUJOCO_GL={backend} draws; {'; '.join(wrong)}"
        return warn("renderer", found, f"export MUJOCO_GL={backend}")
    return fail("renderer", "; ".join(wrong), CURE)
