"""Laws of the nightly job: it makes a policy, leaves what the report needs, and resumes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nightly_examples import (
    CLEAN,
    QUICK,
    RESCUED,
    A,
    D,
    N,
    R,
    base_policy,
    write_day,
    write_episode,
)
from test_data import robot

from rove_core.errors import BagError, PolicyError
from rove_core.vocabulary import Outcome
from rove_learner import nightly as job
from rove_learner.backbone import load_actor
from rove_learner.night_data import read_night, silent
from rove_learner.nightly import Night, NightlyConfig, nightly
from rove_learner.stages import Stages


class KilledError(Exception):
    """The process dies here."""


def dream(
    root: Path,
    config: NightlyConfig = QUICK,
    stop_at: str = "",
    previous: Path | None = None,
    out: str = "out",
) -> Night:
    """Run the job on ``root/bags`` and ``root/demos``."""

    def tell(what: str, done: int, total: int | None) -> None:
        if what == stop_at:
            raise KilledError(what)

    demos = [root / "demos"] if (root / "demos").is_dir() else []
    data = read_night(root / "bags", demos, robot(), None, tell)
    return nightly(data, root / "base.onnx", robot(), root / out, config, "test", 7, previous, tell)


@pytest.fixture(scope="module")
def _day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("day")
    base_policy(root / "base.onnx")
    write_day(root / "bags")
    for i in range(4):
        write_episode(root / "demos" / f"demo{i}", (D,) * 8, seed=10 + i)
    dream(root)
    return root


@pytest.fixture
def day(_day: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run: bags, demos, base.onnx, out."""
    shutil.copytree(_day, tmp_path / "day")
    return tmp_path / "day"


def summary(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "out" / "run.json").read_text())
    return found


def test_a_night_makes_a_conditioned_policy(day: Path) -> None:
    """The file says what it is, keeps the backbone and is not the one before."""
    made, base = load_actor(day / "out" / "policy.onnx"), load_actor(day / "base.onnx")
    assert made.manifest.advantage_conditioned
    told = summary(day)
    assert made.manifest.advantage_threshold == told["thresholds"]["wave"]
    assert (told["base_digest"], told["new_digest"]) == (base.digest, made.digest)
    assert made.digest != base.digest
    record = made.manifest.training
    assert (record.steps, record.command) == (4, "test")
    assert record.encoder_digest == base.manifest.training.encoder_digest


def test_run_json_counts_what_the_bags_hold(day: Path) -> None:
    """Numbers by stage and outcome, after cutting; the contract with the report."""
    told = summary(day)
    assert told["started_ns"] == 7
    assert (told["boundary"], told["c_fail"], told["horizon"], told["tau"]) == (
        "reward", -500.0, 3, 0.7)  # fmt: skip
    n = told["counts"]
    assert (n["bags"], n["episodes"], n["left_out"], n["interventions"]) == (10, 10, 0, 2)
    assert n["stage_frames"] == {
        "rollout": 4 * 8 + 2 * 5, "adaptation": 6, "recovery": 8, "demonstration": 32
    }  # fmt: skip
    assert n["outcome_episodes"] == {"success": 8, "timeout": 1, "aborted": 1}
    assert told["t_r_sources"] == {"mark": 2, "value": 0, "end": 0}
    assert told["t_r"]["rescued0"] == [{"frame": 6, "source": "mark"}]
    assert set(told["label_audit"]["stage"]) == {
        "rollout", "adaptation", "recovery", "demonstration"
    }  # fmt: skip
    assert any("aborted" in text for text in told["warnings"])
    assert len(told["backbone_digest"]) == 64


def test_values_lie_beside_the_frames(day: Path) -> None:
    """Four arrays a bag, one entry a frame after cutting; labels follow the threshold."""
    level = summary(day)["thresholds"]["wave"]
    with np.load(day / "out" / "values.npz") as stored:
        names = {key.rsplit("/", 1)[0] for key in stored.files}
        assert names == {f"demo{i}" for i in range(4)} | {
            "clean0", "clean1", "rescued0", "rescued1", "failed", "aborted"
        }  # fmt: skip
        for name in names:
            times, value, advantage, high = (
                stored[f"{name}/{key}"] for key in ("time_ns", "value", "advantage", "high")
            )
            assert len(times) == len(value) == len(advantage) == len(high)
            assert np.isfinite(value).all()
            np.testing.assert_array_equal(high, advantage > level)
        assert len(stored["rescued0/value"]) == 12
        assert np.isnan(stored["aborted/advantage"]).tolist() == [False] * 5 + [True] * 3


def test_histories_are_lists_of_measurements(day: Path) -> None:
    """Steps rise, and both losses are numbers."""
    for name in ("critic_history.json", "actor_history.json"):
        rows = json.loads((day / "out" / name).read_text())
        steps = [row["step"] for row in rows]
        assert len(rows) >= 2
        assert steps == sorted(set(steps))
        assert all(np.isfinite([row["train"], row["held_out"]]).all() for row in rows)


