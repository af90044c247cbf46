"""The page's files, read once, with the headers that keep everything else out of them."""

from __future__ import annotations

import json
from pathlib import Path

from rove_core.colours import MODE_COLOURS, MODE_INK, MODE_WORDS
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.webxr.messages import WISHES

FOLDER = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Permissions-Policy": "xr-spatial-tracking=(self), camera=(), microphone=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page_files() -> dict[str, tuple[bytes, str]]:
    """Return name -> (content, media type) of everything that is served."""
    files = {
        path.name: (path.read_bytes(), KINDS[path.suffix])
        for path in FOLDER.iterdir()
        if path.suffix in KINDS
    }
    return files | {"words.js": (_words().encode(), KINDS[".js"])}


def _words() -> str:
    """Return the contract's words and colours as a module, so that none is written twice."""
    modes = {
        str(int(mode)): {
            "name": mode.name,
            "word": MODE_WORDS[mode],
            "colour": MODE_COLOURS[mode],
            "ink": MODE_INK[mode],
        }
        for mode in Mode
    }
    values = {
        "MODES": modes,
        "MODE": {mode.name: int(mode) for mode in Mode},
        "AUTHORITIES": [authority.name.lower() for authority in Authority],
        "STAGES": [stage.name.lower() for stage in Stage],
        "BUTTON": {button.name: int(button) for button in Button},
        "WISHES": WISHES,
    }
    return "".join(f"export const {name} = {json.dumps(v)};\n" for name, v in values.items())
