"""Invitation: what a person needs to open the page, as plain data in a file beside the keys.

The bridge writes it; terminal and console show it. Only the user who runs the robot may read it,
because whoever reads the code may pair.
"""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import segno

from rove_core.errors import ConfigError
from rove_core.keys import SECRET_MODE

FILE = "page.json"


class Invitation(msgspec.Struct, frozen=True):
    """How to open and pair the page.

    Attributes:
        robot: its name.
        address: of the page, as a person types it.
        fingerprint: SHA-256 of its certificate, as browsers show it.
        code: pairs once; eight digits.
        code_until_ns: wall time, ns, after which the code is void.
        operator: who is connected, "" when nobody.
    """

    robot: str
    address: str
    fingerprint: str
    code: str
    code_until_ns: int
    operator: str = ""

    @property
    def link(self) -> str:
        """Return the address with the code in its fragment, which browsers send to nobody."""
        return f"{self.address}#{self.code}"

    @property
    def spoken_code(self) -> str:
        """Return the code in two groups, as people read it out."""
        return f"{self.code[:4]} {self.code[4:]}"

    def qr_terminal(self) -> str:
        """Return the QR code of the link for a terminal (half-block characters)."""
        out = io.StringIO()
        segno.make(self.link, micro=False).terminal(out=out, compact=True, border=2)
        return out.getvalue()

    def qr_svg(self, scale: int = 4) -> str:
        """Return the QR code of the link as an SVG element."""
        return str(segno.make(self.link, micro=False).svg_inline(scale=scale, border=2))


def write_invitation(folder: Path, invitation: Invitation) -> Path:
    """Write the file, complete or not at all; return its path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    draft = folder / f".{FILE}.{os.getpid()}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET_MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.encode(invitation))
    os.replace(draft, path)
    return path


def read_invitation(folder: Path) -> Invitation | None:
    """Return what the bridge of this machine wrote, None when no page is served.

    Raises:
        ConfigError: the file holds something else.
    """
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Invitation)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ConfigError("invitation", str(path), "as the bridge wrote it", str(error)) from error


def split_address(address: str) -> tuple[str, int]:
    """Return (host, port) of ``https://HOST:PORT``; port 0 takes a free one.

    Raises:
        ConfigError: another scheme, no host or port, or a path.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "https" or not host or port is None or parts.path not in ("", "/"):
        raise ConfigError("page", address, "https://HOST:PORT or none", "bridge")
    return host, port


def shown_host(host: str) -> str:
    """Return the host that people type for a host that is listened on."""
    if host not in ("0.0.0.0", "::"):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks which way out there is
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
