"""The table of modes: each row is taken once, and nothing is said twice."""

from __future__ import annotations

import pytest
from arbiter_world import ROLLOUT, STOP, World

from rove_core.vocabulary import (
    Authority,
    Button,
    Mode,
    Stage,
)
from rove_teleop.arbiter.inputs import (
    Pause,
    ResetEmergencyStop,
)
from rove_teleop.arbiter.transitions import ALLOWED, TABLE, Event, Row, markdown

HOLDING = [m for m in Mode if m not in (Mode.AUTONOMOUS, Mode.HUMAN)]


def before(row: Row) -> World:
    """Return a world in which the row's event can happen."""
    demonstration = (row.event, row.target) == (Event.HAND_BACK, Mode.IDLE)
    if demonstration:
        world = World().leased().squeeze()
        return world.release() if row.source is Mode.CLUTCH else world
    if row.event is Event.JOINTS_FRESH:
        return World()
    if (row.source, row.event, row.target) == (Mode.HOLD, Event.RESUME, Mode.IDLE):
        world = World().to(Mode.HOLD)
        world.ask(STOP)
        return world
    return World().to(row.source)


def happen(world: World, event: Event) -> None:
    """Let the event happen by the means of a person or a fault."""
    buttons = {
        Event.TAKEOVER: Button.TAKEOVER,
        Event.TAKEOVER_REFUSED: Button.TAKEOVER,
        Event.HAND_BACK: Button.HAND_BACK,
        Event.ESTOP: Button.ESTOP,
    }
    requests = {
        Event.START: ROLLOUT,
        Event.STOP: STOP,
        Event.PAUSE: Pause(True),
        Event.RESUME: Pause(False),
        Event.RESET: ResetEmergencyStop("Ada"),
    }
    if event is Event.TAKEOVER_REFUSED:
        world.takeover_refused = "slow"
    if event in buttons:
        world.press(buttons[event])
    elif event in requests:
        world.tick(requests[event])
    elif event is Event.SQUEEZE:
        world.squeeze()
    elif event is Event.RELEASE:
        world.release()
    elif event is Event.UNFOLLOWABLE:
        world.target_valid = False
        world.tick(n=30)
    elif event is Event.FAULT:
        world.robot_alive = False
        world.tick(n=30)
    elif event is Event.FRESH_CHUNK:
        world.send(chunks=(world.chunk(world.ros_ns),))
    else:
        assert event is Event.JOINTS_FRESH
        world.tick()


@pytest.mark.parametrize(
    "row", TABLE, ids=lambda r: f"{r.source.name}-{r.event.name}-{r.target.name}"
)
def test_every_row_can_be_taken(row: Row) -> None:
    """Each row of the table happens, by what a person does or what fails, and says why."""
    world = before(row)
    seen = len(world.history)
    happen(world, row.event)
    taken = world.history[seen]
    assert (taken.source, taken.event, taken.target) == (row.source, row.event, row.target)
    assert taken.reason


def test_the_table_says_each_thing_once() -> None:
    """No two rows with the same from, event and to; every mode can be left and reached."""
    assert len(ALLOWED) == len(TABLE)
    assert {row.source for row in TABLE} == set(Mode)
    assert {row.target for row in TABLE} == set(Mode)
    assert all((m, Event.ESTOP, Mode.ESTOP) in ALLOWED for m in Mode if m is not Mode.ESTOP)
    assert markdown().count("\n") == len(TABLE) + 2


@pytest.mark.parametrize("mode", HOLDING)
def test_authority_is_hold_in_every_other_mode(mode: Mode) -> None:
    """Only AUTONOMOUS and HUMAN move the robot; all others have no target and no stage."""
    world = World().to(mode)
    told = world.told
    assert (told.authority, told.stage, told.wanted) == (Authority.HOLD, Stage.NONE, None)
