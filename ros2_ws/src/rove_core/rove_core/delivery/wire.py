"""Messages between a learner and a robot: typed msgpack, one tagged union each way.

An upload, and what may come instead::

    learner                      robot
    Offer        ------------->  HaveBytes(offset) | AlreadyHere | Refused
    Piece ...    ------------->  HaveBytes(offset)               | Refused
    last Piece   ------------->  Accepted                        | Refused
    Query        ------------->  Status

The robot decides from which offset the learner sends. Every message of an upload carries the
``attempt`` of its offer, so that an answer to an older attempt is known as such.
"""

from __future__ import annotations

import msgspec

from rove_core.errors import WireError
from rove_core.signing import Digest, Signature

WIRE_VERSION = 1
PIECE_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = PIECE_BYTES + 4096  # the rest of a message is far below that
MAX_POLICY_BYTES = 64 * 1024 * 1024


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Asks for ``Status``."""

    wire_version: int = WIRE_VERSION


class Offer(msgspec.Struct, frozen=True, tag="offer"):
    """Offers a policy.

    Attributes:
        attempt: number of this offer, chosen by the learner, larger than in its last one.
        digest: SHA-256 of the policy, hex.
        size: of the policy, bytes.
        signature: with the robot that the policy is for; None: unsigned, which is refused.
    """

    attempt: int
    digest: Digest
    size: int
    signature: Signature | None
    wire_version: int = WIRE_VERSION


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """The bytes of the offered policy from ``offset`` on, at most ``PIECE_BYTES``."""

    attempt: int
    offset: int
    data: bytes


class Status(msgspec.Struct, frozen=True, tag="status"):
    """What runs on a robot.

    Attributes:
        robot, robot_digest: its profile.
        digest: of the policy that runs, "" when none does.
        previous: of the one that ran before, "" when there was none.
        trusted: ids of the keys whose signatures it accepts.
    """

    robot: str
    robot_digest: str
    digest: str
    previous: str
    trusted: tuple[str, ...]
    wire_version: int = WIRE_VERSION


class HaveBytes(msgspec.Struct, frozen=True, tag="have"):
    """The first ``offset`` bytes are on the robot's disk; the rest is wanted."""

    attempt: int
    offset: int


class AlreadyHere(msgspec.Struct, frozen=True, tag="here"):
    """This policy runs already."""

    attempt: int
    digest: str


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The policy was verified, tried and stored; the robot swaps it in when it suits (between
    chunks or episodes), ``Status`` tells when."""

    attempt: int
    digest: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The old policy keeps running, and why.

    Attributes:
        attempt: of the upload; 0: of a message that belongs to none.
        reason: for people; the one exception to the first line says so here.
        again: a new offer may go on; it says from which byte. False: this policy is refused.
    """

    attempt: int
    reason: str
    again: bool = False


FromLearner = Query | Offer | Piece
FromRobot = Status | HaveBytes | AlreadyHere | Accepted | Refused

_encoder = msgspec.msgpack.Encoder()
_from_learner: msgspec.msgpack.Decoder[FromLearner] = msgspec.msgpack.Decoder(FromLearner)
_from_robot: msgspec.msgpack.Decoder[FromRobot] = msgspec.msgpack.Decoder(FromRobot)


def encode(message: FromLearner | FromRobot) -> bytes:
    """Return the bytes of a message."""
    return _encoder.encode(message)


def decode_from_learner(data: bytes) -> FromLearner:
    """Return the message of a learner.

    Raises:
        WireError: too large, not msgpack, or not one of the messages.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"message of {len(data)} bytes given, {MAX_MESSAGE_BYTES} allowed")
    try:
        return _from_learner.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message of delivery version {WIRE_VERSION}: {error}") from error


def decode_from_robot(data: bytes) -> FromRobot:
    """Return the message of a robot.

    Raises:
        WireError: not msgpack, or not one of the messages.
    """
    try:
        return _from_robot.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message of delivery version {WIRE_VERSION}: {error}") from error
