"""Messages and contract types carry the same thing, there and back."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from rove_msgs import msg

from rove import convert
from rove_core.action import ActionChunk
from rove_core.errors import ConfigError, ContractError
from rove_core.provenance import Provenance
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.wire.messages import Frame

SPEC = load_robot("g1_dex3")
numbers = st.floats(-3, 3, width=32)
vectors = st.lists(numbers, min_size=SPEC.size, max_size=SPEC.size).map(np.array)
poses = st.tuples(*[st.floats(-1, 1)] * 7)
levels = st.floats(0, 1, width=32)


def _over_the_wire(message):  # type: ignore[no-untyped-def]
    return deserialize_message(serialize_message(message), type(message))


@given(st.integers(0, 2**62))
def test_stamps(ns: int) -> None:
    """A stamp keeps every nanosecond."""
    assert convert.to_ns(convert.to_stamp(ns)) == ns


@given(vectors, st.permutations(range(SPEC.size)))
def test_joint_states_in_any_order(position: np.ndarray, order: list[int]) -> None:
    """Whatever order the robot names its joints in, the vector is in the profile's."""
    message = convert.joint_state_message(SPEC, position, position, 5)
    message.name = [message.name[i] for i in order]
    message.position = array("d", (message.position[i] for i in order))
    found = convert.JointOrder(SPEC).positions(_over_the_wire(message))
    np.testing.assert_array_equal(found, position)


def test_joint_states_that_do_not_fit() -> None:
    """A missing or unknown joint, a wrong length and NaN are errors that say so."""
    order = convert.JointOrder(SPEC)
    good = convert.joint_state_message(SPEC, SPEC.home, SPEC.home, 5)
    renamed = _over_the_wire(good)
    renamed.name = ["tail_joint", *renamed.name[1:]]
    with pytest.raises(ConfigError, match="tail_joint"):
        order.positions(renamed)
    short = _over_the_wire(good)
    short.position = short.position[:-1]
    with pytest.raises(ContractError, match="42"):
        order.positions(short)
    broken = _over_the_wire(good)
    broken.position[7] = float("nan")
    with pytest.raises(ContractError, match=r"\(7,\)"):
        order.positions(broken)


@given(st.integers(1, 32), st.integers(1, 2**40), st.integers(0, 2**20))
def test_chunks(horizon: int, observed: int, serial: int) -> None:
    """A chunk keeps its times exactly and its targets to float32."""
    rng = np.random.default_rng(serial)
    rows = rng.normal(size=(horizon, SPEC.size))
    chunk = ActionChunk(observed, observed + 50_000_000, 50_000_000, rows, "digest", serial)
    message = _over_the_wire(convert.chunk_message(chunk, True, 1.5))
    back = convert.chunk_contract(message, SPEC)
    assert (back.observation_ns, back.start_ns, back.dt_ns) == (
        chunk.observation_ns,
        chunk.start_ns,
        chunk.dt_ns,
    )
    assert (back.policy_digest, back.chunk_id) == ("digest", serial)
    np.testing.assert_allclose(back.position, rows, atol=1e-6)


@pytest.mark.parametrize("joints", [SPEC.size - 1, SPEC.size + 1])
def test_chunk_of_another_robot(joints: int) -> None:
    """A chunk with another number of joints is refused with both numbers."""
    chunk = ActionChunk(0, 0, 1, np.zeros((2, joints)))
    with pytest.raises(ContractError, match=f"{joints} joints given, {SPEC.size}"):
        convert.chunk_contract(convert.chunk_message(chunk, True, 0.0), SPEC)


def test_chunk_with_missing_values() -> None:
    """Sizes that contradict each other are refused, not reshaped."""
    message = convert.chunk_message(ActionChunk(0, 0, 1, np.zeros((4, SPEC.size))), True, 0.0)
    message.horizon = 5
    with pytest.raises(ContractError, match="horizon x joints"):
        convert.chunk_contract(message, SPEC)


@given(poses, poses, poses, levels, st.integers(0, 31), st.booleans())
def test_frames(head, left, right, level, buttons, tracked) -> None:  # type: ignore[no-untyped-def]
    """A frame of the wire becomes a message and the same frame again."""
    frame = Frame(
        sequence=3, lease=2, device_stamp_ns=-5, head=head, left_wrist=left, right_wrist=right,
        left_tracked=tracked, right_squeeze=level, left_trigger=level, buttons=buttons,
    )  # fmt: skip
    message = _over_the_wire(convert.frame_message("anna", frame, 99))
    assert convert.frame_contract(message) == frame
    sample = convert.operator_sample(message)
    assert (sample.operator_id, sample.sequence, sample.lease) == ("anna", 3, 2)
    assert (sample.stamp_ns, int(sample.buttons)) == (99, buttons)


@given(vectors, st.sampled_from(list(Mode)), st.sampled_from(list(Authority)))
def test_commands_carry_their_provenance(
    position: np.ndarray, mode: Mode, authority: Authority
) -> None:
    """What was wanted and what was sent stay apart; nothing wanted is an empty list."""
    provenance = Provenance(7, 8, mode, authority, Stage.ROLLOUT, 4, position + 1, None, "d", 5, 6)
    message: msg.JointCommand = _over_the_wire(convert.command_message(position, provenance, 11))
    np.testing.assert_array_equal(message.position, position)
    np.testing.assert_array_equal(message.policy_wanted, position + 1)
    assert len(message.human_wanted) == 0
    assert (message.epoch, message.sequence, message.lease) == (7, 8, 4)
    assert (message.mode, message.authority, message.stage) == (mode, authority, Stage.ROLLOUT)
    assert (message.policy_digest, message.chunk_id, message.operator_sequence) == ("d", 5, 6)
