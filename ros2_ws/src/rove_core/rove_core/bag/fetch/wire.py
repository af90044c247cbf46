"""Messages between a learner and the keeper of a robot: typed msgpack, one tagged union each way.

::

    learner                        robot
    List(after)      ------------> Listing                 finished bags, a page at a time
    Ask(bag)         ------------> Preparing | Contents    Preparing: the robot reads it; ask again
    Read(bag, file)  ------------> Piece                   many at once; answered in their order
    Mark(bag)        ------------> Marked                  only now may it be deleted there
    any of them      ------------> Refused

Every answer carries the ``call`` of its question, so that one to an older question is known as
such. A piece is asked for by the SHA-256 of its file: a file that changed meanwhile is refused,
never mixed.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from rove_core.bag.keeping.digests import FileDigest, FileStamp, Sha256
from rove_core.errors import WireError

WIRE_VERSION = 1
PAGE = 256
"""Bags in a ``Listing``."""
LARGEST_TO_ROBOT = 64 * 1024
LARGEST_TO_LEARNER = 16 * 1024 * 1024
"""The contents of a bag of 100 GB; a piece has ``PIECE_BYTES`` and a little."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class List(msgspec.Struct, frozen=True, tag="list"):
    """Asks for the finished bags whose names come after ``after``."""

    call: Count
    after: str = ""
    wire_version: int = WIRE_VERSION


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Asks what a bag holds; ``Preparing`` means: ask again in a while."""

    call: Count
    bag: Name


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Asks for one piece of a file of which ``Contents`` told the SHA-256."""

    call: Count
    bag: Name
    file: Name
    sha256: Sha256
    index: Count


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """Says that these files of a bag, name to SHA-256, are on the learner's disk."""

    call: Count
    bag: Name
    files: dict[Name, Sha256]


class Listed(msgspec.Struct, frozen=True):
    """A finished bag.

    Attributes:
        bag: its name.
        files: stamps on the robot, by name.
        marked: this learner told that it has the bag as it is now.
    """

    bag: Name
    files: dict[Name, FileStamp]
    marked: bool


class Listing(msgspec.Struct, frozen=True, tag="listing"):
    """Finished bags, by name.

    Attributes:
        call: of the question.
        robot: name of the robot's profile.
        bags: the next ones.
        more: there are more after these.
    """

    call: Count
    robot: Name
    bags: tuple[Listed, ...]
    more: bool


class Preparing(msgspec.Struct, frozen=True, tag="preparing"):
    """The robot reads the bag: bytes done and bytes in all."""

    call: Count
    done: Count
    size: Count


class Contents(msgspec.Struct, frozen=True, tag="contents"):
    """What the bag holds, piece by piece."""

    call: Count
    files: tuple[FileDigest, ...]


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """The bytes of a piece, at most ``PIECE_BYTES``."""

    call: Count
    index: Count
    data: bytes


class Marked(msgspec.Struct, frozen=True, tag="marked"):
    """The robot noted that this learner has the bag."""

    call: Count


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """No, and why.

    Attributes:
        call: of the question; 0: it could not even be read.
        reason: for people.
        again: the bag changed; asking for its contents again may help.
    """

    call: Count
    reason: str
    again: bool = False


FromLearner = List | Ask | Read | Mark
FromRobot = Listing | Preparing | Contents | Piece | Marked | Refused

_encoder = msgspec.msgpack.Encoder()
_from_learner: msgspec.msgpack.Decoder[FromLearner] = msgspec.msgpack.Decoder(FromLearner)
_from_robot: msgspec.msgpack.Decoder[FromRobot] = msgspec.msgpack.Decoder(FromRobot)
_Message = TypeVar("_Message")


def encode(message: FromLearner | FromRobot) -> bytes:
    """Return the bytes of a message."""
    return _encoder.encode(message)


def decode_from_learner(data: bytes) -> FromLearner:
    """Return the message of a learner.

    Raises:
        WireError: too large, not msgpack, or not one of the messages.
    """
    return _decode(_from_learner, data, LARGEST_TO_ROBOT)


def decode_from_robot(data: bytes) -> FromRobot:
    """Return the message of a robot.

    Raises:
        WireError: too large, not msgpack, or not one of the messages.
    """
    return _decode(_from_robot, data, LARGEST_TO_LEARNER)


def _decode(decoder: msgspec.msgpack.Decoder[_Message], data: bytes, largest: int) -> _Message:
    if len(data) > largest:
        raise WireError(f"message of {len(data)} bytes given, {largest} allowed")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(
            f"not a message of the fetching of bags, version {WIRE_VERSION}: {error}"
        ) from error
