"""Laws of message definitions without ROS: complete, the same type, found where ROS is sourced."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from rove_core.bag import definitions
from rove_core.bag.definitions import SEPARATOR, definition, rove_msgs_folder, type_hash, typestore
from rove_core.bag.schema import CAMERA_TYPE, TOPIC_TYPES
from rove_core.errors import BagError

TYPES = sorted({*TOPIC_TYPES.values(), CAMERA_TYPE, "rove_msgs/msg/TaskStatus"})


@pytest.mark.parametrize("name", TYPES)
def test_a_definition_is_complete(name):
    """A reader that knows no type rebuilds the very same type from the text alone."""
    text = definition(name)
    store = Typestore()
    store.register(get_types_from_msg(text, name))
    assert store.hash_rihs01(name) == type_hash(name)
    assert store.fielddefs[name][0] == typestore().fielddefs[name][0]  # constants
    parts = [part.splitlines()[0] for part in text.split(SEPARATOR + "\n")[1:]]
    assert all(part.startswith("MSG: ") for part in parts)
    assert len(parts) == len(set(parts)) == len(store.fielddefs) - 1


def test_hashes_are_those_of_ros():
    """The hash of a standard type equals the one its ROS package ships, where it is installed."""
    shipped = Path(sys.prefix) / "share" / "sensor_msgs" / "msg" / "JointState.json"
    if not shipped.is_file():
        pytest.skip("no ROS message packages in this environment")
    hashes = json.loads(shipped.read_text())["type_hashes"]
    [expected] = [h["hash_string"] for h in hashes if h["type_name"].endswith("/JointState")]
    assert type_hash("sensor_msgs/msg/JointState") == expected


def test_units_travel_with_the_bag():
    """The text of our own messages keeps its comments, so a bag explains its units."""
    assert "# (N,) rad, what was sent" in definition("rove_msgs/msg/JointCommand")


def test_an_unknown_type_names_the_known_ones():
    """A misspelt type is an error that lists the types of rove_msgs."""
    with pytest.raises(BagError, match=r"'rove_msgs/msg/Joint' given.*rove_msgs/msg/JointCommand"):
        definition("rove_msgs/msg/Joint")


def test_the_sourced_workspace_comes_first(tmp_path, monkeypatch):
    """Messages of the sourced prefix win, then those of the environment, then the sources."""
    sourced = tmp_path / "install" / "share" / "rove_msgs" / "msg"
    sourced.mkdir(parents=True)
    environment = tmp_path / "venv" / "share" / "rove_msgs" / "msg"
    environment.mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'none'}:{tmp_path / 'install'}")
    monkeypatch.setattr(definitions.sys, "prefix", str(tmp_path / "venv"))
    sources = rove_msgs_folder()  # nothing in either yet
    assert sources.parts[-3:] == ("src", "rove_msgs", "msg")
    (environment / "A.msg").write_text("uint8 a\n")
    assert rove_msgs_folder() == environment
    (sourced / "A.msg").write_text("uint8 a\n")
    assert rove_msgs_folder() == sourced
