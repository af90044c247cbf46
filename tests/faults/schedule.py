"""What may break, in which mode, and how soon the robot must hold then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rove_core.vocabulary import Mode
from rove_teleop.arbiter.timeouts import Timeouts
from tests.faults.plant import ROW_NS, ROWS

CHUNK_S = (ROWS + 1) * ROW_NS / 1e9
"""A chunk lasts so long after its observation: behind it the robot holds in place."""

GOES_ON = float("inf")
"""Bound of a fault that must change nothing but counters."""


@dataclass(frozen=True)
class Kind:
    """A fault.

    Attributes:
        name: for people.
        part: attribute of ``Faults`` that it sets, "" for one that happens in a moment.
        value: what it is set to.
        modes: modes in which it strikes.
        bound: s from its beginning to a robot that holds, one tick besides.
    """

    name: str
    part: str
    value: str | bool
    modes: tuple[Mode, ...]
    bound: float


_ANY = (Mode.AUTONOMOUS, Mode.HUMAN, Mode.ALIGN, Mode.CLUTCH, Mode.PAUSED)
_HUMAN = (Mode.HUMAN,)
_POLICY = (Mode.AUTONOMOUS,)


def kinds(limits: Timeouts) -> tuple[Kind, ...]:
    """Return every fault with its bound under these timeouts."""
    operator = min(limits.operator_frame, limits.human_target)
    rows = [
        Kind("robot silent", "joints", "silent", _ANY, limits.joint_states),
        Kind("joint states not finite", "joints", "nan", _ANY, limits.joint_states),
        Kind("joint states too short", "joints", "short", _ANY, limits.joint_states),
        Kind("operator silent", "frames", "silent", _HUMAN, operator),
        Kind("operator's frames held up, then in a burst", "frames", "delayed", _HUMAN, operator),
        Kind("operator's frames not finite", "frames", "nan", _HUMAN, operator),
        Kind("operator's frames of an older lease", "frames", "old lease", _HUMAN, operator),
        Kind("operator's frames twice", "frames", "duplicated", _HUMAN, GOES_ON),
        Kind("operator's frames overtake each other", "frames", "reordered", _HUMAN, GOES_ON),
        Kind("a second operator presses and squeezes", "intruder", True, _ANY, GOES_ON),
        Kind("retargeting silent", "targets", "silent", _HUMAN, limits.human_target),
        Kind("targets not valid", "targets", "invalid", _HUMAN, limits.human_target),
        Kind("targets not finite", "targets", "nan", _HUMAN, limits.human_target),
        Kind("targets too short", "targets", "short", _HUMAN, limits.human_target),
        Kind("targets out of range", "targets", "out of range", _HUMAN, GOES_ON),
        Kind("policy silent", "chunks", "silent", _POLICY, CHUNK_S),
        Kind("chunks not finite", "chunks", "nan", _POLICY, CHUNK_S),
        Kind("chunks of old observations", "chunks", "old", _POLICY, CHUNK_S),
        Kind("chunks of future observations", "chunks", "future", _POLICY, CHUNK_S),
        Kind("chunks out of range", "chunks", "out of range", _POLICY, GOES_ON),
        Kind("clock stands still", "clock_dead", True, _ANY, 0.0),
        Kind("clock steps back", "", "clock back", _ANY, 0.0),
        Kind("clock leaps ahead", "", "clock ahead", _ANY, 0.0),
        Kind("arbiter suspended", "", "suspended", _ANY, 0.0),
        Kind("arbiter restarted", "", "restarted", _ANY, 0.0),
        Kind("e-stop button", "", "e-stop button", _ANY, 3 * 0.005),
        Kind("e-stop request", "", "e-stop request", _ANY, 0.0),
        Kind("operator's device connects anew", "", "reconnect", _HUMAN, 3 * 0.005),
        Kind("slow ticks", "", "slow ticks", _ANY, GOES_ON),
    ]
    return tuple(rows)


@dataclass(frozen=True)
class Schedule:
    """One run: what breaks when.

    Attributes:
        seed: makes everything else.
        kind: the fault.
        mode: in which it strikes.
        wait: ticks in that mode before it strikes.
        lasts: ticks until it is mended.
        other: a fault that also strikes, from a random moment on, None for none.
        other_after: ticks from the first fault to it.
    """

    seed: int
    kind: Kind
    mode: Mode
    wait: int
    lasts: int
    other: Kind | None
    other_after: int


def draw(seed: int, limits: Timeouts) -> Schedule:
    """Return the schedule of a seed; consecutive seeds go through all kinds and modes."""
    rng = np.random.default_rng([seed, 2606])
    pairs = [(kind, mode) for kind in kinds(limits) for mode in kind.modes]
    kind, mode = pairs[(seed * 37) % len(pairs)]
    lasting = [k for k in kinds(limits) if k.part and k.part != kind.part]
    other = lasting[rng.integers(len(lasting))] if rng.random() < 0.5 else None
    return Schedule(
        seed=seed,
        kind=kind,
        mode=mode,
        wait=int(rng.integers(10, 120)),
        lasts=int(rng.integers(10, 400)),
        other=other,
        other_after=int(rng.integers(0, 200)),
    )
