"""Pages for tests: what a headset page sends."""

from __future__ import annotations

import json
from typing import Any

FORWARD = [0.0, 0.0, 1.6, 0.0, 0.0, 0.0, 1.0]
LEFT, RIGHT = [0.3, 0.2, 1.2, 0, 0, 0, 1], [0.3, -0.2, 1.2, 0, 0, 0, 1]


def pair_text(code: str = "", name: str = "ann", token: str = "") -> str:
    """Return the first message of a page."""
    pair = {"type": "pair", "operator_id": name, "device": "quest3", "code": code, "token": token}
    return json.dumps(pair)


def frame_dict(sequence: int, **changes: Any) -> dict[str, Any]:
    """Return a good frame, with changes, as the page builds it."""
    frame = {
        "type": "frame", "sequence": sequence, "lease": 0, "device_stamp_ns": sequence * 13_000_000,
        "head": FORWARD, "left_wrist": LEFT, "right_wrist": RIGHT,
    }  # fmt: skip
    return frame | changes


def frame_text(sequence: int, **changes: Any) -> str:
    """Return a good frame, with changes, as text."""
    return json.dumps(frame_dict(sequence, **changes))
