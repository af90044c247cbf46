"""A plant around the real arbiter: robot, operator, retargeting, policy and clocks, all breakable.

Everything a process would do is done here on virtual time, 5 ms a tick, with switches that break
it. Nothing in here knows what the arbiter ought to do; :mod:`tests.faults.pure` judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rove_core.action import ActionChunk
from rove_core.arrays import FloatArray
from rove_core.errors import ContractError
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Authority, Button, EpisodeKind, Mode
from rove_teleop.arbiter.arbiter import Arbiter, Tick
from rove_teleop.arbiter.inputs import (
    Inputs,
    JointSample,
    OperatorSample,
    Pause,
    Request,
    StartEpisode,
    TargetSample,
)
from rove_teleop.arbiter.room import Room
from rove_teleop.arbiter.timeouts import Timeouts

NS = 1_000_000_000
TICK_S = 0.005
FRAME_TICKS = 3
"""An operator's device of 67 Hz."""
CHUNK_TICKS = 40
"""A policy of 5 Hz."""
ROWS, ROW_NS = 16, NS // 20
"""A chunk of 0.8 s."""
FOLLOWING = 0.3
"""Part of the way to its command that the robot's servos go in a tick."""

ROLLOUT = StartEpisode(EpisodeKind.ROLLOUT, "erase", "erase the left stroke", 1, "lab")


@dataclass
class Faults:
    """What is broken now; each name is a fault of :mod:`tests.faults.schedule`."""

    joints: str = ""  # "silent", "nan", "short"
    frames: str = ""  # "silent", "delayed", "duplicated", "reordered", "nan", "old lease"
    targets: str = ""  # "silent", "invalid", "nan", "out of range", "short"
    chunks: str = ""  # "silent", "nan", "out of range", "old", "future"
    clock_dead: bool = False
    intruder: bool = False  # a second operator who presses and squeezes all the time


