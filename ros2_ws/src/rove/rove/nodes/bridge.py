"""Bridge node: operators' devices over ZMQ and the headset page in, frames out; pictures and status
back to them."""

from __future__ import annotations

import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rove_msgs.msg import (
    ArbiterState,
    EpisodeEvent,
    JointTarget,
    OperatorDevice,
    OperatorFrame,
    RobotTimes,
)
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove.convert import JointOrder, device_message, frame_message, to_ns
from rove.keys_cli import BRIDGE, OPERATOR, ensure_local_keys
from rove.latency import NodeLedger
from rove.latest import Latest
from rove.page import Page
from rove.parameters import parameter
from rove.spin import STEADY, run
from rove_core.errors import RoveError
from rove_core.latency.legs import CAMERA_LEGS, Stamp
from rove_core.robot import load_robot
from rove_core.vocabulary import EpisodeChange, Mode
from rove_teleop.calibration import CalibrationStore
from rove_teleop.device.admission import admit, find_calibration
from rove_teleop.retarget.model import KinematicModel
from rove_teleop.wire.frame_times import FrameClocks
from rove_teleop.wire.messages import Frame, Picture
from rove_teleop.wire.server import BridgeServer, Client
from rove_teleop.wire.status import STATUS_S, operator_status

POLL_S = 0.004
"""Adds 2 ms on average to a frame's way; polling an idle socket costs 20 us."""


