"""Cost and likeness of retargeting both hands, against the same objective solved to its end.

The reference minimises the same objective within the same bounds by L-BFGS-B (scipy) from the
posture before, as retargeting libraries do with a general solver; ours takes one step a frame.
Rounds alternate, so a machine that becomes slow slows both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.optimize import minimize

from rove_core.robot import load_robot
from rove_teleop.retarget.hands.hands import HandInput, Hands
from rove_teleop.retarget.hands.solver import HandSolver
from rove_teleop.scripted.hand import FIST, OPEN, PINCH, SIDES, between, hand
from tests.bench.result import Result, percentile

RATE = 72.0
ROUNDS, SECONDS = 7, 4.0
TREMBLE = 0.001  # m, noise of a tracker
BUDGET = 0.20  # ms, both hands with the motion limits behind them, on a machine that is busy


def _stream(seed: int) -> list[dict[str, tuple[float, ...]]]:
    """Both hands opening, closing to fists, and pinching, at a person's pace, with noise."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(int(SECONDS * RATE)):
        share = 0.5 - 0.5 * np.cos(2.0 * np.pi * i / RATE)
        goal = FIST if int(i / RATE) % 2 else PINCH
        pose = between(OPEN, goal, float(share))
        frames.append(
            {
                side: tuple(
                    float(v) for v in np.array(hand(pose, side)) + rng.normal(0.0, TREMBLE, 75)
                )
                for side in SIDES
            }
        )
    return frames


def _converge(solver: HandSolver) -> None:
    bounds = list(zip(solver.inside(np.full(len(solver.q), -9.0)),
                      solver.inside(np.full(len(solver.q), 9.0)), strict=True))  # fmt: skip
    found = minimize(solver.objective, solver.q, jac=True, method="L-BFGS-B", bounds=bounds)
    solver.q = solver.inside(found.x)


def _run(
    solver: HandSolver, frames: list[dict[str, tuple[float, ...]]], step: Callable[[], None]
) -> tuple[list[float], float]:
    """Return (ms of CPU for each frame, mean objective) for one way to step."""
    costs, values = [], []
    take = solver.step
    solver.step = lambda: None  # type: ignore[method-assign]
    for shown in frames:
        begun = time.thread_time()
        solver.follow(shown, 1.0 / RATE)
        step()
        costs.append(1e3 * (time.thread_time() - begun))
        values.append(solver.objective(solver.q)[0])
    solver.step = take  # type: ignore[method-assign]
    return costs, statistics.fmean(values)


def bench_hands() -> Iterator[Result]:
    """Both hands of each robot that ships with ROVE."""
    for robot in ("g1_dex3", "gr1t2_fourier"):
        spec = load_robot(robot)
        ours, reference = HandSolver(spec, SIDES), HandSolver(spec, SIDES)
        ratios, fits = [], []
        for round_ in range(ROUNDS):
            frames = _stream(round_)
            mine, value = _run(ours, frames, ours.step)
            theirs, best = _run(reference, frames, partial(_converge, reference))
            ratios.append(statistics.median(mine) / statistics.median(theirs))
            fits.append(value / best)
        name = f"both hands, {robot}"
        ratio = statistics.median(ratios)
        yield Result(f"{name}: CPU over L-BFGS-B to the end", ratio, "ratio", 1.0, 0.1)
        fit = statistics.median(fits)
        yield Result(f"{name}: objective over L-BFGS-B's", fit, "ratio", 1.0, 1.3)

        hands = Hands(spec)
        for side in SIDES:
            hands.engage(side, np.array(spec.home))
        costs = []
        for shown in _stream(0) * 3:
            inputs = {side: HandInput(joints=values) for side, values in shown.items()}
            begun = time.thread_time()
            hands.update(inputs, 1.0 / RATE)
            costs.append(1e3 * (time.thread_time() - begun))
        yield Result(f"{name}: one cycle p50", percentile(costs, 50), "ms", BUDGET, BUDGET)
