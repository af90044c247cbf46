"""CommandFilter: every command is within the robot's limits of speed, acceleration and jerk.

Each tick a time-optimal, jerk-limited motion to rest (ruckig) is planned from where the command
is, and its first ``dt`` seconds are sent. Because every plan ends at rest inside the position
limits, the command can always stop inside them.

A plan that ends at rest trails a moving target by its braking distance. The filter therefore
aims that distance ahead of a target whose speed is known: at the point where a motion that
passes the target at its speed would come to rest. ``lead`` is the part of it that is used.
"""

from __future__ import annotations

import numpy as np
from ruckig import (
    ControlInterface,
    InputParameter,
    Result,
    Ruckig,
    RuckigError,
    Synchronization,
    Trajectory,
)

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ConfigError, ContractError
from rove_core.robot.spec import RobotSpec

LEAD = 0.7
"""Part of the braking distance that the filter aims ahead. On a sine of 0.5 Hz and 0.3 rad, 1.0
tracks within 0.02 rad but overshoots a target that stops dead by all of its braking distance and
doubles the acceleration caused by noise; 0 trails by 0.07 rad in legs and waist."""

LONGEST = 2.0
"""Longest dt that moves the command, in nominal ticks: after a gap the robot must not catch up."""


_NOTHING = 1e-10
"""rad/s and rad/s2 that count as zero: the solver fails on speeds like 1e-50."""


class CommandFilter:
    """Turns targets into commands. Holds state; one per robot.

    Args:
        spec: the robot whose limits are kept.
        nominal_dt: s between two ticks, of the robot's time.
        lead: 0..1, part of the braking distance that is aimed ahead of a moving target.

    Raises:
        ConfigError: ``nominal_dt`` is not positive or ``lead`` is not in 0..1.
    """

    def __init__(self, spec: RobotSpec, nominal_dt: float = 0.005, lead: float = LEAD) -> None:
        if not 0.0 < nominal_dt <= 0.1:
            raise ConfigError("nominal_dt", nominal_dt, "0 < s <= 0.1", "CommandFilter")
        if not 0.0 <= lead <= 1.0:
            raise ConfigError("lead", lead, "0..1", "CommandFilter")
        n = spec.size
        self._lower, self._upper, self._size = spec.lower, spec.upper, n
        a, j = spec.acceleration, spec.jerk
        self._speed, self._ramp_speed = spec.velocity, a * a / j
        self._per_jerk, self._per_twice_acceleration, self._half_ramp = 1 / j, 0.5 / a, 0.5 * a / j
        self._longest, self._lead = LONGEST * nominal_dt, lead
        self._ruckig, self._plan, self._next = Ruckig(n), Trajectory(n), Trajectory(n)
        self._to, self._stop = InputParameter(n), InputParameter(n)
        for task in (self._to, self._stop):
            task.synchronization = Synchronization.No  # a finger need not wait for a knee
            task.max_velocity = spec.velocity.tolist()
            task.max_acceleration = spec.acceleration.tolist()
            task.max_jerk = spec.jerk.tolist()
        self._stop.control_interface = ControlInterface.Velocity
        self._p: list[float] | None = None
        self._v: list[float] = [0.0] * n
        self._a: list[float] = [0.0] * n
        self._position: FloatArray | None = None
        self._resting, self._planned, self._elapsed = True, False, 0.0
        self.failures = 0
        """Plans that the solver refused; such a tick brakes instead."""

    @property
    def position(self) -> FloatArray | None:
        """(N,) rad, the command as last sent, read-only; None before the first anchor."""
        return self._position

    @property
    def velocity(self) -> FloatArray:
        """(N,) rad/s of the command."""
        return np.array(self._v)

    @property
    def acceleration(self) -> FloatArray:
        """(N,) rad/s2 of the command."""
        return np.array(self._a)

    @property
    def speed(self) -> float:
        """Speed of the fastest joint, rad/s."""
        return 0.0 if self._resting else max(map(abs, self._v))

    def anchor(self, position: FloatArray) -> None:
        """Restart at rest from ``position`` (N,) rad as measured, moved inside the limits.

        A finger that sags a milliradian past its limit would otherwise make a command that
        every robot refuses.

        Raises:
            ContractError: wrong shape or not finite.
        """
        measured = frozen_floats(position, (self._size,), "anchor")
        inside = np.clip(measured, self._lower, self._upper)
        self._position = frozen_floats(inside, (self._size,), "anchor")
        self._p = self._position.tolist()
        self._v, self._a = [0.0] * self._size, [0.0] * self._size
        self._resting, self._planned = True, False

    def step(
        self, target: FloatArray | None, dt: float, velocity: FloatArray | None = None
    ) -> FloatArray:
        """Move the command by one tick and return it, (N,) rad, read-only.

        Args:
            target: (N,) rad, finite, clipped to the position limits; None brakes to a stop.
            dt: s of robot time since the last step; <= 0 does not move, more than two nominal
                ticks count as two.
            velocity: (N,) rad/s at which the target moves, None when it rests or nobody knows.

        Raises:
            ContractError: the filter was not anchored yet.
        """
        if self._p is None or self._position is None:
            raise ContractError("command filter: step before the first anchor")
        if dt <= 0.0 or (target is None and self._resting):
            return self._position
        dt = min(dt, self._longest)
        if (target is not None and self._approach(target, velocity)) or self._solve(self._stop):
            self._elapsed = 0.0
        elif not self._planned:
            return self._position
        self._planned = True
        self._elapsed += dt  # without a new plan the one before goes on: it ends at rest
        position, velocities, accelerations = self._plan.at_time(self._elapsed)
        # The planner ends some 1e-9 rad beyond its target; a robot refuses what is past a limit.
        self._position = np.clip(position, self._lower, self._upper)
        self._position.setflags(write=False)
        self._p = position
        self._v = [0.0 if abs(v) < _NOTHING else v for v in velocities]
        self._a = [0.0 if abs(a) < _NOTHING else a for a in accelerations]
        self._resting = target is None and self._elapsed >= self._plan.duration
        return self._position

    def braking_distance(self, velocity: FloatArray) -> FloatArray:
        """Return the signed (N,) rad from passing at ``velocity`` (N,) rad/s to rest.

        Jerk-limited: the deceleration rises and falls at full jerk, v * sqrt(v / j), and is
        capped where it would exceed the limit a, v^2 / 2a + v a / 2j.
        """
        v = np.minimum(np.abs(velocity), self._speed)
        short = v * np.sqrt(v * self._per_jerk)
        long = v * (v * self._per_twice_acceleration + self._half_ramp)
        return np.copysign(np.where(v <= self._ramp_speed, short, long), velocity)

    def _approach(self, target: FloatArray, velocity: FloatArray | None) -> bool:
        aim = target
        if velocity is not None and self._lead:
            aim = target + self._lead * self.braking_distance(velocity)
        self._to.target_position = np.clip(aim, self._lower, self._upper).tolist()
        return self._solve(self._to)

    def _solve(self, task: InputParameter) -> bool:
        task.current_position = self._p
        task.current_velocity = self._v
        task.current_acceleration = self._a
        try:
            result = self._ruckig.calculate(task, self._next)
        except RuckigError:  # a corner of its arithmetic, about once in 10^6 plans of a joint
            result = Result.Error
        if result not in (Result.Working, Result.Finished):
            self.failures += 1
            return False
        self._plan, self._next = self._next, self._plan
        return True
