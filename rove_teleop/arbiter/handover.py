"""HandoverMeter: what a change of authority did to the robot, measured from the commands sent."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from rove_core.action import NS
from rove_core.arrays import FloatArray
from rove_core.vocabulary import Authority, HandoverKind, Mode
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.transitions import Event

WINDOW_S = 0.5
"""ROS time after a change that is looked at: the filter has taken up any difference by then."""
NORMAL_TICKS = 4000
"""20 s of motion at 200 Hz, from which the ordinary step is known."""
FEWEST_NORMAL = 200
"""1 s; of fewer a 99th percentile says nothing."""

_KINDS = {
    Event.TAKEOVER: HandoverKind.TAKEOVER,
    Event.SQUEEZE: HandoverKind.ENGAGE,
    Event.FRESH_CHUNK: HandoverKind.HANDBACK,
}


@dataclass(frozen=True, slots=True)
class Handover:
    """One measured change of authority (Handover.msg).

    Attributes:
        kind: which change.
        transition: its count in the epoch.
        changed_ns: ROS time of the tick that changed the authority, ns.
        press_to_authority_ms: ms of ROS time from the bridge's stamp of the frame with the press
            to that tick; NaN when nobody pressed.
        window_s: ROS time of the commands that were looked at, s.
        step: rad, largest step of a joint between two commands.
        normal_step: rad, 99th percentile of the largest step per tick in motion before the
            change; NaN while that is not known.
        velocity, acceleration, jerk: rad/s, rad/s2, rad/s3, largest of a joint.
        joint: index of the joint with the largest step, joint order of the spec.
    """

    kind: HandoverKind
    transition: int
    changed_ns: int
    press_to_authority_ms: float
    window_s: float
    step: float
    normal_step: float
    velocity: float
    acceleration: float
    jerk: float
    joint: int


@dataclass(slots=True)
class _Open:
    kind: HandoverKind
    transition: int
    changed_ns: int
    pressed_ns: int
    normal_step: float
    step: float = 0.0
    velocity: float = 0.0
    acceleration: float = 0.0
    jerk: float = 0.0
    joint: int = 0


class HandoverMeter:
    """Watches the commands; one per arbiter.

    Derivatives are finite differences of what was sent, not what the filter believes of itself:
    a fault of the filter must show here.
    """

    def __init__(self) -> None:
        self._normal: deque[float] = deque(maxlen=NORMAL_TICKS)
        self._open: _Open | None = None
        self._quiet_until_ns = 0
        self._ros_ns = 0
        self._position: FloatArray | None = None
        self._velocity: FloatArray | None = None
        self._acceleration: FloatArray | None = None

    def watch(
        self, decision: Decision, position: FloatArray | None, ros_ns: int, anchored: bool
    ) -> tuple[Handover, ...]:
        """Take one tick's command; return the measurements that it completes.

        Args:
            decision: of the tick.
            position: (N,) rad that was sent, None when nothing was.
            ros_ns: ROS time of the tick, ns.
            anchored: the command restarted at measured joints: its step there is no motion.
        """
        done: list[Handover] = []
        for taken, number in zip(
            decision.transitions,
            range(decision.transition - len(decision.transitions) + 1, decision.transition + 1),
            strict=True,
        ):
            # Whatever comes next, in this tick or later, ends the window of what was before.
            if self._open is not None:
                done += self._close()
            if taken.event in _KINDS:
                self._open = _Open(
                    _KINDS[taken.event], number, ros_ns, taken.pressed_ns, self._normal_step()
                )
                self._quiet_until_ns = ros_ns + int(WINDOW_S * NS)
        self._differentiate(decision, position, ros_ns, anchored)
        if self._open is not None and ros_ns - self._open.changed_ns >= WINDOW_S * NS:
            done += self._close()
        return tuple(done)

    def _normal_step(self) -> float:
        if len(self._normal) < FEWEST_NORMAL:
            return math.nan
        return float(np.percentile(self._normal, 99))

    def _differentiate(
        self, decision: Decision, position: FloatArray | None, ros_ns: int, anchored: bool
    ) -> None:
        dt = (ros_ns - self._ros_ns) / NS
        if position is None or self._position is None or anchored:
            self._position, self._ros_ns = position, ros_ns
            self._velocity = self._acceleration = None
            return
        if dt <= 0.0:  # the clock stands still: nothing moves, nothing is measured
            return
        difference = position - self._position
        steps = np.abs(difference)
        velocity = difference / dt
        before, self._velocity = self._velocity, velocity
        acceleration = None if before is None else (velocity - before) / dt
        last, self._acceleration = self._acceleration, acceleration
        jerk = None if acceleration is None or last is None else (acceleration - last) / dt
        self._position, self._ros_ns = position, ros_ns
        step = float(steps.max())
        if self._open is not None:
            seen = self._open
            if step > seen.step:
                seen.step, seen.joint = step, int(steps.argmax())
            seen.velocity = max(seen.velocity, float(np.abs(velocity).max()))
            if acceleration is not None:
                seen.acceleration = max(seen.acceleration, float(np.abs(acceleration).max()))
            if jerk is not None:
                seen.jerk = max(seen.jerk, float(np.abs(jerk).max()))
        elif ros_ns >= self._quiet_until_ns and (
            decision.authority is not Authority.HOLD and decision.mode in _MOVING
        ):
            self._normal.append(step)

    def _close(self) -> list[Handover]:
        seen, self._open = self._open, None
        assert seen is not None
        pressed = seen.pressed_ns
        return [
            Handover(
                kind=seen.kind,
                transition=seen.transition,
                changed_ns=seen.changed_ns,
                press_to_authority_ms=(seen.changed_ns - pressed) / 1e6 if pressed else math.nan,
                window_s=(self._ros_ns - seen.changed_ns) / NS,
                step=seen.step,
                normal_step=seen.normal_step,
                velocity=seen.velocity,
                acceleration=seen.acceleration,
                jerk=seen.jerk,
                joint=seen.joint,
            )
        ]


_MOVING = (Mode.AUTONOMOUS, Mode.HUMAN)
