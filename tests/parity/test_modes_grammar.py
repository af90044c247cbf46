"""The grammar of the modes that bags are held against is the arbiter's own table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rove_core.modes import DRIVERS, TRANSITIONS, TURN_MODES, reachable
from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.arbiter.operating import OPERATED
from rove_teleop.arbiter.transitions import TABLE

sys.path.insert(0, str(Path(__file__).parents[1] / "teleop"))
from arbiter_world import DEMONSTRATION, World

from rove_core.vocabulary import Button


def test_the_transitions_are_those_of_the_table() -> None:
    """Neither allows what the other does not."""
    assert {(row.source, row.target) for row in TABLE} == TRANSITIONS
    assert set(OPERATED) == TURN_MODES


def test_only_moving_modes_have_drivers() -> None:
    """Whoever drives is named with a stage, and a stage is named only while somebody drives."""
    assert set(DRIVERS) == set(Mode)
    for drivers in DRIVERS.values():
        assert (Authority.HOLD, Stage.NONE) in drivers
        for authority, stage in drivers:
            assert (authority is Authority.HOLD) == (stage is Stage.NONE)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_machine_drives_as_the_grammar_says(mode: Mode) -> None:
    """In every mode, by what people do, the machine takes authorities and stages of the table."""
    world = World().to(mode)
    for _ in range(20):
        told = world.tick()
        assert (told.authority, told.stage) in DRIVERS[told.mode]


def test_every_stage_of_a_person_is_taken() -> None:
    """Adaptation, recovery and demonstration are reached; the table has no stage too many."""
    world, taken = World().to(Mode.HUMAN), set()
    for button in (Button.NONE, Button.MARK_RECOVERY):
        told = world.press(button)
        told = world.tick()
        taken.add((told.authority, told.stage))
    demonstration = World().leased()
    demonstration.tick(DEMONSTRATION)
    demonstration.squeeze()
    told = demonstration.tick()
    taken.add((told.authority, told.stage))
    assert taken == DRIVERS[Mode.HUMAN] - {(Authority.HOLD, Stage.NONE)}


@pytest.mark.parametrize("steps", range(10))
def test_reachable_is_the_walk_of_so_many_transitions(steps: int) -> None:
    """One step more is one transition more, from any mode."""
    for source in Mode:
        further = {b for a, b in TRANSITIONS if a in reachable(source, steps)}
        assert reachable(source, steps + 1) == further
    assert reachable(Mode.IDLE, 0) == {Mode.IDLE}
