"""Lookout: whether a robot that halts keeps its room, on all of the way.

A halt is measured at its end. Where its way is too long for that to say that everything is kept on
all of it, by what joints that turn so far can lose at most, it is measured at its begin; where that
does not say it either, on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rove_core.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    from rove_teleop.arbiter.room import Room

STRAIGHT = 0.005
"""m of slack, at most, that a halt leaves where it is looked at: the way of a hand bends by less
between two looks when all joints of an arm brake from full speed."""

BEND = 0.5
"""Part of the bound on a halt's way that it leaves at most: a slow one hardly bends."""

FIRST, MIDDLE, LAST = (0.09, 0.18), 0.29, (0.42, 0.59)
"""Of a halt's time, when one to five sixths of its way lie behind; there it is looked at besides
its ends, for a hand that passes is nearest somewhere on the way. With quarters one hand in 300
passed its hip by 5 mm less than the margin."""

ROUND_OFF = 1e-10
"""m; it must not count as a loss."""

Way = Callable[[float], FloatArray]
"""From the part of its time, 0..1, to the (N,) rad of a halt."""


class Lookout:
    """Looks ahead of one command. Holds what it saw; one per filter.

    Args:
        room: what is to be kept.

    Attributes:
        slack: (C,) m, of the end of the halt that was found good last.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.slack: FloatArray = np.zeros(len(room.names))
        self._least = self.slack  # (C,) m, of all that was seen of that halt

    def anchor(self, position: FloatArray) -> None:
        """Begin at (N,) rad, at rest: what is not kept there may stay as it is."""
        self.slack = self._least = self._room.slack(position)

    def broken(self, begin: FloatArray, rest: FloatArray, way: Way) -> BoolArray | None:
        """Return which requirements (C,) a halt does not keep; None: all, and it is the way to go.

        Args:
            begin, rest: (N,) rad, where it begins and ends; joints do not turn back on it.
            way: of the halt.
        """
        room = self._room
        slack = least = room.slack(rest)
        stopping = room.reach(np.abs(rest - begin))
        need = np.minimum(BEND * stopping, STRAIGHT)
        stopping += need
        if np.count_nonzero(slack < stopping):
            start = room.slack(begin)
            if self._may_pass(begin, start, rest, slack, need):
                middle = way(MIDDLE)
                halfway = room.slack(middle)
                least = np.minimum(least, halfway)
                parts: tuple[float, ...] = ()
                if self._may_pass(begin, start, middle, halfway, need):
                    parts += FIRST
                if self._may_pass(middle, halfway, rest, slack, need):
                    parts += LAST
                for part in parts:
                    least = np.minimum(least, room.slack(way(part)))
            # Below what is asked it may only gain on the way that was found good before.
            bad: BoolArray = least < np.minimum(need, self._least) - ROUND_OFF
            if bad.any():
                return bad
        self.slack, self._least = slack, least
        return None

    def _may_pass(
        self,
        a: FloatArray,
        at_a: FloatArray,
        b: FloatArray,
        at_b: FloatArray,
        need: FloatArray,
    ) -> bool:
        """Tell whether less than ``need`` may be left between two places of a halt.

        What a slack loses up to a place between them and from there on adds up to what it may lose
        on all of the way, so it is at least half of what both ends have less that.
        """
        left = at_a + at_b
        left -= self._room.reach(np.abs(b - a))
        left -= 2.0 * need
        return bool(left.min(initial=0.0) < 0.0)
