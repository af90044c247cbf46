"""The operator's page in a real Chromium, with a headset emulated by IWER (npm ``iwer``)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("headset.mjs")
PATIENCE_MS = 60_000


class Headset:
    """A browser with one page. A step that fails raises ``AssertionError`` with the reason."""

    def __init__(self) -> None:
        environment = dict(os.environ)
        chromium = environment.get("ROVE_CHROMIUM") or shutil.which("chromium")
        assert chromium, "no Chromium found: install one, or name it in ROVE_CHROMIUM"
        environment["ROVE_CHROMIUM"] = chromium
        self._node = subprocess.Popen(
            ["node", str(DRIVER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, step: str, **given: Any) -> Any:
        """Do a step of ``headset.mjs`` and return what came of it."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps({"do": step, **given}) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        assert line, f"the browser is gone (at {step} {given})"
        answer = json.loads(line)
        assert "error" not in answer, f"{step} {given}: {answer['error']}"
        return answer["ok"]

    def open(
        self,
        url: str,
        headset: bool = True,
        lazy: bool = False,
        width: int = 1100,
        height: int = 900,
    ) -> None:
        """Open the page; it has to be a secure context: headsets offer WebXR to no other.

        Args:
            url: of the page.
            headset: emulate one.
            lazy: let the page draw but twice a second.
            width, height: of the window, pixels.
        """
        assert self.do("open", url=url, headset=headset, lazy=lazy, width=width, height=height)

    def pair(self, name: str, code: str) -> None:
        """Type name and code."""
        self.do("fill", selector="#name", text=name)
        self.do("fill", selector="#code", text=code)
        self.do("click", selector="#pair")

    def text(self, selector: str) -> str:
        """Return the words of something."""
        return str(self.do("text", selector=selector))

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        return self.do("run", script=script)

    def until(self, script: str, patience_ms: int = PATIENCE_MS) -> None:
        """Wait until an expression in the page is true."""
        self.do("until", script=script, patience=patience_ms)

    def enter(self) -> None:
        """Enter VR and wait for the first frame that knows where the head is."""
        self.do("click", selector="#enter")
        self.until("rove.driver === 'headset'")

    def button(self, side: str, name: str, value: float) -> None:
        """Press (1) or release (0) a button of a controller, in IWER's names."""
        self.run(f"headset.controllers.{side}.updateButtonValue({name!r}, {value})")

    def panel(self, path: Path) -> None:
        """Save what the operator reads in the headset as a PNG."""
        url = self.run("rove.panel.toDataURL('image/png')")
        path.write_bytes(base64.b64decode(url.partition(",")[2]))

    def shot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""
        self.do("shot", path=str(path))

    def close(self) -> None:
        """End the browser."""
        if self._node.stdin is not None:
            self._node.stdin.close()
        try:
            self._node.wait(20)
        except subprocess.TimeoutExpired:
            self._node.kill()
            self._node.wait()

    def __enter__(self) -> Headset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
