"""Loss: a run of messages that a recording lacks, and its message for the bag."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rove_core.bag.definitions import typestore
from rove_core.bag.record import header, message_type
from rove_core.bag.recording.streams import LOSS
from rove_core.bag.schema import TOPIC_TYPES
from rove_core.vocabulary import LossCause


@dataclass(frozen=True)
class Loss:
    """Consecutive messages of a topic that are missing.

    Attributes:
        stamp_ns: ROS time at which it was seen, ns.
        cause: where they were lost.
        topic: full name.
        first_missing: the publisher's count of the first, 0 when unknown.
        count: how many.
    """

    stamp_ns: int
    cause: LossCause
    topic: str
    first_missing: int
    count: int

    def cdr(self) -> bytes:
        """Return the serialised ``rove_msgs/RecordingLoss``."""
        type_name = TOPIC_TYPES[LOSS]
        message = message_type(type_name)(
            header=header(self.stamp_ns),
            cause=int(self.cause),
            topic=self.topic,
            first_missing=self.first_missing,
            count=self.count,
        )
        return bytes(typestore().serialize_cdr(message, type_name))


def by_cause(losses: Iterable[Loss]) -> dict[str, int]:
    """Return cause, in lower case -> how many messages; every cause is there."""
    counts = {cause.name.lower(): 0 for cause in LossCause}
    for loss in losses:
        counts[loss.cause.name.lower()] += loss.count
    return counts
