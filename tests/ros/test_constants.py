"""The words of the contract mean the same number in Python and on the wire."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import pytest
from rove_msgs import msg

from rove_core import vocabulary
from rove_core.vocabulary import (
    Authority,
    Button,
    EpisodeChange,
    EpisodeKind,
    HandoverKind,
    LossCause,
    Mode,
    Outcome,
    PolicyState,
    Stage,
)

# enumeration -> (message that defines its constants, prefix of their names there)
DEFINED_IN = {
    Mode: (msg.ArbiterState, "MODE_"),
    Authority: (msg.JointCommand, "AUTHORITY_"),
    Stage: (msg.JointCommand, "STAGE_"),
    Outcome: (msg.EpisodeEvent, "OUTCOME_"),
    EpisodeKind: (msg.EpisodeEvent, "KIND_"),
    EpisodeChange: (msg.EpisodeEvent, ""),
    PolicyState: (msg.PolicyStatus, ""),
    LossCause: (msg.RecordingLoss, "CAUSE_"),
    HandoverKind: (msg.Handover, "KIND_"),
    Button: (msg.OperatorFrame, "BUTTON_"),
}


def message_constants(message: type) -> dict[str, int]:
    """Return every constant of a message class."""
    metaclass = type(message)
    for name, value in vars(metaclass).items():
        if name.endswith("__constants"):
            return dict(value)
    raise AssertionError(f"{message.__name__} keeps its constants elsewhere than rosidl did")


@pytest.mark.parametrize("words", DEFINED_IN, ids=lambda words: words.__name__)
def test_every_word_has_its_number_on_the_wire(words: type[IntEnum] | type[IntFlag]) -> None:
    """Members of an enumeration equal the constants of its message: names, numbers, none left."""
    message, prefix = DEFINED_IN[words]
    others = {p for m, p in DEFINED_IN.values() if m is message and p}
    on_wire = {
        name.removeprefix(prefix): value
        for name, value in message_constants(message).items()
        if (name.startswith(prefix) if prefix else not name.startswith(tuple(others)))
    }
    in_python = {
        name: int(word)
        for name, word in words.__members__.items()
        if not (issubclass(words, IntFlag) and int(word) == 0)  # "no button" is no button
    }
    assert in_python == on_wire


def test_no_enumeration_is_forgotten() -> None:
    """Every enumeration of the vocabulary is held against a message here."""
    defined = {
        value
        for value in vars(vocabulary).values()
        if isinstance(value, type) and issubclass(value, (IntEnum, IntFlag))
    } - {IntEnum, IntFlag}
    assert defined == set(DEFINED_IN)


def test_no_constant_of_a_message_is_forgotten() -> None:
    """Every constant of every message belongs to one of the enumerations."""
    forgotten = []
    for name in dir(msg):
        message = getattr(msg, name)
        if not (isinstance(message, type) and hasattr(message, "get_fields_and_field_types")):
            continue
        prefixes = [prefix for owner, prefix in DEFINED_IN.values() if owner is message]
        for constant in message_constants(message):
            if not any(constant.startswith(prefix) for prefix in prefixes):
                forgotten.append(f"{name}.{constant}")
    assert not forgotten
