"""Fixtures of the policy tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from policy_examples import HORIZON, WORDS, hold_graph, with_manifest

from rove_core.delivery.manifest import PolicyManifest, TrainingRecord
from rove_core.robot import RobotSpec, load_robot


@pytest.fixture(scope="session")
def spec() -> RobotSpec:
    """The shipped robot profile."""
    return load_robot("g1_dex3")


@pytest.fixture(scope="session")
def manifest(spec: RobotSpec) -> PolicyManifest:
    """A manifest that fits the robot."""
    return PolicyManifest(
        robot=spec.name,
        robot_digest=spec.digest,
        joint_names=spec.joint_names,
        cameras={name: (camera.width, camera.height) for name, camera in spec.cameras.items()},
        vocabulary=WORDS,
        instruction_length=6,
        horizon=HORIZON,
        dt=0.05,
        rate=20.0,
        training=TrainingRecord("data", "rove-learn pretrain", 10, 0, "encoder"),
        statistics={"position_mean": tuple(spec.home)},
    )


@pytest.fixture
def write(tmp_path: Path, manifest: PolicyManifest) -> Callable[..., Path]:
    """Return a writer of policy files: ``write(name, offset=..., rows=..., **manifest fields)``.

    The fields change what the manifest *says*; the graph stays that of the fitting manifest.
    """

    def make(
        name: str = "policy.onnx", offset: float = 0.0, rows: int | None = None, **fields: Any
    ) -> Path:
        path = tmp_path / name
        said = replace(manifest, **fields)
        path.write_bytes(with_manifest(hold_graph(manifest, offset, rows), said.to_json()))
        return path

    return make
