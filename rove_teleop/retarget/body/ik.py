"""Differential inverse kinematics of the whole body: one quadratic program for each step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.body import costs
from rove_teleop.retarget.body.avoid import Avoidance
from rove_teleop.retarget.body.collision import Collisions
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.body.limits import MotionLimits
from rove_teleop.retarget.body.solve import LeastSquares
from rove_teleop.retarget.body.support import Support
from rove_teleop.retarget.body.tasks import TaskStack
from rove_teleop.retarget.body.turns import tilt
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.model import SIDES
from rove_teleop.retarget.timing import StageClock

STAGES = ("solve", "avoid")  # of a step: the quadratic program, then the look at collisions

# Legs that nobody asks to move stand still to the last bit: no servo sways a robot whose operator
# moves a hand. They come to rest when all is this near, m and rad, and this slow, rad/s, and the
# centre of mass is this far over the ground, m.
AT_REST, AT_REST_SPEED, WELL_OVER_GROUND = 2e-4, 1e-3, 0.003


@dataclass(frozen=True)
class IkStep:
    """One step.

    Attributes:
        reason: "" when it was solved, else why not; the configuration has not moved then.
        position_error, turn_error: m and rad from left and right wrist to their goals.
    """

    reason: str
    position_error: tuple[float, float]
    turn_error: tuple[float, float]


class BodyIk:
    """Moves its own configuration towards goals within the limits of the spec.

    Args:
        spec: the robot.
        clock: gets the times of ``STAGES``.

    Attributes:
        body: the configuration that it has reached.
        tasks: the goals, to be written before each step; those of pelvis and torso by ``bend``.
        near: (P,) m by which the profile's pairs are farther apart there than they must be.
    """

    def __init__(self, spec: RobotSpec, clock: StageClock | None = None) -> None:
        self._clock = clock or StageClock(time.perf_counter_ns, STAGES)
        tasks = costs.frame_tasks(spec)
        self.body = body = Configuration(spec, [task.link for task in tasks])
        self.tasks = TaskStack(body, tasks)
        self._limits, self._collisions = MotionLimits(body), Collisions(body)
        self._avoidance = Avoidance(body, self._limits, self._collisions)
        self._support = Support(body)
        self._rest = np.clip(spec.resting[body.moving], body.lower, body.upper)
        n = body.size
        arms = np.zeros(n, dtype=bool)
        arms[np.concatenate([body.columns(f"{side}_arm") for side in SIDES])] = True
        light = arms.copy()
        light[body.columns("head")] = True
        damping = np.where(light, costs.DAMPING, costs.DAMPING_BODY) ** 2
        damping[:BASE] = costs.DAMPING_BASE**2
        self._posture = np.where(light, costs.POSTURE, costs.POSTURE_BODY) ** 2
        self._posture[:BASE] = 0.0
        self._lag_posture = np.where(arms, costs.POSTURE_LAG, 0.0) ** 2
        self._lag_damping = np.where(arms, costs.DAMPING_LAG, 0.0) ** 2 + self._lag_posture
        self._weight = damping + costs.SMOOTHNESS**2 + self._posture
        self._weights, self._pull = np.zeros(n), np.zeros(n)
        legs = np.concatenate([body.columns(f"{side}_leg") for side in SIDES])
        # Of a robot whose legs are not the first joints, the legs cannot be left out.
        in_front = np.array_equal(np.sort(legs), BASE + np.arange(len(legs)))
        self._standing = BASE + len(legs) if in_front else 0
        self.anchor(spec.home[body.moving])

    @property
    def speed(self) -> FloatArray:
        """The (nv,) displacement per s of the last step."""
        return self._limits.last

    @property
    def standing(self) -> bool:
        """Whether legs and pelvis are at rest."""
        return self._first > 0

    def anchor(self, joints: FloatArray) -> None:
        """Start anew at rest at (nv - 6,) rad, moved inside the limits.

        The feet are on the floor there, and every goal is where its frame is.
        """
        self.body.stand(joints)
        self._limits.last = np.zeros(self.body.size)
        self.tasks.reset()
        self._support.stand()
        self.near = self._collisions.start()
        self._reference: FloatArray = self.body.joints.copy()
        self._first, self._bent = self._standing, (0.0, 0.0, 0.0)
        self._height = float(self.tasks.places[self.tasks.names["pelvis"], 2])
        self._upright = self.tasks.turns[self.tasks.names["torso"]].copy()

    def anchor_arm(self, side: str, joints: FloatArray) -> None:
        """Start one arm anew at rest at its joints of (nv - 6,) rad; the others go on."""
        columns, q = self.body.columns(f"{side}_arm"), self.body.q.copy()
        own = columns - BASE
        q[own + BASE_Q] = np.clip(joints[own], self.body.lower[own], self.body.upper[own])
        self._limits.last[columns] = 0.0
        self.body.update(q)
        self.tasks.hold(f"{side}_wrist")
        self.near = self._collisions.start()
        self._reference[own] = q[own + BASE_Q]

    def bend(self, height: float, pitch: float, roll: float) -> None:
        """Have the pelvis ``height`` m above where it was at the anchor, and the torso lean from
        how it was then: ``pitch`` rad forward and ``roll`` rad to the right."""
        bent = (height, pitch, roll)
        if bent == self._bent:
            return
        names, self._bent, self._first = self.tasks.names, bent, 0
        self.tasks.goal_places[names["pelvis"], 2] = self._height + height
        self.tasks.goal_turns[names["torso"]] = tilt(pitch, roll) @ self._upright

    def step(self, dt: float) -> IkStep:
        """Take one step of ``dt`` s towards the goals; without time nothing moves.

        A failure of the solver is a value: see ``IkStep.reason``.
        """
        reason = self._solve(dt) if dt > 0.0 else ""
        self.tasks.look()
        place_left, turn_left, place_right, turn_right = self.tasks.lags[:4]
        return IkStep(reason, (place_left, place_right), (turn_left, turn_right))

    def _solve(self, dt: float) -> str:
        """Move by one solution; return "" or why there is none."""
        body, tasks, limits = self.body, self.tasks, self._limits
        beyond = self._support.beyond(body.mass_centre[:2])
        if beyond[2] > 0.0:
            self._first = 0
        first = self._first
        off = min(1.0, max(tasks.lags[0], tasks.lags[2]) / costs.NEAR_M) ** 2
        rows, target = tasks.rows(dt, first, beyond)
        share = min(1.0, tasks.travel / costs.REST_M) if tasks.travel > 1e-9 else 0.0
        weight, pull = self._weights, self._pull
        _regularisation(
            self._reference, self._rest, share, body.joints, limits.last,
            dt / (costs.POSTURE_S + dt), dt * costs.SMOOTHNESS**2, off if off > 1e-4 else 0.0,
            self._weight, self._posture, self._lag_damping, self._lag_posture, weight, pull,
        )  # fmt: skip
        low, high = limits.bounds(dt)
        problem = LeastSquares(
            rows, target, weight[first:], pull[first:], low[first:], high[first:]
        )
        step, reason = problem.solve()
        self._clock.mark("solve")
        if reason:
            return f"inverse kinematics: {reason}"
        taken, self.near = self._avoidance.go(problem, step, self.near, dt)
        self._clock.mark("avoid")
        limits.last = taken / dt
        if not first and beyond[2] < -WELL_OVER_GROUND:
            legs = limits.last[BASE : self._standing]
            if tasks.body_error < AT_REST and self._standing and np.abs(legs).max() < AT_REST_SPEED:
                limits.last[: self._standing] = 0.0
                self._first = self._standing
        return ""


@compiled(
    "void(f8[::1], f8[::1], f8, f8[::1], f8[::1], f8, f8, f8, f8[::1], f8[::1], f8[::1], f8[::1],"
    "f8[::1], f8[::1])"
)
def _regularisation(
    reference: FloatArray,
    rest: FloatArray,
    share: float,
    joints: FloatArray,
    last: FloatArray,
    returned: float,
    kept: float,
    off: float,
    weight: FloatArray,
    posture: FloatArray,
    lag_damping: FloatArray,
    lag_posture: FloatArray,
    weights: FloatArray,
    pull: FloatArray,
) -> None:
    """Move the reference posture, and fill in what a step weighs and is pulled to, both (nv,).

    Args:
        reference, rest, joints: (nv - 6,) rad. share: of the way to rest that the reference goes.
        last: (nv,) displacement per s. returned: share of the way to the reference of this step.
        kept: of the last displacement per s. off: 0..1, how far wrists lag.
        weight, posture: (nv,) of steps and of the reference; lag_damping, lag_posture: added to
            those times ``off``.
    """
    base = len(last) - len(joints)
    for i in range(len(last)):
        weights[i] = weight[i] + off * lag_damping[i]
        pull[i] = last[i] * kept
        if i >= base:
            j = i - base
            reference[j] += (rest[j] - reference[j]) * share
            way = (reference[j] - joints[j]) * returned
            pull[i] += way * (posture[i] + off * lag_posture[i])
