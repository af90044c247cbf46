"""A viser server with a door: viser itself lets in whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any
from unittest import mock

import viser
from websockets.asyncio import server as websockets

from rove_core.errors import ConfigError
from rove_teleop.console.door import refusal


def open_server(host: str, port: int, title: str) -> viser.ViserServer:
    """Start viser where nobody enters but its own pages on this machine.

    Args:
        host: loopback address to listen on.
        port: 0 takes a free one.
        title: above the controls.

    Raises:
        ConfigError: the port is taken.
    """
    bound: list[int] = []
    guarded = _guarded(websockets.serve, bound)
    # viser calls this function in its constructor and has no setting for a check of its own.
    # Its frame of addresses on standard output would stand beside the node's own words.
    with mock.patch.object(websockets, "serve", guarded), redirect_stdout(StringIO()):
        server = viser.ViserServer(host=host, port=port, label=title, verbose=False)
    bound.append(server.get_port())
    if port and bound[0] != port:  # viser takes the next free one
        server.stop()
        raise ConfigError("port of the console", port, "a free one (it is taken)", host)
    # A client may ask for a tunnel through a public relay; nobody shall open this robot to it.
    server.request_share_url = _no_share  # type: ignore[method-assign]
    return server


def _no_share(*_: Any, **__: Any) -> None:
    return None


def _guarded(serve: Callable[..., Any], bound: list[int]) -> Callable[..., Any]:
    def wrapped(handler: Any, host: str, port: int, **settings: Any) -> Any:
        inner = settings.pop("process_request")

        def process(connection: Any, request: Any) -> Any:
            why = refusal(request.headers, bound[0]) if bound else "not ready yet"
            if why:
                return connection.respond(403, f"refused: {why}\n")
            return inner(connection, request)

        return serve(handler, host, port, process_request=process, **settings)

    return wrapped
