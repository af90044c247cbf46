"""Bridge and operator over real sockets on the loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from rove_core.errors import ConfigError
from rove_core.keys import KeyPair, KeyStore
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.wire.client import OperatorClient, Received
from rove_teleop.wire.messages import (
    IDENTITY,
    MAX_DEVICE_JOINTS,
    MAX_MESSAGE_BYTES,
    Frame,
    Hello,
    Picture,
    Status,
    encode,
)
from rove_teleop.wire.server import IDLE_NS, BridgeServer, Client

FRAME = Frame(
    sequence=0, lease=0, device_stamp_ns=0, head=IDENTITY, left_wrist=IDENTITY,
    right_wrist=IDENTITY,
)  # fmt: skip
STATUS = Status(
    stamp_ns=1, mode=Mode.IDLE, authority=Authority.HOLD, stage=Stage.NONE, reason="", lease=0,
    lease_holder="", position_error=0.0, orientation_error=0.0, head=IDENTITY,
    left_wrist=IDENTITY, right_wrist=IDENTITY,
)  # fmt: skip
PATIENCE_S = 20.0  # a failing test ends; a passing one takes milliseconds


class Clock:
    """Monotonic clock that can be moved on."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


class Link:
    """A bridge and what it received."""

    def __init__(self, folder: Path) -> None:
        self.keys = KeyStore(folder)
        self.clock = Clock()
        self.ann, self.eve = self.keys.ensure("ann"), self.keys.ensure("eve")
        self.server = BridgeServer(
            self.keys.ensure("bridge"), [self.ann.public], robot="g1", clock_ns=self.clock
        )
        self.frames: list[tuple[Client, Frame]] = []

    def client(self, key: KeyPair | None = None, server: bytes | None = None) -> OperatorClient:
        return OperatorClient(
            self.server.endpoint, key or self.ann, server or self.keys.public("bridge"), "ann",
            "test", clock_ns=self.clock,
        )  # fmt: skip

    def raw(self, key: KeyPair) -> zmq.Socket[bytes]:
        """A peer that speaks ZMQ but not our messages."""
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.curve_secretkey, socket.curve_publickey = key.secret, key.public
        socket.curve_serverkey, socket.linger = self.keys.public("bridge"), 0
        socket.connect(self.server.endpoint)
        return socket

    def until(self, done: Callable[[], bool], act: Callable[[], object] = lambda: None) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, f"never happened; {self.server.counts}"
            act()
            self.frames += self.server.poll()

    def connect(self, client: OperatorClient) -> None:
        def act() -> None:
            client.send(FRAME)
            client.receive()

        start = len(self.frames)
        self.until(lambda: client.welcome is not None and len(self.frames) > start, act)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    made = Link(tmp_path)
    yield made
    made.server.close()


def test_frames_arrive_in_order_and_are_echoed(link: Link) -> None:
    """Every frame sent is received once, in order, with the operator's name and proven key; the
    status that comes back tells how long the trip took."""
    with link.client() as client:
        link.connect(client)
        link.frames.clear()
        sent = 0

        def act() -> None:
            nonlocal sent
            sent += client.send(FRAME)

        link.until(lambda: len(link.frames) >= 200, act)
        # Frames of the connecting may still have been on their way: the last one is known by
        # its button, not by counting.
        last = msgspec.structs.replace(FRAME, buttons=int(Button.PAUSE))
        link.until(lambda: client.send(last))
        link.until(lambda: link.frames[-1][1].buttons == last.buttons)
        sequences = [frame.sequence for _, frame in link.frames]
        assert len(sequences) > sent
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        assert {c for c, _ in link.frames} == {Client("ann", "test", link.ann.public)}

        got: list[Received] = []
        link.server.publish(STATUS, Picture("ego", 7, b"jpeg"))
        link.until(
            lambda: any(r.status for r in got) and any(r.picture for r in got),
            lambda: got.append(client.receive()),
        )
        status = next(r.status for r in got if r.status)
        assert status.echo_sequence == sequences[-1]
        assert client.round_trip_ns is not None
        assert 0 < client.round_trip_ns < PATIENCE_S * 1e9
        assert client.welcome is not None
        assert client.welcome.robot == "g1"


def test_a_client_without_the_right_key_gets_nothing(link: Link) -> None:
    """An unknown key, a wrong idea of the bridge's key, and no encryption at all: none of them
    is greeted, heard or told anything, while the right one is."""
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(link.server.endpoint)
    plain.send(encode(Hello("ann", "plain")))
    with (
        link.client() as right,
        link.client(key=link.eve) as unknown,
        link.client(server=link.eve.public) as misled,
    ):
        strangers = (unknown, misled)

        def act() -> None:
            right.send(FRAME)
            right.receive()
            for stranger in strangers:
                stranger.send(FRAME)
            link.server.publish(STATUS)

        link.until(lambda: len(link.frames) >= 300, act)
        for stranger in strangers:
            assert stranger.receive() == Received(None, None, ())
            assert stranger.welcome is None
        assert not plain.poll(0)
        assert {c.public_key for c, _ in link.frames} == {link.ann.public}
        assert len(link.server.clients) == 1
    plain.close()


def test_nothing_a_peer_sends_raises(link: Link) -> None:
    """Garbage, several parts, none, too much, a frame before hello: counted, told, survived."""
    peer = link.raw(link.ann)
    peer.send(b"\xc1garbage")
    peer.send_multipart([b"a", b"b", b"c"])
    peer.send(b"")
    peer.send(encode(Hello("ann", "x" * (MAX_MESSAGE_BYTES + 1))))
    peer.send(encode(msgspec.structs.replace(FRAME, sequence=1)))
    peer.send(encode(Hello("ann", "old", wire_version=0)))
    peer.send(encode(Hello("", "nameless")))
    link.until(lambda: sum(link.server.counts.values()) >= 7)
    assert link.server.counts == {
        "malformed": 3, "oversized": 1, "no hello": 1, "version": 1, "hello": 1,
    }  # fmt: skip
    assert link.frames == []
    assert peer.poll(1000)  # and the peer was told
    peer.close()
    with link.client() as client:
        link.connect(client)


