"""A visit: nothing without pairing, one seat, the wire's checks, and never an exception."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webxr_examples import frame_dict, frame_text, pair_text

from rove_teleop.webxr.messages import Pong, Refused, Welcome
from rove_teleop.webxr.pairing import PairingDesk
from rove_teleop.webxr.visit import BURST, PICTURES_ON_THE_WAY, Hall, Visit
from rove_teleop.wire.messages import MAX_MESSAGE_BYTES


class Clock:
    """A clock that moves on by 10 ms at each look, or stands."""

    def __init__(self, step_ns: int = 10_000_000) -> None:
        self.now, self.step_ns = 0, step_ns

    def __call__(self) -> int:
        """Return ns."""
        self.now += self.step_ns
        return self.now


def hall(step_ns: int = 10_000_000) -> Hall:
    """Return a hall with nobody in it."""
    clock = Clock(step_ns)
    return Hall("g1", PairingDesk(clock), clock)


def seated(at: Hall, name: str = "ann") -> Visit:
    """Return the visit of an operator who has just paired."""
    visit = Visit(at)
    taken = visit.take(pair_text(at.desk.code, name))
    assert isinstance(taken.answers[0], Welcome)
    assert taken.seated
    return visit


def test_nothing_is_taken_before_pairing() -> None:
    """Frames, wishes and pings of a stranger are refused, counted, and end the connection; it is
    shown no picture."""
    for text in (frame_text(1), '{"type":"wish","name":"estop"}', '{"type":"ping","t0":1}'):
        at = hall()
        visit = Visit(at)
        taken = visit.take(text)
        assert taken.frame is None
        assert not taken.wish
        assert taken.close
        assert at.counts["not paired"] == 1
        assert not visit.wants_picture


def test_a_paired_page_drives() -> None:
    """Its frames come through with what the page did not say left at its default."""
    at = hall()
    visit = seated(at)
    taken = visit.take(frame_text(1, buttons=1, right_squeeze=0.7))
    assert taken.frame is not None
    assert taken.frame.buttons == 1
    assert taken.frame.right_squeeze == 0.7
    assert taken.frame.left_hand == ()
    assert visit.echo == (1, 13_000_000)


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_fields = st.sampled_from([*frame_dict(1), "left_trigger", "left_hand", "buttons", "device_joints"])


@given(_fields, _junk)
def test_a_bad_field_never_reaches_the_robot(name: str, value: Any) -> None:
    """Whatever stands in a field: the frame is accepted whole and finite, or refused."""
    visit = seated(hall())
    taken = visit.take(json.dumps(frame_dict(1) | {name: value}))
    if (frame := taken.frame) is not None:
        for pose in (frame.head, frame.left_wrist, frame.right_wrist):
            assert all(math.isfinite(v) for v in pose)
            assert math.hypot(*pose[3:]) == pytest.approx(1.0)
        assert 0.0 <= frame.left_trigger <= 1.0
    else:
        assert isinstance(taken.answers[0], Refused) or taken.wish or not taken.answers


@given(st.text(max_size=200))
def test_any_text_is_survived(text: str) -> None:
    """No text raises, and none drives: not for a stranger, not for the one who is paired."""
    at = hall()
    assert Visit(at).take(text).frame is None
    assert seated(at).take(text).frame is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"head": [0, 0, 1.6, 0, 0, 0, 0]}, "quaternion"),
        ({"left_wrist": [9, 0, 0, 0, 0, 0, 1]}, "too far"),
        ({"right_squeeze": 1.5}, "out of range"),
        ({"buttons": 1 << 20}, "buttons"),
        ({"left_hand": [0.0] * 74}, "hand"),
        ({"sequence": 0}, "sequence"),
        ({"head": "up"}, "malformed"),
        ({"head": [0, 0, 1.6, 0, 0, 1]}, "malformed"),
    ],
)
def test_refusals_are_counted_by_reason(change: dict[str, Any], reason: str) -> None:
    """The checks are those of the operator wire."""
    at = hall()
    visit = seated(at)
    assert visit.take(json.dumps(frame_dict(1) | change)).frame is None
    assert at.counts[reason] == 1


def test_a_replayed_frame_is_refused() -> None:
    """The same frame twice, and an older one, are refused and counted."""
    at = hall()
    visit = seated(at)
    assert visit.take(frame_text(5)).frame is not None
    assert visit.take(frame_text(5)).frame is None
    assert visit.take(frame_text(4)).frame is None
    assert at.counts["sequence"] == 2


def test_an_oversized_message_is_refused() -> None:
    """More than the wire allows is not even parsed."""
    at = hall()
    assert seated(at).take(frame_text(1, note="x" * MAX_MESSAGE_BYTES)).frame is None
    assert at.counts["malformed"] == 1


def test_a_flood_is_refused() -> None:
    """Who sends more than the burst at once is refused until time has passed."""
    at = hall(step_ns=0)
    visit = seated(at)
    frames = [visit.take(frame_text(i)).frame for i in range(1, 2 * BURST)]
    assert sum(frame is not None for frame in frames) == BURST - 1
    assert at.counts["too fast"] == len(frames) - BURST + 1


def test_one_operator_at_a_time() -> None:
    """While ann is connected a right code seats nobody else, and stays good until she leaves."""
    at = hall()
    ann = seated(at)
    code = at.desk.code
    bob = Visit(at)
    taken = bob.take(pair_text(code, "bob"))
    assert taken.close
    assert "ann" in str(taken.answers)
    assert at.seat is ann
    ann.leave()
    assert Visit(at).take(pair_text(code, "bob")).seated


def test_the_same_page_returns_and_the_old_connection_is_dead() -> None:
    """After a lost network the token takes the seat; frames of the former connection are none."""
    at = hall()
    old = seated(at)
    assert at.desk.paired is not None
    new = Visit(at)
    assert new.take(pair_text(token=at.desk.paired.token)).seated
    assert at.seat is new
    assert new.take(frame_text(1)).frame is not None
    assert old.take(frame_text(1)).frame is None
    old.leave()
    assert at.seat is new


def test_a_token_is_not_transferable() -> None:
    """Somebody of another name cannot come in with ann's token."""
    at = hall()
    seated(at)
    assert at.desk.paired is not None
    taken = Visit(at).take(pair_text(name="bob", token=at.desk.paired.token))
    assert not taken.seated
    assert taken.close


