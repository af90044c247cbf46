"""The command filter: within every limit, always able to stop, close behind its target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rove_core.errors import ConfigError, ContractError
from rove_core.robot import RobotSpec, load_robot
from rove_teleop.arbiter.command_filter import CommandFilter

DT = 0.005
ROUND_OFF = 1e-7
"""rad; what the solver's own arithmetic may add to a position of a few rad."""


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot("g1_dex3")


def limits_hold(spec: RobotSpec, path: np.ndarray, dt: float) -> None:
    """Hold finite differences of a path (T, N), dt s apart, against the limits.

    The k-th difference of a motion is a mean of its k-th derivative times dt^k, so the
    derivative's bound bounds it exactly.
    """
    assert (path >= spec.lower - ROUND_OFF).all()
    assert (path <= spec.upper + ROUND_OFF).all()
    for order, limit in ((1, spec.velocity), (2, spec.acceleration), (3, spec.jerk)):
        steps = np.abs(np.diff(path, n=order, axis=0)).max(axis=0)
        worst = steps - limit * dt**order
        assert (worst <= ROUND_OFF * 2**order).all(), (order, worst.max())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), lead=st.sampled_from([0.0, 0.7, 1.0]), reach=st.floats(0.05, 3))
def test_no_limit_is_ever_exceeded(spec: RobotSpec, seed: int, lead: float, reach: float) -> None:
    """Random targets (also far outside), speeds, holds: velocity, acceleration, jerk, position."""
    rng = np.random.default_rng(seed)
    command = CommandFilter(spec, DT, lead)
    start = rng.uniform(spec.lower, spec.upper)
    command.anchor(start)
    path, target, speed = [start, start, start], None, None
    for _ in range(150):
        if rng.random() < 0.15:
            target = rng.uniform(spec.lower - reach, spec.upper + reach)
            speed = rng.normal(0, reach, spec.size) if rng.random() < 0.5 else None
        if rng.random() < 0.05:
            target = None
        path.append(command.step(target, DT, speed))
    limits_hold(spec, np.array(path), DT)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_limits_hold_while_dt_changes(spec: RobotSpec, seed: int) -> None:
    """With a dt that jitters from tick to tick speeds and accelerations still fit together."""
    rng = np.random.default_rng(seed)
    command = CommandFilter(spec, DT)
    command.anchor(spec.home)
    for _ in range(200):
        target = rng.uniform(spec.lower, spec.upper)
        dt = rng.uniform(0.0005, 0.01)
        p, v, a = command.position, command.velocity, command.acceleration
        q = command.step(target, dt)
        assert (np.abs(q - p) <= spec.velocity * dt + ROUND_OFF).all()
        assert (np.abs(command.velocity - v) <= spec.acceleration * dt + 1e-6).all()
        assert (np.abs(command.acceleration - a) <= spec.jerk * dt + 1e-5).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), run=st.integers(1, 80))
def test_hold_brakes_to_a_stop(spec: RobotSpec, seed: int, run: int) -> None:
    """From any motion a hold comes to rest within limits, without turning back, and stays."""
    rng = np.random.default_rng(seed)
    command = CommandFilter(spec, DT)
    command.anchor(rng.uniform(spec.lower, spec.upper))
    target = rng.uniform(spec.lower, spec.upper)
    for _ in range(run):
        command.step(target, DT)
    path = [command.step(None, DT) for _ in range(100)]
    limits_hold(spec, np.array(path), DT)
    assert command.speed == 0.0
    assert (path[-1] == path[-2]).all()
    assert (command.step(None, DT) == path[-1]).all()


def sine_error(spec: RobotSpec, lead: float, rate: float, known: bool) -> np.ndarray:
    """Largest error (N,) rad behind a sine of 0.5 Hz, 0.3 rad whose target moves at ``rate`` Hz."""
    command = CommandFilter(spec, DT, lead)
    middle = np.clip(np.zeros(spec.size), spec.lower + 0.3, spec.upper - 0.3)
    command.anchor(middle)

    def wave(t: float) -> float:
        return 0.3 * float(np.sin(np.pi * t))

    worst, last, target, speed = np.zeros(spec.size), -1, middle, None
    for k in range(1200):
        frame = int(k * DT * rate + 1e-9)
        if frame != last:
            new = middle + wave(frame / rate)
            speed = (new - target) * rate if known and last >= 0 else None
            target, last = new, frame
        sent = command.step(target, DT, speed)
        if k * DT > 2.0:
            worst = np.maximum(worst, np.abs(sent - middle - wave((k + 1) * DT)))
    return worst


@pytest.mark.parametrize("rate", [72.0, 200.0])
def test_a_sine_is_tracked_closely(spec: RobotSpec, rate: float) -> None:
    """A 0.5 Hz, 0.3 rad sine at operator rate or from a chunk: every joint within 0.05 rad."""
    reachable = spec.upper - spec.lower > 0.6
    assert sine_error(spec, 0.7, rate, known=True)[reachable].max() < 0.05


