"""The learner's end of the delivery: push a policy to a robot, ask what runs there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rove_core.curve_client import Patience
from rove_core.delivery.link import Link
from rove_core.delivery.wire import (
    PIECE_BYTES,
    Accepted,
    AlreadyHere,
    FromRobot,
    HaveBytes,
    Offer,
    Piece,
    Query,
    Refused,
    Status,
)
from rove_core.errors import PolicyError
from rove_core.keys import KeyPair
from rove_core.signing import Signature, read_signature

AHEAD = 4  # pieces on their way: the robot polls at its own pace, one piece each would be slow

Progress = Callable[[int, int], None]
"""Called with (bytes on the robot, bytes of the policy)."""


@dataclass(frozen=True)
class Pushed:
    """A policy that the robot took.

    Attributes:
        digest: SHA-256 of the policy, hex.
        already_here: it ran already, nothing was changed.
        sent_bytes: bytes that were sent; fewer than its size when an earlier push had begun.
    """

    digest: str
    already_here: bool
    sent_bytes: int


def push(
    address: str,
    policy_path: str | Path,
    signature: Signature | None,
    key: KeyPair,
    server_public: bytes,
    on_progress: Progress | None = None,
    timeout_s: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Pushed:
    """Bring a signed policy to a robot and wait until it was tried and taken there.

    A connection that breaks and a robot that restarts are waited for; the upload goes on where
    it was.

    Args:
        address: of the robot's delivery, for example ``tcp://10.0.0.7:5580``.
        policy_path: the policy.
        signature: its signature; None: read from ``<policy>.sig``.
        key: this learner's CURVE pair; the robot must have its public half authorised.
        server_public: the robot's public CURVE key (z85).
        on_progress: see ``Progress``.
        timeout_s: longest time without progress, s; the robot's trial of the policy included.
        clock: monotonic, s.

    Raises:
        PolicyError: unsigned, not the signed file, refused by the robot (with its reason), or no
            answer; then the same push later goes on where this one stopped.
        ConfigError: malformed address or key.
    """
    data, digest = _read(Path(policy_path))
    if signature is None:
        signature = read_signature(policy_path)
    if signature.digest != digest:
        raise PolicyError(
            f"{policy_path}: policy {digest[:12]} given, the signature is that of "
            f"{signature.digest[:12]}; sign it again"
        )
    with closing(Link(address, key, server_public)) as link:
        upload = _Upload(link, data, digest, signature, on_progress)
        patience = Patience(timeout_s, clock)
        while True:
            upload.send()
            answer = link.wait(patience)
            if answer is not None:
                done = upload.take(answer)
                if done is not None:
                    return done
            if answer is not None and upload.progressed:
                patience.renew()
            elif patience.over:
                raise _stopped(link, upload, timeout_s)


def running(
    address: str,
    key: KeyPair,
    server_public: bytes,
    timeout_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
) -> Status:
    """Ask a robot which policy runs, what its profile is and whose signatures it accepts.

    Raises:
        PolicyError: no answer within the time, or it refused to tell.
        ConfigError: malformed address or key.
    """
    with closing(Link(address, key, server_public)) as link:
        asked, patience = 0, Patience(timeout_s, clock)
        while not patience.over:
            if link.up and asked != link.generation and link.send(Query()):
                asked = link.generation
            answer = link.wait(patience)
            if isinstance(answer, Status):
                return answer
            if isinstance(answer, Refused):
                raise PolicyError(f"robot at {address}: {answer.reason}")
        raise link.silence(timeout_s, "asking what runs")


class _Upload:
    """What was offered, what was sent and what the robot has."""

    def __init__(
        self,
        link: Link,
        data: bytes,
        digest: str,
        signature: Signature,
        on_progress: Progress | None,
    ) -> None:
        self._link, self._data, self._digest = link, data, digest
        self._signature, self._on_progress = signature, on_progress
        self._attempt = 0
        self._offered = 0  # generation of the link that has our offer, 0: none
        self._sent: int | None = None  # next byte to send; None: the robot has not said
        self._most = -1  # largest offset that the robot ever confirmed
        self._started_over = False
        self.have = 0  # bytes on the robot, as far as we know
        self.sent_bytes = 0
        self.progressed = False

    @property
    def state(self) -> str:
        """How far it is, for people."""
        size = len(self._data)
        if not self._attempt:
            return "offering the policy"
        if self._sent == size:
            return "all bytes were sent; waiting for the robot's trial"
        return f"{self.have} of {size} bytes arrived"

    def send(self) -> None:
        """Send what may be sent now."""
        if not self._link.up:
            return
        if self._offered != self._link.generation:
            offer = Offer(self._attempt + 1, self._digest, len(self._data), self._signature)
            if not self._link.send(offer):
                return
            self._attempt += 1
            self._offered, self._sent = self._link.generation, None
        while self._sent is not None and self._sent < len(self._data):
            if self._sent - self.have >= AHEAD * PIECE_BYTES:
                return
            data = self._data[self._sent : self._sent + PIECE_BYTES]
            if not self._link.send(Piece(self._attempt, self._sent, data)):
                return
            self._sent += len(data)
            self.sent_bytes += len(data)

    def take(self, answer: FromRobot) -> Pushed | None:
        """Take an answer; return the result when it is the last one.

        Raises:
            PolicyError: the robot refused.
        """
        self.progressed = False
        if isinstance(answer, Accepted | AlreadyHere):
            if answer.digest != self._digest:
                return None
            self._report(len(self._data))
            # Our own upload may be "already here": its acceptance was lost with a connection.
            here = isinstance(answer, AlreadyHere) and self.sent_bytes == 0
            return Pushed(self._digest, here, self.sent_bytes)
        if isinstance(answer, HaveBytes) and answer.attempt == self._attempt:
            self._advance(answer.offset)
        elif isinstance(answer, Refused):
            self._refused(answer)
        return None

    def _advance(self, offset: int) -> None:
        if not 0 <= offset <= len(self._data):
            size = len(self._data)
            raise PolicyError(f"robot at {self._link.address}: asked for byte {offset} of {size}")
        # Counted against the most there ever was: a robot that starts over again and again makes
        # no progress.
        self.progressed = offset > self._most
        self._most = max(self._most, offset)
        self.have = offset
        if self._sent is None:
            self._sent = offset
        self._report(offset)

    def _report(self, offset: int) -> None:
        if self._on_progress is not None:
            self._on_progress(offset, len(self._data))

    def _refused(self, answer: Refused) -> None:
        if not answer.again:
            raise PolicyError(
                f"robot at {self._link.address} refused policy {self._digest[:12]}: {answer.reason}"
            )
        if answer.attempt != self._attempt:
            return  # a piece that was on its way when the connection broke
        self._offered = 0
        if not self._started_over:  # what an earlier push left there was damaged
            self._started_over, self._most = True, -1


def _read(path: Path) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: no policy that can be read: {error}") from error
    return data, hashlib.sha256(data).hexdigest()


def _stopped(link: Link, upload: _Upload, timeout_s: float) -> PolicyError:
    error = link.silence(timeout_s, upload.state)
    return PolicyError(
        f"{error}. What arrived stays there: the same push later goes on with it; until then the "
        "robot runs the policy that it ran, unless it was trying the new one just now"
    )