@pytest.mark.parametrize("name", ["", "a b", "x" * 33, "../ann", "ann\n"])
def test_names_are_checked(name: str) -> None:
    """A name that could not be kept as a calibration is refused, and the code is not used up."""
    at = hall()
    code = at.desk.code
    assert not Visit(at).take(pair_text(code, name)).seated
    assert at.desk.code == code


def test_nobody_comes_in_under_a_name_that_is_in_use() -> None:
    """The arbiter tells operators apart by name: an exoskeleton's wearer cannot be doubled."""
    at = hall()
    at.names_taken = {"ann"}
    assert not Visit(at).take(pair_text(at.desk.code)).seated


def test_pictures_wait_for_the_page() -> None:
    """No more are on the way than the page has drawn, whatever it claims to have seen."""
    at = hall()
    visit = seated(at)
    for _ in range(PICTURES_ON_THE_WAY):
        assert visit.wants_picture
        visit.picture_sent()
    assert not visit.wants_picture
    visit.take('{"type":"seen","count":1000000}')
    for _ in range(PICTURES_ON_THE_WAY):
        assert visit.wants_picture
        visit.picture_sent()
    assert not visit.wants_picture


def test_the_clock_is_told_and_the_pages_estimate_kept() -> None:
    """A pong carries the page's stamp back and this clock; the estimate is there to be read."""
    visit = seated(hall())
    taken = visit.take('{"type":"ping","t0":12.5,"offset_ms":-3.25,"round_trip_ms":4.0}')
    (pong,) = taken.answers
    assert isinstance(pong, Pong)
    assert pong.t0 == 12.5
    assert pong.t1 > 0
    assert (visit.offset_ms, visit.round_trip_ms) == (-3.25, 4.0)


def test_only_known_wishes_are_passed_on() -> None:
    """An unknown wish is refused with those that are allowed."""
    visit = seated(hall())
    assert visit.take('{"type":"wish","name":"rollout"}').wish == "rollout"
    taken = visit.take('{"type":"wish","name":"dance"}')
    assert not taken.wish
    assert "rollout" in str(taken.answers)
