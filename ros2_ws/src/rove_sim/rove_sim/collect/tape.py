"""Tape: the recorder's session fed in lock step; it writes what the recorder node writes."""

from __future__ import annotations

from pathlib import Path

from rove_core.action import NS
from rove_core.bag.metadata import qos_text
from rove_core.bag.recording.inbox import Arrival
from rove_core.bag.recording.session import Closed, Identity, RecordingSession, StopEpisode
from rove_core.bag.recording.streams import recorded_streams
from rove_core.errors import BagError

PUMP_NS = round(0.1 * NS)
_STREAM = qos_text(5, "best_effort")
_STATE = qos_text(1, durability="transient_local")
_EVENT = qos_text(10, durability="transient_local")
_PROPOSAL = qos_text(2)
QOS = {
    "episode": _EVENT, "arbiter/state": _STATE, "policy/status": _STATE,
    "operator/device": _STATE, "arbiter/handover": _STATE, "/diagnostics": _EVENT,
    "joint_states": _STREAM, "operator/frame": _STREAM, "teleop/target": _STREAM,
    "policy/chunk": _PROPOSAL, "policy/value": _PROPOSAL, "robot/times": _PROPOSAL,
    "joint_command": qos_text(1, "best_effort"), "camera": _STREAM,
}  # fmt: skip
"""Topic -> QoS of its publisher in the graph (a test holds it against ``rove.qos``)."""


class Tape:
    """Records messages of the lock step; every clock is robot time.

    Args:
        folder: of the bags.
        identity: what the bag says of itself.

    Attributes:
        closed: the finished bag, None before.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.closed: Path | None = None
        self._now_s = 0.0
        streams = recorded_streams(identity.spec.cameras.values(), identity.namespace, QOS)
        self._index = {stream.name: i for i, stream in enumerate(streams)}
        self._counts = [0] * len(streams)
        self._due_ns = 0
        # Nothing is synced before the bag is whole: a worker that dies repeats its episode.
        self._session = RecordingSession(
            folder, streams, identity, clock=lambda: self._now_s, sync_seconds=float("inf")
        )

    def put(self, topic: str, cdr: bytes, now_ns: int) -> None:
        """Take a serialised message that was sent at a robot time, ns."""
        stream = self._index[topic]
        self._counts[stream] += 1
        self._now_s = now_ns / NS
        self._session.arrived(Arrival(stream, cdr, self._counts[stream], now_ns, now_ns))

    def tend(self, now_ns: int) -> None:
        """Do what is due; call every tick.

        Raises:
            BagError: the episode cannot be recorded.
        """
        if now_ns < self._due_ns:
            return
        self._due_ns, self._now_s = now_ns + PUMP_NS, now_ns / NS
        self._session.tick(now_ns)
        while self._session.outbox:
            item = self._session.outbox.popleft()
            if isinstance(item, Closed):
                self.closed = item.path
            elif isinstance(item, StopEpisode):
                raise BagError(f"the episode cannot be recorded: {item.reason}")

    def close(self) -> None:
        """End the bag that is open."""
        self._session.close()
