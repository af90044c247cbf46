"""Demonstrations of the scripted expert, and closed-loop trials of a policy, on a virtual clock.

A demonstration is a coherent plan: the robot is first disturbed without being recorded, then
clean expert motion is recorded from wherever that left it. Noise inside the recording, or expert
labels along somebody else's path, made the trained policy worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.expert import PERIOD_S
from rove_sim.skilled import SkilledHand, expert_for
from rove_sim.world import World

# Disturbance, rad: standard deviation per joint of a group; the rest of the body moves little.
SPREAD = {"waist": 0.05, "right_arm": 0.12}
SPREAD_ELSEWHERE = 0.01
DISTURB_FRAMES, SETTLE_FRAMES = 8, 3
MIDWAY_SHARE, MIDWAY_FRAMES = 0.5, 40  # share of episodes that begin in the middle of the work
MAX_FRAMES = 400  # an expert that needs longer than 20 s has failed
TAIL_FRAMES = 8  # recorded after success: the felt leaves the board

TRIAL_SPREAD = 0.4  # trials of a policy start from this share of the disturbance
TRIAL_FRAMES = 200
REPLAN_FRAMES = 8

Policy = Callable[[Mapping[str, Any]], FloatArray]


@dataclass(frozen=True)
class DemoEpisode:
    """One recorded episode of T frames at 20 Hz.

    Attributes:
        seed: of the trial; the same seed gives the same episode.
        instruction: what was asked.
        success: the task's verdict.
        stamps: (T,) s, simulated time of the observation.
        images: camera -> (T, H, W, 3) uint8 RGB, at the stamps.
        positions, velocities: (T, N) rad, rad/s, measured at the stamps.
        targets: (T, N) rad, absolute, executed: frame t's is reached one frame after stamp t,
            by straight interpolation from the one before.
        progress: (T,) share of the work done at the stamps.
    """

    seed: int
    instruction: str
    success: bool
    stamps: FloatArray
    images: Mapping[str, npt.NDArray[np.uint8]]
    positions: FloatArray
    velocities: FloatArray
    targets: FloatArray
    progress: FloatArray


@dataclass(frozen=True)
class Trial:
    """Outcome of one closed-loop trial of a policy; ``frames`` of 50 ms were used."""

    seed: int
    instruction: str
    outcome: Outcome
    frames: int
    progress: float
    damage: float


def demonstrate(spec: RobotSpec, task_name: str, seeds: Iterable[int]) -> Iterator[DemoEpisode]:
    """Yield one recorded episode of the expert per seed; failures are yielded too.

    Raises:
        ConfigError: unknown task.
    """
    world = World(spec, task_name)
    expert = expert_for(world)
    for seed in seeds:
        yield _record(world, expert, seed)
    world.close()


def evaluate(
    policy: Policy,
    spec: RobotSpec,
    task_name: str,
    seeds: Iterable[int],
    replan: int = REPLAN_FRAMES,
    max_frames: int = TRIAL_FRAMES,
) -> list[Trial]:
    """Run a policy closed-loop, one trial per seed.

    Args:
        policy: maps ``{"images": {camera: (H, W, 3) uint8}, "positions": (N,) rad, "velocities":
            (N,) rad/s, "instruction": str}`` to (H, N) rad absolute targets at 20 Hz, the first one
            to be reached 50 ms after the observation.
        spec, task_name: robot and task.
        seeds: of the trials; use other ones than for the demonstrations.
        replan: frames of a chunk that are executed.
        max_frames: a trial that is still running then is a TIMEOUT.
    """
    world, trials = World(spec, task_name), []
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        world.reset(seed)
        target = _disturb(world, rng, world.joint_positions(), TRIAL_SPREAD)
        frames = 0
        while frames < max_frames and world.task.status().outcome is Outcome.UNKNOWN:
            chunk = policy(observe(world))
            for step in chunk[: min(replan, max_frames - frames)]:
                target = execute(world, target, step)
                frames += 1
                if world.task.status().outcome is not Outcome.UNKNOWN:
                    break
        status = world.task.status()
        outcome = Outcome.TIMEOUT if status.outcome is Outcome.UNKNOWN else status.outcome
        trials.append(
            Trial(seed, world.instruction, outcome, frames, status.progress, status.damage)
        )
    world.close()
    return trials


def observe(world: World) -> dict[str, Any]:
    """Return what a policy may see now; see ``evaluate``."""
    return {
        "images": {name: world.render(name) for name in world.spec.cameras},
        "positions": world.joint_positions(),
        "velocities": world.joint_velocities(),
        "instruction": world.instruction,
    }


def execute(world: World, before: FloatArray, target: FloatArray) -> FloatArray:
    """Ramp from target ``before`` to ``target`` in one frame, as the arbiter does; return it.

    Both are (N,) rad; the result is ``target`` inside the position limits.
    """
    steps = round(PERIOD_S / world.timestep_s)
    target = np.clip(target, world.spec.lower, world.spec.upper)
    for i in range(1, steps + 1):
        world.step(before + (target - before) * (i / steps))
    return target


def _record(world: World, expert: SkilledHand, seed: int) -> DemoEpisode:
    rng = np.random.default_rng([seed, 0])
    target = _unrecorded_start(world, expert, rng, seed)
    expert.reset(world.joint_positions())
    rows: list[tuple[dict[str, Any], float, FloatArray, float]] = []
    left = MAX_FRAMES
    while left > 0:
        observation, stamp = observe(world), world.time_s
        progress = world.task.status().progress
        target = execute(world, target, expert.act(world.joint_positions()))
        rows.append((observation, stamp, target, progress))
        done = world.task.status().outcome is not Outcome.UNKNOWN
        left = min(left - 1, TAIL_FRAMES) if done else left - 1
    seen = [row[0] for row in rows]
    return DemoEpisode(
        seed=seed,
        instruction=world.instruction,
        success=world.task.status().outcome is Outcome.SUCCESS,
        stamps=np.array([row[1] for row in rows]),
        images={name: np.stack([o["images"][name] for o in seen]) for name in world.spec.cameras},
        positions=np.stack([o["positions"] for o in seen]),
        velocities=np.stack([o["velocities"] for o in seen]),
        targets=np.stack([row[2] for row in rows]),
        progress=np.array([row[3] for row in rows]),
    )


def _unrecorded_start(
    world: World, expert: SkilledHand, rng: np.random.Generator, seed: int
) -> FloatArray:
    """Bring the robot somewhere sensible, disturbed, trial still open; return its target."""
    while True:
        world.reset(seed)
        expert.reset(world.joint_positions())
        target = world.joint_positions()
        midway = rng.random() < MIDWAY_SHARE
        for _ in range(int(rng.integers(MIDWAY_FRAMES)) if midway else 0):
            target = execute(world, target, expert.act(world.joint_positions()))
        target = _disturb(world, rng, target, 1.0)
        if world.task.status().outcome is Outcome.UNKNOWN:
            return target


def _disturb(
    world: World, rng: np.random.Generator, target: FloatArray, share: float
) -> FloatArray:
    """Move the robot by a random offset, let it settle there, and return the (N,) rad target."""
    spread = np.full(world.spec.size, SPREAD_ELSEWHERE)
    for group, size in SPREAD.items():
        spread[world.spec.indices(group)] = size
    # From the measured posture: a target deep in the board would press on while it slides.
    aim = world.joint_positions() + share * spread * rng.standard_normal(world.spec.size)
    start = target
    for i in range(1, DISTURB_FRAMES + SETTLE_FRAMES + 1):
        target = execute(world, target, start + (aim - start) * min(1.0, i / DISTURB_FRAMES))
    return target
