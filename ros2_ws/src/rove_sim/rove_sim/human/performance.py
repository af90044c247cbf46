"""What a person does in a video: the task, with a mistake that is made good, or one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from rove_core.vocabulary import Outcome
from rove_sim.skilled import PlanExpert
from rove_sim.tasks.plan import Plan
from rove_sim.trials import PERIOD_S, execute
from rove_sim.world import World

TREMOR_M, TREMOR_S = 0.0015, 0.3  # a hand's unrest: spread, and time over which it drifts
PACE = (0.6, 1.0)  # share of the plan's speeds, by person and video
ASTRAY_M, ASTRAY_S = (0.06, 0.12), (0.8, 1.8)  # a wrong move: how far, for how long
MISTAKE_S = (0.8, 4.0)  # when a mistake begins that is no mistake from the start
HESITATE_S = (0.4, 1.2)  # before a mistake is made good
TAIL_S = 0.5  # filmed after the end
LONGEST_S = 20.0


class Kind(StrEnum):
    """How a video is meant to go; how it went is judged by the physics."""

    SUCCESS = "success"
    RECOVERY = "recovery"
    FAILURE = "failure"


class Mistake(StrEnum):
    """What goes wrong."""

    NONE = "none"
    WRONG_THING = "begins with the wrong thing"
    ASTRAY = "moves astray"
    LETS_GO = "lets go"
    GIVES_UP = "gives up"


RECOVERED = (Mistake.WRONG_THING, Mistake.ASTRAY)
FINAL = (Mistake.WRONG_THING, Mistake.LETS_GO, Mistake.GIVES_UP)


@dataclass(frozen=True)
class Performed:
    """How a performance went.

    Attributes:
        instruction: what was asked.
        mistake: what went wrong.
        outcome: the judgement of the physics; TIMEOUT when it gave none.
        frames: of 50 ms that were filmed.
        mistake_at, recovery_at: first frame of each; None: none.
    """

    instruction: str
    mistake: Mistake
    outcome: Outcome
    frames: int
    mistake_at: int | None
    recovery_at: int | None


class _Person:
    """One performance in the present trial of a world."""

    def __init__(self, world: World, kind: Kind, rng: np.random.Generator) -> None:
        self._world, self._rng, self._kind = world, rng, kind
        choices = {Kind.SUCCESS: (Mistake.NONE,), Kind.RECOVERY: RECOVERED, Kind.FAILURE: FINAL}
        options = choices[kind]
        self.mistake = options[int(rng.integers(len(options)))]
        self._pace = float(rng.uniform(*PACE))
        task = world.task
        asked = task.goal_of(world.instruction)
        others = [text for text in task.instructions if task.goal_of(text) != asked]
        self._other = others[int(rng.integers(len(others)))]
        direction = rng.standard_normal(3) * [0.6, 1.0, 0.6]
        direction[2] = abs(direction[2])  # not through the table
        self._astray = direction / np.linalg.norm(direction) * rng.uniform(*ASTRAY_M)
        self._begin_s = float(rng.uniform(*MISTAKE_S))
        self._last_s = float(rng.uniform(*ASTRAY_S))
        self._hesitate_s = float(rng.uniform(*HESITATE_S))
        if self.mistake is Mistake.WRONG_THING:
            self._begin_s = 0.0
        self._tremor = np.zeros(3)
        self._still = world.joint_positions()
        self._noticed_s: float | None = None
        self.mistake_s: float | None = None
        self.recovery_s: float | None = None
        self._expert = PlanExpert(world, self._look)

    def _look(self) -> Plan:
        task, wrong = self._world.task, self.mistake is Mistake.WRONG_THING
        fooled = wrong and self.recovery_s is None
        plan = task.plan_for(self._other) if fooled else task.plan()
        return tuple(replace(step, speed=self._pace * step.speed) for step in plan)

    def act(self) -> np.ndarray:
        """Return the (N,) rad target for the next 50 ms."""
        now, joints = self._world.time_s, self._world.joint_positions()
        keep = float(np.exp(-PERIOD_S / TREMOR_S))
        chance = self._rng.standard_normal(3) * np.sqrt(1.0 - keep**2)
        self._tremor = keep * self._tremor + TREMOR_M * chance
        aside, hand_open = self._tremor, False
        if self.mistake is not Mistake.NONE and now >= self._begin_s and self.recovery_s is None:
            if self.mistake_s is None:
                self.mistake_s = now
            since = now - self.mistake_s
            if self.mistake is Mistake.GIVES_UP:
                return self._still
            if self.mistake is Mistake.LETS_GO:
                hand_open = True
            if self.mistake is Mistake.ASTRAY:
                share = min(1.0, since / self._last_s)
                aside = aside + self._astray * np.sin(np.pi * share / 2)
            if self._kind is Kind.RECOVERY and self._sees_it(since, now):
                self.recovery_s = now
                self._expert.follower.restart()
            elif self._noticed_s is not None:  # stops, and thinks
                return self._still
        target = self._expert.act(joints, aside, hand_open)
        self._still = target
        return target

    def _sees_it(self, since: float, now: float) -> bool:
        """Tell whether the person has noticed the mistake and thought for a moment."""
        if self._noticed_s is None:
            if self.mistake is Mistake.ASTRAY:
                noticed = since >= self._last_s
            else:  # over the wrong thing, before anything is spoilt
                noticed = self._expert.follower.phase not in ("", "reach")
            self._noticed_s = now if noticed else None
        return self._noticed_s is not None and now - self._noticed_s >= self._hesitate_s


def perform(
    world: World, seed: int, kind: Kind, film: Callable[[], None], longest_s: float = LONGEST_S
) -> Performed:
    """Let a person do one trial; the same seed and kind give the same performance.

    Args:
        world: the lab with a person in it.
        seed: of trial and person.
        kind: how it is meant to go.
        film: called before every frame of 50 ms.
        longest_s: s, after which it is a TIMEOUT.
    """
    world.reset(seed)
    person = _Person(world, kind, np.random.default_rng([seed, 501]))
    target, frames, tail = world.joint_positions(), 0, round(TAIL_S / PERIOD_S)
    while tail > 0 and frames < round(longest_s / PERIOD_S):
        film()
        target = execute(world, target, person.act())
        frames += 1
        tail -= world.task.status().outcome is not Outcome.UNKNOWN
    outcome = world.task.status().outcome
    at = [
        None if moment is None else min(frames - 1, round(moment / PERIOD_S))
        for moment in (person.mistake_s, person.recovery_s)
    ]
    return Performed(
        world.instruction,
        person.mistake,
        Outcome.TIMEOUT if outcome is Outcome.UNKNOWN else outcome,
        frames,
        *at,
    )
