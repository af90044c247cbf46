"""The measured bump: what was sent around a change of authority, told by the commands alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from arbiter_world import DT, FIRST, NS, World
from hypothesis import given
from hypothesis import strategies as st

from rove_core.vocabulary import Button, HandoverKind, Mode
from rove_teleop.arbiter.handover import WINDOW_S, Handover, HandoverMeter
from rove_teleop.arbiter.lease import LEASES_PER_EPOCH
from rove_teleop.arbiter.state import initial_state
from rove_teleop.arbiter.transitions import Event, Transition

N = 3


def _decisions() -> tuple[object, object]:
    """A decision of AUTONOMOUS without news, and one of the tick of a takeover."""
    world = World().to(Mode.AUTONOMOUS)
    quiet = replace(world.told, transitions=())
    world.operators["eve"].buttons = Button.TAKEOVER
    taken = world.tick()
    assert [t.event for t in taken.transitions] == [Event.TAKEOVER]
    return quiet, taken


QUIET, TAKEN = _decisions()


def _run(positions: np.ndarray, change: int, **taken: object) -> Handover:
    """Send (T, N) rad at 200 Hz with a takeover in tick ``change``; return its measurement."""
    meter, done = HandoverMeter(), []
    for i, position in enumerate(positions):
        decision = replace(TAKEN, **taken) if i == change else QUIET
        done += meter.watch(decision, position, (i + 1) * int(DT * NS), False)
    assert len(done) == 1
    return done[0]


@given(
    size=st.floats(1e-4, 0.5),
    joint=st.integers(0, N - 1),
    at=st.integers(0, int(WINDOW_S / DT) - 5),
)
def test_a_step_inside_the_window_is_found(size: float, joint: int, at: int) -> None:
    """The largest step, its joint and its speed are those that were sent."""
    positions = np.zeros((500, N))
    positions[300 + at :, joint] += size
    seen = _run(positions, 300)
    assert seen.kind is HandoverKind.TAKEOVER
    assert seen.step == pytest.approx(size)
    assert seen.joint == joint
    assert seen.velocity == pytest.approx(size / DT)
    assert seen.acceleration == pytest.approx(size / DT**2)
    assert seen.jerk == pytest.approx(2 * size / DT**3)
    assert seen.window_s == pytest.approx(WINDOW_S)


@given(before=st.integers(1, 200), after=st.integers(int(WINDOW_S / DT) + 2, 150))
def test_steps_outside_the_window_do_not_count(before: int, after: int) -> None:
    """What moved before the change or long after it is no bump."""
    positions = np.zeros((600, N))
    positions[300 - before :] += 0.3
    positions[300 + after :] += 0.3
    assert _run(positions, 300).step == 0.0


def test_the_ordinary_step_is_that_of_motion_before() -> None:
    """99 of 100 steps of the motion before the change are not larger than normal_step."""
    steps = np.abs(np.random.default_rng(1).normal(0.0, 0.01, 1000))
    positions = np.repeat(np.cumsum(steps)[:, None], N, axis=1)
    positions = np.vstack([positions, np.repeat(positions[-1:], 200, axis=0)])
    seen = _run(positions, 1000)
    assert seen.normal_step == pytest.approx(np.percentile(steps[1:], 99), rel=1e-6)
    assert math.isnan(_run(positions, 100).normal_step)  # half a second of motion tells nothing


def test_time_from_the_press() -> None:
    """From the stamp of the frame with the press; a change that nobody pressed has none."""
    positions = np.zeros((500, N))
    press = 300 * int(DT * NS)
    taken = Transition(Mode.AUTONOMOUS, Mode.ALIGN, Event.TAKEOVER, "", 0.0, 0, press)
    seen = _run(positions, 300, transitions=(taken,))
    assert seen.press_to_authority_ms == pytest.approx(1e3 * DT)
    nobody = replace(taken, pressed_ns=0)
    assert math.isnan(_run(positions, 300, transitions=(nobody,)).press_to_authority_ms)


def test_a_restart_at_measured_joints_is_no_motion() -> None:
    """An anchor moves the command to where the robot is, not the robot."""
    meter, done = HandoverMeter(), []
    for i in range(200):
        position = np.full(N, 0.5 if i >= 50 else 0.0)
        done += meter.watch(TAKEN if i == 20 else QUIET, position, (i + 1) * 5_000_000, i == 50)
    assert [seen.step for seen in done] == [0.0]


def test_a_clock_that_stands_still_measures_nothing() -> None:
    """No division by no time, and the measurement waits."""
    meter = HandoverMeter()
    meter.watch(TAKEN, np.zeros(N), NS, False)
    for _ in range(300):
        assert meter.watch(QUIET, np.zeros(N), NS, False) == ()


@pytest.mark.parametrize("button", [Button.TAKEOVER, Button.HAND_BACK])
def test_the_press_travels_with_its_transition(button: Button) -> None:
    """Takeover, squeeze and hand-back name the ROS time of the frame that asked for them."""
    world = World().to(Mode.AUTONOMOUS)
    world.press(Button.TAKEOVER)
    world.squeeze()
    world.press(Button.HAND_BACK)
    world.tick(n=60)
    wanted = {Event.TAKEOVER, Event.SQUEEZE, Event.HAND_BACK, Event.FRESH_CHUNK}
    seen = {t.event: t for t in world.history if t.event in wanted and t.pressed_ns}
    assert set(seen) == wanted
    for taken in seen.values():
        assert 0 < taken.pressed_ns <= taken.ros_ns


def test_leases_of_two_epochs_never_meet() -> None:
    """A frame of an earlier run's lease fits none of this run."""
    assert World().leased().told.lease == FIRST
    for epoch in (1, 7, 1_790_000_000_000):
        first, later = initial_state(epoch, N).lease, initial_state(epoch + 1, N).lease
        assert later.issued - first.issued == LEASES_PER_EPOCH
        assert later.issued < 2**53
