"""The lease: which operator may press and squeeze. One at a time, granted before it is needed.

A lease is granted after proof of life (steady frames), has a number that only grows, and ends
with its holder's silence or by force. Everything here is a pure function of :class:`Lease`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rove_teleop.arbiter.timeouts import Timeouts

LEASES_PER_EPOCH = 1000
"""Lease numbers of one run of the arbiter begin at its epoch times this, so that a frame that was
sent under a lease of an earlier run never fits one of this run; a JavaScript page holds them, too
(epochs are ms, so numbers stay below 2^53)."""

MOST_STREAMS = 16
"""Operators that are watched at once; a flood of invented names must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The frames of one operator.

    Attributes:
        operator_id: whose frames.
        sequence: of its newest frame.
        started: monotonic s at which the present proof began.
        seen: monotonic s of its newest frame.
        frames: frames since ``started``.
        alive: the proof of life is complete and the stream has not stopped since.
        barred: a supervisor took the lease from it; it waits until its stream has ended.
    """

    operator_id: str
    sequence: int
    started: float
    seen: float
    frames: int = 1
    alive: bool = False
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds the lease.

    Attributes:
        number: of the lease in force, 0 when nobody holds one.
        holder: its operator, "" when nobody.
        issued: largest number ever given in this epoch.
        seen: monotonic s of the holder's newest frame under this lease, or of the grant.
        streams: operators whose frames arrive, in order of their proof.
    """

    number: int = 0
    holder: str = ""
    issued: int = 0
    seen: float = 0.0
    streams: tuple[Stream, ...] = ()


OVERTAKEN = 16
"""Frames of a stream that flows by which one may come late and just be refused. A device that
connects anew counts from 1: it is further behind, or its stream stands still for a moment."""


def observe(
    lease: Lease, operator_id: str, sequence: int, now: float, timeouts: Timeouts
) -> tuple[Lease, bool, bool]:
    """Count a frame towards its operator's proof of life.

    Returns:
        the lease, whether the frame is a duplicate or was overtaken by newer ones, whether it
        opens a new connection.
    """
    old = next((s for s in lease.streams if s.operator_id == operator_id), None)
    if old is None:
        streams = (*lease.streams, Stream(operator_id, sequence, now, now))[-MOST_STREAMS:]
        return replace(lease, streams=streams), False, False
    fresh = now - old.seen <= timeouts.operator_frame
    if sequence == old.sequence or (fresh and 0 < old.sequence - sequence <= OVERTAKEN):
        return lease, True, False
    reconnected = sequence < old.sequence
    if reconnected or not fresh:
        new = Stream(operator_id, sequence, now, now, barred=old.barred)
    else:
        new = _longer(old, sequence, now, timeouts)
    streams = tuple(new if s is old else s for s in lease.streams)
    return replace(lease, streams=streams), False, reconnected


def _longer(old: Stream, sequence: int, now: float, timeouts: Timeouts) -> Stream:
    """Return the stream after one more frame in time."""
    frames, span = old.frames + 1, now - old.started
    alive, started = old.alive, old.started
    if not alive and span >= timeouts.proof_of_life:
        alive = frames - 1 >= timeouts.proof_rate * span
        if not alive:  # too slow: the next window starts here
            started, frames = now, 1
    return Stream(old.operator_id, sequence, started, now, frames, alive, old.barred)


def settle(lease: Lease, now: float, timeouts: Timeouts) -> Lease:
    """End what fell silent and grant a free lease to the first operator alive."""
    if any(now - s.seen > timeouts.operator_frame for s in lease.streams):
        streams = tuple(
            replace(s, alive=False) if now - s.seen > timeouts.operator_frame else s
            for s in lease.streams
            if now - s.seen <= timeouts.lease_grace
        )
        if streams != lease.streams:
            lease = replace(lease, streams=streams)
    if lease.number and now - lease.seen > timeouts.lease_grace:
        lease = replace(lease, number=0, holder="")
    if not lease.number:
        ready = [s for s in lease.streams if s.alive and not s.barred]
        if ready:
            return _give(lease, min(ready, key=lambda s: s.started).operator_id, now)
    return lease


def force(lease: Lease, operator_id: str, now: float) -> tuple[Lease, str]:
    """Give the lease to ``operator_id``, or to nobody with ``""``.

    Returns:
        the lease, and why it was refused ("" when it was not).
    """
    if operator_id and not any(s.operator_id == operator_id and s.alive for s in lease.streams):
        alive = ", ".join(repr(s.operator_id) for s in lease.streams if s.alive) or "nobody"
        return lease, f"operator {operator_id!r} sends no steady frames; those who do: {alive}"
    if operator_id and operator_id == lease.holder:
        return lease, ""
    # The one who loses it must not get it back in the next tick.
    streams = tuple(
        replace(s, barred=True if s.operator_id == lease.holder else s.barred)
        for s in lease.streams
    )
    lease = replace(lease, number=0, holder="", streams=streams)
    return (_give(lease, operator_id, now) if operator_id else lease), ""


def _give(lease: Lease, operator_id: str, now: float) -> Lease:
    issued = lease.issued + 1
    streams = tuple(
        replace(s, barred=False) if s.operator_id == operator_id else s for s in lease.streams
    )
    return Lease(issued, operator_id, issued, now, streams)
