"""Pictures of what an operator sees, for docs/how-to/operate.md.

python -m tests.browser.screenshots [FOLDER]

The real page in Chromium with an emulated headset, the real server, a picture of the simulated
robot's camera; what the robot says is made up here, in the arbiter's own words.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import cv2
import msgspec
import numpy as np

from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Stage
from rove_sim.world import World
from rove_teleop.retarget.model import KinematicModel
from rove_teleop.webxr.server import PageServer
from rove_teleop.wire.messages import Picture, Status
from tests.browser.headset import Headset

FOLDER = Path("docs/pictures")
LARGEST_BYTES = 60_000
PANEL_WIDTH, VIEW_WIDTH = 512, 800
QUALITY = 82
NAME = "ann"
HUMAN, POLICY = Authority.HUMAN, Authority.POLICY
STATES: dict[str, dict[str, object]] = {
    "idle": {"mode": Mode.IDLE, "reason": "ready"},
    "autonomous": {"mode": Mode.AUTONOMOUS, "authority": POLICY, "stage": Stage.ROLLOUT,
                   "reason": "policy drives"},
    "paused": {"mode": Mode.PAUSED, "reason": "paused by ann"},
    "align": {"mode": Mode.ALIGN, "reason": "ann takes over: align, then squeeze",
              "position_error": 0.27, "orientation_error": 0.7},
    "adaptation": {"mode": Mode.HUMAN, "authority": HUMAN, "stage": Stage.ADAPTATION,
                   "reason": "ann drives", "position_error": 0.02, "orientation_error": 0.1},
    "recovery": {"mode": Mode.HUMAN, "authority": HUMAN, "stage": Stage.RECOVERY,
                 "reason": "ann drives", "position_error": 0.02, "orientation_error": 0.1},
    "clutch": {"mode": Mode.CLUTCH, "reason": "enable released: squeeze to go on",
               "position_error": 0.03, "orientation_error": 0.1},
    "handback": {"mode": Mode.HANDBACK, "reason": "handed back: waiting for a fresh chunk"},
    "hold": {"mode": Mode.HOLD, "reason": "no frame of ann for 0.10 s"},
    "estop": {"mode": Mode.ESTOP, "reason": "e-stop: the button of ann"},
    "not_calibrated": {"mode": Mode.IDLE, "reason": "ready", "notice":
                       "no calibration 'ann' on this robot; `rove calibrate ann` measures it"},
    "question": {"mode": Mode.IDLE, "reason": "ready",
                 "question": "policy 3f9c1a2b7d40 is new here: may it drive?"},
    "watching": {"mode": Mode.HUMAN, "authority": HUMAN, "stage": Stage.ADAPTATION,
                 "reason": "bob drives", "lease_holder": "bob"},
}  # fmt: skip
"""Name of the picture -> what the robot says."""


def ready() -> Status:
    """Return what an idle robot in its home posture says to the lease holder."""
    spec = load_robot("g1_dex3")
    poses = KinematicModel(spec).poses(spec.home)
    return Status(
        stamp_ns=1, mode=Mode.IDLE, authority=Authority.HOLD, stage=Stage.NONE, reason="ready",
        lease=7, lease_holder=NAME, position_error=math.nan, orientation_error=math.nan,
        head=poses.head, left_wrist=poses.left_wrist, right_wrist=poses.right_wrist,
        instruction="erase the red stroke",
    )  # fmt: skip


def ego() -> Picture:
    """Return a picture of the simulated robot's camera."""
    spec = load_robot("g1_dex3")
    camera = next(iter(spec.cameras))
    seen = World(spec, "erase_whiteboard", 3).render(camera)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))[1]
    return Picture(camera, 1, jpeg.tobytes())


class Album:
    """Takes the pictures.

    Args:
        folder: where they go.
        server, page: of the pictures.
    """

    def __init__(self, folder: Path, server: PageServer, page: Headset) -> None:
        self._folder, self._server, self._page = folder, server, page
        self._ready, self._ego = ready(), ego()
        self._status: Status | None = None
        self._draft = Path(tempfile.mkdtemp()) / "draft.png"

    def tell(self, name: str) -> None:
        """Say a state to the page and wait until the panel has been drawn anew."""
        given = {"episode_id": "" if name in ("idle", "not_calibrated", "question") else "e1"}
        status = msgspec.structs.replace(self._ready, **{**given, **STATES[name]})
        self._server.publish(status, self._ego)
        self._status = status
        self._page.until(f"rove.status?.mode === {int(status.mode)}")
        self._page.until(f"rove.status.reason === {status.reason!r}")
        self._page.until(f"rove.status.stage === {int(status.stage)}")
        self.redrawn()

    def redrawn(self) -> None:
        """Wait until the words on the page and in the headset are those of now, and, as far as this
        machine lets them, those of a good connection."""
        for _ in range(20):
            if self._status is not None:
                self._server.publish(self._status)
            self._page.run("new Promise((resolve) => setTimeout(resolve, 150))")  # > PANEL_MS
            if self._status is None or self._page.run("rove.link.quality.bars === 3"):
                break

    def panel(self, name: str) -> None:
        """Keep what the operator reads in the headset."""
        self._page.panel(self._draft)
        self._keep(f"panel_{name}", PANEL_WIDTH)

    def view(self, name: str) -> None:
        """Keep the whole window."""
        self._page.shot(self._draft)
        self._keep(name, VIEW_WIDTH)

    def _keep(self, name: str, width: int) -> None:
        image = cv2.imread(str(self._draft))
        height = round(image.shape[0] * width / image.shape[1])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        assert len(jpeg) <= LARGEST_BYTES, f"{name}: {len(jpeg)} bytes"
        assert np.ptp(small) > 100, f"{name} is empty"
        (self._folder / f"{name}.jpg").write_bytes(jpeg.tobytes())
        print(f"{self._folder / name}.jpg: {len(jpeg)} bytes")


def take(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = Path(tempfile.mkdtemp())
    with PageServer("g1_dex3", "https://127.0.0.1:0", keys) as server, Headset() as page:
        album = Album(folder, server, page)
        page.open(server.invitation.address, width=1000, height=720)
        album.redrawn()
        album.view("page_pairing")
        page.pair(NAME, "00000000")
        page.until("document.getElementById('why').textContent.includes('wrong')")
        page.pair(NAME, server.invitation.code)
        page.until("rove.link.state === 'paired'")
        album.tell("idle")
        page.do("click", selector="#keyboard")
        album.tell("adaptation")
        album.view("page_keyboard")
        page.do("click", selector="#keyboard")
        page.enter()
        for name in STATES:
            album.tell(name)
            album.panel(name)
        page.run("headset.quaternion.set(-0.17, 0, 0, 0.985)")  # 20 degrees down
        album.tell("align")
        page.run("new Promise((resolve) => setTimeout(resolve, 1000))")
        album.view("headset_align")
        page.run("headset.hands.left.connected = true, headset.primaryInputMode = 'hand'")
        album.tell("adaptation")
        page.run("headset.hands.left.connected = false")
        page.until("document.getElementById('why').textContent.includes('left hand is lost')")
        album.redrawn()
        album.panel("hand_lost")
        page.run("headset.updateVisibilityState('visible-blurred')")
        page.until("document.getElementById('why').textContent.includes('sleeps')")
        album.redrawn()
        album.panel("asleep")
        page.run("headset.updateVisibilityState('visible')")
        server.close()
        page.until("rove.link.state !== 'paired'")
        page.run("new Promise((resolve) => setTimeout(resolve, 250))")
        album.panel("network_lost")
        assert page.do("problems") == []


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
