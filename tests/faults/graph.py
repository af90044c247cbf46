"""The graph campaign: faults against real processes that talk over DDS, while somebody drives.

Every fault ends in a verdict. A robot that had to hold is timed by stamps where both ends of the
time have one, else by the monotonic clock of this process; how late this process and the arbiter
were scheduled meanwhile is measured beside it and allowed for, with three ticks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graph_harness import NAMESPACE, RunningGraph
from rove_core.vocabulary import Authority
from tests.faults import machine, messages, processes
from tests.faults.driving import ARGUMENTS, begin, end
from tests.faults.processes import Play, lose, signalled, spare, stop
from tests.faults.verdict import Lateness, SkippedError, StoodStillError, Verdict, late_ticks

ATTEMPTS = 3
"""Times that a fault is played when the machine stood still in the middle of it."""


@dataclass(frozen=True)
class Fault:
    """A fault: its name, who drives when it strikes, and what is done and judged."""

    name: str
    driver: Authority
    play: Play


def _faults(driver: Authority, who: str, plays: dict[str, Play]) -> list[Fault]:
    return [Fault(f"{name}{who}", driver, play) for name, play in plays.items()]


FAULTS: tuple[Fault, ...] = (
    *_faults(Authority.POLICY, "", {
        **signalled(("policy", "arbiter", "sim"), lose),
        "e-stop service": stop,
        **signalled(("teleop", "bridge", "recorder", "keeper"), spare),
        **messages.messages(messages.TO_THE_POLICY),
        **machine.TO_THE_POLICY,
    }),
    *_faults(Authority.HUMAN, ", human", {
        **signalled(("bridge", "teleop", "operator", "arbiter"), lose),
        **signalled(("policy", "recorder"), spare),
        "e-stop service": stop,
        **messages.messages(messages.TO_THE_HUMAN),
        **machine.TO_THE_HUMAN,
    }),
)  # fmt: skip


def start(folder: Path) -> RunningGraph:
    """Start the campaign's graph; its processes end with it, or with this process."""
    return RunningGraph(folder, **ARGUMENTS)


def play(
    graph: RunningGraph, seed: int, fault: Fault, ready: Callable[..., None] = begin
) -> Verdict:
    """Play a fault at a random moment; the seed decides which."""
    rng = np.random.default_rng([seed, 77])
    broken, skipped, again = "", "", -1
    timeout_s, hold_s, scheduling_s = math.nan, math.nan, 0.0
    while again + 1 < ATTEMPTS:
        again += 1
        broken = ""
        try:
            ready(graph, fault.driver)
            probe = graph.probe
            until = len(probe.commands) + int(rng.integers(1, 200))
            probe.hears(lambda probe=probe, until=until: len(probe.commands) >= until, 5.0)
            first = len(probe.commands)
            if probe.commands[-1].authority != fault.driver:
                raise StoodStillError(f"nobody drives: {probe.states[-1][1].reason}")
            with Lateness() as late:
                timeout_s, hold_s = fault.play(graph)
            scheduling_s = late.worst
            if "arbiter" not in fault.name and "slow CPU" not in fault.name:
                scheduling_s = max(scheduling_s, late_ticks(probe.commands[first:]))
        except AssertionError as error:
            broken = str(error)
        except StoodStillError as error:
            broken = f"the machine stood still {again + 1} times: {error}"
            continue
        except SkippedError as error:
            skipped = str(error)
        break
    return Verdict(
        seed, fault.name, timeout_s, hold_s, scheduling_s, broken, skipped, max(again, 0)
    )


__all__ = ["FAULTS", "NAMESPACE", "Fault", "Verdict", "begin", "end", "play", "processes", "start"]
