"""The scripted person, in front of a perfect robot and in front of the simulated one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pinocchio as pin
import pytest

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_sim.labels import LabelNoise
from rove_sim.operators.eyes import eyes_of
from rove_sim.operators.person import Phase, ScriptedPerson
from rove_sim.operators.sight import Eyes, Seen
from rove_sim.operators.skill import SKILLS, Skill
from rove_sim.operators.watching import TakeoverRule
from rove_sim.tasks.erase_whiteboard import FELT_HALF
from rove_sim.tasks.plan import Plan, Waypoint, pose
from rove_sim.world import World
from rove_teleop.retarget.model import KinematicModel, robot_poses, to_transform
from rove_teleop.retarget.retargeter import Retargeter, RetargetResult
from rove_teleop.wire.check import FrameChecker
from rove_teleop.wire.messages import SQUEEZED, Frame, Status

SPEC = load_robot("g1_dex3")
MODEL = KinematicModel(SPEC)
TOOL = World(SPEC, "erase_whiteboard").task.tool_in_wrist()
PERIOD_NS = 13_888_889  # 72 Hz
BOARD_X = 0.46  # m ahead of the pelvis
LATEST_S = 0.25  # until a person acts on what happened: the longest latency, a status, a frame
CAREFUL = replace(SKILLS["skilled"], wrong_move=0.0, late=0.0)  # no chance event but the seed's


class PerfectRobot:
    """Is where it was told to be; ink vanishes where the felt is pressed on it."""

    def __init__(self, ink: FloatArray) -> None:
        self.joints = np.array(SPEC.home)
        self.ink, self.start = np.array(ink), len(ink)
        self.nearest = np.full(len(ink), np.inf)  # m, per point of ``ink`` at the start
        self._all = np.array(ink)

    def tell(self, joints: FloatArray) -> None:
        self.joints = np.array(joints)
        felt = to_transform(robot_poses(MODEL, self.joints).right_wrist) * pin.SE3(TOOL)
        if felt.translation[0] > BOARD_X:  # pressed
            away = np.abs((self._all - felt.translation) @ felt.rotation)[:, 1:]
            gap = np.linalg.norm(np.maximum(away - FELT_HALF[1:], 0.0), axis=1)
            self.nearest = np.minimum(self.nearest, gap)
            away = np.abs((self.ink - felt.translation) @ felt.rotation)[:, 1:]
            self.ink = self.ink[~(away <= FELT_HALF[1:]).all(axis=1)]

    @property
    def progress(self) -> float:
        return 1.0 - len(self.ink) / self.start

    @property
    def eyes(self) -> Eyes:
        return Eyes(self._plan(), TOOL, 1.0, self.progress)

    def _plan(self) -> Plan:
        """From the left end of what is left to the right one."""
        if not len(self.ink):
            return ()
        left, right = self.ink[self.ink[:, 1].argmax()], self.ink[self.ink[:, 1].argmin()]
        middle = (self.ink[:, 2].min() + self.ink[:, 2].max()) / 2

        def at(y: float, x: float) -> FloatArray:
            return pose((x, y, middle))

        return (
            Waypoint("reach", at(left[1], BOARD_X - 0.05), 1.0),
            Waypoint("press", at(left[1], BOARD_X + 0.018), 1.0, 0.12, press=True),
            Waypoint("wipe", at(right[1], BOARD_X + 0.018), 1.0, 0.08, press=True),
        )


class SimulatedRobot:
    """The robot of the lab in MuJoCo, with its board."""

    def __init__(self, seed: int) -> None:
        self.world = World(SPEC, "erase_whiteboard", seed)
        self._ahead_s = 0.0
        self._target = self.world.task.start_posture()

    @property
    def joints(self) -> FloatArray:
        return self.world.joint_positions()

    @property
    def eyes(self) -> Eyes:
        return eyes_of(self.world)

    def tell(self, joints: FloatArray) -> None:
        self._target = np.array(joints)

    def run(self, seconds: float) -> None:
        """Go on for a while with what it was told last."""
        self._ahead_s += seconds
        while self._ahead_s >= self.world.timestep_s:
            self.world.step(self._target)
            self._ahead_s -= self.world.timestep_s


@dataclass
class Stand:
    """A person, the retargeter, a robot, and as much of an arbiter as a person can notice."""

    person: ScriptedPerson
    robot: PerfectRobot | SimulatedRobot
    mode: Mode = Mode.AUTONOMOUS
    stage: Stage = Stage.ROLLOUT
    episode: str = "one"
    holder: str = "ann"
    question: str = ""  # what the arbiter asks
    refuse_squeeze: int = 0  # squeezes that ALIGN still refuses
    deaf: frozenset[Button] = frozenset()
    now_ns: int = 0
    frames: list[Frame] = field(default_factory=list)
    results: list[RetargetResult] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    modes: list[Mode] = field(default_factory=list)
    _was: Button = Button.NONE
    _squeezed: bool = False
    _retargeter: Retargeter = field(default_factory=lambda: Retargeter(SPEC))

    def step(self) -> None:
        self.now_ns += PERIOD_NS
        poses = robot_poses(MODEL, self.robot.joints)
        status = Status(
            stamp_ns=self.now_ns, mode=self.mode, authority=Authority.HOLD, stage=self.stage,
            reason="", lease=4, lease_holder=self.holder, position_error=0.0,
            orientation_error=0.0, head=poses.head, left_wrist=poses.left_wrist,
            right_wrist=poses.right_wrist, episode_id=self.episode,
            question=self.question,
        )  # fmt: skip
        seen = Seen(status, self.robot.eyes)
        frame = self.person.step(self.now_ns * 1e-9, seen)
        result = self._retargeter.update(frame, self.robot.joints, self.now_ns, self.now_ns)
        self._decide(frame, result)
        if self.mode is Mode.HUMAN and result.valid and result.enabled:
            self.robot.tell(result.position)
        if isinstance(self.robot, SimulatedRobot):
            self.robot.run(PERIOD_NS * 1e-9)
        self.frames.append(frame)
        self.results.append(result)
        for history, value in ((self.phases, self.person.phase), (self.modes, self.mode)):
            if not history or history[-1] is not value:
                history.append(value)  # type: ignore[attr-defined]

    def _decide(self, frame: Frame, result: RetargetResult) -> None:
        down = Button(frame.buttons) & ~Button(sum(self.deaf))
        pressed, self._was = down & ~self._was, down
        squeezed = max(frame.left_squeeze, frame.right_squeeze) > SQUEEZED
        edge, self._squeezed = squeezed and not self._squeezed, squeezed
        if Button.TAKEOVER in pressed and self.mode in (Mode.AUTONOMOUS, Mode.PAUSED):
            self.mode, self.stage = Mode.ALIGN, Stage.ADAPTATION
        elif self.mode in (Mode.ALIGN, Mode.CLUTCH) and edge:
            assert result.position_error < 0.15 or self.mode is Mode.CLUTCH
            if self.refuse_squeeze and self.mode is Mode.ALIGN:
                self.refuse_squeeze -= 1
            else:
                self.mode = Mode.HUMAN
        elif self.mode is Mode.HUMAN and not squeezed:
            self.mode = Mode.CLUTCH
        if Button.MARK_RECOVERY in pressed and self.mode is Mode.HUMAN:
            self.stage = Stage.RECOVERY
        driven = self.mode in (Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH)
        if Button.HAND_BACK in pressed and driven:
            self.mode, self.stage = Mode.HANDBACK, Stage.NONE

    def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        end = self.now_ns + int(seconds * 1e9)
        while not done():
            assert self.now_ns < end, f"never happened; {self.phases} {self.modes}"
            self.step()


def ink(seed: int, points: int = 26) -> FloatArray:
    """A wavy stroke of 8 cm on an upright board ahead."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(-0.16, 0.02) + np.linspace(-0.04, 0.04, points)
    z = rng.uniform(0.14, 0.26) + 0.012 * np.sin(np.linspace(0, 3 * np.pi, points))
    return np.stack([np.full(points, BOARD_X), y, z], axis=1)


