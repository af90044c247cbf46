"""Run a node until somebody asks it to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from rove_core.errors import RoveError

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""Clock of every timer that must not stop with ``/clock``."""

_SLICE_S = 0.25
"""How long a stop request may wait. EventsExecutor.spin() without a timeout never returns."""


def run(make: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Make a node and spin it until SIGINT or SIGTERM; return the exit status.

    A ``RoveError`` while the node is made ends the process with its text and status 2: a bad
    parameter must not become a node that runs half.
    """
    rclpy.init(
        args=None if arguments is None else list(arguments),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    try:
        node = make()
    except RoveError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        rclpy.try_shutdown()
        return 2
    executor = EventsExecutor()
    executor.add_node(node)
    never: Future = Future()
    try:
        while rclpy.ok() and not stop.is_set() and not getattr(node, "finished", False):
            executor.spin_until_future_complete(never, timeout_sec=_SLICE_S)
    finally:
        close = getattr(node, "close", None)
        if close is not None:
            close()
        executor.remove_node(node)
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
    return int(getattr(node, "exit_status", 0))
