"""The page's server by real sockets: TLS, origin, pairing, frames, pictures, an attacker."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from webxr_examples import frame_text, pair_text

from rove_core.errors import ConfigError
from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.webxr.invitation import read_invitation, write_invitation
from rove_teleop.webxr.server import PageServer
from rove_teleop.webxr.visit import PICTURES_ON_THE_WAY
from rove_teleop.wire.messages import IDENTITY, MAX_MESSAGE_BYTES, Picture, Status

PATIENCE_S = 30.0
STATUS = Status(
    stamp_ns=1, mode=Mode.ALIGN, authority=Authority.HOLD, stage=Stage.NONE, reason="align",
    lease=7, lease_holder="ann", position_error=float("nan"), orientation_error=0.1,
    head=IDENTITY, left_wrist=IDENTITY, right_wrist=IDENTITY,
)  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    """A server on a free port of the loopback."""
    with PageServer("g1", "https://127.0.0.1:0", tmp_path) as server:
        yield server


Talk = Callable[[aiohttp.ClientSession, str], Coroutine[Any, Any, None]]


def talk(server: PageServer, tell: Talk) -> None:
    """Run a client against the server, which trusts exactly the server's certificate."""
    context = ssl.create_default_context(cafile=str(server._certificate.certificate))

    async def run() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as client:
            await tell(client, server.invitation.address.rstrip("/"))

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def link(client: aiohttp.ClientSession, url: str, origin: str | None = None) -> Any:
    """Open the WebSocket as a page of that origin would."""
    headers = {"Origin": url if origin is None else origin}
    return client.ws_connect(f"{url}/link", headers=headers, max_msg_size=0)


async def eventually(found: Callable[[], Any]) -> Any:
    """Return what is found, once it is."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return value


def test_the_page_and_only_the_page_is_served(server: PageServer) -> None:
    """Its modules come with headers that forbid everything foreign; nothing else is found."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        for name in ("", "main.js", "words.js", "style.css"):
            async with client.get(f"{url}/{name}") as answer:
                assert answer.status == 200, name
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        for name in ("server.py", "../server.py", "..%2fserver.py", "page.key.pem", "//etc/passwd"):
            async with client.get(f"{url}/{name}") as answer:
                assert answer.status == 404, name

    talk(server, tell)


def test_frames_of_a_paired_page_arrive_and_a_strangers_do_not(server: PageServer) -> None:
    """The whole way: a stranger is sent away, the code seats ann, her frames and wishes come."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        async with link(client, url) as stranger:
            await stranger.send_str(frame_text(1))
            assert (await stranger.receive_json())["pair_again"]
            assert (await stranger.receive()).type in (
                aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING
            )  # fmt: skip
        async with link(client, url) as page:
            await page.send_str(pair_text(server.invitation.code))
            assert (await page.receive_json())["type"] == "welcome"
            await page.send_str(frame_text(1, buttons=1))
            await page.send_str('{"type":"wish","name":"rollout"}')
            wishes = await eventually(server.wishes)
            assert [(c.operator_id, name) for c, name in wishes] == [("ann", "rollout")]
            ((who, frame),) = server.poll()
            assert (who.operator_id, who.calibration, frame.buttons) == ("ann", "ann", 1)
            server.grant("rollout", False, "no policy")
            assert (await page.receive_json())["message"] == "no policy"
            server.publish(STATUS, notices={"ann": "calibrate"})
            status = await page.receive_json()
            assert (status["mode"], status["notice"]) == (int(Mode.ALIGN), "calibrate")
            assert status["position_error"] is None
        await eventually(lambda: not server.clients)

    talk(server, tell)
    assert server.counts["not paired"] == 1


def test_another_origin_is_refused(server: PageServer) -> None:
    """A page of somebody else cannot open the link in an operator's browser."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        for origin in ("https://evil.example", "null", url.replace("https", "http"), ""):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await link(client, url, origin)

    talk(server, tell)
    assert server.counts["origin"] == 4


