"""Check "digests": from every command back to a policy that somebody let drive."""

from __future__ import annotations

from typing import Any

from rove_core.bag.verify.check import Check, Seen
from rove_core.vocabulary import Authority

COMMAND, CHUNK, STATUS = "joint_command", "policy/chunk", "policy/status"
FIRST_WITH_APPROVAL = 2
"""The first bag schema version whose ``PolicyStatus`` says whether a person agreed."""


class DigestCheck(Check):
    """The digest of a command is that of its chunk, and the policy of that chunk was approved."""

    name = "digests"
    topics = frozenset({COMMAND, CHUNK, STATUS})

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._chunks: dict[int, dict[str, int]] = {}
        self._first_chunk = 0
        self._approved: dict[str, bool] = {}
        self._used: dict[tuple[int, str, bool], int] = {}
        self._made: dict[str, int] = {}
        self._lost_chunks = 0
        self._count = 0

    def see(self, seen: Seen) -> None:
        """Take a command, a chunk or a status."""
        message = seen.message
        if seen.topic == COMMAND:
            drives = int(message.authority) == Authority.POLICY
            key = (int(message.chunk_id), str(message.policy_digest), drives)
            self._used.setdefault(key, seen.stamp_ns)
        elif seen.topic == CHUNK:
            self._chunk(message, seen)
        elif message.digest:
            approved = bool(getattr(message, "approved", True))
            self._approved[message.digest] = approved or self._approved.get(message.digest, False)

    def _chunk(self, message: Any, seen: Seen) -> None:
        number = int(message.chunk_id)
        self._first_chunk = self._first_chunk or number
        self._chunks.setdefault(number, {}).setdefault(message.policy_digest, seen.stamp_ns)
        self._made.setdefault(message.policy_digest, seen.stamp_ns)
        if self._count and seen.sequence > self._count + 1:
            self._lost_chunks += seen.sequence - self._count - 1
        self._count = seen.sequence

    def finish(self) -> None:
        """Follow the chain from each command."""
        if not self._chunks:
            self.not_checked("no chunk of a policy")
        drove = set()
        for (number, digest, drives), stamp_ns in sorted(self._used.items(), key=lambda i: i[1]):
            if drives and digest:
                drove.add((digest, stamp_ns))
            if self._chunks:
                self._link(number, digest, drives, stamp_ns)
        if STATUS in self.subject.topics and self._approved:
            self._approvals(drove)

    def _link(self, number: int, digest: str, drives: bool, stamp_ns: int) -> None:
        """Check one (chunk, digest) pair that commands name."""
        if not number and not digest:
            if drives:
                text = "authority POLICY without a chunk"
                self.error(text, COMMAND, stamp_ns, kind="no chunk")
            return
        made = self._chunks.get(number)
        if made is None:
            # A chunk of before the bag, or one that is told as lost.
            if number >= self._first_chunk and not self._lost_chunks:
                text = f"chunk {number} is not in the bag"
                self.error(text, COMMAND, stamp_ns, kind="chunk missing")
        elif digest not in made:
            text = f"chunk {number} was made by {_short(made)}, the command names {digest[:12]!r}"
            self.error(text, COMMAND, stamp_ns, kind="digest")

    def _approvals(self, drove: set[tuple[str, int]]) -> None:
        for digest, stamp_ns in sorted(self._made.items(), key=lambda item: item[1]):
            if digest not in self._approved:
                text = f"made by {digest[:12]!r}, which policy/status never names"
                self.error(text, CHUNK, stamp_ns, kind="unknown policy")
        if self.subject.version < FIRST_WITH_APPROVAL:
            return
        for digest in sorted({digest for digest, _ in drove}):
            if not self._approved.get(digest, True):
                first = min(stamp_ns for name, stamp_ns in drove if name == digest)
                text = f"policy {digest[:12]} drove and nobody had agreed to it"
                self.error(text, COMMAND, first, kind="not approved")


def _short(digests: dict[str, int]) -> str:
    return " or ".join(repr(digest[:12]) for digest in digests)
