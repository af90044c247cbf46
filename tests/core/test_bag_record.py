"""Laws of EpisodeRecorder: its bags hold the messages that the recorder node would write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_examples import START, small_info, small_spec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rove_core.bag.definitions import typestore
from rove_core.bag.episode import read_episode
from rove_core.bag.reader import Bag, deserialize
from rove_core.bag.record import EpisodeRecorder, JointStates, header, message_type
from rove_core.errors import BagError, ContractError
from rove_core.vocabulary import Authority, EpisodeChange, EpisodeKind, Mode, Outcome, Stage

finite = st.floats(-1e6, 1e6)


@given(
    st.lists(st.text(max_size=12), min_size=1, max_size=9).flatmap(
        lambda names: st.tuples(
            st.just(names),
            hnp.arrays(np.float64, len(names), elements=finite),
            hnp.arrays(np.float64, len(names), elements=finite),
        )
    ),
    st.integers(0, 2**31 * 10**9 - 1),
)
def test_patched_joint_states_equal_serialised_ones(state, stamp_ns):
    """The fast path gives the bytes of the ordinary one, for any names (so any alignment)."""
    names, position, velocity = state
    message = message_type("sensor_msgs/msg/JointState")(
        header=header(stamp_ns),
        name=names,
        position=position,
        velocity=velocity,
        effort=np.zeros(0),
    )
    expected = bytes(
        typestore().serialize_cdr(message, "sensor_msgs/msg/JointState", little_endian=True)
    )
    fast = JointStates(names)
    fast.serialize(0, np.ones(len(names)), np.ones(len(names)))  # leaves no trace
    assert fast.serialize(stamp_ns, position, velocity) == expected


@pytest.mark.parametrize("wanted", [[], [7.0, 8.0, 9.0]])
def test_ros_and_we_read_each_other(wanted):
    """ROS reads the bytes we write, we read those that ROS writes, field by field."""
    serialization = pytest.importorskip("rclpy.serialization")
    messages = pytest.importorskip("rove_msgs.msg")
    fields = {
        "epoch": 3, "sequence": 1, "mode": 4, "authority": 2, "stage": 3, "lease": 4,
        "policy_digest": "abc", "chunk_id": 5, "operator_sequence": 6,
    }  # fmt: skip
    theirs = messages.JointCommand(position=[1.5, 2.5], policy_wanted=wanted, **fields)
    theirs.header.stamp.sec, theirs.header.stamp.nanosec = 7, 8
    kind = "rove_msgs/msg/JointCommand"
    ours = deserialize(typestore(), bytes(serialization.serialize_message(theirs)), kind)
    assert list(ours.position) == [1.5, 2.5]
    assert list(ours.policy_wanted) == wanted
    assert {name: getattr(ours, name) for name in fields} == fields
    back = bytes(typestore().serialize_cdr(ours, kind))
    assert serialization.deserialize_message(back, messages.JointCommand) == theirs


def test_every_field_comes_back(tmp_path):
    """Pictures, joints, commands with provenance and events are read as they were given."""
    spec = small_spec()
    info = small_info(spec, kind=EpisodeKind.DEMONSTRATION, task="wipe", instruction="go", seed=5)
    recorder = EpisodeRecorder(tmp_path / "bag", spec, info)
    stamp = START + 123_456_789
    recorder.camera("ego", stamp, b"\xff\xd8\0jpeg")
    recorder.joint_states(stamp, [1, 2, 3], [4, 5, 6])
    recorder.joint_command(
        stamp, [1, 2, 3], Authority.HUMAN, Stage.RECOVERY, Mode.HUMAN,
        policy_wanted=[7, 8, 9], human_wanted=[1, 1, 1], policy_digest="abc",
        epoch=3, lease=4, chunk_id=5, operator_sequence=6,
    )  # fmt: skip
    recorder.episode_event(stamp, EpisodeChange.STOPPED, Outcome.TIMEOUT, "too slow")
    value = message_type("rove_msgs/msg/ValueEstimate")(
        header=header(stamp), value=-2.5, takeover_suggested=True, critic_digest="c"
    )
    recorder.message("policy/value", stamp, value)
    read = {m.topic: m for m in Bag(recorder.close(Outcome.TIMEOUT)).messages()}
    for message in read.values():
        time = message.message.header.stamp
        assert time.sec * 10**9 + time.nanosec == stamp == message.log_time_ns
    assert read["camera/ego/compressed"].message.data.tobytes() == b"\xff\xd8\0jpeg"
    assert read["camera/ego/compressed"].message.format == "jpeg"
    states = read["joint_states"].message
    assert states.name == ["hip", "knee", "wrist"]
    assert (list(states.position), list(states.velocity)) == ([1, 2, 3], [4, 5, 6])
    command = read["joint_command"].message
    assert (command.epoch, command.sequence, command.lease) == (3, 1, 4)
    assert (command.mode, command.authority, command.stage) == (4, 2, 3)
    assert list(command.position) == [1, 2, 3]
    assert list(command.policy_wanted) == [7, 8, 9]
    assert list(command.human_wanted) == [1, 1, 1]
    assert (command.policy_digest, command.chunk_id, command.operator_sequence) == ("abc", 5, 6)
    event = read["episode"].message
    assert (event.change, event.outcome, event.reason) == (1, 4, "too slow")
    assert (event.episode_id, event.kind, event.task) == ("one", 1, "wipe")
    assert (event.instruction, event.seed) == ("go", 5)
    assert read["policy/value"].message.value == -2.5


def test_bad_input_is_named(tmp_path):
    """Unknown cameras and topics, wrong types, shapes and robots are refused by name."""
    spec = small_spec()
    with EpisodeRecorder(tmp_path / "bag", spec, small_info(spec)) as recorder:
        with pytest.raises(BagError, match="'left' given, ego allowed"):
            recorder.camera("left", START, b"")
        with pytest.raises(ContractError, match=r"\(2,\) given, \(3\) allowed"):
            recorder.joint_states(START, [0, 0])
        with pytest.raises(ContractError, match="not finite"):
            recorder.joint_command(START, [0, np.inf, 0], Authority.HOLD, Stage.NONE, Mode.HOLD)
        with pytest.raises(BagError, match="topic 'nothing' given"):
            recorder.message("nothing", START, header(START))
        with pytest.raises(BagError, match="rove_msgs/msg/EpisodeEvent allowed"):
            recorder.message("episode", START, header(START))
        with pytest.raises(BagError, match="'rove_msgs/msg/Joint' given"):
            message_type("rove_msgs/msg/Joint")
    with pytest.raises(ContractError, match="info of robot 'toy' given, the joints of 'other'"):
        EpisodeRecorder(
            tmp_path / "other", small_spec(("a", "b"), "other"), small_info(small_spec())
        )
    assert not (tmp_path / "other.recording").exists()


def test_bags_of_version_1_stay_readable():
    """A bag that was recorded with schema version 1 reads the same for ever."""
    bag = Bag(Path(__file__).parent / "data" / "bag_version_1")
    bag.verify()
    assert bag.info.episode_id == "bag_version_1"
    assert (bag.info.task, bag.info.seed, bag.info.parameters) == ("wipe", 7, {"rate": 200})
    episode = read_episode(bag.path, small_spec())
    assert list(episode.times_ns) == [START + k * 50_000_000 for k in range(4)]
    np.testing.assert_array_equal(episode.position[:, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(episode.executed[:, 2], [1, 2, 3, 3.09])
    assert episode.images["ego"][3] == b"\xff\xd8picture 3"
    assert set(episode.stage) == {Stage.ROLLOUT}
    assert episode.outcome.outcome is Outcome.SUCCESS
