"""Watchdogs: what falls silent leads to a hold within its timeout and one tick."""

from __future__ import annotations

import pytest
from arbiter_world import DT, FIRST, NS, World

from rove_core.vocabulary import Authority, Mode
from rove_teleop.arbiter.inputs import Pause
from rove_teleop.arbiter.state import Cause, initial_state
from rove_teleop.arbiter.timeouts import Timeouts

LIMITS = Timeouts()
OPERATED = (Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH)
WATCHED = [m for m in Mode if m not in (Mode.HOLD, Mode.ESTOP)]


def time_to_hold(world: World, at_most: float) -> float:
    """Tick until the mode is HOLD; return the monotonic s that it took."""
    began = world.now
    while world.now - began < at_most:
        world.tick()
        if world.mode is Mode.HOLD:
            return world.now - began
    raise AssertionError(f"{world.mode.name} after {at_most} s: {world.told.reason}")


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("mode", WATCHED)
def test_lost_joint_states(mode: Mode, clock: bool) -> None:
    """From every mode HOLD within 0.1 s and a tick, also while /clock stands still."""
    world = World().to(mode)
    world.robot_alive, world.clock_alive = False, clock
    assert time_to_hold(world, 1.0) <= LIMITS.joint_states + DT + 1e-9
    assert "no joint states" in world.told.reason
    assert world.state.cause is Cause.JOINT_STATES


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("mode", OPERATED)
def test_lost_operator(mode: Mode, clock: bool) -> None:
    """HOLD within 0.1 s and a tick; the lease stays for its grace, then it is gone."""
    world = World().to(mode)
    world.operators["eve"].sending, world.clock_alive = False, clock
    assert time_to_hold(world, 1.0) <= LIMITS.operator_frame + DT + 1e-9
    assert "no frame of eve" in world.told.reason
    assert world.told.lease == FIRST
    world.tick(n=int(LIMITS.lease_grace / DT))
    assert world.told.lease == 0
    assert world.mode is Mode.HOLD


@pytest.mark.parametrize("mode", [Mode.IDLE, Mode.AUTONOMOUS, Mode.PAUSED, Mode.HANDBACK])
def test_an_operator_who_does_not_drive_may_leave(mode: Mode) -> None:
    """The policy and the waiting go on without an operator."""
    world = World().to(mode)
    world.operators["eve"].sending = False
    world.tick(n=600)
    assert world.mode is mode


def test_the_returning_hand_must_squeeze_anew() -> None:
    """Frames come back squeezed within the grace: nobody drives until a person asks for it."""
    world = World().to(Mode.HUMAN)
    eve = world.operators["eve"]
    eve.sending = False
    world.tick(n=40)
    eve.sending = True
    assert world.tick(n=50).mode is Mode.HOLD


def test_silent_retargeting() -> None:
    """Frames come, targets do not: HOLD within 0.1 s and a tick, and it says so."""
    world = World().to(Mode.HUMAN)
    world.teleop_alive = False
    assert time_to_hold(world, 1.0) <= LIMITS.human_target + DT + 1e-9
    assert "no joint target" in world.told.reason


def test_a_late_policy_holds_in_place_and_then_for_good() -> None:
    """The chunk ends: authority HOLD in that tick, "policy is late"; 0.5 s later mode HOLD."""
    world = World().to(Mode.AUTONOMOUS)
    world.policy_alive = False
    chunk = world.state.planned.chunk
    assert chunk is not None
    end = chunk.end_ns + chunk.dt_ns
    while world.ros_ns <= end - int(DT * NS):
        assert world.tick().authority is Authority.POLICY
    world.tick(n=2)
    assert (world.mode, world.told.authority) == (Mode.AUTONOMOUS, Authority.HOLD)
    assert "policy is late" in world.told.reason
    assert world.told.policy_wanted is None
    assert world.told.policy_digest == ""
    assert time_to_hold(world, 2.0) <= LIMITS.chunk + DT
    assert world.state.cause is Cause.POLICY


def test_a_policy_that_catches_up_goes_on() -> None:
    """Late for less than 0.5 s: the next chunk drives, nobody has to resume."""
    world = World().to(Mode.AUTONOMOUS)
    world.policy_alive = False
    while world.told.authority is Authority.POLICY:
        world.tick()
    world.tick(n=80)
    world.policy_alive = True
    world.tick(n=21)
    assert (world.mode, world.told.authority) == (Mode.AUTONOMOUS, Authority.POLICY)
    assert world.state.planned.late_since is None


def test_a_silent_policy_is_noticed_without_a_clock() -> None:
    """/clock is dead, so no chunk ever expires: monotonic silence of 2 s still ends it."""
    world = World().to(Mode.AUTONOMOUS)
    world.clock_alive = world.policy_alive = False
    assert time_to_hold(world, 5.0) <= LIMITS.policy_silence + DT + 1e-9
    assert "no chunk" in world.told.reason


@pytest.mark.parametrize("mode", [Mode.HANDBACK, Mode.PAUSED, Mode.HUMAN])
def test_no_policy_is_needed_where_it_does_not_drive(mode: Mode) -> None:
    """A dead policy disturbs nobody who waits or drives."""
    world = World().to(mode)
    world.policy_alive = False
    world.tick(n=1000)
    assert world.mode is mode


@pytest.mark.parametrize("mode", WATCHED)
@pytest.mark.parametrize("leap", [-0.2, -40.0, 1.5, 1000.0])
def test_a_leap_of_the_clock(mode: Mode, leap: float) -> None:
    """ROS time back, or far ahead of monotonic time: HOLD in that tick; old chunks are gone."""
    world = World().to(mode)
    world.policy_alive = False
    world.ros_ns += int(leap * NS)
    world.tick()
    assert (world.mode, world.state.cause) == (Mode.HOLD, Cause.CLOCK)
    assert world.state.planned.chunk is None
    assert world.ask(Pause(False)).success


@pytest.mark.parametrize("slip", [-0.04, 0.5])
def test_a_small_slip_of_the_clock_is_no_leap(slip: float) -> None:
    """A disciplined clock steps back by milliseconds; a fast simulator gains tenths."""
    world = World().idle()
    world.ros_ns += int(slip * NS)
    assert world.tick().mode is Mode.IDLE


def test_a_suspended_arbiter_holds() -> None:
    """It was stopped for a second: what it believes is old, a person decides."""
    world = World().to(Mode.HUMAN)
    world.now += 1.0
    world.tick()
    assert (world.mode, world.state.cause) == (Mode.HOLD, Cause.SUSPENDED)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_restart_forgets_everything(mode: Mode) -> None:
    """Whatever went on before: a new epoch is HOLD without lease, episode or chunk."""
    world = World().to(mode)
    world.state = initial_state(8, world.size)
    eve = world.operators["eve"]
    eve.lease = 1  # the operator has not heard yet
    told = world.tick()
    assert (told.lease, told.episode_id, told.authority) == (0, "", Authority.HOLD)
    assert told.anchor is not None
    assert told.mode is Mode.IDLE


def test_the_first_reason_of_a_hold_stays() -> None:
    """In HOLD further faults do not hide what happened first."""
    world = World().to(Mode.HUMAN)
    world.operators["eve"].sending = False
    time_to_hold(world, 1.0)
    world.robot_alive = False
    told = world.tick(n=50)
    assert told.reason.startswith("no frame of eve")
    assert "no fresh joint states" in told.reason
    assert not world.ask(Pause(False)).success
