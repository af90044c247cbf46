"""The latency ledger of a bag: the legs that the arbiter and the bridge measured while it ran.

From the stamps that messages carry (bag schema version 3), by the same ``Ledger``. What only the
bridge knows, the hand-over of a picture to the network, is in the bag's ``/diagnostics``.
"""

from __future__ import annotations

import math

from rove_core.bag.reader import Bag
from rove_core.latency.commands import CommandLedger
from rove_core.latency.ledger import Ledger
from rove_core.latency.legs import CAMERA_LEGS, OPERATOR_LEGS, Stamp

LEG_VERSION = 3
"""First bag schema version with these stamps."""
_TOPICS = ("joint_command", "operator/frame", "robot/times")
_COMMAND = {
    Stamp.CAPTURED: "captured_ns",
    Stamp.RECEIVED: "received_ns",
    Stamp.RETARGETED: "retargeted_ns",
    Stamp.DECIDED: "decided_ns",
    Stamp.COMMANDED: "commanded_ns",
}


def ledger_times(bag: Bag) -> dict[str, list[float]]:
    """Return name of a leg -> its times, ms, in order; those with times only.

    Raises:
        BagError: it cannot be read.
    """
    hands, eyes = Ledger(OPERATOR_LEGS, math.inf), Ledger(CAMERA_LEGS, math.inf)
    ways = CommandLedger(hands)
    seen = 0
    for topic, message, *_ in bag.messages([name for name in _TOPICS if name in bag.topics]):
        if topic == "robot/times":
            ways.applied(int(message.epoch), message.sequence, message.applied_ns, 0.0)
            for stamp, ns in zip(message.picture_ns, message.captured_ns, strict=False):
                eyes.note(int(stamp), {Stamp.PICTURED: int(ns)}, 0.0)
        elif not hasattr(message, "captured_ns"):
            continue  # of an older version
        elif topic == "operator/frame":
            if message.picture_ns > 0 and message.picture_ns != seen:
                seen = message.picture_ns
                eyes.note(int(seen), {Stamp.SHOWN: int(message.shown_ns)}, 0.0)
        elif message.operator_sequence:
            frame = (int(message.lease), int(message.operator_sequence))
            stamps = {stamp: int(getattr(message, field)) for stamp, field in _COMMAND.items()}
            ways.commanded(frame, (int(message.epoch), int(message.sequence)), stamps, 0.0)
    found = {leg.name: hands.times(leg.key) for leg in OPERATOR_LEGS}
    found |= {leg.name: eyes.times(leg.key) for leg in CAMERA_LEGS}
    return {name: times for name, times in found.items() if times}
