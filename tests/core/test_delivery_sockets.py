"""Learner and robot over real sockets on the loopback."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq
from delivery_examples import (
    ROBOT,
    ROBOT_DIGEST,
    World,
    policy_bytes,
    send_until_complete,
    sha256,
    signed,
)

from rove_core.delivery.client import Pushed, push, running
from rove_core.delivery.server import BATCH, DeliveryServer
from rove_core.delivery.store import Current
from rove_core.delivery.wire import (
    PIECE_BYTES,
    Accepted,
    FromLearner,
    HaveBytes,
    Offer,
    Piece,
    Query,
    Refused,
    encode,
)
from rove_core.errors import ConfigError, PolicyError
from rove_core.keys import KeyPair
from rove_core.signing import Signature, signature_path

SHORT_S = 1.0  # for pushes that must not succeed


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.start()
    yield made
    made.stop()


def push_to(world: World, path: Path, timeout_s: float = 20.0, **changes: object) -> Pushed:
    arguments = {
        "address": world.endpoint, "policy_path": path, "signature": None, "key": world.learner,
        "server_public": world.robot.public, "timeout_s": timeout_s, **changes,
    }  # fmt: skip
    return push(**arguments)  # type: ignore[arg-type]


# A push that works


def test_a_pushed_policy_is_tried_stored_and_current(world: World) -> None:
    """The robot tries the very bytes with their signature, stores them and points to them; the
    learner sees progress up to the last byte, and status names the new digest."""
    data, seen = policy_bytes(), []
    path = world.policy(data)
    pushed = push_to(world, path, on_progress=lambda have, size: seen.append((have, size)))
    assert pushed == Pushed(sha256(data), already_here=False, sent_bytes=len(data))
    assert world.tried == [(data, signed(world.signer, data))]
    assert seen == sorted(seen)
    assert seen[0] == (0, len(data))
    assert seen[-1] == (len(data), len(data))
    assert set(world.files()) == {
        f"{sha256(data)}.onnx", f"{sha256(data)}.onnx.sig", "current.json"
    }  # fmt: skip
    status = running(world.endpoint, world.learner, world.robot.public)
    assert (status.robot, status.robot_digest) == (ROBOT, ROBOT_DIGEST)
    assert (status.digest, status.previous) == (sha256(data), "")
    assert status.trusted == (world.signer.key_id,)


@pytest.mark.parametrize("size", [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1])
def test_every_size_arrives_whole(world: World, size: int) -> None:
    """Sizes around a piece's arrive as they were sent."""
    data = policy_bytes(size, size)
    assert push_to(world, world.policy(data)).sent_bytes == size
    assert world.tried[0][0] == data


def test_what_runs_is_not_sent_again_and_an_older_one_is_tried_again(world: World) -> None:
    """The running policy: nothing happens. An older one that is stored: no bytes are sent, but it
    is tried anew and runs then."""
    a, b = policy_bytes(1), policy_bytes(2)
    push_to(world, world.policy(a))
    assert push_to(world, world.policy(a)) == Pushed(sha256(a), already_here=True, sent_bytes=0)
    push_to(world, world.policy(b))
    assert push_to(world, world.policy(a)) == Pushed(sha256(a), already_here=False, sent_bytes=0)
    assert [sha256(data) for data, _ in world.tried] == [sha256(a), sha256(b), sha256(a)]
    assert world.store.current() == Current(sha256(a), sha256(b))
    world.reason = "no"
    before = world.files()
    with pytest.raises(PolicyError, match="no"):
        push_to(world, world.policy(b))
    assert world.files() == before


def test_a_stored_policy_that_was_damaged_is_sent_anew(world: World) -> None:
    """Bad bytes on the robot's disk never run: they are found and replaced."""
    data = policy_bytes(1)
    push_to(world, world.policy(data))
    world.store.path(sha256(data)).write_bytes(b"x" + data[1:])
    assert push_to(world, world.policy(data)).sent_bytes == len(data)
    assert world.store.path(sha256(data)).read_bytes() == data


# Restarts and broken lines


