"""Message paths of a Foxglove layout, and whether a bag has what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rove_core.bag.reader import Bag
from rove_core.bag.schema import CAMERA_TYPE

STEP = re.compile(r"([a-z][a-z0-9_]*)(?:\[(\d+)\])?")


def panels(layout: dict[str, Any]) -> Iterator[str]:
    """Yield the ids of the panels in the tree of splits."""
    waiting = [layout["layout"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        else:
            assert node["direction"] in ("row", "column")
            assert 0 < node["splitPercentage"] < 100
            waiting += [node["second"], node["first"]]


def named(layout: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (full topic, field path or "") of everything that the panels show."""
    for key, config in layout["configById"].items():
        kind = key.partition("!")[0]
        if kind == "Image":
            yield config["imageMode"]["imageTopic"], ""
        elif kind == "DiagnosticSummary":
            yield config["topicToRender"], ""
        elif kind == "RawMessages":
            yield config["topicPath"], ""
        else:
            for line in config["paths"]:
                topic, _, path = line["value"].partition(".")
                yield topic, path


def missing(layout: dict[str, Any], bag: Bag) -> list[str]:
    """Return what a layout names and a bag lacks: topics, pictures, fields, elements."""
    found = []
    messages = {}
    for topic, message, *_ in bag.messages(list(bag.topics)):
        messages.setdefault(topic, message)
    for full, path in named(layout):
        topic = bag.info.relative(full)
        if topic not in bag.topics:
            found.append(full)
        elif topic.startswith("camera/") and bag.topics[topic].type != CAMERA_TYPE:
            found.append(f"{full} is no picture")
        elif path and (problem := _walk(messages.get(topic), bag.topics[topic].type, path)):
            found.append(f"{full}.{path}: {problem}")
    return found


def _walk(message: Any, kind: str, path: str) -> str:
    if message is None:  # nothing was said on it; its type is that of the contract
        from rove_core.bag.definitions import typestore

        fields = {name for name, _ in typestore().fielddefs[kind][1]}
        return "" if path in fields else "no such field"
    value = message
    for part in path.split("."):
        match = STEP.fullmatch(part)
        if match is None or not hasattr(value, match[1]):
            return "no such field"
        value = getattr(value, match[1])
        if match[2] is not None:
            if int(match[2]) >= len(value):
                return "no such element"
            value = value[int(match[2])]
    return "" if isinstance(value, int | float | bool) or hasattr(value, "item") else "no number"
