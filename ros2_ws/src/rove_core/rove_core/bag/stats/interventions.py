"""Interventions: the turns that an operator took from the policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.bag.stats.commands import Commands
from rove_core.modes import TURN_MODES
from rove_core.vocabulary import Mode, Stage


@dataclass(frozen=True)
class Intervention:
    """One turn, from the press to the hand-back.

    Attributes:
        start_ns: ROS time of the tick that took the robot from the policy, ns.
        duration_s: until the operator's turn was over, s.
        align_s: until the operator first drove.
        adaptation_s, recovery_s: driving before and after the mark.
        clutch_s: enable was released within the turn.
        ended_in: the mode that ended it; None when the bag ends first.
    """

    start_ns: int
    duration_s: float
    align_s: float
    adaptation_s: float
    recovery_s: float
    clutch_s: float
    ended_in: Mode | None


def interventions(commands: Commands) -> tuple[Intervention, ...]:
    """Return the interventions of an episode in order; demonstrations are none."""
    inside = np.isin(commands.mode, [int(mode) for mode in TURN_MODES])
    edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    held, found = commands.held_s, []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if commands.mode[begin] != Mode.ALIGN:
            continue  # a demonstration, or a turn that began before the bag
        part = slice(begin, end)
        mode, stage, seconds = commands.mode[part], commands.stage[part], held[part]
        found.append(
            Intervention(
                start_ns=int(commands.stamps[begin]),
                duration_s=float(seconds.sum()),
                align_s=float(seconds[mode == Mode.ALIGN].sum()),
                adaptation_s=float(seconds[stage == Stage.ADAPTATION].sum()),
                recovery_s=float(seconds[stage == Stage.RECOVERY].sum()),
                clutch_s=float(seconds[mode == Mode.CLUTCH].sum()),
                ended_in=Mode(int(commands.mode[end])) if end < len(commands) else None,
            )
        )
    return tuple(found)


def stage_seconds(commands: Commands) -> dict[Stage, float]:
    """Return stage -> s; NONE is what learning never sees."""
    held = commands.held_s
    return {stage: float(held[commands.stage == stage].sum()) for stage in Stage}
