"""Laws of PolicySlot: a bad candidate changes nothing, a good one runs from the next chunk on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from policy_examples import observe

from rove_core.errors import PolicyError
from rove_core.robot import RobotSpec
from rove_policy.slot import PolicySlot

Write = Callable[..., Path]


def test_an_empty_slot_says_so(spec: RobotSpec) -> None:
    """Without a policy there is no chunk and no digest."""
    slot = PolicySlot(spec)
    assert slot.policy is None
    assert slot.digest == ""
    with pytest.raises(PolicyError, match="no policy"):
        slot.act(observe(spec))


def test_rubbish_keeps_the_old_policy(write: Write, spec: RobotSpec, tmp_path: Path) -> None:
    """Whatever is wrong with a candidate, the running policy goes on and the reason comes back."""
    slot = PolicySlot(spec)
    assert slot.offer(write()).accepted
    kept, before = slot.digest, slot.act(observe(spec))
    rubbish = tmp_path / "rubbish.onnx"
    rubbish.write_bytes(b"\x00\x01\x02" * 99)
    for path in (rubbish, tmp_path / "missing.onnx", write("far.onnx", offset=1e3)):
        offer = slot.offer(path)
        assert not offer.accepted
        assert path.name in offer.reason
        assert offer.digest == slot.digest == kept
        assert slot.act(observe(spec)).policy_digest == before.policy_digest


def test_a_good_candidate_replaces_the_old_one(write: Write, spec: RobotSpec) -> None:
    """After an accepted offer every chunk names the new digest; ids go on counting."""
    slot = PolicySlot(spec)
    slot.offer(write("old.onnx"))
    old = slot.act(observe(spec))
    offer = slot.offer(write("new.onnx", offset=0.01))
    new = slot.act(observe(spec))
    assert offer.accepted
    assert offer.reason == ""
    assert new.policy_digest == offer.digest != old.policy_digest
    assert (old.chunk_id, new.chunk_id) == (1, 2)
    assert new.position.max() > old.position.max()


def test_a_failed_chunk_does_not_use_up_an_id(write: Write, spec: RobotSpec) -> None:
    """Ids count chunks that exist: a refused observation leaves no hole."""
    slot = PolicySlot(spec)
    slot.offer(write())
    with pytest.raises(Exception, match="words"):
        slot.act(observe(spec, "one two three four five six seven"))
    assert slot.act(observe(spec)).chunk_id == 1
