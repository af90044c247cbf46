"""Laws of rove-learn: bags in, a policy that runs out; what is wrong is one line and status 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_data import write_bag

from rove_core.observation import Observation
from rove_core.robot import load_robot
from rove_learner.cli import main
from rove_policy.runner import Policy


def test_pretrain_writes_a_policy_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From bags to a file that loads on the robot and says how it was made."""
    spec = load_robot("g1_dex3")
    for name in ("a", "b"):
        write_bag(tmp_path / "bags" / name, spec, side=128)
    out = tmp_path / "new" / "policy.onnx"
    arguments = ["pretrain", "--bags", str(tmp_path / "bags"), "--out", str(out)]
    assert main([*arguments, "--steps", "2", "--batch", "2"]) == 0
    said = capsys.readouterr().out
    assert "read 2 episodes, 16 frames" in said
    policy = Policy.load(out, spec)
    assert policy.digest in said.replace("\n", "")
    made = policy.manifest.training
    assert (made.steps, made.seed, made.episodes, made.frames) == (2, 0, 2, 16)
    assert made.command.startswith("rove-learn pretrain --bags")
    picture = np.zeros((128, 128, 3), dtype=np.uint8)
    chunk = policy.act(Observation(0, {"ego": picture}, spec.home, "wave"))
    assert chunk.position.shape == (policy.manifest.horizon, spec.size)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--bags": "nowhere"}, "nowhere"),
        ({"--robot": "r2d2"}, "r2d2"),
        ({"--out": "policy.pt"}, ".onnx"),
    ],
)
def test_what_a_person_can_fix_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], words: str
) -> None:
    """Wrong folder, robot or name: status 2 and a message, no traceback."""
    options = {"--bags": str(tmp_path), "--out": str(tmp_path / "p.onnx")} | change
    assert main(["pretrain", *(part for pair in options.items() for part in pair)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
