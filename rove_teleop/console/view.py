"""View: everything that a supervisor is shown at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

from rove_core.latency.ledger import LegReport
from rove_core.vocabulary import Authority, EpisodeKind, Mode, PolicyState, Stage

SILENT_S = 1.0
"""The arbiter speaks at 10 Hz; after ten missing words what it said last holds no more."""


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Arbiter:
    """What the arbiter said last (ArbiterState.msg)."""

    mode: Mode = Mode.HOLD
    authority: Authority = Authority.HOLD
    stage: Stage = Stage.NONE
    reason: str = ""
    question: str = ""
    lease_holder: str = ""
    episode_id: str = ""
    position_error: float = math.nan
    orientation_error: float = math.nan


@dataclass(frozen=True)
class Episode:
    """The running episode (EpisodeEvent.msg)."""

    episode_id: str
    kind: EpisodeKind
    task: str
    instruction: str


@dataclass(frozen=True)
class Policy:
    """What the policy node runs (PolicyStatus.msg)."""

    state: PolicyState
    digest: str
    approved: bool
    reason: str = ""
    inference_ms: float = math.nan


@dataclass(frozen=True)
class Value:
    """What the critic thinks of the present state (ValueEstimate.msg)."""

    value: float
    takeover_suggested: bool


@dataclass(frozen=True)
class Health:
    """What a part said of itself in ``/diagnostics``."""

    level: Level
    message: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class View:
    """One moment; None: nobody told yet, or it holds no more.

    Attributes:
        robot: name.
        arbiter: None also when it is silent.
        episode: None when none runs.
        policy, value: of the policy node.
        operators: who is connected to the bridge.
        health: part (arbiter, bridge, recorder, robot, ...) -> what it said.
        legs: the latency ledger.
        recorded: whether a recorder runs in this graph.
    """

    robot: str = ""
    arbiter: Arbiter | None = None
    episode: Episode | None = None
    policy: Policy | None = None
    value: Value | None = None
    operators: tuple[str, ...] = ()
    health: dict[str, Health] = field(default_factory=dict)
    legs: tuple[LegReport, ...] = ()
    recorded: bool = True

    @property
    def alarms(self) -> list[str]:
        """What is wrong now, the worst first: what people must see whatever they look at."""
        found = []
        if self.arbiter is None:
            found.append("the arbiter is silent: nothing here shows what the robot does")
        parts = sorted(self.health.items(), key=lambda item: -item[1].level)
        found += [f"{name}: {part.message}" for name, part in parts if part.level is not Level.OK]
        if self.recorded and "recorder" not in self.health:
            found.append("recorder: nothing was heard of it")
        return found
