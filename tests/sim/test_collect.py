"""Fast collection: the same bags from the same seed, and nothing lost when something goes wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rove_core.bag.episode import read_episode
from rove_core.bag.reader import Bag, find_bags
from rove_core.bag.verify.report import Level
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError, ConfigError
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, EpisodeKind, Outcome, Stage
from rove_sim.collect.episode import Collector, Plan
from rove_sim.collect.pool import Lost, collect

SHIPPED = Path(__file__).parents[2] / "ros2_ws/src/rove_sim/rove_sim/policies/erase_whiteboard.onnx"
DEMONSTRATION = Plan("erase_whiteboard", operator="expert", longest=25.0)
ROLLOUT = Plan("erase_whiteboard", SHIPPED, "expert", takeover_at=0.5, longest=25.0)
SEED = 100


def content(bag: Path) -> list[tuple[str, int, bytes]]:
    """Every message but how long the retargeting took, which is the machine's."""
    return [
        (message.topic, message.log_time_ns, bytes(message.cdr))
        for message in Bag(bag).raw_messages()
        if message.topic != "teleop/target"
    ]


def faults(bag: Path) -> list[str]:
    return [str(f) for f in verify(bag).findings if f.level is Level.ERROR]


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bag of one demonstration, collected after another episode."""
    collector = Collector(DEMONSTRATION, tmp_path_factory.mktemp("first"))
    collector.run(SEED + 1)
    episode = collector.run(SEED)
    collector.close()
    assert episode.outcome is Outcome.SUCCESS
    return episode.bag


def test_a_seed_gives_the_same_bag(demonstration: Path, tmp_path: Path) -> None:
    """Whatever was collected before, message for message and time for time."""
    collector = Collector(DEMONSTRATION, tmp_path)
    episode = collector.run(SEED)
    collector.close()
    assert episode.bag.name == demonstration.name
    assert content(episode.bag) == content(demonstration)


def test_a_demonstration_is_a_bag_of_the_recorder(demonstration: Path) -> None:
    """It passes verify; it says who drove; the learner's reader finds human frames alone."""
    assert faults(demonstration) == []
    bag = Bag(demonstration)
    assert bag.info.kind is EpisodeKind.DEMONSTRATION
    assert bag.info.operator_id == "simulated_expert"
    episode = read_episode(demonstration, load_robot("g1_dex3"))
    driven = episode.stage == Stage.DEMONSTRATION
    assert driven.sum() > 60
    assert set(episode.authority[driven]) == {Authority.HUMAN}


def test_an_intervention_has_its_stages(tmp_path: Path) -> None:
    """Rollout of the policy, adaptation of 0.5-4 s, recovery; one takeover, no fault."""
    collector = Collector(ROLLOUT, tmp_path)
    episode = collector.run(SEED)
    collector.close()
    assert faults(episode.bag) == []
    assert (episode.takeovers, episode.holds) == (1, 0)
    assert 0.5 < episode.stages[Stage.ADAPTATION] < 4.0
    assert episode.stages[Stage.ROLLOUT] > 0.3
    assert episode.stages[Stage.RECOVERY] > 0.0
    assert Bag(episode.bag).info.policy_digest


def test_a_killed_worker_costs_one_attempt(tmp_path: Path) -> None:
    """Its episode is told and repeated, every seed has its bag, and nothing else is left."""
    killed: list[int] = []

    def kill_once(seed: int, pid: int) -> None:
        if seed == SEED + 1 and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    lost: list[Lost] = []
    out = tmp_path / "bags"
    seeds = [SEED, SEED + 1]
    done = collect(
        Plan("erase_whiteboard", operator="expert", longest=1.0), out, seeds, 1,
        on_lost=lost.append, on_start=kill_once,
    )  # fmt: skip
    assert [(death.seed, death.attempt) for death in lost] == [(SEED + 1, 1)]
    assert "SIGKILL" in lost[0].why
    assert [e.seed for e in done.episodes] == seeds
    assert sorted(e.bag for e in done.episodes) == sorted(find_bags(out))
    assert set(out.iterdir()) == set(find_bags(out))


def test_bags_are_never_overwritten(tmp_path: Path) -> None:
    """A folder that holds anything is refused, named, and left as it is."""
    (tmp_path / "old").mkdir()
    with pytest.raises(BagError, match="holds old"):
        collect(DEMONSTRATION, tmp_path, [1])
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"operator": "virtuoso"}, "novice"),
        ({"operator": "none"}, "policy"),
        ({"goal": 2.0}, "0 to 1"),
        ({"longest": 0.0}, "3600"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, object], named: str) -> None:
    """The error names what is allowed, before anything is built."""
    with pytest.raises(ConfigError, match=named):
        Plan("erase_whiteboard", **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"task": "juggle"}, {"robot": "r2d2"}, {"device": "mouse"}])
def test_unknown_names_are_refused(change: dict[str, str], tmp_path: Path) -> None:
    """Task, robot and device are looked up when the collector is made; no bag is begun."""
    words = {"task": "erase_whiteboard", "operator": "expert"} | change
    with pytest.raises(ConfigError):
        Collector(Plan(**words), tmp_path / "out")  # type: ignore[arg-type]
    assert not find_bags(tmp_path)
