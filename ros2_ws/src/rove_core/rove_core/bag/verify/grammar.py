"""Check "modes": the arbiter's day as its table allows it, and commands that agree with it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from rove_core.bag.verify.check import Check, Seen
from rove_core.modes import DRIVERS, TRANSITIONS, TURN_MODES, reachable
from rove_core.vocabulary import Authority, Mode, Stage

COMMAND, STATE = "joint_command", "arbiter/state"
MOST_STEPS = 8
"""Transitions in one tick; from here on every mode is reachable, so more says nothing."""


@dataclass(frozen=True)
class _Tick:
    """What a command says of its tick."""

    epoch: int
    sequence: int
    count: int
    mode: Mode
    authority: Authority
    stage: Stage
    stamp_ns: int


@dataclass
class _States:
    """The arbiter's own words of one epoch: stamps and transitions counted at them."""

    stamps: list[int] = field(default_factory=list)
    transitions: list[int] = field(default_factory=list)

    def between(self, begin_ns: int, end_ns: int) -> int | None:
        """Return the transitions after one tick until another, None when nothing tells."""
        first = bisect_right(self.stamps, begin_ns) - 1
        last = bisect_right(self.stamps, end_ns) - 1
        if first < 0 or last < 0:
            return None
        return self.transitions[last] - self.transitions[first]


