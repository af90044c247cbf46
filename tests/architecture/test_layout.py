"""Top-level folders and the parts of the set-up that belong together."""

from __future__ import annotations

import re
import tomllib

from repository import ROOT, WORKSPACE, repository_files

FOLDERS = {
    *("rove_policy", "rove_teleop", "rove_learner", "ros2_ws", "launch", "docker", "tests", "docs"),
    ".ci",
}


def test_no_top_level_folder_is_added() -> None:
    """The checkout has the folders of docs/design.md and no others."""
    tops = {path.relative_to(ROOT).parts for path in repository_files()}
    assert {parts[0] for parts in tops if len(parts) > 1} <= FOLDERS


def test_launch_is_reached_from_the_ros_package() -> None:
    """`rove/launch` is a symlink to the top-level folder, so there is one copy."""
    link = WORKSPACE / "rove" / "launch"
    assert link.is_symlink()
    assert link.resolve() == ROOT / "launch"


def test_every_dependency_is_pinned() -> None:
    """What pyproject.toml asks for is pinned in constraints.txt, once, exactly."""
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        requirement = line.partition("#")[0].partition(";")[0].strip()
        if not requirement:
            continue
        name, separator, version = requirement.partition("==")
        assert separator, f"{requirement} is not an exact pin"
        assert version
        assert name not in pins, f"{name} is pinned twice"
        pins[name] = version
    with open(ROOT / "pyproject.toml", "rb") as stream:
        project = tomllib.load(stream)["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(item for extra in extras for item in extra)]
    names = {re.split(r"[\[<>=!~; ]", item)[0].lower().replace("_", "-") for item in wanted}
    assert names <= set(pins), f"not pinned: {sorted(names - set(pins))}"


def test_a_robot_carries_no_torch() -> None:
    """Only the learner's extra asks for torch."""
    with open(ROOT / "pyproject.toml", "rb") as stream:
        project = tomllib.load(stream)["project"]
    extras = project["optional-dependencies"]
    having = {extra for extra, items in extras.items() if any("torch" in item for item in items)}
    assert having == {"learner"}
    assert not any("torch" in item for item in project["dependencies"])