def test_the_lead_is_what_makes_it_close(spec: RobotSpec) -> None:
    """Without aiming ahead the slow joints trail by more than the 0.05 rad that are asked."""
    reachable = spec.upper - spec.lower > 0.6
    assert sine_error(spec, 0.0, 72.0, known=False)[reachable].max() > 0.05
    assert sine_error(spec, 1.0, 200.0, known=True)[reachable].max() < 0.02


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_resting_target_is_reached_exactly(spec: RobotSpec, seed: int) -> None:
    """Zero error at the target: it is reached without overshoot and then not left."""
    rng = np.random.default_rng(seed)
    command = CommandFilter(spec, DT)
    start = rng.uniform(spec.lower, spec.upper)
    target = rng.uniform(spec.lower, spec.upper)
    command.anchor(start)
    path = np.array([command.step(target, DT) for _ in range(800)])
    assert np.abs(path[-1] - target).max() < 1e-6
    low, high = np.minimum(start, target), np.maximum(start, target)
    assert (path >= low - ROUND_OFF).all()
    assert (path <= high + ROUND_OFF).all()


@settings(max_examples=25, deadline=None)
@given(fraction=st.floats(0.01, 1.0), sign=st.sampled_from([-1.0, 1.0]))
def test_braking_distance_is_what_braking_takes(
    spec: RobotSpec, fraction: float, sign: float
) -> None:
    """The formula equals the distance that the filter's own stop covers from that speed."""
    far = np.full(spec.size, sign * 40.0)
    cruise = replace(spec, lower=-2 * np.abs(far), upper=2 * np.abs(far),
                     velocity=fraction * spec.velocity)  # fmt: skip
    command = CommandFilter(cruise, DT)
    command.anchor(spec.home)
    for _ in range(200):
        begin = command.step(far, DT)
    np.testing.assert_allclose(command.velocity, sign * cruise.velocity, atol=1e-9)
    for _ in range(200):
        rest = command.step(None, DT)
    expected = command.braking_distance(sign * cruise.velocity)
    np.testing.assert_allclose(rest - begin, expected, atol=1e-6)


def test_an_anchor_is_a_step_of_zero(spec: RobotSpec) -> None:
    """After an anchor inside the limits the command is the anchor, at rest."""
    command = CommandFilter(spec, DT)
    command.anchor(spec.home)
    command.step(spec.upper, DT)
    measured = spec.upper - 0.01
    command.anchor(measured)
    assert (command.position == measured).all()
    assert command.speed == 0.0
    assert (command.step(None, DT) == measured).all()
    for _ in range(400):
        back = command.step(spec.upper + 1.0, DT)
    np.testing.assert_allclose(back, spec.upper, atol=1e-6)


@pytest.mark.parametrize("dt", [0.0, -0.005, -1.0])
def test_time_that_stands_or_runs_back_moves_nothing(spec: RobotSpec, dt: float) -> None:
    """dt <= 0: the command stays, so a stopped or reset clock never moves a robot."""
    command = CommandFilter(spec, DT)
    command.anchor(spec.home)
    moving = command.step(spec.upper, DT).copy()
    assert (command.step(spec.upper, dt) == moving).all()


def test_a_gap_is_not_caught_up(spec: RobotSpec) -> None:
    """A dt of a second moves as far as two nominal ticks do."""
    far, near = CommandFilter(spec, DT), CommandFilter(spec, DT)
    for command in (far, near):
        command.anchor(spec.home)
        for _ in range(20):
            command.step(spec.upper, DT)
    assert (far.step(spec.upper, 1.0) == near.step(spec.upper, 2 * DT)).all()


def test_what_is_returned_cannot_be_changed(spec: RobotSpec) -> None:
    """The command is read-only and the anchor a copy."""
    command = CommandFilter(spec, DT)
    start = spec.home.copy()
    command.anchor(start)
    start[:] = 9.0
    sent = command.step(spec.home, DT)
    assert np.abs(sent - spec.home).max() < 1e-9
    with pytest.raises(ValueError, match="read-only"):
        sent[0] = 1.0


def test_bad_use_is_refused(spec: RobotSpec) -> None:
    """Stepping before the anchor, bad anchors and bad settings are clear errors."""
    command = CommandFilter(spec, DT)
    with pytest.raises(ContractError, match="before the first anchor"):
        command.step(spec.home, DT)
    with pytest.raises(ContractError, match=r"shape \(2,\) given"):
        command.anchor(np.zeros(2))
    with pytest.raises(ContractError, match="not finite"):
        command.anchor(np.full(spec.size, np.nan))
    with pytest.raises(ConfigError, match="nominal_dt"):
        CommandFilter(spec, 0.0)
    with pytest.raises(ConfigError, match="lead"):
        CommandFilter(spec, DT, 2.0)


def test_an_anchor_outside_the_limits_starts_inside(spec: RobotSpec) -> None:
    """Bug: measured fingers 1.5 mrad past their limit anchored the command there, outside of what
    a robot accepts. The command starts at the nearest position inside."""
    command = CommandFilter(spec, DT)
    command.anchor(spec.lower - 0.0015)
    np.testing.assert_array_equal(command.position, spec.lower)
    command.anchor(spec.upper + 0.0015)
    np.testing.assert_array_equal(command.step(None, DT), spec.upper)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_command_is_past_a_limit_by_any_amount(spec: RobotSpec, seed: int) -> None:
    """What was sent lay up to 7e-9 rad past a limit, which a robot refuses."""
    rng = np.random.default_rng(seed)
    command = CommandFilter(spec, DT)
    command.anchor(spec.home)
    for _ in range(40):
        target = spec.home + rng.choice([-100.0, 100.0], spec.size)
        for _ in range(rng.integers(1, 40)):
            sent = command.step(target, DT)
            assert ((spec.lower <= sent) & (sent <= spec.upper)).all()
