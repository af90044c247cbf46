"""How a person does the work through the robot: where the tool shall go next, with human error.

The plan is the task's, and so is how a seen offset is corrected (``tasks.follow``); the error is
the person's: they see late, aim a little beside the goal, the more so the faster they move (Harris
and Wolpert 1998), and now and then begin with a wrong move and take it back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_sim.operators.skill import Skill
from rove_sim.tasks.follow import Follower
from rove_sim.tasks.plan import Plan

AIM_S = 0.8  # s over which somebody's aim drifts
FAST = 0.25  # m/s at which the aim is as bad as the skill says
STEADY = 0.2  # of that error stays in slow motion
PIECE_S = 4.0  # s, one piece of work: one chance of a wrong move
WRONG_S = (0.8, 1.4)  # s from the begin of a wrong move until it is taken back
LEASH = 0.05  # m that the goal may run ahead of the tool; a robot that is slow is waited for
# A person whose robot hand stays short of where it was asked to be leans towards it, until it gets
# there: m and s from which that is noticed, m/s of the head, and m at most.
SHORT_M, SHORT_S, LEAN_SPEED, MOST_LEAN = 0.012, 0.4, 0.2, 0.17
PATIENCE_S = 1.5  # without progress while pressing; then the person presses harder
HARDER, HARDEST = 0.004, 0.016  # m deeper each time, and at most
BACK_OFF, PROBE, PROBE_SPEED = 0.03, 0.012, 0.1  # m, m, m/s while getting used to the robot
RETREAT, RETREAT_SPEED = 0.08, 0.25  # m along the way the tool came, and m/s


class Working:
    """Wishes for the tool in the pelvis frame; one instance for each time the hand is followed.

    Args:
        tool: pose of the tool in the pelvis frame where it begins.
        fingers: closure of the robot's hand there, 0 open to 1 closed.
        look: returns what is left to do, poses in the pelvis frame; empty: nothing.
        skill: of the person.
        latency_s: of what is seen, s.
        rng: source of chance.
    """

    def __init__(
        self,
        tool: pin.SE3,
        fingers: float,
        look: Callable[[], Plan],
        skill: Skill,
        latency_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._start = tool.copy()
        self._skill, self._latency_s, self._rng = skill, latency_s, rng
        self._look, self._nothing_left = look, False
        self._follower = Follower(self._see)
        self._follower.restart(fingers)
        self._aim = np.zeros(3)
        self._sent: deque[tuple[float, FloatArray]] = deque()  # (s, goal): what is seen was wished
        self._wrong: tuple[float, float, FloatArray] | None = None  # begin, length, displacement
        self._piece_s = 0.0  # when the next chance of a wrong move comes
        self._deeper, self._progress, self._progress_s = 0.0, 0.0, 0.0
        self._wish = tool.copy()  # the last one
        self._away = 0.0  # m of the retreat so far
        self._short_s = 0.0  # for which the hand has stayed short
        self.lean: FloatArray = np.zeros(2)  # m, of the head, forward and to the left

    @property
    def fingers(self) -> float:
        """Closure of the hand that is wished for, 0 open to 1 closed, with its unrest."""
        noisy = self._follower.fingers + self._skill.fingers * float(self._rng.standard_normal())
        return float(np.clip(noisy, 0.0, 1.0))

    @property
    def done(self) -> bool:
        """Nothing was left to do when the person looked last."""
        return self._nothing_left

    def _see(self) -> Plan:
        plan = self._look()
        self._nothing_left = not plan
        return plan

    def probe(self, share: float, dt: float) -> pin.SE3:
        """Return the wish while getting used to the robot: a little back, to and fro.

        Args:
            share: 0..1 of the time that it takes.
            dt: s since the last wish.
        """
        swing = PROBE * np.sin(4.0 * np.pi * share) * np.sin(np.pi * share)
        goal = self._start.act(np.array([-BACK_OFF, swing, 0.5 * swing]))
        way = goal - self._wish.translation
        most = PROBE_SPEED * dt / max(float(np.linalg.norm(way)), 1e-9)
        self._wish = pin.SE3(self._start.rotation, self._wish.translation + min(1.0, most) * way)
        return self._wish.copy()

    def retreat(self, dt: float) -> tuple[pin.SE3, bool]:
        """Return the wish on the way off the work, and whether the tool is away."""
        step = min(RETREAT_SPEED * self._skill.pace * dt, RETREAT - self._away)
        self._away += step
        self._wish = self._wish * pin.SE3(np.eye(3), np.array([-step, 0.0, 0.0]))
        return self._wish.copy(), self._away >= RETREAT - 1e-6

    def work(self, tool: pin.SE3, progress: float, now_s: float, dt: float) -> pin.SE3:
        """Return the wish while working.

        Args:
            tool: where the tool is seen, pelvis frame.
            progress: 0..1 of the work.
            now_s, dt: the present and the time since the last wish, s.
        """
        if not self._sent:
            self._begin(now_s, progress)
        follower = self._follower
        before = self._goal_then(now_s)
        gap = np.zeros(3) if before is None else before - tool.translation
        waits = float(np.linalg.norm(gap)) > LEASH
        step = 0.2 * dt if waits else dt
        goal = follower.step(tool.homogeneous, self._skill.pace * step)
        place, turn = goal[:3, 3], goal[:3, :3]
        self._sent.append((now_s, place.copy()))
        waypoint = follower.waypoint
        pressing = waypoint is not None and waypoint.press
        self._press_harder(pressing, progress, now_s)
        self._lean_towards(np.zeros(3) if pressing or self._wrong else gap, dt)
        self._drift(waypoint.speed if waypoint is not None else FAST, dt)
        error = turn @ self._aim if not pressing else turn @ (self._aim * [0.0, 1.0, 1.0])
        wish = place + error + self._astray(now_s)
        self._wish = pin.SE3(turn, wish + turn @ np.array([self._deeper, 0.0, 0.0]))
        return self._wish.copy()

    def _begin(self, now_s: float, progress: float) -> None:
        self._piece_s = self._progress_s = now_s
        self._progress = progress

    def _lean_towards(self, gap: FloatArray, dt: float) -> None:
        """Lean to where the hand stays short of, (3,) m, forward for what is too low."""
        short = float(np.linalg.norm(gap)) > SHORT_M
        self._short_s = self._short_s + dt if short else 0.0
        if self._short_s < SHORT_S:
            return
        way = np.array([gap[0] + max(0.0, -float(gap[2])), gap[1]])
        self.lean = self.lean + LEAN_SPEED * dt * way / max(float(np.linalg.norm(way)), 1e-9)
        self.lean *= min(1.0, MOST_LEAN / max(float(np.linalg.norm(self.lean)), 1e-9))

    def _goal_then(self, now_s: float) -> FloatArray | None:
        """Return the goal of which the result is seen now, None at first."""
        seen_s = now_s - self._latency_s
        while len(self._sent) > 1 and self._sent[1][0] <= seen_s:
            self._sent.popleft()
        return self._sent[0][1] if self._sent and self._sent[0][0] <= seen_s else None

    def _drift(self, speed: float, dt: float) -> None:
        """Let the aim wander: an Ornstein-Uhlenbeck process whose spread grows with the speed."""
        spread = self._skill.misjudged_m * max(STEADY, min(1.0, speed / FAST))
        keep = float(np.exp(-dt / AIM_S))
        chance = self._rng.standard_normal(3) * np.sqrt(1.0 - keep**2)
        self._aim = keep * self._aim + spread * chance

    def _astray(self, now_s: float) -> FloatArray:
        """Return the (3,) m displacement of a wrong move, mostly zero."""
        if now_s >= self._piece_s:
            self._piece_s = now_s + PIECE_S
            happens = self._rng.random() < self._skill.wrong_move
            direction = self._rng.standard_normal(3)
            size = float(self._rng.uniform(*self._skill.wrong_m))
            length = float(self._rng.uniform(*WRONG_S))
            if happens:
                far = size * direction / max(float(np.linalg.norm(direction)), 1e-9)
                self._wrong = (now_s, length, far)
        if self._wrong is None:
            return np.zeros(3)
        begin, length, far = self._wrong
        share = (now_s - begin) / length
        if share >= 1.0:
            self._wrong = None
            return np.zeros(3)
        return far * float(np.sin(np.pi * share) ** 2)

    def _press_harder(self, pressing: bool, progress: float, now_s: float) -> None:
        if progress > self._progress or not pressing:
            self._progress, self._progress_s = progress, now_s
            if not pressing:
                self._deeper = 0.0
        elif now_s - self._progress_s > PATIENCE_S:
            self._deeper, self._progress_s = min(self._deeper + HARDER, HARDEST), now_s
