"""One lab for all tests of the simulator: building it takes most of their time."""

from __future__ import annotations

import pytest

from rove_core.robot import RobotSpec, load_robot
from rove_sim.world import World


@pytest.fixture(scope="session")
def spec() -> RobotSpec:
    return load_robot("g1_dex3")


@pytest.fixture(scope="session")
def lab(spec: RobotSpec) -> World:
    """A world that every test resets before it uses it."""
    return World(spec, "erase_whiteboard")
