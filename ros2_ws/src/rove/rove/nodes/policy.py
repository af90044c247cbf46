"""Policy node: cameras, joints and an instruction in, action chunks out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.node import Node
from rove_msgs.msg import ActionChunk, ArbiterState, EpisodeEvent, OperatorFrame, PolicyStatus
from rove_msgs.srv import ApprovePolicy, LoadPolicy
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove.convert import JointOrder, chunk_message, to_ns
from rove.intake import PolicyIntake
from rove.keys_cli import ensure_local_keys
from rove.parameters import parameter
from rove.policies import policy_path
from rove.spin import STEADY, run
from rove_core.action import NS
from rove_core.errors import RoveError
from rove_core.observation import Image, Observation
from rove_core.resample import Missing, StreamResampler, observation_streams
from rove_core.robot import load_robot
from rove_core.vocabulary import Button, EpisodeChange, Mode, PolicyState
from rove_policy.slot import Offer, PolicySlot

POLL_S = 0.05
CHOSEN = "who started the graph"


class PolicyNode(Node):
    """Proposes a chunk at a fixed rate of robot time while an episode runs."""

    def __init__(self) -> None:
        super().__init__("policy")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        wanted = parameter(
            self,
            "policy",
            "latest",
            "ONNX file, 'latest' (delivered, else shipped), 'shipped' or 'none'",
        )
        store = parameter(self, "store", "~/.local/share/rove/policies", "delivered policies")
        address = parameter(self, "delivery", "", "ZMQ endpoint for learners; empty: none")
        rate = parameter(self, "rate", 4.0, "chunks, Hz of robot time", (0.5, 20.0))
        self._high = parameter(self, "advantage_high", True, "condition on high advantage")
        threads = parameter(self, "threads", 1, "threads of one inference", (1, 64))
        ensure_local_keys()
        self._slot = PolicySlot(self._spec, threads)
        self._intake = PolicyIntake(
            self._spec, self._slot, Path(store).expanduser(), address, self.get_logger().info
        )
        self._arbiter = ArbiterState()
        self._buttons = 0
        self._order = JointOrder(self._spec)
        self._instruction, self._reason, self._state = "", "no episode", PolicyState.NO_POLICY
        self._inference_ms = 0.0
        self._every_ns = round(NS / rate)
        self._last_ns = 0
        self._streams = StreamResampler(observation_streams(self._spec))
        self._newest = dict.fromkeys(observation_streams(self._spec), 0)  # stamp, ns
        self._chunks = self.create_publisher(ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL)
        self._statuses = self.create_publisher(PolicyStatus, topics.POLICY_STATUS, qos.STATE)
        self.create_subscription(JointState, topics.JOINT_STATES, self._joints, qos.STREAM)
        self.create_subscription(EpisodeEvent, topics.EPISODE, self._episode, qos.EVENT)
        for name in self._spec.cameras:
            topic = topics.camera(name)
            self.create_subscription(
                CompressedImage,
                topic,
                lambda message, topic=topic: self._sample(
                    topic, to_ns(message.header.stamp), message
                ),
                qos.STREAM,
            )
        self.create_subscription(ArbiterState, topics.ARBITER_STATE, self._on_arbiter, qos.STATE)
        self.create_subscription(OperatorFrame, topics.OPERATOR_FRAME, self._frame, qos.STREAM)
        self.create_service(LoadPolicy, topics.LOAD_POLICY, self._load)
        self.create_service(ApprovePolicy, topics.APPROVE_POLICY, self._approve)
        self.create_timer(1.0, self._publish_status, clock=STEADY)
        self.create_timer(POLL_S, self._poll, clock=STEADY)
        delivered = self._intake.newest() if wanted == "latest" else None
        if delivered is not None:
            self._offer(delivered)
        elif wanted != "none":
            self._offer(policy_path("shipped" if wanted == "latest" else wanted), CHOSEN)

    def _offer(self, path: Path, chosen_by: str = "") -> tuple[bool, str]:
        """Run a policy from a file; a person who chose the file has agreed to it thereby."""
        offer = self._slot.offer(path)
        self._tell(offer)
        if offer.accepted and chosen_by:
            self._intake.approve(offer.digest, chosen_by)
        return offer.accepted, offer.reason

    def _tell(self, offer: Offer) -> None:
        if offer.accepted:
            self._set(PolicyState.WAITING, "no episode" if not self._instruction else "")
            self.get_logger().info(f"policy {offer.digest[:12]} runs")
        else:
            self._set(PolicyState.REFUSED, offer.reason)
            self.get_logger().error(offer.reason)
        self._publish_status()

    def _poll(self) -> None:
        offer = self._intake.poll(episode_runs=bool(self._instruction))
        if offer is not None:
            self._tell(offer)

    def _on_arbiter(self, message: ArbiterState) -> None:
        self._arbiter = message

    def _frame(self, message: OperatorFrame) -> None:
        pressed, self._buttons = message.buttons & ~self._buttons, message.buttons
        asked = self._arbiter.mode == Mode.IDLE and self._arbiter.question
        holder = message.operator_id == self._arbiter.lease_holder
        if asked and holder and pressed & Button.MARK_RECOVERY:
            self._intake.approve(self._slot.digest, message.operator_id)
            self._publish_status()

    def _approve(self, request: Any, response: Any) -> Any:
        response.message = self._intake.approve(request.digest, request.person)
        response.success = not response.message
        self._publish_status()
        return response

    def _load(self, request: Any, response: Any) -> Any:
        response.success, response.message = self._offer(Path(request.path), "policy/load")
        response.digest = self._slot.digest
        return response

    def _joints(self, message: JointState) -> None:
        try:
            position = self._order.positions(message)
        except RoveError as error:
            self._set(PolicyState.WAITING, str(error))
            return
        self._sample(topics.JOINT_STATES, to_ns(message.header.stamp), position)

    def _episode(self, message: EpisodeEvent) -> None:
        running = message.change == EpisodeChange.STARTED
        self._instruction = message.instruction if running else ""
        self._last_ns = 0
        self._set(PolicyState.WAITING, "" if running else "no episode")

    def _sample(self, stream: str, stamp_ns: int, value: Any) -> None:
        if stamp_ns < self._last_ns:  # robot time ran backwards: nothing before it is comparable
            self._streams.reset()
            self._newest = dict.fromkeys(self._newest, 0)
            self._last_ns = 0
        self._streams.push(stream, stamp_ns, value)
        self._newest[stream] = stamp_ns
        # A frame is taken when every stream has reached its time, so that it is the same frame
        # that the learner will see in the bag.
        due_ns = min(self._newest[topics.camera(name)] for name in self._spec.cameras)
        reached = self._newest[topics.JOINT_STATES] >= due_ns > 0
        if self._instruction and reached and due_ns - self._last_ns >= self._every_ns:
            self._act(due_ns)

    def _act(self, stamp_ns: int) -> None:
        frame = self._streams.frame_at(stamp_ns)
        if isinstance(frame, Missing):
            self._set(PolicyState.WAITING, frame.reason)
            return
        if self._slot.policy is None:
            return
        began = time.perf_counter()
        try:
            images = {
                name: self._decode(name, frame.values[topics.camera(name)])
                for name in self._spec.cameras
            }
            position = frame.values[topics.JOINT_STATES]
            observation = Observation(stamp_ns, images, position, self._instruction)
            chunk = self._slot.act(observation, self._high)
        except RoveError as error:
            self._set(PolicyState.WAITING, str(error))
            return
        self._inference_ms = 1e3 * (time.perf_counter() - began)
        self._last_ns = stamp_ns
        self._chunks.publish(chunk_message(chunk, self._high, self._inference_ms))
        self._set(PolicyState.RUNNING, "")

    def _decode(self, camera: str, message: CompressedImage) -> Image:
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise RoveError(f"camera {camera!r}: a picture that is not a JPEG was given")
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _set(self, state: PolicyState, reason: str) -> None:
        if self._slot.policy is None and state is not PolicyState.REFUSED:
            state, reason = PolicyState.NO_POLICY, "no policy is loaded"
        changed = (state, reason) != (self._state, self._reason)
        self._state, self._reason = state, reason
        if changed:
            self._publish_status()

    def _publish_status(self) -> None:
        policy = self._slot.policy
        message = PolicyStatus(
            state=int(self._state),
            digest=self._slot.digest,
            approved=self._intake.approved(self._slot.digest),
            path=str(policy.path) if policy is not None else "",
            reason=self._reason,
            instruction=self._instruction,
            inference_ms=self._inference_ms,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._statuses.publish(message)

    def close(self) -> None:
        """Free the port for deliveries."""
        self._intake.close()


def main() -> int:
    """Start the policy node."""
    return run(PolicyNode)
