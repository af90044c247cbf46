"""Latest: a topic of which only the newest message counts, decoded when somebody looks."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from rove import qos

M = TypeVar("M")


class Latest(Generic[M]):
    """Keeps the newest message of a topic as bytes.

    Decoding a JointState of 43 named joints takes longer than retargeting needs the rest of it
    for; a node that looks 20 to 72 times a second must not decode 200.
    """

    def __init__(self, node: Node, kind: type[M], topic: str) -> None:
        self._kind = kind
        self._data: bytes | None = None
        self._message: M | None = None
        node.create_subscription(kind, topic, self._take, qos.COMMAND, raw=True)

    def _take(self, data: Any) -> None:
        self._data, self._message = data, None

    def get(self) -> M | None:
        """Return the newest message, None before the first."""
        if self._message is None and self._data is not None:
            self._message = deserialize_message(self._data, self._kind)
        return self._message
