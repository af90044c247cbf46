"""Recorder node: one bag an episode, every message as it came over the wire.

Three threads: ``RawIntake`` takes messages into a bounded queue and never waits for anything,
``RecorderThread`` owns the bag and may wait for the disk, the executor reports and asks.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rove_msgs import msg, srv
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove.convert import to_stamp
from rove.graph import parse_arguments
from rove.parameters import parameter
from rove.raw_intake import IntakeNode, RawIntake
from rove.spin import STEADY, run
from rove_core.bag.metadata import qos_text
from rove_core.bag.recording.guard import LOW_BYTES, STOP_BYTES, DiskGuard
from rove_core.bag.recording.inbox import CAPACITY_BYTES, Inbox
from rove_core.bag.recording.lock import FolderLock
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.preroll import PRE_ROLL_BYTES, PRE_ROLL_SECONDS, PreRoll
from rove_core.bag.recording.revision import code_revision
from rove_core.bag.recording.session import Closed, Identity, RecordingSession, StopEpisode
from rove_core.bag.recording.streams import recorded_streams
from rove_core.bag.recording.worker import RecorderThread
from rove_core.bag.schema import RECORDING_SUFFIX
from rove_core.robot import load_robot
from rove_core.vocabulary import Outcome

OUTBOX_S = 0.1
"""Between two looks at what the recording wants to tell others."""
RECOVER = (
    "import ctypes, os, sys; os.nice(10)\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"  # end with the recorder: the next one begins again
    "from rove_core.bag.recover import recover\n"
    "from rove_core.errors import RoveError\n"
    "try: print(recover(__import__('pathlib').Path(sys.argv[1])))\n"
    "except RoveError as error: sys.exit(str(error))"
)
"""In a process of its own: rewriting a bag must not take the interpreter from a recording."""

TOPICS: dict[str, tuple[Any, QoSProfile]] = {
    topics.EPISODE: (msg.EpisodeEvent, qos.EVENT),
    topics.ARBITER_STATE: (msg.ArbiterState, qos.STATE),
    topics.POLICY_STATUS: (msg.PolicyStatus, qos.STATE),
    topics.OPERATOR_DEVICE: (msg.OperatorDevice, qos.STATE),
    topics.HANDOVER: (msg.Handover, qos.STATE),
    topics.DIAGNOSTICS: (DiagnosticArray, qos.EVENT),
    topics.JOINT_STATES: (JointState, qos.STREAM),
    topics.OPERATOR_FRAME: (msg.OperatorFrame, qos.STREAM),
    topics.TELEOP_TARGET: (msg.JointTarget, qos.STREAM),
    topics.ROBOT_TIMES: (msg.RobotTimes, qos.PROPOSAL),
    topics.POLICY_CHUNK: (msg.ActionChunk, qos.PROPOSAL),
    topics.POLICY_VALUE: (msg.ValueEstimate, qos.PROPOSAL),
    topics.JOINT_COMMAND: (msg.JointCommand, qos.COMMAND),
}
"""Topic -> (message, QoS of its publisher)."""
NEWS = frozenset({topics.HANDOVER, topics.DIAGNOSTICS})
"""What these told before this node started is of an earlier episode, or told twice."""


class RecorderNode(IntakeNode):
    """Opens a bag when an episode starts and closes it, whole, when it ends."""

    def __init__(self) -> None:
        super().__init__("recorder")
        spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        folder = Path(parameter(self, "folder", "bags", "folder of the bags")).expanduser()
        graph = parameter(self, "graph", "", "arguments of the graph, as a URL query")
        seconds = parameter(
            self, "pre_roll", PRE_ROLL_SECONDS, "s kept from before an episode starts", (0.0, 60.0)
        )
        queue = parameter(
            self, "queue", CAPACITY_BYTES, "bytes that may wait for the disk", (1 << 20, 1 << 32)
        )
        low = parameter(
            self, "low_water", LOW_BYTES, "free bytes below which there is an alarm", (0, 1 << 50)
        )
        stop = parameter(
            self, "stop_water", STOP_BYTES, "free bytes below which it ends", (0, 1 << 50)
        )
        self._ends = parameter(
            self, "end_episode", True, "end an episode that cannot be recorded any more"
        )
        compression = parameter(self, "compression", "zstd", "of chunks: zstd, lz4 or none")
        self.finished, self.exit_status = False, 0
        self._lock = FolderLock(folder)
        self._folder = folder
        self._recovering: subprocess.Popen[str] | None = None
        self._leftovers = sorted(folder.glob(f"*{RECORDING_SUFFIX}"))
        self._namespace = self.get_namespace().rstrip("/")
        cameras = list(spec.cameras.values())
        texts = {name: _qos_text(profile) for name, (_, profile) in TOPICS.items()}
        texts["camera"] = _qos_text(qos.STREAM)
        streams = recorded_streams(cameras, self._namespace, texts)
        self._inbox = Inbox(queue)
        self._session = RecordingSession(
            folder,
            streams,
            Identity(spec, self._namespace, self._parameters_of(graph), code_revision()),
            clock=time.monotonic,
            pre_roll=PreRoll(seconds, PRE_ROLL_BYTES),
            guard=DiskGuard(folder, low, stop),
            compression=compression,
        )
        subscriptions = []
        for stream in streams:
            kind, profile = TOPICS.get(stream.name, (CompressedImage, qos.STREAM))
            wanted = qos.recording(profile)
            if stream.name in NEWS:
                wanted.durability = DurabilityPolicy.VOLATILE
            subscription = self.subscribe_raw(kind, stream.full_name, wanted)
            subscriptions.append((subscription, kind))
        self._intake = RawIntake(self, self._inbox.put, subscriptions)
        clock = self.get_clock()
        self._worker = RecorderThread(
            self._inbox, self._session, lambda: clock.now().nanoseconds, self._intake.publishers
        )
        self._health = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.EVENT)
        self._losses = self.create_publisher(msg.RecordingLoss, topics.RECORDER_LOSS, qos.EVENT)
        self._stop = self.create_client(srv.StopEpisode, topics.STOP_EPISODE)
        self.create_timer(OUTBOX_S, self._send, clock=STEADY)
        self.create_timer(1.0, self._report, clock=STEADY)
        self._worker.start()
        self._intake.start()

    def _parameters_of(self, graph: str) -> dict[str, Any]:
        words = [f"{name}:={value}" for name, value in parse_qsl(graph, keep_blank_values=True)]
        own = {n: p.value for n, p in self.get_parameters_by_prefix("").items() if n != "graph"}
        return {"graph": asdict(parse_arguments(words)) if words else {}, "recorder": own}

    def _send(self) -> None:
        """Tell others what the recording thread has for them."""
        while self._session.outbox:
            item = self._session.outbox.popleft()
            if isinstance(item, Loss):
                self._losses.publish(_loss_message(item))
            elif isinstance(item, StopEpisode):
                self.get_logger().error(item.reason)
                self._end_episode(item.reason)
            elif isinstance(item, Closed):
                text = f"{item.path} ({item.received} messages, {item.lost} lost)"
                self.get_logger().info(text)
        for error in (self._worker.error, self._intake.error):
            if error and not self.finished:  # started again by who started it
                self.get_logger().fatal(f"the recorder broke: {error}")
                self.finished, self.exit_status = True, 1

    def _end_episode(self, reason: str) -> None:
        """Ask the arbiter to end the episode; whether it answers changes nothing here."""
        if self._ends and self._stop.service_is_ready():
            request = srv.StopEpisode.Request(
                outcome=int(Outcome.ABORTED), reason=f"not recorded any more: {reason}"
            )
            self._stop.call_async(request)

    def _report(self) -> None:
        told = self._session.status
        status = DiagnosticStatus(
            name=f"{self._namespace.strip('/')}: recorder",
            level=bytes([told.level]),
            message=told.message,
        )
        values = dict(told.values)
        values["waiting"] = f"{self._inbox.waiting_bytes / 1e6:.1f} MB"
        values["most waiting"] = f"{self._inbox.highest_bytes / 1e6:.1f} MB"
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(message)
        self._recover_next()

    def _recover_next(self) -> None:
        """Make whole what a recorder that died left behind, one bag after the other."""
        if self._recovering is not None:
            if self._recovering.poll() is None:
                return
            said, problem = self._recovering.communicate()
            if self._recovering.returncode == 0:
                self.get_logger().info(f"recovered {said.strip()}")
            else:
                self.get_logger().error(f"not recovered: {problem.strip()[-500:]}")
            self._recovering = None
        if self._leftovers:
            pipe = subprocess.PIPE
            command = [sys.executable, "-c", RECOVER, str(self._leftovers.pop(0))]
            self._recovering = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    def close(self) -> None:
        """Close the bag that is open; the episode it holds was still running."""
        self._intake.stop()
        self._worker.stop()
        self._send()
        if self._recovering is not None:  # a half recovered bag is recovered again next time
            self._recovering.kill()
            self._recovering.communicate()
        self._lock.release()


def _loss_message(loss: Loss) -> msg.RecordingLoss:
    message = msg.RecordingLoss(
        cause=int(loss.cause),
        topic=loss.topic,
        first_missing=loss.first_missing,
        count=loss.count,
    )
    message.header.stamp = to_stamp(loss.stamp_ns)
    return message


def _qos_text(profile: QoSProfile) -> str:
    best = profile.reliability == ReliabilityPolicy.BEST_EFFORT
    latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return qos_text(
        profile.depth,
        "best_effort" if best else "reliable",
        "transient_local" if latched else "volatile",
    )


def main() -> int:
    """Start the recorder."""
    return run(RecorderNode)
