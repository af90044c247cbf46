"""The demo by an exoskeleton: `rove up operator:=exo` from takeover to hand-back."""

from __future__ import annotations

import pytest

import takeover
from rove_core.bag.summary import summarise_bag
from rove_core.vocabulary import Mode

pytestmark = [pytest.mark.graph, pytest.mark.full]


def test_an_exoskeleton_takes_over_and_hands_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On the real graph: ALIGN, HUMAN and HANDBACK between two times of AUTONOMOUS."""
    bag = takeover.record(tmp_path_factory, operator="exo", takeover_at=1.0)
    modes = summarise_bag(bag.path).modes
    story = [mode for mode in modes if mode is not Mode.CLUTCH]
    wanted = [Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.HANDBACK, Mode.AUTONOMOUS]
    start = story.index(Mode.ALIGN) - 1
    assert story[start : start + len(wanted)] == wanted, [mode.name for mode in modes]
