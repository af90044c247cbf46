"""What learning does not see of a bag, and why: cuts by hand, cuts by the arbiter, and gaps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rove_core.bag.cuts import Cuts, apply_cuts, read_cuts
from rove_core.bag.episode import Episode, read_episode, stamp_ns
from rove_core.bag.reader import Bag
from rove_core.resample import observation_streams
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Mode, Stage

BY_HAND = "manual"
"""``Unseen.cause`` of a manual cut; else it is the name of a mode, or ``GAP``."""
GAP = "gap"


@dataclass(frozen=True)
class Unseen:
    """Frames in a row that learning does not see, for one cause.

    Attributes:
        start_ns, end_ns: ROS time of the first frame, and of the end of the last one, ns.
        frames: how many of 20 Hz.
        cause: ``BY_HAND``, ``GAP``, or the mode of the arbiter.
        why: in words.
    """

    start_ns: int
    end_ns: int
    frames: int
    cause: str
    why: str


@dataclass(frozen=True)
class Sight:
    """What learning sees of a bag.

    Attributes:
        cuts: of people.
        seen: frames of 20 Hz that remain; 0 when the bag is cut as a whole.
        frames: all of them, from the first to the last measurement.
        unseen: the rest, in order of time.
    """

    cuts: Cuts
    seen: int
    frames: int
    unseen: tuple[Unseen, ...]


class _State(NamedTuple):
    stamp_ns: int
    mode: int
    reason: str


def sight(path: Path, spec: RobotSpec) -> Sight:
    """Return what learning sees of a bag; goes through the reading that the learner uses.

    Raises:
        BagError: unreadable bag or cuts, or the bag holds no complete frame.
        ConfigError: the bag is of another robot.
    """
    bag = Bag(path)
    cuts = read_cuts(bag)
    episode = read_episode(path, spec)
    states = [
        _State(stamp_ns(raw.cdr), message.mode, message.reason)
        for raw in (bag.raw_messages(["arbiter/state"]) if "arbiter/state" in bag.topics else ())
        for message in (bag.decode("arbiter/state", raw.cdr),)
    ]
    states.sort()
    age_ns = max(observation_streams(spec).values())
    found = unseen(episode, cuts, age_ns, states)
    last = max([int(episode.times_ns[-1]), *(gap.stamp_ns for gap in episode.gaps)])
    first = min([int(episode.times_ns[0]), *(gap.stamp_ns for gap in episode.gaps)])
    frames = (last - first) // episode.period_ns + 1
    seen = 0 if cuts.whole else frames - sum(row.frames for row in found)
    return Sight(cuts, seen, frames, found)


def unseen(
    episode: Episode, cuts: Cuts, max_age_ns: int, states: Sequence[_State] = ()
) -> tuple[Unseen, ...]:
    """Return the spans of an episode that learning does not see.

    Args:
        episode: before its cuts are applied.
        cuts: of people; a bag that is cut as a whole is treated as if it were not.
        max_age_ns: as of ``apply_cuts``.
        states: of the arbiter, (stamp, mode, reason) in order of time, to say why.
    """
    left = apply_cuts(episode, replace(cuts, whole=None), max_age_ns)
    period = episode.period_ns
    points: list[tuple[int, int, str, str]] = []  # first frame, end, cause, why
    for i in (left.stage == Stage.NONE).nonzero()[0]:
        t = int(episode.times_ns[i])
        if episode.stage[i] != Stage.NONE:
            points.append((t, t + period, BY_HAND, _by_hand(cuts, t - max_age_ns, t + period)))
        else:
            mode = int(episode.mode[i])
            points.append((t, t + period, Mode(mode).name, _reason(states, t + period, mode)))
    times = episode.times_ns
    for gap in episode.gaps:  # one may stand for many frames: it lasts until the next of either
        later = times[times > gap.stamp_ns]
        end = int(later[0]) if len(later) else gap.stamp_ns + period
        points.append((gap.stamp_ns, end, GAP, "; ".join(gap.reasons)))
    found: list[Unseen] = []
    for start, end, cause, why in sorted(points):
        last = found[-1] if found else None
        if last and last.end_ns >= start and (last.cause, last.why) == (cause, why):
            found[-1] = replace(last, end_ns=max(end, last.end_ns))
        else:
            if last and last.end_ns > start:  # gaps of different streams follow each other
                found[-1] = replace(last, end_ns=start)
            found.append(Unseen(start, end, 0, cause, why))
    return tuple(replace(row, frames=(row.end_ns - row.start_ns) // period) for row in found)


def _by_hand(cuts: Cuts, begin_ns: int, end_ns: int) -> str:
    met = [c.note for c in cuts.spans if c.start_ns <= end_ns and c.end_ns >= begin_ns]
    return "; ".join(
        dict.fromkeys(f"{note.reason} ({note.by})" if note.by else note.reason for note in met)
    )


def _reason(states: Sequence[_State], t_ns: int, mode: int) -> str:
    """Return what the arbiter said last up to a time, when it said it of this mode."""
    at = bisect_right(states, t_ns, key=lambda state: state[0]) - 1
    return states[at].reason if at >= 0 and states[at].mode == mode else ""
