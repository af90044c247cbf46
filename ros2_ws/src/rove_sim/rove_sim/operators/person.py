"""A scripted person with a headset: watches, takes over, aligns, squeezes, recovers, hands back.

Pure logic: ``step`` gets what the person sees and returns what the headset sends. Everything is
planned in the robot's pelvis frame, as if the person's body were the robot's; one constant
transform puts that body somewhere on the person's floor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ConfigError
from rove_core.vocabulary import Button, Mode, Stage
from rove_sim.operators.motion import Reach, Tremor
from rove_sim.operators.wiping import Wiping
from rove_teleop.retarget.clutch import turn_about_z
from rove_teleop.retarget.model import to_pose, to_transform
from rove_teleop.wire.messages import Frame, Status

PELVIS_HEIGHT = 0.75  # m above the floor
PRESS_S = 0.2  # a button stays down so long
AGAIN_S = 1.0  # without an effect a button is pressed again
OPEN_S = 0.3  # the hand opens so long before it squeezes again
CLOSE_ENOUGH = 0.02  # m between own and robot's wrist before the squeeze
HESITATION_S = (1.0, 2.0)
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


@dataclass(frozen=True)
class Seen:
    """What the person sees in one moment.

    Attributes:
        status: the newest from the bridge, None before the first.
        remaining: (M, 3) m, pelvis frame, where work is left; M may be 0.
        progress: 0..1.
    """

    status: Status | None
    remaining: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    progress: float = 0.0


@dataclass(frozen=True)
class TakeoverRule:
    """When the person takes over; None switches a rule off.

    Attributes:
        at_s: s after an episode became AUTONOMOUS, once an episode.
        stall_s: s without progress in AUTONOMOUS.
    """

    at_s: float | None = 3.0
    stall_s: float | None = None


class ScriptedPerson:
    """See the module. One instance for one connection; ``step`` at the rate of the headset.

    Args:
        operator_id: as the bridge knows the person.
        tool_in_wrist: (4, 4) pose of the eraser's face in the right wrist's frame.
        rule: when to take over.
        seed: decides hesitation, tremor and errors.
        goal: progress at which to hand back; below 1 leaves the rest to the policy. After a
            takeover because of a stall the person finishes the work: the policy could not.
        recover_s: longest time of work, s.
        hands: ``right`` or ``both`` are squeezed.
        clumsiness: 0..1, how much tremor, error of alignment and slowness.
        place: x, y (m) and yaw (rad) of the person's body in the frame of the headset.
        absolute: the device makes the robot take the person's own posture, so their hand goes
            where the robot's shall; else the robot's hand moves as the person's does.

    Attributes:
        phase: what the person is doing.
        body: pose of the person's pelvis in the frame of the headset.

    Raises:
        ConfigError: hands or clumsiness that are not allowed.
        ContractError: ``tool_in_wrist`` is not a finite (4, 4).
    """

    def __init__(
        self,
        operator_id: str,
        tool_in_wrist: FloatArray,
        rule: TakeoverRule | None = None,
        seed: int = 0,
        goal: float = 0.7,
        recover_s: float = 30.0,
        hands: str = "right",
        clumsiness: float = 0.3,
        place: tuple[float, float, float] = (0.0, 0.0, 0.0),
        absolute: bool = False,
    ) -> None:
        if hands not in HANDS:
            raise ConfigError("hands", hands, HANDS, "scripted person")
        if not 0.0 <= clumsiness <= 1.0:
            raise ConfigError("clumsiness", clumsiness, "0 to 1", "scripted person")
        self.phase = Phase.WATCH
        self._id, self._rule, self._goal, self._recover_s = (
            operator_id, rule or TakeoverRule(), goal, recover_s
        )  # fmt: skip
        self._tool = pin.SE3(frozen_floats(tool_in_wrist, (4, 4), "tool_in_wrist"))
        self._squeezed_hands = ("right",) if hands == "right" else ("left", "right")
        x, y, yaw = place
        self._absolute = absolute
        self.body = pin.SE3(turn_about_z(yaw), np.array([x, y, PELVIS_HEIGHT]))
        self._rng = np.random.default_rng(seed)
        self._clumsiness = clumsiness
        self._pace = 1.0 - 0.4 * clumsiness
        spread = 0.0005 + 0.003 * clumsiness
        self._tremor = {part: Tremor(self._rng, spread, 3.0 * spread) for part in NEUTRAL}
        self._own = {k: pin.SE3(np.eye(3), np.array(v)) for k, v in NEUTRAL.items()}
        self._reaches: dict[str, Reach] = {}
        self._now_s: float | None = None
        self._phase_s = 0.0  # when the phase began
        self._pressed_s = 0.0  # when a button went down last
        self._squeezing = False
        self._resume: Phase = Phase.PROBE
        self._hesitation_s = 0.0
        self._work_s = 0.0  # worked so far
        self._watch = _Watch()
        self._wiping: Wiping | None = None
        self._goal_now = goal  # of this takeover
        # Own right wrist and robot's right wrist when the robot began to follow.
        self._origin: tuple[pin.SE3, pin.SE3] | None = None
        self._squeezed_at: pin.SE3 | None = None

    def step(self, now_s: float, seen: Seen) -> Frame:
        """Return the headset's frame (sequence and device stamp are left to the client).

        Args:
            now_s: monotonic time, s.
            seen: what the person sees now.
        """
        dt = 0.0 if self._now_s is None else now_s - self._now_s
        self._now_s = now_s
        buttons = Button.NONE
        status = seen.status
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
        mine = status is not None and status.lease_holder == self._id
        return Frame(
            sequence=0,
            lease=status.lease if status is not None and mine else 0,
            device_stamp_ns=0,
            head=to_pose(shown["head"]),
            left_wrist=to_pose(shown["left"]),
            right_wrist=to_pose(shown["right"]),
            left_squeeze=squeeze["left"],
            right_squeeze=squeeze["right"],
            right_trigger=float(self.phase is not Phase.WATCH),  # curled round the eraser
            buttons=int(buttons),
        )

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
        if mode in (Mode.HOLD, Mode.ESTOP, Mode.IDLE) or status.lease_holder != self._id:
            self._watch.interrupted()
            self._go(Phase.WATCH, now_s)
        elif mode is Mode.CLUTCH and phase in FOLLOWED:
            self._resume = phase
            self._go(Phase.OPEN, now_s)
        elif mode in (Mode.AUTONOMOUS, Mode.HANDBACK) and phase is not Phase.TAKE_OVER:
            if phase is not Phase.HAND_BACK:  # somebody else gave the robot back
                self._watch.interrupted()
            self._go(Phase.WATCH, now_s)

    def _act(self, status: Status, seen: Seen, now_s: float, dt: float) -> Button:
        """Do what the phase asks for; return the buttons that are down."""
        phase, since = self.phase, now_s - self._phase_s
        if phase is Phase.WATCH:
            asked = status.question and status.mode is Mode.IDLE
            if asked and status.lease_holder == self._id:
                return self._press(Button.MARK_RECOVERY, now_s)  # yes, the new policy may drive
            wanted = self._watch.see(status, seen.progress, now_s, self._rule)
            if status.lease_holder == self._id:
                if status.mode in (Mode.ALIGN, Mode.CLUTCH):  # back after a lost connection
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
                if off < CLOSE_ENOUGH:
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
        if self._wiping is None or status.mode is not Mode.HUMAN:
            return Button.NONE
        buttons, since = Button.NONE, now_s - self._phase_s
        felt = to_transform(status.right_wrist) * self._tool
        if self.phase is Phase.PROBE:
            wish = self._wiping.probe(min(1.0, since / self._hesitation_s), dt)
            if since >= self._hesitation_s:
                self._go(Phase.MARK, now_s)
        elif self.phase is Phase.MARK:
            wish = self._wiping.probe(1.0, dt)
            if since >= PRESS_S and status.stage is not Stage.ADAPTATION:
                self._go(Phase.WORK, now_s)
            else:
                buttons = self._press(Button.MARK_RECOVERY, now_s)
        elif self.phase is Phase.WORK:
            self._work_s += dt
            over = self._work_s > self._recover_s or seen.progress >= self._goal_now
            if over or not len(seen.remaining):
                self._go(Phase.RETREAT, now_s)
                return buttons
            wish = self._wiping.wipe(felt, seen.remaining, now_s, dt)
        else:
            wish, there = self._wiping.retreat(dt)
            if there or since > 2.0:
                self._go(Phase.HAND_BACK, now_s)
        self._own["right"] = self._hand_for(wish * self._tool.inverse())
        return buttons

    def _press(self, button: Button, now_s: float) -> Button:
        """Hold a button for a moment, and press it again when nothing came of it."""
        if now_s - self._pressed_s > AGAIN_S:
            self._pressed_s = now_s
        return button if now_s - self._pressed_s < PRESS_S else Button.NONE

    def _start_align(self, status: Status, now_s: float) -> None:
        """Reach for the robot's wrists, and hold the head as the robot does."""
        self._go(Phase.ALIGN, now_s)
        self._resume = Phase.PROBE
        error = self._clumsiness * np.array([0.01, 0.01, 0.01])
        for part, pose in (("left", status.left_wrist), ("right", status.right_wrist)):
            slip = pin.SE3(np.eye(3), self._rng.uniform(-error, error))
            self._reach(part, to_transform(pose) * slip, now_s)
        self._reach("head", to_transform(status.head), now_s)

    def _reach(self, part: str, goal: pin.SE3, now_s: float) -> None:
        self._reaches[part] = Reach.plan(self._own[part], goal, now_s, 0.35 * self._pace)

    def _take_origin(self, status: Status, now_s: float) -> None:
        """The robot follows from now on: remember how own and robot's hand belong together."""
        robot = to_transform(status.right_wrist)
        own = self._squeezed_at if self._squeezed_at is not None else self._own["right"]
        self._origin = (robot, robot) if self._absolute else (own, robot)
        self._wiping = Wiping(robot * self._tool, now_s, self._pace)
        if self._resume is Phase.PROBE:
            self._hesitation_s = float(self._rng.uniform(*HESITATION_S))
            self._work_s = 0.0
        phase, self._resume = self._resume, Phase.PROBE
        self._go(phase, now_s)

    def _hand_for(self, robot: pin.SE3) -> pin.SE3:
        """Return the own wrist that sends the robot's wrist to a pose (pelvis frame)."""
        assert self._origin is not None
        own, start = self._origin
        turn = robot.rotation @ start.rotation.T
        moved = own.translation + robot.translation - start.translation
        return pin.SE3(turn @ own.rotation, moved)


