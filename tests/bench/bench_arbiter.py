"""Cost of one tick of the arbiter while it drives the robot by a policy's chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from rove_core.action import ActionChunk
from rove_core.robot import load_robot
from rove_core.vocabulary import EpisodeKind, Mode
from rove_teleop.arbiter.arbiter import Arbiter
from rove_teleop.arbiter.inputs import Inputs, JointSample, Request, StartEpisode
from rove_teleop.arbiter.room import Room
from tests.bench.result import Result, percentile

PERIOD = 0.005  # s, the arbiter's own rate
NS = 1_000_000_000
TICKS = 4000  # 20 s
CHUNK_EVERY = 40  # ticks, 5 chunks/s


def _chunk(ros_ns: int, number: int, target: np.ndarray) -> ActionChunk:
    step = NS // 20
    rows = np.tile(target, (16, 1))
    return ActionChunk(ros_ns - NS // 25, ros_ns - NS // 25 + step, step, rows, "digest", number)


def _drive(room: bool, reach: float) -> tuple[list[float], float]:
    """Return the ms of CPU of each tick in which the policy drove, and the part of them in which
    joints were held back.

    Args:
        room: whether every command is held against the robot's room, as on a real robot.
        reach: rad, by which the policy's targets lie around home.
    """
    spec = load_robot("g1_dex3")
    arbiter = Arbiter(spec, epoch=1, room=Room(spec) if room else None)
    rng = np.random.default_rng(3)
    measured = np.array(spec.home)
    start = StartEpisode(EpisodeKind.ROLLOUT, "erase", "erase the left stroke", 1, "bench")
    now, ros_ns, number, held = 100.0, 50 * NS, 0, 0
    costs: list[float] = []
    for tick in range(TICKS):
        now += PERIOD
        ros_ns += int(PERIOD * NS)
        requests: tuple[Request, ...] = (start,) if tick == 20 else ()
        chunks: tuple[ActionChunk, ...] = ()
        if tick % CHUNK_EVERY == 0:
            number += 1
            aim = np.clip(spec.home + rng.uniform(-reach, reach, spec.size), spec.lower, spec.upper)
            chunks = (_chunk(ros_ns, number, aim),)
        inputs = Inputs(
            ros_ns=ros_ns,
            joints=JointSample(measured, ros_ns),
            frames=(),
            targets=(),
            chunks=chunks,
            requests=requests,
        )
        begun = time.thread_time()  # CPU time: other processes do not count
        result = arbiter.tick(inputs, now)
        cost = time.thread_time() - begun
        if result.position is not None:
            measured = np.array(result.position)
        if result.decision.mode is Mode.AUTONOMOUS:
            costs.append(1e3 * cost)
            held += bool(arbiter.filter.held_back)
    assert len(costs) > TICKS // 2, "the arbiter did not drive: this is no measurement of its work"
    return costs, held / len(costs)


def bench_tick() -> Iterator[Result]:
    """43 joints, a chunk every 200 ms, targets that make the filter work all the time: without
    the check of the room, with it near home, and with targets most of which lie in the robot."""
    budget = 1e3 * PERIOD
    for name, room, reach in (
        ("no room check", False, 0.1),
        ("room check", True, 0.1),
        ("room check, targets in the robot", True, 3.0),
    ):
        costs, held = _drive(room, reach)
        name = f"{name}, {held:.0%} held back" if room else name
        for percent, part in ((50, 0.1), (99, 0.3)):
            found = percentile(costs, percent)
            yield Result(f"arbiter tick p{percent}, {name}", found, "ms", budget, part * budget)
