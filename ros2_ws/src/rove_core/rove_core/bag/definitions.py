"""Message definitions and CDR without ROS: what a bag needs to describe itself."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from rove_core.errors import BagError

SEPARATOR = "=" * 80
"""Line between the definitions of a type and of the types it needs (MCAP, encoding ros2msg)."""

PACKAGE = "rove_msgs"


def rove_msgs_folder() -> Path:
    """Return the folder with the ``.msg`` files of ``rove_msgs``.

    Looks in the sourced ament prefixes, in this environment and in the source tree, in that
    order, so that a bag describes the messages that the running nodes were built with.

    Raises:
        BagError: none of them has it.
    """
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    shares = [prefix / "share" for prefix in [*prefixes, Path(sys.prefix)]]
    sources = Path(__file__).resolve().parents[3]
    places = [share / PACKAGE / "msg" for share in shares] + [sources / PACKAGE / "msg"]
    for place in places:
        if any(place.glob("*.msg")):
            return place
    looked = ", ".join(str(place) for place in places)
    raise BagError(f"no message definitions of {PACKAGE} found; looked in: {looked}")


@functools.cache
def _rove_texts() -> dict[str, str]:
    """Return type name -> text of its ``.msg`` file, comments (units!) included."""
    return {
        f"{PACKAGE}/msg/{path.stem}": path.read_text(encoding="utf-8").strip()
        for path in sorted(rove_msgs_folder().glob("*.msg"))
    }


@functools.cache
def typestore() -> Typestore:
    """Return the types of ROS 2 Jazzy and ``rove_msgs``; it serialises CDR without ROS."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for name, text in _rove_texts().items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def _needs(name: str) -> list[str]:
    """Return the message types that the fields of ``name`` use directly."""
    needed = []
    fields: list[tuple[str, Any]] = list(typestore().fielddefs[name][1])
    for _, (node, detail) in fields:
        if node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
            node, detail = detail[0]
        if node == Nodetype.NAME:
            needed.append(str(detail))
    return needed


def _own_text(name: str) -> str:
    texts = _rove_texts()
    if name in texts:
        return texts[name]
    text, _ = typestore().generate_msgdef(name, ros_version=2)
    return text.split(SEPARATOR, 1)[0].strip()


@functools.cache
def definition(name: str) -> str:
    """Return the full ros2msg text of a type, with the types it depends on.

    Args:
        name: for example ``rove_msgs/msg/JointCommand``.

    Raises:
        BagError: the type is neither in ROS 2 Jazzy's common interfaces nor in ``rove_msgs``.
    """
    if name not in typestore().fielddefs:
        raise BagError(
            f"message type {name!r} given, a type of {PACKAGE} ({', '.join(_rove_texts())}) or of "
            "the common interfaces of ROS 2 Jazzy allowed"
        )
    found, waiting = [name], _needs(name)
    while waiting:
        needed = waiting.pop(0)
        if needed not in found:
            found.append(needed)
            waiting += _needs(needed)
    parts = [_own_text(name)]
    parts += [f"{SEPARATOR}\nMSG: {n.replace('/msg/', '/')}\n{_own_text(n)}" for n in found[1:]]
    return "\n".join(parts) + "\n"


@functools.cache
def type_hash(name: str) -> str:
    """Return the RIHS01 hash by which ROS 2 tells versions of a type apart."""
    return typestore().hash_rihs01(name)
