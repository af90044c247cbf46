"""From a folder of bags to a policy file: read, train, export, prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rove_core.delivery.manifest import PolicyManifest, TrainingRecord
from rove_core.errors import PolicyError
from rove_core.resample import PERIOD_NS
from rove_core.robot.spec import RobotSpec
from rove_learner.data import DataSet
from rove_learner.export import export
from rove_learner.model import module_digest
from rove_learner.train import Progress, Trained, TrainingConfig, train


@dataclass(frozen=True)
class Pretrained:
    """A policy file and what is known of it.

    Attributes:
        path: the file.
        digest: its SHA-256 (hex), the digest of the policy.
        manifest: what it says about itself.
        difference: rad, largest difference between onnxruntime and torch.
        history: measurements during training.
    """

    path: Path
    digest: str
    manifest: PolicyManifest
    difference: float
    history: tuple[Progress, ...]


def manifest_of(
    spec: RobotSpec, data: DataSet, trained: Trained, config: TrainingConfig, command: str
) -> PolicyManifest:
    """Return the manifest of a trained actor."""
    seconds = PERIOD_NS / 1e9
    cameras = {
        name: (spec.cameras[name].width, spec.cameras[name].height)
        for name in trained.actor.cameras
    }
    return PolicyManifest(
        robot=spec.name,
        robot_digest=spec.digest,
        joint_names=spec.joint_names,
        cameras=cameras,
        vocabulary=trained.tokenizer.vocabulary,
        instruction_length=trained.tokenizer.length,
        horizon=config.horizon,
        dt=seconds,
        rate=1.0 / seconds,
        statistics=trained.statistics,
        training=TrainingRecord(
            data_digest=data.digest,
            command=command,
            steps=config.steps,
            seed=config.seed,
            encoder_digest=module_digest(trained.actor.image_encoder),
            episodes=len(data.episodes),
            frames=data.frames,
        ),
    )


def pretrain(
    data: DataSet,
    spec: RobotSpec,
    out: Path,
    config: TrainingConfig,
    command: str,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> Pretrained:
    """Train an actor on demonstrations and write the policy file.

    Args:
        data: what to imitate.
        spec: the robot.
        out: the policy file, ``*.onnx``.
        config: how to train.
        command: what a person typed, kept in the manifest.
        on_progress, on_step: told about measurements and steps.

    Raises:
        PolicyError: ``out`` cannot be written, or the export is not equal to the network.
        BagError: too few episodes.
    """
    require_writable(out)  # before the minutes of training, not after
    trained = train(data.episodes, config, on_progress=on_progress, on_step=on_step)
    manifest = manifest_of(spec, data, trained, config, command)
    name, difference = export(trained.actor, manifest, out, trained.held_out)
    return Pretrained(out, name, manifest, difference, trained.history)


def require_writable(out: Path) -> None:
    """Make the folder of a policy file; raise PolicyError when the file cannot go there."""
    if out.suffix != ".onnx":
        raise PolicyError(f"policy file {str(out)!r} given, a name that ends in .onnx allowed")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = out.with_name(f".{out.name}.new")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PolicyError(f"policy file {str(out)!r} cannot be written: {error}") from error
