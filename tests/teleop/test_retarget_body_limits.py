"""Limits and collisions: what a step may do, by itself and in wild campaigns."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from body_examples import DT, ROBOTS, SPECS, anchored, displaced, posture, run_wild
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.robot.kinematics import Kinematics
from rove_core.robot.urdf import read_urdf
from rove_teleop.retarget.body.collision import RESERVE, Collisions, reader
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.body.limits import LONGEST_STEP, MotionLimits

CYCLES = 400  # of a sampled campaign
robots = st.sampled_from(ROBOTS)
seeds = st.integers(0, 2**32 - 1)


@given(robots, seeds, st.sampled_from(["up", "down", "wild"]))
@settings(max_examples=30, deadline=None)
def test_bounds_never_exclude_each_other(robot: str, seed: int, way: str) -> None:
    """Whatever step within the bounds is taken, be it always the largest, and however long the
    steps are: the next bounds have room, and position, speed and acceleration keep their limits."""
    spec = SPECS[robot]
    body, rng = Configuration(spec), np.random.default_rng(seed)
    body.stand(posture(spec, rng)[body.moving])
    limits = MotionLimits(body)
    fastest, hardest = spec.velocity[body.moving], spec.acceleration[body.moving]
    for _ in range(60):
        dt = float(rng.choice([0.001, 1 / 120, DT, 1 / 36, LONGEST_STEP]))
        low, high = (bound.copy() for bound in limits.bounds(dt))
        assert np.all(low <= high + 1e-12)
        brake = limits.braking(dt)
        assert np.all((low <= brake) & (brake <= high))
        share = {"up": 1.0, "down": 0.0}.get(way, rng.random(len(low)))
        step = low + share * (high - low)
        step[:BASE] = 0.0
        last, limits.last = limits.last, step / dt
        body.update(body.after(body.q, step))
        assert np.all((body.joints >= body.lower) & (body.joints <= body.upper))
        assert np.all(np.abs(limits.last[BASE:]) <= fastest * (1 + 1e-12))
        change = np.abs(limits.last - last)[BASE:]
        assert np.all(change <= hardest * dt * (1 + 1e-9))


@given(robots, seeds)
@settings(max_examples=20, deadline=None)
def test_distances_are_the_profiles(robot: str, seed: int) -> None:
    """What pinocchio measures is what the profile's own geometry says, for every pair."""
    spec = SPECS[robot]
    joints = posture(spec, np.random.default_rng(seed))
    body = Configuration(spec)
    hands = np.concatenate([spec.indices(f"{side}_hand") for side in ("left", "right")])
    joints[hands] = spec.home[hands]  # fingers of the body's model stand as at home
    body.stand(joints[body.moving])
    positions = dict(zip(spec.joint_names, joints, strict=True)) | dict(spec.fixed)
    links = Kinematics(read_urdf(spec.urdf_path)).links(positions)
    expected = spec.collision.distances(links) - spec.collision.margins - RESERVE
    found = Collisions(body).look()
    # Shapes that overlap deeply have no one distance; they must be told as overlapping by both.
    apart = expected > -0.05
    assert found[apart] == pytest.approx(expected[apart], abs=1e-5)
    assert np.all(found[~apart] < 0.0)


@given(robots, seeds)
@settings(max_examples=12, deadline=None)
def test_gradients_of_distances_are_derivatives(robot: str, seed: int) -> None:
    """Each gradient is how the distance changes with each degree of freedom, here and where the
    way ahead was looked at; the pelvis changes none."""
    spec = SPECS[robot]
    ik = anchored(spec, posture(spec, np.random.default_rng(seed), 0.7))
    collisions = Collisions(ik.body)
    free = collisions.look()
    clear = np.flatnonzero((free > 0.0) & (free < 1.0))
    here = collisions.gradients(clear, there=False)
    collisions.look_at(ik.body.q)
    assert collisions.gradients(clear, there=True) == pytest.approx(here, abs=1e-9)
    assert np.abs(here[:, :BASE]).max() < 1e-6
    eps = 1e-6
    wrong = 0
    for column in range(BASE, ik.body.size):
        up = collisions.look_at(displaced(ik, column, eps))[clear].copy()
        down = collisions.look_at(displaced(ik, column, -eps))[clear].copy()
        slope = (up - down) / (2 * eps)
        # Where the nearest points jump (nearly parallel segments) there is no derivative.
        wrong += int(np.sum(np.abs(slope - here[:, column]) > 1e-3))
    assert wrong <= 0.005 * here.size


