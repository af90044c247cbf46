"""Visit: one connection of a page, from the first message to the last. No sockets, no threads.

Until it is paired a visit gets nothing and nothing is taken from it. The paired one has the only
seat; a page that returns with its token takes the seat over from its own former connection.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from rove_core.errors import WireError
from rove_teleop.webxr.messages import (
    WISHES,
    Pair,
    Ping,
    Pong,
    Refused,
    Seen,
    ToPage,
    Welcome,
    Wish,
    decode,
)
from rove_teleop.webxr.pairing import PairingDesk
from rove_teleop.wire.check import FrameChecker
from rove_teleop.wire.messages import Frame
from rove_teleop.wire.server import Client

FASTEST_HZ = 200  # messages of one page; headsets send 72-120 frames
BURST = 100  # messages at once, after the browser or the network stood still
PICTURES_ON_THE_WAY = 2  # one is drawn while the next travels
TELL_NS = 1_000_000_000  # a page hears of refused frames at most so often
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


@dataclass
class Taken:
    """What one message led to.

    Attributes:
        answers: to send back.
        frame, wish: for the robot, of the paired operator.
        close: end the connection after the answers.
        seated: the visit has just been paired; whoever had the seat has to leave.
    """

    answers: list[ToPage] = field(default_factory=list)
    frame: Frame | None = None
    wish: str = ""
    close: bool = False
    seated: bool = False


class Hall:
    """What all visits share: the desk, the seat and the counters.

    Args:
        robot: name of the robot.
        desk: gives out codes.
        clock_ns: monotonic clock, ns.

    Attributes:
        counts: what was refused, by reason, since the start.
        seat: the visit of the paired operator, None while nobody is connected.
        names_taken: operators who are connected by other ways; the arbiter tells operators apart
            by their name, so nobody may come in under one of these.
    """

    def __init__(
        self, robot: str, desk: PairingDesk, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.robot, self.desk, self.clock_ns = robot, desk, clock_ns
        self.counts: Counter[str] = Counter()
        self.seat: Visit | None = None
        self.names_taken: Collection[str] = ()

    @property
    def holder(self) -> str:
        """Return who has the seat, "" when nobody."""
        client = self.seat.client if self.seat is not None else None
        return client.operator_id if client is not None else ""


class Visit:
    """One connection. ``take`` its messages in order, ``leave`` at its end.

    Attributes:
        client: who it is, None until paired.
        offset_ms, round_trip_ms: the page's estimate of the clocks, None before the first.
        on_the_way: pictures sent and not yet drawn.
    """

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._checker = FrameChecker()
        self._room, self._room_ns = float(BURST), hall.clock_ns()
        self._told_ns = -TELL_NS
        self._sent = 0
        self._seen = 0
        self.client: Client | None = None
        self.offset_ms: float | None = None
        self.round_trip_ms: float | None = None
        self.echo = (0, 0)  # sequence and device stamp of the newest good frame

    def take(self, text: str) -> Taken:
        """Take a message; it raises nothing, whatever was sent."""
        now = self._hall.clock_ns()
        if not self._has_room(now):
            return self._refuse("too fast", f"at most {FASTEST_HZ} messages a second")
        try:
            message = decode(text)
        except WireError as error:
            return self._refuse("malformed", str(error))
        if isinstance(message, Pair):
            return self._pair(message)
        if self.client is None or self._hall.seat is not self:
            self._hall.counts["not paired"] += 1
            return Taken([Refused("pair first: type the code", True)], close=True)
        if isinstance(message, Frame):
            return self._frame(message, now)
        if isinstance(message, Ping):
            if message.round_trip_ms > 0.0:
                self.offset_ms, self.round_trip_ms = message.offset_ms, message.round_trip_ms
            return Taken([Pong(message.t0, now / 1e6)])
        if isinstance(message, Seen):
            # Never more than were sent: a page cannot ask for a queue.
            self._seen = min(max(self._seen, message.count), self._sent)
            return Taken()
        return self._wish(message)

    @property
    def wants_picture(self) -> bool:
        """Tell whether the newest picture may go out now."""
        return self._hall.seat is self and self._sent - self._seen < PICTURES_ON_THE_WAY

    def picture_sent(self) -> None:
        """Count a picture that went out."""
        self._sent += 1

    def leave(self) -> None:
        """The connection is over."""
        if self._hall.seat is self:
            self._hall.seat = None

    def _has_room(self, now: int) -> bool:
        passed = (now - self._room_ns) / 1e9
        self._room = min(float(BURST), self._room + passed * FASTEST_HZ)
        self._room_ns = now
        if self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def _pair(self, message: Pair) -> Taken:
        hall = self._hall
        name = message.operator_id
        if not _NAME.fullmatch(name) or len(message.device) > 256:
            return self._refuse("name", "a name of 1-32 letters, digits, '_', '-' or '.' allowed")
        if name in hall.names_taken:
            return self._refuse("name", f"{name} is connected by another device")
        if message.token:
            paired, why = hall.desk.resume(message.token)
            if paired is not None and paired.operator_id != name:
                why = f"the token is that of {paired.operator_id}"
                paired = None
        elif hall.seat is not None and hall.seat is not self:
            # The code stays good: it was not even looked at.
            return self._refuse("seat taken", f"{hall.holder} drives; one operator at a time")
        else:
            paired, why = hall.desk.pair(message.code, name, message.device)
        if paired is None:
            hall.counts["pairing"] += 1
            return Taken([Refused(why, True)], close=True)
        self.client = Client(name, message.device, b"", calibration=name)
        hall.seat = self
        return Taken([Welcome(hall.robot, name, paired.token)], seated=True)

    def _frame(self, message: Frame, now: int) -> Taken:
        frame, reasons = self._checker.check(message, now)
        if frame is not None:
            self.echo = (frame.sequence, frame.device_stamp_ns)
            return Taken(frame=frame)
        self._hall.counts.update(reasons)
        if now - self._told_ns < TELL_NS:
            return Taken()
        self._told_ns = now
        return Taken([Refused("frame: " + ", ".join(reasons))])

    def _wish(self, message: Wish) -> Taken:
        if message.name not in WISHES:
            return self._refuse("wish", f"{message.name[:32]!r} given, {', '.join(WISHES)} allowed")
        return Taken(wish=message.name)

    def _refuse(self, reason: str, text: str) -> Taken:
        self._hall.counts[reason] += 1
        unpaired = self.client is None
        return Taken([Refused(f"{reason}: {text}", unpaired)], close=unpaired)
