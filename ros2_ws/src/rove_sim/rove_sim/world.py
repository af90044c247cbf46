"""The simulated lab: one robot, one task, physics in 5 ms steps, pictures on demand."""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_sim.robot_model import TIMESTEP_S, build_robot
from rove_sim.scenery import Scenery
from rove_sim.tasks import make_task
from rove_sim.tasks.plan import pose
from rove_sim.variation import check_share

Image = npt.NDArray[np.uint8]
PLACEMENT, START = 101, 102  # keep the chance of these apart from that of the layout
START_SPREAD = {"waist": 0.05, "right_arm": 0.12}
"""Rad, standard deviation by which the joints of a group begin beside the task's start posture
when ``start_spread`` is 1."""


class World:
    """A robot at a task. Not safe for several threads; pictures want the thread that asked first.

    Attributes:
        spec: the robot.
        task: the task; its ``status()`` is the verdict.
        instruction: what the robot is asked in this trial.
        model, data: MuJoCo's own, for tests and pictures.
    """

    def __init__(
        self,
        spec: RobotSpec,
        task: str,
        seed: int = 0,
        scene: mujoco.MjSpec | None = None,
        variation: float = 0.0,
        start_spread: float = 0.0,
    ) -> None:
        """Build the lab and reset it to ``seed``.

        Args:
            spec: the robot.
            task: a name in ``rove_sim.tasks.TASKS``.
            seed: of the first trial.
            scene: the robot's model when it is not the default one (more triangles, more cameras).
            variation: 0 (plain lab) to 1: how far placement, light, textures and camera differ
                from trial to trial, see ``variation`` and the task's ``ranges``.
            start_spread: 0 (the task's start posture) to 1: share of ``START_SPREAD``.

        Raises:
            ConfigError: unknown task, missing mesh, variation or start spread out of range.
        """
        self.spec = spec
        self.task = make_task(task, spec)
        self.task.variation = check_share("variation", variation)
        share = check_share("start_spread", start_spread)
        self._start_spread = np.zeros(spec.size)
        for group, spread in START_SPREAD.items():
            self._start_spread[spec.indices(group)] = share * spread
        scene = scene or build_robot(spec)
        _add_room(scene)
        self.task.build(scene)
        self._scenery = Scenery(spec, self.task.variation)
        self._scenery.build(scene)
        self.model = scene.compile()
        self.data = mujoco.MjData(self.model)
        self.task.bind(self.model, self.data)
        self._scenery.bind(self.model)
        joints = [self.model.joint(name) for name in spec.joint_names]
        self._qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self._qvel = np.array([int(joint.dofadr[0]) for joint in joints])
        self._drives = np.array([self.model.actuator(name).id for name in spec.joint_names])
        self._renderers: dict[str, mujoco.Renderer] = {}
        self.instruction = ""
        self.reset(seed)

    def reset(self, seed: int, instruction: str | None = None) -> str:
        """Start a new trial and return its instruction; the seed alone decides everything else.

        Raises:
            ConfigError: an instruction the task does not know.
        """
        rng = np.random.default_rng(seed)
        self.instruction = self.task.choose_instruction(rng, instruction)
        mujoco.mj_resetData(self.model, self.data)
        chance = np.random.default_rng([seed, START]).standard_normal(self.spec.size)
        posture = self.task.start_posture() + self._start_spread * chance
        posture = np.clip(posture, self.spec.lower, self.spec.upper)
        self.data.qpos[self._qpos] = posture
        self.data.ctrl[self._drives] = posture
        varied = np.random.default_rng([seed, PLACEMENT])
        self.task.vary(varied)
        self._scenery.vary(varied)
        self.task.reset(rng, self.instruction)
        mujoco.mj_forward(self.model, self.data)
        return self.instruction

    def step(self, target: FloatArray) -> None:
        """Advance 5 ms with the drives at ``target``, (N,) rad, joint order of the robot.

        Raises:
            ContractError: wrong length or not finite.
        """
        if np.shape(target) != self._drives.shape or not np.isfinite(target).all():
            frozen_floats(target, self._drives.shape, "target")  # says what is wrong with it
        self.data.ctrl[self._drives] = target
        mujoco.mj_step(self.model, self.data)
        self.task.update()

    @property
    def time_s(self) -> float:
        """Simulated time since the reset, s."""
        return float(self.data.time)

    @property
    def timestep_s(self) -> float:
        """Length of one step, s."""
        return TIMESTEP_S

    @property
    def pelvis(self) -> FloatArray:
        """(4, 4) pose of the robot's pelvis in the world, m."""
        body = self.model.body(self.spec.frames["pelvis"]).id
        return pose(self.data.xpos[body], self.data.xmat[body].reshape(3, 3))

    def joint_positions(self) -> FloatArray:
        """Return (N,) rad, measured."""
        return np.array(self.data.qpos[self._qpos])

    def joint_velocities(self) -> FloatArray:
        """Return (N,) rad/s, measured."""
        return np.array(self.data.qvel[self._qvel])

    def joint_torques(self) -> FloatArray:
        """Return (N,) Nm, what the drives give, without gravity compensation."""
        return np.array(self.data.actuator_force[self._drives])

    def render(self, camera: str) -> Image:
        """Return the (H, W, 3) uint8 RGB picture of one of the robot's cameras, as it is now.

        Raises:
            ConfigError: the robot has no such camera.
        """
        if camera not in self._renderers:
            if camera not in self.spec.cameras:
                raise ConfigError("camera", camera, self.spec.cameras, f"robot {self.spec.name}")
            shape = self.spec.cameras[camera]
            self._renderers[camera] = fast_renderer(self.model, shape.height, shape.width)
        renderer = self._renderers[camera]
        renderer.update_scene(self.data, camera=camera)
        return np.array(renderer.render())

    def close(self) -> None:
        """Free the pictures' graphics contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()


def fast_renderer(model: mujoco.MjModel, height: int, width: int) -> mujoco.Renderer:
    """Return a renderer for policies: no multi-sampling (3x the time), no shadows (5x).

    Boxes and planes are drawn in one piece (1.5x), which changes their shading a little.
    """
    model.vis.quality.offsamples, model.vis.quality.numquads = 0, 1
    renderer = mujoco.Renderer(model, height, width)
    for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
        renderer.scene.flags[flag] = 0
    return renderer


def _add_room(scene: mujoco.MjSpec) -> None:
    """Add a floor, a wall and light; nothing collides with them (the feet are held by welds)."""
    world, plane = scene.worldbody, mujoco.mjtGeom.mjGEOM_PLANE
    world.add_geom(
        name="floor",
        type=plane,
        size=(3, 3, 0.1),
        rgba=(0.62, 0.58, 0.53, 1),
        contype=0,
        conaffinity=0,
    )
    world.add_geom(
        name="wall",
        type=plane,
        size=(2, 3, 0.1),
        pos=(1.5, 0, 1),
        quat=(0.7071, 0, -0.7071, 0),
        rgba=(0.72, 0.78, 0.80, 1),
        contype=0,
        conaffinity=0,
    )
    world.add_light(
        name="ceiling",
        pos=(-0.6, 0.8, 2.6),
        dir=(0.4, -0.35, -0.85),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=(0.6, 0.6, 0.6),
        castshadow=True,
    )
