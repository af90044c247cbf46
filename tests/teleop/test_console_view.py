"""Laws of the console's model: the e-stop is never greyed, nothing from outside becomes HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.latency.ledger import LegReport
from rove_core.latency.legs import LEGS
from rove_core.vocabulary import Authority, EpisodeKind, Mode, PolicyState, Stage
from rove_teleop.console import cards
from rove_teleop.console.actions import NO_ARBITER, Action, refusal
from rove_teleop.console.view import Arbiter, Episode, Health, Level, Policy, Value, View

texts = st.text(max_size=30) | st.sampled_from(["<script>alert(1)</script>", "'\"><img src=x>"])
arbiters = st.builds(
    Arbiter,
    mode=st.sampled_from(Mode),
    authority=st.sampled_from(Authority),
    stage=st.sampled_from(Stage),
    reason=texts,
    question=texts,
    lease_holder=texts,
    episode_id=texts,
    position_error=st.floats(0, 2) | st.just(float("nan")),
    orientation_error=st.floats(0, 3),
)
policies = st.builds(
    Policy, st.sampled_from(PolicyState), texts, st.booleans(), texts, st.floats(0, 99)
)
healths = st.builds(
    Health, st.sampled_from(Level), texts, st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
)
views = st.builds(
    View,
    robot=texts,
    arbiter=st.none() | arbiters,
    episode=st.none() | st.builds(Episode, texts, st.sampled_from(EpisodeKind), texts, texts),
    policy=st.none() | policies,
    value=st.none() | st.builds(Value, st.floats(-500, 0), st.booleans()),
    operators=st.lists(texts, max_size=2).map(tuple),
    health=st.dictionaries(texts | st.just("recorder"), healths, max_size=3),
    legs=st.lists(st.builds(LegReport, st.sampled_from(LEGS), st.just(30))).map(tuple),
)
MADE = {"div", "b", "table", "tr", "td", "style", "img", "tbody"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}


@given(views, texts)
def test_whatever_is_told_is_shown_as_text(view: View, camera: str) -> None:
    """No name, reason or instruction brings a tag or an attribute of its own."""
    tags = _Tags()
    for card in (cards.status_card, cards.question_card, cards.policy_card, cards.alarm_card):
        tags.feed(card(view))
    tags.feed(cards.health_card(view) + cards.latency_card(view.legs))
    tags.feed(cards.picture_card(camera, b"\xff\xd8"))
    assert set(tags.names) <= MADE
    assert tags.names.count("img") == 1
    assert not any(name.startswith("on") for name in tags.attributes)


@given(views, st.sampled_from(EpisodeKind))
def test_the_emergency_stop_is_always_there(view: View, kind: EpisodeKind) -> None:
    """Whatever is known or unknown, nothing greys it."""
    assert refusal(view, Action.ESTOP, kind) == ""


@given(views)
def test_a_silent_arbiter_greys_what_it_would_have_to_do(view: View) -> None:
    """Without its word nobody knows whether an action makes sense, and the page says so first."""
    silent = View(policy=view.policy, operators=view.operators)
    for action in set(Action) - {Action.ESTOP, Action.APPROVE}:
        assert refusal(silent, action) == NO_ARBITER
    assert "silent" in silent.alarms[0]
    assert "UNKNOWN" in cards.status_card(silent)


@pytest.mark.parametrize("mode", Mode)
def test_actions_fit_the_mode(mode: Mode) -> None:
    """Each action is offered in the modes in which the arbiter grants it (docs/design.md)."""
    idle, running = View(arbiter=Arbiter(mode)), View(arbiter=Arbiter(mode, episode_id="e"))
    assert (refusal(idle, Action.START) == "") is (mode is Mode.IDLE)
    assert refusal(running, Action.START) == "an episode runs"
    assert (refusal(running, Action.PAUSE) == "") is (mode in (Mode.AUTONOMOUS, Mode.HANDBACK))
    assert (refusal(running, Action.RESUME) == "") is (mode in (Mode.PAUSED, Mode.HOLD))
    assert (refusal(running, Action.RESET) == "") is (mode is Mode.ESTOP)
    for action in (Action.SUCCESS, Action.FAILURE, Action.ABORT):
        assert refusal(running, action) == ""
        assert refusal(idle, action) == "no episode runs"


def test_a_question_stops_rollouts_and_no_demonstrations() -> None:
    """Until a person agrees to the policy the button says why; a demonstration needs no policy."""
    asked = View(arbiter=Arbiter(Mode.IDLE, question="may it drive?"))
    assert refusal(asked, Action.START) == "may it drive?"
    assert refusal(asked, Action.START, EpisodeKind.DEMONSTRATION) == ""
    assert "may it drive?" in cards.question_card(asked)
    assert cards.question_card(View(arbiter=Arbiter(Mode.IDLE))) == ""


def test_a_policy_is_approved_once() -> None:
    """The button is there for a policy that nobody agreed to, and only then."""
    new = Policy(PolicyState.WAITING, "d" * 64, approved=False)
    assert refusal(View(policy=new), Action.APPROVE) == ""
    assert refusal(View(policy=Policy(PolicyState.WAITING, "d", True)), Action.APPROVE)
    assert refusal(View(), Action.APPROVE) == "no policy runs"


def test_a_lease_can_be_taken_away() -> None:
    """From a holder who left, too; without anybody there is nothing to give or take."""
    held = View(arbiter=Arbiter(Mode.HOLD, lease_holder="eve"))
    assert refusal(held, Action.LEASE) == ""
    assert refusal(View(arbiter=Arbiter(), operators=("eve",)), Action.LEASE) == ""
    assert refusal(View(arbiter=Arbiter()), Action.LEASE)


def test_alarms_come_worst_first() -> None:
    """An error stands before a warning, what is well is no alarm, a missing recorder is one."""
    parts = {
        "bridge": Health(Level.WARN, "slow"),
        "recorder": Health(Level.ERROR, "disk full"),
        "robot": Health(Level.OK, "fine"),
    }
    assert View(arbiter=Arbiter(), health=parts).alarms == ["recorder: disk full", "bridge: slow"]
    assert View(arbiter=Arbiter()).alarms == ["recorder: nothing was heard of it"]
    assert View(arbiter=Arbiter(), recorded=False).alarms == []


def test_what_is_late_is_marked() -> None:
    """A leg above its limit stands out, and every leg has its row."""
    slow = LegReport(LEGS[0], 50, 10.0, 2 * LEGS[0].limit_ms, 500.0)
    card = cards.latency_card([slow, LegReport(LEGS[1], 50, 1.0, 2.0, 3.0)])
    assert card.count("n late") == 3
    assert card.count("data-leg") == 2


def test_a_suggestion_is_seen() -> None:
    """The critic only suggests; where it does, the words are there."""
    policy = Policy(PolicyState.RUNNING, "d", True)
    assert "suggests a takeover" in cards.policy_card(View(policy=policy, value=Value(-80, True)))
    assert "suggests" not in cards.policy_card(View(policy=policy, value=Value(-80, False)))
    assert "no critic" in cards.policy_card(View(policy=policy))