def test_an_upload_survives_a_restart_of_the_robot(world: World) -> None:
    """The robot goes away in the middle and comes back: the push goes on with what was there."""
    data = policy_bytes(3, 12 * PIECE_BYTES)
    restarted: list[int] = []

    def restart(have: int, size: int) -> None:
        if have >= size // 2 and not restarted:
            world.stop()
            restarted.append((world.store.folder / f"{sha256(data)}.part").stat().st_size)
            world.start()

    pushed = push_to(world, world.policy(data), on_progress=restart)
    assert restarted[0] >= len(data) // 2
    assert world.tried == [(data, signed(world.signer, data))]
    # Sent twice is at most what was on its way when the robot went.
    assert len(data) <= pushed.sent_bytes <= len(data) + 5 * PIECE_BYTES


def test_a_push_that_was_given_up_goes_on_later(world: World) -> None:
    """The robot stays away: a clear error that says how far it came; the next push sends the
    rest only."""
    data = policy_bytes(4, 8 * PIECE_BYTES)

    def leave(have: int, size: int) -> None:
        if have >= size // 2:
            world.stop()

    path = world.policy(data)
    with pytest.raises(PolicyError, match=r"stood and broke.*same push later goes on") as caught:
        push_to(world, path, timeout_s=SHORT_S, on_progress=leave)
    assert world.endpoint in str(caught.value)
    assert f"of {len(data)} bytes" in str(caught.value)
    assert world.tried == []
    world.start()
    assert push_to(world, path).sent_bytes <= len(data) // 2
    assert world.tried[0][0] == data


