"""The wire's messages: they survive the trip, and nothing else is let in."""

from __future__ import annotations

import contextlib
import itertools
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import WireError
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.wire.check import CONTENT_REASONS, MAX_LATE_NS, WINDOW_NS, FrameChecker
from rove_teleop.wire.messages import (
    IDENTITY,
    MAX_DEVICE_JOINTS,
    MAX_MESSAGE_BYTES,
    Frame,
    Hello,
    Picture,
    Refused,
    Status,
    Welcome,
    decode_from_bridge,
    decode_from_client,
    encode,
)

MS = 1_000_000
FRAME = Frame(
    sequence=1, lease=3, device_stamp_ns=10, head=IDENTITY, left_wrist=IDENTITY,
    right_wrist=IDENTITY, right_squeeze=1.0, buttons=int(Button.TAKEOVER),
)  # fmt: skip
STATUS = Status(
    stamp_ns=1, mode=Mode.HUMAN, authority=Authority.HUMAN, stage=Stage.RECOVERY, reason="",
    lease=2, lease_holder="ann", position_error=0.01, orientation_error=0.2, head=IDENTITY,
    left_wrist=IDENTITY, right_wrist=IDENTITY, notice="calibrate first", finger_error=0.1,
    head_error=0.2,
)  # fmt: skip
OPEN_HAND = tuple(0.01 * i for i in range(25) for _ in range(3))
WHOLE = msgspec.structs.replace(
    FRAME, left_elbow=(0.1, 0.2, 0.9, 0.0, 0.0, 0.0, 1.0), left_elbow_tracked=True,
    left_hand=tuple(0.5 * v for v in OPEN_HAND), right_hand=tuple(-0.4 * v for v in OPEN_HAND),
    device_joints=(0.1, -0.2),
)  # fmt: skip


@pytest.mark.parametrize(
    "message", [Hello("ann", "exo", joint_names=("a", "b"), calibration="ann"), FRAME, WHOLE]
)
def test_a_client_message_survives(message: Hello | Frame) -> None:
    """decode is the inverse of encode."""
    assert decode_from_client(encode(message)) == message


@pytest.mark.parametrize(
    "message", [Welcome("g1"), STATUS, Picture("ego", 5, b"\xff\xd8\x00"), Refused("no")]
)
def test_a_bridge_message_survives(message: Welcome | Status | Picture | Refused) -> None:
    """decode is the inverse of encode, bytes included."""
    assert decode_from_bridge(encode(message)) == message


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    """A decoder returns or raises WireError; nothing else comes out of it."""
    for decode in (decode_from_client, decode_from_bridge):
        with contextlib.suppress(WireError):
            decode(data)


@given(st.integers(0, 300), st.integers(0, 255))
def test_one_wrong_byte_is_a_message_or_a_wire_error(place: int, byte: int) -> None:
    """A frame damaged anywhere never raises anything but WireError."""
    data = bytearray(encode(FRAME))
    data[place % len(data)] = byte
    with contextlib.suppress(WireError):
        decode_from_client(bytes(data))


@pytest.mark.parametrize("name", ["left_elbow", "right_hand", "device_joints"])
def test_a_client_of_version_1_is_understood(name: str) -> None:
    """Version 1 knew no elbows, hands and measured joints: without them a frame means the same."""
    old = msgspec.to_builtins(FRAME)
    del old[name]
    assert decode_from_client(msgspec.msgpack.encode(old)) == FRAME
    hello = {"type": "hello", "operator_id": "ann", "device": "page", "wire_version": 1}
    assert decode_from_client(msgspec.msgpack.encode(hello)) == Hello("ann", "page", 1)


def test_both_hands_fit_into_a_message() -> None:
    """A frame with all it can carry is far smaller than what the bridge takes."""
    full = msgspec.structs.replace(
        WHOLE, left_hand=OPEN_HAND, right_hand=OPEN_HAND, device_joints=(0.1,) * MAX_DEVICE_JOINTS
    )
    assert len(encode(full)) < MAX_MESSAGE_BYTES / 10


def test_wrong_shapes_are_refused() -> None:
    """A pose of six numbers, a word for a number or an unknown kind of message is a WireError."""
    good = msgspec.to_builtins(FRAME)
    for change in ({"head": [0.0] * 6}, {"sequence": "one"}, {"type": "welcome"}, {"type": "?"}):
        with pytest.raises(WireError):
            decode_from_client(msgspec.msgpack.encode(good | change))


def test_messages_to_the_wrong_side_are_refused() -> None:
    """A client cannot play the bridge."""
    with pytest.raises(WireError):
        decode_from_client(encode(STATUS))


def test_oversized_messages_are_refused_before_decoding() -> None:
    """More than 64 KB is refused whatever is in it."""
    with pytest.raises(WireError, match=str(MAX_MESSAGE_BYTES)):
        decode_from_client(encode(Hello("a" * MAX_MESSAGE_BYTES, "")))


