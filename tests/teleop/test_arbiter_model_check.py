"""Every reachable state of the machine, explored: not sampled, but until nothing new is found.

States are told apart by what decides (:func:`key`); of each kind one real state is kept and every
action that the world has is tried on it with the real ``step``.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from arbiter_world import DEMONSTRATION, DT, NS, ROLLOUT, STOP, World

from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.arbiter.inputs import (
    EmergencyStop,
    ForceLease,
    Inputs,
    Pause,
    Request,
    ResetEmergencyStop,
)
from rove_teleop.arbiter.machine import step
from rove_teleop.arbiter.transitions import ALLOWED, TABLE, Event

Action = Callable[[World], object]
MOST = 60_000
"""States; the exploration ends by itself long before."""


def clone(world: World) -> World:
    """Return a world that goes its own way from here; the arbiter's state is immutable."""
    other = copy.copy(world)
    other.operators = {name: copy.copy(o) for name, o in world.operators.items()}
    other.history = []
    return other


def _press(button: Button, name: str = "eve") -> Action:
    return lambda world: world.press(button, name)


def _ask(request: Request) -> Action:
    return lambda world: world.tick(request)


def _set(ticks: int, **switches: object) -> Action:
    def act(world: World) -> None:
        for name, value in switches.items():
            setattr(world, name, value)
        world.tick(n=ticks)

    return act


def _operator(name: str, ticks: int, **switches: object) -> Action:
    def act(world: World) -> None:
        for attribute, value in switches.items():
            setattr(world.operators[name], attribute, value)
        world.tick(n=ticks)

    return act


def _leap(seconds: float) -> Action:
    def act(world: World) -> None:
        world.ros_ns = max(1, world.ros_ns + int(seconds * NS))
        world.tick()

    return act


def _sleep(world: World) -> None:
    world.now += 1.0
    world.tick()


ACTIONS: dict[str, Action] = {
    **{f"press {b.name}": _press(b) for b in Button if b},
    "bob presses e-stop": _press(Button.ESTOP, "bob"),
    "bob presses takeover": _press(Button.TAKEOVER, "bob"),
    "squeeze": _operator("eve", 3, squeeze=1.0),
    "release": _operator("eve", 2, squeeze=0.0),
    "pause": _ask(Pause(True)),
    "resume": _ask(Pause(False)),
    "force the lease to bob": _ask(ForceLease("bob")),
    "force the lease to nobody": _ask(ForceLease("")),
    "e-stop": _ask(EmergencyStop("test")),
    "reset": _ask(ResetEmergencyStop("Ada")),
    "rollout": _ask(ROLLOUT),
    "demonstration": _ask(DEMONSTRATION),
    "stop": _ask(STOP),
    "wait": _set(60),
    "robot silent": _set(30, robot_alive=False),
    "robot back": _set(2, robot_alive=True),
    "policy silent": _set(200, policy_alive=False),
    "policy back": _set(30, policy_alive=True),
    "retargeting silent": _set(30, teleop_alive=False),
    "retargeting back": _set(3, teleop_alive=True),
    "targets invalid": _set(30, target_valid=False),
    "targets valid": _set(3, target_valid=True),
    "far apart": _set(2, position_error=0.5),
    "aligned": _set(2, position_error=0.0),
    "simulation slow": _set(1, takeover_refused="slow"),
    "simulation fast": _set(1, takeover_refused=""),
    "device asleep": _operator("eve", 30, sending=False),
    "device gone": _operator("eve", 450, sending=False),
    "device back": _operator("eve", 130, sending=True),
    "clock back": _leap(-3.0),
    "clock ahead": _leap(3.0),
    "suspended": _sleep,
}


def key(world: World) -> tuple[object, ...]:
    """Return what tells states apart that may decide differently."""
    state, told = world.state, world.told
    hand, chunk = state.hand, state.planned.chunk
    eve = world.operators["eve"]
    fresh = chunk is not None and chunk.observation_ns > state.planned.fresh_after_ns
    late = chunk is None or chunk.expired(world.ros_ns)
    kind = None if state.episode is None else state.episode.kind
    return (
        *(state.mode, state.cause, state.stage, state.lease.holder, kind, told.authority),
        *(hand.squeezed, hand.squeeze is not None, hand.refused != "", hand.followed is not None),
        *(fresh, late, state.body.anchored, world.now - state.body.seen < 0.05),
        *(eve.sending, eve.squeeze > 0.5, world.position_error > 0.1, world.takeover_refused),
        *(world.robot_alive, world.policy_alive, world.teleop_alive, world.target_valid),
    )


