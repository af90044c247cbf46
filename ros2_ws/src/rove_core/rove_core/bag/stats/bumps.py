"""Bumps: what a change of authority did to the robot, beside what ordinary motion does.

The arbiter measures its own changes (``arbiter/handover``). Bags without those messages (older
versions) get the same figures from their commands, by finite differences of what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.bag.episode import COMMAND_HOLD_NS
from rove_core.bag.reader import Bag
from rove_core.bag.stats.commands import Commands, IntArray
from rove_core.vocabulary import Authority, HandoverKind, Mode

WINDOW_NS = 500_000_000
"""After a change; the command filter has taken up any difference by then."""
FEWEST_NORMAL = 200
"""Moving commands (1 s); of fewer a 99th percentile says nothing."""
HANDOVER = "arbiter/handover"
_NAN = float("nan")


@dataclass(frozen=True)
class Motion:
    """Largest of any joint: step between commands, rad; rad/s; rad/s2; rad/s3. NaN: unknown."""

    step: float = _NAN
    velocity: float = _NAN
    acceleration: float = _NAN
    jerk: float = _NAN


@dataclass(frozen=True)
class Bump:
    """One change of authority.

    Attributes:
        kind: takeover, engage or handback.
        stamp_ns: ROS time of the tick that changed it, ns.
        by_arbiter: measured by the arbiter while it happened, not from the commands afterwards.
        motion: the largest within the window after it.
        normal: 99th percentile in ordinary motion of this bag; the arbiter's own for its step.
        joint: which made the largest step.
        press_to_authority_ms: from the press, NaN without one.
    """

    kind: HandoverKind
    stamp_ns: int
    by_arbiter: bool
    motion: Motion
    normal: Motion
    joint: str
    press_to_authority_ms: float = _NAN

    @property
    def ratio(self) -> float:
        """Step over the step of ordinary motion; NaN while that is unknown."""
        return self.motion.step / self.normal.step if self.normal.step > 0 else _NAN


@dataclass(frozen=True)
class _Differences:
    """Finite differences of the K commands with a stamp of their own; NaN where none exists.

    Attributes:
        index: (K,) into the commands.
        steps: (K, N) rad since the one before.
        largest: (K, 4) over the joints: |step|, |velocity|, |acceleration|, |jerk|.
    """

    index: IntArray
    steps: FloatArray
    largest: FloatArray


def bumps(bag: Bag, commands: Commands) -> tuple[Bump, ...]:
    """Return the changes of authority of an episode in order of time.

    Raises:
        BagError: it cannot be read.
    """
    differences = _differentiate(commands)
    changes = _changes(commands)
    normal = _normal(commands, differences, changes)
    if HANDOVER in bag.topics and bag.topics[HANDOVER].count:
        return tuple(_told(message.message, normal) for message in bag.messages([HANDOVER]))
    names = bag.info.joint_names
    return tuple(_measured(kind, i, commands, differences, normal, names) for kind, i in changes)


def _told(message: Any, normal: Motion) -> Bump:
    motion = (message.step, message.velocity, message.acceleration, message.jerk)
    own = float(message.normal_step)
    return Bump(
        kind=HandoverKind(message.kind),
        stamp_ns=message.changed.sec * 10**9 + message.changed.nanosec,
        by_arbiter=True,
        motion=Motion(*(float(value) for value in motion)),
        normal=replace(normal, step=own) if own > 0 else normal,
        joint=message.joint,
        press_to_authority_ms=float(message.press_to_authority_ms),
    )


def _changes(commands: Commands) -> list[tuple[HandoverKind, int]]:
    found = []
    for i in commands.entered:
        before, mode = commands.mode[i - 1], commands.mode[i]
        if mode == Mode.ALIGN:
            found.append((HandoverKind.TAKEOVER, int(i)))
        elif mode == Mode.HUMAN:
            found.append((HandoverKind.ENGAGE, int(i)))
        elif mode == Mode.AUTONOMOUS and before == Mode.HANDBACK:
            found.append((HandoverKind.HANDBACK, int(i)))
    return found


def _differentiate(commands: Commands) -> _Differences:
    stamps = commands.stamps
    # A clock that stands still for a tick moves nothing; the first command of a stamp counts.
    own = np.flatnonzero(np.diff(stamps, prepend=stamps[:1] - 1) > 0)
    n = commands.position.shape[1]
    steps = np.full((len(own), n), np.nan)
    if len(own) > 1:
        dt_ns = np.diff(stamps[own])
        steps[1:] = np.diff(commands.position[own], axis=0)
        # Behind a hole in the recording, or in another epoch, a step is no motion.
        broken = (dt_ns >= COMMAND_HOLD_NS) | (np.diff(commands.epoch[own]) != 0)
        steps[1:][broken] = np.nan
        dt = np.concatenate([[np.nan], dt_ns / 1e9])[:, None]
        velocity = steps / dt
        acceleration = np.diff(velocity, axis=0, prepend=np.nan) / dt
        jerk = np.diff(acceleration, axis=0, prepend=np.nan) / dt
        orders = (steps, velocity, acceleration, jerk)
        largest = np.stack([np.abs(values).max(axis=1, initial=0.0) for values in orders], axis=1)
    else:
        largest = np.full((len(own), 4), np.nan)
    return _Differences(own, steps, largest)


def _normal(
    commands: Commands, differences: _Differences, changes: list[tuple[HandoverKind, int]]
) -> Motion:
    own = differences.index
    moving: npt.NDArray[np.bool_] = commands.authority[own] != Authority.HOLD
    for _, i in changes:
        since = commands.stamps[own] - commands.stamps[i]
        moving &= (since < 0) | (since >= WINDOW_NS)
    rows = differences.largest[moving]
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < FEWEST_NORMAL:
        return Motion()
    return Motion(*(float(v) for v in np.percentile(rows, 99, axis=0)))


def _measured(
    kind: HandoverKind,
    i: int,
    commands: Commands,
    differences: _Differences,
    normal: Motion,
    names: tuple[str, ...],
) -> Bump:
    own = differences.index
    begin = int(commands.stamps[i])
    later = commands.entered[commands.entered > i]
    end = begin + WINDOW_NS
    if len(later):  # what comes next ends the window of what was before
        end = min(end, int(commands.stamps[later[0]]) - 1)
    window = (commands.stamps[own] >= begin) & (commands.stamps[own] <= end)
    rows, steps = differences.largest[window], differences.steps[window]
    finite = np.isfinite(rows)
    motion = Motion()
    joint = ""
    if finite[:, 0].any():
        best = np.where(finite, rows, -np.inf).max(axis=0)
        motion = Motion(*(float(v) if np.isfinite(v) else _NAN for v in best))
        row = int(np.nanargmax(rows[:, 0]))
        joint = names[int(np.argmax(np.abs(steps[row])))]
    return Bump(kind, begin, False, motion, normal, joint)
