"""What several modules look at: the bag of a takeover, recorded once."""

from __future__ import annotations

import pytest

from rove_core.bag.reader import Bag


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Bag:
    """The bag of one episode with the scripted operator; its graph has ended."""
    import takeover  # imports ROS

    return takeover.record(tmp_path_factory)