@dataclass
class Plant:
    """The world of one schedule.

    Attributes:
        spec, rng: the robot and the source of everything random.
        timeouts: of the arbiter.
        now, ros_ns: monotonic s and ROS time, ns.
        ticks: 200 Hz ticks so far.
        faults: what is broken.
        buttons, squeeze: what the operator does.
        last: newest tick of the arbiter.
        room: what the arbiter keeps every command in, None: nothing; outlives the arbiter.
    """

    spec: RobotSpec
    rng: np.random.Generator
    timeouts: Timeouts = field(default_factory=Timeouts)
    epoch: int = 5
    now: float = 50.0
    ros_ns: int = 90 * NS
    ticks: int = 0
    faults: Faults = field(default_factory=Faults)
    buttons: Button = Button.NONE
    squeeze: float = 0.0
    last: Tick | None = None
    room: Room | None = None

    def __post_init__(self) -> None:
        self._start_arbiter()
        self.joints: FloatArray = np.array(self.spec.home)
        self._sequence, self._lease, self._chunk_id = 0, 0, 0
        self.told_squeeze = 0.0
        """What the newest good frame said that reached the arbiter."""
        self._held_back: list[OperatorSample] = []
        self._overtaken: OperatorSample | None = None
        self._late: list[TargetSample] = []
        self._goal = np.array(self.spec.home)
        self._next_goal = 0

    @property
    def mode(self) -> Mode:
        assert self.last is not None
        return self.last.decision.mode

    @property
    def authority(self) -> Authority:
        assert self.last is not None
        return self.last.decision.authority

    def _start_arbiter(self) -> None:
        self.arbiter = Arbiter(self.spec, self.epoch, self.timeouts, room=self.room)

    def restart_arbiter(self) -> None:
        """The arbiter dies and starts again: a new epoch, nothing remembered."""
        self.epoch += 1
        self._start_arbiter()
        self._lease = 0

    def reconnect(self) -> None:
        """The operator's page is loaded again: its frames count from 1."""
        self._sequence = 0

    def tick(self, *requests: Request, seconds: float = TICK_S) -> Tick:
        """Let ``seconds`` pass and the arbiter decide once."""
        self.now += seconds
        self.ticks += 1
        if not self.faults.clock_dead:
            self.ros_ns += round(seconds * NS)
        frames = self._frames()
        for frame in frames:
            if frame.operator_id == "eve" and np.isfinite(frame.left_squeeze):
                self.told_squeeze = frame.left_squeeze
        chunks, refused = self._chunks()
        inputs = Inputs(
            ros_ns=self.ros_ns,
            joints=self._measured(),
            frames=tuple(frames),
            targets=tuple(self._targets(frames)),
            chunks=chunks,
            requests=requests,
            refused=refused,
        )
        self.last = self.arbiter.tick(inputs, self.now)
        decision = self.last.decision
        self._lease = decision.lease if decision.lease_holder == "eve" else 0
        if self.last.position is not None:
            self.joints = self.joints + FOLLOWING * (self.last.position - self.joints)
        return self.last

    def press(self, button: Button) -> None:
        """Hold a button for two frames."""
        self.buttons = button
        for _ in range(2 * FRAME_TICKS):
            self.tick()
        self.buttons = Button.NONE
        for _ in range(FRAME_TICKS):
            self.tick()

    def reach(self, mode: Mode) -> None:
        """Bring a new plant to a mode, with a lease and a running rollout."""
        for _ in range(150):
            self.tick()
        self.tick(ROLLOUT)
        for _ in range(100):
            self.tick()
        assert self.mode is Mode.AUTONOMOUS, (self.mode, self.last)
        if mode is Mode.PAUSED:
            self.tick(Pause(True, "lab"))
        elif mode is not Mode.AUTONOMOUS:
            self.press(Button.TAKEOVER)
            if mode is not Mode.ALIGN:
                self.squeeze = 1.0
                for _ in range(40):
                    self.tick()
            if mode is Mode.CLUTCH:
                self.squeeze = 0.0
                for _ in range(2 * FRAME_TICKS):
                    self.tick()
        assert self.mode is mode, (self.mode, self.last)

    def _measured(self) -> JointSample | None:
        broken = self.faults.joints
        if broken == "silent":
            return None
        values = self.joints
        if broken == "nan":
            values = np.where(np.arange(values.size) == 3, np.nan, values)
        return JointSample(values[:-1] if broken == "short" else values, self.ros_ns)

    def _frames(self) -> list[OperatorSample]:
        if self.ticks % FRAME_TICKS:
            return []
        self._sequence += 1
        frame = OperatorSample(
            "eve", self._lease, self._sequence, self.ros_ns, self.buttons, self.squeeze
        )
        frames = [frame]
        broken = self.faults.frames
        if broken == "silent":
            frames = []
        elif broken == "delayed":  # the network stands still, then everything comes at once
            self._held_back.append(frame)
            frames = []
        elif broken == "duplicated":
            frames = [frame, frame]
        elif broken == "reordered":  # every second frame overtakes the one before it
            self._overtaken, late = frame, self._overtaken
            frames = [] if late is None else [frame, late]
            self._overtaken = frame if late is None else None
        elif broken == "nan":
            frames = [_changed(frame, left_squeeze=float("nan"))]
        elif broken == "old lease":
            frames = [_changed(frame, lease=max(0, self._lease - 1))]
        if not broken and self._held_back:
            frames, self._held_back = [*self._held_back, frame], []
        if self.faults.intruder:
            press = Button.TAKEOVER if self.ticks % 2 else Button.HAND_BACK
            frames.append(
                OperatorSample("bob", self._lease, self._sequence, self.ros_ns, press, 1.0)
            )
        return frames

    def _targets(self, frames: list[OperatorSample]) -> list[TargetSample]:
        """Retargeting of the frames that came a tick ago."""
        due, self._late = self._late, []
        broken = self.faults.targets
        self._move_goal()
        for frame in frames:
            if frame.operator_id != "eve" or not np.isfinite(frame.left_squeeze):
                continue
            position = self._goal
            if broken == "nan":
                position = np.full(self.spec.size, np.nan)
            elif broken == "out of range":
                position = self._goal + self.rng.choice([-50.0, 50.0], self.spec.size)
            elif broken == "short":
                position = self._goal[:-2]
            self._late.append(
                TargetSample(
                    lease=frame.lease,
                    operator_sequence=frame.sequence,
                    stamp_ns=frame.stamp_ns,
                    valid=broken != "invalid",
                    enabled=frame.squeezed,
                    position=position,
                    reason="hand not tracked" if broken == "invalid" else "",
                    position_error=0.02,
                    orientation_error=0.1,
                )
            )
        return [] if broken == "silent" else due

    def _move_goal(self) -> None:
        """The operator reaches for another posture every half second, in small steps."""
        if self.ticks >= self._next_goal:
            self._next_goal = self.ticks + 100
            self._aim = self.rng.uniform(self.spec.lower, self.spec.upper)
        self._goal = self._goal + np.clip(self._aim - self._goal, -0.01, 0.01)

    def _chunks(self) -> tuple[tuple[ActionChunk, ...], tuple[str, ...]]:
        broken = self.faults.chunks
        if self.ticks % CHUNK_TICKS or broken == "silent":
            return (), ()
        self._chunk_id += 1
        aim = self.rng.uniform(self.spec.lower, self.spec.upper)
        rows = self.joints + np.linspace(0.05, 0.3, ROWS)[:, None] * (aim - self.joints)
        if broken == "nan":
            rows[4, 7] = np.nan
        elif broken == "out of range":
            rows = rows + self.rng.choice([-100.0, 100.0], rows.shape)
        shift = {"old": -2 * NS, "future": 5 * NS}.get(broken, 0)
        seen = self.ros_ns - NS // 25 + shift
        try:
            chunk = ActionChunk(seen, seen + ROW_NS, ROW_NS, rows, "digest", self._chunk_id)
        except ContractError:  # what the node's conversion makes of it
            return (), ("policy/chunk does not fit",)
        return (chunk,), ()


def _changed(frame: OperatorSample, **change: object) -> OperatorSample:
    fields = {name: getattr(frame, name) for name in frame.__dataclass_fields__}
    return OperatorSample(**{**fields, **change})  # type: ignore[arg-type]
