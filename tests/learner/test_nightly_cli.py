"""Laws of ``rove-learn nightly``: bad input is one line; the push resumes where it stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from nightly_examples import base_policy, write_day
from test_data import robot

from rove_core.delivery.server import DeliveryServer
from rove_core.delivery.store import PolicyStore
from rove_core.digest import file_digest
from rove_core.keys import KeyStore
from rove_core.robot.spec import RobotSpec
from rove_core.signing import SigningStore, read_signature, verify
from rove_learner import nightly_cli
from rove_learner.cli import main

SMALL = [
    "--steps-pretrain", "4", "--steps-critic", "4", "--steps-actor", "4", "--folds", "2",
    "--push-timeout", "0.5", "--robot-key", "toy-key",
]  # fmt: skip
NOBODY = "tcp://127.0.0.1:9"


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments of a night of the small robot, with bags, base and keys in place."""
    monkeypatch.setenv("ROVE_KEYS", str(tmp_path / "keys"))
    monkeypatch.setattr(nightly_cli, "load_robot", lambda _: robot())
    base_policy(tmp_path / "base.onnx")
    write_day(tmp_path / "bags")
    places = {"bags": "bags", "base": "base.onnx", "out": "out"}
    options = [part for name, place in places.items()
               for part in (f"--{name}", str(tmp_path / place))]  # fmt: skip
    return ["nightly", *options, *SMALL]


@pytest.fixture
def keys(tmp_path: Path) -> None:
    """Make the keys that a push needs."""
    for name in ("learner", "toy-key"):
        KeyStore(tmp_path / "keys").ensure(name)
    SigningStore(tmp_path / "keys").ensure("learner")


class Robot:
    """A robot that takes policies, on a thread of its own."""

    def __init__(self, keys: Path, folder: Path, spec: RobotSpec) -> None:
        store, signing = KeyStore(keys), SigningStore(keys)
        signing.trust("learner", signing.load("learner").public)
        self.accepted: list[str] = []

        def accept(path: Path, signature: object) -> str:
            self.accepted.append(file_digest(path))
            return ""

        self._server = DeliveryServer(
            store.load("toy-key"), [store.public("learner")], PolicyStore(folder), accept,
            robot=spec.name, robot_digest=spec.digest, trusted=signing.trusted,
        )  # fmt: skip
        self.address = self._server.endpoint
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.wait(0.002):
            self._server.poll()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._server.close()


@pytest.mark.usefixtures("keys")
def test_the_push_resumes(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody there: an error, the work is kept. Later: no training, only the push."""
    assert main([*arguments, "--robot", NOBODY]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "kept in" in said
    assert "Traceback" not in said
    policy = tmp_path / "out" / "policy.onnx"
    made = file_digest(policy)
    trusted = {s.key_id: s.public for s in [SigningStore(tmp_path / "keys").load("learner")]}
    verify(policy, read_signature(policy), trusted)
    place = Robot(tmp_path / "keys", tmp_path / "store", robot())
    try:
        assert main([*arguments, "--push-timeout", "20", "--robot", place.address]) == 0
        said = capsys.readouterr().out
        assert "done by an earlier run: features, critic 0, critic 1, critic, actor" in said
        assert place.accepted == [made]
        assert f"runs on {place.address}" in " ".join(said.split())
        assert (tmp_path / "out" / "push.json").is_file()
    finally:
        place.close()


def test_missing_keys_are_said_before_the_work(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A push without keys fails at once, naming the command that makes them."""
    assert main([*arguments, "--robot", NOBODY]) == 2
    assert "rove keys create-signing learner" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--bags", "nowhere"], "nowhere"),
        (["--demos", "nowhere"], "nowhere"),
        (["--base", "nowhere.onnx"], "nowhere.onnx"),
        (["--tau", "1.5"], "tau"),
        (["--folds", "1"], "folds"),
        (["--share-high", "0"], "share_high"),
        (["--c-fail", "3"], "c_fail"),
        (["--steps-actor", "0"], "steps"),
        (["--most-demos", "-1"], "most_demos"),
    ],
)
def test_what_a_person_can_fix_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], change: list[str], words: str
) -> None:
    """Status 2 and a message that names what was given; no traceback."""
    assert main([*arguments, *change]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