class Wanted(Enum):
    """Whether a takeover is wanted, and by which rule."""

    NO = auto()
    DUE = auto()
    STALLED = auto()


class _Watch:
    """When to take over, from what is seen while watching."""

    def __init__(self) -> None:
        self._episode = ""
        self._since_s: float | None = None  # AUTONOMOUS since
        self._progress, self._progress_s = 0.0, 0.0
        self._done = False  # the rule of time has had its takeover in this episode

    def taken(self) -> None:
        """The takeover begins."""
        self._done = True

    def interrupted(self) -> None:
        """The takeover did not reach its hand-back: it may be tried again."""
        self._done, self._since_s = False, None

    def see(self, status: Status, progress: float, now_s: float, rule: TakeoverRule) -> Wanted:
        """Return whether to take over now, and by which rule."""
        if status.episode_id != self._episode:
            self._episode, self._since_s, self._done = status.episode_id, None, False
        if status.mode is not Mode.AUTONOMOUS:
            self._since_s = None
            return Wanted.NO
        if self._since_s is None:
            self._since_s = self._progress_s = now_s
            self._progress = progress
        if progress > self._progress + 0.01:
            self._progress, self._progress_s = progress, now_s
        due = rule.at_s is not None and not self._done and now_s - self._since_s >= rule.at_s
        stalled = rule.stall_s is not None and now_s - self._progress_s >= rule.stall_s
        if stalled:
            return Wanted.STALLED
        return Wanted.DUE if due else Wanted.NO
