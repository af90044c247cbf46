"""Fast collection with everything in it: operator at 72 Hz to bag, seconds a second of CPU."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rove.policies import policy_path
from rove_sim.collect.episode import Collector, Plan
from tests.bench.result import Result

TARGET = 8.0
"""Times real time on one core."""
SEEDS = range(900_000, 900_004)


def bench_collect() -> Iterator[Result]:
    """Yield robot time over CPU time of one process, for rollouts with a takeover and for
    demonstrations; what is built once a worker is left out."""
    for name, policy in (("rollouts", policy_path("shipped")), ("demonstrations", None)):
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan("erase_whiteboard", policy, "skilled", takeover_at=1.0 if policy else -1.0)
            collector = Collector(plan, Path(folder))
            collector.run(SEEDS.start - 1)  # the first picture takes as long as hundreds of steps
            began, robot_s = time.process_time(), 0.0
            for seed in SEEDS:
                robot_s += collector.run(seed).seconds
            speed = robot_s / (time.process_time() - began)
            collector.close()
        yield Result(f"collect {name}", speed, "x real time", 1.0, TARGET, higher_is_better=True)
