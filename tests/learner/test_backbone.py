"""Laws of the frozen backbone: read back from a policy file, cached, blind to joints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from nightly_examples import C, N, R, base_policy, write_episode
from test_data import robot

from rove_core.bag.episode import read_episode
from rove_core.errors import PolicyError
from rove_learner.backbone import Backbone, FeatureCache, all_features, load_actor
from rove_learner.episodes import from_bag
from rove_learner.frames import decode
from rove_learner.model import module_digest

SHIPPED = Path(__file__).parents[2] / "ros2_ws/src/rove_sim/rove_sim/policies/erase_whiteboard.onnx"


def test_a_policy_file_is_read_back_as_it_was_exported(tmp_path: Path) -> None:
    """Every weight comes back, under its name."""
    actor = base_policy(tmp_path / "p.onnx")
    found = load_actor(tmp_path / "p.onnx")
    assert module_digest(found.actor) == module_digest(actor)
    assert found.manifest.robot == "toy"


def test_the_shipped_policy_is_read_back() -> None:
    """Its encoder has the digest that its training recorded (parity is checked on loading)."""
    found = load_actor(SHIPPED)
    recorded = found.manifest.training.encoder_digest
    assert module_digest(found.actor.image_encoder) == recorded


def test_other_files_are_refused(tmp_path: Path) -> None:
    """No file, no ONNX, no manifest, a weight missing, another result: each says so."""
    path = tmp_path / "p.onnx"
    with pytest.raises(PolicyError, match="can be read"):
        load_actor(path)
    path.write_bytes(b"no policy")
    with pytest.raises(PolicyError, match=r"can be read|no policy of ROVE"):
        load_actor(path)
    base_policy(path)
    model = onnx.load(str(path))
    model.metadata_props.clear()
    (tmp_path / "bare.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(PolicyError, match="rove_manifest"):
        load_actor(tmp_path / "bare.onnx")
    model = onnx.load(str(path))
    for entry in model.graph.initializer:
        if entry.name == "actor.state.0.bias":
            entry.name = "elsewhere"
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == "actor.state.0.bias":
                node.input[i] = "elsewhere"
    (tmp_path / "renamed.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(PolicyError, match=r"state\.0\.bias"):
        load_actor(tmp_path / "renamed.onnx")
    model = onnx.load(str(path))
    for node in model.graph.node:
        if node.op_type == "Relu" and "trunk" in node.name:
            node.op_type = "Tanh"
    (tmp_path / "changed.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(PolicyError, match="differs by"):
        load_actor(tmp_path / "changed.onnx")


def test_features_hold_what_the_actor_sees(tmp_path: Path) -> None:
    """The first columns, given to the trunk, give the same chunk as the pictures."""
    actor = base_policy(tmp_path / "p.onnx")
    base = load_actor(tmp_path / "p.onnx")
    episode = from_bag(read_episode(write_episode(tmp_path / "a", [R] * 4), robot()), "a")
    backbone = Backbone(base.actor)
    features = torch.from_numpy(backbone.features(episode, base.tokenizer))
    images = torch.from_numpy(np.stack([decode(p) for p in episode.images["ego"]]))
    ids = torch.from_numpy(np.tile(base.tokenizer.encode("wave"), (4, 1)))
    position, high = torch.from_numpy(episode.position), torch.ones(4)
    with torch.no_grad():
        direct = actor.normalised([images], position, ids, high)
        through = actor.planned(features[:, : backbone.seen], position, high)
    torch.testing.assert_close(direct, through)


def test_features_do_not_know_the_joints(tmp_path: Path) -> None:
    """Other joints, same pictures: the same features, and the same file."""
    base_policy(tmp_path / "p.onnx")
    base = load_actor(tmp_path / "p.onnx")
    episode = from_bag(read_episode(write_episode(tmp_path / "a", [R] * 4), robot()), "a")
    moved = replace(episode, position=episode.position + 1)
    cache = FeatureCache(tmp_path / "cache", Backbone(base.actor), base.tokenizer)
    one, two = all_features([episode, moved], cache)
    np.testing.assert_array_equal(one, two)
    assert cache.computed == 1


def test_the_cache_follows_pictures_and_backbone(tmp_path: Path) -> None:
    """Kept for the same content, made anew for other weights or after damage."""
    episodes = [
        from_bag(read_episode(write_episode(tmp_path / n, stages, seed=s), robot()), n)
        for n, stages, s in (("a", [R] * 4, 0), ("b", [R, N, C, C], 1))
    ]
    caches = []
    for seed in (0, 1):
        base_policy(tmp_path / "p.onnx", seed=seed)
        base = load_actor(tmp_path / "p.onnx")
        caches.append(FeatureCache(tmp_path / "cache", Backbone(base.actor), base.tokenizer))
    first, other = caches
    fresh = all_features(episodes, first)
    assert (first.computed, [len(x) for x in fresh]) == (2, [4, 3])
    again = all_features(episodes, first)
    assert first.computed == 2
    assert all((x == y).all() for x, y in zip(fresh, again, strict=True))
    all_features(episodes, other)
    assert other.computed == 2
    first.path(episodes[0]).write_bytes(b"damaged")
    np.testing.assert_array_equal(first.features(episodes[0]), fresh[0])
    assert first.computed == 3


def test_the_backbone_is_frozen(tmp_path: Path) -> None:
    """Nothing of it asks for a gradient."""
    base_policy(tmp_path / "p.onnx")
    backbone = Backbone(load_actor(tmp_path / "p.onnx").actor)
    assert not any(p.requires_grad for p in backbone.parameters())
