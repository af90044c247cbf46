"""Decision: what the arbiter decided in one tick and what has to be told to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rove_core.arrays import FloatArray
from rove_core.latency.legs import FramePath
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage
from rove_teleop.arbiter.state import Episode
from rove_teleop.arbiter.transitions import Transition


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to one request of the tick; they come in the order of the requests."""

    success: bool
    message: str
    episode_id: str = ""
    lease: int = 0


@dataclass(frozen=True, slots=True)
class EpisodeNews:
    """An episode started or stopped; publish it as EpisodeEvent."""

    change: EpisodeChange
    episode: Episode
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One tick.

    Attributes:
        mode, previous_mode, authority, stage: ``stage`` is NONE whenever ``authority`` is HOLD.
        reason: why, for people, with what stands in the way now.
        wanted: (N,) rad, target to follow, None to hold in place.
        wanted_velocity: (N,) rad/s at which it moves, None when not known.
        policy_wanted: (N,) rad, what the chunk in hand asks for, None when it is expired.
        human_wanted: (N,) rad, the operator's valid target, None when there is none.
        policy_digest, chunk_id: of that chunk, "" and 0 when there is none.
        operator_sequence: frame of ``human_wanted``, 0 when there is none.
        path: stamps of that frame.
        anchor: (N,) rad, restart the command from here at rest; None: go on.
        anchor_reason: why, "" when it goes on.
        lease, lease_holder: 0 and "" when nobody holds it.
        episode_id: "" when no episode runs.
        transition, since_ns: count and ROS time of the last transition.
        position_error, orientation_error: m and rad, of the newest target; NaN when not known.
        transitions, episodes, answers: news of this tick, in order.
        rejected: reason -> messages refused since the start.
        challenge: that mandatory heartbeats have to answer, 0 when there are none.
    """

    mode: Mode
    previous_mode: Mode
    authority: Authority
    stage: Stage
    reason: str
    wanted: FloatArray | None
    wanted_velocity: FloatArray | None
    policy_wanted: FloatArray | None
    human_wanted: FloatArray | None
    policy_digest: str
    chunk_id: int
    operator_sequence: int
    path: FramePath
    anchor: FloatArray | None
    anchor_reason: str
    lease: int
    lease_holder: str
    episode_id: str
    transition: int
    since_ns: int
    position_error: float
    orientation_error: float
    transitions: tuple[Transition, ...]
    episodes: tuple[EpisodeNews, ...]
    answers: tuple[Answer, ...]
    rejected: Mapping[str, int]
    challenge: int = 0
