"""Laws of the stamps of a device's frames: wall time, never after now, of one connection each."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import WireError
from rove_teleop.wire.frame_times import OLDEST_NS, FrameClocks
from rove_teleop.wire.messages import IDENTITY, Frame, Status, decode_from_client, encode
from rove_teleop.wire.server import Client

MS = 1_000_000
WALL = 1_800_000_000 * 1_000 * MS
EVE, ADAM = Client("eve", "quest3", b"1"), Client("adam", "quest3", b"2")


def frame(sequence: int, device_ns: int, **fields: int) -> Frame:
    """Return a frame that was sent at a time of the device's clock."""
    return Frame(
        sequence=sequence, lease=0, device_stamp_ns=device_ns,
        head=IDENTITY, left_wrist=IDENTITY, right_wrist=IDENTITY, **fields,
    )  # fmt: skip


@given(st.integers(-(10**15), 10**15), st.integers(0, 90), st.integers(0, 90), st.integers(0, 50))
def test_times_of_a_device_that_echoes(offset: int, there: int, back: int, seen: int) -> None:
    """Pose and picture are placed within half the round trip, and never after now."""
    clocks, told = FrameClocks(), WALL
    heard = told + there * MS - offset
    sent = heard + 5 * MS
    received = sent + offset + back * MS
    shown = sent - seen * MS
    found = clocks.times(
        EVE,
        frame(1, sent, status_ns=told, status_heard_ns=heard, picture_ns=7, picture_shown_ns=shown),
        received,
    )
    half = (there + back) * MS // 2 + 1
    assert found.received_ns == received
    assert abs(found.captured_ns - (sent + offset)) <= half
    assert found.picture_ns == 7
    assert abs(found.shown_ns - (shown + offset)) <= half
    assert max(found.captured_ns, found.shown_ns) <= received


def test_a_device_that_started_anew_has_a_new_clock() -> None:
    """A page that was loaded again counts from zero; the old clock would place it hours away."""
    clocks = FrameClocks()
    clocks.times(EVE, frame(900, 3_600_000 * MS), WALL)
    found = clocks.times(EVE, frame(1, 4 * MS), WALL + 10 * MS)
    assert found.captured_ns == WALL + 10 * MS
    other = clocks.times(ADAM, frame(2, 99 * MS), WALL + 20 * MS)
    assert other.captured_ns == WALL + 20 * MS


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**63 - 1))
def test_stamps_of_a_mistaken_device_are_unknown(stamp: int, picture: int) -> None:
    """Whatever number a device sends, a time is near now or not known, and fits a message."""
    clocks = FrameClocks()
    clocks.times(EVE, frame(1, 0), WALL)
    found = clocks.times(
        EVE, frame(2, 20 * MS, picture_ns=picture, picture_shown_ns=stamp), WALL + 20 * MS
    )
    assert found.shown_ns == 0 or 0 <= WALL + 20 * MS - found.shown_ns < OLDEST_NS
    assert (found.picture_ns == 0) is (found.shown_ns == 0)


def test_who_left_is_forgotten() -> None:
    """Clocks of clients that are gone take no memory."""
    clocks = FrameClocks()
    for number in range(50):
        clocks.times(Client(str(number), "x", b""), frame(1, 0), WALL)
    clocks.keep([EVE])
    assert not clocks._clocks


@pytest.mark.parametrize("field", ["device_stamp_ns", "status_ns", "picture_shown_ns"])
def test_a_stamp_that_fits_no_message_is_refused(field: str) -> None:
    """A stamp of 2^63 was accepted and ended the bridge when it became a message's int64."""
    words = msgspec.msgpack.decode(encode(frame(1, 0))) | {field: 2**63}
    with pytest.raises(WireError):
        decode_from_client(msgspec.msgpack.encode(words))


def test_a_status_says_when_it_was_sent() -> None:
    """Its default is 0, so that an older bridge is understood: the device echoes nothing then."""
    assert {f.name: f.default for f in msgspec.structs.fields(Status)}["sent_ns"] == 0
