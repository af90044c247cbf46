"""BagStats: the figures of one episode, and those of many together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rove_core.bag.reader import Bag
from rove_core.bag.stats.bumps import Bump, bumps
from rove_core.bag.stats.commands import read_commands
from rove_core.bag.stats.interventions import Intervention, interventions, stage_seconds
from rove_core.bag.stats.latency import Series, joined, latencies
from rove_core.bag.verify.report import Report, TopicRate
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError
from rove_core.vocabulary import HandoverKind, Stage


@dataclass(frozen=True)
class BagStats:
    """One episode.

    Attributes:
        path: the bag.
        instruction: what the robot was told.
        outcome: how the episode ended, a word of ``Outcome`` in lower case.
        duration_s: that commands were in force, s.
        stages: seconds in each stage.
        interventions: the operator's turns.
        bumps: changes of authority.
        latency: name -> times, see ``stats.latency.MEANING``.
        topics: name -> rate, largest gap, losses.
        errors: how many ``verify`` found; with any, the figures are of a bag that contradicts
            itself.
    """

    path: Path
    instruction: str
    outcome: str
    duration_s: float
    stages: Mapping[Stage, float]
    interventions: tuple[Intervention, ...]
    bumps: tuple[Bump, ...]
    latency: Mapping[str, Series]
    topics: Mapping[str, TopicRate]
    errors: int

    @property
    def lost(self) -> int:
        """Messages that the publishers counted and the bag lacks."""
        return sum(topic.lost for topic in self.topics.values())

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them; NaN becomes null."""
        plain: dict[str, Any] = _plain(
            {
                "path": str(self.path),
                "instruction": self.instruction,
                "outcome": self.outcome,
                "duration_s": self.duration_s,
                "stages_s": {stage.name.lower(): s for stage, s in self.stages.items()},
                "interventions": [
                    asdict(i) | {"ended_in": i.ended_in.name if i.ended_in is not None else None}
                    for i in self.interventions
                ],
                "bumps": [
                    asdict(b) | {"kind": b.kind.name.lower(), "ratio": b.ratio} for b in self.bumps
                ],
                "latency": {name: series.to_json() for name, series in self.latency.items()},
                "topics": {name: asdict(topic) for name, topic in self.topics.items()},
                "lost": self.lost,
                "errors": self.errors,
            }
        )
        return plain


def bag_stats(path: Path | str) -> BagStats:
    """Read the figures of one bag.

    Raises:
        BagError: it cannot be read, or its messages are not what its version says.
    """
    report = verify(path)
    foreign = [finding for finding in report.errors if finding.check == "schemas"]
    if foreign:
        raise BagError(f"bag {path} cannot be measured: {foreign[0].topic}: {foreign[0].text}")
    bag = Bag(path, partial=not report.ok)
    try:
        return _measured(bag, report)
    except ValueError as error:  # a number that stands for no mode, stage or kind
        raise BagError(f"bag {path} cannot be measured: {error}") from error


def _measured(bag: Bag, report: Report) -> BagStats:
    commands = read_commands(bag)
    return BagStats(
        path=bag.path,
        instruction=bag.info.instruction,
        outcome=bag.outcome.outcome.name.lower(),
        duration_s=float(commands.held_s.sum()),
        stages=stage_seconds(commands),
        interventions=interventions(commands),
        bumps=bumps(bag, commands),
        latency=latencies(bag, commands),
        topics=report.topics,
        errors=len(report.errors),
    )


@dataclass(frozen=True)
class Totals:
    """Many episodes together.

    Attributes:
        bags: how many.
        successes: how many ended so.
        duration_s: of all.
        stages: seconds in each stage.
        interventions: of all.
        bumps: kind -> the changes of authority.
        latency: name -> all times.
        lost: messages.
    """

    bags: int
    successes: int
    duration_s: float
    stages: Mapping[Stage, float]
    interventions: tuple[Intervention, ...]
    bumps: Mapping[HandoverKind, tuple[Bump, ...]]
    latency: Mapping[str, Series]
    lost: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them; NaN becomes null."""
        plain: dict[str, Any] = _plain(
            {
                "bags": self.bags,
                "successes": self.successes,
                "duration_s": self.duration_s,
                "stages_s": {stage.name.lower(): s for stage, s in self.stages.items()},
                "interventions": len(self.interventions),
                "bumps": {
                    kind.name.lower(): {
                        "count": len(found),
                        "largest_step": max(b.motion.step for b in found),
                        "largest_ratio": max((b.ratio for b in found), key=_known),
                    }
                    for kind, found in self.bumps.items()
                },
                "latency": {name: series.to_json() for name, series in self.latency.items()},
                "lost": self.lost,
            }
        )
        return plain


def totals(rows: Sequence[BagStats]) -> Totals:
    """Return the figures of many bags together."""
    names = dict.fromkeys(name for row in rows for name in row.latency)
    changes = [bump for row in rows for bump in row.bumps]
    kinds = sorted({bump.kind for bump in changes})
    return Totals(
        bags=len(rows),
        successes=sum(row.outcome == "success" for row in rows),
        duration_s=sum(row.duration_s for row in rows),
        stages={stage: sum(row.stages[stage] for row in rows) for stage in Stage},
        interventions=tuple(turn for row in rows for turn in row.interventions),
        bumps={kind: tuple(b for b in changes if b.kind is kind) for kind in kinds},
        latency={
            name: joined(row.latency[name] for row in rows if name in row.latency) for name in names
        },
        lost=sum(row.lost for row in rows),
    )


def _known(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _plain(value: Any) -> Any:
    """Return a value that strict JSON can hold: NaN and infinities become None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
