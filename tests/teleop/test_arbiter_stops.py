"""HOLD, ESTOP and episodes: how the driving ends and who may begin it again."""

from __future__ import annotations

import pytest
from arbiter_world import DEMONSTRATION, ROLLOUT, STOP, World

from rove_core.vocabulary import (
    Authority,
    Button,
    EpisodeChange,
    Mode,
    Outcome,
)
from rove_teleop.arbiter.inputs import (
    EmergencyStop,
    Pause,
    ResetEmergencyStop,
    StartEpisode,
    StopEpisode,
)
from rove_teleop.arbiter.transitions import Event


def last(world: World) -> tuple[Mode, Event, Mode]:
    taken = world.history[-1]
    return taken.source, taken.event, taken.target


def test_hold_ends_only_by_a_person() -> None:
    """The cause is gone and nothing happens until somebody resumes; then through HANDBACK."""
    world = World().to(Mode.HOLD)
    assert world.tick(n=100).mode is Mode.HOLD
    assert world.ask(Pause(False, "Ada")).success
    assert last(world) == (Mode.HOLD, Event.RESUME, Mode.HANDBACK)
    assert world.told.anchor_reason == "left HOLD"


def test_hold_without_a_rollout_resumes_to_idle() -> None:
    """There is no policy to resume."""
    world = World().idle()
    world.robot_alive = False
    world.tick(n=30)
    assert world.mode is Mode.HOLD
    answer = world.ask(Pause(False))
    assert not answer.success
    assert "joint states" in answer.message
    world.robot_alive = True
    world.tick(n=2)
    assert world.ask(Pause(False)).success
    assert last(world) == (Mode.HOLD, Event.RESUME, Mode.IDLE)


def test_hold_of_a_late_policy_can_be_taken_over() -> None:
    """The policy died: the operator steps in directly."""
    world = World().to(Mode.AUTONOMOUS)
    world.policy_alive = False
    world.tick(n=300)
    assert world.mode is Mode.HOLD
    world.press(Button.TAKEOVER)
    assert last(world) == (Mode.HOLD, Event.TAKEOVER, Mode.ALIGN)
    world.squeeze()
    assert world.mode is Mode.HUMAN


@pytest.mark.parametrize("mode", [m for m in Mode if m is not Mode.ESTOP])
@pytest.mark.parametrize("means", ["request", "button", "button of a stranger"])
def test_estop_from_every_mode(mode: Mode, means: str) -> None:
    """Request or button, lease or not: the next tick is ESTOP, and it says who."""
    world = World().to(mode)
    if means == "request":
        told = world.tick(EmergencyStop("the fence"))
        assert "the fence" in told.reason
    elif means == "button":
        told = world.press(Button.ESTOP)
    else:
        told = world.press(Button.ESTOP, world.operator("mallory").name)
        assert "mallory" in told.reason
    assert (told.mode, told.authority, told.wanted) == (Mode.ESTOP, Authority.HOLD, None)
    assert last(world) == (mode, Event.ESTOP, Mode.ESTOP)


def test_estop_is_reset_to_hold_by_a_person() -> None:
    """Not while it is pressed, never further than HOLD, and the command restarts."""
    world = World().to(Mode.ESTOP)
    world.operators["eve"].buttons = Button.ESTOP
    assert not world.ask(ResetEmergencyStop("Ada")).success
    world.operators["eve"].buttons = Button.NONE
    assert not world.ask(Pause(False)).success
    assert world.ask(ResetEmergencyStop("Ada")).success
    assert last(world) == (Mode.ESTOP, Event.RESET, Mode.HOLD)
    assert world.told.anchor_reason == "e-stop reset"
    assert world.tick(n=50).mode is Mode.HOLD
    assert world.ask(Pause(False)).success
    assert not world.ask(ResetEmergencyStop("Ada")).success


@pytest.mark.parametrize("mode", [m for m in Mode if m is not Mode.IDLE])
def test_episodes_start_from_idle_only(mode: Mode) -> None:
    """Every other mode refuses and says so."""
    world = World().to(mode)
    answer = world.ask(ROLLOUT)
    assert not answer.success
    assert "stop it first" in answer.message
    world.ask(STOP)
    if world.mode in (Mode.HOLD, Mode.ESTOP):
        answer = world.ask(ROLLOUT)
        assert not answer.success
        assert world.mode.name in answer.message


@pytest.mark.parametrize("mode", [m for m in Mode if m is not Mode.IDLE])
def test_stop_ends_the_episode_in_every_mode(mode: Mode) -> None:
    """The mode becomes IDLE, but HOLD and ESTOP stay; the outcome is announced."""
    world = World().to(mode)
    answer = world.ask(StopEpisode(Outcome.FAILURE, "smeared"))
    news = world.told.episodes[0]
    assert answer.episode_id == news.episode.episode_id == "7-0001"
    assert (news.change, news.outcome) == (EpisodeChange.STOPPED, Outcome.FAILURE)
    assert news.episode.instruction == "erase the left stroke"
    stays = mode in (Mode.HOLD, Mode.ESTOP)
    assert world.mode is (mode if stays else Mode.IDLE)
    assert world.told.episode_id == ""
    assert world.told.authority is Authority.HOLD
    assert not world.ask(STOP).success


def test_stop_of_a_demonstration_in_idle() -> None:
    """IDLE stays IDLE and the episode is over."""
    world = World().leased()
    world.ask(DEMONSTRATION)
    assert world.ask(STOP).success
    assert (world.mode, world.told.episode_id) == (Mode.IDLE, "")


def test_a_squeeze_does_not_outlive_the_stop() -> None:
    """Stopped while driving: the hand that still squeezes does not drive on."""
    world = World().to(Mode.HUMAN)
    world.ask(STOP)
    assert world.tick(n=50).mode is Mode.IDLE


def test_bad_kinds_and_outcomes_are_refused() -> None:
    """Numbers that mean nothing get an answer that lists the ones that do."""
    world = World().idle()
    answer = world.ask(StartEpisode(9, "t", "i"))  # type: ignore[arg-type]
    assert not answer.success
    assert "0 ROLLOUT, 1 DEMONSTRATION" in answer.message
    world.ask(ROLLOUT)
    answer = world.ask(StopEpisode(9))  # type: ignore[arg-type]
    assert not answer.success
    assert "1 SUCCESS" in answer.message


@pytest.mark.parametrize("mode", [Mode.IDLE, Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH, Mode.ESTOP])
def test_pause_applies_to_the_policy_only(mode: Mode) -> None:
    """Pausing or resuming anything else is refused by name."""
    world = World().to(mode)
    for wish in (True, False):
        answer = world.ask(Pause(wish))
        assert not answer.success
        assert world.mode is mode
