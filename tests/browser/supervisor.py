"""A supervisor at the console: what a person there presses, writes and sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from headset import Headset

from graph_harness import PATIENCE_S, RunningGraph
from rove_core.vocabulary import Mode

ROW = "xpath=ancestor::div[contains(@class, 'mantine-Flex-root')][1]"
"""What holds the label and the field of one line of viser's panel."""


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
