"""Workers: episodes spread over processes, of which any may die.

An episode belongs to one worker at a time. When a worker dies, what it left of that episode is
removed, the episode is told and repeated by a new worker, and everything finished is kept.
"""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from rove_core.errors import BagError, ConfigError, RoveError
from rove_sim.collect.episode import Collector, Episode, Plan

ATTEMPTS = 3
"""Of an episode; one that kills three workers is broken, not unlucky."""
STOP_S = 10.0


@dataclass(frozen=True)
class Lost:
    """An episode whose worker died: its seed, which attempt that was, and how it died."""

    seed: int
    attempt: int
    why: str


@dataclass
class Collected:
    """What a collection gave.

    Attributes:
        episodes: by seed.
        lost: every death of a worker, in order.
    """

    episodes: list[Episode] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    folder: Path
    seed: int | None = None


def require_empty(out: Path) -> None:
    """Refuse a folder that holds bags, or anything else.

    Raises:
        BagError: it is not empty; nothing is ever overwritten.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        found = next(out.iterdir()).name if out.is_dir() else "a file"
        raise BagError(
            f"folder of the bags {out} given, which holds {found}; a new or empty folder is "
            "allowed: bags are never overwritten"
        )


def collect(
    plan: Plan,
    out: Path,
    seeds: Sequence[int],
    workers: int = 1,
    revision: str = "",
    on_episode: Callable[[Episode], None] = lambda _: None,
    on_lost: Callable[[Lost], None] = lambda _: None,
    on_start: Callable[[int, int], None] = lambda _seed, _pid: None,
) -> Collected:
    """Collect one episode a seed.

    Args:
        plan: what every episode has in common.
        out: new or empty folder of the bags.
        seeds: of the scenes; distinct.
        workers: processes.
        revision: of the code, for the bags.
        on_episode, on_lost: told of each episode that is finished, and of each worker that died.
        on_start: told (seed, process id) when a worker begins an episode.

    Raises:
        BagError: the folder holds something already, or the disk refuses.
        ConfigError: no seed, the same one twice, or no worker.
        RoveError: an episode that cannot be collected; what is finished stays.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        given = f"{len(seeds)} ({len(set(seeds))} distinct)"
        raise ConfigError("seeds", given, "at least 1, distinct, 0 or more", "collection")
    if workers < 1:
        raise ConfigError("workers", workers, "1 or more", "collection")
    require_empty(out)
    out.mkdir(parents=True, exist_ok=True)
    pool = _Pool(plan, out, seeds, min(workers, len(seeds)), revision)
    try:
        return pool.run(on_episode, on_lost, on_start)
    finally:
        pool.close()


class _Pool:
    def __init__(
        self, plan: Plan, out: Path, seeds: Sequence[int], workers: int, revision: str
    ) -> None:
        self._plan, self._out, self._revision = plan, out, revision
        self._waiting = deque((seed, 1) for seed in seeds)
        self._attempts: dict[int, int] = {}
        self._number = 0
        # Not forked: graphics contexts do not survive that.
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        for _ in range(workers):
            self._workers.append(self._hire())

    def _hire(self) -> _Worker:
        self._number += 1
        here, there = self._context.Pipe()
        folder = self._out / f".worker-{self._number}"
        process = self._context.Process(
            target=_work, args=(there, self._plan, folder, self._revision), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here, folder)

    def run(
        self,
        on_episode: Callable[[Episode], None],
        on_lost: Callable[[Lost], None],
        on_start: Callable[[int, int], None],
    ) -> Collected:
        done = Collected()
        while self._workers:
            pipes = {worker.pipe: worker for worker in self._workers}
            for ready in wait(list(pipes)):
                worker = pipes[ready]  # type: ignore[index]
                try:
                    said = worker.pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker, done, on_lost)
                    continue
                if isinstance(said, BaseException):
                    raise said
                if isinstance(said, Episode):
                    episode = self._keep(said)
                    worker.seed = None
                    done.episodes.append(episode)
                    on_episode(episode)
                self._assign(worker, on_start)
        done.episodes.sort(key=lambda episode: episode.seed)
        return done

    def _keep(self, episode: Episode) -> Episode:
        """Move a finished bag out of its worker's folder."""
        bag = self._out / episode.bag.name
        if bag.exists():
            raise BagError(f"bag {bag} exists already; bags are never overwritten")
        episode.bag.rename(bag)
        return replace(episode, bag=bag)

    def _assign(self, worker: _Worker, on_start: Callable[[int, int], None]) -> None:
        if not self._waiting:
            self._dismiss(worker)
            return
        seed, attempt = self._waiting.popleft()
        worker.seed, self._attempts[seed] = seed, attempt
        try:
            worker.pipe.send(seed)
        except OSError:
            return  # it died; its end of the pipe tells
        on_start(seed, worker.process.pid)

    def _replace(self, worker: _Worker, done: Collected, on_lost: Callable[[Lost], None]) -> None:
        worker.process.join(STOP_S)
        why = _death(worker.process.exitcode)
        self._dismiss(worker)
        if worker.seed is None:
            raise RoveError(f"a worker {why} before it could begin")
        attempt = self._attempts[worker.seed]
        lost = Lost(worker.seed, attempt, why)
        done.lost.append(lost)
        on_lost(lost)
        if attempt >= ATTEMPTS:
            raise RoveError(
                f"seed {worker.seed}: {attempt} workers died in it, the last one {why}; the "
                f"{len(done.episodes)} finished episodes are kept in {self._out}"
            )
        self._waiting.appendleft((worker.seed, attempt + 1))
        self._workers.append(self._hire())

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(STOP_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        # Only what this worker had not finished is left in its own folder.
        shutil.rmtree(worker.folder, ignore_errors=True)

    def close(self) -> None:
        for worker in list(self._workers):
            worker.process.kill()
            self._dismiss(worker)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _work(pipe: Connection, plan: Plan, folder: Path, revision: str) -> None:
    """Be a worker: collect each seed that comes, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started the collection decides
    try:
        collector = Collector(plan, folder, revision)
        pipe.send("ready")
        while True:
            seed = pipe.recv()
            began = time.process_time()
            episode = collector.run(seed)
            pipe.send(replace(episode, cpu_s=time.process_time() - began))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except RoveError as error:
        pipe.send(RoveError(str(error)))
