"""A robot with bags and learners for the tests of fetching: real keys, sockets and files.

The bags are bytes that stand for recordings; keeper and pull look at none of them.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import zmq

from rove_core.bag.fetch.client import RobotBags
from rove_core.bag.fetch.landing import Landing
from rove_core.bag.fetch.pull import Pulled, Watcher, pull
from rove_core.bag.fetch.service import KeeperService
from rove_core.bag.fetch.wire import FromLearner, FromRobot, decode_from_robot, encode
from rove_core.bag.keeping.plan import Limits
from rove_core.keys import KeyPair, KeyStore

PATIENCE_S = 60.0  # a failing test ends; a passing one takes milliseconds
SHORT_S = 1.0  # for pulls that must not succeed
AT = "2026-11-24T04:30:00+00:00"


def write_bag(folder: Path, name: str, size: int = 700_000, seed: int = 0) -> Path:
    """Write a folder that looks like a finished bag; its size is that of the MCAP file, bytes."""
    bag = folder / name
    bag.mkdir(parents=True)
    data = random.Random(f"{name} {seed}").randbytes(size)
    (bag / f"{name}_0.mcap").write_bytes(data)
    (bag / "metadata.yaml").write_text(f"bag: {name}\n")
    return bag


def contents(bag: Path) -> dict[str, bytes]:
    """Return the files of a bag, without the notes that keeper and pull leave."""
    notes = ("fetched.json", "pulled.json")
    return {path.name: path.read_bytes() for path in bag.iterdir() if path.name not in notes}


def tree(folder: Path) -> dict[str, str]:
    """Return the hashes of all files below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class World:
    """A robot's folder of bags with its keeper, the keys, and folders of learners."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bags = folder, folder / "robot_bags"
        self.bags.mkdir()
        self.robot_keys, self.learner_keys = KeyStore(folder / "robot"), KeyStore(folder / "learn")
        self.robot = self.robot_keys.ensure("bridge")
        self.learner = self.learner_keys.ensure("learner")
        self.second = self.learner_keys.ensure("second")
        self.eve = self.learner_keys.ensure("eve")
        # As a person does it: the robot's public key is copied to the learner.
        (self.learner_keys.folder / "robot.pub").write_bytes(self.robot.public + b"\n")
        for pair in (self.learner, self.second):
            self.robot_keys.authorize("learner", pair.name, pair.public)
        self.endpoint = "tcp://127.0.0.1:*"
        self.service: KeeperService | None = None

    def start(
        self, limits: Limits | None = None, bytes_per_s: float = 1e9, sweep_s: float = 0.05
    ) -> KeeperService:
        """Start the robot's keeper; a second start takes the same port."""
        self.service = KeeperService(
            self.bags, limits or Limits(), self.robot, self.robot_keys.authorized("learner"),
            robot="toy", bind=self.endpoint, bytes_per_s=bytes_per_s, sweep_s=sweep_s,
        )  # fmt: skip
        self.endpoint = self.service.endpoint
        self.service.start()
        return self.service

    def stop(self) -> None:
        """Stop it, wherever it is."""
        if self.service is not None:
            self.service.close()
            self.service = None

    def robot_bags(
        self, key: KeyPair | None = None, timeout_s: float = PATIENCE_S, **changes: Any
    ) -> RobotBags:
        arguments = {
            "address": self.endpoint, "key": key or self.learner,
            "server_public": self.robot.public, "timeout_s": timeout_s, **changes,
        }  # fmt: skip
        return RobotBags(**arguments)

    def pull(self, out: str = "out", watcher: Watcher | None = None, **changes: Any) -> Pulled:
        """Pull into a folder below the world's."""
        with (
            closing(self.robot_bags(**changes)) as robot,
            Landing(self.folder / out) as landing,
        ):
            return pull(robot, landing, lambda: AT, watcher or Watcher())

    @contextmanager
    def raw(self, key: KeyPair | None = None) -> Iterator[Raw]:
        speaker = Raw(self, key or self.learner)
        yield speaker
        speaker.socket.close(linger=0)


class Raw:
    """A learner that speaks the wire but keeps no rule of it."""

    def __init__(self, world: World, key: KeyPair) -> None:
        socket = self.socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.curve_secretkey, socket.curve_publickey = key.secret, key.public
        socket.curve_serverkey, socket.linger = world.robot.public, 0
        socket.connect(world.endpoint)

    def __call__(self, message: FromLearner | bytes) -> FromRobot:
        """Send a message and return the next answer."""
        self.socket.send(message if isinstance(message, bytes) else encode(message))
        return self.answer()

    def answer(self) -> FromRobot:
        """Return the next answer."""
        assert self.socket.poll(PATIENCE_S * 1e3), "no answer"
        return decode_from_robot(self.socket.recv())


def set_time(path: Path, mtime_ns: int) -> None:
    """Set the time of a file's last change, ns."""
    os.utime(path, ns=(mtime_ns, mtime_ns))