def frame(sequence: int = 1, stamp_ns: int = 0, **change: object) -> Frame:
    return msgspec.structs.replace(FRAME, sequence=sequence, device_stamp_ns=stamp_ns, **change)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("not finite", {"right_wrist": (math.nan, 0, 0, 0, 0, 0, 1.0)}),
        ("not finite", {"head": (0, 0, 0, 0, 0, math.inf, 1.0)}),
        ("not finite", {"left_trigger": math.nan}),
        ("out of range", {"right_squeeze": 1.01}),
        ("out of range", {"left_trigger": -0.01}),
        ("out of range", {"lease": -1}),
        ("too far", {"left_wrist": (0, -5.01, 0, 0, 0, 0, 1.0)}),
        ("quaternion", {"right_wrist": (0.0,) * 7}),
        ("quaternion", {"head": (0, 0, 0, 0, 0, 0, 1.002)}),
        ("buttons", {"buttons": 1 << 20}),
        ("buttons", {"buttons": -1}),
        ("not finite", {"left_elbow": (math.nan, 0, 0, 0, 0, 0, 1.0)}),
        ("quaternion", {"right_elbow": (0.0,) * 7}),
        ("not finite", {"left_hand": (math.nan, *OPEN_HAND[1:])}),
        ("hand", {"left_hand": OPEN_HAND[:-3]}),
        ("hand", {"right_hand": (*OPEN_HAND[:-1], 1.0)}),
        ("hand", {"right_hand": tuple(v + 6.0 for v in OPEN_HAND)}),
        ("not finite", {"device_joints": (math.inf, 0.0)}),
        ("device joints", {"device_joints": (0.1,)}),
        ("device joints", {"device_joints": (0.1, 0.2, 0.3)}),
        ("device joints", {"device_joints": (90.0, 0.0)}),
    ],
)
def test_each_fault_has_its_reason(reason: str, change: dict[str, object]) -> None:
    """A single fault gives exactly its reason, is counted, and does not spoil the next frame."""
    checker = FrameChecker(device_joints=2)
    assert checker.check(frame(1, **change), 0) == (None, (reason,))
    assert checker.counts == {reason: 1}
    assert checker.check(frame(1), 0)[0] is not None


def test_a_whole_frame_passes_unchanged() -> None:
    """Elbows, hands and measured joints go through; a device that measures joints may send none."""
    checker = FrameChecker(device_joints=2)
    accepted, reasons = checker.check(WHOLE, 0)
    assert not reasons
    assert accepted == WHOLE
    assert checker.check(frame(2, 10), 0)[0] is not None
    assert FrameChecker().check(WHOLE, 0)[1] == ("device joints",)


numbers = st.floats(width=64) | st.floats(-1.1, 1.1)
poses = st.tuples(*[numbers] * 7)


@given(poses, poses, poses, st.lists(numbers, min_size=4, max_size=4), st.integers(-5, 64))
def test_what_passes_can_move_a_robot(
    head: tuple[float, ...], left: tuple[float, ...], right: tuple[float, ...],
    levels: list[float], buttons: int,
) -> None:  # fmt: skip
    """An accepted frame is finite, in range, within 5 m and has unit quaternions; else a reason."""
    given_frame = frame(
        head=head, left_wrist=left, right_wrist=right, buttons=buttons, left_squeeze=levels[0],
        right_squeeze=levels[1], left_trigger=levels[2], right_trigger=levels[3],
    )  # fmt: skip
    accepted, reasons = FrameChecker().check(given_frame, 0)
    if accepted is None:
        assert reasons
        assert CONTENT_REASONS.issuperset(reasons)
        return
    for pose in (accepted.head, accepted.left_wrist, accepted.right_wrist):
        assert math.isclose(math.hypot(*pose[3:]), 1.0, abs_tol=1e-12)
        assert math.hypot(*pose[:3]) <= 5.0
    assert all(0.0 <= level <= 1.0 for level in levels)
    assert 0 <= buttons < 32


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30))
def test_accepted_frames_only_go_forward(pairs: list[tuple[int, int]]) -> None:
    """Of any frames, the accepted ones rise strictly in sequence and never fall in time."""
    checker = FrameChecker()
    accepted = [
        f for s, t in pairs if (f := checker.check(frame(s, t * MS), 10 * MS)[0]) is not None
    ]
    assert all(a.sequence < b.sequence and a.device_stamp_ns <= b.device_stamp_ns
               for a, b in itertools.pairwise(accepted))  # fmt: skip


def test_a_burst_of_old_frames_is_refused() -> None:
    """After a stall of the network the old frames come at once: none of them moves the robot."""
    checker, period = FrameChecker(), 14 * MS
    for i in range(1, 100):
        assert checker.check(frame(i, i * period), i * period + 3 * MS)[0] is not None
    end = 199 * period
    verdicts = {i: checker.check(frame(i, i * period), end)[1] for i in range(100, 200)}
    late = {i for i, reasons in verdicts.items() if reasons == ("late",)}
    # 3 ms of way are normal; a frame is late when it is MAX_LATE older than that.
    assert late == {i for i in range(100, 200) if end - i * period > MAX_LATE_NS + 3 * MS}
    assert len(late) > 80


def test_a_slower_network_is_forgiven() -> None:
    """A way that became longer for good refuses frames for two windows at most."""
    checker, period, now = FrameChecker(), 100 * MS, 0
    verdicts = []
    for i in range(1, 600):
        way = 5 * MS if i < 50 else 400 * MS
        now = i * period + way
        verdicts.append(checker.check(frame(i, i * period), now)[1])
    assert ("late",) in verdicts
    assert all(not v for v in verdicts[50 + 2 * WINDOW_NS // period :])


def test_a_leap_of_the_device_clock_does_not_lock_the_client_out() -> None:
    """One stamp far in the future is refused itself, not everything after it."""
    checker = FrameChecker()
    assert checker.check(frame(1, 10 * MS), 10 * MS)[0] is not None
    assert checker.check(frame(2, 10**18), 20 * MS)[1] == ("time leaps",)
    assert checker.check(frame(3, 30 * MS), 30 * MS)[0] is not None
