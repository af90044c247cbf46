"""Who may import whom (docs/design.md), found out by importing in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from repository import PACKAGES, python_files

# Imports every module it is given and prints what that brought in.
PROGRAM = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""

LIBRARIES = ("rove_core", "rove_policy", "rove_teleop", "rove_learner")
OURS = {*LIBRARIES, "rove", "rove_sim", "rove_msgs"}
ROS = {"rclpy", "rosidl_runtime_py", "ament_index_python", "rosidl_generator_py", "launch"}

# package -> what it may import of ours besides itself
MAY_IMPORT = {
    "rove_core": set(),
    "rove_policy": {"rove_core"},
    "rove_teleop": {"rove_core"},
    "rove_learner": {"rove_core"},
}
# package -> what it must stay without; torch lives in the learner alone
WITHOUT = {
    "rove_core": {"torch", "mujoco", "onnxruntime", "pinocchio", "pink", "ruckig", "cv2"},
    "rove_policy": {"torch", "mujoco", "pinocchio", "pink", "ruckig"},
    "rove_teleop": {"torch", "mujoco", "onnxruntime"},
    "rove_learner": {"mujoco", "pinocchio", "pink", "ruckig"},
}
# what `import package` alone leaves for the module that needs it
HEAVY = {
    *("mcap", "rosbags", "zmq", "cryptography", "yaml", "msgspec"),
    *("onnxruntime", "cv2", "pinocchio", "pink", "ruckig", "torch", "onnx", "matplotlib"),
}


def modules(package: str) -> list[str]:
    """Return the dotted names of all modules of a package, from its files."""
    folder = PACKAGES[package]
    names = []
    for path in python_files(folder):
        parts = [package, *path.relative_to(folder).with_suffix("").parts]
        if parts[-1] == "__main__":  # imported, it would run
            continue
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def brought_in(*names: str) -> set[str]:
    """Return the top-level modules that importing ``names`` adds to a fresh interpreter."""
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return set(json.loads(finished.stdout))


def messages(names: set[str]) -> set[str]:
    """Return those of ``names`` that are ROS message packages."""
    return {name for name in names if name.endswith(("_msgs", "_srvs", "_interfaces"))}


@pytest.mark.parametrize("package", LIBRARIES)
def test_a_library_imports_only_what_it_may(package: str) -> None:
    """No library imports ROS, a message, a sibling, or a dependency that another one owns."""
    names = modules(package)
    assert package in names
    found = brought_in(*names)
    allowed = MAY_IMPORT[package] | {package}
    assert found & OURS <= allowed, f"{package} may import of ours only {sorted(allowed)}"
    assert not found & ROS
    assert not messages(found)
    assert not found & WITHOUT[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_alone_is_cheap(package: str) -> None:
    """No package's ``__init__`` imports its heavy parts."""
    found = brought_in(package)
    assert package in found
    assert not found & (HEAVY | ROS | {"mujoco"})


def test_the_rules_can_fail() -> None:
    """The interpreter that judges does see a forbidden module when there is one."""
    assert {"zmq", "mcap"} <= brought_in("zmq", "mcap.writer")
