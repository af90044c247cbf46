"""Retargeting against stock pink and CasADi/IPOPT, on scripted operators.

All solvers follow the same script in one run, in turns of 48 frames (ABAB), timed by the thread's
CPU clock; a ratio is the median over the turns. Ours is one full cycle: checks of the frame, body
with collisions, both hands. pink's is ``solve_ik`` alone, without collisions and without setting
its targets; IPOPT's is setting and solving.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_teleop.retarget.body.collision import RESERVE, Collisions
from rove_teleop.retarget.body.configuration import Configuration
from rove_teleop.retarget.body.ik import BodyIk
from rove_teleop.retarget.model import SIDES, KinematicModel, angle_between, to_transform
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.retarget.trunk import Trunk
from rove_teleop.scripted.motion import REACHABLE, SCRIPTS, Moment, moments
from rove_teleop.wire.messages import Frame
from tests.bench.result import Result
from tests.bench.retarget_references import Ipopt, Pink, lifted
from tests.teleop.body_examples import ROBOTS, run_wild

SPEC = load_robot("g1_dex3")
START = np.array(SPEC.resting)
TURN = 48  # frames of one solver before the next one's turn
NO_SERVO_M = 1e-4  # an error below this is none: no servo resolves it
MOVING_M_S = 0.02  # of a target; slower ones are not expected to move a command
NS = 1_000_000_000
OTHERS = ("pink", "pink, whole model", "pink, apart", "ipopt")
SAME_M = 1e-3  # into a margin that still counts as keeping it
CYCLES = 10_000
REFERENCES = (
    ("pink", 0.5), ("pink, whole model", 0.5), ("ipopt", 0.1), ("ipopt, tuned", 0.25)
)  # fmt: skip
"""What ours is compared with, and at most what share of its time ours may take."""


@dataclass
class Record:
    """What a solver did in one script.

    Attributes:
        cpu: s of each frame, in turns.
        error, turn_error: m and rad of each frame, mean of both wrists.
        commands: (N,) rad of each frame. stamps: s.
    """

    cpu: list[list[float]] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    turn_error: list[float] = field(default_factory=list)
    commands: list[FloatArray] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)


class Ours:
    """The retargeter, fed with frames, in front of a robot that is where it was told to be."""

    def __init__(self, seen_hands: bool) -> None:
        self._retargeter, self._seen = Retargeter(SPEC), seen_hands
        self._joints, self._now = START.copy(), NS
        self.cpu_s = 0.0

    def frame(self, moment: Moment) -> Frame:
        """Return what the headset, another process, sends of a moment."""
        return moment.frame(self._seen)

    def step(self, frame: Frame, dt: float) -> FloatArray:
        """Return (N,) rad."""
        self._now += round(dt * NS)
        begun = time.thread_time()
        result = self._retargeter.update(frame, self._joints, self._now, self._now)
        self.cpu_s = time.thread_time() - begun
        assert result.valid, result.reason
        self._joints = np.array(result.position)
        return self._joints


class Judge:
    """Where the wrists of (N,) rad are in the floor frame, whatever solver made them."""

    def __init__(self) -> None:
        self._body = Configuration(SPEC)
        self._body.stand(START[self._body.moving])
        self._upper = KinematicModel(SPEC)
        self.pelvis = self._body.pelvis
        poses = self._upper.poses(START)
        self.head = self.pelvis * to_transform(poses.head)
        self.wrists = (
            self.pelvis * to_transform(poses.left_wrist),
            self.pelvis * to_transform(poses.right_wrist),
        )

    def least_free(self, commands: list[FloatArray]) -> float:
        """Return the least m by which pairs are farther apart in (N,) rad than their margins."""
        collisions, body = Collisions(self._body), self._body
        least = np.inf
        for joints in commands:
            body.stand(joints[body.moving])
            least = min(least, float(collisions.look().min()) + RESERVE)
        return least

    def errors(
        self, joints: FloatArray, pelvis: pin.SE3 | None, wrists: tuple[pin.SE3, pin.SE3]
    ) -> tuple[float, float]:
        """Return m and rad, means of both wrists; no pelvis: it is where the feet say."""
        if pelvis is None:
            self._body.stand(joints[self._body.moving])
            pelvis = self._body.pelvis
        found = self._upper.wrists(self._upper.q_of(joints))
        pairs = [(pelvis * found[side], goal) for side, goal in zip(SIDES, wrists, strict=True)]
        return (
            float(np.mean([np.linalg.norm(a.translation - b.translation) for a, b in pairs])),
            float(np.mean([angle_between(a, b) for a, b in pairs])),
        )


@cache
def follow(script: str) -> dict[str, Record]:
    """Have all solvers follow a script, in turns; return name -> record."""
    judge = Judge()
    frames = list(moments(script, judge.head, judge.wrists))
    trunk, bends = Trunk(float(judge.pelvis.translation[2])), []
    for moment in frames:
        trunk.see(*(moment.head.translation - judge.head.translation).tolist())
        bends.append(trunk.step(min(moment.dt, 0.05)))
    solvers = {
        "triggers": Ours(False), "hands": Ours(True), "pink": Pink(SPEC, START),
        "pink, whole model": Pink(SPEC, START, hands=True),
        "pink, apart": Pink(SPEC, START, apart=True), "ipopt": Ipopt(SPEC, START),
        "ipopt, tuned": Ipopt(SPEC, START, tuned=True),
    }  # fmt: skip
    records = {name: Record() for name in solvers}
    now = 0.0
    for start in range(0, len(frames), TURN):
        turn = range(start, min(start + TURN, len(frames)))
        for name, solver in solvers.items():
            # Frames are made before a turn and commands judged after it: a solver has the core's
            # caches to itself, as in its own process.
            sent = [solver.frame(frames[i]) for i in turn] if isinstance(solver, Ours) else []
            record, stamp, spent, commands = records[name], now, [], []
            for i in turn:
                dt = frames[i].dt
                if isinstance(solver, Ours):
                    joints = solver.step(sent[i - start], dt)
                else:
                    joints = solver.step(frames[i].wrists, bends[i], min(dt, 0.05))
                commands.append(joints)
                spent.append(solver.cpu_s)
            record.cpu.append(spent)
            for i, joints in zip(turn, commands, strict=True):
                stamp += frames[i].dt
                pelvis = None
                if isinstance(solver, Ipopt):
                    lowered = judge.pelvis.translation + lifted(bends[i])
                    pelvis = pin.SE3(judge.pelvis.rotation, lowered)
                error, turn_error = judge.errors(joints, pelvis, frames[i].wrists)
                record.error.append(error)
                record.turn_error.append(turn_error)
                record.commands.append(joints)
                record.stamps.append(stamp)
        now = stamp
    return records


def ratio(ours: Record, theirs: Record) -> float:
    """Return the median over the turns of the ratio of the turns' median cycles."""
    pairs = zip(ours.cpu[1:], theirs.cpu[1:], strict=True)  # the first turn warms up
    return statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)


