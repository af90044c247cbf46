"""CommandFilter: every command is within the robot's limits of speed, acceleration and jerk.

Each tick a time-optimal, jerk-limited motion to rest (ruckig) is planned from where the command
is, and its first ``dt`` seconds are sent. Because every plan ends at rest inside the position
limits, the command can always stop inside them.

With every command goes a *halt*: the shortest motion to rest from there. A step is taken only if
its halt keeps its ``Room`` (apart from itself, inside the workspace); else the joints that make it
worse brake instead, on the halt that was looked at one tick before. So there always is a way to
rest that was looked at, whoever drives. What a robot does not keep when it is anchored it may
leave, and may not make worse.

A plan that ends at rest trails a moving target by its braking distance. The filter therefore
aims that distance ahead of a target whose speed is known: at the point where a motion that
passes the target at its speed would come to rest. ``lead`` is the part of it that is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

from rove_core.arrays import BoolArray, FloatArray, Indices, frozen_floats
from rove_core.errors import ConfigError, ContractError
from rove_core.robot.spec import RobotSpec
from rove_teleop.arbiter.lookout import Lookout

if TYPE_CHECKING:  # it brings what is compiled, and not every arbiter keeps room
    from rove_teleop.arbiter.room import Room

LEAD = 0.7
"""Part of the braking distance that the filter aims ahead. On a sine of 0.5 Hz and 0.3 rad, 1.0
tracks within 0.02 rad but overshoots a target that stops dead by all of its braking distance and
doubles the acceleration caused by noise; 0 trails by 0.07 rad in legs and waist."""

LONGEST = 2.0
"""Longest dt that moves the command, in nominal ticks: after a gap the robot must not catch up."""


_NOTHING = 1e-10
"""rad/s and rad/s2 that count as zero: the solver fails on speeds like 1e-50."""


CLEAR = 0.01
"""m of slack from which a requirement that held joints back is done with: clearly more than where
they are stopped, so that they do not start and brake in turns."""

BENT = 0.005
"""rad by which joints may have turned since slopes were measured that tell which joints to hold;
slopes choose, they do not decide: the step that they lead to is looked at."""

RETRIES = 4
"""Sets of joints that are tried to be held before everything brakes."""


class CommandFilter:
    """Turns targets into commands. Holds state; one per robot.

    Args:
        spec: the robot whose limits are kept.
        nominal_dt: s between two ticks, of the robot's time.
        lead: 0..1, part of the braking distance that is aimed ahead of a moving target.
        room: what postures must keep; None: nothing.

    Raises:
        ConfigError: ``nominal_dt`` is not positive or ``lead`` is not in 0..1.
    """

    def __init__(
        self,
        spec: RobotSpec,
        nominal_dt: float = 0.005,
        lead: float = LEAD,
        room: Room | None = None,
    ) -> None:
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
        self._ruckig, self._plan = Ruckig(n), Trajectory(n)
        self._halt, self._next_halt = Trajectory(n), Trajectory(n)
        self._to, self._stop = InputParameter(n), InputParameter(n)
        for task in (self._to, self._stop):
            task.synchronization = Synchronization.No  # a finger need not wait for a knee
            task.max_velocity = spec.velocity.tolist()
            task.max_acceleration = spec.acceleration.tolist()
            task.max_jerk = spec.jerk.tolist()
        self._stop.control_interface = ControlInterface.Velocity
        self._room = room
        self._lookout = Lookout(room) if room is not None else None
        self._p: list[float] | None = None
        self._v: list[float] = [0.0] * n
        self._a: list[float] = [0.0] * n
        self._position: FloatArray | None = None
        self._halted = 0.0  # s of the halt that were used up
        self._rest = np.zeros(n)  # where it ends
        self._held: BoolArray = np.zeros(n, dtype=bool)
        # Requirements that hold joints back.
        self._tight: BoolArray = np.zeros(len(room.names) if room is not None else 0, dtype=bool)
        self._slopes: FloatArray = np.zeros(
            (0, n)
        )  # m/rad of ``_sloping``, where the halt ended then
        self._sloping, self._sloped_at = np.zeros(0, dtype=np.intp), np.zeros(n)
        self._slope_joints: BoolArray = np.zeros(n, dtype=bool)
        self._told: tuple[str, ...] = ()
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
        return max(map(abs, self._v))

    @property
    def held_back(self) -> tuple[str, ...]:
        """Names of the requirements that keep joints from their target now."""
        return self._told

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
        self._rest = np.array(self._position)
        self._halted = np.inf
        self._release()
        if self._lookout is not None:
            self._lookout.anchor(self._rest)

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
        if dt <= 0.0:
            return self._position
        dt = min(dt, self._longest)
        if target is None:
            self._release()
        stepped = target is not None and self._approach(self._aim(target, velocity), dt)
        if not stepped:
            self._brake(dt)
        self._told = ()
        if self._room is not None and self._held.any():
            self._told = tuple(self._room.names[i] for i in np.flatnonzero(self._tight))
        return self._position

    def _release(self) -> None:
        """Nothing holds joints back any more."""
        self._held[:] = False
        self._tight[:] = False
        self._told = ()

    def _brake(self, dt: float) -> None:
        """Go on by the halt that was looked at before."""
        if self._halted < self._halt.duration:
            self._halted += dt
            position, velocity, faster = self._halt.at_time(self._halted)
            self._move(position, _clean(velocity), _clean(faster))

    def _move(self, position: list[float], velocity: list[float], faster: list[float]) -> None:
        # The planner ends some 1e-9 rad beyond its target; a robot refuses what is past a limit.
        self._position = np.minimum(np.maximum(position, self._lower), self._upper)
        self._position.setflags(write=False)
        self._p, self._v, self._a = position, velocity, faster

    def _aim(self, target: FloatArray, velocity: FloatArray | None) -> FloatArray:
        aim = target
        if velocity is not None and self._lead:
            aim = target + self._lead * self.braking_distance(velocity)
        aimed: FloatArray = np.minimum(np.maximum(aim, self._lower), self._upper)
        return aimed

    def _approach(self, aim: FloatArray, dt: float) -> bool:
        """Take a step towards (N,) rad by the joints that are free to; False: none was found."""
        if self._held.any():
            self._let_go(aim)
        self._at(self._to, self._p, self._v, self._a)
        for _ in range(RETRIES):
            # A joint that is held goes where its halt ends: braking is the quickest way to there.
            goal = np.where(self._held, self._rest, aim)
            self._to.target_position = goal.tolist()
            if not self._solve(self._to, self._plan):
                return False
            position, velocity, faster = self._plan.at_time(dt)
            velocity, faster = _clean(velocity), _clean(faster)
            self._at(self._stop, position, velocity, faster)
            if not self._solve(self._stop, self._next_halt):
                return False
            halt = self._next_halt
            rest = np.array(halt.at_time(halt.duration)[0])
            bad = None
            if self._lookout is not None:
                bad = self._lookout.broken(np.array(position), rest, self._halting)
            if bad is None:
                self._halt, self._next_halt = halt, self._halt
                self._halted, self._rest = 0.0, rest
                self._move(position, velocity, faster)
                return True
            assert self._room is not None
            self._tight |= bad
            more = self._worse(bad, rest - self._rest) & ~self._held
            self._held |= more if more.any() else self._room.moved_by[bad].any(axis=0)
        self._held[:] = True
        return False

    def _halting(self, part: float) -> FloatArray:
        """Return where the next halt is, (N,) rad, after a part of its time."""
        return np.array(self._next_halt.at_time(part * self._next_halt.duration)[0])

    def _let_go(self, aim: FloatArray) -> None:
        """Hold only what goes on to make a requirement worse that is near where it is stopped."""
        assert self._lookout is not None
        self._tight &= self._lookout.slack < CLEAR
        rows = np.flatnonzero(self._tight)
        if not np.array_equal(rows, self._sloping) or self._turned() > BENT:
            self._measure_slopes(rows)
        self._held = self._losing(aim - self._rest)

    def _turned(self) -> float:
        """Return how far joints that matter to the slopes have turned since they were measured."""
        away = np.abs(self._rest - self._sloped_at)
        away *= self._slope_joints
        return float(away.max())

    def _measure_slopes(self, rows: Indices) -> None:
        assert self._room is not None
        self._slopes = self._room.gradients(self._rest, rows)
        self._sloping, self._sloped_at = rows, self._rest
        matter: BoolArray = np.any(self._room.moved_by[rows], axis=0)
        self._slope_joints = matter

    def _worse(self, requirements: BoolArray, way: FloatArray) -> BoolArray:
        """Return which joints (N,) make some requirements (C,) worse by a way of (N,) rad."""
        self._measure_slopes(np.flatnonzero(requirements))
        return self._losing(way)

    def _losing(self, way: FloatArray) -> BoolArray:
        losing: BoolArray = np.any(self._slopes * way < -_NOTHING, axis=0)
        return losing

    def braking_distance(self, velocity: FloatArray) -> FloatArray:
        """Return the signed (N,) rad from passing at ``velocity`` (N,) rad/s to rest.

        Jerk-limited: the deceleration rises and falls at full jerk, v * sqrt(v / j), and is
        capped where it would exceed the limit a, v^2 / 2a + v a / 2j.
        """
        v = np.minimum(np.abs(velocity), self._speed)
        short = v * np.sqrt(v * self._per_jerk)
        long = v * (v * self._per_twice_acceleration + self._half_ramp)
        return np.copysign(np.where(v <= self._ramp_speed, short, long), velocity)

    def _at(
        self,
        task: InputParameter,
        position: list[float] | None,
        velocity: list[float],
        acceleration: list[float],
    ) -> None:
        task.current_position = position
        task.current_velocity, task.current_acceleration = velocity, acceleration

    def _solve(self, task: InputParameter, plan: Trajectory) -> bool:
        try:
            result = self._ruckig.calculate(task, plan)
        except RuckigError:  # a corner of its arithmetic, about once in 10^6 plans of a joint
            result = Result.Error
        if result not in (Result.Working, Result.Finished):
            self.failures += 1
            return False
        return True


def _clean(speeds: list[float]) -> list[float]:
    """Return speeds or accelerations in which what counts as zero is zero."""
    return [0.0 if -_NOTHING < s < _NOTHING else s for s in speeds]
