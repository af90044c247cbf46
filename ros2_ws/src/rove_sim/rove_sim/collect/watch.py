"""``rove-sim watch``: a film of one episode, from outside and from the head, side by side."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import mujoco
import numpy as np

from rove.policies import policy_path
from rove_core.action import NS
from rove_core.errors import ConfigError
from rove_core.vocabulary import Mode
from rove_sim.collect.episode import Collector, Episode, Plan
from rove_sim.collect.stack import LockStep
from rove_sim.human.videos import Mp4
from rove_sim.picture import AZIMUTH, DISTANCE, ELEVATION, LOOK_AT
from rove_sim.world import Image, World

FPS = 20
WIDTH, HEIGHT = 480, 360
TEXT = (255, 255, 255)


@dataclass(frozen=True)
class WatchArgs:
    """Write an mp4 of one episode: from outside and from the robot's head.

    Attributes:
        out: file to write; one that exists is never overwritten.
        task: name of the task.
        policy: ONNX file that drives, ``shipped``, or ``none``: the operator demonstrates.
        operator: expert, skilled, novice, or none.
        seed: of the scene and of the operator.
        robot: robot profile.
        variation: 0 (plain lab) to 1.
        takeover_at: s into the episode at which the operator takes over; negative: by its rule.
    """

    out: Path
    task: str = "erase_whiteboard"
    policy: str = "shipped"
    operator: str = "skilled"
    seed: int = 1
    robot: str = "g1_dex3"
    variation: float = 0.0
    takeover_at: float = -1.0


class Cameras:
    """Films the stack while it runs; the episode is the same as without it."""

    def __init__(self, world: World, film: Mp4) -> None:
        self._world, self._film = world, film
        self._renderer = mujoco.Renderer(world.model, HEIGHT, WIDTH)
        self._view = mujoco.MjvCamera()
        self._view.lookat[:], self._view.distance = LOOK_AT, DISTANCE
        self._view.azimuth, self._view.elevation = AZIMUTH, ELEVATION
        self._due_ns = 0

    def look(self, stack: LockStep) -> None:
        """Add a picture when one is due."""
        if stack.now_ns < self._due_ns:
            return
        self._due_ns = stack.now_ns + NS // FPS
        self._renderer.update_scene(self._world.data, self._view)
        outside: Image = np.array(self._renderer.render())
        head = self._world.render(next(iter(self._world.spec.cameras)))
        head = np.asarray(
            cv2.resize(head, (HEIGHT, HEIGHT), interpolation=cv2.INTER_NEAREST), np.uint8
        )
        picture: Image = np.ascontiguousarray(np.hstack([outside, head]))
        status = self._world.task.status()
        line = f"{stack.mode.name}  {status.progress:.0%}  {status.near_failure}"
        cv2.putText(picture, self._world.instruction, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, TEXT)
        colour = (255, 200, 60) if stack.mode is Mode.HUMAN else TEXT
        cv2.putText(picture, line, (8, HEIGHT - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour)
        self._film.add(picture)

    def close(self) -> None:
        """Free the graphics context."""
        self._renderer.close()


def watch(args: WatchArgs) -> Episode:
    """Write the film; return what became of the episode.

    Raises:
        ConfigError: the file exists, or an argument is not allowed.
        PolicyError: the policy does not fit.
    """
    if args.out.exists():
        raise ConfigError("film", str(args.out), "a file that does not exist yet", "--out")
    policy = None if args.policy == "none" else policy_path(args.policy).absolute()
    plan = Plan(
        args.task,
        policy,
        args.operator,
        args.robot,
        variation=args.variation,
        takeover_at=args.takeover_at,
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as bags:
        collector = Collector(plan, Path(bags))
        with Mp4(args.out, WIDTH + HEIGHT, HEIGHT, FPS) as film:
            cameras = Cameras(collector.world, film)
            episode = collector.run(args.seed, cameras.look)
            cameras.close()
        collector.close()
    return episode
