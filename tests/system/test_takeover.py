"""The whole story on the real graph: policy, takeover, recovery, hand-back, and a bag of it."""

from __future__ import annotations

import numpy as np
import pytest

from rove.retarget_health import CYCLE, WAITED, WHOLE
from rove_core.bag.episode import read_episode
from rove_core.bag.reader import Bag
from rove_core.bag.summary import summarise_bag
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.retarget.retargeter import STAGES

pytestmark = pytest.mark.graph


def test_modes_of_a_takeover(bag: Bag) -> None:
    """The bag shows ALIGN, HUMAN and HANDBACK between two times of AUTONOMOUS."""
    modes = summarise_bag(bag.path).modes
    story = [m for m in modes if m is not Mode.CLUTCH]
    wanted = [Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.HANDBACK, Mode.AUTONOMOUS]
    start = story.index(Mode.ALIGN) - 1
    assert story[start : start + len(wanted)] == wanted, [m.name for m in modes]


def test_stages_and_authority(bag: Bag) -> None:
    """Rollout is the policy's, adaptation comes before recovery, both are the human's, and no
    command of the policy is sent between the takeover and the hand-back."""
    episode = read_episode(bag.path, load_robot("g1_dex3"))
    stage, authority = episode.stage, episode.authority
    for wanted in (Stage.ROLLOUT, Stage.ADAPTATION, Stage.RECOVERY):
        assert (stage == wanted).sum() >= 5, wanted
    assert set(authority[stage == Stage.ROLLOUT]) == {Authority.POLICY}
    human = np.isin(stage, [Stage.ADAPTATION, Stage.RECOVERY])
    assert set(authority[human]) == {Authority.HUMAN}
    # From each takeover to its hand-back; a policy that stalls is taken over again.
    taken = np.isin(episode.mode, [Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH, Mode.HANDBACK])
    assert taken.any()
    assert Authority.POLICY not in authority[taken]
    assert np.flatnonzero(stage == Stage.ADAPTATION)[0] < np.flatnonzero(stage == Stage.RECOVERY)[0]


def test_commands_are_whole_and_smooth(bag: Bag) -> None:
    """Sequences count up without a gap in one epoch, limits hold, and no step, at takeover and
    hand-back neither, is larger than the speed limit allows."""
    spec = load_robot("g1_dex3")
    commands = list(bag.messages(["joint_command"]))
    sequences = np.array([m.message.sequence for m in commands])
    assert len({m.message.epoch for m in commands}) == 1
    assert (np.diff(sequences) >= 1).all(), np.flatnonzero(np.diff(sequences) < 1)
    lost = int((np.diff(sequences) - 1).sum())
    assert lost <= 0.02 * len(sequences), f"{lost} of {len(sequences)} commands lost"
    positions = np.array([m.message.position for m in commands])
    assert (positions >= spec.lower - 1e-6).all()
    assert (positions <= spec.upper + 1e-6).all()
    stamps = np.array(
        [m.message.header.stamp.sec * 10**9 + m.message.header.stamp.nanosec for m in commands]
    )
    seconds = np.diff(stamps)[:, None] / 1e9
    over = np.abs(np.diff(positions, axis=0)) - spec.velocity * seconds
    worst, joint = np.unravel_index(over.argmax(), over.shape)
    where = f"{spec.joint_names[joint]} in the {seconds[worst]} s after {commands[worst].message}"
    assert over.max() <= 1e-6, f"{over.max()} rad too far: {where}"


def test_bag_is_enough_to_audit(bag: Bag) -> None:
    """Robot profile, instruction, outcome, policy digest and every topic of the graph are in it."""
    assert bag.info.robot == "g1_dex3"
    assert bag.info.robot_digest == load_robot("g1_dex3").digest
    assert bag.info.instruction.startswith("erase the ")
    assert summarise_bag(bag.path).policy
    topics = {name for name, topic in bag.topics.items() if topic.count}
    assert topics >= {
        "camera/ego/compressed", "joint_states", "joint_command", "operator/frame",
        "teleop/target", "policy/chunk", "policy/status", "arbiter/state", "episode",
    }  # fmt: skip
    assert "lab/task" not in bag.topics  # what only the simulated people may see


def test_handback_waits_for_a_newer_observation(bag: Bag) -> None:
    """The first chunk that drives after the hand-back was made from an observation after it."""
    handback_ns, first = 0, None
    chunks = {m.message.chunk_id: m.message.header.stamp for m in bag.messages(["policy/chunk"])}
    for m in bag.messages(["joint_command"]):
        command = m.message
        if command.mode == Mode.HANDBACK and not handback_ns:
            handback_ns = command.header.stamp.sec * 10**9 + command.header.stamp.nanosec
        if handback_ns and command.authority == Authority.POLICY:
            first = command.chunk_id
            break
    assert handback_ns
    assert first in chunks
    assert chunks[first].sec * 10**9 + chunks[first].nanosec >= handback_ns


def test_the_time_of_each_frame_is_told(bag: Bag) -> None:
    """While a person drives, /diagnostics tells where each frame's time goes: the wait, every stage
    of the retargeting, and the whole way."""
    told: dict[str, str] = {}
    for m in bag.messages(["/diagnostics"]):
        for status in m.message.status:
            if status.name.endswith(": teleop"):
                told |= {entry.key: entry.value for entry in status.values}
    for stage in (WAITED, *STAGES, CYCLE, WHOLE):
        p50, p99, longest = (
            float(value) for value in told[f"{stage} ms (p50, p99, longest)"].split(", ")
        )
        assert p50 <= p99 <= longest
    assert longest > 0.0
