"""A robot and a learner for the tests of the delivery: real keys, real sockets, tiny policies."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from pathlib import Path

import zmq

from rove_core.delivery.receiver import Outcome
from rove_core.delivery.server import DeliveryServer
from rove_core.delivery.store import PolicyStore
from rove_core.delivery.wire import (
    PIECE_BYTES,
    FromLearner,
    FromRobot,
    HaveBytes,
    decode_from_robot,
    encode,
)
from rove_core.keys import KeyPair, KeyStore
from rove_core.signing import Signature, SigningKey, SigningStore, sign, write_signature

ROBOT, ROBOT_DIGEST = "g1", "ab" * 32
PATIENCE_S = 20.0  # a failing test ends; a passing one takes milliseconds


def policy_bytes(seed: int = 0, size: int = 3 * PIECE_BYTES + 17) -> bytes:
    """Return bytes that stand for a policy: the delivery looks at none of them."""
    return random.Random(seed).randbytes(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signed(key: SigningKey, data: bytes, robot: str = ROBOT, created_ns: int = 1) -> Signature:
    return sign(key, sha256(data), robot, ROBOT_DIGEST, created_ns)


def send_until_complete(
    speak: Callable[[FromLearner], FromRobot], offer: FromLearner, pieces: list[FromLearner]
) -> list[FromRobot]:
    """Send an offer and the pieces while the robot asks for more; return its answers."""
    answers = [speak(offer)]
    for piece in pieces:
        if not isinstance(answers[-1], HaveBytes):
            break
        answers.append(speak(piece))
    return answers


class World:
    """A robot with its store, a learner that it knows, and keys that it does not know.

    The robot polls in a thread of its own, as a node's timer does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.robot_keys, self.learner_keys = KeyStore(folder / "robot"), KeyStore(folder / "learn")
        self.robot = self.robot_keys.ensure("delivery")
        self.learner, self.eve = self.learner_keys.ensure("learner"), self.learner_keys.ensure("e")
        self.signing = SigningStore(folder / "learn")
        self.signer, self.stranger = self.signing.ensure("lab"), self.signing.ensure("stranger")
        self.trust = SigningStore(folder / "robot")
        self.trust.trust("lab", self.signer.public)
        self.store = PolicyStore(folder / "policies")
        self.tried: list[tuple[bytes, Signature]] = []
        self.reason: str | Exception = ""
        self.outcomes: list[Outcome] = []
        self.endpoint = "tcp://127.0.0.1:*"
        self.received = 0  # bytes of pieces that the running server took
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def accept(self, path: Path, signature: Signature) -> str:
        """The node's trial: remember what it was given."""
        self.tried.append((path.read_bytes(), signature))
        if isinstance(self.reason, Exception):
            raise self.reason
        return self.reason

    def server(self, max_bytes: int = 4 * 1024 * 1024) -> DeliveryServer:
        return DeliveryServer(
            self.robot, [self.learner.public], self.store, self.accept, robot=ROBOT,
            robot_digest=ROBOT_DIGEST, trusted=self.trust.trusted, bind=self.endpoint,
            max_bytes=max_bytes, keep=2,
        )  # fmt: skip

    def start(self) -> None:
        """Start the robot; a second start takes the same port."""
        server = self.server()
        self.endpoint = server.endpoint
        self._stop.clear()

        def run() -> None:
            with server:
                while not self._stop.wait(0.002):
                    self.outcomes += server.poll()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the robot, wherever it is."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def policy(self, data: bytes, key: SigningKey | None = None, robot: str = ROBOT) -> Path:
        """Write a policy and its signature on the learner's side."""
        path = self.folder / f"{sha256(data)[:8]}.onnx"
        path.write_bytes(data)
        write_signature(path, signed(key or self.signer, data, robot))
        return path

    def files(self) -> dict[str, bytes]:
        """Everything in the robot's store, partial uploads included."""
        return {p.name: p.read_bytes() for p in self.store.folder.iterdir()}

    def raw(self, key: KeyPair | None = None) -> Raw:
        return Raw(self, key or self.learner)


class Raw:
    """A learner that speaks the wire but keeps no rule of it."""

    def __init__(self, world: World, key: KeyPair) -> None:
        socket = self.socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.curve_secretkey, socket.curve_publickey = key.secret, key.public
        socket.curve_serverkey, socket.linger = world.robot.public, 0
        socket.connect(world.endpoint)

    def __call__(self, message: FromLearner | bytes) -> FromRobot:
        """Send a message and return the answer."""
        self.socket.send(message if isinstance(message, bytes) else encode(message))
        assert self.socket.poll(PATIENCE_S * 1e3), "no answer"
        return decode_from_robot(self.socket.recv())

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close(linger=0)
