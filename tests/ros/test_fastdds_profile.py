"""Laws of the middleware's profile: the graph uses it, and a user's own comes first."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from rove.up import graph_environment

NAME = "FASTRTPS_DEFAULT_PROFILES_FILE"
DEFAULT_SEGMENT, DEFAULT_QUEUE = 512 << 10, 512
SECOND_OF_CAMERAS = 3 * 30 * 50_000


def test_the_graph_gets_a_profile_with_room_for_pictures():
    """The file exists and has more room than Fast DDS by default: half a second of cameras."""
    root = ElementTree.parse(graph_environment({})[NAME]).getroot()
    values = {item.tag.split("}")[1]: item.text for item in root.iter() if item.text}
    assert int(values["segment_size"]) > SECOND_OF_CAMERAS // 2 > DEFAULT_SEGMENT
    assert int(values["port_queue_capacity"]) > DEFAULT_QUEUE
    kinds = [item.text for item in root.iter() if item.tag.endswith("}type")]
    assert kinds == ["SHM", "UDPv4"]


def test_a_users_own_profile_is_kept():
    """Whoever set one has reasons: nothing is overwritten."""
    assert graph_environment({NAME: "/own.xml"})[NAME] == "/own.xml"
    assert Path(graph_environment({})[NAME]).is_absolute()
