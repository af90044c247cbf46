"""A day of a small robot: a policy, bags with takeovers, and settings that take a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from learner_examples import SMALL
from test_data import MS, PERIOD, robot

from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import EpisodeInfo
from rove_core.delivery.manifest import PolicyManifest, TrainingRecord
from rove_core.instruction import Tokenizer
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import Authority, EpisodeKind, Mode, Outcome, Stage
from rove_learner.actor import ActorConfig
from rove_learner.critic import CriticConfig
from rove_learner.export import to_onnx
from rove_learner.model import Actor, module_digest
from rove_learner.nightly import NightlyConfig

N, R, A, C, D = Stage.NONE, Stage.ROLLOUT, Stage.ADAPTATION, Stage.RECOVERY, Stage.DEMONSTRATION

CLEAN = (R,) * 8
RESCUED = (R,) * 3 + (N,) * 2 + (A,) * 3 + (C,) * 4 + (N,) + (R,) * 2

QUICK = NightlyConfig(
    critic=CriticConfig(
        pretrain_steps=4, steps=4, batch=16, hidden=8, horizon=3, report=2, held_out=0.3
    ),
    actor=ActorConfig(steps=4, batch=8, report=2, held_out=0.3),
    folds=2,
)


def base_policy(path: Path, spec: RobotSpec | None = None, seed: int = 0) -> Actor:
    """Write a policy file with random weights and return its network."""
    spec = spec or robot()
    torch.manual_seed(seed)
    tokenizer = Tokenizer.build(["wave"], 4)
    actor = Actor(spec.size, 4, tuple(spec.cameras), tokenizer.size, 4, SMALL).eval()
    manifest = PolicyManifest(
        robot=spec.name, robot_digest=spec.digest, joint_names=spec.joint_names,
        cameras={name: (c.width, c.height) for name, c in spec.cameras.items()},
        vocabulary=tokenizer.vocabulary, instruction_length=4, horizon=4, dt=0.05, rate=20.0,
        training=TrainingRecord("0" * 64, "test", 0, seed, module_digest(actor.image_encoder)),
    )  # fmt: skip
    path.write_bytes(to_onnx(actor, manifest))
    return actor


def write_episode(
    folder: Path,
    stages: Sequence[Stage],
    outcome: Outcome = Outcome.SUCCESS,
    spec: RobotSpec | None = None,
    modes: Sequence[Mode] | None = None,
    lost: Sequence[int] = (),
    seed: int = 0,
) -> Path:
    """Write a bag of the small robot; frames in ``lost`` have no command and no picture."""
    spec = spec or robot()
    rng = np.random.default_rng(seed)
    kind = EpisodeKind.DEMONSTRATION if D in stages else EpisodeKind.ROLLOUT
    info = EpisodeInfo.of(spec, folder.name, instruction="wave", task="wave", kind=kind)
    shown = modes or [Mode.ALIGN if s == N else Mode.AUTONOMOUS for s in stages]
    side = next(iter(spec.cameras.values())).width
    with EpisodeRecorder(folder, spec, info) as recorder:
        for t, (stage, mode) in enumerate(zip(stages, shown, strict=True)):
            stamp = 10**9 + t * PERIOD
            if t in lost:
                continue
            noise = rng.integers(0, 30, (side, side, 3)) + 20 * (t % 10)
            jpeg = cv2.imencode(".jpg", noise.astype(np.uint8))[1].tobytes()
            recorder.camera("ego", stamp, jpeg)
            recorder.joint_states(stamp, np.full(spec.size, 0.1 * t))
            authority = {R: Authority.POLICY, N: Authority.HOLD}.get(stage, Authority.HUMAN)
            target = np.full(spec.size, 0.1 * (t + 1))
            recorder.joint_command(stamp + PERIOD - 5 * MS, target, authority, stage, mode)
        return recorder.close(outcome)


def write_day(folder: Path, spec: RobotSpec | None = None) -> None:
    """Write six bags: two clean, two rescued, one failed, one aborted."""
    days = [
        ("clean0", CLEAN, Outcome.SUCCESS),
        ("clean1", CLEAN, Outcome.SUCCESS),
        ("rescued0", RESCUED, Outcome.SUCCESS),
        ("rescued1", RESCUED, Outcome.SUCCESS),
        ("failed", CLEAN, Outcome.TIMEOUT),
        ("aborted", CLEAN, Outcome.ABORTED),
    ]
    for seed, (name, stages, outcome) in enumerate(days):
        write_episode(folder / name, stages, outcome, spec, seed=seed)