def person(seed: int = 1, **change: object) -> ScriptedPerson:
    rule = TakeoverRule(at_s=1.0, stall_s=None, near_s=None)
    fields = {"rule": rule, "goal": 1.0, "skill": CAREFUL} | change
    return ScriptedPerson("ann", seed=seed, **fields)  # type: ignore[arg-type]


def stand(seed: int = 1, **change: object) -> Stand:
    return Stand(person(seed, **change), PerfectRobot(ink(seed)))


TAKEOVER_TO_HANDBACK = [
    Phase.WATCH, Phase.TAKE_OVER, Phase.ALIGN, Phase.SQUEEZE, Phase.PROBE, Phase.MARK,
    Phase.WORK, Phase.HAND_BACK, Phase.WATCH,
]  # fmt: skip


@pytest.mark.parametrize(("seed", "skill"), list(enumerate(SKILLS)))
@pytest.mark.parametrize("hands", ["right", "both"])
def test_a_takeover_runs_through_all_phases_and_all_ink_is_wiped(
    seed: int, skill: str, hands: str
) -> None:
    """From the press to the hand-back, in order, with each phase once; the felt comes within 1 cm
    of every mark while pressed; every frame passes the bridge's checks; no target is refused."""
    run = stand(seed, hands=hands, skill=skill)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    assert run.phases == TAKEOVER_TO_HANDBACK
    assert run.modes == [Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.HANDBACK] or run.modes == [
        Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH, Mode.HANDBACK]  # fmt: skip
    assert isinstance(run.robot, PerfectRobot)
    assert run.robot.nearest.max() < 0.01
    assert len(run.robot.ink) == 0
    checker = FrameChecker()
    for i, frame in enumerate(run.frames, 1):
        stamped = Frame(**{f: getattr(frame, f) for f in frame.__struct_fields__}
                        | {"sequence": i, "device_stamp_ns": i})  # fmt: skip
        assert checker.check(stamped, i)[1] == ()
    assert all(result.valid for result in run.results)