def test_an_episode_is_labelled_by_a_critic_that_never_saw_it(
    day: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cross-fitting: the K critics get everything but the fold whose values they give."""
    seen: list[set[str]] = []
    train = job.NightlyRun._critic

    def spy(self: job.NightlyRun, given: Any, what: str) -> Any:
        seen.append({lesson.name for lesson in given})
        return train(self, given, what)

    monkeypatch.setattr(job.NightlyRun, "_critic", spy)
    dream(day, out="fresh")
    *crossed, everything = seen
    assert len(crossed) == 2
    for k, names in enumerate(crossed):
        with np.load(day / "fresh" / f"values_{k}.npz") as stored:
            labelled = {sorted_name(day, int(i)) for i in stored.files}
        assert labelled
        assert not labelled & names
        assert labelled | names == everything


def sorted_name(root: Path, index: int) -> str:
    """Return the name of an episode by its place in the run."""
    data = read_night(root / "bags", [root / "demos"], robot(), None, silent)
    return data.episodes[index].name


def test_the_same_night_again_does_nothing(day: Path) -> None:
    """Every stage is reused and the policy is the same file."""
    before = (day / "out" / "policy.onnx").read_bytes()
    night = dream(day)
    assert set(night.reused) == {"features", "critic 0", "critic 1", "critic", "actor"}
    assert (day / "out" / "policy.onnx").read_bytes() == before


def test_a_killed_run_goes_on(day: Path) -> None:
    """Killed in the actor: the critics are kept, and the result is that of an unbroken run."""
    wanted = (day / "out" / "policy.onnx").read_bytes()
    with pytest.raises(KilledError):
        dream(day, stop_at="actor", out="broken")
    assert not (day / "broken" / "policy.onnx").exists()
    night = dream(day, out="broken")
    assert {"critic 0", "critic 1", "critic"} <= set(night.reused)
    assert "actor" not in night.reused
    assert night.policy.read_bytes() == wanted


def test_changed_inputs_and_damaged_results_are_done_again(day: Path) -> None:
    """Another setting, another bag or a broken file invalidates what depends on it, only that."""
    other = replace(QUICK, actor=replace(QUICK.actor, steps=5))
    assert "actor" not in dream(day, other).reused
    assert "critic" in dream(day, other).reused
    (day / "out" / "critic.npz").write_bytes(b"broken")
    assert not {"critic"} & set(dream(day, other).reused)
    write_episode(day / "bags" / "new", CLEAN, Outcome.FAILURE, seed=99)
    assert not {"critic 0", "critic 1", "critic", "actor"} & set(dream(day, other).reused)


def test_unmarked_recoveries_are_found_by_the_critic_before(day: Path) -> None:
    """Without a mark the earlier run's critic decides, or one of the demonstrations."""
    stages = (R,) * 3 + (N,) + (A,) * 8
    write_episode(day / "bags" / "unmarked", stages, seed=50)
    told = dream(day, out="two").summary
    assert told["t_r_sources"]["mark"] == 2
    assert told["t_r_sources"]["value"] + told["t_r_sources"]["end"] == 1
    assert (day / "two" / "earlier_critic.npz").is_file()
    again = dream(day, out="three", previous=day / "two")
    assert not (day / "three" / "earlier_critic.npz").exists()
    assert again.summary["t_r_sources"]["mark"] == 2
    base_policy(day / "base.onnx", seed=5)
    with pytest.raises(PolicyError, match="backbone"):
        dream(day, out="four", previous=day / "two")
    with pytest.raises(PolicyError, match="no critic"):
        dream(day, out="four", previous=day / "nowhere")


def test_nothing_that_ended_is_an_error(tmp_path: Path) -> None:
    """No success and no failure: nothing says what is good."""
    base_policy(tmp_path / "base.onnx")
    write_episode(tmp_path / "bags" / "a", CLEAN, Outcome.ABORTED)
    write_episode(tmp_path / "bags" / "b", RESCUED, Outcome.UNKNOWN)
    with pytest.raises(BagError, match=r"no success and no failure among 2.*ABORTED, UNKNOWN"):
        dream(tmp_path)


def test_truncated_bags_are_named_and_counted(day: Path) -> None:
    """The rest is learnt from; the report says which were skipped."""
    (mcap,) = (day / "bags" / "failed").glob("*.mcap")
    mcap.write_bytes(mcap.read_bytes()[:-300])
    told = dream(day, out="two").summary
    assert (told["counts"]["left_out"], told["counts"]["episodes"]) == (1, 9)
    assert any("1 bags left out: failed" in text for text in told["warnings"])
    assert any("no failure in the data" in text for text in told["warnings"])
    for mcap in (day / "bags").rglob("*.mcap"):
        mcap.write_bytes(mcap.read_bytes()[:200])
    with pytest.raises(BagError, match="none of the 6 bags"):
        dream(day, out="three")


def test_a_base_of_another_robot_is_refused(tmp_path: Path) -> None:
    """Before any work."""
    base_policy(tmp_path / "base.onnx", robot("other", ("arm", "leg")))
    write_day(tmp_path / "bags")
    with pytest.raises(PolicyError, match="another robot"):
        dream(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_stage_is_valid_only_when_it_was_finished(tmp_path: Path) -> None:
    """A stage that dies leaves no claim, even if its files are there; a broken ledger is none."""
    stages = Stages(tmp_path)

    def work() -> None:
        (tmp_path / "x").write_text("1")

    def dies() -> None:
        work()
        raise KilledError

    assert stages.run("one", [1], ["x"], work)
    assert not stages.run("one", [1], ["x"], work)
    with pytest.raises(KilledError):
        stages.run("one", [2], ["x"], dies)
    assert stages.run("one", [1], ["x"], work)
    (tmp_path / "stages.json").write_text("{broken")
    assert stages.run("one", [1], ["x"], work)
    assert stages.reused == ["one"]
