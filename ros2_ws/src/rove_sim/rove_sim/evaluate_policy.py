"""Closed-loop success of a policy file on a virtual clock: ``rove-sim evaluate``.

The policy sees what it would see on the robot (JPEG pictures, measured joints, instruction) and
drives alone; nobody takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.intervals import wilson
from rove_core.observation import Observation
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_policy.runner import Policy
from rove_sim.robot import to_jpeg
from rove_sim.trials import PERIOD_S, REPLAN_FRAMES, Trial, evaluate

FIRST_TEST_SEED = 1_000_000
"""Trials use seeds from here on; demonstrations count from 0, so the two never meet."""


@dataclass(frozen=True)
class Evaluation:
    """Trials of one policy.

    Attributes:
        digest: of the policy file.
        trials: one per seed.
    """

    digest: str
    trials: tuple[Trial, ...]

    @property
    def successes(self) -> int:
        """Number of trials that ended in success."""
        return sum(trial.outcome is Outcome.SUCCESS for trial in self.trials)

    def text(self) -> str:
        """Return success with its Wilson 95 % interval, wrong strokes and times, for people."""
        total = len(self.trials)
        low, high = wilson(self.successes, total)
        wrong = sum(trial.outcome is Outcome.FAILURE for trial in self.trials)
        lines = [
            f"policy {self.digest[:12]}: {self.successes} of {total} trials succeed, "
            f"{self.successes / total:.0%} (95 % interval {low:.0%} to {high:.0%})",
            f"wrong stroke erased: {wrong}; ran out of time: {total - self.successes - wrong}",
        ]
        seconds = [t.frames * PERIOD_S for t in self.trials if t.outcome is Outcome.SUCCESS]
        if seconds:
            lines.append(f"median time of a success: {np.median(seconds):.1f} s")
        return "\n".join(lines)


def _seen_by_the_robot(image: Any) -> Any:
    """Return a picture as it comes out of the camera's JPEG."""
    data = np.frombuffer(to_jpeg(image), np.uint8)
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def evaluate_policy(
    path: Path,
    spec: RobotSpec,
    task: str,
    seeds: Sequence[int],
    advantage_high: bool = True,
    replan: int = REPLAN_FRAMES,
    on_trial: Callable[[int, int], None] = lambda _done, _all: None,
) -> Evaluation:
    """Run a policy once per seed.

    Args:
        path: ONNX file.
        spec, task: robot and task.
        seeds: of the scenes.
        advantage_high: the condition the policy is given.
        replan: frames of 50 ms of each chunk that are executed.
        on_trial: told (trials begun, trials in all).

    Raises:
        PolicyError: the policy does not fit or fails.
        ConfigError: unknown task.
    """
    policy = Policy.load(path, spec)

    def act(seen: Mapping[str, Any]) -> FloatArray:
        images = {name: _seen_by_the_robot(image) for name, image in seen["images"].items()}
        observation = Observation(0, images, seen["positions"], seen["instruction"])
        return policy.act(observation, advantage_high).position

    def counted() -> Iterable[int]:
        for i, seed in enumerate(seeds, start=1):
            on_trial(i, len(seeds))
            yield seed

    trials = evaluate(act, spec, task, counted(), replan)
    return Evaluation(policy.digest, tuple(trials))
