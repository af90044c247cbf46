"""When a person's tips mean to meet: hysteresis in space, smoothness in time."""

from __future__ import annotations

from collections.abc import Sequence

RELEASE = 1.5  # times the distance at which a pinch begins: trembling fingers do not let go
RISE_S = 0.12  # s in which a pinch takes over the fingers, or gives them back


class Pinches:
    """How much each pair of fingers is pinching, 0..1.

    A pair that is nearer than it has to be to begin pinches until it is farther than ``RELEASE``
    times that; its share goes there in ``RISE_S``, however suddenly a tracker reports the change.

    Args:
        begin: m for each pair.

    Attributes:
        share: the present share of each pair.
        active: some share is not 0.
    """

    def __init__(self, begin: Sequence[float]) -> None:
        self._begin = [distance**2 for distance in begin]
        self._closed = [False] * len(self._begin)
        self.share = [0.0] * len(self._begin)
        self.active = False

    def update(self, squares: Sequence[float], dt: float) -> None:
        """Take in the pairs' squared distances, m2, ``dt`` s after the ones before."""
        most, active = dt / RISE_S, False
        for i, square in enumerate(squares):
            begin = self._begin[i]
            closed = square < (begin * RELEASE**2 if self._closed[i] else begin)
            self._closed[i] = closed
            share = self.share[i]
            share = min(share + most, 1.0) if closed else max(share - most, 0.0)
            self.share[i] = share
            active = active or share > 0.0
        self.active = active
