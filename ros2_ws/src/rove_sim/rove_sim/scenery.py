"""Light, textures and camera of the lab, drawn anew for each trial within documented ranges."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from rove_core.robot import RobotSpec
from rove_sim.variation import Range

RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "light": Range(-0.5, 0.6, "share", "brightness of the lamp"),
        "ambient": Range(-0.3, 0.6, "share", "light that comes from everywhere"),
        "lamp_x": Range(-0.4, 0.4, "m", "where the light comes from, forward"),
        "lamp_y": Range(-0.5, 0.5, "m", "where the light comes from, to the left"),
        "camera_shift": Range(-0.010, 0.010, "m", "each camera's place, each axis"),
        "camera_turn": Range(-0.04, 0.04, "rad", "each camera's orientation, each axis"),
        "tint": Range(-0.35, 0.25, "share", "each colour channel of each surface"),
    }
)
SURFACES = ("floor", "wall", "table_top", "panel")  # those that the scene has are painted
TEXTURES = 6
TEXTURE_PIXELS = 64


class Scenery:
    """What surrounds a trial.

    Args:
        variation: 0 leaves a scene exactly as it is.
    """

    def __init__(self, spec: RobotSpec, variation: float) -> None:
        self._spec, self._variation = spec, variation

    def build(self, scene: mujoco.MjSpec) -> None:
        """Add textures; they are part of the model, so trials choose among a few."""
        if not self._variation:
            return
        builtin, marks = mujoco.mjtBuiltin, mujoco.mjtMark
        for i in range(TEXTURES):
            rng = np.random.default_rng(i)
            scene.add_texture(
                name=f"texture_{i}",
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                builtin=(builtin.mjBUILTIN_CHECKER, builtin.mjBUILTIN_FLAT)[i % 2],
                mark=(marks.mjMARK_NONE, marks.mjMARK_RANDOM, marks.mjMARK_EDGE)[i % 3],
                rgb1=rng.uniform(0.7, 1.0, 3),
                rgb2=rng.uniform(0.5, 0.9, 3),
                markrgb=rng.uniform(0.3, 0.7, 3),
                random=0.05,
                width=TEXTURE_PIXELS,
                height=TEXTURE_PIXELS,
            )
            material = scene.add_material(name=f"texture_{i}", texrepeat=(4 + i, 4 + i))
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"texture_{i}"

    def bind(self, model: mujoco.MjModel) -> None:
        """Remember the plain look of the compiled scene."""
        self._model = model
        self._surfaces = [
            geom for name in SURFACES
            if (geom := mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name)) >= 0
        ]  # fmt: skip
        self._rgba = model.geom_rgba[self._surfaces].copy()
        self._lamp = model.light("ceiling").id
        self._diffuse = model.light_diffuse[self._lamp].copy()
        self._direction = model.light_dir[self._lamp].copy()
        self._ambient = np.array(model.vis.headlight.ambient)
        self._cameras = [model.camera(name).id for name in self._spec.cameras]
        self._camera_pos = model.cam_pos[self._cameras].copy()
        self._camera_quat = model.cam_quat[self._cameras].copy()

    def vary(self, rng: np.random.Generator) -> None:
        """Draw light, textures and camera poses of a trial."""
        if not self._variation:
            return
        model, ranges = self._model, RANGES

        def draw(key: str) -> float:
            return ranges[key].draw(rng, self._variation)

        model.light_diffuse[self._lamp] = self._diffuse * (1.0 + draw("light"))
        model.vis.headlight.ambient[:] = self._ambient * (1.0 + draw("ambient"))
        direction = self._direction + np.array([draw("lamp_x"), draw("lamp_y"), 0.0])
        model.light_dir[self._lamp] = direction / np.linalg.norm(direction)
        for i, camera in enumerate(self._cameras):
            shift, turn = ([draw(key) for _ in range(3)] for key in ("camera_shift", "camera_turn"))
            model.cam_pos[camera] = self._camera_pos[i] + shift
            plain = Rotation.from_quat(np.roll(self._camera_quat[i], -1))
            turned = plain * Rotation.from_euler("xyz", turn)
            model.cam_quat[camera] = np.roll(turned.as_quat(), 1)
        for geom, plain_rgba in zip(self._surfaces, self._rgba, strict=True):
            tint = np.array([1.0 + draw("tint") for _ in range(3)])
            model.geom_rgba[geom, :3] = np.clip(plain_rgba[:3] * tint, 0.0, 1.0)
            textured = rng.random() < self._variation
            model.geom_matid[geom] = int(rng.integers(TEXTURES)) if textured else -1
