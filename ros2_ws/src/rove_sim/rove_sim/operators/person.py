"""A simulated operator: watches, takes over, aligns, squeezes, recovers, hands back; demonstrates.

Pure logic: ``step`` gets what the person sees and returns what the headset sends. Everything is
planned in the robot's pelvis frame, as if the person's body were the robot's; one constant
transform puts that body somewhere on the person's floor. What is seen is late by the skill's
latency; how the person decides and moves is in ``watching`` and ``working``.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.vocabulary import Button, Mode, Stage
from rove_sim.labels import LabelNoise, label_chance
from rove_sim.operators.motion import Reach, Tremor
from rove_sim.operators.sight import Eyes, Seen
from rove_sim.operators.skill import Skill, skill_of
from rove_sim.operators.watching import TakeoverRule, Wanted, Watch
from rove_sim.operators.working import Working
from rove_teleop.retarget.facing import turn_about_z
from rove_teleop.retarget.model import to_pose, to_transform
from rove_teleop.wire.messages import Frame, Status

PELVIS_HEIGHT = 0.75  # m above the floor
PRESS_S = 0.2  # a button stays down so long
AGAIN_S = 1.0  # without an effect a button is pressed again
OPEN_S = 0.3  # the hand opens so long before it squeezes again
START_S = 0.1  # from the squeeze to the first move of a demonstration
CLOSE_ENOUGH = 0.02  # m between where the person wants the own wrist and where it is
NEUTRAL = {"left": (0.30, 0.22, 0.0), "right": (0.30, -0.22, 0.0), "head": (0.06, 0.02, 0.47)}
HANDS = ("right", "both")


class Phase(StrEnum):
    """What the person is doing."""

    WATCH = "watches"
    TAKE_OVER = "presses takeover"
    ALIGN = "aligns"
    SQUEEZE = "squeezes"
    PROBE = "gets used to the robot"
    MARK = "marks the recovery"
    WORK = "works"
    RETREAT = "retreats"
    HAND_BACK = "hands back"
    OPEN = "opens the hand"


FOLLOWED = (Phase.PROBE, Phase.MARK, Phase.WORK, Phase.RETREAT)
"""Phases in which the robot follows the hand."""


class ScriptedPerson:
    """See the module. One instance for one connection; ``step`` at the rate of the headset.

    Args:
        operator_id: as the bridge knows the person.
        skill: a skill or its name.
        rule: when to take over.
        seed: decides everything that chance decides.
        goal: progress at which to hand back; below 1 leaves the rest to the policy. After a
            takeover because of a stall or of a failure that is near the person finishes the work:
            the policy could not.
        recover_s: longest time of work, s.
        hands: ``right`` or ``both`` are squeezed.
        place: x, y (m) and yaw (rad) of the person's body in the frame of the headset.
        absolute: the device makes the robot take the person's own posture, so their hand goes
            where the robot's shall; else the robot's hand moves as the person's does.
        labels: how unreliable the mark of the recovery is; the default marks when adapted.

    Attributes:
        phase: what the person is doing.
        body: pose of the person's pelvis in the frame of the headset.

    Raises:
        ConfigError: a skill or hands that are not allowed.
    """

    def __init__(
        self,
        operator_id: str,
        skill: Skill | str = "skilled",
        rule: TakeoverRule | None = None,
        seed: int = 0,
        goal: float = 1.0,
        recover_s: float = 30.0,
        hands: str = "right",
        place: tuple[float, float, float] = (0.0, 0.0, 0.0),
        absolute: bool = False,
        labels: LabelNoise | None = None,
    ) -> None:
        if hands not in HANDS:
            raise ConfigError("hands", hands, HANDS, "scripted person")
        self.phase = Phase.WATCH
        self._id, self._goal, self._recover_s = operator_id, goal, recover_s
        self._skill = skill if isinstance(skill, Skill) else skill_of(skill)
        self._squeezed_hands = ("right",) if hands == "right" else ("left", "right")
        x, y, yaw = place
        self._absolute = absolute
        self.body = pin.SE3(turn_about_z(yaw), np.array([x, y, PELVIS_HEIGHT]))
        self._rng = np.random.default_rng(seed)
        self._latency_s = float(self._rng.uniform(*self._skill.latency_s))
        spread = self._skill.tremor_m
        self._tremor = {part: Tremor(self._rng, spread, 3.0 * spread) for part in NEUTRAL}
        self._own = {k: pin.SE3(np.eye(3), np.array(v)) for k, v in NEUTRAL.items()}
        self._reaches: dict[str, Reach] = {}
        self._late: deque[tuple[float, Seen]] = deque()  # (s, what the robot showed then)
        self._eyes = Eyes()
        self._now_s: float | None = None
        self._phase_s = 0.0  # when the phase began
        self._pressed_s = 0.0  # when a button went down last
        self._squeezing = False
        self._fingers = 0.0  # of the trigger
        self._resume: Phase = Phase.PROBE
        self._hesitation_s = 0.0
        self._labels = labels or LabelNoise()
        self._label_rng = label_chance(seed)  # its own: noisy marks leave the movement as it is
        self._adapting_s = 0.0  # when the adaptation began
        self._mark_s: float | None = None  # s into it at which to mark; None: marked, or never
        self._work_s = 0.0  # worked so far
        self._watch = Watch(rule or TakeoverRule(), self._skill, self._rng)
        self._demonstrated = ""  # episode that was demonstrated last
        self._working: Working | None = None
        self._goal_now = goal  # of this takeover
        # Own right wrist and robot's right wrist when the robot began to follow.
        self._origin: tuple[pin.SE3, pin.SE3] | None = None
        self._squeezed_at: pin.SE3 | None = None
        self._upright: FloatArray = np.zeros(3)  # of the head where the work began, m

    def step(self, now_s: float, seen: Seen) -> Frame:
        """Return the headset's frame (sequence and device stamp are left to the client).

        Args:
            now_s: monotonic time, s.
            seen: what there is to see now; the person sees it later.
        """
        dt = 0.0 if self._now_s is None else now_s - self._now_s
        self._now_s = now_s
        buttons = Button.NONE
        lease = seen.status  # the headset's own, without a person in between
        seen = self._delayed(seen, now_s)
        status, self._eyes = seen.status, seen.eyes
        if status is not None and dt > 0.0:
            self._mind(status, now_s)
            buttons = self._act(status, seen, now_s, dt)
        for part, reach in list(self._reaches.items()):
            self._own[part] = reach.at(now_s)
            if reach.done(now_s):
                del self._reaches[part]
        shown = {k: self.body * pose * self._tremor[k].step(dt) for k, pose in self._own.items()}
        if self._squeezing and self._squeezed_at is None:
            self._squeezed_at = self.body.actInv(shown["right"])
        squeeze = {h: float(self._squeezing and h in self._squeezed_hands) for h in NEUTRAL}
        mine = lease is not None and lease.lease_holder == self._id
        if self._working is None or self.phase not in FOLLOWED:
            self._fingers = self._eyes.closure  # as the robot's hand is
        return Frame(
            sequence=0,
            lease=lease.lease if lease is not None and mine else 0,
            device_stamp_ns=0,
            head=to_pose(shown["head"]),
            left_wrist=to_pose(shown["left"]),
            right_wrist=to_pose(shown["right"]),
            left_squeeze=squeeze["left"],
            right_squeeze=squeeze["right"],
            right_trigger=float(np.clip(self._fingers, 0.0, 1.0)),
            buttons=int(buttons),
        )

    def _delayed(self, seen: Seen, now_s: float) -> Seen:
        """Return what the robot showed one latency ago; the oldest known before that."""
        self._late.append((now_s, seen))
        while len(self._late) > 1 and self._late[1][0] <= now_s - self._latency_s:
            self._late.popleft()
        return self._late[0][1]

    def _go(self, phase: Phase, now_s: float) -> None:
        self.phase, self._phase_s, self._pressed_s = phase, now_s, now_s
        self._squeezing = phase in FOLLOWED or phase in (Phase.SQUEEZE, Phase.HAND_BACK)
        if phase is Phase.SQUEEZE:
            self._squeezed_at = None
        if phase is Phase.WATCH:
            for part, place in NEUTRAL.items():
                self._reach(part, pin.SE3(np.eye(3), np.array(place)), now_s)

    def _mind(self, status: Status, now_s: float) -> None:
        """Follow what the arbiter says, whatever the plan was."""
        mode, phase = status.mode, self.phase
        if phase is Phase.WATCH:
            return
        idle = mode is Mode.IDLE and not (
            self._demonstrates(status) and phase in (Phase.ALIGN, Phase.SQUEEZE)
        )
        lost = status.lease_holder != self._id
        if idle or lost or mode in (Mode.HOLD, Mode.ESTOP):
            if phase is Phase.HAND_BACK and mode is Mode.IDLE:
                self._demonstrated = status.episode_id or self._demonstrated
            self._watch.interrupted()
            self._go(Phase.WATCH, now_s)
        elif mode is Mode.CLUTCH and phase in FOLLOWED:
            self._resume = phase
            self._go(Phase.OPEN, now_s)
        elif mode in (Mode.AUTONOMOUS, Mode.HANDBACK) and phase is not Phase.TAKE_OVER:
            if phase is not Phase.HAND_BACK:  # somebody else gave the robot back
                self._watch.interrupted()
            self._go(Phase.WATCH, now_s)

    def _demonstrates(self, status: Status) -> bool:
        """Tell whether an episode waits for this person's demonstration: it runs, and nobody
        drives."""
        return bool(status.episode_id) and status.episode_id != self._demonstrated

    def _act(self, status: Status, seen: Seen, now_s: float, dt: float) -> Button:
        """Do what the phase asks for; return the buttons that are down."""
        phase, since = self.phase, now_s - self._phase_s
        if phase is Phase.WATCH:
            asked = status.question and status.mode is Mode.IDLE
            if asked and status.lease_holder == self._id:
                return self._press(Button.MARK_RECOVERY, now_s)  # yes, the new policy may drive
            eyes = seen.eyes
            near = bool(eyes.near_failure)
            wanted = self._watch.see(status, 1.0 if eyes.over else eyes.progress, near, now_s)
            if status.lease_holder == self._id:
                if status.mode in (Mode.ALIGN, Mode.CLUTCH):  # back after a lost connection
                    self._start_align(status, now_s)
                elif status.mode is Mode.IDLE and self._demonstrates(status):
                    self._goal_now = 1.0
                    self._start_align(status, now_s)
                elif wanted is not Wanted.NO:
                    self._goal_now = 1.0 if wanted is Wanted.STALLED else self._goal
                    self._watch.taken()
                    self._go(Phase.TAKE_OVER, now_s)
        elif phase is Phase.TAKE_OVER:
            if status.mode is Mode.ALIGN:
                self._start_align(status, now_s)
            else:
                return self._press(Button.TAKEOVER, now_s)
        elif phase is Phase.ALIGN:
            if not self._reaches:
                robot = to_transform(status.right_wrist)
                off = np.linalg.norm(self._own["right"].translation - robot.translation)
                if off < CLOSE_ENOUGH + 2.0 * self._skill.align_m:
                    self._go(Phase.SQUEEZE, now_s)
                else:
                    self._start_align(status, now_s)
        elif phase is Phase.OPEN:
            if since >= OPEN_S:
                self._go(Phase.SQUEEZE, now_s)
        elif phase is Phase.SQUEEZE:
            if status.mode is Mode.HUMAN:
                self._take_origin(status, now_s)
            elif since > AGAIN_S and status.mode is Mode.CLUTCH:
                self._go(Phase.OPEN, now_s)
            elif since > AGAIN_S:  # refused: look again where the robot's hand is
                self._resume = Phase.PROBE
                self._start_align(status, now_s)
        elif phase is Phase.HAND_BACK:
            if since > PRESS_S:
                self._squeezing = False
            return self._press(Button.HAND_BACK, now_s)
        else:
            return self._drive(status, seen, now_s, dt)
        return Button.NONE

    def _drive(self, status: Status, seen: Seen, now_s: float, dt: float) -> Button:
        """Move the robot through the own hand."""
        work = self._working
        if work is None or status.mode is not Mode.HUMAN:
            return Button.NONE
        buttons, since, eyes = Button.NONE, now_s - self._phase_s, seen.eyes
        tool = to_transform(status.right_wrist) * pin.SE3(eyes.tool_in_wrist)
        if self.phase is Phase.PROBE:
            wish = work.probe(min(1.0, since / self._hesitation_s), dt)
            if since >= self._hesitation_s:
                demonstrates = status.stage is Stage.DEMONSTRATION
                marks = not demonstrates and self._mark_s == self._hesitation_s
                self._go(Phase.MARK if marks else Phase.WORK, now_s)
        elif self.phase is Phase.MARK:
            wish = work.probe(1.0, dt)
            if since >= PRESS_S and status.stage is not Stage.ADAPTATION:
                self._go(Phase.WORK, now_s)
            else:
                buttons = self._press(Button.MARK_RECOVERY, now_s)
        elif self.phase is Phase.WORK:
            self._work_s += dt
            wish = work.work(tool, eyes.progress, now_s, dt)
            part = self._goal_now < 1.0 and eyes.progress >= self._goal_now
            if part or self._work_s > self._recover_s:
                self._go(Phase.RETREAT, now_s)
            elif eyes.over or work.done:
                self._go(Phase.HAND_BACK, now_s)
        else:
            wish, there = work.retreat(dt)
            if there or since > 2.0:
                self._go(Phase.HAND_BACK, now_s)
        if self.phase is not Phase.MARK:
            buttons |= self._mark_beside(status, now_s)
        self._fingers = work.fingers
        self._own["right"] = self._hand_for(wish * pin.SE3(eyes.tool_in_wrist).inverse())
        if not self._absolute:
            self._own["head"].translation = self._upright + np.append(work.lean, 0.0)
        return buttons

    def _mark_beside(self, status: Status, now_s: float) -> Button:
        """Mark the recovery before the adaptation has ended, or while already at work."""
        due = self._mark_s is not None and self._mark_s != self._hesitation_s
        if not due or status.stage is not Stage.ADAPTATION:
            return Button.NONE
        late_s = now_s - self._adapting_s - (self._mark_s or 0.0)
        pressed = late_s >= 0.0 and late_s % AGAIN_S < PRESS_S  # again when nothing came of it
        return Button.MARK_RECOVERY if pressed else Button.NONE

    def _press(self, button: Button, now_s: float) -> Button:
        """Hold a button for a moment, and press it again when nothing came of it."""
        if now_s - self._pressed_s > AGAIN_S:
            self._pressed_s = now_s
        return button if now_s - self._pressed_s < PRESS_S else Button.NONE

    def _start_align(self, status: Status, now_s: float) -> None:
        """Reach for the robot's wrists, and hold the head as the robot does."""
        self._go(Phase.ALIGN, now_s)
        self._resume = Phase.PROBE
        skill = self._skill
        for part, pose in (("left", status.left_wrist), ("right", status.right_wrist)):
            place = self._rng.uniform(-skill.align_m, skill.align_m, 3)
            turn = self._rng.uniform(-skill.align_rad, skill.align_rad, 3)
            self._reach(part, to_transform(pose) * pin.SE3(pin.exp3(turn), place), now_s)
        self._reach("head", to_transform(status.head), now_s)

    def _reach(self, part: str, goal: pin.SE3, now_s: float) -> None:
        self._reaches[part] = Reach.plan(self._own[part], goal, now_s, 0.35 * self._skill.pace)

    def _take_origin(self, status: Status, now_s: float) -> None:
        """The robot follows from now on: remember how own and robot's hand belong together."""
        robot = to_transform(status.right_wrist)
        own = self._squeezed_at if self._squeezed_at is not None else self._own["right"]
        self._origin = (robot, robot) if self._absolute else (own, robot)
        tool = robot * pin.SE3(self._eyes.tool_in_wrist)
        self._upright = self._own["head"].translation.copy()
        self._working = Working(
            tool,
            self._eyes.closure,
            lambda: self._eyes.plan,
            self._skill,
            self._latency_s,
            self._rng,
        )
        if self._resume is Phase.PROBE:
            hesitates = float(self._rng.uniform(*self._skill.hesitation_s))
            # Who demonstrates drives from the start: there is no motion of a policy to get used to.
            demonstrates = status.stage is Stage.DEMONSTRATION
            self._hesitation_s = START_S if demonstrates else hesitates
            self._work_s, self._adapting_s = 0.0, now_s
            self._mark_s = self._labels.mark(
                self._hesitation_s, 0.0, self._hesitation_s + self._recover_s, self._label_rng
            )
        phase, self._resume = self._resume, Phase.PROBE
        self._go(phase, now_s)

    def _hand_for(self, robot: pin.SE3) -> pin.SE3:
        """Return the own wrist that sends the robot's wrist to a pose (pelvis frame)."""
        assert self._origin is not None
        own, start = self._origin
        turn = robot.rotation @ start.rotation.T
        moved = own.translation + robot.translation - start.translation
        return pin.SE3(turn @ own.rotation, moved)
