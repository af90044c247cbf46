"""Laws of Policy: it runs what fits, clips what it proposes, and names what does not fit."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from policy_examples import HORIZON, hold_graph, observe, with_manifest

from rove_core.arrays import FloatArray
from rove_core.delivery.manifest import PolicyManifest
from rove_core.errors import ConfigError, ContractError, PolicyError
from rove_core.observation import Observation
from rove_core.robot import RobotSpec
from rove_policy.runner import Policy

Write = Callable[..., Path]


def test_a_chunk_says_where_it_comes_from(write: Write, spec: RobotSpec) -> None:
    """Row 0 is due one dt after the observation; the digest is the SHA-256 of the file."""
    path = write()
    policy = Policy.load(path, spec)
    chunk = policy.act(observe(spec), chunk_id=5)
    assert policy.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (chunk.policy_digest, chunk.chunk_id) == (policy.digest, 5)
    assert (chunk.observation_ns, chunk.start_ns) == (7_000_000_000, 7_050_000_000)
    assert (chunk.dt_ns, chunk.horizon) == (50_000_000, HORIZON)
    np.testing.assert_allclose(chunk.position, np.tile(spec.home, (HORIZON, 1)), atol=1e-6)


@pytest.mark.parametrize("offset", [-0.9, 0.9])
def test_targets_stay_inside_the_limits(write: Write, spec: RobotSpec, offset: float) -> None:
    """Whatever the network says, no target lies outside the joint limits."""
    policy = Policy.load(write(offset=offset), spec)
    chunk = policy.act(observe(spec)).position
    assert (chunk >= spec.lower).all()
    assert (chunk <= spec.upper).all()
    expected = np.clip(spec.home + offset, spec.lower, spec.upper)
    np.testing.assert_allclose(chunk, np.tile(expected, (HORIZON, 1)), atol=1e-6)


def test_not_finite_output_is_an_error_and_never_a_chunk(
    write: Write, spec: RobotSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN that appears while running raises PolicyError and names the joint."""
    policy = Policy.load(write(), spec)
    bad = np.zeros((1, HORIZON, spec.size), dtype=np.float32)
    bad[0, 2, 3] = math.nan

    class Broken:
        def run(self, *_: object) -> list[np.ndarray]:
            return [bad]

    monkeypatch.setattr(policy, "_session", Broken())
    with pytest.raises(PolicyError, match=spec.joint_names[3]):
        policy.act(observe(spec))


@pytest.mark.parametrize("offset", [math.nan, math.inf, 50.0, -50.0])
def test_a_policy_that_fails_its_warm_up_is_refused(
    write: Write, spec: RobotSpec, offset: float
) -> None:
    """Not finite, or far outside the limits on a grey picture: refused when loaded."""
    with pytest.raises(PolicyError):
        Policy.load(write(offset=offset), spec)


def test_the_warm_up_asks_where_the_policy_was_trained(
    write: Write, spec: RobotSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy may answer anything at a posture it never saw: it is asked at the mean of its
    data, inside the limits, and at home when the manifest does not say."""
    asked = []

    def infer(self: Policy, images: object, position: FloatArray, *_: object) -> FloatArray:
        asked.append(position)
        return np.tile(spec.home, (HORIZON, 1))

    monkeypatch.setattr(Policy, "_infer", infer)
    mean = spec.ready + 0.01
    mean[0] = spec.upper[0] + 1.0
    for statistics in ({"position_mean": tuple(mean)}, {"position_mean": (1.0, 2.0)}, {}):
        Policy.load(write(statistics=statistics), spec)
    np.testing.assert_array_equal(asked[0], np.clip(mean, spec.lower, spec.upper))
    np.testing.assert_array_equal(asked[1:], [spec.home, spec.home])


def test_files_that_are_no_policy(
    write: Write, spec: RobotSpec, manifest: PolicyManifest, tmp_path: Path
) -> None:
    """Missing, empty, random, cut or without a good manifest: a PolicyError names the path."""
    good = write().read_bytes()
    bare = hold_graph(manifest)
    cases = {
        "missing.onnx": None,
        "empty.onnx": b"",
        "random.onnx": b"not a model at all" * 50,
        "half.onnx": good[: len(good) // 2],
        "bare.onnx": bare,
        "broken.onnx": with_manifest(bare, '{"horizon": 4'),
    }
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(PolicyError, match=name):
            Policy.load(path, spec)
    with pytest.raises(PolicyError, match="rove_manifest"):
        Policy.load(tmp_path / "bare.onnx", spec)


def test_graph_and_manifest_must_agree(write: Write, spec: RobotSpec) -> None:
    """A horizon or an instruction length that the graph does not have is named with both values."""
    with pytest.raises(PolicyError, match=r"'chunk'.*\(1, 5, 43\).*\(1, 4, 43\)"):
        Policy.load(write(rows=5), spec)
    with pytest.raises(PolicyError, match=r"'instruction'.*\(1, 6\).*\(1, 9\)"):
        Policy.load(write(instruction_length=9), spec)


def test_a_manifest_for_another_robot_is_refused(write: Write, spec: RobotSpec) -> None:
    """Swapped joints would move the wrong ones: refused before anything runs."""
    names = (spec.joint_names[1], spec.joint_names[0], *spec.joint_names[2:])
    with pytest.raises(PolicyError, match="joint 0"):
        Policy.load(write(joint_names=names), spec)


def test_bad_observations_are_named(write: Write, spec: RobotSpec) -> None:
    """A missing camera, a wrong size, too few joints or too many words raise before inference."""
    policy = Policy.load(write(), spec)
    small = np.zeros((64, 64, 3), dtype=np.uint8)
    cases: list[tuple[Observation, type[Exception]]] = [
        (observe(spec, images={"other": small}), ContractError),
        (observe(spec, images={"ego": small}), ContractError),
        (observe(spec, position=spec.home[:-1]), ContractError),
        (observe(spec, "one two three four five six seven"), ConfigError),
    ]
    for observation, error in cases:
        with pytest.raises(error, match=r"allowed|needs"):
            policy.act(observation)
    assert policy.unknown_words("erase blue") == ("blue",)


def test_running_a_policy_needs_no_torch_and_no_ros() -> None:
    """A robot carries neither: importing the whole package must not import them."""
    code = (
        "import sys, rove_policy.slot; "
        "bad = {'torch', 'rclpy', 'rove_learner', 'rove_teleop'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
