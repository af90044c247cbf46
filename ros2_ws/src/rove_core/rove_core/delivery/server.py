"""The robot's end of the delivery: a ROUTER socket that only authorised learners reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

import zmq

from rove_core.curve import CurveRouter
from rove_core.delivery.receiver import Accept, Outcome, Receiver
from rove_core.delivery.store import PolicyStore
from rove_core.delivery.wire import (
    MAX_MESSAGE_BYTES,
    MAX_POLICY_BYTES,
    FromRobot,
    Refused,
    decode_from_learner,
    encode,
)
from rove_core.errors import WireError
from rove_core.keys import KeyPair

DOMAIN = "rove-delivery"
BATCH = 8  # messages per poll: at most 2 MB to write, so that an upload cannot hold the caller
QUEUE = 16  # messages waiting each way for each learner
LARGEST_BYTES = 4 * MAX_MESSAGE_BYTES  # libzmq cuts the connection of who sends more


class DeliveryServer:
    """Receives signed policies. Use it from one thread only; a node's timer calls ``poll``.

    Args:
        key: the robot's CURVE pair.
        authorized: public CURVE keys (z85) of the learners; nobody else can even connect.
        store: where accepted policies live.
        accept: called from ``poll`` with a verified policy, see ``receiver.Accept``.
        robot, robot_digest: profile of this robot.
        trusted: returns key id -> public signing key, for example ``SigningStore().trusted``.
        bind: endpoint; port ``*`` takes a free one, see ``endpoint``. The loopback by default:
            another address is a decision of the person who starts the robot.
        running: returns the digest of the policy that runs; None: what the store points to, which
            is the same only where ``accept`` swaps at once.
        max_bytes: largest policy.
        keep: policies that stay in the store.

    Attributes:
        endpoint: where learners connect.
        counts: messages by kind of trouble since the start.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """

    def __init__(
        self,
        key: KeyPair,
        authorized: Collection[bytes],
        store: PolicyStore,
        accept: Accept,
        *,
        robot: str,
        robot_digest: str,
        trusted: Callable[[], Mapping[str, bytes]],
        bind: str = "tcp://127.0.0.1:*",
        running: Callable[[], str] | None = None,
        max_bytes: int = MAX_POLICY_BYTES,
        keep: int = 5,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._receiver = Receiver(
            store, accept, robot, robot_digest, trusted, running, max_bytes, keep
        )
        self._router = CurveRouter(DOMAIN, key, authorized)
        socket = self._socket = self._router.socket
        socket.sndhwm, socket.rcvhwm = QUEUE, QUEUE
        socket.maxmsgsize = LARGEST_BYTES
        socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 5000
        self._router.bind(bind, "delivery")
        self.endpoint = self._router.endpoint

    def poll(self) -> list[Outcome]:
        """Answer what came since the last call and return what was accepted or refused.

        Never waits for a peer and never raises because of what one sent. The longest calls are
        those that complete a policy: they read its file once and run ``accept``.
        """
        for _ in range(BATCH):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._send(parts[0], self._answer(parts[0], parts[1:]))
        return self._receiver.outcomes()

    def close(self) -> None:
        """Free the port; unfinished uploads stay in the store, to be continued."""
        self._receiver.close()
        self._router.close()

    def __enter__(self) -> DeliveryServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, peer: bytes, parts: list[bytes]) -> FromRobot:
        try:
            if len(parts) != 1:
                raise WireError(f"{len(parts)} parts given, 1 allowed")
            message = decode_from_learner(parts[0])
        except WireError as error:
            self.counts["malformed"] += 1
            return Refused(0, str(error))
        answer = self._receiver.take(peer, message)
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
            self.counts["left"] += 1  # before it heard the answer
