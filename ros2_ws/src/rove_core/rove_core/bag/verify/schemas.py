"""Check "schemas": every topic has the type that its bag's version gives it, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore

from rove_core.bag.definitions import type_hash, typestore
from rove_core.bag.schema import BAG_SCHEMA_VERSION, CAMERA_TYPE, TOPIC_TYPES
from rove_core.bag.verify.check import Check
from rove_core.bag.verify.container import Container
from rove_core.errors import BagError

_R = "RIHS01_"  # the version of the hash, which ROS 2 puts in front

OLDER: Mapping[int, Mapping[str, str]] = {
    1: {
        "rove_msgs/msg/ArbiterState": _R
        + "a4cfddfca65b41e30e0edd6a49c3edb0"
        + "69582c547cc695a41ecc0d85d024d9b3",
        "rove_msgs/msg/PolicyStatus": _R
        + "6d1dca708b2bca78e8d80e70700b3b8f"
        + "aac54f92e866ffaa11438ffdfddd127c",
    },
    2: {
        "rove_msgs/msg/JointCommand": _R
        + "b1afe840da30d50231644a27f7a745e5"
        + "4ce50103e2ff08f39ef43d0739d0244f",
        "rove_msgs/msg/JointTarget": _R
        + "c15cd590164a78f3b8e0a2ace498233a"
        + "2c3aff3ee764d309dea47596e4ae411c",
        "rove_msgs/msg/OperatorFrame": _R
        + "66a7105b62de7738fa4d7345a5f29c89"
        + "f293d51afe960935a656c9250e87a7c2",
    },
}
"""Version -> RIHS01 hashes of the types that the next version changed; see ``known_hash``."""


def known_hash(type_name: str, version: int) -> str:
    """Return the RIHS01 hash that a type has in bags of a version.

    Raises:
        BagError: no such type.
    """
    for older in range(version, BAG_SCHEMA_VERSION):
        if type_name in OLDER.get(older, {}):
            return OLDER[older][type_name]
    if type_name not in typestore().fielddefs:
        raise BagError(f"message type {type_name!r} given, a type of rove_msgs or of Jazzy allowed")
    return type_hash(type_name)


def topic_type(topic: str) -> str | None:
    """Return the type of a topic of the contract, None of any other."""
    parts = topic.split("/")
    if len(parts) == 3 and parts[0] == "camera" and parts[2] == "compressed":
        return CAMERA_TYPE
    return TOPIC_TYPES.get(topic)


def check_schemas(held: Container, store: Typestore | None, check: SchemaCheck) -> frozenset[str]:
    """Compare the channels and schemas of a file with the contract.

    Returns the topics whose messages are not what the contract says, so that no other check can
    look into them.

    Args:
        held: the file.
        store: types made from its schemas, None when they cannot be read.
        check: takes the findings.
    """
    if held.profile != "ros2" and not held.damage:
        check.error(f"MCAP profile {held.profile!r} given, 'ros2' allowed")
    seen: set[str] = set()
    foreign: set[str] = set()
    for channel in held.channels.values():
        topic = check.subject.info.relative(channel.topic)
        if topic in seen:
            check.error("the topic has two channels", topic)
        seen.add(topic)
        if channel.message_encoding != "cdr":
            check.error(f"encoding {channel.message_encoding!r} given, 'cdr' allowed", topic)
        schema = held.schemas.get(channel.schema_id)
        foreign.add(topic)
        if schema is None or schema.encoding != "ros2msg":
            check.error("no definition in encoding 'ros2msg'", topic)
            continue
        wanted = topic_type(topic)
        if wanted is None:
            check.warning(f"not a topic of the contract ({schema.name})", topic)
        elif wanted != schema.name:
            check.error(f"type {schema.name} given, {wanted} allowed", topic)
        elif store is not None and _compare(store, schema.name, check, topic):
            foreign.discard(topic)
    return frozenset(foreign)


def _compare(store: Typestore, name: str, check: SchemaCheck, topic: str) -> bool:
    """Return whether the fields are those of the bag's version."""
    version = check.subject.version
    try:
        given, wanted = store.hash_rihs01(name), known_hash(name, version)
    except (TypesysError, KeyError, BagError) as error:
        check.error(f"the definition of {name} cannot be read: {error!r}", topic)
        return False
    if given != wanted:
        text = f"the definition of {name} is not that of bag schema version {version}"
        check.error(text, topic)
    known = _constants(typestore(), name)
    for constant, value in _constants(store, name).items():
        if known.get(constant) != value:
            check.error(f"constant {name}.{constant} is {value}, not {known.get(constant)}", topic)
    return given == wanted


def _constants(store: Typestore, name: str) -> dict[str, Any]:
    return {constant: value for constant, _, value in store.fielddefs[name][0]}


class SchemaCheck(Check):
    """Every message decodes by the definition that the bag itself holds."""

    name = "schemas"

    def undecodable(self, topic: str, log_ns: int, why: str) -> None:
        """Take a message that does not fit its definition."""
        self.error(f"a message does not decode: {why}", topic, log_ns, kind="decode")
