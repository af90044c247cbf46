"""The pure campaign: thousands of schedules against the real arbiter on virtual time.

Judged are the laws of docs/safety.md: the robot holds in time, nobody but the owner drives, and
no command ever breaks a limit or brings the robot nearer to itself than it may be, whatever breaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Authority, Button, Mode
from rove_teleop.arbiter.arbiter import Tick
from rove_teleop.arbiter.inputs import EmergencyStop, Pause, ResetEmergencyStop
from rove_teleop.arbiter.room import Room
from rove_teleop.arbiter.timeouts import Timeouts
from tests.faults.plant import NS, TICK_S, Plant
from tests.faults.schedule import GOES_ON, Kind, Schedule, draw

NEAREST_M = -0.003
"""m of the margins' 5 and 20 mm that a command may use up: what a hand's way bends between two
looks (test_arbiter_room.py)."""
ROOM_EVERY = 4
"""Schedules of which one keeps the room; its motion is held back by it and takes thrice as long."""
TOLERANCE = 1e-6
"""Relative; the planner's arithmetic is double precision on spans of seconds."""


@dataclass(frozen=True)
class Verdict:
    """How one schedule went.

    Attributes:
        seed, fault, mode: which.
        bound_s: within which the robot had to hold, inf: it had to go on.
        hold_s: after which it held, nan: it never moved or had to go on.
        broken: the laws that were broken, each with its tick; empty when all is well.
    """

    seed: int
    fault: str
    mode: str
    bound_s: float
    hold_s: float
    broken: tuple[str, ...]


class Judge:
    """Holds every tick of a plant against the laws."""

    def __init__(self, plant: Plant, room: Room | None) -> None:
        self._plant, self._spec = plant, plant.spec
        self.broken: list[str] = []
        self._before: tuple[FloatArray, FloatArray, FloatArray, int] | None = None
        self._epoch = plant.epoch
        self._room, self._allowed = room, np.full(len(room.names) if room else 0, NEAREST_M)
        self.taken = False  # a person took the robot from the policy and has not given it back

    def look(self, tick: Tick) -> None:
        """Check one tick."""
        plant, decision = self._plant, tick.decision
        if plant.epoch != self._epoch:  # a restarted arbiter: its first command is no step
            self._epoch, self._before = plant.epoch, None
            if tick.position is not None:
                self._say("a restarted arbiter commanded before it measured", tick.anchored)
        if decision.authority is Authority.HUMAN:
            self._say("a human drives outside of HUMAN", decision.mode is Mode.HUMAN)
            self._say("a human drives without squeezing", plant.told_squeeze > 0.5)
            self._say("somebody else drives", decision.lease_holder == "eve")
        if decision.authority is Authority.POLICY:
            self._say("a policy drives outside of AUTONOMOUS", decision.mode is Mode.AUTONOMOUS)
            self._say("the policy took the robot back by itself", not self.taken)
        if tick.position is not None:
            self._motion(tick)

    def _motion(self, tick: Tick) -> None:
        spec, command = self._spec, self._plant.arbiter.filter
        position = tick.position
        assert position is not None
        velocity, acceleration = command.velocity, command.acceleration
        ros_ns = self._plant.ros_ns
        self._within("position", np.maximum(spec.lower - position, position - spec.upper), 0.0)
        self._within("velocity", np.abs(velocity) - spec.velocity, TOLERANCE * spec.velocity)
        over = np.abs(acceleration) - spec.acceleration
        self._within("acceleration", over, TOLERANCE * spec.acceleration)
        if self._before is not None and not tick.anchored:
            p, v, a, then = self._before
            # The filter never makes up for lost time: at most two ticks of motion.
            dt = min(max((ros_ns - then) / NS, 0.0), 2 * TICK_S)
            # A joint that comes to rest may have reached it inside the tick: only less is allowed.
            self._within("jerk", np.abs(acceleration - a) - spec.jerk * dt, 1e-5 * spec.jerk)
            moved = np.abs(position - p)
            most = np.maximum(np.abs(v), np.abs(velocity)) * dt + spec.jerk * dt**3 + 1e-9
            self._within("step beyond its speed", moved - most, 1e-6)
        still = self._before is not None and np.array_equal(position, self._before[0])
        if self._room is not None and (tick.anchored or not still):
            slack = self._room.slack(position)
            if tick.anchored:  # it may begin too near itself, and leave
                self._allowed = np.minimum(NEAREST_M, slack - TOLERANCE)
            if (slack < self._allowed).any():
                worst = int(np.argmin(slack - self._allowed))
                self._say(f"{self._room.names[worst]}: {1e3 * slack[worst]:.1f} mm", False)
        self._before = (position, velocity, acceleration, ros_ns)

    def _within(self, what: str, excess: FloatArray, tolerance: FloatArray | float) -> None:
        if (excess > tolerance).any():
            joint = self._spec.joint_names[int(np.argmax(excess - tolerance))]
            self._say(f"{what} of {joint}: {float(np.max(excess)):.3g} too much", False)

    def _say(self, law: str, holds: bool) -> None:
        if not holds and len(self.broken) < 5:
            self.broken.append(f"tick {self._plant.ticks}: {law}")


