"""Every QoS profile of the graph, by what it is for."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

_LAST = HistoryPolicy.KEEP_LAST

COMMAND = QoSProfile(
    history=_LAST,
    depth=1,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)
"""The newest one counts and an old one is harmful: no retransmission, no queue."""

STREAM = QoSProfile(
    history=_LAST,
    depth=5,
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
)
"""Sensors and operator frames: late is as bad as lost."""

PROPOSAL = QoSProfile(
    history=_LAST,
    depth=2,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)
"""Chunks and values: few, and each is judged by its stamp when it arrives."""

STATE = QoSProfile(
    history=_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""What holds until the next message; a newcomer gets the present one."""

EVENT = QoSProfile(
    history=_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""What must not be missed."""

RECORD_DEPTH = 2000
"""Queue of a recording subscription: 10 s of the fastest topic."""


def recording(profile: QoSProfile) -> QoSProfile:
    """Return the profile a recorder subscribes with: compatible with ``profile``, deeper queue."""
    return QoSProfile(
        history=_LAST,
        depth=RECORD_DEPTH,
        reliability=profile.reliability,
        durability=profile.durability,
    )