def test_bad_frames_are_counted_by_reason(link: Link) -> None:
    """A frame that fails its check is not passed on, and the next good one is."""
    with link.client() as client:
        link.connect(client)
        link.until(lambda: client.send(msgspec.structs.replace(FRAME, right_squeeze=2.0)))
        link.until(lambda: link.server.counts["out of range"] == 1)
        before = len(link.frames)
        refused: list[str] = []
        link.until(lambda: bool(refused), lambda: refused.extend(client.receive().refused))
        assert "out of range" in refused[0]
        link.until(lambda: len(link.frames) > before, lambda: client.send(FRAME))


def test_the_bridge_learns_the_device(link: Link) -> None:
    """Joint names and the calibration's name of the hello stand beside every frame; frames with
    another number of joints are refused."""
    names = ("left_elbow", "left_wrist")
    with OperatorClient(
        link.server.endpoint, link.ann, link.keys.public("bridge"), "ann", "exo",
        clock_ns=link.clock, joint_names=names, calibration="ann",
    ) as client:  # fmt: skip
        link.connect(client)
        measured = msgspec.structs.replace(FRAME, device_joints=(0.1, 0.2))
        link.until(lambda: client.send(measured))
        link.until(lambda: link.frames[-1][1].device_joints == (0.1, 0.2))
        assert link.frames[-1][0] == Client("ann", "exo", link.ann.public, names, "ann")
        link.until(lambda: client.send(msgspec.structs.replace(FRAME, device_joints=(0.1,))))
        link.until(lambda: link.server.counts["device joints"] == 1)


@pytest.mark.parametrize(
    "hello",
    [
        Hello("ann", "exo", joint_names=("a", "a")),
        Hello("ann", "exo", joint_names=("",)),
        Hello("ann", "exo", joint_names=("x" * 65,)),
        Hello("ann", "exo", joint_names=tuple(f"j{i}" for i in range(MAX_DEVICE_JOINTS + 1))),
        Hello("ann", "exo", calibration="x" * 65),
    ],
)
def test_a_device_that_makes_no_sense_is_refused(link: Link, hello: Hello) -> None:
    """Joint names twice, empty, too long or too many: no welcome, and the reason is told."""
    peer = link.raw(link.ann)
    peer.send(encode(hello))
    link.until(lambda: link.server.counts["hello"] == 1)
    assert link.server.clients == ()
    assert peer.poll(1000)
    peer.close()


def test_a_notice_reaches_only_its_operator(link: Link) -> None:
    """What an operator must mend is told to that operator, beside the status for all."""
    with link.client() as client:
        link.connect(client)
        got: list[Received] = []

        def notice() -> str | None:
            got.append(client.receive())
            return next((r.status.notice for r in reversed(got) if r.status), None)

        link.server.publish(STATUS, notices={"ann": "calibrate first", "bob": "no"})
        link.until(lambda: notice() == "calibrate first")
        link.server.publish(STATUS, notices={"bob": "no"})
        link.until(lambda: notice() == "")


def test_an_idle_client_is_forgotten_and_comes_back(link: Link) -> None:
    """Silence for two seconds ends a client; its next frame is answered with "hello again", which
    it does by itself."""
    with link.client() as client:
        link.connect(client)
        link.clock.ahead_ns += IDLE_NS + 1
        link.until(lambda: link.server.clients == ())
        assert link.server.counts["idle"] == 1
        link.connect(client)
        assert len(link.server.clients) == 1


def test_a_slow_client_costs_nothing_and_catches_up(link: Link) -> None:
    """A client that does not read for long fills no memory: publish drops and counts, and what it
    then reads rises in time and reaches what is new."""
    with link.client() as client:
        link.connect(client)
        picture = Picture("ego", 1, bytes(20_000))
        stamp = 0

        def publish() -> None:
            nonlocal stamp
            stamp += 1
            link.server.publish(msgspec.structs.replace(STATUS, stamp_ns=stamp), picture)
            client.send(FRAME)  # alive, but not reading

        link.until(lambda: link.server.counts["dropped"] > 100, publish)
        got: list[Received] = []
        backlog = stamp
        link.until(
            lambda: any(r.status is not None and r.status.stamp_ns > backlog for r in got),
            lambda: (publish(), got.append(client.receive())),
        )
        stamps = [r.status.stamp_ns for r in got if r.status is not None]
        assert stamps == sorted(set(stamps))


def test_a_restarted_bridge_is_found_again(link: Link) -> None:
    """The client greets a new bridge at the old address without help."""
    with link.client() as client:
        link.connect(client)
        endpoint = link.server.endpoint
        link.server.close()
        link.server = BridgeServer(
            link.keys.load("bridge"), [link.ann.public], bind=endpoint, clock_ns=link.clock
        )
        link.connect(client)


def test_a_taken_port_is_a_clear_error(link: Link) -> None:
    """The error names the endpoint, and the first bridge works on."""
    with pytest.raises(ConfigError, match=link.server.endpoint):
        BridgeServer(link.keys.load("bridge"), [], bind=link.server.endpoint)
    with link.client() as client:
        link.connect(client)


def test_the_default_address_is_the_loopback(link: Link) -> None:
    """Nobody on the network reaches a bridge that was not told to listen there."""
    assert link.server.endpoint.startswith("tcp://127.0.0.1:")