def holds(tick: Tick, moving: bool) -> bool:
    """Tell whether a robot holds: nobody drives, or its command does not move (a dead clock)."""
    return tick.decision.authority is Authority.HOLD or not moving


@cache
def _rooms(robot: str) -> tuple[Room, Room]:
    """Return the arbiter's room and the judge's: a look of one must not move what the other's
    buffers hold."""
    return Room(load_robot(robot)), Room(load_robot(robot))


def run(
    schedule: Schedule,
    spec: RobotSpec,
    timeouts: Timeouts | None = None,
    keep_room: bool = False,
    judge_room: bool | None = None,
) -> Verdict:
    """Play one schedule.

    Args:
        schedule: what breaks when.
        spec: the robot.
        timeouts: of the arbiter; it is judged by the documented ones.
        keep_room: the arbiter keeps the robot's room.
        judge_room: and is judged by it; None: when it keeps it.
    """
    kept, judged = _rooms(spec.name) if keep_room or judge_room else (None, None)
    rng = np.random.default_rng(schedule.seed)
    plant = Plant(spec, rng, timeouts or Timeouts(), room=kept if keep_room else None)
    plant.reach(schedule.mode)
    judge = Judge(plant, judged if judge_room in (None, True) else None)
    judge.taken = schedule.mode is not Mode.AUTONOMOUS
    for _ in range(schedule.wait):
        judge.look(plant.tick())
    drove = plant.authority is not Authority.HOLD
    mode = plant.mode
    hold_s = math.nan
    _strike(plant, judge, schedule.kind)
    # A fault of a moment, a suspended arbiter among them, is judged from the tick that meets it.
    began = plant.now - (0.0 if schedule.kind.part else TICK_S)
    position = plant.last.position if plant.last is not None else None
    if drove and holds(plant.last, True):  # type: ignore[arg-type]
        hold_s = plant.now - began
    for i in range(schedule.lasts):
        if schedule.other is not None and i == schedule.other_after:
            setattr(plant.faults, schedule.other.part, schedule.other.value)
        tick = plant.tick(seconds=_pace(schedule.kind, plant))
        judge.look(tick)
        moving = position is None or bool(np.any(tick.position != position))
        position = tick.position
        if drove and math.isnan(hold_s) and holds(tick, moving):
            hold_s = plant.now - began
    bound = schedule.kind.bound
    if bound is not GOES_ON and drove and plant.now - began > bound + TICK_S:
        judge._say(
            f"no hold within {bound:.3f} s and a tick, but after {hold_s:.3f} s",
            hold_s <= bound + TICK_S + 1e-6,
        )
    if bound == GOES_ON and schedule.other is None:
        judge._say(f"{schedule.kind.name} stopped {mode.name}", plant.mode is mode)
    _mend(plant, judge)
    return Verdict(schedule.seed, schedule.kind.name, mode.name, bound, hold_s, tuple(judge.broken))


def _pace(kind: Kind, plant: Plant) -> float:
    return float(plant.rng.uniform(0.005, 0.05)) if kind.value == "slow ticks" else TICK_S


def _strike(plant: Plant, judge: Judge, kind: Kind) -> None:
    """Begin a fault; one that happens in a moment takes a tick."""
    if kind.part:
        setattr(plant.faults, kind.part, kind.value)
        return
    if kind.value == "clock back":
        plant.ros_ns -= int(plant.rng.uniform(0.1, 20.0) * NS)
    elif kind.value == "clock ahead":
        plant.ros_ns += int(plant.rng.uniform(1.1, 20.0) * NS)
    elif kind.value == "suspended":
        # The tick itself is late: what counts is what it decides, not how long it was away.
        plant.now += float(plant.rng.uniform(0.3, 5.0))
    elif kind.value == "restarted":
        plant.restart_arbiter()
    elif kind.value == "e-stop button":
        plant.buttons = Button.ESTOP
    elif kind.value == "e-stop request":
        judge.look(plant.tick(EmergencyStop("test")))
        return
    elif kind.value == "reconnect":
        plant.reconnect()
    judge.look(plant.tick())


def _mend(plant: Plant, judge: Judge) -> None:
    """Everything works again; nothing moves before a person says so, then the robot serves."""
    plant.faults = type(plant.faults)()
    plant.buttons, held = Button.NONE, plant.mode in (Mode.HOLD, Mode.ESTOP)
    for _ in range(60):
        tick = plant.tick()
        judge.look(tick)
        if held:
            judge._say("moved before a person resumed", plant.authority is Authority.HOLD)
    plant.squeeze = 0.0
    if plant.mode is Mode.ESTOP:
        judge.look(plant.tick(ResetEmergencyStop("lab")))
    for _ in range(150):
        judge.look(plant.tick())
    if plant.mode is Mode.HOLD:
        judge.taken = False
        judge.look(plant.tick(Pause(False, "lab")))
    judge._say(f"cannot resume from {plant.mode.name}", plant.mode is not Mode.HOLD)


def campaign(seeds: Iterable[int], robot: str = "g1_dex3") -> list[Verdict]:
    """Play many schedules, every fourth with an arbiter that keeps the robot's room."""
    spec, limits = load_robot(robot), Timeouts()
    return [run(draw(seed, limits), spec, keep_room=seed % ROOM_EVERY == 0) for seed in seeds]
