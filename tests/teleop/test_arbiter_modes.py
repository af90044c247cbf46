"""Driving: what a person presses and squeezes, where it leads, who has authority."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arbiter_world import DEMONSTRATION, FIRST, NS, ROLLOUT, World

from rove_core.vocabulary import (
    Authority,
    Button,
    EpisodeChange,
    Mode,
    Stage,
)
from rove_teleop.arbiter.inputs import (
    Pause,
)
from rove_teleop.arbiter.transitions import Event


def last(world: World) -> tuple[Mode, Event, Mode]:
    taken = world.history[-1]
    return taken.source, taken.event, taken.target


# ---- start ----


def test_a_start_holds_without_lease_or_command() -> None:
    """A new epoch begins in HOLD, says what it waits for, and has nothing to send."""
    world = World(robot_alive=False)
    told = world.tick(n=50)
    assert (told.mode, told.authority, told.lease) == (Mode.HOLD, Authority.HOLD, 0)
    assert told.reason == "waiting for joint states"
    assert told.anchor is None
    assert not world.ask(Pause(False)).success


def test_a_start_becomes_idle_with_the_first_joints() -> None:
    """Only the HOLD of a start ends by itself; the command starts where the robot stands."""
    world = World()
    world.joints[:] = [0.3, -0.2, 0.1]
    told = world.tick()
    assert last(world) == (Mode.HOLD, Event.JOINTS_FRESH, Mode.IDLE)
    assert told.anchor is not None
    assert told.anchor.tolist() == [0.3, -0.2, 0.1]


def test_a_start_waits_for_the_clock() -> None:
    """Without /clock ROS time is 0: stamps mean nothing yet, so it stays in HOLD."""
    world = World(ros_ns=0, clock_alive=False)
    told = world.tick(n=5)
    assert (told.mode, told.reason) == (Mode.HOLD, "waiting for the clock")
    world.clock_alive, world.ros_ns = True, 40 * NS
    assert world.tick().mode is Mode.IDLE


# ---- IDLE ----


def test_idle_starts_a_rollout_that_waits_for_a_fresh_chunk() -> None:
    """AUTONOMOUS begins at once, authority POLICY only with a chunk newer than the start."""
    world = World().idle()
    stale = world.chunk(world.ros_ns - 1)
    world.send(chunks=(stale,))
    answer = world.ask(ROLLOUT)
    assert answer.success
    assert answer.episode_id == "7-0001"
    assert last(world) == (Mode.IDLE, Event.START, Mode.AUTONOMOUS)
    assert world.told.anchor_reason == "episode started"
    assert world.told.authority is Authority.HOLD
    assert world.told.policy_wanted is not None  # it is shown, and not followed
    told = world.tick(n=20)
    assert (told.authority, told.stage) == (Authority.HOLD, Stage.NONE)
    assert "waiting for the policy" in told.reason
    told = world.send(chunks=(world.chunk(world.ros_ns),))
    assert (told.authority, told.stage) == (Authority.POLICY, Stage.ROLLOUT)
    assert told.wanted is not None
    assert told.chunk_id == world.chunk_id
    assert told.policy_digest == "digest"


def test_idle_squeeze_is_a_demonstration() -> None:
    """Enable squeezed by the lease holder in IDLE leads to HUMAN, stage DEMONSTRATION."""
    world = World().leased().squeeze()
    assert last(world) == (Mode.IDLE, Event.SQUEEZE, Mode.HUMAN)
    told = world.tick()
    assert (told.authority, told.stage) == (Authority.HUMAN, Stage.DEMONSTRATION)
    world.press(Button.MARK_RECOVERY)
    assert world.told.stage is Stage.DEMONSTRATION
    world.press(Button.HAND_BACK)
    assert last(world) == (Mode.HUMAN, Event.HAND_BACK, Mode.IDLE)


def test_a_demonstration_episode_stays_idle_until_the_squeeze() -> None:
    """The episode starts, nobody drives; the squeeze starts the driving."""
    world = World().leased()
    assert world.ask(DEMONSTRATION).success
    assert (world.mode, world.told.episodes[0].change) == (Mode.IDLE, EpisodeChange.STARTED)
    assert world.tick(n=50).authority is Authority.HOLD
    world.squeeze()
    assert (world.mode, world.told.stage) == (Mode.HUMAN, Stage.DEMONSTRATION)


def test_idle_squeeze_without_a_lease_moves_nothing() -> None:
    """An operator who was not granted the lease cannot drive."""
    world = World().idle()
    world.operator()
    world.tick(n=20)
    world.squeeze(n=10)
    assert world.mode is Mode.IDLE


def test_idle_ignores_a_takeover_press() -> None:
    """There is nothing to take over."""
    world = World().leased()
    world.press(Button.TAKEOVER)
    assert world.mode is Mode.IDLE


# ---- AUTONOMOUS ----


def test_autonomous_takeover_is_immediate() -> None:
    """The press takes authority from the policy in the tick that sees it."""
    world = World().to(Mode.AUTONOMOUS)
    assert world.told.authority is Authority.POLICY
    told = world.press(Button.TAKEOVER)
    assert last(world) == (Mode.AUTONOMOUS, Event.TAKEOVER, Mode.ALIGN)
    assert (told.mode, told.authority, told.stage) == (Mode.ALIGN, Authority.HOLD, Stage.NONE)


@pytest.mark.parametrize("by_button", [True, False])
def test_autonomous_pause_and_resume(by_button: bool) -> None:
    """Pause holds; resuming goes through HANDBACK and waits for a fresh chunk."""
    world = World().to(Mode.AUTONOMOUS)
    if by_button:
        world.press(Button.PAUSE)
    else:
        assert world.ask(Pause(True, "Ada")).success
    assert last(world) == (Mode.AUTONOMOUS, Event.PAUSE, Mode.PAUSED)
    assert world.tick(n=30).authority is Authority.HOLD
    world.policy_alive = False
    if by_button:
        world.press(Button.PAUSE)
    else:
        assert world.ask(Pause(False, "Ada")).success
    assert last(world) == (Mode.PAUSED, Event.RESUME, Mode.HANDBACK)
    assert world.tick(n=30).authority is Authority.HOLD
    told = world.send(chunks=(world.chunk(world.ros_ns),))
    assert (told.mode, told.authority) == (Mode.AUTONOMOUS, Authority.POLICY)


def test_paused_takeover() -> None:
    """An operator may step in while the policy is paused."""
    world = World().to(Mode.PAUSED)
    world.press(Button.TAKEOVER)
    assert last(world) == (Mode.PAUSED, Event.TAKEOVER, Mode.ALIGN)


def test_a_slow_simulator_refuses_the_takeover_but_stops_the_policy() -> None:
    """The reason is shown; a person can always interrupt the policy."""
    world = World().to(Mode.AUTONOMOUS)
    world.takeover_refused = "the simulator runs at 0.6 of wall time"
    told = world.press(Button.TAKEOVER)
    assert last(world) == (Mode.AUTONOMOUS, Event.TAKEOVER_REFUSED, Mode.PAUSED)
    assert "0.6 of wall time" in told.reason
    world.press(Button.TAKEOVER)
    assert world.mode is Mode.PAUSED
    world.takeover_refused = ""
    world.press(Button.TAKEOVER)
    assert world.mode is Mode.ALIGN


# ---- ALIGN ----


def test_align_squeeze_leads_to_adaptation() -> None:
    """The first target made from the squeeze drives; the squeeze itself moves nothing.

    Bug: the squeeze restarted the command at the measured joints, a step of 12 mrad in the ankles.
    """
    world = World().to(Mode.ALIGN)
    world.operators["eve"].squeeze = 1.0
    world.teleop_alive = False
    told = world.tick()
    assert (told.mode, told.anchor) == (Mode.ALIGN, None)
    assert world.tick(n=5).mode is Mode.ALIGN  # no target, nobody drives
    world.teleop_alive = True
    told = world.tick()
    assert last(world) == (Mode.ALIGN, Event.SQUEEZE, Mode.HUMAN)
    assert (told.authority, told.stage) == (Authority.HUMAN, Stage.ADAPTATION)
    assert told.operator_sequence == world.operators["eve"].sequence


@pytest.mark.parametrize("change", ["older", "invalid", "disabled", "lease", "stamp"])
def test_align_waits_for_a_target_of_this_squeeze(change: str) -> None:
    """A target of an older frame, of another lease, not valid or not enabled never drives."""
    world = World().to(Mode.ALIGN)
    world.teleop_alive = False
    world.squeeze()
    eve = world.operators["eve"]
    good = world.target(eve)
    parts = {
        "older": {"operator_sequence": eve.sequence - 5},
        "invalid": {"valid": False},
        "disabled": {"enabled": False},
        "lease": {"lease": eve.lease + 1},
        "stamp": {"stamp_ns": world.ros_ns - NS // 10},
    }[change]

    told = world.send(targets=(replace(good, **parts),))
    assert (told.mode, told.authority) == (Mode.ALIGN, Authority.HOLD)
    assert world.send(targets=(world.target(eve),)).mode is Mode.HUMAN


@pytest.mark.parametrize(
    ("position", "orientation", "shown"),
    [(0.16, 0.0, "0.16 m away, at most 0.15 m"), (0.0, 0.7, "0.70 rad, at most 0.60 rad")],
)
def test_align_refuses_above_the_documented_error(
    position: float, orientation: float, shown: str
) -> None:
    """Above 0.15 m or 0.6 rad the squeeze is refused and the reason shown; below it is not."""
    world = World().to(Mode.ALIGN)
    world.position_error, world.orientation_error = position, orientation
    world.tick(n=3)
    world.squeeze(n=10)
    assert world.mode is Mode.ALIGN
    assert shown in world.told.reason
    world.release()
    assert "align first" not in world.told.reason
    world.position_error, world.orientation_error = 0.149, 0.599
    world.tick(n=3)
    world.squeeze()
    assert world.mode is Mode.HUMAN


def test_align_hand_back() -> None:
    """The operator may give up before driving."""
    world = World().to(Mode.ALIGN)
    world.press(Button.HAND_BACK)
    assert (Mode.ALIGN, Event.HAND_BACK, Mode.HANDBACK) in {
        (t.source, t.event, t.target) for t in world.history
    }


def test_align_needs_a_new_squeeze() -> None:
    """Enable that was squeezed before the takeover counts only after it was released."""
    world = World().to(Mode.AUTONOMOUS).squeeze()
    world.press(Button.TAKEOVER)
    assert world.tick(n=20).mode is Mode.ALIGN
    world.release().squeeze()
    assert world.mode is Mode.HUMAN


# ---- HUMAN, CLUTCH ----


def test_the_mark_starts_recovery_once() -> None:
    """After the mark the stage is RECOVERY, through CLUTCH and back, until the hand-back."""
    world = World().to(Mode.HUMAN)
    assert world.told.stage is Stage.ADAPTATION
    told = world.press(Button.MARK_RECOVERY)
    assert (told.mode, told.stage) == (Mode.HUMAN, Stage.RECOVERY)
    world.press(Button.MARK_RECOVERY)
    assert world.told.stage is Stage.RECOVERY
    world.release()
    assert (world.mode, world.told.stage) == (Mode.CLUTCH, Stage.NONE)
    world.squeeze()
    assert (world.mode, world.told.stage) == (Mode.HUMAN, Stage.RECOVERY)


def test_the_mark_counts_only_in_human() -> None:
    """Pressed in ALIGN or CLUTCH it changes nothing."""
    world = World().to(Mode.ALIGN)
    world.press(Button.MARK_RECOVERY)
    world.squeeze().release()
    world.press(Button.MARK_RECOVERY)
    world.squeeze()
    assert world.told.stage is Stage.ADAPTATION


def test_release_clutches_and_the_squeeze_sets_a_new_origin() -> None:
    """CLUTCH holds and keeps the lease; a squeeze goes on from where the command is."""
    world = World().to(Mode.HUMAN).release()
    assert last(world) == (Mode.HUMAN, Event.RELEASE, Mode.CLUTCH)
    assert (world.told.authority, world.told.lease) == (Authority.HOLD, FIRST)
    world.joints += 0.05
    world.teleop_alive = False
    world.operators["eve"].squeeze = 1.0
    told = world.tick()
    assert told.anchor is None
    world.teleop_alive = True
    world.tick(n=2)
    assert last(world) == (Mode.CLUTCH, Event.SQUEEZE, Mode.HUMAN)


@pytest.mark.parametrize("mode", [Mode.HUMAN, Mode.CLUTCH])
def test_hand_back_waits_for_an_observation_after_the_press(mode: Mode) -> None:
    """The policy never resumes from what it saw before the correction."""
    world = World().to(mode)
    world.policy_alive = False
    world.press(Button.HAND_BACK)
    assert last(world) == (mode, Event.HAND_BACK, Mode.HANDBACK)
    press_ns = world.history[-1].ros_ns
    told = world.send(chunks=(world.chunk(press_ns),))
    assert (told.mode, told.authority) == (Mode.HANDBACK, Authority.HOLD)
    told = world.send(chunks=(world.chunk(press_ns + 1),))
    assert last(world) == (Mode.HANDBACK, Event.FRESH_CHUNK, Mode.AUTONOMOUS)
    assert (told.authority, told.stage) == (Authority.POLICY, Stage.ROLLOUT)


def test_an_invalid_target_holds_at_once_and_then_clutches() -> None:
    """Tracking lost: hold from the first invalid target, CLUTCH with its reason after 0.1 s."""
    world = World().to(Mode.HUMAN)
    world.target_valid = False
    told = world.tick()
    assert (told.mode, told.authority, told.stage) == (Mode.HUMAN, Authority.HOLD, Stage.NONE)
    assert "left hand not tracked" in told.reason
    assert told.human_wanted is None
    world.tick(n=22)
    assert last(world) == (Mode.HUMAN, Event.UNFOLLOWABLE, Mode.CLUTCH)
    world.target_valid = True
    assert world.tick(n=20).mode is Mode.CLUTCH  # still squeezed: a new squeeze is needed
    world.release().squeeze()
    assert world.mode is Mode.HUMAN


def test_the_policy_never_interrupts_a_human() -> None:
    """Whatever chunks arrive while a person drives, only the record sees them."""
    world = World().to(Mode.HUMAN)
    for _ in range(100):
        told = world.send(chunks=(world.chunk(world.ros_ns),))
        assert (told.mode, told.authority) == (Mode.HUMAN, Authority.HUMAN)
        assert told.policy_wanted is not None
        assert told.wanted is not None
        assert told.wanted.tolist() == [0.2] * 3


def test_handback_can_be_taken_over_and_paused() -> None:
    """While the policy is waited for a person still decides."""
    world = World().to(Mode.HANDBACK)
    world.press(Button.TAKEOVER)
    assert last(world) == (Mode.HANDBACK, Event.TAKEOVER, Mode.ALIGN)
    world.press(Button.HAND_BACK)
    assert world.ask(Pause(True)).success
    assert last(world) == (Mode.HANDBACK, Event.PAUSE, Mode.PAUSED)


def test_a_policy_that_nobody_agreed_to_starts_no_rollout() -> None:
    """The start is refused with the question; a demonstration, which needs no policy, is not."""
    world = World().to(Mode.IDLE)
    question = "policy 1234 is new here: may it drive?"
    asked = world.send(rollout_refused=question, requests=(ROLLOUT,))
    assert (asked.answers[0].success, asked.answers[0].message) == (False, question)
    assert (asked.mode, asked.reason) == (Mode.IDLE, f"ready; {question}")
    asked = world.send(rollout_refused=question, requests=(DEMONSTRATION,))
    assert asked.answers[0].success
