"""The robot's own last line: which commands it obeys, and when it holds by itself.

Every robot of the graph, simulated or a bridge to hardware, puts this in front of its drives. It
trusts nobody: the arbiter may be dead, doubled, restarted or wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

import numpy as np

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.robot import RobotSpec

TIMEOUT_S = 0.05  # ten ticks of the arbiter
LIMIT_TOLERANCE_RAD = 1e-3  # rounding of a producer that clips to the same limits
# A command may be this far from the present target. Five ticks (25 ms, half the time-out) at the
# fastest joint (6 rad/s) are 0.15 rad; a wrong joint order or a jump at takeover is far above.
MAX_JUMP_RAD = 0.2


class Refusal(Enum):
    """Why a command was not obeyed."""

    SHAPE = "wrong length or not a number"
    LIMITS = "outside the joint limits"
    JUMP = "too far from the present target"
    PUBLISHER = "from a second publisher"
    EPOCH = "of an older epoch"
    SEQUENCE = "not newer than the last one"


@dataclass(frozen=True)
class GuardState:
    """What the guard shows to others.

    Attributes:
        holding: whether the robot keeps its target because no good command is coming.
        reason: why it holds, or the last refusal while it follows; empty when all is well.
        epoch: newest epoch that was obeyed, -1 before the first command.
        accepted: commands obeyed so far.
        refused: refusals so far by their kind.
    """

    holding: bool
    reason: str
    epoch: int
    accepted: int
    refused: dict[Refusal, int]


class RobotGuard:
    """Filters commands and remembers the target; time comes from the caller's monotonic clock."""

    def __init__(
        self,
        spec: RobotSpec,
        measured: FloatArray,
        now_s: float,
        timeout_s: float = TIMEOUT_S,
        max_jump: float = MAX_JUMP_RAD,
    ) -> None:
        """Start holding at ``measured``, (N,) rad.

        Args:
            spec: whose limits count.
            measured: (N,) rad, where the robot stands.
            now_s: s, monotonic.
            timeout_s: s without a good command after which the robot holds.
            max_jump: rad, largest step of any joint from the present target.
        """
        self._spec, self._timeout, self._max_jump = spec, timeout_s, max_jump
        self._target = frozen_floats(measured, (spec.size,), "measured joints")
        self._last_s = now_s - timeout_s
        self._epoch, self._sequence = -1, -1
        self._accepted, self._refused = 0, Counter[Refusal]()
        self._refusal = ""

    @property
    def target(self) -> FloatArray:
        """(N,) rad for the drives. A holding robot keeps the last one: it may carry something."""
        return self._target

    def command(
        self,
        target: FloatArray,
        epoch: int,
        sequence: int,
        now_s: float,
        measured: FloatArray,
    ) -> Refusal | None:
        """Offer a command; return why it is refused, or None when it is the new target.

        Args:
            target: (N,) rad, joint order of the robot.
            epoch: of the arbiter's life; a restarted arbiter comes with a higher one.
            sequence: rises within an epoch.
            now_s: s, monotonic.
            measured: (N,) rad, the joints now. A robot that holds may also be picked up from
                where it is: an arbiter that restarts begins at the measured joints, and under load
                these are farther from the held target than a jump may be.
        """
        silent = self._silence(now_s) >= self._timeout
        pick_up = measured if silent else self._target
        refusal, detail = self._judge(target, epoch, sequence, pick_up, silent)
        if refusal is not None:
            self._refused[refusal] += 1
            self._refusal = f"command {refusal.value}{detail}"
            return refusal
        self._target = frozen_floats(
            np.clip(target, self._spec.lower, self._spec.upper), (self._spec.size,), "target"
        )
        self._epoch, self._sequence = epoch, sequence
        self._last_s, self._refusal = now_s, ""
        self._accepted += 1
        return None

    def _silence(self, now_s: float) -> float:
        return now_s - self._last_s

    def _judge(
        self, target: FloatArray, epoch: int, sequence: int, pick_up: FloatArray, silent: bool
    ) -> tuple[Refusal | None, str]:
        # Who before what: a stranger's command says nothing about the arbiter's quality.
        if epoch < self._epoch:
            return Refusal.EPOCH, f": {epoch}, newest is {self._epoch}"
        if epoch > self._epoch and not silent:
            # A restarted arbiter leaves a gap behind; a second one beside the first does not.
            return Refusal.PUBLISHER, f": epoch {epoch} while {self._epoch} is alive"
        if epoch == self._epoch and sequence <= self._sequence:
            return Refusal.SEQUENCE, f": {sequence}, last is {self._sequence}"
        try:
            values = np.asarray(target, dtype=np.float64)
        except (TypeError, ValueError):
            return Refusal.SHAPE, ""
        if values.shape != (self._spec.size,) or not np.isfinite(values).all():
            return Refusal.SHAPE, f": shape {values.shape}, ({self._spec.size},) finite allowed"
        excess = np.maximum(values - self._spec.upper, self._spec.lower - values)
        worst = int(excess.argmax())
        if excess[worst] > LIMIT_TOLERANCE_RAD:
            return Refusal.LIMITS, f": {self._spec.joint_names[worst]} by {excess[worst]:.3f} rad"
        jump = np.minimum(np.abs(values - self._target), np.abs(values - pick_up))
        worst = int(jump.argmax())
        if jump[worst] > self._max_jump:
            return Refusal.JUMP, f": {self._spec.joint_names[worst]} by {jump[worst]:.3f} rad"
        return None, ""

    def state(self, now_s: float) -> GuardState:
        """Return what the guard does at ``now_s`` (s, monotonic) and why."""
        silent = self._silence(now_s)
        holding = silent >= self._timeout
        reason = self._refusal
        if holding:
            why = f"no command for {silent * 1e3:.0f} ms" if self._accepted else "no command yet"
            reason = f"{why}; {self._refusal}" if self._refusal else why
        return GuardState(holding, reason, self._epoch, self._accepted, dict(self._refused))
