"""The graph is plain data, and every argument reaches a node or is refused by name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from rove import topics
from rove.graph import GraphArguments, build_graph, parse_arguments
from rove.up import usage
from rove_core.errors import ConfigError

ROOT = Path(__file__).parents[2]


def _names(*words: str) -> list[str]:
    return [node.name for node in build_graph(parse_arguments(list(words)), "g1")]


def test_default_graph() -> None:
    """`rove up` without arguments starts the robot, its stack and both people."""
    robot = ["sim", "arbiter", "teleop", "bridge", "policy", "recorder", "keeper"]
    assert _names() == [*robot, "operator", "lab"]
    assert "console" in _names("console:=http://127.0.0.1:7450")


def test_a_real_robot_needs_no_simulator() -> None:
    """sim:=false leaves the stack alone; nothing of rove_sim is started."""
    graph = build_graph(
        parse_arguments(["sim:=false", "lab:=none", "operator:=wire", "use_sim_time:=false"]), "g1"
    )
    assert {node.package for node in graph} == {"rove"}
    assert all(node.parameters["use_sim_time"] is False for node in graph)


def test_only_the_lab_ends_the_graph() -> None:
    """Every other process is started again when it dies."""
    graph = build_graph(GraphArguments(), "g1")
    assert [node.name for node in graph if node.ends_graph] == ["lab"]
    assert all(node.respawn != node.ends_graph for node in graph)


def test_a_person_needs_a_simulator_in_real_time() -> None:
    """With operator:=wire the arbiter refuses takeovers beside a slow simulator."""

    def slowest(*words: str) -> object:
        graph = build_graph(parse_arguments(list(words)), "g1")
        return next(node for node in graph if node.name == "arbiter").parameters.get(
            "slowest_clock"
        )

    assert slowest("operator:=wire") == 0.9
    assert slowest() is None


def test_variation_and_label_noise_reach_their_nodes() -> None:
    """The simulator varies the scene, the lab mislabels endings, the operator marks badly."""
    words = ["variation:=0.5", "wrong_labels:=0.1", "missed_marks:=0.2", "late_marks:=0.4"]
    graph = build_graph(parse_arguments([*words, "mark_spread:=0.3"]), "g1")
    given = {node.name: node.parameters for node in graph}
    assert given["sim"]["variation"] == 0.5
    assert given["lab"]["wrong_labels"] == 0.1
    marks = [given["operator"][name] for name in ("missed_marks", "late_marks", "mark_spread")]
    assert marks == [0.2, 0.4, 0.3]


def test_the_keeper_runs_where_it_has_something_to_do() -> None:
    """Without learners it still keeps limits; without either, or without bags, nothing runs."""

    def keeper(*words: str) -> dict[str, object]:
        graph = build_graph(parse_arguments(list(words)), "g1")
        return next((dict(node.parameters) for node in graph if node.name == "keeper"), {})

    assert keeper()["address"] == "tcp://127.0.0.1:7449"
    assert keeper("fetch:=none") == {}
    assert keeper("record:=false", "keep_gb:=5") == {}
    limited = keeper("fetch:=none", "keep_gb:=5", "keep_days:=7", "fetch_mb_s:=2", "bags:=/b")
    assert limited["address"] == ""
    assert (limited["max_size_gb"], limited["max_age_days"], limited["max_mb_s"]) == (5, 7, 2)
    assert limited["folder"] == "/b"


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("robt:=g1", "robot:="),
        ("record:=maybe", "true or false"),
        ("episodes:=few", "a int"),
        ("operator:=ghost", "scripted"),
        ("speed:=99", "0.05 to 10"),
        ("variation:=2.0", "0 to 1"),
        ("wrong_labels:=-0.5", "0 to 1"),
        ("late_marks:=-1.0", "0 to 60 s"),
        ("keep_gb:=-1", "0 (no limit) or more"),
        ("fetch_mb_s:=0", "above 0"),
        ("task", "task:="),
    ],
)
def test_bad_arguments_name_what_is_allowed(word: str, named: str) -> None:
    """A wrong argument says what was given and what would be accepted."""
    with pytest.raises(ConfigError) as error:
        parse_arguments([word])
    assert named in str(error.value)
    assert word.split(":=")[-1] in str(error.value)


def test_help_lists_every_argument() -> None:
    """`rove up --help` is made from the same data."""
    assert all(f"{item.name}:=" in usage() for item in fields(GraphArguments))


def test_graph_is_data_without_ros() -> None:
    """Reading the graph imports nothing of ROS: the launch file and tools may do it anywhere."""
    code = "import rove.graph, sys; print([m for m in sys.modules if m.split('.')[0] == 'rclpy'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_topics_are_documented() -> None:
    """docs/interfaces.md names every topic and service."""
    page = (ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    names = [v for k, v in vars(topics).items() if k.isupper()]
    assert len(names) > 15
    missing = [name for name in names if f"`{name}`" not in page]
    assert not missing
