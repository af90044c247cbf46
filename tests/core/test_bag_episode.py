"""Laws of read_episode: actions answer their frames, and nothing is learned across a gap."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bag_examples import MS, START, record_frames, small_bag, small_info, small_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.bag.episode import COMMAND_HOLD_NS, read_episode
from rove_core.bag.record import EpisodeRecorder, header, message_type
from rove_core.bag.schema import RecordingEnd
from rove_core.errors import BagError, ConfigError
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage

PERIOD = 50 * MS


def recorder_at(folder: Path, name: str = "bag") -> tuple[EpisodeRecorder, Path]:
    spec = small_spec()
    return EpisodeRecorder(folder / name, spec, small_info(spec)), folder / name


def test_frames_of_a_whole_episode(tmp_path):
    """Frame k has picture k, joints k and as action the command in force when frame k+1 is due."""
    episode = read_episode(small_bag(tmp_path / "bag", frames=6, instruction="erase"), small_spec())
    assert len(episode) == 6
    assert list(episode.times_ns) == [START + k * PERIOD for k in range(6)]
    assert episode.images["ego"] == [b"\xff\xd8picture %d" % k for k in range(6)]
    np.testing.assert_array_equal(episode.position, np.repeat(np.arange(6.0)[:, None], 3, axis=1))
    # Commands every 5 ms: at t_{k+1} a new one, of k + 1; after the end the last, 45 ms old.
    executed = [1.0, 2.0, 3.0, 4.0, 5.0, 5.09]
    np.testing.assert_array_equal(
        episode.executed, np.repeat(np.array(executed)[:, None], 3, axis=1)
    )
    assert set(episode.authority) == {Authority.POLICY}
    assert set(episode.stage) == {Stage.ROLLOUT}
    assert set(episode.mode) == {Mode.AUTONOMOUS}
    assert list(episode.segment) == [0] * 6
    assert episode.instruction == "erase"
    assert episode.policy_digests == ("digest",)
    assert list(episode.commands_policy_digest) == [0] * 6
    assert episode.outcome.outcome is Outcome.SUCCESS
    assert episode.outcome.recording is RecordingEnd.COMPLETE


commands_strategy = st.lists(
    st.tuples(
        st.integers(0, 400),  # ms after the start
        st.sampled_from(Authority),
        st.sampled_from(Stage),
        st.sampled_from(Mode),
        st.sampled_from(["", "a", "b"]),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda c: c[0],
)


@settings(max_examples=40, deadline=None)
@given(commands_strategy)
def test_the_action_is_the_command_in_force_at_the_next_frame(commands):
    """Against a plain search, for commands at any times that arrive in any order."""
    frames = 8
    with tempfile.TemporaryDirectory() as folder:
        recorder, path = recorder_at(Path(folder))
        for k in range(frames):
            recorder.camera("ego", START + k * PERIOD, b"x")
            recorder.joint_states(START + k * PERIOD, np.zeros(3))
        for ms, authority, stage, mode, digest in commands:
            recorder.joint_command(
                START + ms * MS, np.full(3, float(ms)), authority, stage, mode, policy_digest=digest
            )
        recorder.close(Outcome.SUCCESS)
        expected = []
        for k in range(frames):
            due = (k + 1) * 50
            before = [c for c in commands if c[0] <= due]
            if before and (due - max(before)[0]) * MS < COMMAND_HOLD_NS:
                expected.append((k, *max(before)))
        if not expected:
            with pytest.raises(BagError, match="holds no complete frame: joint_command"):
                read_episode(path, small_spec())
            return
        episode = read_episode(path, small_spec())
    read = [
        (
            (int(t) - START) // PERIOD,
            int(e[0]),
            int(a),
            int(s),
            int(m),
            episode.policy_digests[d],
        )
        for t, e, a, s, m, d in zip(
            episode.times_ns,
            episode.executed,
            episode.authority,
            episode.stage,
            episode.mode,
            episode.commands_policy_digest,
            strict=True,
        )
    ]
    assert read == expected
    assert set(episode.policy_digests) == {c[4] for c in commands}
    assert len(episode) + len(episode.gaps) == frames


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 30), max_size=12))
def test_no_segment_reaches_across_a_gap(lost):
    """Within a segment frames are one period apart; between two segments they are not."""
    spec = small_spec()
    with tempfile.TemporaryDirectory() as folder:
        recorder, path = recorder_at(Path(folder))
        for k in range(32):
            t = START + k * PERIOD
            if k not in lost:  # joints older than 50 ms are stale: two in a row make a gap
                recorder.joint_states(t - MS, np.zeros(3))
            recorder.camera("ego", t, b"x")
            recorder.joint_command(t, np.zeros(3), Authority.HOLD, Stage.NONE, Mode.HOLD)
        recorder.joint_command(
            START + 32 * PERIOD, np.zeros(3), Authority.HOLD, Stage.NONE, Mode.HOLD
        )
        recorder.close(Outcome.SUCCESS)
        episode = read_episode(path, spec)
    kept = [k for k in range(32) if k not in lost]
    assert [(int(t) - START) // PERIOD for t in episode.times_ns] == kept
    together = np.diff(episode.segment) == 0
    assert list(together) == [b - a == 1 for a, b in pairwise(kept)]
    assert set(np.diff(episode.segment)) <= {0, 1}
    assert episode.segment[0] == 0
    assert all("joint_states" in gap.reasons for gap in episode.gaps)


def test_commands_of_a_replaced_arbiter_are_ignored(tmp_path):
    """Robots obey the newest epoch: what an older one still sends after it is no action."""
    recorder, path = recorder_at(tmp_path)
    recorder.camera("ego", START, b"x")
    recorder.joint_states(START, np.zeros(3))
    hold = (Authority.HOLD, Stage.NONE, Mode.HOLD)
    recorder.joint_command(START + 10 * MS, np.full(3, 0.1), *hold, epoch=1)
    recorder.joint_command(START + 20 * MS, np.full(3, 0.2), *hold, epoch=2)
    recorder.joint_command(START + 30 * MS, np.full(3, 0.3), *hold, epoch=1)
    recorder.close(Outcome.SUCCESS)
    np.testing.assert_array_equal(read_episode(path, small_spec()).executed, [[0.2, 0.2, 0.2]])


def test_vectors_come_in_the_order_of_the_spec(tmp_path):
    """A profile that lists the same joints in another order reads the same motion."""
    spec = small_spec()
    with EpisodeRecorder(tmp_path / "bag", spec, small_info(spec)) as recorder:
        recorder.camera("ego", START, b"x")
        recorder.joint_states(START, [1.0, 2.0, 3.0])
        recorder.joint_command(
            START + PERIOD, [4.0, 5.0, 6.0], Authority.HUMAN, Stage.RECOVERY, Mode.HUMAN
        )
        recorder.close(Outcome.SUCCESS)
    episode = read_episode(tmp_path / "bag", small_spec(("wrist", "hip", "knee")))
    np.testing.assert_array_equal(episode.position, [[3.0, 1.0, 2.0]])
    np.testing.assert_array_equal(episode.executed, [[6.0, 4.0, 5.0]])
    with pytest.raises(ConfigError, match=r"missing \['elbow'\]"):
        read_episode(tmp_path / "bag", small_spec(("hip", "knee", "wrist", "elbow")))


def test_a_cut_off_episode_keeps_its_frames_and_its_known_outcome(tmp_path):
    """What was recorded before a crash can be read; an end of the episode in it counts."""
    spec = small_spec()
    recorder, _ = recorder_at(tmp_path)
    with recorder:
        record_frames(recorder, spec, 5)
    episode = read_episode(tmp_path / "bag.recording", spec)
    assert len(episode) == 5
    assert episode.outcome.outcome is Outcome.UNKNOWN
    assert episode.outcome.recording is RecordingEnd.CUT_OFF

    recorder, _ = recorder_at(tmp_path, "second")
    with recorder:
        record_frames(recorder, spec, 5)
        stop = START + 5 * PERIOD
        recorder.episode_event(stop, EpisodeChange.STOPPED, Outcome.FAILURE, "it fell")
    episode = read_episode(tmp_path / "second.recording", spec)
    assert episode.outcome.outcome is Outcome.FAILURE
    assert episode.outcome.reason == "it fell"
    assert episode.outcome.recording is RecordingEnd.CUT_OFF


def test_missing_streams_are_named(tmp_path):
    """A bag without a camera or without one fresh frame says what it lacks."""
    path = small_bag(tmp_path / "bag")
    spec = small_spec()
    two = {**spec.cameras, "wrist": spec.cameras["ego"]}
    object.__setattr__(spec, "cameras", two)
    with pytest.raises(BagError, match=r"\['camera/wrist/compressed'\] are not in bag"):
        read_episode(path, spec)
    assert set(read_episode(path, spec, cameras=["ego"]).images) == {"ego"}

    recorder, path = recorder_at(tmp_path, "blind")
    recorder.joint_states(START, np.zeros(3))
    recorder.close(Outcome.SUCCESS)
    with pytest.raises(BagError, match="holds no complete frame: camera/ego/compressed: no sample"):
        read_episode(path, small_spec())


@pytest.mark.parametrize("bad", [[0.0, np.nan, 0.0], [0.0, 0.0]])
def test_bad_vectors_are_refused(tmp_path, bad):
    """A command or measurement that is not N finite numbers never reaches a learner."""
    spec = small_spec()
    time = header(START)
    command = {
        "epoch": 1, "sequence": 1, "mode": 0, "authority": 0, "stage": 0, "lease": 0,
        "policy_wanted": np.zeros(0), "human_wanted": np.zeros(0), "policy_digest": "",
        "chunk_id": 0, "operator_sequence": 0, "captured_ns": 0, "received_ns": 0,
        "retargeted_ns": 0, "decided_ns": 0, "commanded_ns": 0,
    }  # fmt: skip
    for i, (states, sent) in enumerate(((bad, [0.0] * 3), ([0.0] * 3, bad))):
        recorder, path = recorder_at(tmp_path, f"bag{i}")
        recorder.camera("ego", START, b"x")
        state = message_type("sensor_msgs/msg/JointState")(
            header=time, name=list(spec.joint_names), position=np.array(states),
            velocity=np.zeros(0), effort=np.zeros(0),
        )  # fmt: skip
        recorder.message("joint_states", START, state)
        recorder.message(
            "joint_command",
            START,
            message_type("rove_msgs/msg/JointCommand")(
                header=header(START + MS), position=np.array(sent), **command
            ),
        )
        recorder.close(Outcome.SUCCESS)
        with pytest.raises(BagError, match="finite allowed"):
            read_episode(path, spec)
