"""The exported file computes what the network computes, and nothing is exported that does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rove_core.delivery.manifest import PolicyManifest, TrainingRecord
from rove_core.errors import PolicyError
from rove_core.instruction import Tokenizer
from rove_core.observation import Observation
from rove_core.robot import RobotSpec, load_robot
from rove_learner.export import TOLERANCE_RAD, parity, to_onnx
from rove_learner.frames import Batch
from rove_learner.model import Actor, ModelSize, module_digest
from rove_policy.runner import Policy

HORIZON, LENGTH = 5, 6
TOKENIZER = Tokenizer.build(["erase the red stroke", "erase the blue stroke"], LENGTH)


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    """The shipped robot profile."""
    return load_robot("g1_dex3")


@pytest.fixture(scope="module")
def actor(spec: RobotSpec) -> Actor:
    """A small network with random weights and statistics; it resizes its pictures."""
    torch.manual_seed(0)
    size = ModelSize(picture=64, fine=8, channels=16, words=8, points=4, width=32)
    network = Actor(spec.size, HORIZON, tuple(spec.cameras), TOKENIZER.size, LENGTH, size)
    network.set_statistics(
        {
            "position_mean": list(spec.home),
            "position_scale": [0.3] * spec.size,
            "delta_mean": [0.01] * spec.size,
            "delta_scale": [0.2] * spec.size,
        }
    )
    return network.eval()


@pytest.fixture(scope="module")
def manifest(spec: RobotSpec, actor: Actor) -> PolicyManifest:
    """The manifest of that network."""
    return PolicyManifest(
        robot=spec.name,
        robot_digest=spec.digest,
        joint_names=spec.joint_names,
        cameras={name: (camera.width, camera.height) for name, camera in spec.cameras.items()},
        vocabulary=TOKENIZER.vocabulary,
        instruction_length=LENGTH,
        horizon=HORIZON,
        dt=0.05,
        rate=20.0,
        training=TrainingRecord("none", "none", 0, 0, module_digest(actor.image_encoder)),
    )


@pytest.fixture(scope="module")
def data(actor: Actor, manifest: PolicyManifest) -> bytes:
    """The exported bytes."""
    return to_onnx(actor, manifest)


def random_batch(spec: RobotSpec, n: int, seed: int) -> Batch:
    """Return n random observations: noise pictures, joints inside the limits, random words."""
    rng = np.random.default_rng(seed)
    images = {
        name: rng.integers(0, 256, (n, camera.height, camera.width, 3), dtype=np.uint8)
        for name, camera in spec.cameras.items()
    }
    position = rng.uniform(spec.lower, spec.upper, (n, spec.size)).astype(np.float32)
    words = rng.integers(0, TOKENIZER.size, (n, LENGTH))
    target = np.repeat(position[:, None], HORIZON, axis=1)
    return Batch(images, position, words, target, np.ones((n, HORIZON), dtype=bool))


def test_onnxruntime_and_torch_agree(spec: RobotSpec, actor: Actor, data: bytes) -> None:
    """On random observations, high and low, they differ by less than the documented tolerance."""
    worst = parity(data, actor, [random_batch(spec, 20, seed=1)])
    assert worst <= TOLERANCE_RAD


def test_the_proof_can_fail(spec: RobotSpec, actor: Actor, data: bytes) -> None:
    """With one weight changed after the export the proof raises."""
    bias = actor.chunk.bias
    with torch.no_grad():
        before = bias.clone()
        bias[0] += 0.01
    try:
        with pytest.raises(PolicyError, match="differ by"):
            parity(data, actor, [random_batch(spec, 1, seed=2)])
    finally:
        with torch.no_grad():
            bias.copy_(before)


def test_the_robot_computes_what_the_learner_computes(
    spec: RobotSpec, actor: Actor, data: bytes, tmp_path: Path
) -> None:
    """Observation -> Policy on the robot equals words -> tokens -> network, clipped to limits."""
    path = tmp_path / "policy.onnx"
    path.write_bytes(data)
    policy = Policy.load(path, spec)
    batch = random_batch(spec, 4, seed=3)
    for i, (text, high) in enumerate(
        [
            ("erase the red stroke", True),
            ("Erase the BLUE stroke!", True),
            ("wave", False),
            ("", True),
        ]
    ):
        images = {name: values[i] for name, values in batch.images.items()}
        chunk = policy.act(Observation(10**9, images, batch.position[i], text), high)
        with torch.no_grad():
            expected = actor(
                [torch.from_numpy(images[name][None]) for name in actor.cameras],
                torch.from_numpy(batch.position[i : i + 1]),
                torch.from_numpy(TOKENIZER.encode(text)[None]),
                torch.tensor([float(high)]),
            ).numpy()[0]
        expected = np.clip(expected, spec.lower, spec.upper)
        np.testing.assert_allclose(chunk.position, expected, atol=TOLERANCE_RAD)


def test_every_input_reaches_the_chunk(spec: RobotSpec, actor: Actor) -> None:
    """Picture, joints, words and advantage each change the chunk: none was folded away."""
    batch = random_batch(spec, 2, seed=4)
    image, joints = torch.from_numpy(batch.images["ego"]), torch.from_numpy(batch.position)
    words, high = torch.from_numpy(batch.instruction), torch.ones(1)
    with torch.no_grad():
        base = actor([image[:1]], joints[:1], words[:1], high)
        others = {
            "image": actor([image[1:]], joints[:1], words[:1], high),
            "instruction": actor([image[:1]], joints[:1], words[1:], high),
            "advantage": actor([image[:1]], joints[:1], words[:1], high * 0),
        }
        moved = actor([image[:1]], joints[1:], words[:1], high)
    for name, other in others.items():
        assert float((other - base).abs().max()) > 1e-5, name
    delta = (moved - joints[1:, None]) - (base - joints[:1, None])
    assert float(delta.abs().max()) > 1e-5


def test_export_refuses_another_networks_manifest(actor: Actor, manifest: PolicyManifest) -> None:
    """Actor and manifest must agree on joints, horizon and cameras."""
    from dataclasses import replace

    with pytest.raises(PolicyError, match="manifest"):
        to_onnx(actor, replace(manifest, horizon=HORIZON + 1))
