"""Pictures of what a supervisor sees, for docs/how-to/supervise.md.

python -m tests.browser.console_pictures [FOLDER]

The real console in Chromium on the running graph of the simulated robot.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from rove.environment import ensure_ament_prefix
from rove_core.vocabulary import Mode

if TYPE_CHECKING:
    from tests.browser.supervisor import Console

FOLDER = Path("docs/pictures")
SIZE = {"width": 1200, "height": 860}
QUALITY, LARGEST_BYTES = 80, 120_000


def take(folder: Path) -> None:
    """Take pictures of a rollout, a pause and an emergency stop."""
    ensure_ament_prefix()
    from tests.browser.supervisor import Console, Headset
    from tests.system.graph_harness import PATIENT, RunningGraph, free_port

    with tempfile.TemporaryDirectory() as name, Headset() as page:
        graph = RunningGraph(
            Path(name),
            limits=PATIENT,
            operator="wire",
            lab="none",
            console=f"http://127.0.0.1:{free_port()}",
        )
        console = Console(graph, page)
        try:
            graph.probe.wait("the console", lambda: any("console: http" in x for x in graph.lines))
            page.open(graph.given.console, headset=False, lazy=True, **SIZE)
            page.until("!!document.querySelector('[data-card=status] [data-mode]')")
            console.write("Your name", "Ada")
            graph.leave_hold()
            graph.start_episode()
            graph.wait("the policy", lambda: console.state.mode == Mode.AUTONOMOUS)
            _keep(console, Mode.AUTONOMOUS, folder)
            console.press("Pause", lambda: console.state.mode == Mode.PAUSED, held=True)
            _keep(console, Mode.PAUSED, folder)
            console.press("E-STOP", lambda: console.state.mode == Mode.ESTOP, held=True)
            _keep(console, Mode.ESTOP, folder)
        finally:
            graph.close()


def _keep(console: Console, mode: Mode, folder: Path) -> None:
    console.shows(mode)
    console.page.run("document.querySelector('.mantine-Notification-closeButton')?.click()")
    console.page.run("new Promise((resolve) => setTimeout(resolve, 3000))")
    with tempfile.NamedTemporaryFile(suffix=".png") as draft:
        console.page.shot(Path(draft.name))
        image = cv2.imread(draft.name)
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    path = folder / f"console_{mode.name.lower()}.jpg"
    assert len(jpeg) <= LARGEST_BYTES, f"{path}: {len(jpeg)} bytes"
    assert np.ptp(image) > 100, f"{path} is empty"
    path.write_bytes(jpeg.tobytes())
    print(f"{path}: {len(jpeg)} bytes")


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
