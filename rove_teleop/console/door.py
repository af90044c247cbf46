"""Door: which requests reach the console at all.

A browser lets any web page open a WebSocket to the loopback; only the ``Origin`` that it adds tells
them apart (RFC 6455 §10.2), and only ``Host`` tells a name that was pointed here by DNS rebinding.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rove_core.errors import ConfigError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Address:
    """Where a console listens: a loopback host and a TCP port, 0 for a free one."""

    host: str
    port: int


def read_address(text: str) -> Address:
    """Return the address of a console.

    Raises:
        ConfigError: it is none, or it would show the console to a network: who reaches it can start
            and stop the robot, and nothing here asks who that is.
    """
    allowed = "http:// on the loopback, for example http://127.0.0.1:7450"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("console", text, f"{allowed} ({error})") from error
    bare = not parts.path.strip("/") and not parts.query and parts.username is None
    if parts.scheme != "http" or not host or port is None or not bare:
        raise ConfigError("console", text, allowed)
    if not _is_loopback(host):
        far = "from elsewhere by a tunnel, `ssh -L 7450:127.0.0.1:7450 robot`"
        raise ConfigError("console", text, f"{allowed}; {far}")
    return Address(host, port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(headers: Mapping[str, str], port: int) -> str:
    """Return why a request may not come in, "" when it may.

    Args:
        headers: of the request.
        port: that the console listens on.
    """
    allowed = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    if headers.get("Host", "") not in allowed:
        return "another host was asked for"
    origin = headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}" for host in allowed}:
        return "a page of another origin asks"
    return ""
