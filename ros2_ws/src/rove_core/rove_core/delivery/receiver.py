"""Receiver: the robot's side of an upload as decisions, one answer for each message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rove_core.delivery.store import PARTS, Partial, PolicyStore, Stored
from rove_core.delivery.wire import (
    MAX_POLICY_BYTES,
    PIECE_BYTES,
    WIRE_VERSION,
    Accepted,
    AlreadyHere,
    FromLearner,
    FromRobot,
    HaveBytes,
    Offer,
    Piece,
    Query,
    Refused,
    Status,
)
from rove_core.errors import PolicyError, RoveError
from rove_core.signing import DigestMismatchError, Signature, check_signature, verify

Accept = Callable[[Path, Signature], str]
"""Tries a verified policy and takes it over, at once or when it suits the robot; returns "", or why
it keeps the old one."""


@dataclass(frozen=True)
class Outcome:
    """What became of an offered policy, for the log of the robot.

    Attributes:
        digest: of the policy.
        accepted: whether it runs now.
        reason: why not, "" when it does.
    """

    digest: str
    accepted: bool
    reason: str = ""


class _DamagedError(PolicyError):
    """The bytes are wrong, but a fresh upload may be right."""


@dataclass
class _Upload:
    offer: Offer
    signature: Signature
    part: Partial
    resumed: bool  # begun by an earlier offer


class Receiver:
    """Takes the messages of learners that may talk to this robot.

    A signature is checked before the first byte is stored, the whole file before ``accept`` sees
    it, and a policy enters the store only after ``accept`` took it.

    Args:
        store: where policies live.
        accept: see ``Accept``. Its path ends with ``.part``: load the bytes, do not keep the path.
        robot, robot_digest: profile of this robot. A policy signed for another name is refused;
            another digest is not, see ``PolicyManifest.require_fit``.
        trusted: returns key id -> public half; asked at each offer, so that a key that was
            added or taken away counts at once.
        running: returns the digest of the policy that runs; None: what the store points to, which
            is the same only where ``accept`` swaps at once.
        max_bytes: largest policy.
        keep: policies that stay in the store.
    """

    def __init__(
        self,
        store: PolicyStore,
        accept: Accept,
        robot: str,
        robot_digest: str,
        trusted: Callable[[], Mapping[str, bytes]],
        running: Callable[[], str] | None = None,
        max_bytes: int = MAX_POLICY_BYTES,
        keep: int = 5,
    ) -> None:
        self._store, self._accept = store, accept
        self._robot, self._robot_digest = robot, robot_digest
        self._trusted, self._max_bytes, self._keep = trusted, max_bytes, keep
        self._running = running if running is not None else lambda: store.current().digest
        self._uploads: dict[bytes, _Upload] = {}  # by peer; the one that waited longest is first
        self._outcomes: list[Outcome] = []

    def take(self, peer: bytes, message: FromLearner) -> FromRobot:
        """Return the answer to a message; what a peer sends raises nothing."""
        upload = self._uploads.get(peer)
        try:
            if isinstance(message, Query):
                return self._status(message)
            if isinstance(message, Offer):
                return self._offer(peer, message)
            if upload is None or upload.offer.attempt != message.attempt:
                return Refused(message.attempt, "a piece that belongs to no offer", again=True)
            return self._piece(upload, message)
        except (RoveError, OSError) as error:
            if isinstance(message, Query):
                return Refused(0, str(error))
            if isinstance(message, Offer):
                digest = message.digest
            else:
                assert upload is not None  # otherwise the piece was answered above
                digest = upload.offer.digest
            self._outcomes.append(Outcome(digest, False, str(error)))
            return Refused(message.attempt, str(error), isinstance(error, _DamagedError))

    def outcomes(self) -> list[Outcome]:
        """Return what was accepted and refused since the last call."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def close(self) -> None:
        """Close the files of unfinished uploads; a later offer goes on with them."""
        for upload in list(self._uploads.values()):
            self._forget(upload)

    def _status(self, query: Query) -> Status:
        _require_version(query.wire_version)
        digest, trusted = self._running(), tuple(sorted(self._trusted()))
        previous = self._store.current().previous
        return Status(self._robot, self._robot_digest, digest, previous, trusted)

    def _offer(self, peer: bytes, offer: Offer) -> FromRobot:
        _require_version(offer.wire_version)
        signature, digest = offer.signature, offer.digest
        where = f"offer of {digest[:12]}"
        if signature is None:
            raise PolicyError(f"{where}: unsigned policy given, a signed one allowed")
        if signature.digest != digest:
            raise PolicyError(f"{where}: the signature is that of {signature.digest[:12]}")
        if not 1 <= offer.size <= self._max_bytes:
            raise PolicyError(f"{where}: {offer.size} bytes given, 1 to {self._max_bytes} allowed")
        trusted = self._trusted()
        check_signature(signature, trusted, where)
        if signature.robot != self._robot:
            raise PolicyError(
                f"{where}: signed for robot {signature.robot!r}, this robot is {self._robot!r}"
            )
        if self._store.path(digest).is_file():
            try:
                stored = self._store.open(digest, trusted)
            except PolicyError:
                self._store.discard(digest)  # damaged since it came: receive it anew
            else:
                return self._again(offer, stored)
        # Whoever offers last goes on: it may be the same learner on a new connection.
        for other, upload in list(self._uploads.items()):
            if other == peer or upload.offer.digest == digest:
                self._forget(upload)
        while len(self._uploads) >= PARTS:
            self._forget(next(iter(self._uploads.values())))
        part = self._store.begin(digest, offer.size)
        self._uploads[peer] = _Upload(offer, signature, part, part.offset > 0)
        return self._progress(self._uploads[peer])

    def _piece(self, upload: _Upload, piece: Piece) -> FromRobot:
        try:
            if len(piece.data) > PIECE_BYTES:
                raise PolicyError(f"piece of {len(piece.data)} bytes given, {PIECE_BYTES} allowed")
            upload.part.append(piece.offset, piece.data)
        except (RoveError, OSError):
            self._drop(upload)
            raise
        return self._progress(upload)

    def _progress(self, upload: _Upload) -> FromRobot:
        offer, signature, part = upload.offer, upload.signature, upload.part
        if part.offset < offer.size:
            return HaveBytes(offer.attempt, part.offset)
        try:
            verify(part.path, signature, self._trusted())
            self._try(part.path, signature)
        except DigestMismatchError as error:
            self._drop(upload)
            if upload.resumed:  # bytes of an earlier connection may be to blame
                raise _DamagedError(str(error)) from error
            raise
        except RoveError:
            self._drop(upload)
            raise
        self._forget(upload)
        self._adopt(offer.digest, lambda: self._store.commit(signature))
        return Accepted(offer.attempt, offer.digest)

    def _again(self, offer: Offer, stored: Stored) -> FromRobot:
        """Answer to an offer of a policy that is in the store and was verified just now."""
        if offer.digest == self._running():
            return AlreadyHere(offer.attempt, offer.digest)
        self._try(stored.path, stored.signature)  # an older one is pushed again: no bytes needed
        self._adopt(offer.digest)
        return Accepted(offer.attempt, offer.digest)

    def _try(self, path: Path, signature: Signature) -> None:
        try:
            reason = self._accept(path, signature)
        except Exception as error:
            # A policy that breaks its own trial must not break the robot's node.
            raise PolicyError(f"the trial failed: {type(error).__name__}: {error}") from error
        if reason:
            raise PolicyError(reason)

    def _adopt(self, digest: str, commit: Callable[[], object] = lambda: None) -> None:
        try:
            commit()
            self._store.make_current(digest)
            self._store.keep(self._keep)
        except (RoveError, OSError) as error:
            raise PolicyError(
                f"the robot took the policy, but it is lost at a restart: storing failed: {error}"
            ) from error
        self._outcomes.append(Outcome(digest, True))

    def _drop(self, upload: _Upload) -> None:
        self._forget(upload)
        self._store.abandon(upload.offer.digest)

    def _forget(self, upload: _Upload) -> None:
        upload.part.close()
        self._uploads = {p: u for p, u in self._uploads.items() if u is not upload}


def _require_version(version: int) -> None:
    if version != WIRE_VERSION:
        raise PolicyError(f"delivery wire version {version} given, {WIRE_VERSION} allowed")