class Proxy:
    """A TCP line that is cut after some bytes, once for each entry of ``cuts``."""

    def __init__(self, target: str, cuts: list[int]) -> None:
        self._cuts = iter([*cuts])
        self._target = ("127.0.0.1", int(target.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(self._target)
                threading.Thread(target=self._copy, args=(far, near, None), daemon=True).start()
                self._copy(near, far, next(self._cuts, None))

    def _copy(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                if limit is not None and (limit := limit - len(data)) <= 0:
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


def test_an_upload_survives_a_line_that_breaks(world: World) -> None:
    """A line that is cut again and again, also within a piece: the policy arrives whole, and
    what was confirmed is not sent again."""
    data = policy_bytes(5, 12 * PIECE_BYTES)
    cuts = [100, 3 * PIECE_BYTES, 4 * PIECE_BYTES + 1000]
    proxy = Proxy(world.endpoint, cuts)
    with contextlib.closing(proxy):
        pushed = push_to(world, world.policy(data), address=proxy.endpoint)
    assert world.tried == [(data, signed(world.signer, data))]
    assert proxy.connections >= 4
    assert pushed.sent_bytes <= len(data) + len(cuts) * 5 * PIECE_BYTES


def test_a_damaged_beginning_is_sent_anew_once(world: World) -> None:
    """What an earlier upload left is wrong: the robot notices at the end, and the push starts
    over by itself."""
    data = policy_bytes(6)
    part = world.store.begin(sha256(data), len(data))
    part.append(0, bytes(PIECE_BYTES))
    part.close()
    pushed = push_to(world, world.policy(data))
    assert pushed.sent_bytes == 2 * len(data) - PIECE_BYTES
    assert world.tried == [(data, signed(world.signer, data))]


# Nobody there, wrong keys


def test_nobody_there_is_a_clear_error(world: World) -> None:
    """Push and status say the address, what was tried and what to look at."""
    world.stop()
    path = world.policy(policy_bytes())
    with pytest.raises(PolicyError, match=r"nothing answers there \(\d+ tries.*goes on") as caught:
        push_to(world, path, timeout_s=SHORT_S)
    assert world.endpoint in str(caught.value)
    with pytest.raises(PolicyError, match="nothing answers there"):
        running(world.endpoint, world.learner, world.robot.public, SHORT_S)
    for address in ("nonsense", "tcp://1.2.3.4", ""):
        with pytest.raises(ConfigError, match="tcp://"):
            running(address, world.learner, world.robot.public, SHORT_S)


def test_wrong_keys_get_nothing(world: World) -> None:
    """An unknown learner, a wrong idea of the robot's key, and no encryption: no answer, no byte
    on the robot, nothing tried; the error speaks of keys. The right learner is served meanwhile."""
    path = world.policy(policy_bytes())
    before = world.files()
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(world.endpoint)
    plain.send(encode(Query()))
    attempts: list[tuple[KeyPair, bytes, str]] = [
        (world.eve, world.robot.public, rf"not accept .* key '{world.eve.name}'.*rove keys accept"),
        (world.learner, world.eve.public, "the public key given here is not that of the robot"),
    ]
    for key, server_public, words in attempts:
        with pytest.raises(PolicyError, match=f"handshake fails.*{words}"):
            push_to(world, path, timeout_s=2.5, key=key, server_public=server_public)
    assert plain.poll(0) == 0
    plain.close()
    assert (world.files(), world.tried) == (before, [])
    assert not push_to(world, path).already_here


def test_a_robot_that_is_busy_is_told_apart(world: World) -> None:
    """The keys fit but nobody polls: the error says that the robot's node does not answer."""
    world.stop()
    with (
        world.server() as idle,
        pytest.raises(PolicyError, match="keys fit, but no answer"),
    ):
        running(idle.endpoint, world.learner, world.robot.public, SHORT_S)


# Refusals


def refused(world: World, messages: list[FromLearner], match: str) -> None:
    """Send messages; the last answer is a final refusal with that text, and it was as if nothing
    had been sent."""
    before, tried = world.files(), len(world.tried)
    with world.raw() as speak:
        answers = send_until_complete(speak, messages[0], messages[1:])
        answer = answers[-1]
        assert isinstance(answer, Refused), answers
        assert match in answer.reason
        assert not answer.again
        assert speak(Query())  # it still listens
    assert (world.files(), len(world.tried)) == (before, tried)


def offer(world: World, data: bytes, **changes: object) -> Offer:
    """The offer of a properly signed policy, with changes."""
    made = Offer(1, sha256(data), len(data), signed(world.signer, data))
    return msgspec.structs.replace(made, **changes)


def pieces(data: bytes, size: int = PIECE_BYTES) -> list[FromLearner]:
    return [Piece(1, o, data[o : o + size]) for o in range(0, len(data), size)]


def test_bad_offers_are_refused_before_a_byte_is_taken(world: World) -> None:
    """Unsigned, signed by a stranger, for another robot or another policy, altered, too large,
    empty, of another version: each is refused with its reason."""
    data = policy_bytes()
    push_to(world, world.policy(policy_bytes(99)))  # the one that keeps running
    good = signed(world.signer, data)
    stranger = signed(world.stranger, data)
    forged = msgspec.structs.replace(stranger, key_id=world.signer.key_id)

    def altered(**fields: object) -> Signature:
        return msgspec.structs.replace(good, **fields)

    cases: list[tuple[dict[str, object], str]] = [
        ({"signature": None}, "unsigned"),
        ({"signature": stranger}, f"trusted here: {world.signer.key_id}"),
        ({"signature": forged}, "wrong signature"),
        ({"signature": altered(robot_digest="x")}, "wrong signature"),
        ({"signature": altered(created_ns=77)}, "wrong signature"),
        ({"signature": altered(format_version=2)}, "format_version 2"),
        ({"signature": signed(world.signer, data, robot="g2")}, "signed for robot 'g2', this"),
        ({"signature": signed(world.signer, b"other")}, "signature is that of"),
        ({"size": 4 * 1024 * 1024 + 1}, "4194305 bytes given, 1 to 4194304 allowed"),
        ({"size": 0}, "0 bytes given"),
        ({"size": -1}, "-1 bytes given"),
        ({"wire_version": 2}, "wire version 2 given, 1 allowed"),
    ]
    for changes, match in cases:
        refused(world, [offer(world, data, **changes)], match)
    assert world.store.current().digest == sha256(policy_bytes(99))


def test_bad_pieces_are_refused_and_what_came_is_thrown_away(world: World) -> None:
    """Out of order, a second time, past the end, empty, too large, wrong bytes: refused, never
    tried, and the store is as it was."""
    data = policy_bytes()
    p, good = pieces(data), offer(world, data)
    end = msgspec.structs.replace(p[-1], data=p[-1].data + b"!")  # type: ignore[type-var,union-attr]
    wrong = bytes(len(data) - 1) + b"!"
    cases: list[tuple[list[FromLearner], str]] = [
        ([p[1]], f"offset {PIECE_BYTES} given, offset 0 allowed"),
        ([p[0], p[0]], f"offset 0 given, offset {PIECE_BYTES} allowed"),
        ([p[0], p[2]], f"offset {2 * PIECE_BYTES} given"),
        ([*p[:-1], end], "piece of 18 bytes given, 1 to 17 allowed"),
        ([Piece(1, 0, b"")], "piece of 0 bytes given"),
        ([Piece(1, -1, b"x")], "offset -1 given"),
        (pieces(data, PIECE_BYTES + 1), f"{PIECE_BYTES + 1} bytes given"),
        (pieces(wrong), "digest mismatch"),
    ]
    for sent, match in cases:
        refused(world, [good, *sent], match)
    refused(world, [offer(world, data, size=len(data) - 1), *pieces(data[:-1])], "digest mismatch")


def test_a_piece_without_an_offer_asks_for_one(world: World) -> None:
    """Pieces of an older offer, or of none, change nothing; a new offer goes on."""
    data = policy_bytes()
    with world.raw() as speak:
        assert speak(pieces(data)[0]) == Refused(1, "a piece that belongs to no offer", again=True)
        assert speak(offer(world, data, attempt=2)) == HaveBytes(2, 0)
        answer = speak(pieces(data)[0])
        assert isinstance(answer, Refused)
        assert answer.again
        assert speak(msgspec.structs.replace(pieces(data)[0], attempt=2)) == HaveBytes(
            2, PIECE_BYTES
        )


def test_the_newest_offer_of_a_policy_goes_on(world: World) -> None:
    """Two connections with one policy: the one that offered last continues the bytes of both."""
    data = policy_bytes()
    p = pieces(data)
    with world.raw() as first, world.raw() as second:
        first(offer(world, data))
        assert first(p[0]) == HaveBytes(1, PIECE_BYTES)
        assert second(offer(world, data)) == HaveBytes(1, PIECE_BYTES)
        answer = first(p[1])
        assert isinstance(answer, Refused)
        assert answer.again
        assert [second(piece) for piece in p[1:]][-1] == Accepted(1, sha256(data))
    assert world.tried == [(data, signed(world.signer, data))]


def test_many_uploads_at_once_evict_the_one_that_waited_longest(world: World) -> None:
    """More unfinished uploads than are kept: the oldest must offer again, the newest go on."""
    with contextlib.ExitStack() as stack:
        speakers = [stack.enter_context(world.raw()) for _ in range(5)]
        policies = [policy_bytes(n) for n in range(5)]
        for speak, data in zip(speakers, policies, strict=True):
            assert speak(offer(world, data)) == HaveBytes(1, 0)
        answers = [s(pieces(d)[0]) for s, d in zip(speakers, policies, strict=True)]
        assert isinstance(answers[0], Refused)
        assert answers[0].again
        assert answers[1:] == [HaveBytes(1, PIECE_BYTES)] * 4


@pytest.mark.parametrize("reason", ["joint 3 differs", ValueError("strange")])
def test_what_the_robot_does_not_accept_is_thrown_away(
    world: World, reason: str | Exception
) -> None:
    """The trial's reason, or its failure, reaches the learner; the old policy stays current, and
    a later push is tried again."""
    old, data = policy_bytes(1), policy_bytes(2)
    push_to(world, world.policy(old))
    before, world.reason = world.files(), reason
    path = world.policy(data)
    with pytest.raises(PolicyError, match=f"refused policy {sha256(data)[:12]}.*{reason}"):
        push_to(world, path)
    assert world.files() == before
    world.reason = ""
    assert push_to(world, path).sent_bytes == len(data)
    world.stop()
    assert [(o.digest, o.accepted) for o in world.outcomes] == [
        (sha256(old), True), (sha256(data), False), (sha256(data), True)
    ]  # fmt: skip
    assert str(reason) in world.outcomes[1].reason


def test_trust_counts_at_once(world: World) -> None:
    """A key that is trusted, or no longer, while the robot runs: the next push knows; a malformed
    file in the folder refuses and is named."""
    path = world.policy(policy_bytes(), world.stranger)
    with pytest.raises(PolicyError, match="rove keys trust"):
        push_to(world, path)
    world.trust.trust("stranger", world.stranger.public)
    assert push_to(world, path).sent_bytes
    folder = world.trust.folder / "trusted"
    (folder / "stranger.verify").unlink()
    with pytest.raises(PolicyError, match="rove keys trust"):
        push_to(world, world.policy(policy_bytes(1), world.stranger))
    (folder / "bad.verify").write_text("?")
    with pytest.raises(PolicyError, match=r"bad\.verify"):
        push_to(world, world.policy(policy_bytes(1)))


def test_the_learner_checks_before_it_connects(world: World, tmp_path: Path) -> None:
    """No file, no signature, another file's signature: found on the learner's machine."""
    path = world.policy(policy_bytes())
    with pytest.raises(PolicyError, match="sign it again"):
        push_to(world, path, signature=signed(world.signer, b"other"))
    signature_path(path).unlink()
    with pytest.raises(PolicyError, match="unsigned"):
        push_to(world, path)
    with pytest.raises(PolicyError, match="no policy"):
        push_to(world, tmp_path / "missing.onnx")
    assert world.outcomes == []


def test_only_the_newest_policies_stay(world: World) -> None:
    """After many pushes the store holds two and the two that it may go back to."""
    for seed in range(5):
        push_to(world, world.policy(policy_bytes(seed, 100)))
    assert len(world.store.digests()) <= 4
    assert {sha256(policy_bytes(seed, 100)) for seed in (3, 4)} <= set(world.store.digests())


def test_a_full_disk_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room on the robot: the learner hears it, and the robot keeps no part of it."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    before = world.files()
    with monkeypatch.context() as patch:
        patch.setattr("rove_core.delivery.store.os.pwrite", full)
        with pytest.raises(PolicyError, match="No space left on device"):
            push_to(world, world.policy(policy_bytes()))
    assert (world.files(), world.tried) == (before, [])


# The server alone


def test_foreign_bytes_are_answered_and_counted(world: World) -> None:
    """Noise, several parts and messages above the limit are refused; the server keeps working."""
    world.stop()
    with world.server() as server:
        world.endpoint = server.endpoint
        with world.raw() as speak:
            for parts in ([b""], [b"noise"], [b"a", b"b"], [bytes(PIECE_BYTES + 5000)]):
                speak.socket.send_multipart(parts)
                wait_for(server, speak.socket)
            assert server.counts["malformed"] == 4


def wait_for(server: DeliveryServer, learner: zmq.Socket[bytes]) -> None:
    """Poll the server until its answer is there."""
    for _ in itertools.takewhile(lambda _: not learner.poll(10), range(2000)):
        server.poll()
    assert learner.recv()


def test_a_poll_answers_a_bounded_number(world: World) -> None:
    """A flood cannot hold the caller: each call takes at most one batch."""
    world.stop()
    with world.server() as server:
        world.endpoint = server.endpoint
        with world.raw() as speak:
            for _ in range(3 * BATCH):
                speak.socket.send(encode(Query()))
            answered, calls = 0, 0
            while answered < 3 * BATCH:
                server.poll()
                calls += 1
                assert calls < 1_000_000
                new = 0
                while speak.socket.poll(5):
                    speak.socket.recv()
                    new += 1
                assert new <= BATCH
                answered += new
            assert calls >= 3


def test_a_taken_port_is_a_configuration_error(world: World) -> None:
    """Binding where somebody else listens names the endpoint."""
    with pytest.raises(ConfigError, match="endpoint of the delivery"):
        world.server()
