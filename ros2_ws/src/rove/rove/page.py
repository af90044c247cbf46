"""The headset page in the bridge: its wishes become service calls, its invitation a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rove_msgs.msg import ArbiterState
from rove_msgs.srv import (
    EmergencyStop,
    ResetEmergencyStop,
    ResetScene,
    StartEpisode,
    StopEpisode,
)

from rove import topics
from rove_core.keys import default_folder
from rove_core.vocabulary import EpisodeKind, Mode, Outcome
from rove_teleop.webxr.invitation import Invitation, write_invitation
from rove_teleop.webxr.server import PageServer
from rove_teleop.wire.server import Client

FREE = ("estop",)
"""Wishes of whoever is paired; all others are the lease holder's."""
KINDS = {"rollout": EpisodeKind.ROLLOUT, "demonstration": EpisodeKind.DEMONSTRATION}
OUTCOMES = {"success": Outcome.SUCCESS, "failure": Outcome.FAILURE}


class Page:
    """Serves the page and does what its operator asks for.

    Args:
        node: the bridge.
        robot: name of the robot.
        address: ``https://HOST:PORT``.
        task, instruction: of the episodes that operators start.
        seed: of the first scene.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self, node: Node, robot: str, address: str, task: str, instruction: str, seed: int
    ) -> None:
        self._node, self._task, self._instruction, self._seed = node, task, instruction, seed
        self._folder = default_folder()
        self.server = PageServer(robot, address, self._folder)
        self._shown: Invitation | None = None
        self._start = node.create_client(StartEpisode, topics.START_EPISODE)
        self._stop = node.create_client(StopEpisode, topics.STOP_EPISODE)
        self._scene = node.create_client(ResetScene, topics.RESET_SCENE)
        self._estop = node.create_client(EmergencyStop, topics.EMERGENCY_STOP)
        self._reset = node.create_client(ResetEmergencyStop, topics.RESET_EMERGENCY_STOP)
        invitation = self.server.invitation
        print(f"headset page: {invitation.address}", flush=True)
        print(f"certificate (SHA-256): {invitation.fingerprint}", flush=True)
        print(invitation.qr_terminal(), flush=True)
        self.announce()

    def announce(self) -> None:
        """Write the invitation when it changed, and tell the terminal about a new code."""
        new, old = self.server.invitation, self._shown
        if old is not None and (new.code, new.operator) == (old.code, old.operator):
            return
        write_invitation(self._folder, new)
        self._shown = new
        if not new.operator and (old is None or new.code != old.code or old.operator):
            print(f"pairing code: {new.spoken_code} (once, ten minutes)", flush=True)
        elif new.operator and (old is None or old.operator != new.operator):
            self._node.get_logger().info(f"{new.operator} is paired with the headset page")

    def do_wishes(self, state: ArbiterState) -> None:
        """Do what the operator asks for, or say why not.

        Args:
            state: newest of the arbiter.
        """
        for client, name in self.server.wishes():
            why = self._objection(client, name, state)
            if why:
                self.server.grant(name, False, why)
            else:
                self._do(client.operator_id, name)

    def close(self) -> None:
        """Free the port."""
        self.server.close()

    def _objection(self, client: Client, name: str, state: ArbiterState) -> str:
        """Return why a wish is not granted, "" when it is. The robot never moves unexpectedly: no
        scene is laid out and no episode started while anything drives or records."""
        if name not in FREE and state.lease_holder != client.operator_id:
            return f"only who holds the lease may: {state.lease_holder or 'nobody'} does"
        at_rest = state.mode == Mode.IDLE and not state.episode_id
        if name in (*KINDS, "reset", "next") and not at_rest:
            running = f"episode {state.episode_id} runs" if state.episode_id else ""
            return running or f"only from idle, the mode is {Mode(state.mode).name.lower()}"
        if name in KINDS and not self._instruction:
            return "no instruction is known: lay out the scene first"
        return ""

    def _do(self, person: str, name: str) -> None:
        self._node.get_logger().info(f"{person} asks: {name}")
        if name in KINDS:
            self._call(
                self._start, name, StartEpisode.Request(
                    kind=int(KINDS[name]), task=self._task, instruction=self._instruction,
                    seed=self._seed, person=person,
                ),
            )  # fmt: skip
        elif name in OUTCOMES:
            request = StopEpisode.Request(outcome=int(OUTCOMES[name]), reason=f"judged by {person}")
            self._call(self._stop, name, request)
        elif name == "estop":
            self._call(self._estop, name, EmergencyStop.Request(cause=f"{person} on the page"))
        elif name == "reset_estop":
            self._call(self._reset, name, ResetEmergencyStop.Request(person=person))
        else:
            seed = self._seed + (name == "next")
            request = ResetScene.Request(task=self._task, instruction="", seed=seed)
            self._call(self._scene, name, request, lambda answer: self._laid_out(answer, seed))

    def _laid_out(self, answer: Any, seed: int) -> str:
        if answer.success:
            self._seed, self._instruction = seed, answer.instruction
            return f"the scene is laid out: {answer.instruction}"
        return str(answer.message)

    def _call(
        self, client: Any, name: str, request: Any, tell: Callable[[Any], str] | None = None
    ) -> None:
        if not client.service_is_ready():
            self.server.grant(name, False, f"nobody answers {client.srv_name}")
            return

        def done(future: Any) -> None:
            answer = future.result()
            text = tell(answer) if tell is not None else str(answer.message)
            self.server.grant(name, bool(answer.success), text)

        client.call_async(request).add_done_callback(done)
