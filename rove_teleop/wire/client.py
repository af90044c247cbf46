"""An operator's end of the wire: a DEALER socket to one bridge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import zmq

from rove_core.errors import ConfigError, WireError
from rove_core.keys import KeyPair
from rove_teleop.wire.messages import (
    Frame,
    Hello,
    Picture,
    Refused,
    Status,
    Welcome,
    decode_from_bridge,
    encode,
)

HELLO_EVERY_NS = 500_000_000  # until the bridge answers
QUEUE = 4  # frames that wait for a slow network; later ones are dropped, never sent late
LARGEST_BYTES = 4 * 1024 * 1024  # of a message from the bridge: a large picture


@dataclass(frozen=True)
class Received:
    """What came since the last call: the newest of each kind, None when nothing new came."""

    status: Status | None
    picture: Picture | None
    refused: tuple[str, ...]


class OperatorClient:
    """Sends frames and receives the return channel. Use it from one thread only.

    The client says hello by itself until the bridge answers, and again when the bridge asks for it
    or was silent for a second (it publishes at 10 Hz or more, so it may have been restarted).

    Args:
        endpoint: of the bridge, for example ``tcp://127.0.0.1:5570``.
        key: this operator's pair; the bridge must have its public half authorised.
        server_public: the bridge's public key (z85).
        operator_id: name of the operator, 1-64 characters.
        device: what the operator uses; of a device with joints the name of its profile.
        clock_ns: monotonic clock, ns; the frames' device stamps are taken from it.
        joint_names: order of the frames' ``device_joints``.
        calibration: name of the operator's calibration.

    Attributes:
        counts: frames that were not sent and messages that were not understood.

    Raises:
        ConfigError: malformed endpoint.
    """

    def __init__(
        self,
        endpoint: str,
        key: KeyPair,
        server_public: bytes,
        operator_id: str,
        device: str = "",
        clock_ns: Callable[[], int] = time.monotonic_ns,
        joint_names: Sequence[str] = (),
        calibration: str = "",
    ) -> None:
        self.counts: Counter[str] = Counter()
        hello = Hello(operator_id, device, joint_names=tuple(joint_names), calibration=calibration)
        self._hello = encode(hello)
        self._clock_ns = clock_ns
        self._welcome: Welcome | None = None
        self._hello_ns: int | None = None
        self._heard_ns = 0
        self._sequence = 0
        self._round_trip_ns: int | None = None
        self._told = (0, 0)  # sent_ns of the newest status, and when it was heard
        self._seen = (0, 0)  # stamp of the newest picture, and when it was received
        self._context = zmq.Context()
        socket = self._socket = self._context.socket(zmq.DEALER)
        socket.curve_secretkey, socket.curve_publickey = key.secret, key.public
        socket.curve_serverkey = server_public
        socket.linger, socket.sndhwm, socket.maxmsgsize = 0, QUEUE, LARGEST_BYTES
        socket.immediate = True  # nothing waits for a connection that does not stand yet
        socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 1000
        socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 3000
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            allowed = f"an endpoint such as tcp://127.0.0.1:5570 ({error})"
            raise ConfigError("endpoint of the bridge", endpoint, allowed, "endpoint") from error

    @property
    def welcome(self) -> Welcome | None:
        """The bridge's answer to the last hello, None while there is none."""
        return self._welcome

    @property
    def round_trip_ns(self) -> int | None:
        """Age of the newest frame that the bridge has echoed when the echo came, ns."""
        return self._round_trip_ns

    def send(self, frame: Frame) -> bool:
        """Send a frame with the next sequence number, this moment's device stamp and the echoes.

        A picture counts as seen when ``receive`` returned it.

        Returns:
            False when it was not sent: no answer to hello yet, or the network is behind.
        """
        now = self._clock_ns()
        if self._welcome is not None and now - self._heard_ns > 2 * HELLO_EVERY_NS:
            self._welcome = None
        if self._welcome is None:
            self._say_hello(now)
            self.counts["no answer"] += 1
            return False
        stamped = msgspec.structs.replace(
            frame,
            sequence=self._sequence + 1,
            device_stamp_ns=now,
            status_ns=self._told[0],
            status_heard_ns=self._told[1],
            picture_ns=self._seen[0],
            picture_shown_ns=self._seen[1],
        )
        if not self._put(encode(stamped)):
            self.counts["dropped"] += 1
            return False
        self._sequence += 1
        return True

    def receive(self) -> Received:
        """Take everything that came, without waiting."""
        status: Status | None = None
        picture: Picture | None = None
        refused: list[str] = []
        while True:
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return Received(status, picture, tuple(refused))
            now = self._clock_ns()
            try:
                message = decode_from_bridge(data)
            except WireError:
                self.counts["malformed"] += 1
                continue
            self._heard_ns = now
            if isinstance(message, Status):
                status, self._told = message, (message.sent_ns, now)
                if message.echo_sequence:
                    self._round_trip_ns = now - message.echo_stamp_ns
            elif isinstance(message, Picture):
                picture, self._seen = message, (message.stamp_ns, now)
            elif isinstance(message, Welcome):
                self._welcome = message
            elif isinstance(message, Refused):
                refused.append(message.reason)
                if message.hello_again:
                    self._welcome = None

    def close(self) -> None:
        """Leave."""
        self._socket.close(linger=0)
        self._context.term()

    def __enter__(self) -> OperatorClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say_hello(self, now: int) -> None:
        due = self._hello_ns is None or now - self._hello_ns >= HELLO_EVERY_NS
        # Only a hello that left counts: before the connection stands it is tried every time.
        if due and self._put(self._hello):
            self._hello_ns = now

    def _put(self, data: bytes) -> bool:
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True