def broken(world: World) -> int:
    """Return how many things are broken at once."""
    works = (world.robot_alive, world.teleop_alive, world.target_valid)
    return works.count(False) + (not world.operators["eve"].sending)


def explore(
    at_once: int, most: int = MOST, seed: int = 0
) -> tuple[dict[tuple[object, ...], World], Counter[str]]:
    """Return the states that are reached with at most so many things broken, and the rows taken.

    Ends where nothing new is found, or with ``most`` states, those in the order of a seed.
    """
    random = np.random.default_rng(seed)
    start = World().leased()
    start.operator("bob")
    start.tick(n=130)
    found = {key(start): clone(start)}
    waiting, taken = list(found.values()), Counter[str]()
    while waiting and len(found) < most:
        here = waiting.pop(int(random.integers(len(waiting))))
        for act in ACTIONS.values():
            there = clone(here)
            act(there)
            for change in there.history:
                assert (change.source, change.event, change.target) in ALLOWED, change
                taken[f"{change.source.name} {change.event} {change.target.name}"] += 1
            mark = key(there)
            if mark not in found and broken(there) <= at_once:
                found[mark] = there
                waiting.append(there)
    return found, taken


def check(world: World) -> None:
    """Hold one state against the laws."""
    told, state = world.told, world.state
    # Authority rests with one, who is entitled to it.
    if told.authority is Authority.HUMAN:
        assert told.mode is Mode.HUMAN
        assert told.lease_holder
        assert state.hand.squeezed
        assert told.wanted is told.human_wanted
    elif told.authority is Authority.POLICY:
        assert told.mode is Mode.AUTONOMOUS
        assert told.wanted is told.policy_wanted
    else:
        assert told.wanted is None
        assert told.stage is Stage.NONE
    assert told.reason

    def after(*requests: Request, **parts: object) -> tuple[Mode, Authority]:
        now, ros_ns = world.now + DT, world.ros_ns + int(DT * NS)
        inputs = replace(Inputs(ros_ns=ros_ns, requests=requests), **parts)  # type: ignore[arg-type]
        decision = step(state, inputs, now)[1]
        return decision.mode, decision.authority

    # E-stop is one step away, by request and by any operator's button.
    assert after(EmergencyStop("now")) == (Mode.ESTOP, Authority.HOLD)
    frame = replace(world.frame(world.operators["bob"]), buttons=Button.ESTOP, sequence=10**6)
    assert after(frames=(frame,)) == (Mode.ESTOP, Authority.HOLD)
    # Hold is one step away: by a supervisor from every driver, by a watchdog from everywhere.
    by = ForceLease("") if told.authority is Authority.HUMAN else Pause(True)
    assert after(by)[1] is Authority.HOLD
    mode, authority = after(ros_ns=max(1, world.ros_ns - 5 * NS))
    assert mode in (Mode.HOLD, Mode.ESTOP)
    assert authority is Authority.HOLD


@pytest.mark.parametrize("seed", [1, 2])
def test_sampled_states_keep_the_laws(seed: int) -> None:
    """From every state reached, hold and e-stop are one step away and one drives at most."""
    found, _ = explore(1, most=150, seed=seed)
    for world in found.values():
        check(world)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_every_reachable_state_keeps_the_laws() -> None:
    """The same for all of them; and the exploration takes every row of the table but the one of
    the start, so it was nowhere too short."""
    found, taken = explore(1)
    assert len(found) < MOST
    for world in found.values():
        check(world)
    assert {world.mode for world in found.values()} == set(Mode)
    rows = {f"{row.source.name} {row.event} {row.target.name}" for row in TABLE}
    assert rows - set(taken) == {f"{Mode.HOLD.name} {Event.JOINTS_FRESH} {Mode.IDLE.name}"}


def test_two_squeeze_and_one_drives() -> None:
    """With two operators squeezing, only the holder's target is followed, whoever that is."""
    world = World().to(Mode.HUMAN)
    world.operator("bob").squeeze = 1.0
    world.tick(n=200)
    for holder in ("eve", "bob", "eve"):
        world.ask(ForceLease(holder))
        for _ in range(150):
            told = world.tick()
            if told.human_wanted is not None:
                target = world.state.hand.followed
                assert target is not None
                assert target.lease == told.lease
                assert told.lease_holder == holder
                np.testing.assert_array_equal(told.human_wanted, target.position)
