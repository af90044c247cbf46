"""Small bags with stages of a known length, and the files of a night, for tests of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.robot.spec import CameraSpec, RobotSpec
from rove_core.vocabulary import Authority, EpisodeChange, EpisodeKind, Mode, Outcome, Stage
from rove_learner.report.recording import read_recording

OLD, NEW = "0" * 64, "1" * 64
STEP_NS = 20_000_000
BEGIN_NS = 1_700_000_000 * 10**9

Part = tuple[Stage, float]
ALONE: tuple[Part, ...] = ((Stage.ROLLOUT, 1.0),)
HELPED: tuple[Part, ...] = (
    (Stage.ROLLOUT, 0.6),
    (Stage.NONE, 0.2),
    (Stage.ADAPTATION, 0.4),
    (Stage.RECOVERY, 0.8),
)
SHOWN: tuple[Part, ...] = ((Stage.DEMONSTRATION, 1.0),)
GIVEN_UP: tuple[Part, ...] = ((Stage.ROLLOUT, 0.4), (Stage.NONE, 0.2), (Stage.ADAPTATION, 0.4))

_WHO = {
    Stage.NONE: (Authority.HOLD, Mode.ALIGN),
    Stage.ROLLOUT: (Authority.POLICY, Mode.AUTONOMOUS),
    Stage.ADAPTATION: (Authority.HUMAN, Mode.HUMAN),
    Stage.RECOVERY: (Authority.HUMAN, Mode.HUMAN),
    Stage.DEMONSTRATION: (Authority.HUMAN, Mode.HUMAN),
}


def toy_spec() -> RobotSpec:
    """Return a robot of two joints with one camera."""
    ones = np.ones(2)
    return RobotSpec(
        name="toy",
        joint_names=("hip", "knee"),
        lower=-3 * ones,
        upper=3 * ones,
        velocity=ones,
        acceleration=ones,
        jerk=ones,
        effort=ones,
        home=0 * ones,
        groups={"all": ("hip", "knee")},
        frames={"pelvis": "pelvis"},
        finger_open={},
        finger_closed={},
        cameras={"ego": CameraSpec("ego", 32, 32, 1.0, "pelvis", (0, 0, 0), (0, 0, 0), 20.0)},
        urdf_path=Path("toy.urdf"),
        mesh_root=Path("."),
    )


def grey(seconds: float) -> bytes:
    """Return a JPEG whose brightness tells its time: 40 a second."""
    level = np.full((32, 32, 3), min(255, round(40 * seconds)), dtype=np.uint8)
    return cv2.imencode(".jpg", level)[1].tobytes()


def write_episode(
    folder: Path,
    parts: Sequence[Part] = ALONE,
    outcome: Outcome = Outcome.SUCCESS,
    *,
    policy: str = OLD,
    begin_ns: int = BEGIN_NS,
    picture: bytes | None = None,
    silent: tuple[float, float] = (0.0, 0.0),
    **fields: object,
) -> Path:
    """Write and return a bag whose commands, every 20 ms, go through the given stages.

    Args:
        folder: the bag; its name is the episode's.
        parts: (stage, s) in order.
        outcome: how it ended.
        policy: digest that rollouts name.
        begin_ns: time of the first command.
        picture: the JPEG of every moment; ``grey`` of its time by default.
        silent: from when to when no command is written, s.
        fields: of ``EpisodeInfo``.
    """
    spec = toy_spec()
    given = {"instruction": "wave", "kind": EpisodeKind.ROLLOUT} | fields
    info = EpisodeInfo.of(spec, folder.name, profile="toy\n", **given)
    stages = [stage for stage, seconds in parts for _ in range(round(seconds * 50))]
    with EpisodeRecorder(folder, spec, info) as recorder:
        recorder.episode_event(begin_ns, EpisodeChange.STARTED)
        for k in range(len(stages) + 1):  # the last command ends the last stage
            stage, t = stages[min(k, len(stages) - 1)], begin_ns + k * STEP_NS
            authority, mode = _WHO[stage]
            digest = policy if stage == Stage.ROLLOUT else ""
            if not silent[0] < k * STEP_NS / 1e9 < silent[1]:
                recorder.joint_command(t, [0, 0], authority, stage, mode, policy_digest=digest)
            if k % 5 == 0:
                recorder.camera("ego", t, picture or grey(k * STEP_NS / 1e9))
        return recorder.close(outcome, "")


def write_night(folder: Path, bags: Sequence[Path], **changes: object) -> Path:
    """Write and return the folder of a nightly job that learned from these bags."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "started_ns": BEGIN_NS,
        "base_digest": OLD,
        "new_digest": NEW,
        "backbone_digest": "2" * 64,
        "boundary": "reward",
        "c_fail": -500.0,
        "horizon": 16,
        "tau": 0.7,
        "counts": {"episodes": len(bags)},
        "label_audit": {"rollout": 0.25, "adaptation": 0.1, "recovery": 0.5},
        "t_r_sources": {"mark": 1, "value": 0, "end": 0},
        "warnings": [],
    }
    (folder / "run.json").write_text(json.dumps(run | changes))
    history = [{"step": k, "train": 1 / (k + 1), "held_out": 1.2 / (k + 1)} for k in range(5)]
    for name in ("critic", "actor"):
        (folder / f"{name}_history.json").write_text(json.dumps(history))
    arrays: dict[str, np.ndarray] = {}
    for bag in bags:
        arrays |= values_of(bag)
    np.savez(folder / "values.npz", **arrays)
    return folder


def values_of(bag: Path) -> Mapping[str, np.ndarray]:
    """Return values of a bag at 20 Hz: time counts up to 0; every third moment is high."""
    row = read_recording(bag)
    seconds = np.arange(0, row.duration_s, 0.05)
    k = np.arange(len(seconds))
    return {
        f"{bag.name}/time_ns": row.begin_ns + (seconds * 1e9).astype(np.int64),
        f"{bag.name}/value": 20 * (seconds - row.duration_s),
        f"{bag.name}/advantage": np.where(k == 0, np.nan, 1.0),
        f"{bag.name}/high": k % 3 == 0,
    }
