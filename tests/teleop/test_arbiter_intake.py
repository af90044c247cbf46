"""Anchors and refusals: the command follows a robot that was moved; bad messages are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from arbiter_world import NS, World

from rove_core.vocabulary import (
    Button,
    Mode,
)
from rove_teleop.arbiter.inputs import (
    ForceLease,
    JointSample,
)
from rove_teleop.arbiter.transitions import Event


def last(world: World) -> tuple[Mode, Event, Mode]:
    taken = world.history[-1]
    return taken.source, taken.event, taken.target


def test_a_reset_scene_restarts_the_command_at_once() -> None:
    """Measured joints that leap while nobody drives: the command follows, not the robot."""
    world = World().idle()
    world.joints = world.joints + 0.2
    told = world.tick()
    assert told.anchor is not None
    assert told.anchor.tolist() == world.joints.tolist()
    assert world.tick(n=100).anchor is None


def test_a_drift_restarts_the_command_after_a_while() -> None:
    """0.15 rad apart for 0.25 s; a robot that only lags for a moment is left alone."""
    world = World().idle()
    for _ in range(4):
        world.joints = world.joints + 0.04
        assert world.tick().anchor is None
    anchors = [world.tick().anchor is not None for _ in range(60)]
    assert sum(anchors) == 1
    assert 48 <= anchors.index(True) <= 50


def test_nothing_is_restarted_while_somebody_drives() -> None:
    """A tracking error under the policy's or a person's hand is no discontinuity."""
    for mode in (Mode.AUTONOMOUS, Mode.HUMAN):
        world = World().to(mode)
        world.joints = world.joints + 0.5
        assert all(world.tick().anchor is None for _ in range(100))


def test_what_is_malformed_is_counted_and_not_used() -> None:
    """Wrong shapes and values that are not finite are refused by reason; the robot goes on."""

    world = World().to(Mode.HUMAN)
    eve = world.operators["eve"]
    good, frame = world.target(eve), world.frame(eve)
    later = replace(frame, sequence=frame.sequence + 1)
    told = world.send(
        joints=JointSample(np.array([0.0, np.nan, 0.0]), world.ros_ns),
        targets=(
            replace(good, position=np.zeros(2)),
            replace(good, position=np.full(3, np.inf)),
        ),
        frames=(replace(later, left_squeeze=float("nan")), replace(later, operator_id="")),
        chunks=(replace(world.chunk(), position=np.zeros((4, 2))),),
        refused=("chunk: not finite",),
    )
    assert told.mode is Mode.HUMAN
    assert dict(told.rejected) == {
        "chunk: not finite": 1,
        "joint states: not finite": 1,
        "chunk: wrong number of joints": 1,
        "target: wrong shape": 1,
        "target: not finite": 1,
        "frame: not finite": 1,
        "frame: no operator id": 1,
    }


def test_stale_and_future_messages_are_refused() -> None:
    """A burst of old frames after a silence, and a chunk from the future, are not acted upon."""

    world = World().to(Mode.AUTONOMOUS)
    eve = world.operators["eve"]
    old = replace(
        world.frame(eve),
        buttons=Button.TAKEOVER,
        sequence=eve.sequence + 1,
        stamp_ns=world.ros_ns - NS,
    )
    future, past = world.chunk(world.ros_ns + NS), world.chunk(world.ros_ns - NS)
    told = world.send(frames=(old,), chunks=(future, past))
    assert told.mode is Mode.AUTONOMOUS
    assert told.rejected["frame: stale stamp"] == 1
    assert told.rejected["chunk: observation in the future"] == 1
    assert told.rejected["chunk: older than the one in hand"] == 1


def test_forced_lease_ends_the_drive() -> None:
    """A supervisor takes the lease from a driving person: HOLD, with the reason."""
    world = World().to(Mode.HUMAN)
    answer = world.ask(ForceLease("", "Ada"))
    assert answer.success
    assert last(world) == (Mode.HUMAN, Event.FAULT, Mode.HOLD)
    assert "Ada gave the lease to nobody" in world.told.reason
