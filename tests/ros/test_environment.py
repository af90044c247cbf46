"""A process that sourced nothing finds this environment's ROS, and no other's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from rove.environment import HOOK_GUARD, ensure_ament_prefix, put_first, without_hook_guard


def ament_prefix(folder: Path) -> Path:
    (folder / "share" / "ament_index" / "resource_index" / "packages").mkdir(parents=True)
    return folder


def test_this_environment_comes_first_and_once(tmp_path: Path) -> None:
    """Setting the paths twice changes nothing more, and what was there stays behind."""
    prefix = ament_prefix(tmp_path)
    environ = {"AMENT_PREFIX_PATH": f"/opt/a:{prefix}", "LD_LIBRARY_PATH": "/other/lib"}
    assert ensure_ament_prefix(environ, prefix)
    assert ensure_ament_prefix(environ, prefix)
    assert environ["AMENT_PREFIX_PATH"] == f"{prefix}:/opt/a"
    assert environ["LD_LIBRARY_PATH"] == f"{prefix}/lib:/other/lib"


def test_a_folder_without_packages_is_no_prefix(tmp_path: Path) -> None:
    """Where nothing is registered, nothing is changed."""
    environ: dict[str, str] = {}
    assert not ensure_ament_prefix(environ, tmp_path)
    assert environ == {}


def test_empty_parts_vanish() -> None:
    """An empty variable and stray colons add no empty entry, which would mean the folder here."""
    assert put_first(None, "/a") == put_first("", "/a") == put_first(":", "/a") == "/a"


def test_the_hooks_guard_is_left_behind() -> None:
    """A child of another environment gets everything but the guard."""
    assert without_hook_guard({"A": "1", HOOK_GUARD: "1"}) == {"A": "1"}


def test_a_bare_shell_suffices(run_python: Callable[..., CompletedProcess[str]]) -> None:
    """Without a single ROS variable a process talks ROS with our messages."""
    program = """
from rove.environment import ensure_ament_prefix
assert ensure_ament_prefix()
import rclpy
from rove_msgs.msg import JointCommand
rclpy.init()
node = rclpy.create_node("bare")
publisher = node.create_publisher(JointCommand, "joint_command", 1)
publisher.publish(JointCommand(epoch=3))
print(publisher.get_subscription_count())
"""
    empty = {"AMENT_PREFIX_PATH": "", "LD_LIBRARY_PATH": "", "PYTHONPATH": ""}
    finished = run_python(program, env=empty)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "0"  # Fast DDS may complain before it
