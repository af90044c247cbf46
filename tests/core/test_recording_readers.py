"""Laws of the seconds before a start, downstream: they are in the bag and never learnt from."""

from __future__ import annotations

import numpy as np
from recording_examples import CAMERA, SPEC, Rig, cdr

from rove_core.bag.episode import read_episode
from rove_core.bag.record import header
from rove_core.bag.summary import summarise_bag
from rove_core.vocabulary import Mode, Stage

BEFORE, DURING = 1.5, 1.0


def recorded(rig: Rig) -> None:
    """Record an episode of a robot that ran long before it: 20 Hz of everything, commands twice."""
    for step in range(round((3.0 + DURING) * 20)):
        if step == 60:
            rig.start()
        driving = step >= 60
        rig.hear(CAMERA, cdr(CAMERA, header=header(rig.ros_ns), data=np.zeros(4, np.uint8)))
        states = cdr(
            "joint_states", header=header(rig.ros_ns), name=list(SPEC.joint_names),
            position=np.full(SPEC.size, float(step)), velocity=np.zeros(SPEC.size),
        )  # fmt: skip
        rig.hear("joint_states", states)
        for _ in range(2):
            body = cdr(
                "joint_command", header=header(rig.ros_ns), epoch=1, position=np.zeros(SPEC.size),
                stage=int(Stage.ROLLOUT if driving else Stage.NONE), authority=int(driving),
                mode=int(Mode.AUTONOMOUS if driving else Mode.IDLE),
            )  # fmt: skip
            rig.hear("joint_command", body)
            rig.run(0.025, 0.025)
    rig.stop()
    rig.run(0.5)


def test_what_came_before_the_start_has_no_stage(tmp_path):
    """Every frame whose action was sent before the start is of stage NONE and mode IDLE; the first
    one that counts answers the picture before the first command of the policy."""
    rig = Rig(tmp_path, pre_roll=BEFORE)
    recorded(rig)
    episode = read_episode(tmp_path / "one", SPEC)
    number = episode.position[:, 0]
    before = number < 59  # its action is the command of the next frame
    assert before.sum() >= 20 * BEFORE - 2
    assert set(episode.stage[before]) == {Stage.NONE}
    assert set(episode.mode[before]) == {Mode.IDLE}
    assert set(episode.stage[~before]) == {Stage.ROLLOUT}
    assert number[~before][0] == 59
    assert set(episode.segment) == {0}


def test_a_summary_counts_the_episode_alone(tmp_path):
    """Time of the stages is that of the episode; the pre-roll shows as IDLE before it."""
    rig = Rig(tmp_path, pre_roll=BEFORE)
    recorded(rig)
    row = summarise_bag(tmp_path / "one")
    assert row.modes == (Mode.IDLE, Mode.AUTONOMOUS)
    assert abs(row.rollout_s - DURING) <= 0.05
    assert row.takeovers == 0
