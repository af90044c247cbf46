"""What a takeover and a hand-back do to the robot: the step, the time to follow, the press.

The pure arbiter with its filter on virtual time. Normal motion is the policy's: five chunks a
second, each 30 % of the way to a random posture in 0.8 s. After a change of authority whoever
drives asks for a posture 0.1 rad away on every joint, at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rove_core.action import ActionChunk
from rove_core.arrays import FloatArray
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Button, HandoverKind, Mode
from rove_teleop.arbiter.arbiter import Tick
from rove_teleop.arbiter.handover import Handover
from tests.bench.result import Result
from tests.faults.plant import FRAME_TICKS, NS, ROW_NS, ROWS, TICK_S, Plant

CYCLES = 8
AWAY = 0.1  # rad
REACHED = 0.95
LONGEST = 200  # ticks
NORMAL = 800  # ticks of normal motion before each takeover


class Stage(Plant):
    """A plant whose operator and policy ask for what the benchmark says."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.handovers: list[Handover] = []
        self.asked: FloatArray | None = None  # (N,) rad, of whoever drives; None: at random

    def tick(self, *requests: object, seconds: float = TICK_S) -> Tick:  # type: ignore[override]
        found = super().tick(*requests, seconds=seconds)  # type: ignore[arg-type]
        self.handovers += found.handovers
        return found

    def _move_goal(self) -> None:
        if self.asked is not None:
            self._goal = self.asked
        else:
            super()._move_goal()

    def _chunks(self) -> tuple[tuple[ActionChunk, ...], tuple[str, ...]]:
        chunks, refused = super()._chunks()
        if self.asked is None or not chunks:
            return chunks, refused
        rows = np.tile(self.asked, (ROWS, 1))
        seen = self.ros_ns - NS // 25
        asked = ActionChunk(seen, seen + ROW_NS, ROW_NS, rows, "digest", chunks[0].chunk_id)
        return (asked,), refused

    def until(self, mode: Mode) -> None:
        """Go on until a mode."""
        for _ in range(LONGEST):
            if self.mode is mode:
                return
            self.tick()
        raise AssertionError(f"{mode.name} never came, {self.mode.name} is")

    def ask(self) -> None:
        """Ask for a posture that is away on every joint, inside of the limits."""
        position = self.arbiter.filter.position
        assert position is not None
        spec = self.spec
        way = AWAY * self.rng.choice([-1.0, 1.0], spec.size)
        inside = (position + way > spec.lower) & (position + way < spec.upper)
        self.asked = position + np.where(inside, way, -way)

    def followed(self) -> float:
        """Return after how many s every joint has gone 95 % of the way that is asked for."""
        asked, begin = self.asked, self.arbiter.filter.position
        assert asked is not None
        assert begin is not None
        left = np.maximum((1.0 - REACHED) * np.abs(asked - begin), 1e-4)
        for count in range(1, LONGEST):
            position = self.tick().position
            if position is not None and (np.abs(asked - position) <= left).all():
                return count * TICK_S
        return float("nan")

    def press_takeover(self) -> int:
        """Press; return the ticks from the arrival of the frame to a command not the policy's,
        and one more, for a frame that arrives right behind a tick."""
        self.buttons = Button.TAKEOVER
        while self.ticks % FRAME_TICKS != FRAME_TICKS - 1:
            self.tick()
        waited = 1
        while self.tick().decision.authority is Authority.POLICY:
            waited += 1
        waited += 1
        for _ in range(2 * FRAME_TICKS):
            self.tick()
        self.buttons = Button.NONE
        return waited


def bench_handover() -> Iterator[Result]:
    """Eight takeovers, squeezes and hand-backs."""
    stage = Stage(load_robot("g1_dex3"), np.random.default_rng(11))
    stage.reach(Mode.AUTONOMOUS)
    presses: list[int] = []
    times: dict[HandoverKind, list[float]] = {HandoverKind.ENGAGE: [], HandoverKind.HANDBACK: []}
    for _ in range(CYCLES):
        for _ in range(NORMAL):
            stage.tick()
        presses.append(stage.press_takeover())
        stage.until(Mode.ALIGN)
        for _ in range(100):  # it comes to rest, the operator aligns
            stage.tick()
        stage.ask()
        stage.squeeze = 1.0
        stage.until(Mode.HUMAN)
        times[HandoverKind.ENGAGE].append(stage.followed())
        stage.ask()
        stage.buttons = Button.HAND_BACK
        stage.until(Mode.HANDBACK)
        stage.buttons, stage.squeeze = Button.NONE, 0.0
        stage.until(Mode.AUTONOMOUS)
        times[HandoverKind.HANDBACK].append(stage.followed())
        for _ in range(100):
            stage.tick()
        stage.asked = None
    for kind, name in (
        (HandoverKind.TAKEOVER, "takeover"),
        (HandoverKind.ENGAGE, "squeeze"),
        (HandoverKind.HANDBACK, "hand-back"),
    ):
        found = [h for h in stage.handovers if h.kind is kind]
        assert len(found) == CYCLES, (name, len(found))
        worst = max(found, key=lambda h: h.step / h.normal_step)
        yield Result(f"largest step at {name}", worst.step, "rad", worst.normal_step,
                     1.0 * worst.normal_step)  # fmt: skip
        if kind in times:
            yield Result(f"95 % of {AWAY} rad followed after {name}", max(times[kind]), "s",
                         0.5, 0.5)  # fmt: skip
    yield Result("press to authority", float(max(presses)), "ticks", 2.0, 2.0)