@pytest.mark.parametrize("seed", [3, 8])
def test_the_simulated_robot_is_rescued(seed: int) -> None:
    """The same person in front of the physics: at least 95 % of the right ink is gone, the wrong
    ink stays, and the robot is handed back."""
    lab = SimulatedRobot(seed)
    run = Stand(person(seed), lab)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH], seconds=60.0)
    status = lab.world.task.status()
    assert status.progress >= 0.95
    assert status.damage < 0.05


def test_the_hand_moves_smoothly() -> None:
    """No frame moves a hand faster than 1.5 m/s, whatever the phase."""
    run = stand(2)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    for part in ("head", "left_wrist", "right_wrist"):
        places = np.array([getattr(frame, part)[:3] for frame in run.frames])
        speed = np.linalg.norm(np.diff(places, axis=0), axis=1) / (PERIOD_NS * 1e-9)
        assert speed.max() < 1.5


def test_the_same_seed_is_the_same_person() -> None:
    """Frames are a function of the seed and of what is seen."""
    a, b, c = stand(5), stand(5), stand(5)
    c.person = person(6)
    for run in (a, b, c):
        run.until(lambda run=run: len(run.frames) == 400)
    assert a.frames == b.frames
    assert a.frames != c.frames


@pytest.mark.parametrize("skill", SKILLS.values(), ids=list(SKILLS))
def test_adaptation_takes_as_long_as_the_skill_says(skill: Skill) -> None:
    """Between squeeze and mark the person hesitates and moves the hand less than 8 cm."""
    for seed in range(3):
        run = stand(seed, skill=skill)
        run.until(lambda run=run: run.person.phase is Phase.PROBE)
        first = len(run.frames)
        run.until(lambda run=run: run.person.phase is Phase.MARK)
        shortest, longest = skill.hesitation_s
        assert shortest - 0.05 < (len(run.frames) - first) * PERIOD_NS * 1e-9 < longest + 0.1
        places = np.array([frame.right_wrist[:3] for frame in run.frames[first:]])
        moved = np.linalg.norm(places - places[0], axis=1)
        assert 0.01 < moved.max() < 0.08


def _marked_s(labels: LabelNoise) -> float | None:
    """Return s from the first frame that the robot follows to the mark, None: never marked."""
    run = stand(4, labels=labels)
    run.until(lambda: run.person.phase is Phase.PROBE)
    began = run.now_ns
    run.until(lambda: run.stage is not Stage.ADAPTATION)
    return (run.now_ns - began) * 1e-9 if run.stage is Stage.RECOVERY else None