def bench_speed() -> Iterator[Result]:
    """One full cycle over the reference's solve, the worst of all scripts."""
    for name, what in (("triggers", "triggers"), ("hands", "25 joints a hand")):
        for reference, target in REFERENCES:
            ratios = {s: ratio(follow(s)[name], follow(s)[reference]) for s in SCRIPTS}
            worst = max(ratios, key=lambda script: ratios[script])
            mine, theirs = (follow(worst)[n].cpu for n in (name, reference))
            cycles = [
                1e3 * statistics.median(chain.from_iterable(turns)) for turns in (mine, theirs)
            ]
            yield Result(
                f"retarget cycle ({what}) over {reference}: {cycles[0]:.3f} ms over "
                f"{cycles[1]:.3f} ms, {worst}",
                ratios[worst], "ratio", 1.0, target,
            )  # fmt: skip


def bench_tracking() -> Iterator[Result]:
    """Mean errors of the wrists over those of the best reference that keeps the robot apart.

    Stock pink and IPOPT know no collisions: where they are nearest to the goal by an elbow in the
    trunk (the fast wave), they are no reference. pink with its barrier is one everywhere.
    """
    for script in REACHABLE:
        records, judge = follow(script), Judge()
        errors = {name: max(float(np.mean(r.error)), NO_SERVO_M) for name, r in records.items()}
        apart = {name: judge.least_free(records[name].commands) for name in OTHERS}
        safe = [name for name in OTHERS if apart[name] > -SAME_M or name == "pink, apart"]
        best = min(safe, key=lambda name: errors[name])
        yield Result(f"wrist error, {script}, over {best}", 1e3 * errors["triggers"], "mm",
                     1e3 * errors[best], 1.02e3 * errors[best])  # fmt: skip


