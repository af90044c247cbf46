"""A small robot and small bags for the tests of bags: no URDF, no ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.robot.spec import CameraSpec, RobotSpec
from rove_core.vocabulary import Authority, EpisodeChange, Mode, Outcome, Stage

MS = 1_000_000
START = 1_000 * 1_000 * MS
"""ROS time at which the examples begin, ns; on the 20 Hz grid."""


def small_spec(joints: tuple[str, ...] = ("hip", "knee", "wrist"), name: str = "toy") -> RobotSpec:
    """Return a robot of a few joints with one camera of 20 Hz."""
    ones = np.ones(len(joints))
    return RobotSpec(
        name=name,
        joint_names=joints,
        lower=-3 * ones,
        upper=3 * ones,
        velocity=ones,
        acceleration=ones,
        jerk=ones,
        effort=ones,
        home=0 * ones,
        groups={"all": joints},
        frames={"pelvis": "pelvis"},
        finger_open={},
        finger_closed={},
        cameras={"ego": CameraSpec("ego", 8, 8, 1.0, "pelvis", (0, 0, 0), (0, 0, 0), 20.0)},
        urdf_path=Path("toy.urdf"),
        mesh_root=Path("."),
    )


def small_info(spec: RobotSpec, episode_id: str = "one", **fields: object) -> EpisodeInfo:
    """Return the description of an episode of that robot."""
    return EpisodeInfo.of(spec, episode_id, profile="joints: toy\n", **fields)


def record_frames(recorder: EpisodeRecorder, spec: RobotSpec, frames: int, begin: int = 0) -> None:
    """Write frames ``begin..`` at 20 Hz: picture and joints at the frame, commands at 200 Hz.

    Joints hold the frame's number, commands its number plus a hundredth per command.
    """
    for k in range(begin, begin + frames):
        t = START + k * 50 * MS
        recorder.camera("ego", t, b"\xff\xd8picture %d" % k)
        recorder.joint_states(t, np.full(spec.size, float(k)))
        for i in range(10):
            recorder.joint_command(
                t + i * 5 * MS,
                np.full(spec.size, k + i / 100),
                Authority.POLICY,
                Stage.ROLLOUT,
                Mode.AUTONOMOUS,
                policy_digest="digest",
            )


def small_bag(folder: Path, frames: int = 6, **fields: object) -> Path:
    """Write and return a finished bag of the small robot."""
    spec = small_spec()
    info = small_info(spec, folder.name, **fields)
    with EpisodeRecorder(folder, spec, info) as recorder:
        recorder.episode_event(START, EpisodeChange.STARTED)
        record_frames(recorder, spec, frames)
        stop = START + frames * 50 * MS
        recorder.episode_event(stop, EpisodeChange.STOPPED, Outcome.SUCCESS, "clean")
        return recorder.close(Outcome.SUCCESS, "clean")
