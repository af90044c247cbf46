"""When a person takes over: a fixed rule on what they see, their reaction, and a late day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from rove_core.vocabulary import Mode
from rove_sim.operators.skill import Skill
from rove_teleop.wire.messages import Status

PROGRESS = 0.01
"""Share of the work that counts as progress."""


@dataclass(frozen=True)
class TakeoverRule:
    """When the person wants to take over; None switches a rule off. None of it is the critic's.

    Attributes:
        at_s: s after an episode became AUTONOMOUS, once an episode.
        stall_s: s without progress in AUTONOMOUS.
        near_s: s for which failure is seen to be near.
    """

    at_s: float | None = None
    stall_s: float | None = 4.0
    near_s: float | None = 0.2


class Wanted(Enum):
    """Whether a takeover is wanted, and by which rule."""

    NO = auto()
    DUE = auto()
    STALLED = auto()


class Watch:
    """Watches the policy's episodes.

    Args:
        rule: when to take over.
        skill: how fast and how reliably.
        rng: source of chance.
    """

    def __init__(self, rule: TakeoverRule, skill: Skill, rng: np.random.Generator) -> None:
        self._rule, self._skill, self._rng = rule, skill, rng
        self._episode = ""
        self._since_s: float | None = None  # AUTONOMOUS since
        self._progress, self._progress_s = 0.0, 0.0
        self._near_s: float | None = None  # failure is near since
        self._decided: tuple[float, Wanted] | None = None  # when the hand will press, and why
        self._done = False  # the rule of time has had its takeover in this episode

    def taken(self) -> None:
        """The takeover begins."""
        self._done, self._decided, self._near_s = True, None, None

    def interrupted(self) -> None:
        """The takeover did not reach its hand-back: it may be tried again."""
        self._done, self._since_s = False, None

    def see(self, status: Status, progress: float, near: bool, now_s: float) -> Wanted:
        """Return whether to press now, and by which rule.

        Args:
            status: the newest seen.
            progress: 0..1 of the work.
            near: failure looks near.
            now_s: s.
        """
        if status.episode_id != self._episode:
            self._episode, self._since_s, self._done = status.episode_id, None, False
        if status.mode is not Mode.AUTONOMOUS:
            self._since_s = self._decided = self._near_s = None
            return Wanted.NO
        if self._since_s is None:
            self._since_s = self._progress_s = now_s
            self._progress = progress
        if progress > self._progress + PROGRESS:
            self._progress, self._progress_s = progress, now_s
        self._near_s = (self._near_s if self._near_s is not None else now_s) if near else None
        if self._decided is None:
            wanted = self._judge(now_s)
            if wanted is Wanted.NO:
                return wanted
            wait = self._skill.reaction(self._rng) + self._skill.lateness(self._rng)
            self._decided = (now_s + wait, wanted)
        due_s, wanted = self._decided
        return wanted if now_s >= due_s else Wanted.NO

    def _judge(self, now_s: float) -> Wanted:
        rule, since = self._rule, self._since_s
        assert since is not None
        near = rule.near_s is not None and self._near_s is not None
        if near and now_s - self._near_s >= rule.near_s:  # type: ignore[operator]
            return Wanted.STALLED
        if rule.stall_s is not None and now_s - self._progress_s >= rule.stall_s:
            return Wanted.STALLED
        due = rule.at_s is not None and not self._done and now_s - since >= rule.at_s
        return Wanted.DUE if due else Wanted.NO
