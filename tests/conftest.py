"""Every test may import ROS: this environment is the ament prefix, as for the commands."""

from pathlib import Path

import pytest
from hypothesis import settings

from rove.environment import ensure_ament_prefix

ensure_ament_prefix()

# Without a deadline: the first example pays for imports, and a busy machine for its neighbours.
# `make bench` measures time.
settings.register_profile("rove", deadline=None)
settings.load_profile("rove")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only tests of the graph are asked for, import no other module: that takes a while."""
    wanted = config.getoption("-m", "").endswith(" and graph")
    if wanted and collection_path.name.startswith("test_"):
        return "mark.graph" not in collection_path.read_text() or None
    return None


# A module runs on one core: the longest begin first, or one core waits for the other at the end.
LONGEST = ("test_recorder.py", "test_profile_cli.py", "test_pure_faults.py", "test_collect.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest modules first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
