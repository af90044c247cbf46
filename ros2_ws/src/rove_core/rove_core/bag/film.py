"""Film: the pictures of a camera nearest to given moments of a bag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rove_core.bag.episode import stamp_ns
from rove_core.bag.reader import Bag

TOO_FAR_NS = 200_000_000
"""A picture this far from its moment shows something else; wider cells allow half their width."""


def nearest_pictures(
    bag: Bag, topic: str, moments_ns: Sequence[int], within_ns: int = TOO_FAR_NS
) -> list[bytes | None]:
    """Return the picture nearest to each moment, as recorded; None where none is near.

    Only the pictures that are kept stay in memory.

    Args:
        bag: opened.
        topic: of a camera.
        moments_ns: ROS times, ns.
        within_ns: a picture is near when it is less than this away, ns.

    Raises:
        BagError: the bag has no such topic, or is broken.
    """
    wanted = np.array(moments_ns, dtype=np.int64)
    best: list[bytes | None] = [None] * len(wanted)
    away = np.full(len(wanted), within_ns, dtype=np.int64)
    for message in bag.raw_messages([topic]):
        distance = np.abs(wanted - stamp_ns(message.cdr))
        for k in np.flatnonzero(distance < away):
            best[k], away[k] = message.cdr, distance[k]
    return [None if cdr is None else bag.decode(topic, cdr).data.tobytes() for cdr in best]
