"""Bad messages beside the good ones: refused and counted, or kept within every limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rove_msgs import msg
from sensor_msgs.msg import JointState

from graph_harness import PATIENCE_S, RunningGraph
from rove import qos, topics
from rove_core.vocabulary import Authority, Mode
from tests.faults.driving import within_limits
from tests.faults.processes import Play, by_machine
from tests.faults.verdict import TICK_S, WENT_ON, Found

FOREIGN = 10**9
"""Chunks and frames of the campaign are numbered from here."""
PUBLISHED = 60
"""How often a bad message is published, 5 ms apart."""


@dataclass(frozen=True)
class Bad:
    """A bad message.

    Attributes:
        kind, topic, profile: of its publisher.
        make: makes it from good ones that were heard.
        counted: in the name of the counter of refused ones; "": it is not refused, but harmless.
    """

    kind: Any
    topic: str
    profile: Any
    make: Callable[[RunningGraph], Any]
    counted: str


def bother(bad: Bad, graph: RunningGraph) -> Found:
    """Publish bad messages: they are counted as refused, and the driver goes on, within limits."""
    probe = graph.probe
    publisher = probe.node.create_publisher(bad.kind, bad.topic, bad.profile)
    driver = Authority.HUMAN if probe.states[-1][1].mode == Mode.HUMAN else Authority.POLICY
    other = Authority.POLICY if driver is Authority.HUMAN else Authority.HUMAN
    source = "robot" if bad.kind is msg.JointCommand else "arbiter"

    def count() -> float:
        news = probe.health.get(source, [])
        values = news[-1][2] if news else {}
        return sum(float(v) for k, v in values.items() if bad.counted in k and "refused" in k)

    before, first, sent = count(), len(probe.commands), 0
    try:
        probe.wait("a listener", lambda: publisher.get_subscription_count() > 0)
        deadline = time.monotonic() + PATIENCE_S
        while sent < PUBLISHED or (bad.counted and count() <= before):
            held = probe.states[-1][1]
            if held.mode in (Mode.HOLD, Mode.CLUTCH, Mode.ESTOP) and bad.counted:
                by_machine(held)
                raise AssertionError(f"it stopped: {held.reason}")
            assert time.monotonic() < deadline, "never counted as refused"
            publisher.publish(bad.make(graph))
            sent += 1
            probe.hears(lambda: False, TICK_S)
    finally:
        probe.node.destroy_publisher(publisher)
    commands = probe.commands[first:]
    assert all(c.authority != other for c in commands), "somebody else drives"
    assert all(c.chunk_id < FOREIGN for c in commands) or not bad.counted, "it drives"
    within_limits(commands, bad.topic)
    return WENT_ON


def _chunk(graph: RunningGraph, **changed: Any) -> msg.ActionChunk:
    chunk = deepcopy(graph.probe.chunk)
    assert chunk is not None
    chunk.chunk_id = FOREIGN
    for name, value in changed.items():
        setattr(chunk, name, value)
    return chunk


def _nan_chunk(graph: RunningGraph) -> msg.ActionChunk:
    chunk = _chunk(graph)
    chunk.position[3] = math.nan
    return chunk


def _wild_chunk(graph: RunningGraph) -> msg.ActionChunk:
    chunk = _chunk(graph)
    chunk.position = [100.0 if i % 2 else -100.0 for i in range(len(chunk.position))]
    return chunk


def _future_chunk(graph: RunningGraph) -> msg.ActionChunk:
    chunk = _chunk(graph)
    chunk.header.stamp.sec += 5
    chunk.start.sec += 5
    return chunk


def _nan_joints(graph: RunningGraph) -> JointState:
    joints = deepcopy(graph.probe.joints)
    assert joints is not None
    joints.position[3] = math.nan
    return joints


def _stranger(graph: RunningGraph, squeeze: float, lease: int) -> msg.OperatorFrame:
    """A frame of somebody who is not there, sequence after sequence."""
    command = graph.probe.command
    assert command is not None
    frame = msg.OperatorFrame(operator_id="mallory", lease=lease, left_squeeze=squeeze,
                              sequence=time.monotonic_ns(), buttons=0)  # fmt: skip
    frame.header.stamp = command.header.stamp
    return frame


def _held_lease(graph: RunningGraph, less: int) -> msg.OperatorFrame:
    """A frame of somebody else, open-handed, with the lease that is held, or one before it."""
    frame = graph.probe.frame
    assert frame is not None
    return _stranger(graph, 0.0, frame.lease - less)


def _same_frame(graph: RunningGraph) -> msg.OperatorFrame:
    return deepcopy(graph.probe.frame)


def _target(graph: RunningGraph, value: float) -> msg.JointTarget:
    target = deepcopy(graph.probe.target)
    assert target is not None
    signs = np.where(np.arange(len(target.position)) % 2, 1.0, -1.0)
    target.position = (np.asarray(target.position) + signs * value).tolist()
    return target


def _old_epoch(graph: RunningGraph) -> msg.JointCommand:
    command = deepcopy(graph.probe.command)
    assert command is not None
    command.epoch -= 1
    return command


def _chunks(make: Callable[[RunningGraph], Any], counted: str) -> Bad:
    return Bad(msg.ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL, make, counted)


def _frames(make: Callable[[RunningGraph], Any], counted: str) -> Bad:
    return Bad(msg.OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM, make, counted)


def _targets(make: Callable[[RunningGraph], Any], counted: str) -> Bad:
    return Bad(msg.JointTarget, topics.TELEOP_TARGET, qos.STREAM, make, counted)


_COMMANDS = Bad(msg.JointCommand, topics.JOINT_COMMAND, qos.COMMAND, _old_epoch, "older epoch")
_JOINTS = Bad(JointState, topics.JOINT_STATES, qos.COMMAND, _nan_joints, "joint")

TO_THE_POLICY = {
    "chunks not finite": _chunks(_nan_chunk, "policy/chunk"),
    "chunks of future observations": _chunks(_future_chunk, "in the future"),
    "chunks out of range": _chunks(_wild_chunk, ""),
    "joint states not finite": _JOINTS,
    "frames not finite": _frames(lambda graph: _stranger(graph, math.nan, FOREIGN), "not finite"),
    "frames of a lease that nobody holds": _frames(
        lambda graph: _stranger(graph, 1.0, FOREIGN), "of another lease"),
    "commands of an older epoch": _COMMANDS,
}  # fmt: skip
TO_THE_HUMAN = {
    "frames of somebody else with the lease": _frames(
        lambda graph: _held_lease(graph, 0), "of another lease"),
    "frames of an older lease": _frames(lambda graph: _held_lease(graph, 1), "of another lease"),
    "frames twice": _frames(_same_frame, "duplicate"),
    "targets not finite": _targets(lambda graph: _target(graph, math.nan), "target"),
    "targets out of range": _targets(lambda graph: _target(graph, 50.0), ""),
    "chunks while a human drives": _chunks(_wild_chunk, ""),
}  # fmt: skip


def messages(bad: dict[str, Bad]) -> dict[str, Play]:
    """Return a fault for each kind of bad message."""
    return {name: partial(bother, kind) for name, kind in bad.items()}
