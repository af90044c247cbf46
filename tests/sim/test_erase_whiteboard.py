"""Laws of the whiteboard: what a seed decides, when ink vanishes, what the instruction means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rove_core.errors import ConfigError, ContractError
from rove_core.robot import RobotSpec
from rove_core.vocabulary import Outcome
from rove_sim.skilled import PlanExpert
from rove_sim.tasks import make_task
from rove_sim.tasks.erase_whiteboard import BOARD_HALF, FELT_HALF, PRESS_FORCE_N, EraseWhiteboard
from rove_sim.tasks.plan import Plan, pose
from rove_sim.tasks.strokes import place_strokes, write_stroke
from rove_sim.trials import evaluate, execute
from rove_sim.world import World


def work(lab: World, frames: int, lift: float = 0.0) -> float:
    """Let the expert work ``lift`` m farther off the board than it means; return its press, N."""
    task = lab.task
    assert isinstance(task, EraseWhiteboard)

    def believed() -> Plan:  # the board is nearer than it is
        away = pose(lift * task.parts()["board"][:3, 2])
        return tuple(replace(w, tool=away @ w.tool) for w in task.plan())

    expert, target, pressed = PlanExpert(lab, believed), lab.joint_positions(), 0.0
    for _ in range(frames):
        if task.status().outcome is not Outcome.UNKNOWN:
            break
        target = execute(lab, target, expert.act(lab.joint_positions()))
        pressed = max(pressed, task.press_force)
    return pressed


def test_a_seed_reproduces_a_trial_exactly(lab: World) -> None:
    """Law: same seed, same commands -> same strokes, joints and verdict, whatever ran before."""
    runs = []
    for _ in range(2):
        lab.reset(11)
        work(lab, 25)
        runs.append(
            (lab.instruction, lab.joint_positions(), lab.model.geom_pos.copy(), lab.task.status())
        )
        lab.reset(12)
        work(lab, 3)
    assert runs[0][0] == runs[1][0]
    assert runs[0][3] == runs[1][3]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


def test_the_instruction_does_not_move_the_ink(lab: World) -> None:
    """Law: an instruction that is given changes what is asked, and nothing in the scene."""
    places = []
    for instruction in lab.task.instructions:
        assert lab.reset(5, instruction) == instruction
        places.append(lab.model.geom_pos.copy())
    np.testing.assert_array_equal(places[0], places[1])


@pytest.mark.parametrize("seed", range(200))
def test_strokes_keep_apart_and_on_the_board(seed: int) -> None:
    """Law: all ink is on the board, and a felt on one stroke never reaches the other stroke."""
    rng = np.random.default_rng(seed)
    first, second = (write_stroke(rng, middle) for middle in place_strokes(rng))
    for points in (first, second):
        assert (np.abs(points) < np.array(BOARD_HALF[:2]) - 0.01).all()
    gap = np.maximum(first.min(0) - second.max(0), second.min(0) - first.max(0)).max()
    # Side by side the felt reaches half its width, one above the other half its height.
    assert gap > FELT_HALF[1:].max()


def test_hovering_erases_nothing(lab: World) -> None:
    """Law: the same motion 3 cm off the board touches nothing and erases nothing."""
    lab.reset(2)
    assert work(lab, 60, lift=0.03) == 0.0
    assert lab.task.status().progress == 0.0


def test_pressing_erases_the_instructed_stroke_alone(lab: World) -> None:
    """Law: pressed felt erases; the expert leaves the other stroke untouched."""
    for seed in (0, 1, 2):
        lab.reset(seed)
        assert work(lab, 200) >= PRESS_FORCE_N
        status = lab.task.status()
        assert status.outcome is Outcome.SUCCESS
        assert status.damage == 0.0


def test_the_instruction_decides_between_success_and_failure(lab: World) -> None:
    """Law: the same motion succeeds under one instruction and fails under the other."""
    task = lab.task
    outcomes = []
    for asked in task.instructions:
        lab.reset(4, task.instructions[0])
        expert, target, commands = PlanExpert(lab), lab.joint_positions(), []
        while task.status().outcome is Outcome.UNKNOWN and len(commands) < 200:
            target = execute(lab, target, expert.act(lab.joint_positions()))
            commands.append(target)
        lab.reset(4, asked)
        target = lab.joint_positions()
        for command in commands:
            target = execute(lab, target, command)
        outcomes.append(task.status().outcome)
    assert outcomes == [Outcome.SUCCESS, Outcome.FAILURE]


def test_a_policy_that_stands_still_times_out(spec: RobotSpec) -> None:
    """Law: without work there is no progress, no damage, and the trial ends as a time-out."""
    (trial,) = evaluate(
        lambda seen: np.tile(seen["positions"], (8, 1)),
        spec,
        "erase_whiteboard",
        [3],
        max_frames=20,
    )
    assert (trial.outcome, trial.frames) == (Outcome.TIMEOUT, 20)
    assert trial.progress == trial.damage == 0.0


def test_both_colours_show_in_the_ego_picture(lab: World) -> None:
    """Law: at the start the policy can see what it is asked about."""
    for seed in range(5):
        lab.reset(seed)
        red, green, blue = lab.render("ego").astype(int).transpose(2, 0, 1)
        assert ((red > 90) & (green < 60) & (blue < 60)).sum() > 15
        assert ((blue > 90) & (green < 60) & (red < 60)).sum() > 15


def test_unknown_names_are_refused(spec: RobotSpec, lab: World) -> None:
    """Law: an unknown task, instruction or camera names what was given and what is allowed."""
    with pytest.raises(ConfigError, match=r"juggle.*erase_whiteboard"):
        make_task("juggle", spec)
    with pytest.raises(ConfigError, match=r"erase everything.*erase the red stroke"):
        lab.reset(0, "erase everything")
    with pytest.raises(ConfigError, match=r"wrist.*ego"):
        lab.render("wrist")
    with pytest.raises(ContractError):
        lab.step(np.zeros(spec.size - 1))
