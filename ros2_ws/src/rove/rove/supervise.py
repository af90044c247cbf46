"""Start the processes of a graph, restart those that die, stop them all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import yaml

from rove.graph import NodeSpec
from rove.shared_memory import clean_shared_memory
from rove_core.errors import ConfigError

STOP_GRACE_S = 5.0
"""How long a process may take to end after SIGINT before it is killed."""
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
STEADY_AFTER_S = 10.0
"""A process that ran this long starts again with the shortest wait."""
FAILED_TO_START = 2
"""Exit status of a node whose parameters are wrong: starting it again cannot help."""
_PR_SET_PDEATHSIG = 1

Say = Callable[[str, str], None]


def _die_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it is killed (Linux).

    SIGKILL, because a process that is stopped never sees anything else and would keep its ports
    and locks; the robot holds by itself, and what was recorded can be read.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def executable_path(package: str, executable: str) -> Path:
    """Return the file that ``ros2 run package executable`` would start.

    Raises:
        ConfigError: the package or the executable is not installed.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        path = Path(get_package_prefix(package)) / "lib" / package / executable
    except PackageNotFoundError:
        raise ConfigError(
            "ROS package", package, "an installed one; run `make up` once", "AMENT_PREFIX_PATH"
        ) from None
    if not os.access(path, os.X_OK):
        present = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError("executable", str(path), present, f"package {package}")
    return path


@dataclass
class _Child:
    spec: NodeSpec
    command: list[str]
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF_S
    start_at: float = 0.0
    restarts: int = 0


class Supervisor:
    """Owns the processes of one graph.

    Args:
        graph: what to run.
        folder: where the parameter files go.
        environment: of the processes.
        say: called with (node name, line) for every line a process prints and for its fate.
        now: monotonic clock, s.
        before: node -> words before its command, for example of a network namespace.
    """

    def __init__(
        self,
        graph: list[NodeSpec],
        folder: Path,
        environment: Mapping[str, str],
        say: Say,
        now: Callable[[], float] = time.monotonic,
        before: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._say, self._now, self._environment = say, now, dict(environment)
        folder.mkdir(parents=True, exist_ok=True)
        self._children = {
            spec.name: self._child(spec, folder, before.get(spec.name, ())) for spec in graph
        }
        self._threads: list[threading.Thread] = []
        self.finished = False
        self.failed: str | None = None

    def _child(self, spec: NodeSpec, folder: Path, before: tuple[str, ...]) -> _Child:
        file = folder / f"{spec.name}.yaml"
        content = {f"{spec.namespace}/{spec.name}": {"ros__parameters": dict(spec.parameters)}}
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        path = str(executable_path(spec.package, spec.executable))
        words = ["--ros-args", "-r", f"__node:={spec.name}", "-r", f"__ns:={spec.namespace}"]
        return _Child(spec, [*before, path, *words, "--params-file", str(file)])

    def pid(self, name: str) -> int | None:
        """Return the process id of a node, None while it is not running."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def restarts(self, name: str) -> int:
        """Return how often a node was started again."""
        return self._children[name].restarts

    def start(self) -> None:
        """Start every process."""
        clean_shared_memory()
        for child in self._children.values():
            self._launch(child)

    def _launch(self, child: _Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )
        child.started = self._now()
        assert child.process.stdout is not None
        reader = threading.Thread(
            target=self._read, args=(child.spec.name, child.process.stdout), daemon=True
        )
        reader.start()
        self._threads.append(reader)

    def _read(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            self._say(name, line.rstrip())

    def poll(self) -> None:
        """Look after the processes once: note who ended, start again who is due."""
        for child in self._children.values():
            if child.process is None:
                if not self.finished and self.failed is None and self._now() >= child.start_at:
                    self._launch(child)
                continue
            status = child.process.poll()
            if status is not None:
                self._ended(child, status)

    def _ended(self, child: _Child, status: int) -> None:
        child.process = None
        name = child.spec.name
        if child.spec.ends_graph and status == 0:
            self.finished = True
            return
        if status == FAILED_TO_START or not child.spec.respawn:
            self.failed = f"{name} ended with status {status}"
            return
        if self._now() - child.started > STEADY_AFTER_S:
            child.backoff = FIRST_BACKOFF_S
        child.start_at = self._now() + child.backoff
        child.restarts += 1
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        self._say(name, f"ended ({how}); starting it again in {child.backoff:.1f} s")
        child.backoff = min(2 * child.backoff, LONGEST_BACKOFF_S)

    def stop(self) -> None:
        """End every process: SIGINT, then SIGKILL to those that take longer than the grace."""
        alive = [c.process for c in self._children.values() if c.process is not None]
        for process in alive:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)  # a stopped process cannot obey
                process.send_signal(signal.SIGINT)
        deadline = self._now() + STOP_GRACE_S
        for process in alive:
            try:
                process.wait(max(0.0, deadline - self._now()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(1.0)
