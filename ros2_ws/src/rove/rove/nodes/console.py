"""Console node: what the graph says, on a supervisor's page; what is pressed there, as services."""

from __future__ import annotations

import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.client import Client
from rove_msgs import msg, srv
from sensor_msgs.msg import CompressedImage, JointState

from rove import qos, topics
from rove.convert import JointOrder
from rove.latency import TITLE
from rove.parameters import parameter
from rove.polled import Polled
from rove.raw_intake import IntakeNode
from rove.spin import STEADY, run
from rove_core.arrays import FloatArray, frozen_floats
from rove_core.errors import ContractError, RoveError
from rove_core.latency.words import reports_of
from rove_core.robot import load_robot
from rove_core.vocabulary import (
    Authority,
    EpisodeChange,
    EpisodeKind,
    Mode,
    Outcome,
    PolicyState,
    Stage,
)
from rove_teleop.console.actions import Action
from rove_teleop.console.door import read_address
from rove_teleop.console.view import (
    SILENT_S,
    Arbiter,
    Episode,
    Health,
    Level,
    Policy,
    Value,
    View,
)

MOVE_S, SHOW_S, PICTURE_S = 1 / 15, 0.1, 0.2
"""Between two postures, two looks at the words, two pictures; none of it while nobody looks."""
ANSWER_S = 3.0
FRESH_S = 0.5
"""A ghost or a value older than this is no longer shown; health three seconds, it comes at 1 Hz."""
HEALTH_S = 3.5


