"""Closed-loop trials of a policy on a virtual clock, without operator and arbiter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.world import World

PERIOD_S = 0.05  # one target per 20 Hz frame
TRIAL_SPREAD = 0.4  # trials of a policy start from this share of the spread
TRIAL_FRAMES = 200
REPLAN_FRAMES = 8

Policy = Callable[[Mapping[str, Any]], FloatArray]


@dataclass(frozen=True)
class Trial:
    """Outcome of one closed-loop trial of a policy; ``frames`` of 50 ms were used."""

    seed: int
    instruction: str
    outcome: Outcome
    frames: int
    progress: float
    damage: float


def evaluate(
    policy: Policy,
    spec: RobotSpec,
    task_name: str,
    seeds: Iterable[int],
    replan: int = REPLAN_FRAMES,
    max_frames: int = TRIAL_FRAMES,
) -> list[Trial]:
    """Run a policy closed-loop, one trial per seed, from beside the start posture.

    Args:
        policy: maps ``{"images": {camera: (H, W, 3) uint8}, "positions": (N,) rad, "velocities":
            (N,) rad/s, "instruction": str}`` to (H, N) rad absolute targets at 20 Hz, the first one
            to be reached 50 ms after the observation.
        spec, task_name: robot and task.
        seeds: of the trials; use other ones than for the demonstrations.
        replan: frames of a chunk that are executed.
        max_frames: a trial that is still running then is a TIMEOUT.
    """
    world, trials = World(spec, task_name, start_spread=TRIAL_SPREAD), []
    for seed in seeds:
        world.reset(seed)
        target, frames = world.joint_positions(), 0
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
