"""The robot's end of a fetch: a ROUTER socket that only authorised learners reach."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping

import zmq

from rove_core.bag.fetch.catalogue import Catalogue
from rove_core.bag.fetch.sender import MOST_WAITING, Sender
from rove_core.bag.fetch.wire import (
    LARGEST_TO_ROBOT,
    FromRobot,
    Refused,
    decode_from_learner,
    encode,
)
from rove_core.bag.keeping.pace import Pace
from rove_core.curve import CurveRouter
from rove_core.errors import WireError
from rove_core.keys import KeyPair

DOMAIN = "rove-fetch"
BATCH = 64  # messages taken before pieces go
QUEUE = 2 * MOST_WAITING  # more than a learner can have waiting: none of its pieces is dropped


class FetchServer:
    """Serves finished bags. Use it from one thread, apart from ``pinned``.

    Args:
        key: the robot's CURVE pair.
        learners: name by public CURVE key (z85) of who may connect; nobody else can.
        catalogue: of the bags.
        robot: name of the robot's profile.
        at: returns the wall time for marks, ISO 8601.
        bind: endpoint; port ``*`` takes a free one. The loopback by default: another address is a
            decision of the person who starts the robot.
        bytes_per_s: of all learners together.
        clock: monotonic, s.

    Attributes:
        endpoint: where learners connect.
        counts: messages by kind of trouble since the start.
        pinned: names of the bags that are being sent.

    Raises:
        ConfigError: the endpoint cannot be bound, or a rate that is not above 0.
    """

    def __init__(
        self,
        key: KeyPair,
        learners: Mapping[bytes, str],
        catalogue: Catalogue,
        *,
        robot: str,
        at: Callable[[], str],
        bind: str = "tcp://127.0.0.1:*",
        bytes_per_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.pinned: frozenset[str] = frozenset()
        names = {public.decode(): name for public, name in learners.items()}
        self.sender = Sender(catalogue, robot, names, Pace(bytes_per_s, clock), at, clock)
        self._router = CurveRouter(DOMAIN, key, learners)
        socket = self._socket = self._router.socket
        socket.sndhwm, socket.rcvhwm = QUEUE, QUEUE
        socket.maxmsgsize = LARGEST_TO_ROBOT
        socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 5000
        self._router.bind(bind, "fetching of bags")
        self.endpoint = self._router.endpoint

    def poll(self, wait_s: float) -> None:
        """Answer what came and send what may go; return after the wait, s, or when something was
        done. Nothing that a peer sends raises."""
        due_s = self.sender.wait_s()
        self._socket.poll(math.ceil(1e3 * (wait_s if due_s is None else min(wait_s, due_s))))
        for _ in range(BATCH):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            peer = frames[0].bytes
            answer = self._answer(peer, frames[1:])
            if answer is not None:
                self._send(peer, answer)
        for peer, piece in self.sender.due():
            self._send(peer, piece)
            if self._socket.poll(0):  # a newcomer's question is not behind a second of pieces
                break
        self.pinned = self.sender.pinned()

    def close(self) -> None:
        """Free the port."""
        self.sender.close()
        self._router.close()

    def __enter__(self) -> FetchServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, peer: bytes, frames: list[zmq.Frame]) -> FromRobot | None:
        try:
            if len(frames) != 1:
                raise WireError(f"{len(frames)} parts given, 1 allowed")
            message = decode_from_learner(frames[0].bytes)
        except WireError as error:
            self.counts["malformed"] += 1
            return Refused(0, str(error))
        # libzmq fills it from the handshake: the key that the peer proved to have.
        answer = self.sender.take(peer, str(frames[0].get("User-Id")), message)
        if isinstance(answer, Refused):
            self.counts["refused"] += 1
        return answer

    def _send(self, peer: bytes, answer: FromRobot) -> None:
        try:
            self._socket.send_multipart([peer, encode(answer)], zmq.NOBLOCK)
        except zmq.Again:
            self.counts["dropped"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counts["left"] += 1
            self.sender.left(peer)
