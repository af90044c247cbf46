"""``rove calibrate``: measure an operator through the running bridge, or a device by two poses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import rclpy
import tyro
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rich.console import Console
from rove_msgs.msg import OperatorFrame

from rove import qos, topics
from rove.convert import frame_contract, to_ns
from rove_core.errors import ConfigError
from rove_teleop.calibration import Calibration, CalibrationStore, NeutralPose
from rove_teleop.device.calibrate import calibrate
from rove_teleop.device.profile import load_device, save_device

SLICE_S = 0.1  # EventsExecutor must not spin without a timeout


@dataclass
class Operator:
    """Measure an operator's height and arm length in two seconds, from the frames of a bridge.

    Put the headset on, stand upright, look straight ahead, and stretch both arms out to the sides.

    Attributes:
        name: under which the calibration is kept; the device names it in its hello.
        operator: id of the operator whose frames count; "": the first that is seen.
        namespace: of the robot.
        timeout: s to wait for the pose.
    """

    name: tyro.conf.Positional[str]
    operator: str = ""
    namespace: str = "g1_dex3"
    timeout: float = 60.0


@dataclass
class Device:
    """Find sign, scale and zero of every joint of a device from two known postures.

    Attributes:
        name: profile of the device; what is found is kept on this machine under that name.
        a: JSON of posture A: {"device": {joint: rad}, "robot": {joint: rad}}.
        b: likewise of posture B.
    """

    name: tyro.conf.Positional[str]
    a: Path
    b: Path


@dataclass
class Show:
    """List the operators that are calibrated on this machine."""


Command = (
    Annotated[Operator, tyro.conf.subcommand("operator")]
    | Annotated[Device, tyro.conf.subcommand("device")]
    | Annotated[Show, tyro.conf.subcommand("show")]
)
WORDS = ("operator", "device", "show")


def measure(
    namespace: str, operator: str, name: str, timeout: float, say: Callable[[str], None]
) -> Calibration:
    """Watch the frames of a robot's bridge until an operator has held the neutral pose.

    Raises:
        ConfigError: nobody held it in time, or what was measured is not the size of a person.
    """
    pose, ends = NeutralPose(), time.monotonic() + timeout
    done: Future = Future()
    said, seen = "", {"operator": operator}

    def take(message: OperatorFrame) -> None:
        nonlocal said
        seen["operator"] = seen["operator"] or message.operator_id
        if done.done() or message.operator_id != seen["operator"]:
            return
        if pose.take(frame_contract(message), to_ns(message.header.stamp) * 1e-9):
            done.set_result(True)
        hint = pose.hint or "hold still"
        if hint != said:
            said = hint
            say(f"{seen['operator']}: {hint}")

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node("calibrate", namespace=namespace)
    node.create_subscription(OperatorFrame, topics.OPERATOR_FRAME, take, qos.STREAM)
    executor = EventsExecutor()
    executor.add_node(node)
    try:
        while not done.done() and time.monotonic() < ends:
            executor.spin_until_future_complete(done, timeout_sec=SLICE_S)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()
    if not seen["operator"]:
        cure = f"an operator connected to the bridge of /{namespace.strip('/')}"
        raise ConfigError("operator", "nobody", cure, topics.OPERATOR_FRAME)
    return pose.result(name)


def main(words: list[str]) -> int:
    """Run ``rove calibrate``; ``rove calibrate NAME`` is short for ``rove calibrate operator``."""
    if words and words[0] not in WORDS and not words[0].startswith("-"):
        words = ["operator", *words]
    command = tyro.cli(Command, args=words, prog="rove calibrate")  # type: ignore[call-overload]
    console, store = Console(highlight=False), CalibrationStore()

    def say(text: str) -> None:
        console.print(text, markup=False)

    if isinstance(command, Operator):
        found = measure(command.namespace, command.operator, command.name, command.timeout, say)
        path = store.save(found)
        say(f"{found.name}: height {found.height:.2f} m, arm {found.arm:.2f} m, kept in {path}")
    elif isinstance(command, Device):
        a, b = (_posture(path) for path in (command.a, command.b))
        profile = calibrate(load_device(command.name), a["device"], a["robot"], b["device"],
                            b["robot"])  # fmt: skip
        say(f"{profile.name}: {len(profile.joints)} joints, kept in {save_device(profile)}")
    else:
        for name in store.names():
            found = store.load(name)
            say(f"{name}: height {found.height:.2f} m, arm {found.arm:.2f} m")
        if not store.names():
            say(f"nobody is calibrated in {store.folder}")
    return 0


def _posture(path: Path) -> dict[str, dict[str, float]]:
    allowed = 'JSON {"device": {joint: rad}, "robot": {joint: rad}}'
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return {
            part: {str(name): float(value) for name, value in table[part].items()}
            for part in ("device", "robot")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError("posture", str(path), f"{allowed} ({error})", str(path)) from error
