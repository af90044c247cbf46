"""Speed of the simulated lab on one core: physics under contact, and the ego camera's pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from rove_core.robot import load_robot
from rove_sim.skilled import PlanExpert
from rove_sim.world import World
from tests.bench.result import Result

FRAME_S = 0.05
TASKS = ("erase_whiteboard", "bread_toaster")
SECONDS = 6.0
PICTURES = 200


def _recorded(world: World) -> list[np.ndarray]:
    """Return the (N,) rad targets of an expert's work, one a frame."""
    expert, targets = PlanExpert(world), []
    target = world.joint_positions()
    while world.time_s < SECONDS:
        before, target = target, expert.act(world.joint_positions())
        for i in range(1, 11):
            world.step(before + (target - before) * (i / 10))
        targets.append(target)
    return targets


def bench_physics() -> Iterator[Result]:
    """Simulated over CPU time of an expert's replayed work, judge included, best of three."""
    spec = load_robot("g1_dex3")
    for task in TASKS:
        world = World(spec, task)
        world.reset(3)
        targets, best = _recorded(world), 0.0
        for _ in range(3):
            world.reset(3)
            target = world.joint_positions()
            begun = time.thread_time()
            for following in targets:
                for i in range(1, 11):
                    world.step(target + (following - target) * (i / 10))
                target = following
            best = max(best, world.time_s / (time.thread_time() - begun))
        yield Result(f"physics with contact, {task}", best, "x real time", 1.0, 35.0, True)
        world.close()


def bench_ego_camera() -> Iterator[Result]:
    """Pictures of 128 x 128 a second of CPU time, the best of five runs."""
    world = World(load_robot("g1_dex3"), "bread_toaster")
    world.render("ego")
    best = 0.0
    for _ in range(5):
        begun = time.process_time()  # software rendering may use a thread of its own
        for _ in range(PICTURES // 5):
            world.render("ego")
        best = max(best, PICTURES / 5 / (time.process_time() - begun))
    yield Result("ego camera 128 x 128", best, "frames/s of one core", 20.0, 400.0, True)
    world.close()
