"""The operator's page in a real Chromium with an emulated headset, against the real server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from headset import Headset

from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.webxr.server import PageServer
from rove_teleop.wire.messages import Frame, Picture, Status

PATIENCE_S = 60.0
READY = Status(
    stamp_ns=1, mode=Mode.IDLE, authority=Authority.HOLD, stage=Stage.NONE, reason="ready",
    lease=7, lease_holder="ann", position_error=0.21, orientation_error=0.3,
    head=(0.06, 0.02, 0.47, 0, 0, 0, 1), left_wrist=(0.3, 0.2, 0, 0, 0, 0, 1),
    right_wrist=(0.3, -0.2, 0, 0, 0, 0, 1),
)  # fmt: skip

SENT_NS = 1_795_709_055_123_456_789
PICTURE = Picture(
    "ego", SENT_NS - 1, cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
)


def frame_when(server: PageServer, good: Callable[[Frame], Any]) -> Frame:
    """Return the first frame of which something holds."""
    deadline = time.monotonic() + PATIENCE_S
    last = None
    while time.monotonic() < deadline:
        for _, last in server.poll():
            if good(last):
                return last
        time.sleep(0.02)
    raise AssertionError(f"no such frame came; the last: {last}")


def tell(server: PageServer, page: Headset, **changes: Any) -> None:
    """Show the page a status and wait until it has it."""
    status = msgspec.structs.replace(READY, **changes)
    server.publish(status)
    page.until(f"rove.status?.mode === {int(status.mode)}")


def test_a_headset_pairs_drives_and_goes_to_sleep(tmp_path: Path) -> None:
    """Wrong code, right code, VR, buttons, bare hands, sleep, closed tab: what the operator reads
    and what the robot's side gets. With ROVE_SHOTS=FOLDER the panels are kept to be looked at."""
    shots = Path(os.environ.get("ROVE_SHOTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    with PageServer("g1_dex3", "https://127.0.0.1:0", tmp_path) as server, Headset() as page:
        page.open(server.invitation.address)
        page.pair("ann", "00000000")
        page.until("document.getElementById('why').textContent.includes('wrong')")
        assert not server.clients
        page.pair("ann", server.invitation.code)
        page.until("rove.link.state === 'paired'")
        tell(server, page)
        page.enter()
        frame = frame_when(server, lambda f: f.left_tracked and f.right_tracked)
        assert abs(frame.head[2] - 1.6) < 0.01  # z is up
        assert frame.left_wrist[1] > 0.1 > -0.1 > frame.right_wrist[1]  # y is left
        assert frame.lease == 7
        # For the latency ledger: a stamp of ns is larger than what a page's numbers hold exactly.
        server.publish(msgspec.structs.replace(READY, sent_ns=SENT_NS), PICTURE)
        frame = frame_when(server, lambda f: f.picture_ns)
        assert frame.picture_ns == PICTURE.stamp_ns
        frame = frame_when(server, lambda f: abs(f.status_ns - SENT_NS) < 1000)
        assert 0 < frame.picture_shown_ns <= frame.device_stamp_ns
        assert 0 < frame.status_heard_ns <= frame.device_stamp_ns

        tell(server, page, mode=Mode.ALIGN, reason="ann takes over: align, then squeeze")
        page.until("rove.pulses > 0")
        page.panel(shots / "align.png")
        for side, button, bit in (
            ("left", "y-button", Button.TAKEOVER), ("right", "a-button", Button.MARK_RECOVERY),
            ("right", "b-button", Button.HAND_BACK), ("left", "thumbstick", Button.ESTOP),
        ):  # fmt: skip
            page.button(side, button, 1)
            frame_when(server, lambda f, bit=bit: f.buttons == bit)
            page.button(side, button, 0)
            frame_when(server, lambda f: f.buttons == 0)
        page.button("right", "squeeze", 1)
        frame_when(server, lambda f: f.right_squeeze > 0.9 and f.left_squeeze == 0)
        page.button("right", "squeeze", 0)

        page.run("headset.primaryInputMode = 'hand'")
        page.run("headset.hands.right.updatePinchValue(1)")
        frame = frame_when(server, lambda f: len(f.right_hand) == 75 and f.right_trigger > 0.5)
        assert frame.right_squeeze == 0  # a pinch only grasps
        page.do("key", code="Space", down=True)
        frame_when(server, lambda f: f.right_squeeze == 1)  # a pedal enables
        page.do("key", code="Space", down=False)
        frame_when(server, lambda f: f.right_squeeze == 0)
        page.run("headset.hands.left.connected = false")
        frame_when(server, lambda f: not f.left_tracked and f.right_tracked)
        page.until("document.getElementById('why').textContent.includes('left hand is lost')")

        page.run("headset.updateVisibilityState('visible-blurred')")
        frame = frame_when(server, lambda f: not f.head_tracked)
        assert (frame.left_tracked, frame.right_tracked) == (False, False)
        page.until("document.getElementById('why').textContent.includes('sleeps')")
        page.panel(shots / "asleep.png")
        assert page.do("problems") == []
        page.do("shut")
        deadline = time.monotonic() + PATIENCE_S
        while server.clients:
            assert time.monotonic() < deadline, "a closed tab still has the seat"
            time.sleep(0.02)
