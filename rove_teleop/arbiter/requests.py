"""Requests of supervisors: each gets an answer, in the order they came."""

from __future__ import annotations

from rove_core.vocabulary import EpisodeChange, EpisodeKind, Mode, Outcome
from rove_teleop.arbiter import lease as leases
from rove_teleop.arbiter.decision import Answer, EpisodeNews
from rove_teleop.arbiter.inputs import (
    EmergencyStop,
    ForceLease,
    Pause,
    Request,
    ResetEmergencyStop,
    StartEpisode,
    StopEpisode,
)
from rove_teleop.arbiter.operating import end_episode, lease_changed, pause, resume
from rove_teleop.arbiter.state import Cause, Episode
from rove_teleop.arbiter.transitions import Event
from rove_teleop.arbiter.turn import Turn


def take_requests(turn: Turn) -> None:
    """Answer this tick's requests; e-stops have been obeyed before."""
    for request in turn.inputs.requests:
        turn.answers.append(_answer(turn, request))


def _answer(turn: Turn, request: Request) -> Answer:
    if isinstance(request, EmergencyStop):
        return Answer(True, "stopped")
    if isinstance(request, Pause):
        why = (pause if request.pause else resume)(turn, request.person)
        return Answer(not why, why or turn.reason)
    if isinstance(request, ForceLease):
        return _force(turn, request)
    if isinstance(request, ResetEmergencyStop):
        return _reset(turn, request)
    if isinstance(request, StartEpisode):
        return _start(turn, request)
    return _stop(turn, request)


def _force(turn: Turn, request: ForceLease) -> Answer:
    before = turn.lease.number
    turn.lease, why = leases.force(turn.lease, request.operator_id, turn.now)
    if why:
        return Answer(False, why, lease=turn.lease.number)
    who = request.supervisor or "a supervisor"
    if turn.lease.number != before:
        lease_changed(turn, f"{who} gave the lease to {request.operator_id or 'nobody'}")
    holder = turn.lease.holder or "nobody"
    return Answer(True, f"the lease is with {holder}", lease=turn.lease.number)


def _reset(turn: Turn, request: ResetEmergencyStop) -> Answer:
    if turn.mode is not Mode.ESTOP:
        return Answer(False, f"no e-stop to reset, the mode is {turn.mode.name}")
    if turn.estop_pressed:
        return Answer(False, "an e-stop is pressed right now")
    silent = turn.heartbeats.missing(turn.now, turn.timeouts)
    if silent:
        return Answer(False, f"heartbeat {silent[0]!r} does not answer")
    who = request.person or "a person"
    turn.anchor("e-stop reset", moving=True)
    turn.go(
        Event.RESET, Mode.HOLD, f"e-stop reset by {who}: resume when all is well", cause=Cause.RESET
    )
    return Answer(True, turn.reason)


def _start(turn: Turn, request: StartEpisode) -> Answer:
    if turn.episode is not None:
        return Answer(False, f"episode {turn.episode.episode_id} runs; stop it first")
    if request.kind not in tuple(EpisodeKind):
        allowed = ", ".join(f"{kind.value} {kind.name}" for kind in EpisodeKind)
        return Answer(False, f"episode kind {request.kind} given, allowed: {allowed}")
    if turn.mode is not Mode.IDLE:
        return Answer(False, f"episodes start from IDLE, the mode is {turn.mode.name}")
    if request.kind is EpisodeKind.ROLLOUT and turn.inputs.rollout_refused:
        return Answer(False, turn.inputs.rollout_refused)
    turn.episodes += 1
    turn.episode = Episode(
        episode_id=f"{turn.epoch}-{turn.episodes:04d}",
        kind=EpisodeKind(request.kind),
        task=request.task,
        instruction=request.instruction,
        seed=request.seed,
    )
    turn.rollout = turn.episode.kind is EpisodeKind.ROLLOUT
    who = request.person or "a person"
    turn.news.append(
        EpisodeNews(EpisodeChange.STARTED, turn.episode, Outcome.UNKNOWN, f"started by {who}")
    )
    turn.anchor("episode started")
    if turn.rollout:
        turn.require_fresh_chunk()
        turn.go(Event.START, Mode.AUTONOMOUS, f"rollout started by {who}")
    else:
        turn.reason = f"demonstration started by {who}: squeeze to drive"
    return Answer(True, turn.reason, episode_id=turn.episode.episode_id)


def _stop(turn: Turn, request: StopEpisode) -> Answer:
    if turn.episode is None:
        return Answer(False, "no episode runs")
    if request.outcome not in tuple(Outcome):
        allowed = ", ".join(f"{outcome.value} {outcome.name}" for outcome in Outcome)
        return Answer(False, f"outcome {request.outcome} given, allowed: {allowed}")
    episode_id = turn.episode.episode_id
    end_episode(turn, Outcome(request.outcome), request.reason)
    if turn.mode is Mode.IDLE:
        turn.reason = f"episode stopped: {request.reason or Outcome(request.outcome).name.lower()}"
    return Answer(True, turn.reason, episode_id=episode_id)
