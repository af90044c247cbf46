"""Messages of the delivery: they survive the trip, and nothing else is understood."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.delivery.wire import (
    MAX_MESSAGE_BYTES,
    PIECE_BYTES,
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
    decode_from_learner,
    decode_from_robot,
    encode,
)
from rove_core.errors import WireError
from rove_core.signing import Signature

SIGNATURE = Signature(
    format_version=1, digest="0" * 64, robot="g1", robot_digest="d", key_id="1" * 32, created_ns=5,
    signature=bytes(range(64)),
)  # fmt: skip
LEARNER: list[FromLearner] = [
    Query(), Offer(1, "0" * 64, 9, SIGNATURE), Offer(1, "0" * 64, 9, None), Piece(1, 2, b"abc"),
]  # fmt: skip
ROBOT: list[FromRobot] = [
    Status("g1", "d", "0" * 64, "", ("k",)), HaveBytes(1, 2), AlreadyHere(1, "0" * 64),
    Accepted(1, "0" * 64), Refused(1, "no"), Refused(0, "no", again=True),
]  # fmt: skip


@pytest.mark.parametrize("message", LEARNER)
def test_a_learners_message_survives_the_trip(message: FromLearner) -> None:
    """What was sent is what is received, and a robot's message it is not."""
    assert decode_from_learner(encode(message)) == message
    with pytest.raises(WireError, match="version"):
        decode_from_robot(encode(message))


@pytest.mark.parametrize("message", ROBOT)
def test_a_robots_message_survives_the_trip(message: FromRobot) -> None:
    """What was sent is what is received, and a learner's message it is not."""
    assert decode_from_robot(encode(message)) == message
    with pytest.raises(WireError, match="version"):
        decode_from_learner(encode(message))


def test_the_largest_piece_fits_and_a_larger_message_does_not() -> None:
    """The limit leaves room for the rest of a full piece."""
    full = encode(Piece(2**63 - 1, 2**63 - 1, bytes(PIECE_BYTES)))
    assert decode_from_learner(full)
    with pytest.raises(WireError, match=str(MAX_MESSAGE_BYTES)):
        decode_from_learner(bytes(MAX_MESSAGE_BYTES + 1))


@pytest.mark.parametrize("digest", ["", "0" * 63, "../" + "0" * 61, "0" * 64 + "\n", "G" * 64])
def test_a_digest_that_is_none_does_not_get_in(digest: str) -> None:
    """A digest becomes a file name on the robot: only 64 hex digits are one."""
    with pytest.raises(WireError):
        decode_from_learner(encode(Offer(1, digest, 9, None)))
    forged = msgspec.structs.replace(SIGNATURE, digest=digest)
    with pytest.raises(WireError):
        decode_from_learner(encode(Offer(1, "0" * 64, 9, forged)))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.sampled_from(LEARNER).map(encode)), st.data())
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes, draw: st.DataObject) -> None:
    """Foreign, cut and damaged bytes raise WireError and nothing else, on both sides."""
    damaged = bytearray(data)
    if damaged:
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    for decode in (decode_from_learner, decode_from_robot):
        with contextlib.suppress(WireError):
            decode(bytes(damaged))