@pytest.mark.parametrize("data", ["x" * (MAX_MESSAGE_BYTES + 1), b"\x00\x01"])
def test_oversized_and_binary_messages_end_the_connection(
    server: PageServer, data: str | bytes
) -> None:
    """Even of the paired operator; they are counted, and nothing reaches the robot."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        async with link(client, url) as page:
            await page.send_str(pair_text(server.invitation.code))
            await page.receive_json()
            await (page.send_str(data) if isinstance(data, str) else page.send_bytes(data))
            while not page.closed:
                await page.receive()
        await eventually(lambda: not server.clients)

    talk(server, tell)
    assert server.poll() == []
    assert server.counts["oversized" if isinstance(data, str) else "malformed"] == 1, server.counts


def test_a_page_that_draws_nothing_gets_no_queue_of_pictures(server: PageServer) -> None:
    """Of a hundred pictures only the first few are sent; after one is drawn comes the newest."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        async with link(client, url) as page:
            await page.send_str(pair_text(server.invitation.code))
            await page.receive_json()
            for stamp in range(1, PICTURES_ON_THE_WAY + 1):
                server.publish(None, Picture("ego", stamp, b"jpeg"))
                assert (await page.receive_bytes())[8:] == b"jpeg"
            for stamp in range(PICTURES_ON_THE_WAY + 1, 101):
                server.publish(None, Picture("ego", stamp, b"jpeg"))
            server.grant("x", True, "the last word")  # behind it nothing else may have come
            assert json.loads((await page.receive()).data)["message"] == "the last word"
            await page.send_str(f'{{"type":"seen","count":{PICTURES_ON_THE_WAY}}}')
            newest = await page.receive_bytes()
            assert int.from_bytes(newest[:8], "little") == 100

    talk(server, tell)


def test_no_camera_without_pairing(server: PageServer) -> None:
    """A stranger who only listens hears nothing."""

    async def tell(client: aiohttp.ClientSession, url: str) -> None:
        async with link(client, url) as stranger, link(client, url) as page:
            await page.send_str(pair_text(server.invitation.code))
            await page.receive_json()
            server.publish(STATUS, Picture("ego", 1, b"jpeg"))
            await page.receive_json()
            await page.receive_bytes()
            with pytest.raises(asyncio.TimeoutError):
                await stranger.receive(timeout=0.2)

    talk(server, tell)


def test_invitation_is_for_the_owners_eyes(server: PageServer, tmp_path: Path) -> None:
    """The file holds what is needed to pair, and nobody else may read it; so for the TLS key."""
    path = write_invitation(tmp_path, server.invitation)
    read = read_invitation(tmp_path)
    assert read is not None
    assert read.code == server.invitation.code
    assert read.link.endswith(f"#{read.code}")
    assert os.stat(path).st_mode & 0o077 == 0
    assert os.stat(tmp_path / "page.key.pem").st_mode & 0o077 == 0
    assert len(read.fingerprint.split(":")) == 32
    assert "<svg" in read.qr_svg()
    assert read.qr_terminal().count("\n") > 10


def test_the_certificate_stays(tmp_path: Path) -> None:
    """A second start shows the same fingerprint; a person compares it with what they noted."""
    prints = set()
    for _ in range(2):
        with PageServer("g1", "https://127.0.0.1:0", tmp_path) as server:
            prints.add(server.invitation.fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "https://127.0.0.1", "7443", "https://a:b"]
)
def test_a_wrong_address_is_named(tmp_path: Path, address: str) -> None:
    """What is no https address is refused with what was given."""
    with pytest.raises(ConfigError, match="page"):
        PageServer("g1", address, tmp_path)


def test_a_port_in_use_is_an_error(server: PageServer, tmp_path: Path) -> None:
    """The bridge does not start half."""
    with pytest.raises(ConfigError, match="page"):
        PageServer("g1", server.invitation.address, tmp_path)