def test_marks_are_late_or_missed_as_the_label_noise_says() -> None:
    """The recovery is marked 1.5 s after the truth while the person works on, or never."""
    true_s, late_s = _marked_s(LabelNoise()), _marked_s(LabelNoise(mark_delay_s=1.5))
    assert true_s is not None
    assert late_s is not None
    assert late_s - true_s == pytest.approx(1.5, abs=0.05)
    assert _marked_s(LabelNoise(mark_missed=1.0)) is None


def test_buttons_are_held_for_a_fifth_of_a_second() -> None:
    """Each button goes down once and stays 0.2 s, which no arbiter misses."""
    run = stand(1)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    for button in (Button.TAKEOVER, Button.MARK_RECOVERY):
        down = [bool(frame.buttons & button) for frame in run.frames]
        runs = [len(list(group)) for value, group in itertools.groupby(down) if value]
        assert len(runs) == 1
        assert runs[0] <= 16


def test_a_press_that_was_not_heard_is_repeated() -> None:
    """A button without an effect is released and pressed again, not held for ever."""
    run = stand(1)
    run.deaf = frozenset({Button.TAKEOVER})
    run.until(lambda: run.person.phase is Phase.TAKE_OVER)
    start = len(run.frames)
    run.until(lambda: len(run.frames) == start + 72 * 4)
    down = [bool(frame.buttons & Button.TAKEOVER) for frame in run.frames]
    assert len([1 for value, _ in itertools.groupby(down) if value]) in (4, 5)
    run.deaf = frozenset()
    run.until(lambda: run.mode is Mode.ALIGN, seconds=4.0)


def test_a_refused_squeeze_is_tried_again() -> None:
    """ALIGN that refuses the squeeze: the hand opens, aligns anew, squeezes again."""
    run = stand(1)
    run.refuse_squeeze = 2
    run.until(lambda: run.mode is Mode.HUMAN, seconds=20.0)
    assert run.phases.count(Phase.SQUEEZE) == 3
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])


@pytest.mark.parametrize("phase", [Phase.PROBE, Phase.WORK])
def test_a_clutch_is_squeezed_again_and_the_work_goes_on(phase: Phase) -> None:
    """CLUTCH in the middle: the hand opens, squeezes, and the same phase goes on without a jump."""
    run = stand(1)
    run.until(lambda: run.person.phase is phase)
    run.until(lambda: run.now_ns % (PERIOD_NS * 40) == 0)
    run.mode = Mode.CLUTCH
    before = run.robot.joints.copy()
    run.until(lambda: run.mode is Mode.HUMAN, seconds=3.0)
    assert np.abs(run.robot.joints - before)[:29].max() < 0.02
    run.until(lambda: run.person.phase is phase, seconds=LATEST_S)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    assert len(run.robot.ink) == 0


@pytest.mark.parametrize("mode", [Mode.HOLD, Mode.ESTOP, Mode.IDLE])
@pytest.mark.parametrize("phase", [Phase.TAKE_OVER, Phase.ALIGN, Phase.PROBE, Phase.WORK])
def test_a_robot_that_stopped_is_left_alone(mode: Mode, phase: Phase) -> None:
    """In HOLD, ESTOP and IDLE nothing is pressed or squeezed from when the person sees it, for as
    long as it lasts; when the robot is autonomous again the person tries again."""
    run = stand(1)
    run.until(lambda: run.person.phase is phase)
    run.mode, run.episode = mode, "" if mode is Mode.IDLE else run.episode
    run.until(lambda: run.person.phase is Phase.WATCH, seconds=LATEST_S)
    start = len(run.frames)
    run.until(lambda: len(run.frames) == start + 200)
    for frame in run.frames[start:]:
        assert frame.buttons == 0
        assert frame.left_squeeze == frame.right_squeeze == 0.0
    assert run.mode is mode
    run.mode, run.stage, run.episode = Mode.AUTONOMOUS, Stage.ROLLOUT, "one"
    run.until(lambda: run.mode is Mode.ALIGN, seconds=4.0)