def bench_calm() -> Iterator[Result]:
    """The longest time in which no command changes while the target moves, and the step at a
    re-clutch."""
    longest = 0.0
    for script in SCRIPTS:
        record, judge = follow(script)["triggers"], Judge()
        frames = list(moments(script, judge.head, judge.wrists))
        still = 0.0
        for i in range(1, len(frames)):
            a, b = frames[i - 1], frames[i]
            way = max(
                float(np.linalg.norm(x.translation - y.translation))
                for x, y in zip(a.wrists, b.wrists, strict=True)
            )
            change = np.abs(record.commands[i] - record.commands[i - 1]).max()
            frozen = way > MOVING_M_S * b.dt and change < 1e-6
            still = still + b.dt if frozen else 0.0
            longest = max(longest, still)
    yield Result("longest frozen command while the target moves", 1e3 * longest, "ms", np.nan, 50.0)
    steps, clutched = _reclutch()
    usual = float(np.percentile(steps, 99))
    yield Result("largest step at a re-clutch over the 99th percentile of normal steps",
                 max(clutched) / usual, "ratio", 1.0, 1.0)  # fmt: skip
    yield Result("95 % of a reachable step of 12 cm", 1e3 * _step_response(), "ms", np.nan, 500.0)


def _reclutch() -> tuple[list[float], list[float]]:
    """Return the largest joint steps of the arms, rad: in normal motion, and at re-clutches of
    both hands on the move, in front of a robot that lags by 30 ms."""
    judge = Judge()
    frames = list(moments("reach", judge.head, judge.wrists))
    retargeter, joints, now = Retargeter(SPEC), START.copy(), NS
    arms = np.concatenate([SPEC.indices(f"{side}_arm") for side in SIDES])
    normal: list[float] = []
    clutched: list[float] = []
    last: FloatArray | None = None
    for i, moment in enumerate(frames):
        now += round(moment.dt * NS)
        open_ = i % 90 >= 80
        frame = moment.frame(False)
        if open_:
            frame = type(frame)(**{f: getattr(frame, f) for f in frame.__struct_fields__}
                                | {"left_squeeze": 0.0, "right_squeeze": 0.0})  # fmt: skip
        result = retargeter.update(frame, joints, now, now)
        if result.enabled and last is not None:
            size = float(np.abs(result.position - last)[arms].max())
            (clutched if i % 90 == 0 and i else normal).append(size)
        last = result.position
        joints = joints + (result.position - joints) * (1.0 - np.exp(-moment.dt / 0.03))
    return normal, clutched


def _step_response() -> float:
    """Return the s after which a wrist is within 5 % of a target that jumped by 12 cm."""
    worst = 0.0
    for way in ([0.07, 0.0, 0.1], [0.0, -0.12, 0.0], [0.0, 0.05, 0.11], [-0.02, -0.05, 0.108]):
        ik = BodyIk(SPEC)
        ik.anchor(START[ik.body.moving])
        goal = ik.tasks.places[1] + np.array(way)
        ik.tasks.goal_places[1] = goal
        late = 0.0
        for i in range(144):
            ik.step(1.0 / 72.0)
            off = float(np.linalg.norm(ik.tasks.places[1] - goal))
            if off > 0.05 * float(np.linalg.norm(way)):
                late = (i + 1) / 72.0
        worst = max(worst, late + 1.0 / 72.0)
    return worst


def bench_limits() -> Iterator[Result]:
    """Random cycles in which position, speed, acceleration or a collision margin is violated."""
    for robot in ROBOTS:
        found = run_wild(load_robot(robot), seed=0, cycles=CYCLES)
        name = f"violations in {CYCLES} random cycles, {robot}"
        yield Result(name, float(found.total), "cycles", np.nan, 0.0)
        # Hands are drawn beyond reach and into the body all the time.
        yield Result(f"longest frozen command in random cycles, {robot}", 1e3 * found.frozen, "ms",
                     np.nan, 50.0)  # fmt: skip