class ModeCheck(Check):
    """Only allowed transitions; authority and stage fit the mode; no tick counted twice or lost.

    A tick may take several transitions. ``arbiter/state`` counts them, so commands are held
    against that count; without it (demonstrations recorded without an arbiter) each change of
    mode between two commands must be one transition.
    """

    name = "modes"
    topics = frozenset({COMMAND, STATE})

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._ticks: list[_Tick] = []
        self._states: dict[int, _States] = {}
        self._last: Any = None
        self._said: list[tuple[int, int, tuple[int, int, int]]] = []

    def see(self, seen: Seen) -> None:
        """Take a command or a state."""
        message = seen.message
        try:
            mode, authority = Mode(message.mode), Authority(message.authority)
            stage = Stage(message.stage)
        except ValueError as error:
            self.error(str(error), seen.topic, seen.stamp_ns, kind="word")
            return
        if (authority, stage) not in DRIVERS[mode]:
            text = f"authority {authority.name} and stage {stage.name} in mode {mode.name}"
            self.error(text, seen.topic, seen.stamp_ns, kind="driver")
        if seen.topic == COMMAND:
            given = (int(message.epoch), int(message.sequence), seen.sequence)
            self._ticks.append(_Tick(*given, mode, authority, stage, seen.stamp_ns))
        else:
            self._state(message, mode, seen.stamp_ns)

    def _state(self, message: Any, mode: Mode, stamp_ns: int) -> None:
        epoch, transition = int(message.epoch), int(message.transition)
        try:
            before = Mode(message.previous_mode)
        except ValueError as error:
            self.error(str(error), STATE, stamp_ns, kind="word")
            return
        if transition and (before, mode) not in TRANSITIONS:
            self._forbidden(STATE, before, mode, stamp_ns)
        last, self._last = self._last, message
        if last is not None and int(last.epoch) == epoch:
            steps = transition - int(last.transition)
            if steps < 0:
                self.error(f"transition {transition} after {last.transition}", STATE, stamp_ns)
            elif mode not in reachable(Mode(last.mode), min(steps, MOST_STEPS)):
                text = f"{Mode(last.mode).name} to {mode.name} in {steps} transitions"
                self.error(text, STATE, stamp_ns, kind="steps")
        elif last is not None and epoch < int(last.epoch):
            self.error(f"epoch {epoch} after {last.epoch}", STATE, stamp_ns, kind="epoch")
        states = self._states.setdefault(epoch, _States())
        states.stamps.append(stamp_ns)
        states.transitions.append(transition)
        self._said.append((epoch, stamp_ns, (int(mode), message.authority, message.stage)))

    def finish(self) -> None:
        """Follow the ticks, and hold the states against the ticks of their stamps."""
        if not self._ticks and not self._states:
            self.not_checked("neither commands nor states")
        turn: list[Stage] = []
        for before, tick in zip([None, *self._ticks], self._ticks, strict=False):
            if before is not None and self._follows(before, tick) and before.mode is not tick.mode:
                self._moved(before, tick)
            turn = self._stages(turn, tick)
        self._agree()

    def _follows(self, before: _Tick, tick: _Tick) -> bool:
        """Check epoch and sequence; return whether the two are of one run of the arbiter."""
        if tick.epoch != before.epoch:
            if tick.epoch < before.epoch:
                text = f"epoch {tick.epoch} after {before.epoch}: two arbiters command the robot"
                self.error(text, COMMAND, tick.stamp_ns, kind="epoch")
            return False
        lacking = tick.sequence - before.sequence - 1
        if lacking < 0:
            text = f"sequence {tick.sequence} after {before.sequence}"
            self.error(text, COMMAND, tick.stamp_ns, kind="sequence back")
            return False
        unpublished = lacking - (
            tick.count - before.count - 1 if tick.count and before.count else 0
        )
        if lacking and unpublished > 0:
            text = f"{unpublished} ticks before sequence {tick.sequence} were never published"
            self.error(text, COMMAND, tick.stamp_ns, kind="sequence hole")
        return True

    def _moved(self, before: _Tick, tick: _Tick) -> None:
        states = self._states.get(tick.epoch)
        steps = None if states is None else states.between(before.stamp_ns, tick.stamp_ns)
        if steps is None or steps < 1:
            # No state tells of this change: one transition a tick.
            ticks = min(tick.sequence - before.sequence, MOST_STEPS)
            allowed = any(tick.mode in reachable(before.mode, n) for n in range(1, ticks + 1))
        else:
            allowed = tick.mode in reachable(before.mode, min(steps, MOST_STEPS))
        if not allowed:
            self._forbidden(COMMAND, before.mode, tick.mode, tick.stamp_ns)

    def _forbidden(self, topic: str, before: Mode, mode: Mode, stamp_ns: int) -> None:
        text = f"{before.name} to {mode.name} is no transition of the arbiter"
        self.error(text, topic, stamp_ns, kind=text)

    def _stages(self, turn: list[Stage], tick: _Tick) -> list[Stage]:
        """Check that a person's stages go on and never back within one turn."""
        if tick.mode not in TURN_MODES or tick.mode is Mode.ALIGN:
            return []
        if tick.authority is not Authority.HUMAN:
            return turn
        before = turn[-1] if turn else tick.stage
        forward = (before, tick.stage) == (Stage.ADAPTATION, Stage.RECOVERY)
        if before is not tick.stage and not forward:
            text = f"stage {before.name} to {tick.stage.name} within one turn"
            self.error(text, COMMAND, tick.stamp_ns, kind="stage")
        return [tick.stage]

    def _agree(self) -> None:
        told = self._whole_stamps()
        for epoch, stamp_ns, words in self._said:
            there = told.get((epoch, stamp_ns))
            if there is not None and words not in there:
                text = f"says {_words(words)}, the command of that tick says "
                text += " or ".join(sorted(_words(other) for other in there))
                self.error(text, STATE, stamp_ns, kind="agree")

    def _whole_stamps(self) -> dict[tuple[int, int], set[tuple[int, int, int]]]:
        """Return (epoch, stamp) -> what all its commands say.

        Simulated time may stand still for some ticks; where not all of a stamp's commands are in
        the bag, a state may be of one that is not.
        """
        told: dict[tuple[int, int], set[tuple[int, int, int]]] = {}
        partly: set[tuple[int, int]] = set()
        around = [None, *self._ticks, None]
        for before, tick, after in zip(around, self._ticks, around[2:], strict=False):
            key = (tick.epoch, tick.stamp_ns)
            told.setdefault(key, set()).add((int(tick.mode), int(tick.authority), int(tick.stage)))
            for other, step in ((before, -1), (after, 1)):
                if other is None or (other.epoch, other.sequence) != (
                    tick.epoch,
                    tick.sequence + step,
                ):
                    partly.add(key)
        return {key: words for key, words in told.items() if key not in partly}


def _words(given: tuple[int, int, int]) -> str:
    mode, authority, stage = given
    return f"{Mode(mode).name}/{Authority(authority).name}/{Stage(stage).name}"