def test_without_the_lease_nothing_is_pressed() -> None:
    """A person presses only while holding the lease, and sends its number only then."""
    run = stand(1)
    run.holder = "bob"
    run.until(lambda: len(run.frames) == 300)
    assert all(frame.buttons == 0 and frame.lease == 0 for frame in run.frames)
    run.holder = "ann"
    run.until(lambda: run.mode is Mode.ALIGN, seconds=4.0)
    assert run.frames[-1].lease == 4


def test_one_takeover_an_episode() -> None:
    """The rule of time has one takeover an episode; the next episode has its own."""
    run = stand(1)
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    run.mode = Mode.AUTONOMOUS
    start = len(run.frames)
    run.until(lambda: len(run.frames) == start + 300)
    assert run.mode is Mode.AUTONOMOUS
    run.episode = "two"
    run.until(lambda: run.mode is Mode.ALIGN, seconds=4.0)


def test_a_stall_calls_for_help() -> None:
    """With the stall rule the person takes over when progress stands still, and not before."""
    run = stand(1, rule=TakeoverRule(at_s=None, stall_s=2.0, near_s=None))
    assert isinstance(run.robot, PerfectRobot)
    for _ in range(10):  # one mark less every second
        run.robot.ink = run.robot.ink[1:]
        start = len(run.frames)
        run.until(lambda start=start: len(run.frames) == start + 72)
    assert run.mode is Mode.AUTONOMOUS
    start = len(run.frames)
    run.until(lambda: run.mode is Mode.ALIGN)
    assert (len(run.frames) - start) * PERIOD_NS * 1e-9 < 3.5  # the reaction comes on top


def test_work_ends_when_it_takes_too_long() -> None:
    """Ink that never vanishes: the person hands back after ``recover_s``."""
    run = stand(1, recover_s=4.0)
    run.robot.tell = lambda joints: setattr(run.robot, "joints", np.array(joints))  # type: ignore
    run.until(lambda: run.person.phase is Phase.WORK)
    start = run.now_ns
    run.until(lambda: run.person.phase is Phase.HAND_BACK)
    assert 4.0 < (run.now_ns - start) * 1e-9 < 7.0


def test_a_person_without_a_bridge_stands_still() -> None:
    """Before the first status the frames are neutral: nothing pressed, hands at rest."""
    alone = person()
    for i in range(200):
        frame = alone.step(i / 72, Seen(None))
        assert frame.buttons == 0
        assert frame.right_squeeze == 0.0
        assert np.linalg.norm(np.array(frame.right_wrist[:3]) - [0.30, -0.22, 0.75]) < 0.05


def test_wrong_arguments_are_refused() -> None:
    """Unknown hands or skills fail when the person is made, and name what is allowed."""
    with pytest.raises(ConfigError, match="right"):
        ScriptedPerson("ann", hands="left")
    with pytest.raises(ConfigError, match="novice"):
        ScriptedPerson("ann", "virtuoso")


def test_after_a_stall_the_person_finishes() -> None:
    """Bug: a second takeover above the goal handed back at once, and the robot stalled again."""
    run = stand(1, rule=TakeoverRule(at_s=None, stall_s=2.0, near_s=None), goal=0.2)
    assert isinstance(run.robot, PerfectRobot)
    run.robot.ink = run.robot.ink[: len(run.robot.ink) // 2]
    run.until(lambda: run.phases[-2:] == [Phase.HAND_BACK, Phase.WATCH])
    assert run.robot.progress == 1.0


def test_a_question_in_idle_is_answered_yes() -> None:
    """The lease holder presses mark recovery until the question is gone; others press nothing."""
    asked = "policy 1234 is new here: may it drive?"
    run = stand(1)
    run.mode, run.question = Mode.IDLE, asked
    run.until(lambda: bool(run.frames) and bool(run.frames[-1].buttons & Button.MARK_RECOVERY))
    run.question = ""
    run.until(lambda: not run.frames[-1].buttons)
    bystander = stand(1)
    bystander.mode, bystander.question, bystander.holder = Mode.IDLE, asked, "bob"
    bystander.until(lambda: len(bystander.frames) == 200)
    assert not any(frame.buttons for frame in bystander.frames)
