"""The law of cutting: what came before an episode started is never learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rove_core.bag.episode import read_episode
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage
from rove_learner.episodes import from_bag

MS = 1_000_000
START = 1_000_000 * MS


def bag_with_pre_roll(folder: Path, before: int, during: int) -> Path:
    """Write frames of 50 ms: ``before`` of them in IDLE, then the start, then ``during``."""
    spec = load_robot("g1_dex3")
    info = EpisodeInfo.of(spec, folder.name)
    with EpisodeRecorder(folder, spec, info) as recorder:
        for k in range(before + during):
            t = START + k * 50 * MS
            driving = k >= before
            if k == before:
                recorder.episode_event(t, EpisodeChange.STARTED)
            for camera in spec.cameras:
                recorder.camera(camera, t, b"\xff\xd8picture %d" % k)
            recorder.joint_states(t, np.full(spec.size, 0.001 * k))
            for i in range(10):
                recorder.joint_command(
                    t + i * 5 * MS,
                    np.full(spec.size, 0.001 * k),
                    Authority.POLICY if driving else Authority.HOLD,
                    Stage.ROLLOUT if driving else Stage.NONE,
                    Mode.AUTONOMOUS if driving else Mode.IDLE,
                )
        recorder.episode_event(t + 50 * MS, EpisodeChange.STOPPED, Outcome.SUCCESS)
        return recorder.close(Outcome.SUCCESS)


def test_frames_before_the_start_are_cut(tmp_path):
    """The learner sees the frames of the episode, one segment, and none of the pre-roll."""
    path = bag_with_pre_roll(tmp_path / "one", before=40, during=20)
    episode = from_bag(read_episode(path, load_robot("g1_dex3")), "one")
    assert set(episode.stage) == {Stage.ROLLOUT}
    assert episode.times_ns[0] == START + 39 * 50 * MS  # answered by the first command of it
    assert len(episode) == 21
    assert set(episode.segment) == {0}
    assert episode.spans == ()
