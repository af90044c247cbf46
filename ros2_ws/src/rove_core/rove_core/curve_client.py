"""The connecting end of a CURVE connection: a DEALER that knows how far it got, and patience."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable

import zmq
from zmq.utils.monitor import recv_monitor_message

from rove_core.errors import ConfigError
from rove_core.keys import KeyPair

RENEW_S = 2.0  # without a handshake for so long the connection is made anew


class CurveDealer:
    """One CURVE connection to a robot, renewed when it breaks. Use it from one thread.

    libzmq's monitor tells what a person needs to know when no answer comes: whether anything
    listens, whether the robot refuses our key, whether it is another robot than we think.

    Args:
        address: of the robot, for example ``tcp://10.0.0.7:5580``.
        key: this end's CURVE pair; the robot must have its public half authorised.
        server_public: the robot's public CURVE key (z85).
        node: the robot's program that listens there, for people.
        queue: messages that wait each way.
        largest_bytes: the connection of a robot that sends a larger message is cut.

    Attributes:
        generation: number of handshakes that succeeded; a new number means that the robot knows
            nothing of this peer.
        up: whether the connection stands.
        denied: the robot answered that it does not accept this key.

    Raises:
        ConfigError: malformed address or key.
    """

    def __init__(
        self,
        address: str,
        key: KeyPair,
        server_public: bytes,
        *,
        node: str,
        queue: int,
        largest_bytes: int,
    ) -> None:
        self.address, self.generation = address, 0
        self.up, self.denied = False, False
        self._key, self._server_public = key, server_public
        self._node, self._queue, self._largest = node, queue, largest_bytes
        self._connected = False  # TCP, ever
        self._tries = 0
        self._monitor: zmq.Socket[bytes] | None = None
        self._context = zmq.Context()
        try:
            self._open()
        except (zmq.ZMQError, ValueError) as error:
            self._context.term()
            allowed = f"an address such as tcp://10.0.0.7:5580 and a z85 key ({error})"
            raise ConfigError("address or key of the robot", address, allowed) from error

    def send(self, message: bytes) -> bool:
        """Send a message; False: the network is behind or the connection is gone."""
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self, wait_s: float) -> bytes | None:
        """Return the next message; None when there is none after the wait, s, or when the state
        of the connection changed."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        ready = dict(poller.poll(math.ceil(max(wait_s, 0.0) * 1e3)))
        # Answers first: the last one may have come just before the connection broke.
        if self._socket in ready:
            with contextlib.suppress(zmq.Again):
                return self._socket.recv(zmq.NOBLOCK)
        if self._monitor in ready:
            self._watch()
        return None

    def attend(self, patience: Patience) -> bytes | None:
        """As ``receive`` for a while that is not longer than the patience; a connection that does
        not come back is made anew meanwhile."""
        if self.up:
            patience.dead_since = patience.now
        elif patience.now - patience.dead_since >= RENEW_S:
            self.renew()
            patience.dead_since = patience.now
        return self.receive(min(patience.left_s, RENEW_S))

    def pause(self, seconds: float) -> None:
        """Wait before a question is asked again, s; a connection that breaks ends the wait."""
        if self._monitor is not None:
            self._monitor.poll(math.ceil(seconds * 1e3))

    def renew(self) -> None:
        """Connect anew. libzmq gives up for good after some failures of a handshake."""
        self._close_socket()
        self.up = False
        self._open()

    def trouble(self) -> str:
        """Return in words how far the connection got."""
        if self.up:
            return "the connection stands and the keys fit, but no answer comes: its node is busy"
        if self.denied:
            name = self._key.name
            return (
                f"the handshake fails: the robot does not accept this machine's key {name!r}; on "
                f"the robot, `rove keys accept {name}.pub --role learner` and a restart let it in"
            )
        if self.generation:
            return "the connection stood and broke, and did not come back"
        if self._connected:
            return (
                "something listens there, but the handshake fails: the public key given here is "
                "not that of the robot at this address (its `rove keys show` tells the right one), "
                "or another program listens there"
            )
        return (
            f"nothing answers there ({self._tries} tries to connect): the robot or its "
            f"{self._node} node is off, or the address or the network is wrong"
        )

    def close(self) -> None:
        """Leave. The monitor is a socket of the context too: term() alone would wait for it."""
        self._close_socket()
        self._context.destroy(linger=0)

    def _open(self) -> None:
        socket = self._socket = self._context.socket(zmq.DEALER)
        try:
            socket.curve_secretkey, socket.curve_publickey = self._key.secret, self._key.public
            socket.curve_serverkey = self._server_public
            socket.linger, socket.sndhwm, socket.rcvhwm = 0, self._queue, self._queue
            socket.maxmsgsize = self._largest
            socket.immediate = True  # nothing waits for a connection that does not stand yet
            socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 1000
            socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 5000
            self._monitor = socket.get_monitor_socket()
            socket.connect(self.address)
        except (zmq.ZMQError, ValueError):
            self._close_socket()
            raise
        self._tries += 1

    def _watch(self) -> None:
        while self._monitor is not None and self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.generation += 1
                self.up, self.denied = True, False
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.denied = True
            elif event == zmq.EVENT_CONNECTED:
                self._connected = True
            elif event == zmq.EVENT_CONNECT_RETRIED:
                self._tries += 1
            elif event == zmq.EVENT_DISCONNECTED:
                self.up = False

    def _close_socket(self) -> None:
        self._socket.disable_monitor()
        if self._monitor is not None:
            self._monitor.close(linger=0)  # otherwise each renewal would leave one behind
            self._monitor = None
        self._socket.close(linger=0)


class Patience:
    """Time left until somebody gives up, and since when a connection is dead.

    Args:
        timeout_s: longest time without progress, s.
        clock: monotonic, s.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self.timeout_s = clock, timeout_s
        self.renew()
        self.dead_since = clock()

    def renew(self) -> None:
        """There was progress."""
        self._end = self._clock() + self.timeout_s

    @property
    def now(self) -> float:
        """The clock, s."""
        return self._clock()

    @property
    def over(self) -> bool:
        """Whether it is time to give up."""
        return self._clock() >= self._end

    @property
    def left_s(self) -> float:
        """Time until then, s."""
        return self._end - self._clock()