@given(robots, seeds)
@settings(max_examples=20, deadline=None)
def test_levers_bound_how_pairs_close(robot: str, seed: int) -> None:
    """No pair that "may not meet" on a way is nearer after it than it may be."""
    spec, rng = SPECS[robot], np.random.default_rng(seed)
    ik = anchored(spec, posture(spec, rng, 0.8))
    collisions = Collisions(ik.body)
    free = collisions.look()
    for _ in range(10):
        way = rng.normal(0.0, 0.1, ik.body.size)
        way[:BASE] = 0.0
        after = collisions.look_at(pin.integrate(ik.body.model, ik.body.q, way))
        # Nothing is far enough apart, so raise all to what they have before the way.
        left = free - collisions._levers @ np.abs(way[BASE:])
        assert np.all(after >= left - 1e-9)
        near = bool((left < -0.5 * RESERVE).any())
        assert collisions.may_meet(free, np.abs(way[BASE:]), 1.0) == near


def test_results_read_one_by_one_are_those_of_the_block() -> None:
    """Where pinocchio's memory does not look as expected, the slow way reads the same numbers."""
    body = Configuration(SPECS["g1_dex3"])
    collisions = Collisions(body)
    collisions.look()
    results = collisions._here._results.distanceResults
    fast, slow = reader(results), reader(list(results)[:1])
    assert fast.__name__ == "<lambda>"
    assert slow.__name__ == "one_by_one"
    assert np.array_equal(fast()[:1], slow())


def test_a_pair_below_its_margin_may_stay_but_not_come_nearer() -> None:
    """A robot that is taken over with a hand at its hip does not move by itself; the pair may part,
    and from then on it has to stay apart."""
    spec = SPECS["g1_dex3"]
    ik = anchored(spec, np.array(spec.home))
    rng = np.random.default_rng(3)
    while True:
        joints = posture(spec, rng, 0.6)
        found = anchored(spec, joints)
        raw = Collisions(found.body).look()
        if -0.03 < raw.min() < -0.005:
            ik = found
            break
    worst = int(raw.argmin())
    before = ik.body.joints.copy()
    for _ in range(20):
        assert ik.step(DT).reason == ""
    assert np.abs(ik.body.joints - before).max() < 1e-6
    rng = np.random.default_rng(4)
    best = raw[worst]
    wrists = slice(0, 2)
    for _ in range(300):
        ik.tasks.goal_places[wrists] += rng.normal(0.0, 0.02, (2, 3))
        ik.step(DT)
        now = Collisions(ik.body).look()[worst]
        assert now > min(best, 0.0) - 5e-4
        best = max(best, now)


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_wild_operator_breaks_no_limit(robot: str) -> None:
    """Random cycles: position, speed, acceleration and collision margins hold, and nothing stands
    still for longer than a moment."""
    found = run_wild(SPECS[robot], seed=1, cycles=CYCLES)
    assert found.total == 0, found
    assert found.frozen < 0.1


def test_a_joint_that_stops_at_its_limit_does_not_bend_the_way_to_rest() -> None:
    """What went wrong: the way on which a robot comes to rest was looked at as if joints could go
    on beyond their limits; one that is stopped there while the others go on ends elsewhere, and a
    hand came 3 mm below its margin. Where all is looked at, joints are within their limits, and
    those that stay within go as far as they were told."""
    for robot in ROBOTS:
        body = anchored(SPECS[robot], np.array(SPECS[robot].home)).body
        step = np.zeros(body.size)
        step[BASE:] = np.random.default_rng(0).normal(0.0, 0.05, body.size - BASE)
        before = body.joints.copy()
        found = body.ahead(step, 40.0)[BASE_Q:]
        free = before + 40.0 * step[BASE:]
        np.testing.assert_allclose(found, np.clip(free, body.lower, body.upper), atol=1e-12)
        assert ((free < body.lower) | (free > body.upper)).any()
        np.testing.assert_array_equal(body.joints, before)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("robot", ROBOTS)
def test_ten_thousand_wild_cycles_break_no_limit(robot: str, seed: int) -> None:
    """The same, 10,000 cycles."""
    found = run_wild(SPECS[robot], seed=seed, cycles=10_000)
    assert found.total == 0, found
