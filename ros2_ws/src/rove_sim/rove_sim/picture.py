"""A picture of the robot at work, for people: shadows, smooth meshes, an outside view.

rove-sim picture --out docs/robot_at_work.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import mujoco
import numpy as np

from rove_core.robot import load_robot
from rove_sim.robot_model import build_robot
from rove_sim.skilled import PlanExpert
from rove_sim.trials import execute
from rove_sim.world import Image, World

FACES = 3000  # per link
WIDTH, HEIGHT = 960, 720
SAMPLES = 8  # multi-sampling
# To the right of the robot and a little behind, from where face, arm, board and ink are seen.
LOOK_AT, DISTANCE, AZIMUTH, ELEVATION = (0.20, -0.05, 0.98), 1.45, 52.0, -14.0
AMBIENT, HEADLIGHT = 0.38, 0.30  # brightness without and with direction
# A lamp instead of the even light of the ego pictures: its shadows have no speckles.
LAMP_AT, LAMP_TOWARDS, LAMP_CUTOFF_DEG = (-1.2, -1.6, 3.2), (0.35, 0.1, 0.7), 55.0


@dataclass(frozen=True)
class PictureArgs:
    """Write a PNG of the robot at work.

    Attributes:
        out: file to write.
        robot: name of the robot's profile.
        task: name of the task.
        seed: of the trial that is shown.
        seconds: of work before the picture is taken.
    """

    out: Path = Path("robot_at_work.png")
    robot: str = "g1_dex3"
    task: str = "erase_whiteboard"
    seed: int = 3
    seconds: float = 1.3


def picture(args: PictureArgs) -> Path:
    """Let the expert work for a while, take the picture and return the file.

    Raises:
        ConfigError: unknown robot or task.
    """
    spec = load_robot(args.robot)
    scene = build_robot(spec, FACES)
    scene.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(6, 3, 0.1),
        pos=(0, 1.8, 1),
        contype=0,
        quat=(0.7071, 0.7071, 0, 0),
        conaffinity=0,
        rgba=(0.80, 0.84, 0.85, 1),
    )
    world = World(spec, args.task, args.seed, scene)
    expert = PlanExpert(world)
    expert.reset(world.joint_positions())
    target = world.joint_positions()
    while world.time_s < args.seconds:
        target = execute(world, target, expert.act(world.joint_positions()))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), cv2.cvtColor(outside_view(world), cv2.COLOR_RGB2BGR))
    return args.out


def outside_view(world: World, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Return the (height, width, 3) uint8 RGB picture from behind the right shoulder."""
    model = world.model
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    model.vis.quality.offsamples, model.vis.quality.shadowsize, model.vis.quality.numquads = (
        SAMPLES,
        4096,
        8,
    )
    model.vis.headlight.ambient[:], model.vis.headlight.diffuse[:] = AMBIENT, HEADLIGHT
    lamp = model.light("ceiling").id
    model.light_type[lamp], model.light_cutoff[lamp] = (
        mujoco.mjtLightType.mjLIGHT_SPOT,
        LAMP_CUTOFF_DEG,
    )
    model.light_exponent[lamp] = 1.0
    direction = np.subtract(LAMP_TOWARDS, LAMP_AT)
    model.light_pos[lamp], model.light_dir[lamp] = LAMP_AT, direction / np.linalg.norm(direction)
    mujoco.mj_forward(model, world.data)
    camera = mujoco.MjvCamera()
    camera.lookat[:], camera.distance = LOOK_AT, DISTANCE
    camera.azimuth, camera.elevation = AZIMUTH, ELEVATION
    renderer = mujoco.Renderer(model, height, width)
    renderer.update_scene(world.data, camera)
    image = np.array(renderer.render())
    renderer.close()
    return image
