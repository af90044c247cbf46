"""Timeouts and limits of the arbiter: every number with its unit and its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from rove_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the arbiter waits, and how far apart things may be.

    Seconds are monotonic except where a line says ROS time.

    Attributes:
        operator_frame: s without a frame of the lease holder in ALIGN, HUMAN or CLUTCH until
            HOLD; seven frames at 72 Hz.
        human_target: s without a valid joint target in HUMAN: silence sends to HOLD, invalid
            targets to CLUTCH; the robot holds in place from the first invalid target on.
        chunk: s that the robot holds in place in AUTONOMOUS behind an expired chunk until HOLD.
        policy_silence: s without any new chunk in AUTONOMOUS until HOLD, whatever the stamps
            say; a policy of 2 Hz beside a simulator at a quarter of real time still passes.
        joint_states: s without joint states until HOLD.
        lease_grace: s that a silent holder keeps the lease.
        proof_of_life: s of steady frames before a lease is granted.
        proof_rate: Hz that those frames must have at least.
        clock_back: s of ROS time that the clock may step back, for a disciplined system clock.
        clock_ahead: s that ROS time may gain on monotonic time between two ticks; a simulator
            that runs without pacing gains 0.2 s at 40 times real time.
        tick_gap: s between two ticks after which the arbiter counts as suspended.
        stamp_behind: s of ROS time after which a frame or target is too old to act upon.
        stamp_ahead: s of ROS time that a stamp may lie in the future.
        heartbeat: s without a right answer of a mandatory heartbeat until ESTOP.
        heartbeat_period: s for which a challenge is shown; answers to the one before count, too.
        align_position: m, largest wrist error at which ALIGN accepts the squeeze: more than that
            and the operator reaches for a posture that the robot is not in.
        align_orientation: rad, likewise for the wrists' orientation.
        discontinuity: rad between command and measured joints, while nobody drives, from which
            the command restarts at the measured joints.
        discontinuity_time: s that this must last; a servo lags by as much for a moment.
    """

    operator_frame: float = 0.1
    human_target: float = 0.1
    chunk: float = 0.5
    policy_silence: float = 2.0
    joint_states: float = 0.1
    lease_grace: float = 2.0
    proof_of_life: float = 0.5
    proof_rate: float = 30.0
    clock_back: float = 0.05
    clock_ahead: float = 1.0
    tick_gap: float = 0.25
    stamp_behind: float = 0.5
    stamp_ahead: float = 0.25
    heartbeat: float = 0.5
    heartbeat_period: float = 0.1
    align_position: float = 0.15
    align_orientation: float = 0.6
    discontinuity: float = 0.15
    discontinuity_time: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"timeout {field.name}", value, "finite and > 0", "Timeouts")
        if self.heartbeat < 2 * self.heartbeat_period:
            raise ConfigError(
                "timeout heartbeat",
                self.heartbeat,
                f"at least twice heartbeat_period ({self.heartbeat_period} s)",
                "Timeouts",
            )
        if self.lease_grace < self.operator_frame:
            raise ConfigError(
                "timeout lease_grace",
                self.lease_grace,
                f"at least operator_frame ({self.operator_frame} s)",
                "Timeouts",
            )
