"""The listening end of a CURVE connection: only peers whose key was accepted get through."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from rove_core.errors import ConfigError
from rove_core.keys import KeyPair


class _Authorised:
    """The form in which pyzmq's authenticator asks for a decision."""

    def __init__(self, keys: Collection[bytes]) -> None:
        self._keys = frozenset(keys)

    def callback(self, domain: str, key: bytes) -> bool:
        return key in self._keys


class CurveRouter:
    """A ROUTER socket with CURVE and an authenticator of its own. Use it from one thread.

    Args:
        domain: ZAP domain. It is enforced: libzmq refuses everybody when no authenticator answers.
        key: this end's pair.
        authorized: public keys (z85) of the peers; nobody else can even connect.

    Attributes:
        socket: set the queues before ``bind``; a full queue is an error that can be counted.
        endpoint: where peers connect, "" before ``bind``.
    """

    def __init__(self, domain: str, key: KeyPair, authorized: Collection[bytes]) -> None:
        self.endpoint = ""
        self._context = zmq.Context()
        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(
            domain=domain, credentials_provider=_Authorised(authorized)
        )
        socket: Any = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey, socket.curve_publickey = key.secret, key.public
        socket.zap_domain, socket.zap_enforce_domain = domain.encode(), True
        socket.linger, socket.router_mandatory = 0, True
        self.socket: zmq.Socket[bytes] = socket

    def bind(self, endpoint: str, what: str) -> None:
        """Listen; port ``*`` takes a free one.

        Raises:
            ConfigError: the endpoint cannot be bound; everything is closed then.
        """
        try:
            self.socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            allowed = f"a free endpoint such as tcp://127.0.0.1:5570 ({error})"
            raise ConfigError(
                f"endpoint of the {what}", endpoint, allowed, "argument bind"
            ) from error
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def close(self) -> None:
        """Free the port and end the authenticator's thread."""
        self.socket.close(linger=0)
        self._authenticator.stop()
        self._context.term()