class ConsoleNode(IntakeNode):
    """Keeps the newest word of everybody and shows it while somebody looks."""

    def __init__(self) -> None:
        super().__init__("console")
        self._spec = load_robot(parameter(self, "robot", "g1_dex3", "robot profile"))
        text = "where the page is served, http:// on the loopback"
        address = read_address(parameter(self, "address", "http://127.0.0.1:7450", text))
        task = parameter(self, "task", "", "task that the form holds at first")
        instruction = parameter(self, "instruction", "", "instruction that the form holds at first")
        self._recorded = parameter(self, "record", True, "a recorder belongs to this graph")
        # Half a second of imports and a web server: only in the process that needs them.
        from rove.console.page import Page
        from rove.console.scene import RobotScene
        from rove.console.server import open_server

        self._order = JointOrder(self._spec)
        self._arbiter: tuple[float, Arbiter] | None = None
        self._episode: Episode | None = None
        self._policy: Policy | None = None
        self._value: tuple[float, Value] | None = None
        self._health: dict[str, tuple[float, Health]] = {}
        self._target: tuple[float, FloatArray] | None = None
        self._pictured_at = 0.0
        self._server = open_server(address.host, address.port, f"ROVE {self._spec.name}")
        self._scene = RobotScene(self._server, self._spec)
        self._page = Page(self._server, task, instruction, self._act)
        self._open()
        port = self._server.get_port()
        self.get_logger().info(f"console: http://{address.host}:{port}")

    def _open(self) -> None:
        self._joints = Polled(self, JointState, topics.JOINT_STATES, qos.COMMAND)
        self._targets = Polled(self, msg.JointTarget, topics.TELEOP_TARGET, qos.COMMAND)
        self._cameras = {
            name: Polled(self, CompressedImage, topics.camera(name), qos.COMMAND)
            for name in self._spec.cameras
        }
        for kind, topic, callback, profile in (
            (msg.ArbiterState, topics.ARBITER_STATE, self._on_arbiter, qos.STATE),
            (msg.EpisodeEvent, topics.EPISODE, self._on_episode, qos.EVENT),
            (msg.PolicyStatus, topics.POLICY_STATUS, self._on_policy, qos.STATE),
            (msg.ValueEstimate, topics.POLICY_VALUE, self._on_value, qos.PROPOSAL),
            (DiagnosticArray, topics.DIAGNOSTICS, self._on_health, qos.EVENT),
        ):
            self.create_subscription(kind, topic, callback, profile)
        self._asked: dict[str, Client] = {
            name: self.create_client(kind, name)
            for kind, name in (
                (srv.StartEpisode, topics.START_EPISODE),
                (srv.StopEpisode, topics.STOP_EPISODE),
                (srv.Pause, topics.PAUSE),
                (srv.ForceLease, topics.FORCE_LEASE),
                (srv.EmergencyStop, topics.EMERGENCY_STOP),
                (srv.ResetEmergencyStop, topics.RESET_EMERGENCY_STOP),
                (srv.ApprovePolicy, topics.APPROVE_POLICY),
            )
        }
        self.create_timer(MOVE_S, self._move, clock=STEADY)
        self.create_timer(SHOW_S, self._show, clock=STEADY)

    def _on_arbiter(self, message: msg.ArbiterState) -> None:
        said = Arbiter(
            mode=Mode(message.mode),
            authority=Authority(message.authority),
            stage=Stage(message.stage),
            reason=message.reason,
            question=message.question,
            lease_holder=message.lease_holder,
            episode_id=message.episode_id,
            position_error=message.position_error,
            orientation_error=message.orientation_error,
        )
        self._arbiter = (time.monotonic(), said)

    def _on_episode(self, message: msg.EpisodeEvent) -> None:
        self._episode = None
        if message.change == EpisodeChange.STARTED:
            kind = EpisodeKind(message.kind)
            self._episode = Episode(message.episode_id, kind, message.task, message.instruction)

    def _on_policy(self, message: msg.PolicyStatus) -> None:
        self._policy = Policy(
            PolicyState(message.state),
            message.digest,
            message.approved,
            message.reason,
            message.inference_ms,
        )

    def _on_value(self, message: msg.ValueEstimate) -> None:
        self._value = (time.monotonic(), Value(message.value, message.takeover_suggested))

    def _on_health(self, message: DiagnosticArray) -> None:
        own = f"{self.get_namespace().strip('/')}: "
        for status in message.status:
            if not status.name.startswith(own):
                continue  # of another robot
            values = tuple((item.key, item.value) for item in status.values)
            level = Level(min(int.from_bytes(status.level, "little"), Level.STALE))
            said = Health(level, status.message, values)
            self._health[status.name.removeprefix(own)] = (time.monotonic(), said)

    def _view(self) -> View:
        now = time.monotonic()
        said = {name: part for name, (at, part) in self._health.items() if now - at < HEALTH_S}
        lost = {
            name: Health(Level.STALE, f"silent for {now - at:.0f} s")
            for name, (at, _) in self._health.items()
            if now - at >= HEALTH_S
        }
        ledgers = [part for name, part in said.items() if name.startswith(TITLE)]
        bridge = dict(said["bridge"].values) if "bridge" in said else {}
        names = bridge.get("operators", "none")
        arbiter, value = self._arbiter, self._value
        return View(
            robot=self._spec.name,
            arbiter=arbiter[1] if arbiter and now - arbiter[0] < SILENT_S else None,
            episode=self._episode,
            policy=self._policy,
            value=value[1] if value and now - value[0] < 4 * FRESH_S else None,
            operators=() if names == "none" else tuple(names.split(", ")),
            health=said | lost,
            legs=tuple(r for part in ledgers for r in reports_of(dict(part.values))),
            recorded=self._recorded,
        )

    def _show(self) -> None:
        if not self._page.watched:
            return
        self._page.show(self._view())
        now = time.monotonic()
        if now - self._pictured_at >= PICTURE_S:
            self._pictured_at = now
            newest = {
                name: bytes(message.data)
                for name, camera in self._cameras.items()
                for message in camera.take()
            }
            self._page.show_pictures(newest)

    def _move(self) -> None:
        if not self._page.watched:
            return
        now, measured = time.monotonic(), None
        try:
            for joints in self._joints.take():
                measured = self._order.positions(joints)
            for target in self._targets.take():
                if target.valid and target.enabled:  # else it is the robot's own posture
                    wanted = frozen_floats(target.position, (self._spec.size,), "teleop/target")
                    self._target = (now, wanted)
        except RoveError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
        ghost = self._target
        fresh = ghost is not None and now - ghost[0] < FRESH_S
        self._scene.update(measured, ghost[1] if ghost is not None and fresh else None)

    def _act(self, wish: Any) -> tuple[bool, str]:
        """Ask the graph for what was pressed; runs in a thread of the page's."""
        try:
            name, request = self._request(wish)
        except ContractError as error:
            return False, str(error)
        client = self._asked[name]
        if not client.service_is_ready():
            return False, f"nobody answers {name}"
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(ANSWER_S):
            future.cancel()
            return False, f"{name} did not answer within {ANSWER_S:.0f} s"
        answer = future.result()
        self.get_logger().info(f"{wish.person}: {wish.action.value}: {answer.message or 'done'}")
        return bool(answer.success), answer.message or "done"

    def _request(self, wish: Any) -> tuple[str, Any]:
        person, action = wish.person, wish.action
        if action is Action.START:
            if not wish.task or not wish.instruction:
                raise ContractError("task and instruction: nothing given, words allowed")
            return topics.START_EPISODE, srv.StartEpisode.Request(
                kind=int(wish.kind),
                task=wish.task,
                instruction=wish.instruction,
                seed=-1,
                person=person,
            )
        if action in (Action.SUCCESS, Action.FAILURE, Action.ABORT):
            outcome = {
                Action.SUCCESS: Outcome.SUCCESS,
                Action.FAILURE: Outcome.FAILURE,
                Action.ABORT: Outcome.ABORTED,
            }[action]
            request = srv.StopEpisode.Request(outcome=int(outcome), reason=f"{person} says so")
            return topics.STOP_EPISODE, request
        if action in (Action.PAUSE, Action.RESUME):
            return topics.PAUSE, srv.Pause.Request(pause=action is Action.PAUSE, person=person)
        if action is Action.LEASE:
            request = srv.ForceLease.Request(operator_id=wish.operator, supervisor=person)
            return topics.FORCE_LEASE, request
        if action is Action.APPROVE:
            digest = self._policy.digest if self._policy is not None else ""
            return topics.APPROVE_POLICY, srv.ApprovePolicy.Request(digest=digest, person=person)
        if action is Action.RESET:
            return topics.RESET_EMERGENCY_STOP, srv.ResetEmergencyStop.Request(person=person)
        return topics.EMERGENCY_STOP, srv.EmergencyStop.Request(cause=f"{person} at the console")

    def close(self) -> None:
        """Free the port."""
        self._server.stop()


def main() -> int:
    """Start the console."""
    return run(ConsoleNode)
