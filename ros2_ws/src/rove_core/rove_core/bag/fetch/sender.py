"""Sender: the robot's side of a fetch as decisions, without sockets."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rove_core.bag.fetch.catalogue import Catalogue, Reading
from rove_core.bag.fetch.errors import ChangedError
from rove_core.bag.fetch.wire import (
    PAGE,
    WIRE_VERSION,
    Ask,
    Contents,
    FromLearner,
    FromRobot,
    List,
    Listing,
    Mark,
    Marked,
    Piece,
    Preparing,
    Read,
    Refused,
)
from rove_core.bag.keeping.digests import PIECE_BYTES, FileStamp, open_file
from rove_core.bag.keeping.pace import Pace
from rove_core.errors import BagError

MOST_WAITING = 32
"""Pieces that one learner may ask for ahead: 8 MB."""
PIN_S = 30.0
"""A bag counts as being sent for so long after its last piece, or until its learner has it."""


@dataclass
class _Peer:
    key: str
    waiting: deque[Read] = field(default_factory=deque)
    file: tuple[str, str, str] = ("", "", "")
    descriptor: int = -1
    used_at: float = 0.0

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.file, self.descriptor = ("", "", ""), -1


class Sender:
    """Answers learners; pieces go in turns, one for each learner, and no faster than the pace.

    Args:
        catalogue: of the bags.
        robot: name of the robot's profile.
        learners: name by public key (z85 text) of those who may connect.
        pace: of all pieces together.
        at: returns the wall time for marks, ISO 8601.
        clock: monotonic, s.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        robot: str,
        learners: Mapping[str, str],
        pace: Pace,
        at: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._catalogue, self._robot, self._learners = catalogue, robot, dict(learners)
        self._pace, self._at, self._clock = pace, at, clock
        self._peers: dict[bytes, _Peer] = {}  # who is served next is first
        self._sent_at: dict[tuple[str, str], float] = {}  # (learner's key, bag)
        self.sent_bytes = 0
        self.marked = 0

    def take(self, peer: bytes, key: str, message: FromLearner) -> FromRobot | None:
        """Take a message and return its answer; None: the answer is among the next pieces.

        Args:
            peer: the connection.
            key: public key (z85 text) of the learner, as the connection proved it.
            message: what it said; nothing in it raises.
        """
        call = message.call
        try:
            if isinstance(message, List):
                return self._list(key, message)
            if isinstance(message, Ask):
                found = self._catalogue.contents(message.bag)
                if isinstance(found, Reading):
                    return Preparing(call, found.done, found.size)
                return Contents(call, found)
            if isinstance(message, Mark):
                return self._mark(key, message)
            state = self._peers.setdefault(peer, _Peer(key))
            state.used_at = self._clock()
            if len(state.waiting) >= MOST_WAITING:
                return Refused(call, f"{MOST_WAITING} pieces at once allowed")
            state.waiting.append(message)
            return None
        except (BagError, OSError) as error:
            return _refused(call, error)

    def wait_s(self) -> float | None:
        """Return when the next piece may go, s from now; None: nobody waits for one."""
        return self._pace.wait_s() if any(p.waiting for p in self._peers.values()) else None

    def due(self) -> Iterator[tuple[bytes, FromRobot]]:
        """Yield (peer, piece) while pieces may go now, each to the learner who waited longest."""
        while self._pace.wait_s() <= 0:
            peer = next((name for name, p in self._peers.items() if p.waiting), None)
            if peer is None:
                return
            state = self._peers[peer] = self._peers.pop(peer)  # to the end of the line
            yield peer, self._piece(state, state.waiting.popleft())

    def left(self, peer: bytes) -> None:
        """Forget a learner that is gone."""
        state = self._peers.pop(peer, None)
        if state is not None:
            state.close()

    def pinned(self) -> frozenset[str]:
        """Return the bags that are being sent; close the files that nobody reads any more, because
        an open one keeps its room on the disk after it was deleted."""
        since = self._clock() - PIN_S
        for name in [n for n, p in self._peers.items() if not p.waiting and p.used_at < since]:
            self.left(name)
        self._sent_at = {sent: at for sent, at in self._sent_at.items() if at > since}
        return frozenset(bag for _, bag in self._sent_at)

    def close(self) -> None:
        """Close the files."""
        for peer in list(self._peers):
            self.left(peer)

    def _list(self, key: str, message: List) -> FromRobot:
        if message.wire_version != WIRE_VERSION:
            version = message.wire_version
            return Refused(message.call, f"wire version {version} given, {WIRE_VERSION} allowed")
        bags, more = self._catalogue.listed(key, message.after, PAGE)
        return Listing(message.call, self._robot, bags, more)

    def _mark(self, key: str, message: Mark) -> FromRobot:
        name = self._learners.get(key, "")
        self._catalogue.mark(message.bag, name, key, self._at(), dict(message.files))
        self._sent_at.pop((key, message.bag), None)
        self.marked += 1
        return Marked(message.call)

    def _piece(self, peer: _Peer, read: Read) -> FromRobot:
        try:
            return self._read(peer, read)
        except (BagError, OSError) as error:
            peer.close()
            return _refused(read.call, error)

    def _read(self, peer: _Peer, read: Read) -> FromRobot:
        path, digest = self._catalogue.find(read.bag, read.file, read.sha256)
        if not 0 <= read.index < digest.count:
            return Refused(read.call, f"piece {read.index} given, 0..{digest.count - 1} allowed")
        key = (read.bag, read.file, read.sha256)
        if peer.file != key:
            peer.close()
            peer.file, peer.descriptor = key, open_file(path)
        data = os.pread(peer.descriptor, digest.piece_bytes(read.index), read.index * PIECE_BYTES)
        # After the read: a file that changes between a look and the read would pass for rotten.
        if FileStamp.of(os.fstat(peer.descriptor)) != digest.stamp:
            raise ChangedError(f"bag {read.bag!r}: {read.file!r} changed")
        self._sent_at[peer.key, read.bag] = self._clock()
        self._pace.spend(len(data))
        self.sent_bytes += len(data)
        return Piece(read.call, read.index, data)


def _refused(call: int, error: Exception) -> Refused:
    return Refused(call, str(error), again=isinstance(error, ChangedError))
