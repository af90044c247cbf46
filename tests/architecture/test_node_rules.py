"""What the files of the ROS packages may import and do, from their syntax trees."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from repository import PACKAGES, ROOT, WORKSPACE, imports, python_files

NODES = PACKAGES["rove"]
# What a node or the `rove` command may import besides the standard library and messages.
OURS = {"rove", "rove_core", "rove_policy", "rove_teleop", "rove_msgs"}
ROS = {"rclpy", "ament_index_python", "builtin_interfaces", "rcl_interfaces"}
TOOLS = {"numpy", "rich", "tyro", "cv2", "yaml", "zmq", "msgspec"}
# Imported where they are used, because one command alone needs them.
LAZY = {
    "draw.py": {"matplotlib"}, "strip.py": {"matplotlib", "PIL"}, "meshes.py": {"trimesh"},
}  # fmt: skip
# The web page; fast_simplification makes meshes small, once.
CONSOLE = {"viser", "websockets", "fast_simplification"}
LAUNCH = {"rove", "rove_core", "launch", "launch_ros"}


def _is_message(module: str) -> bool:
    return module.endswith(("_msgs", "_srvs"))


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", python_files(NODES), ids=_relative)
def test_a_node_imports_only_what_it_may(path: Path) -> None:
    """Nodes wire libraries together: neither the learner nor the simulator, nor their parts."""
    allowed = OURS | ROS | TOOLS | set(sys.stdlib_module_names)
    if path.parent == NODES / "profile":
        allowed |= LAZY.get(path.name, set())
    if path.parent == NODES / "console":
        allowed |= CONSOLE  # loaded by the console's process alone
    if path.parent == NODES / "bag" / "picture":
        allowed |= {"matplotlib", "PIL"}  # loaded by `rove bag plot` alone
    for line, module in imports(path):
        top = module.partition(".")[0]
        assert top in allowed or _is_message(top), f"{_relative(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", python_files(ROOT / "launch"), ids=_relative)
def test_a_launch_file_takes_the_graph_as_data(path: Path) -> None:
    """The graph is written once, in rove.graph; a launch file translates it."""
    allowed = LAUNCH | set(sys.stdlib_module_names)
    for line, module in imports(path):
        assert module.partition(".")[0] in allowed, f"{_relative(path)}:{line} imports {module}"


@pytest.mark.parametrize("folder", [NODES, PACKAGES["rove_sim"]], ids=lambda folder: folder.name)
def test_every_timer_names_its_clock(folder: Path) -> None:
    """No node's timer runs on ROS time by default: a dead or hurried /clock must not move it."""
    timers = [
        (path, call)
        for path in python_files(folder)
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "create_timer"
    ]
    assert timers, "no timer found: this test no longer looks at what the nodes call"
    for path, call in timers:
        named = {keyword.arg for keyword in call.keywords}
        assert "clock" in named, f"{_relative(path)}:{call.lineno} create_timer without clock="


def test_only_the_nodes_and_the_simulator_speak_ros() -> None:
    """rclpy is imported in ros2_ws/src/rove and rove_sim, in tests, and nowhere else."""
    homes = (NODES, PACKAGES["rove_sim"], ROOT / "tests")
    strangers = [
        f"{_relative(path)}:{line}"
        for path in python_files(ROOT)
        for line, module in imports(path)
        if module.partition(".")[0] == "rclpy" and not any(home in path.parents for home in homes)
    ]
    assert not strangers


def test_torch_lives_in_the_learner_alone() -> None:
    """Neither the robot's packages nor the simulator import torch."""
    strangers = [
        f"{_relative(path)}:{line}"
        for folder in (WORKSPACE, PACKAGES["rove_policy"], PACKAGES["rove_teleop"])
        for path in python_files(folder)
        for line, module in imports(path)
        if module.partition(".")[0] == "torch"
    ]
    assert not strangers
