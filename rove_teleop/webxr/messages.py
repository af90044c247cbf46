"""What the page and the bridge say to each other: JSON texts with a ``type``, and pictures.

The frames and the status are those of the operator wire (:mod:`rove_teleop.wire.messages`), so
that a headset is held to the same checks as an exoskeleton. A picture is one binary message: the
stamp (ROS time, ns) as 8 bytes, little endian, then the JPEG.
"""

from __future__ import annotations

import struct

import msgspec

from rove_core.errors import WireError
from rove_teleop.wire.messages import MAX_MESSAGE_BYTES, Frame, Status

WISHES = {
    "rollout": "start a rollout",
    "demonstration": "start a demonstration",
    "success": "end the episode: success",
    "failure": "end the episode: failure",
    "reset": "lay out the scene again",
    "next": "lay out the next scene",
    "reset_estop": "reset the e-stop",
    "estop": "stop the robot at once",
}
"""What an operator may ask for besides the buttons of a frame -> what it does."""


class Pair(msgspec.Struct, frozen=True, tag="pair", forbid_unknown_fields=True):
    """First message of a page: a code from the robot's side, or the token of before.

    Attributes:
        operator_id: name of the operator, also that of their calibration.
        device: kind of the device, for people.
        code, token: one of the two.
    """

    operator_id: str
    device: str
    code: str = ""
    token: str = ""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Asks for the bridge's clock.

    Attributes:
        t0: ms, the page's monotonic clock.
        offset_ms, round_trip_ms: the page's best estimate so far; ``device + offset`` is the
            bridge's monotonic clock.
    """

    t0: float
    offset_ms: float = 0.0
    round_trip_ms: float = 0.0


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """The page has drawn a picture: room for the next. ``count`` is that of the pictures."""

    count: int


class Wish(msgspec.Struct, frozen=True, tag="wish"):
    """The operator asks for something of ``WISHES``."""

    name: str


FromPage = Pair | Ping | Seen | Wish | Frame


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The page is paired; it keeps the token for its next connection."""

    robot: str
    operator_id: str
    token: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Something was not taken, and why; ``pair_again``: the page has to ask for a code."""

    reason: str
    pair_again: bool = False


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Answer to ``Ping``: ``t1`` is the bridge's monotonic clock, ms."""

    t0: float
    t1: float


class Granted(msgspec.Struct, frozen=True, tag="granted"):
    """What became of a ``Wish``."""

    name: str
    ok: bool
    message: str


ToPage = Welcome | Refused | Pong | Granted | Status

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)


def encode(message: ToPage) -> str:
    """Return the text of a message; what is not finite becomes null."""
    return _encoder.encode(message).decode()


def encode_picture(stamp_ns: int, jpeg: bytes) -> bytes:
    """Return the bytes of a picture."""
    return struct.pack("<q", stamp_ns) + jpeg


def decode(text: str) -> FromPage:
    """Return the message of a page.

    Raises:
        WireError: too large, not JSON, or not one of the messages.
    """
    data = text.encode(errors="replace")
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"message of {len(data)} bytes given, {MAX_MESSAGE_BYTES} allowed")
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message of the page: {error}") from error
