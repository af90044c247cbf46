"""Which bags may go so that the limits are kept: a decision, without a disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rove_core.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What may stay. ``None``: no limit.

    Attributes:
        most_bytes: of all that lies in the folder.
        most_age_ns: since a bag's recording ended.

    Raises:
        ConfigError: a limit below 0.
    """

    most_bytes: int | None = None
    most_age_ns: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("most_bytes", self.most_bytes), ("most_age_ns", self.most_age_ns)):
            if value is not None and value < 0:
                raise ConfigError(f"retention {name}", value, "0 or more, or None")


@dataclass(frozen=True)
class Candidate:
    """A finished bag as retention sees it.

    Attributes:
        name: of the bag.
        bytes: its size.
        ended_ns: when its recording ended, wall time, ns.
        fetched: a learner has it as it is now.
        pinned: it is being sent just now.
    """

    name: str
    bytes: int
    ended_ns: int
    fetched: bool
    pinned: bool = False


@dataclass(frozen=True)
class Deletions:
    """What may go, and what cannot.

    Attributes:
        names: bags to delete, the oldest first.
        bytes: their size.
        excess_bytes: how far the folder stays above its size limit.
        overdue: bags above the age limit that stay because no learner has them.
        waiting, waiting_bytes: bags that no learner has, when a limit is not kept; otherwise 0.
    """

    names: tuple[str, ...] = ()
    bytes: int = 0
    excess_bytes: int = 0
    overdue: int = 0
    waiting: int = 0
    waiting_bytes: int = 0

    @property
    def kept(self) -> bool:
        """Whether the limits are kept after the deletions."""
        return not self.excess_bytes and not self.overdue


def plan(bags: Sequence[Candidate], limits: Limits, now_ns: int, other_bytes: int = 0) -> Deletions:
    """Decide what to delete: the oldest that a learner has, and no more than the limits ask for.

    Args:
        bags: the finished bags; recordings are none of them and never go.
        limits: to be kept.
        now_ns: wall time, ns.
        other_bytes: what else lies in the folder and stays, recordings among it.
    """
    oldest = sorted(bags, key=lambda bag: (bag.ended_ns, bag.name))
    total = other_bytes + sum(bag.bytes for bag in bags)
    names: list[str] = []
    freed = 0

    def too_old(bag: Candidate) -> bool:
        age = limits.most_age_ns
        return age is not None and now_ns - bag.ended_ns > age

    def too_much() -> bool:
        return limits.most_bytes is not None and total - freed > limits.most_bytes

    for bag in oldest:
        if bag.fetched and not bag.pinned and (too_old(bag) or too_much()):
            names.append(bag.name)
            freed += bag.bytes
    excess = (
        total - freed - limits.most_bytes if too_much() and limits.most_bytes is not None else 0
    )
    overdue = sum(too_old(bag) and not bag.fetched for bag in bags)
    if not excess and not overdue:
        return Deletions(tuple(names), freed)
    waiting = [bag for bag in bags if not bag.fetched]
    size = sum(bag.bytes for bag in waiting)
    return Deletions(tuple(names), freed, excess, overdue, len(waiting), size)
