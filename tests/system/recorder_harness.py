"""A recorder's process under test: loads that publish, an arbiter that is not one, its figures."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future
from rove_msgs import msg, srv

from rove import qos, topics
from rove.convert import to_stamp
from rove.supervise import executable_path
from rove.up import graph_environment
from rove_core.robot import load_robot
from rove_core.vocabulary import EpisodeChange, Outcome

NAMESPACE = "/rig"
PATIENCE_S = 60.0
LOAD = Path(__file__).with_name("recorder_load.py")
CAMERAS = ("ego", "left", "right")


def robot_file(folder: Path, cameras: tuple[str, ...] = CAMERAS) -> Path:
    """Write and return a profile of the G1 with these cameras, all where the first one is."""
    import rove_core

    shipped = Path(rove_core.__file__).parent / "robots" / "g1_dex3.yaml"
    profile = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    camera = {**profile["cameras"]["ego"], "rate_hz": 30}
    profile["cameras"] = {name: dict(camera) for name in cameras}
    path = folder / "g1_dex3.yaml"
    path.write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")
    assert tuple(load_robot(str(path)).cameras) == cameras
    return path


def _end_with_parent() -> None:
    """Ask the kernel to end this process with the test: nobody else would."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Peer:
    """Stands where the arbiter stands: starts and stops episodes, answers, and listens."""

    def __init__(self, domain: int) -> None:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("peer", context=self._context, namespace=NAMESPACE)
        self._news = threading.Condition()
        self.losses: list[msg.RecordingLoss] = []
        self.health: list[tuple[int, str, dict[str, str]]] = []
        self.stops: list[str] = []
        self._episodes = self.node.create_publisher(msg.EpisodeEvent, topics.EPISODE, qos.EVENT)
        self._states = self.node.create_publisher(msg.ArbiterState, topics.ARBITER_STATE, qos.STATE)
        self.statuses = self.node.create_publisher(
            msg.PolicyStatus, topics.POLICY_STATUS, qos.STATE
        )
        self.node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._hear, qos.EVENT)
        self.node.create_subscription(
            msg.RecordingLoss, topics.RECORDER_LOSS, self._lost, qos.EVENT
        )
        self.node.create_service(srv.StopEpisode, topics.STOP_EPISODE, self._asked)
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.episode = ""

    def _spin(self) -> None:
        never: Future = Future()
        while not self._over.is_set():
            self._executor.spin_until_future_complete(never, timeout_sec=0.2)

    def _hear(self, message: DiagnosticArray) -> None:
        with self._news:
            for status in message.status:
                if status.name.endswith("recorder"):
                    values = {item.key: item.value for item in status.values}
                    self.health.append((status.level[0], status.message, values))
            self._news.notify_all()

    def _lost(self, message: msg.RecordingLoss) -> None:
        with self._news:
            self.losses.append(message)
            self._news.notify_all()

    def _asked(self, request: Any, response: Any) -> Any:
        with self._news:
            self.stops.append(request.reason)
            self._news.notify_all()
        response.success = True
        if self.episode:
            self.tell(EpisodeChange.STOPPED, Outcome(request.outcome), request.reason)
        return response

    def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        """Wait until a condition on what was heard holds; return its value."""
        with self._news:
            found = self._news.wait_for(condition, PATIENCE_S)
        assert found, f"waited in vain for: {what}; last heard {self.health[-1:]}"
        return found

    def tell(
        self, change: EpisodeChange, outcome: Outcome = Outcome.UNKNOWN, reason: str = ""
    ) -> None:
        """Announce the start or the end of ``episode``."""
        event = msg.EpisodeEvent(
            change=int(change), episode_id=self.episode, task="t", instruction="do it", seed=1,
            outcome=int(outcome), reason=reason,
        )  # fmt: skip
        event.header.stamp = self.node.get_clock().now().to_msg()
        self._episodes.publish(event)
        state = msg.ArbiterState(episode_id=self.episode if change == EpisodeChange.STARTED else "")
        state.header.stamp = event.header.stamp
        self._states.publish(state)
        if change == EpisodeChange.STOPPED:
            self.episode = ""

    def start(self, episode: str) -> None:
        """Start an episode."""
        self.episode = episode
        self.tell(EpisodeChange.STARTED)

    def stop(self, outcome: Outcome = Outcome.SUCCESS, reason: str = "done") -> None:
        """End it."""
        self.tell(EpisodeChange.STOPPED, outcome, reason)

    def policy(self, digest: str) -> None:
        """Say which policy runs."""
        message = msg.PolicyStatus(digest=digest, approved=True)
        message.header.stamp = to_stamp(time.time_ns())
        self.statuses.publish(message)

    def close(self) -> None:
        """Leave."""
        self._over.set()
        self._thread.join()
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._executor.shutdown()
        rclpy.shutdown(context=self._context)


class Recorder:
    """The recorder's process, with parameters and an environment of its own."""

    def __init__(
        self,
        folder: Path,
        domain: int,
        robot: Path,
        parameters: Mapping[str, Any] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> None:
        self.bags = folder / "bags"
        given = {"robot": str(robot), "folder": str(self.bags), **(parameters or {})}
        words = [f"{name}:={json.dumps(value)}" for name, value in given.items()]
        arguments = [word for pair in words for word in ("-p", pair)]
        self.environment = graph_environment(os.environ) | {"ROS_DOMAIN_ID": str(domain)}
        command = [
            *(wrapper or (sys.executable, str(executable_path("rove", "recorder")))),
            "--ros-args", "-r", f"__ns:={NAMESPACE}", *arguments,
        ]  # fmt: skip
        self.log = folder / "recorder.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )

    def cpu_seconds(self) -> tuple[float, float]:
        """Return CPU seconds of the whole process and of its threads without those of DDS."""
        own, everything = 0.0, 0.0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            text = (task / "stat").read_text()
            name = text[text.index("(") + 1 : text.rindex(")")]
            user, system = text[text.rindex(")") + 2 :].split()[11:13]
            seconds = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
            everything += seconds
            own += 0.0 if name.startswith("dds.") else seconds
        return everything, own

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the process and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class Load:
    """A process that publishes (``recorder_load.py``)."""

    def __init__(
        self, kind: str, recorder: Recorder, robot: Path, seconds: float, hertz: float = 0.0
    ) -> None:
        words = [kind, "--robot", str(robot), "--namespace", NAMESPACE]
        words += ["--seconds", str(seconds), "--hertz", str(hertz)]
        self._process = subprocess.Popen(
            [sys.executable, str(LOAD), *words],
            env=recorder.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def ready(self) -> None:
        """Wait until the recorder listens to it."""
        self._line(lambda line: line == "ready\n")

    def go(self) -> None:
        """Let it publish."""
        self._stdin.write("go\n")
        self._stdin.flush()

    def done(self) -> dict[str, Any]:
        """Wait until all is published; return topic -> how many under ``published``."""
        result: dict[str, Any] = json.loads(self._line(lambda line: line.startswith("{")))
        return result

    def _line(self, wanted: Callable[[str], bool]) -> str:
        """Return the next line of that kind; the middleware writes its complaints between them."""
        seen = []
        for line in self._stdout:
            if wanted(line):
                return line
            seen.append(line)
        raise AssertionError(f"the load ended: {seen}")

    def close(self) -> None:
        """End it."""
        self._stdin.close()
        self._process.wait(PATIENCE_S)
