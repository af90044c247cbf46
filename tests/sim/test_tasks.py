"""Laws of every task of the lab: seeds, instructions, variation, and a way to success."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec, load_robot
from rove_core.vocabulary import Outcome
from rove_sim.scenery import RANGES
from rove_sim.skilled import PlanExpert
from rove_sim.tasks import TASKS
from rove_sim.trials import execute
from rove_sim.variation import Range, check_share
from rove_sim.world import World

SMALL = ("press_button", "push_block", "place_cup")


@pytest.fixture(scope="module", params=TASKS)
def varied(request: pytest.FixtureRequest, spec: RobotSpec) -> Iterator[World]:
    """A world of each task at full variation, which every test resets before it uses it."""
    world = World(spec, request.param, variation=1.0)
    yield world
    world.close()


def work(world: World, seconds: float) -> list[np.ndarray]:
    """Let the expert work for a while; return its (N,) rad targets, one each 50 ms."""
    expert, target, commands = PlanExpert(world), world.joint_positions(), []
    while world.time_s < seconds and world.task.status().outcome is Outcome.UNKNOWN:
        target = execute(world, target, expert.act(world.joint_positions()))
        commands.append(target)
    return commands


def looks(world: World) -> list[np.ndarray]:
    """Return everything a reset may change of how a trial is and looks."""
    model, data = world.model, world.data
    return [
        np.array(data.qpos), model.body_pos.copy(), model.geom_pos.copy(), model.geom_rgba.copy(),
        model.geom_matid.copy(), model.cam_pos.copy(), model.cam_quat.copy(),
        model.light_diffuse.copy(), model.light_dir.copy(), world.render("ego"),
    ]  # fmt: skip


def test_a_seed_reproduces_a_trial_exactly(varied: World) -> None:
    """Law: same seed, same commands -> the same scene, picture, joints and verdict, to the bit,
    whatever ran before; another seed gives another trial."""
    runs, starts = [], []
    for _ in range(2):
        varied.reset(11)
        starts.append(looks(varied))
        work(varied, 1.5)
        runs.append((*looks(varied), varied.task.status()))
        varied.reset(12)
        work(varied, 0.3)
    for first, second in zip(starts[0] + list(runs[0]), starts[1] + list(runs[1]), strict=True):
        np.testing.assert_array_equal(first, second)
    varied.reset(12)
    assert any(not np.array_equal(a, b) for a, b in zip(starts[0], looks(varied), strict=True))


def test_the_instruction_moves_nothing(varied: World) -> None:
    """Law: a given instruction changes what is asked, and nothing in the scene."""
    scenes = []
    for instruction in varied.task.instructions:
        assert varied.reset(5, instruction) == instruction
        scenes.append(looks(varied))
    for scene in scenes[1:]:
        for first, second in zip(scenes[0], scene, strict=True):
            np.testing.assert_array_equal(first, second)


def test_variation_stays_in_its_ranges(varied: World) -> None:
    """Law: the camera is never farther from its plain place than the range says."""
    plain = varied.spec.cameras["ego"].position
    most = RANGES["camera_shift"].high
    for seed in range(20):
        varied.reset(seed)
        shift = varied.model.camera("ego").pos - plain
        assert 0.0 < np.abs(shift).max() <= most + 1e-12


def test_a_status_says_where_a_fresh_trial_stands(varied: World) -> None:
    """Law: a trial begins undecided, without progress that was not made, and with a plan whose
    waypoints lie before the robot."""
    for seed in range(3):
        varied.reset(seed)
        status = varied.task.status()
        assert (status.outcome, status.damage, status.near_failure) == (Outcome.UNKNOWN, 0.0, "")
        assert status.progress < 0.5
        plan = varied.task.plan()
        assert plan
        assert all(0.1 < w.place[0] < 0.8 and 0.6 < w.place[2] < 1.4 for w in plan)


@pytest.mark.parametrize("name", SMALL)
def test_the_instruction_decides_between_success_and_failure(spec: RobotSpec, name: str) -> None:
    """Law: the same motion succeeds under its instruction and never under another."""
    world = World(spec, name, variation=1.0)
    asked, other = world.task.instructions[:2]
    world.reset(7, asked)
    commands = work(world, 15.0)
    assert world.task.status().outcome is Outcome.SUCCESS
    assert world.task.status().progress == 1.0
    world.reset(7, other)
    target = world.joint_positions()
    for command in [*commands, *commands[-1:] * 15]:
        target = execute(world, target, command)
    assert world.task.status().outcome is Outcome.FAILURE
    assert world.task.status().damage > 0.5


def test_the_second_robot_erases_by_its_profile_alone() -> None:
    """Law: another robot, another size: board, start and eraser follow from the profile."""
    world = World(load_robot("gr1t2_fourier"), "erase_whiteboard")
    for seed in (300, 301):
        world.reset(seed)
        work(world, 10.0)
        status = world.task.status()
        assert (status.outcome, status.damage) == (Outcome.SUCCESS, 0.0)
    world.close()


@pytest.mark.parametrize("variation", [-0.1, 1.1, float("nan")])
def test_an_impossible_variation_is_refused(variation: float) -> None:
    """Law: the message says what was given and what is allowed."""
    with pytest.raises(ConfigError, match=r"variation .* is not accepted; allowed: 0 .* to 1"):
        check_share("variation", variation)


@pytest.mark.parametrize("ends", [(0.1, 0.2), (-0.2, -0.1), (0.0, float("inf"))])
def test_an_impossible_range_is_refused(ends: tuple[float, float]) -> None:
    """Law: a range holds the plain value and has ends."""
    with pytest.raises(ConfigError, match="low <= 0 <= high"):
        Range(*ends, "m", "a board")


def test_a_start_spread_moves_waist_and_right_arm_alone(spec: RobotSpec) -> None:
    """Law: the seed decides where the robot begins; without a spread it is the start posture."""
    world = World(spec, "erase_whiteboard", start_spread=1.0)
    rest = world.task.start_posture()
    moved = np.zeros(spec.size)
    for seed in range(20):
        world.reset(seed)
        begins = world.joint_positions()
        world.reset(seed)
        np.testing.assert_array_equal(begins, world.joint_positions())
        assert ((begins >= spec.lower) & (begins <= spec.upper)).all()
        moved = np.maximum(moved, np.abs(begins - rest))
    world.close()
    spread = np.zeros(spec.size, dtype=bool)
    for group in ("waist", "right_arm"):
        spread[spec.indices(group)] = True
    assert (moved[spread] > 0.02).all()
    assert (moved[~spread] == 0.0).all()
    with pytest.raises(ConfigError, match="start_spread"):
        World(spec, "erase_whiteboard", start_spread=1.5)
