"""Laws of reading bags: what can be learnt from is read, everything else is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.errors import BagError
from rove_core.robot.spec import CameraSpec, RobotSpec
from rove_core.vocabulary import Authority, Mode, Outcome, Stage
from rove_learner.data import read_bags

MS = 1_000_000
PERIOD = 50 * MS
FRAMES = 8


def robot(
    name: str = "toy", joints: tuple[str, ...] = ("hip", "knee"), side: int = 32
) -> RobotSpec:
    """Return a robot of two joints and one camera."""
    ones = np.ones(len(joints))
    camera = CameraSpec("ego", side, side, 1.0, "head", (0, 0, 0), (0, 0, 0), 20.0)
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
        groups={"body": joints},
        frames={},
        finger_open={},
        finger_closed={},
        cameras={"ego": camera},
        urdf_path=Path("toy.urdf"),
        mesh_root=Path("."),
    )


def write_bag(
    folder: Path,
    spec: RobotSpec,
    outcome: Outcome = Outcome.SUCCESS,
    stages: tuple[Stage, ...] = (Stage.DEMONSTRATION,) * FRAMES,
    side: int = 32,
) -> Path:
    """Write a bag whose command of frame t is t + 1 rad on every joint (scaled by 0.1)."""
    jpeg = cv2.imencode(".jpg", np.full((side, side, 3), 60, dtype=np.uint8))[1].tobytes()
    info = EpisodeInfo.of(spec, folder.name, instruction="wave", task="wave")
    with EpisodeRecorder(folder, spec, info) as recorder:
        for t, stage in enumerate(stages):
            stamp = 10**9 + t * PERIOD
            recorder.camera("ego", stamp, jpeg)
            recorder.joint_states(stamp, np.full(spec.size, 0.1 * t))
            target = np.full(spec.size, 0.1 * (t + 1))
            recorder.joint_command(stamp + PERIOD, target, Authority.HUMAN, stage, Mode.HUMAN)
        return recorder.close(outcome)


def test_frames_come_back_with_the_command_that_answers_them(tmp_path: Path) -> None:
    """The target of frame t is the command in force when frame t + 1 is due."""
    spec = robot()
    for name in ("a", "b"):
        write_bag(tmp_path / name, spec)
    seen: list[tuple[int, int]] = []
    data = read_bags(tmp_path, spec, on_bag=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert not data.left_out
    assert data.frames == sum(len(e.position) for e in data.episodes) == 2 * FRAMES
    for episode in data.episodes:
        assert episode.instruction == "wave"
        np.testing.assert_allclose(episode.target - episode.position, 0.1, atol=1e-6)
        assert episode.left.tolist() == list(range(FRAMES, 0, -1))


def test_cut_stages_are_not_learnt(tmp_path: Path) -> None:
    """Frames of stage NONE start no chunk, and chunks end before them."""
    stages = (Stage.ROLLOUT,) * 3 + (Stage.NONE,) * 2 + (Stage.RECOVERY,) * 3
    write_bag(tmp_path / "a", robot(), stages=stages)
    (episode,) = read_bags(tmp_path, robot()).episodes
    assert episode.left.tolist() == [3, 2, 1, 0, 0, 3, 2, 1]


def test_the_digest_is_of_what_was_read(tmp_path: Path) -> None:
    """The same episodes elsewhere have the same digest; one episode more has another."""
    spec = robot()
    write_bag(tmp_path / "one" / "a", spec)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = read_bags(tmp_path / "one", spec).digest
    assert read_bags(tmp_path / "two", spec).digest == first
    write_bag(tmp_path / "two" / "b", spec)
    assert read_bags(tmp_path / "two", spec).digest != first


def test_bags_that_cannot_be_used_are_left_out_with_reasons(tmp_path: Path) -> None:
    """Failures, other robots, broken and unfinished bags are named; the rest is still read."""
    spec = robot()
    good = write_bag(tmp_path / "good", spec)
    write_bag(tmp_path / "failed", spec, Outcome.FAILURE)
    write_bag(tmp_path / "other", robot("other", ("arm", "leg")))
    write_bag(tmp_path / "still", spec, stages=(Stage.NONE,) * FRAMES)
    write_bag(tmp_path / "large", spec, side=64)
    cut = write_bag(tmp_path / "cut", spec)
    (mcap,) = cut.glob("*.mcap")
    mcap.write_bytes(mcap.read_bytes()[:-200])
    foreign = tmp_path / "foreign"
    shutil.copytree(good, foreign)
    (mcap,) = foreign.glob("*.mcap")
    mcap.write_bytes(b"something else")
    data = read_bags(tmp_path, spec)
    assert [Path(e.source).name for e in data.episodes] == ["good"]
    reasons = {Path(path).name: why for path, why in data.left_out.items()}
    words = {
        "failed": "FAILURE",
        "other": "arm",
        "still": "stage NONE",
        "large": "(64, 64, 3)",
        "cut": "truncated",
        "foreign": "not a bag",
    }
    assert set(reasons) == set(words)
    for name, word in words.items():
        assert word in reasons[name], reasons[name]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    """No folder, no bags, and nothing but unusable bags each say so."""
    with pytest.raises(BagError, match="does not exist"):
        read_bags(tmp_path / "nowhere", robot())
    with pytest.raises(BagError, match="no bags below"):
        read_bags(tmp_path, robot())
    write_bag(tmp_path / "failed", robot(), Outcome.FAILURE)
    with pytest.raises(BagError, match=r"none of the 1 bags.*FAILURE"):
        read_bags(tmp_path, robot())
