"""Laws of the policy manifest: it survives JSON, and it fits one robot only."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rove_core.delivery.manifest import PolicyManifest
from rove_core.errors import PolicyError
from rove_core.robot import RobotSpec


def test_json_round_trip(manifest: PolicyManifest) -> None:
    """Reading what was written gives an equal manifest."""
    threshold = replace(manifest, advantage_conditioned=True, advantage_threshold=-3.25)
    for one in (manifest, threshold):
        assert PolicyManifest.from_json(one.to_json()) == one


def test_what_was_given_is_copied(manifest: PolicyManifest) -> None:
    """Changing the dicts that a manifest was made from does not change the manifest."""
    cameras, rows = {"ego": (128, 128)}, {"position_mean": (0.5,)}
    one = replace(manifest, cameras=cameras, statistics=rows)
    cameras["wrist"], rows["position_mean"] = (1, 1), (9.0,)
    assert one.cameras == {"ego": (128, 128)}
    assert one.statistics == {"position_mean": (0.5,)}


def test_fits_its_robot(manifest: PolicyManifest, spec: RobotSpec) -> None:
    """The manifest of a robot fits it, and nothing differs."""
    manifest.require_fit(spec)
    assert manifest.differences(spec) == ()


def test_a_changed_profile_is_reported_but_fits(manifest: PolicyManifest, spec: RobotSpec) -> None:
    """A wider margin at the end stops changes the digest: a notice that names both, no refusal."""
    careful = replace(spec, upper=spec.upper - 0.01)
    manifest.require_fit(careful)
    (notice,) = manifest.differences(careful)
    assert spec.digest[:12] in notice
    assert careful.digest[:12] in notice


def _swapped(names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names[:20], names[21], names[20], *names[22:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: {"joint_names": _swapped(m.joint_names)}, ["joint 20", "left_"]),
        (lambda m: {"joint_names": m.joint_names[:-1]}, ["42", "43"]),
        (lambda m: {"cameras": {"wrist": (64, 64)}}, ["'wrist'", "ego"]),
        (lambda m: {"cameras": {"ego": (128, 96)}}, ["(128, 96)", "(128, 128)"]),
        (lambda m: {"robot": "gr1t2"}, ["gr1t2", "g1_dex3"]),
    ],
)
def test_a_mismatch_names_both_sides(
    manifest: PolicyManifest, spec: RobotSpec, change: Any, words: list[str]
) -> None:
    """Joint order, number of joints, camera, its size and the robot must match."""
    with pytest.raises(PolicyError) as caught:
        replace(manifest, **change(manifest)).require_fit(spec, "policy x.onnx")
    for word in [*words, "x.onnx"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"horizon": 0},
        {"dt": 0.0},
        {"dt": float("inf")},
        {"rate": -1.0},
        {"cameras": {}},
        {"cameras": {"ego": (0, 10)}},
        {"joint_names": ("a", "a")},
        {"vocabulary": ("Erase",)},
        {"instruction_length": 0},
        {"format_version": 2},
        {"statistics": {"position_mean": (float("nan"),)}},
    ],
)
def test_senseless_manifests_cannot_be_made(
    manifest: PolicyManifest, fields: dict[str, Any]
) -> None:
    """What no policy can mean is refused when the manifest is made."""
    with pytest.raises(PolicyError):
        replace(manifest, **fields)


def test_json_of_a_wrong_type_or_version_is_refused(manifest: PolicyManifest) -> None:
    """Missing field, wrong type, other version and non-JSON are PolicyErrors that say where."""
    good = json.loads(manifest.to_json())
    bad = ["{", "[]", json.dumps({k: v for k, v in good.items() if k != "horizon"})]
    bad += [json.dumps(good | change) for change in ({"horizon": "4"}, {"format_version": 99})]
    for text in bad:
        with pytest.raises(PolicyError, match="here"):
            PolicyManifest.from_json(text, "here")
