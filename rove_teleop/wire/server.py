"""The bridge's end of the wire: a ROUTER socket that only authorised operators reach."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec
import zmq

from rove_core.curve import CurveRouter
from rove_core.errors import WireError
from rove_core.keys import KeyPair
from rove_teleop.wire.check import ORDER_REASONS, FrameChecker
from rove_teleop.wire.messages import (
    ACCEPTED_VERSIONS,
    MAX_DEVICE_JOINTS,
    MAX_MESSAGE_BYTES,
    Frame,
    Hello,
    Picture,
    Refused,
    Status,
    Welcome,
    decode_from_client,
    encode,
)

DOMAIN = "rove"
IDLE_NS = 2_000_000_000  # a client that sent nothing for so long is forgotten
REFUSE_EVERY_NS = 1_000_000_000  # a client hears of a refusal at most so often
BATCH = 512  # messages per poll, so that a flood cannot hold the caller
QUEUE = 4  # messages waiting for a slow client; later ones are dropped
SEND_BUFFER = 64 * 1024  # bytes the kernel may hold for a client: about ten pictures
LARGEST_BYTES = 16 * MAX_MESSAGE_BYTES  # libzmq cuts the connection of who sends more


@dataclass(frozen=True)
class Client:
    """Who sent a frame: what its hello said, and the key it proved to hold (z85)."""

    operator_id: str
    device: str
    public_key: bytes
    joint_names: tuple[str, ...] = ()
    calibration: str = ""


@dataclass
class _Connection:
    client: Client
    heard_ns: int
    checker: FrameChecker
    sequence: int = 0  # of the newest frame, echoed in Status
    stamp_ns: int = 0


class BridgeServer:
    """Receives frames and sends status and pictures. Use it from one thread only.

    Args:
        key: the bridge's pair.
        authorized: public keys (z85) of the operators; nobody else can even connect.
        robot: name of the robot, told to clients.
        bind: endpoint; port ``*`` takes a free one, see ``endpoint``. The loopback by default:
            another address is a decision of the person who starts the bridge.
        clock_ns: monotonic clock, ns.

    Attributes:
        endpoint: where clients connect.
        counts: what was refused or dropped, by reason, since the start.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """

    def __init__(
        self,
        key: KeyPair,
        authorized: Collection[bytes],
        robot: str = "",
        bind: str = "tcp://127.0.0.1:*",
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._robot, self._clock_ns = robot, clock_ns
        self._connections: dict[bytes, _Connection] = {}
        self._told_ns: dict[bytes, int] = {}
        self._router = CurveRouter(DOMAIN, key, authorized)
        socket = self._socket = self._router.socket
        socket.sndhwm, socket.sndbuf = QUEUE, SEND_BUFFER
        socket.maxmsgsize = LARGEST_BYTES
        socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 3000
        self._router.bind(bind, "bridge")
        self.endpoint = self._router.endpoint

    @property
    def clients(self) -> tuple[Client, ...]:
        """Clients that said hello and were heard lately."""
        return tuple(connection.client for connection in self._connections.values())

    def poll(self) -> list[tuple[Client, Frame]]:
        """Return the good frames that came since the last call, in order. Never blocks or raises
        because of what a peer sent: that is counted and, once a second, told to the peer."""
        frames: list[tuple[Client, Frame]] = []
        for _ in range(BATCH):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            now = self._clock_ns()
            peer = parts[0].bytes
            if len(parts) != 2:
                self._refuse(peer, "malformed", f"{len(parts) - 1} parts given, 1 allowed", now)
                continue
            accepted = self._take(peer, parts[1], now)
            if accepted is not None:
                frames.append(accepted)
        self._forget_idle(self._clock_ns())
        return frames

    def publish(
        self,
        status: Status | None,
        picture: Picture | None = None,
        notices: Mapping[str, str] | None = None,
    ) -> None:
        """Send to every client; what a slow client has no room for is dropped and counted.

        Args:
            status: the same for all, but for the echo and the notice.
            picture: the same for all.
            notices: operator id -> ``Status.notice``.
        """
        notices = notices or {}
        encoded = encode(picture) if picture is not None else None
        for peer, connection in list(self._connections.items()):
            if status is not None:
                echo = msgspec.structs.replace(
                    status,
                    echo_sequence=connection.sequence,
                    echo_stamp_ns=connection.stamp_ns,
                    notice=notices.get(connection.client.operator_id, status.notice),
                )
                self._send(peer, encode(echo))
            if encoded is not None:
                self._send(peer, encoded)

    def close(self) -> None:
        """Free the port and end the authenticator's thread."""
        self._router.close()

    def __enter__(self) -> BridgeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, peer: bytes, part: zmq.Frame, now: int) -> tuple[Client, Frame] | None:
        if len(part.buffer) > MAX_MESSAGE_BYTES:
            self._refuse(peer, "oversized", f"more than {MAX_MESSAGE_BYTES} bytes", now)
            return None
        try:
            message = decode_from_client(part.bytes)
        except WireError as error:
            self._refuse(peer, "malformed", str(error), now)
            return None
        if isinstance(message, Hello):
            self._greet(peer, message, str(part.get("User-Id")).encode(), now)
            return None
        connection = self._connections.get(peer)
        if connection is None:
            self._refuse(peer, "no hello", "a frame came before hello", now)
            return None
        connection.heard_ns = now
        frame, reasons = connection.checker.check(message, now)
        if frame is None:
            self.counts.update(reasons)
            again = not ORDER_REASONS.isdisjoint(reasons)
            self._tell(peer, "frame: " + ", ".join(reasons), now, again)
            return None
        connection.sequence, connection.stamp_ns = frame.sequence, frame.device_stamp_ns
        return connection.client, frame

    def _greet(self, peer: bytes, hello: Hello, key: bytes, now: int) -> None:
        if hello.wire_version not in ACCEPTED_VERSIONS:
            allowed = " or ".join(str(version) for version in ACCEPTED_VERSIONS)
            text = f"wire version {hello.wire_version} given, {allowed} allowed"
            self._refuse(peer, "version", text, now)
        elif fault := _hello_fault(hello):
            self._refuse(peer, "hello", fault, now)
        else:
            client = Client(
                hello.operator_id, hello.device, key, hello.joint_names, hello.calibration
            )
            checker = FrameChecker(len(hello.joint_names))
            self._connections[peer] = _Connection(client, now, checker)
            self._send(peer, encode(Welcome(self._robot, hello.wire_version)))

    def _refuse(self, peer: bytes, reason: str, text: str, now: int) -> None:
        self.counts[reason] += 1
        self._tell(peer, f"{reason}: {text}", now)

    def _tell(self, peer: bytes, text: str, now: int, hello_again: bool = True) -> None:
        told = self._told_ns.get(peer)
        if told is None or now - told >= REFUSE_EVERY_NS:
            self._told_ns[peer] = now
            self._send(peer, encode(Refused(text, hello_again)))

    def _send(self, peer: bytes, data: bytes) -> None:
        try:
            self._socket.send_multipart([peer, data], zmq.NOBLOCK, copy=True)
        except zmq.Again:
            self.counts["dropped"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._connections.pop(peer, None)  # it left

    def _forget_idle(self, now: int) -> None:
        for peer in [p for p, c in self._connections.items() if now - c.heard_ns > IDLE_NS]:
            del self._connections[peer]
            self.counts["idle"] += 1
        self._told_ns = {p: t for p, t in self._told_ns.items() if now - t < REFUSE_EVERY_NS}


def _hello_fault(hello: Hello) -> str:
    """Return what is wrong with a hello, "" when nothing is."""
    if not hello.operator_id or len(hello.operator_id) > 64 or len(hello.device) > 256:
        return "operator id of 1-64 and device of at most 256 characters allowed"
    names = hello.joint_names
    if len(names) > MAX_DEVICE_JOINTS or any(not 0 < len(name) <= 64 for name in names):
        return f"at most {MAX_DEVICE_JOINTS} joint names of 1-64 characters allowed"
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        return f"joint names given twice: {', '.join(twice)}"
    if len(hello.calibration) > 64:
        return "name of a calibration of at most 64 characters allowed"
    return ""
