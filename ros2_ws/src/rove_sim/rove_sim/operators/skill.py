"""Skill: the human model in numbers; docs/how-to/collect.md says why they are what they are.

Nobody drives a humanoid as an expert drives a car: there is no touch, another body, and a picture
that is late. The skills differ in how much of that a person has learnt to live with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.errors import ConfigError

Span = tuple[float, float]


@dataclass(frozen=True)
class Skill:
    """How a person sees, decides and moves. Spans are drawn from uniformly, once an episode or
    once an event.

    Attributes:
        name: of the skill.
        latency_s: between the robot and what the person sees of it.
        reaction_s: mean of the time to decide, on top of the latency; drawn log-normally.
        pace: share of an unhurried hand's speed.
        tremor_m: standard deviation of the hand's unrest in each axis; rotation 3 rad a m.
        misjudged_m: ... of how far beside the goal the person aims in fast motion; slower motion
            is more precise in proportion.
        fingers: ... of the trigger, 0..1.
        align_m, align_rad: most that a hand is beside the robot's when the person thinks they are
            aligned.
        hesitation_s: getting used to the robot after the takeover, before the work goes on.
        wrong_move: chance that a piece of the work (about 4 s) begins with a wrong move.
        wrong_m: how far such a move leads astray, span.
        late: chance that a takeover comes late; ``late_s``: by how much, span.
    """

    name: str
    latency_s: Span
    reaction_s: float
    pace: float
    tremor_m: float
    misjudged_m: float
    fingers: float
    align_m: float
    align_rad: float
    hesitation_s: Span
    wrong_move: float
    wrong_m: Span
    late: float
    late_s: Span = (1.0, 3.0)

    def reaction(self, rng: np.random.Generator) -> float:
        """Return a time to decide, s."""
        return self.reaction_s * float(np.exp(REACTION_SPREAD * rng.standard_normal()))

    def lateness(self, rng: np.random.Generator) -> float:
        """Return by how much a takeover comes late, s; mostly 0."""
        late, by = rng.random() < self.late, float(rng.uniform(*self.late_s))
        return by if late else 0.0


REACTION_SPREAD = 0.35
"""Of the logarithm: the slowest tenth of the reactions takes 1.6 times as long as the median."""

SKILLS = {
    skill.name: skill
    for skill in (
        Skill("expert", (0.05, 0.08), 0.3, 1.0, 0.0006, 0.002, 0.01, 0.008, 0.04,
              (0.8, 1.4), 0.02, (0.02, 0.04), 0.05),
        Skill("skilled", (0.06, 0.12), 0.45, 0.85, 0.0010, 0.004, 0.02, 0.015, 0.08,
              (1.0, 2.2), 0.08, (0.03, 0.06), 0.15),
        Skill("novice", (0.09, 0.15), 0.8, 0.65, 0.0030, 0.010, 0.06, 0.035, 0.18,
              (1.6, 3.2), 0.30, (0.05, 0.10), 0.40),
    )
}  # fmt: skip
"""Name -> skill."""


def skill_of(name: str) -> Skill:
    """Return a skill by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in SKILLS:
        raise ConfigError("skill", name, SKILLS, "simulated operator")
    return SKILLS[name]
