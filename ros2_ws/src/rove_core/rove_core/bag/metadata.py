"""The ``metadata.yaml`` of a rosbag2 folder (version 9) and QoS profiles as rosbag2 writes them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from rove_core.errors import BagError

METADATA_VERSION = 9
FOREVER = {"sec": 9223372036, "nsec": 854775807}
"""The duration by which ROS 2 means "no limit"."""


@dataclass
class TopicCount:
    """A topic of a bag under construction: full name, type, its hash, QoS text and count."""

    name: str
    type: str
    hash: str
    qos: str
    count: int = 0


def qos_text(depth: int = 10, reliability: str = "reliable", durability: str = "volatile") -> str:
    """Return a QoS profile as the YAML list that rosbag2 stores with a topic."""
    profile = {
        "history": "keep_last",
        "depth": depth,
        "reliability": reliability,
        "durability": durability,
        "deadline": dict(FOREVER),
        "lifespan": dict(FOREVER),
        "liveliness": "automatic",
        "liveliness_lease_duration": dict(FOREVER),
        "avoid_ros_namespace_conventions": False,
    }
    return yaml.safe_dump([profile], sort_keys=False)


def parse_qos(text: str, topic: str) -> list[Any]:
    """Return the QoS profiles of a topic as data.

    Raises:
        BagError: the text is not a YAML list.
    """
    try:
        profiles = copy.deepcopy(_loaded(text)) if text else []
    except yaml.YAMLError as error:
        raise BagError(f"QoS of topic {topic}: {error}") from error
    if not isinstance(profiles, list):
        raise BagError(f"QoS of topic {topic}: {text!r} given, a YAML list of profiles allowed")
    return profiles


@functools.lru_cache(maxsize=64)
def _loaded(text: str) -> Any:
    """Return what a text says; a bag has a dozen topics of five profiles, and 20 ms a text."""
    return yaml.safe_load(text)


def metadata_text(file: str, start_ns: int, end_ns: int, topics: Iterable[TopicCount]) -> str:
    """Return the text of ``metadata.yaml`` for a bag of one MCAP file."""
    counted = list(topics)
    total = sum(topic.count for topic in counted)
    start, duration = {"nanoseconds_since_epoch": start_ns}, {"nanoseconds": end_ns - start_ns}
    information = {
        "version": METADATA_VERSION,
        "storage_identifier": "mcap",
        "duration": duration,
        "starting_time": start,
        "message_count": total,
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": parse_qos(topic.qos, topic.name),
                    "type_description_hash": topic.hash,
                },
                "message_count": topic.count,
            }
            for topic in counted
        ],
        # The chunks of the file are compressed; to rosbag2 that is not a compressed bag.
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file],
        "files": [
            {
                "path": file,
                "starting_time": dict(start),
                "duration": dict(duration),
                "message_count": total,
            }
        ],
        "custom_data": None,
        "ros_distro": "jazzy",
    }
    return yaml.dump(
        {"rosbag2_bagfile_information": information}, Dumper=_PlainDumper, sort_keys=False
    )


class _PlainDumper(yaml.SafeDumper):
    """Writes no anchors: rosbag2's parser gets every profile in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
