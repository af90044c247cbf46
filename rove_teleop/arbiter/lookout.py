"""Lookout: whether a robot that halts keeps its room, on all of the way.

A halt is measured at its end. Where its way is too long for that to say that everything is kept on
all of it, by what joints that turn so far can lose at most, it is measured at its begin; where that
does not say it either, on the way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rove_core.arrays import FloatArray
from rove_teleop.arbiter.room import BoolArray, Room

STRAIGHT = 0.005
"""m of slack, at most, that a halt leaves where it is looked at: the way of a hand bends by less
between two looks when all joints of an arm brake from full speed."""

BEND = 0.5
"""Part of the bound on a halt's way that it leaves at most: a slow one hardly bends."""

PARTS = (0.13, 0.29, 0.5)
"""Of a halt's time, when a quarter, a half and three quarters of its way lie behind; there it is
looked at besides its end, for a hand that passes is nearest somewhere on the way."""

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

    def anchor(self, position: FloatArray) -> None:
        """Begin at (N,) rad, at rest: what is not kept there may stay as it is."""
        self.slack = self._room.slack(position)

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
            # What is lost up to a place on the way and from there on adds up to all of it at most.
            ends = room.slack(begin)
            ends += slack
            stopping += need
            if np.count_nonzero(ends < stopping):
                for part in PARTS:
                    least = np.minimum(least, room.slack(way(part)))
            # Below what is asked it may only gain.
            bad: BoolArray = least < np.minimum(need, self.slack) - ROUND_OFF
            if bad.any():
                return bad
        self.slack = slack
        return None
