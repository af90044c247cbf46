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
from tests.bench.result import Result, percentile

PERIOD = 0.005  # s, the arbiter's own rate
NS = 1_000_000_000
TICKS = 4000  # 20 s
CHUNK_EVERY = 40  # ticks, 5 chunks/s


def _chunk(ros_ns: int, number: int, target: np.ndarray) -> ActionChunk:
    step = NS // 20
    rows = np.tile(target, (16, 1))
    return ActionChunk(ros_ns - NS // 25, ros_ns - NS // 25 + step, step, rows, "digest", number)


def bench_tick() -> Iterator[Result]:
    """43 joints, a chunk every 200 ms, targets that make the filter work all the time."""
    spec = load_robot("g1_dex3")
    arbiter = Arbiter(spec, epoch=1)
    measured = np.array(spec.home)
    start = StartEpisode(EpisodeKind.ROLLOUT, "erase", "erase the left stroke", 1, "bench")
    now, ros_ns, number = 100.0, 50 * NS, 0
    costs: list[float] = []
    driven = 0
    for tick in range(TICKS):
        now += PERIOD
        ros_ns += int(PERIOD * NS)
        requests: tuple[Request, ...] = (start,) if tick == 20 else ()
        chunks: tuple[ActionChunk, ...] = ()
        if tick % CHUNK_EVERY == 0:
            number += 1
            chunks = (_chunk(ros_ns, number, spec.home + 0.1 * np.sin(0.3 * number)),)
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
            driven += 1
            costs.append(1e3 * cost)
    assert driven > TICKS // 2, "the arbiter did not drive: this is no measurement of its work"
    budget = 1e3 * PERIOD
    yield Result("arbiter tick p50, 43 joints", percentile(costs, 50), "ms", budget, 0.1 * budget)
    yield Result("arbiter tick p99, 43 joints", percentile(costs, 99), "ms", budget, 0.3 * budget)
