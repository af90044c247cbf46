"""A supervisor at the console: a real Chromium on the running graph."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from headset import Headset

from graph_harness import PATIENCE_S, RunningGraph
from rove_core.vocabulary import Mode, Outcome

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]
ROW = "xpath=ancestor::div[contains(@class, 'mantine-Flex-root')][1]"
"""What holds the label and the field of one line of viser's panel."""
TEXT = "document.body.innerText"


class Console:
    """The page of a supervisor. What is pressed is pressed until it is so; a HOLD that a slow
    machine caused is left first, as a person would."""

    def __init__(self, graph: RunningGraph, page: Headset) -> None:
        self.graph, self.page = graph, page

    @property
    def state(self) -> Any:
        """What the arbiter said last."""
        return self.graph.probe.state

    def press(self, label: str, done: Callable[[], Any], held: bool = False) -> None:
        """Press a button until something is so.

        Args:
            label: of the button.
            done: what shall be so.
            held: the robot in HOLD takes this press as well.
        """
        button = f"[...document.querySelectorAll('button')].find((b) => b.innerText == '{label}')"
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            says = f"{Mode(self.state.mode).name} ({self.state.reason})"
            assert time.monotonic() < deadline, f"in vain: {label}; the arbiter says {says}"
            if self.state.mode == Mode.HOLD and not held:
                self.graph.leave_hold()
            # Grey until the page has heard of the mode in which it makes sense.
            if self.page.run(f"!!{button} && !{button}.disabled"):
                self.page.do("click", selector=f'button:has(:text-is("{label}"))', patience=20_000)
            self.graph.probe.hears(done, 2.0)

    def write(self, label: str, text: str) -> None:
        """Write into the field beside a label."""
        field = f'label:text-is("{label}") >> {ROW} >> input, textarea'
        self.page.do("fill", selector=field, text=text)

    def shows(self, mode: Mode) -> None:
        """Wait until the page says a mode."""
        self.page.until(f"!!document.querySelector('[data-mode={mode.name}]')")


def test_a_supervisor_presses(graph: RunningGraph) -> None:
    """Start with task and instruction, pause, resume, success, e-stop, reset: each press reaches
    the arbiter with the person's name, and the page shows what the arbiter says."""
    ready = lambda: any("console: http" in line for line in tuple(graph.lines))  # noqa: E731
    graph.probe.wait("the console", ready)
    with Headset() as page:
        page.open(graph.given.console, headset=False, lazy=True, width=640, height=480)
        page.until("!!document.querySelector('[data-card=status] [data-mode]')")
        console = Console(graph, page)
        console.write("Your name", "Ada")
        console.write("Task", "erase_whiteboard")
        console.write("Instruction", "erase the red stroke")
        console.press("Start episode", lambda: console.state.episode_id)
        episode = console.state.episode_id
        graph.wait("the policy to drive", lambda: console.state.mode == Mode.AUTONOMOUS)
        page.until(f"{TEXT}.includes('rollout: erase the red stroke')")

        console.press("Pause", lambda: console.state.mode == Mode.PAUSED)
        assert "Ada" in console.state.reason
        console.shows(Mode.PAUSED)
        driving = (Mode.HANDBACK, Mode.AUTONOMOUS)
        console.press("Resume", lambda: console.state.mode in driving, held=True)

        console.press("Success", lambda: not console.state.episode_id, held=True)
        ended = graph.probe.wait("news of the end", lambda: graph.probe.ended)
        assert (ended.episode_id, ended.outcome) == (episode, Outcome.SUCCESS)
        assert "Ada" in ended.reason

        console.press("E-STOP", lambda: console.state.mode == Mode.ESTOP, held=True)
        assert "Ada at the console" in console.state.reason
        console.shows(Mode.ESTOP)
        console.press("Reset e-stop", lambda: console.state.mode == Mode.HOLD, held=True)
        console.shows(Mode.HOLD)
        assert page.do("problems") == []
