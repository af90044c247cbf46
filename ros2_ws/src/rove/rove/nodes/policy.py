"""Policy node: cameras, joints and an instruction in, action chunks out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from rove_core.errors import RoveError
from rove_core.robot import load_robot
from rove_core.vocabulary import Button, EpisodeChange, Mode, PolicyState
from rove_policy.proposer import RATE_HZ, Proposal, Proposer
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
        rate = parameter(self, "rate", RATE_HZ, "chunks, Hz of robot time", (0.5, 20.0))
        high = parameter(self, "advantage_high", True, "condition on high advantage")
        threads = parameter(self, "threads", 1, "threads of one inference", (1, 64))
        ensure_local_keys()
        self._slot = PolicySlot(self._spec, threads)
        self._intake = PolicyIntake(
            self._spec, self._slot, Path(store).expanduser(), address, self.get_logger().info
        )
        self._arbiter = ArbiterState()
        self._buttons = 0
        self._order = JointOrder(self._spec)
        self._reason, self._state = "no episode", PolicyState.NO_POLICY
        self._inference_ms = 0.0
        self._proposer = Proposer(self._spec, self._slot, rate, high)
        self._chunks = self.create_publisher(ActionChunk, topics.POLICY_CHUNK, qos.PROPOSAL)
        self._statuses = self.create_publisher(PolicyStatus, topics.POLICY_STATUS, qos.STATE)
        self.create_subscription(JointState, topics.JOINT_STATES, self._joints, qos.STREAM)
        self.create_subscription(EpisodeEvent, topics.EPISODE, self._episode, qos.EVENT)
        for name in self._spec.cameras:
            self.create_subscription(
                CompressedImage,
                topics.camera(name),
                lambda message, name=name: self._propose(
                    self._proposer.picture(name, to_ns(message.header.stamp), message.data)
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
            self._set(PolicyState.WAITING, "no episode" if not self._proposer.instruction else "")
            self.get_logger().info(f"policy {offer.digest[:12]} runs")
        else:
            self._set(PolicyState.REFUSED, offer.reason)
            self.get_logger().error(offer.reason)
        self._publish_status()

    def _poll(self) -> None:
        offer = self._intake.poll(episode_runs=bool(self._proposer.instruction))
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
        self._propose(self._proposer.joints(to_ns(message.header.stamp), position))

    def _episode(self, message: EpisodeEvent) -> None:
        running = message.change == EpisodeChange.STARTED
        self._proposer.episode(message.instruction if running else "")
        self._set(PolicyState.WAITING, "" if running else "no episode")

    def _propose(self, proposal: Proposal | None) -> None:
        if proposal is not None:
            self._inference_ms = proposal.inference_ms
            self._chunks.publish(
                chunk_message(proposal.chunk, proposal.advantage_high, proposal.inference_ms)
            )
            self._set(PolicyState.RUNNING, "")
        elif self._proposer.waiting:
            self._set(PolicyState.WAITING, self._proposer.waiting)

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
            instruction=self._proposer.instruction,
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
