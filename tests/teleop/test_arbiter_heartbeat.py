"""Heartbeats: who must be there answers in time and rightly, or the robot stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_core.vocabulary import Mode
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.heartbeat import (
    HeartbeatAnswer,
    answer_to,
    hear,
    heartbeats,
    renew,
)
from rove_teleop.arbiter.inputs import Inputs, JointSample, Request, ResetEmergencyStop
from rove_teleop.arbiter.machine import step
from rove_teleop.arbiter.state import ArbiterState, initial_state
from rove_teleop.arbiter.timeouts import Timeouts

KEY = b"a key of this test"
LIMITS = Timeouts()
TICK = 0.005


class Guarded:
    """An arbiter with a guard, on a clock of its own; joints arrive in every tick."""

    def __init__(self, *names: str) -> None:
        self.state: ArbiterState = initial_state(7, 3, LIMITS, heartbeats(names, KEY))
        self.now, self.challenge = 20.0, 0
        self.reason, self.mode = "", Mode.HOLD

    def tick(self, *answers: HeartbeatAnswer, requests: tuple[Request, ...] = ()) -> Decision:
        self.now += TICK
        ros_ns = int(self.now * 1e9)
        joints = JointSample(np.zeros(3), ros_ns)
        inputs = Inputs(ros_ns, joints, heartbeats=answers, requests=requests)
        self.state, decision = step(self.state, inputs, self.now)
        self.challenge, self.mode = decision.challenge, decision.mode
        self.reason = decision.reason
        return decision

    def right(self, name: str = "supervisor") -> HeartbeatAnswer:
        return HeartbeatAnswer(name, 7, self.challenge, answer_to(name, 7, self.challenge))

    def run(self, seconds: float, *names: str) -> None:
        for _ in range(round(seconds / TICK)):
            self.tick(*(self.right(name) for name in names))


def test_nobody_is_asked_by_default() -> None:
    """Without mandatory names there is no challenge and the start does not wait."""
    plain = Guarded()
    plain.run(0.1)
    assert plain.challenge == 0
    assert plain.mode is Mode.IDLE


def test_the_start_waits_for_every_name() -> None:
    """HOLD until all answer, and the one that does not is named."""
    guarded = Guarded("supervisor", "console")
    guarded.run(1.0, "supervisor")
    assert guarded.mode is Mode.HOLD
    assert "'console'" in guarded.reason
    guarded.run(0.1, "supervisor", "console")
    assert guarded.mode is Mode.IDLE


def test_silence_stops_the_robot_in_time() -> None:
    """ESTOP when the last right answer is older than ``heartbeat``, not before; it says who."""
    guarded = Guarded("supervisor")
    guarded.run(1.0, "supervisor")
    last = guarded.now
    while guarded.mode is not Mode.ESTOP:
        guarded.tick()
        assert guarded.now - last <= LIMITS.heartbeat + 1.5 * TICK
    assert guarded.now - last > LIMITS.heartbeat
    assert "'supervisor'" in guarded.reason


def test_a_wrong_answer_stops_at_once_and_is_no_sign_of_life() -> None:
    """ESTOP in the tick of the wrong answer; only wrong answers keep nothing alive."""
    guarded = Guarded("supervisor")
    guarded.run(1.0, "supervisor")
    heard = guarded.state.heartbeats.heard
    wrong = HeartbeatAnswer("supervisor", 7, guarded.challenge, 5)
    decision = guarded.tick(wrong)
    assert decision.mode is Mode.ESTOP
    assert decision.rejected["heartbeat: wrong answer"] == 1
    assert guarded.state.heartbeats.heard == heard


def test_a_recorded_stream_keeps_nothing_alive() -> None:
    """Answers to old challenges, of another epoch or name are counted and refused."""
    guarded = Guarded("supervisor")
    guarded.run(1.0, "supervisor")
    old = guarded.right()
    guarded.run(3 * LIMITS.heartbeat_period, "supervisor")
    while guarded.mode is not Mode.ESTOP:
        decision = guarded.tick(old)
        assert guarded.now < 30.0
    assert "is lost" in guarded.reason
    assert decision.rejected["heartbeat: of an old challenge"] > 50


def test_a_reset_needs_the_guard_and_a_person() -> None:
    """Refused while the guard is silent; after it HOLD, and a person resumes."""
    guarded = Guarded("supervisor")
    guarded.run(1.0, "supervisor")
    guarded.run(1.0)
    refused = guarded.tick(requests=(ResetEmergencyStop("Ada"),)).answers[0]
    assert not refused.success
    assert "'supervisor'" in refused.message
    guarded.run(0.1, "supervisor")
    assert guarded.mode is Mode.ESTOP, "nothing resets itself"
    done = guarded.tick(guarded.right(), requests=(ResetEmergencyStop("Ada"),)).answers[0]
    assert done.success
    assert guarded.mode is Mode.HOLD


@given(st.lists(st.sampled_from(["right", "old", "wrong", "other", "epoch"]), max_size=30))
def test_only_right_answers_are_heard(kinds: list[str]) -> None:
    """Whatever is said, ``heard`` moves with right answers alone, and wrong ones are told apart."""
    beats, now = heartbeats(["a"], KEY), 0.0
    old = beats.challenge
    for kind in kinds:
        for _ in range(2):
            now += 1.5 * LIMITS.heartbeat_period
            beats = renew(beats, now, LIMITS)
        c = beats.challenge
        said = {
            "right": HeartbeatAnswer("a", 3, c, answer_to("a", 3, c)),
            "old": HeartbeatAnswer("a", 3, old, answer_to("a", 3, old)),
            "wrong": HeartbeatAnswer("a", 3, c, answer_to("a", 3, c) ^ 1),
            "other": HeartbeatAnswer("b", 3, c, answer_to("b", 3, c)),
            "epoch": HeartbeatAnswer("a", 2, c, answer_to("a", 2, c)),
        }[kind]
        before = beats.heard
        beats, refused, wrong = hear(beats, said, 3, now)
        assert (refused == "") == (kind == "right")
        assert wrong == (kind == "wrong")
        assert beats.heard == ((now,) if kind == "right" else before)


@pytest.mark.parametrize(("names", "key"), [(["a", "a"], KEY), ([""], KEY), (["a"], b"short")])
def test_bad_settings_are_refused(names: list[str], key: bytes) -> None:
    """Names twice or empty, and a key that could be guessed."""
    with pytest.raises(ConfigError):
        heartbeats(names, key)