class BridgeNode(Node):
    """Checks who sends, turns wire frames into messages and keeps operators informed."""

    def __init__(self) -> None:
        super().__init__("bridge")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        address = parameter(self, "address", "tcp://127.0.0.1:7447", "ZMQ endpoint to listen on")
        camera = parameter(self, "camera", "", "camera that operators see; empty: the first one")
        self._camera = camera or next(iter(self._spec.cameras))
        self._required = parameter(
            self,
            "require_calibration",
            True,
            "tell operators without a calibration of their size that they cannot drive",
        )
        self._calibrations = CalibrationStore()
        self._devices: dict[Client, str] = {}  # calibration (JSON) of who is connected
        self._notices: dict[str, str] = {}  # operator -> what they have to mend
        self._holder = ""
        self._clocks = FrameClocks()
        self._ledger = NodeLedger(self, CAMERA_LEGS, "camera to operator")
        self._simulated = bool(self.get_parameter("use_sim_time").value)
        store = ensure_local_keys()
        self._server = BridgeServer(
            store.load(BRIDGE), store.authorized(OPERATOR), self._spec.name, address
        )
        self._model = KinematicModel(self._spec)
        self._order = JointOrder(self._spec)
        self._joints = Latest(self, JointState, topics.JOINT_STATES)
        self._state = ArbiterState(mode=int(Mode.HOLD), reason="no arbiter was heard yet")
        self._errors = (math.nan, math.nan, math.nan, math.nan)
        self._episode = EpisodeEvent()
        self._frames = self.create_publisher(OperatorFrame, topics.OPERATOR_FRAME, qos.STREAM)
        self._told = self.create_publisher(OperatorDevice, topics.OPERATOR_DEVICE, qos.STATE)
        self._health = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._on_state, qos.STATE)
        self.create_subscription(EpisodeEvent, topics.EPISODE, self._on_episode, qos.EVENT)
        self.create_subscription(JointTarget, topics.TELEOP_TARGET, self._on_target, qos.COMMAND)
        self.create_subscription(
            CompressedImage, topics.camera(self._camera), self._on_picture, qos.COMMAND
        )
        self.create_subscription(RobotTimes, topics.ROBOT_TIMES, self._on_times, qos.PROPOSAL)
        self._page = self._open_page()
        self.create_timer(POLL_S, self._poll, clock=STEADY)
        self.create_timer(STATUS_S, self._tell, clock=STEADY)
        self.create_timer(1.0, self._report, clock=STEADY)
        self.get_logger().info(f"operators connect to {self._server.endpoint}")

    def _open_page(self) -> Page | None:
        text = "https://HOST:PORT of the headset page; none: no page"
        address = parameter(self, "page", "none", text)
        task = parameter(self, "task", "", "task of the episodes that operators start")
        wish = parameter(self, "instruction", "", "what the robot is told in them")
        seed = parameter(self, "seed", 0, "seed of the first scene", (0, 2**31))
        if address == "none":
            return None
        return Page(self, self._spec.name, address, task, wish, seed)

    @property
    def _operators(self) -> tuple[Client, ...]:
        """Operators who are connected, by whatever way."""
        return self._server.clients + (self._page.server.clients if self._page else ())

    def _on_state(self, message: ArbiterState) -> None:
        changed = message.mode != self._state.mode
        self._state = message
        if changed:
            self._tell()

    def _on_episode(self, message: EpisodeEvent) -> None:
        running = message.change == EpisodeChange.STARTED
        self._episode = message if running else EpisodeEvent()

    def _on_target(self, message: JointTarget) -> None:
        self._errors = (
            message.position_error,
            message.orientation_error,
            message.finger_error,
            message.head_error,
        )

    def _on_picture(self, message: CompressedImage) -> None:
        stamp_ns = to_ns(message.header.stamp)
        picture = Picture(self._camera, stamp_ns, message.data.tobytes())
        self._server.publish(None, picture)
        if self._page is not None:
            self._page.server.publish(None, picture)
        if self._operators:
            stamps = {Stamp.DELIVERED: time.time_ns()}
            if not self._simulated:  # ROS time is wall time
                stamps[Stamp.PICTURED] = stamp_ns
            self._ledger.note(stamp_ns, stamps)

    def _on_times(self, message: RobotTimes) -> None:
        taken = zip(message.camera, message.picture_ns, message.captured_ns, strict=False)
        for camera, stamp_ns, captured_ns in taken:
            if camera == self._camera:
                self._ledger.complete(stamp_ns, {Stamp.PICTURED: captured_ns})

    def _poll(self) -> None:
        now = self.get_clock().now().nanoseconds
        frames = self._server.poll()
        if self._page is not None:
            frames += self._page_frames()
        for client, frame in frames:
            times = self._clocks.times(client, frame, time.time_ns())
            self._frames.publish(frame_message(client.operator_id, frame, now, times))
            if times.shown_ns:
                self._ledger.complete(times.picture_ns, {Stamp.SHOWN: times.shown_ns})

    def _page_frames(self) -> list[tuple[Client, Frame]]:
        assert self._page is not None
        self._page.do_wishes(self._state)
        taken = {client.operator_id for client in self._server.clients}
        return [
            (client, frame)
            for client, frame in self._page.server.poll(taken)
            if client.operator_id not in taken  # who came by ZMQ later under the same name
        ]

    def _introduce(self, look_again: bool) -> None:
        """Publish the devices of who is connected when that changed, the lease holder's last.

        Args:
            look_again: for calibrations that were missing; one may have been measured meanwhile.
        """
        clients = self._operators
        missing = look_again and any(not text for text in self._devices.values())
        known = self._state.lease_holder == self._holder and clients == tuple(self._devices)
        if known and not missing:
            return
        self._notices, devices = {}, {}
        for client in clients:
            text, problem = find_calibration(self._calibrations, client.calibration)
            admission = admit(
                self._spec, client.device, client.joint_names, text, problem, self._required
            )
            self._notices[client.operator_id] = admission.problem
            devices[client] = text
        if known and devices == self._devices:
            return
        self._devices, self._holder = devices, self._state.lease_holder
        now = self.get_clock().now().nanoseconds
        for client in sorted(clients, key=lambda c: c.operator_id == self._holder):
            self._told.publish(device_message(client, devices[client], now))

    def _tell(self) -> None:
        self._introduce(look_again=False)
        joints = self._joints.get()
        if joints is None:
            return
        try:
            poses = self._model.poses(self._order.positions(joints))
        except RoveError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        state = self._state
        status = operator_status(
            state,
            to_ns(state.header.stamp),
            poses,
            self._errors,
            state.question,
            self._episode.episode_id,
            self._episode.instruction,
            time.time_ns(),
        )
        self._server.publish(status, notices=self._notices)
        if self._page is not None:
            self._page.server.publish(status, notices=self._notices)

    def _report(self) -> None:
        self._introduce(look_again=True)
        self._clocks.keep(self._operators)
        names = ", ".join(client.operator_id for client in self._operators)
        values: dict[str, Any] = {"operators": names or "none"}
        values |= {f"refused: {why}": count for why, count in self._server.counts.items()}
        if self._page is not None:
            self._page.announce()
            refused = self._page.server.counts.items()
            values |= {f"page refused: {why}": count for why, count in refused}
        values |= {f"cannot drive: {who}": why for who, why in self._notices.items() if why}
        status = DiagnosticStatus(
            name=f"{self.get_namespace().strip('/')}: bridge",
            level=DiagnosticStatus.OK,
            message=f"listens on {self._server.endpoint}",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status, self._ledger.status()])
        message.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(message)

    def close(self) -> None:
        """Free the port."""
        if self._page is not None:
            self._page.close()
        self._server.close()


def main() -> int:
    """Start the bridge."""
    return run(BridgeNode)
