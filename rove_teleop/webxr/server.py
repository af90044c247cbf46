"""PageServer: the page over HTTPS and its WebSocket, in a thread of its own.

The thread only carries bytes; what they mean is decided by :mod:`rove_teleop.webxr.visit`. Frames
and wishes wait in bounded queues until the owner asks; what the owner tells is handed to the
thread newest-only.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from rove_core.errors import ConfigError
from rove_teleop.webxr.certificate import ensure_certificate
from rove_teleop.webxr.files import HEADERS, page_files
from rove_teleop.webxr.invitation import FILE, Invitation, shown_host, split_address
from rove_teleop.webxr.line import Line
from rove_teleop.webxr.messages import Granted
from rove_teleop.webxr.pairing import PairingDesk
from rove_teleop.webxr.visit import Hall, Visit
from rove_teleop.wire.messages import MAX_MESSAGE_BYTES, Frame, Picture, Status
from rove_teleop.wire.server import Client

VISITORS = 16  # connections at once; more could only be an attack
PAIR_WITHIN_S = 60.0  # an unpaired connection is closed after it
HEARTBEAT_S = 2.0  # a page that answers no ping for half of it is gone
FRAMES = 256  # that wait for the owner: two seconds of a fast headset
START_S = 30.0


class PageServer:
    """Serves the page and talks to it. Its methods are for one thread, the owner's.

    Args:
        robot: name of the robot.
        address: ``https://HOST:PORT`` to listen on; port 0 takes a free one.
        folder: where the certificate is kept.

    Raises:
        ConfigError: the address is none, or cannot be listened on.
    """

    def __init__(self, robot: str, address: str, folder: Path) -> None:
        host, port = split_address(address)
        self._shown, self._folder = shown_host(host), folder
        self._certificate = ensure_certificate(folder, [self._shown])
        self._desk = PairingDesk()
        self._hall = Hall(robot, self._desk)
        self._files = page_files()
        self._frames: deque[tuple[Client, Frame]] = deque(maxlen=FRAMES)
        self._wishes: deque[tuple[Client, str]] = deque(maxlen=16)
        self._lines: dict[Visit, Line] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(
            target=self._run, args=(host, port), name="headset page", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(START_S):
            raise ConfigError("page", address, f"one that listens within {START_S:.0f} s", "bridge")
        if self._failed is not None:
            self._thread.join()
            raise ConfigError("page", address, f"a free port: {self._failed}", "bridge")

    @property
    def counts(self) -> Counter[str]:
        """What was refused since the start, by reason, and pictures that were skipped."""
        counts = Counter(self._hall.counts)
        skipped = sum(line.skipped for line in tuple(self._lines.values()))
        return counts + Counter({"pictures skipped": skipped})

    @property
    def clients(self) -> tuple[Client, ...]:
        """The operator of the page, when one is paired and connected."""
        seat = self._hall.seat
        return (seat.client,) if seat is not None and seat.client is not None else ()

    @property
    def clock(self) -> tuple[float, float] | None:
        """Return (offset, round trip), ms: the page's clock + offset is this process's monotonic
        clock; None while nobody measured it."""
        seat = self._hall.seat
        if seat is None or seat.offset_ms is None or seat.round_trip_ms is None:
            return None
        return seat.offset_ms, seat.round_trip_ms

    @property
    def invitation(self) -> Invitation:
        """What a person needs to open and pair the page now."""
        clients = self.clients
        return Invitation(
            robot=self._hall.robot,
            address=f"https://{self._shown}:{self.port}/",
            fingerprint=self._certificate.fingerprint,
            code=self._desk.code,
            code_until_ns=time.time_ns() + self._desk.code_lives_ns,
            operator=clients[0].operator_id if clients else "",
        )

    def poll(self, names_taken: Collection[str] = ()) -> list[tuple[Client, Frame]]:
        """Return the good frames that came since the last call, in order.

        Args:
            names_taken: operators who are connected by other ways.
        """
        self._hall.names_taken = names_taken
        frames = []
        while self._frames:
            frames.append(self._frames.popleft())
        return frames

    def wishes(self) -> list[tuple[Client, str]]:
        """Return who asked for what of ``WISHES`` since the last call; answer with ``grant``."""
        wishes = []
        while self._wishes:
            wishes.append(self._wishes.popleft())
        return wishes

    def grant(self, name: str, ok: bool, message: str) -> None:
        """Tell the operator what became of a wish."""
        self._soon(lambda line: line.answer(Granted(name, ok, message)))

    def publish(
        self,
        status: Status | None,
        picture: Picture | None = None,
        notices: Mapping[str, str] | None = None,
    ) -> None:
        """Show the operator a status and a picture; a newer one replaces what still waits."""
        seat = self._hall.seat
        if seat is None or seat.client is None:
            return
        if status is not None:
            sequence, stamp_ns = seat.echo
            notice = (notices or {}).get(seat.client.operator_id, status.notice)
            status = msgspec.structs.replace(
                status, notice=notice, echo_sequence=sequence, echo_stamp_ns=stamp_ns
            )
        shown = (picture.stamp_ns, picture.jpeg) if picture is not None else None
        self._soon(lambda line: line.show(status, shown))

    def close(self) -> None:
        """Tell the page, free the port and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()
        (self._folder / FILE).unlink(missing_ok=True)

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _soon(self, tell: object) -> None:
        def on_loop() -> None:
            seat = self._hall.seat
            line = self._lines.get(seat) if seat is not None else None
            if line is not None:
                tell(line)  # type: ignore[operator]

        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(on_loop)

    def _run(self, host: str, port: int) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(host, port))
        finally:
            self._loop.close()

    async def _serve(self, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/link", self._link)
        app.router.add_get("/{name:.*}", self._file)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, ssl_context=self._certificate.context())
            await site.start()
        except OSError as error:
            self._failed = error
            await runner.cleanup()
            self._ready.set()
            return
        self.port = int(runner.addresses[0][1])
        self._ready.set()
        await self._over.wait()
        for line in tuple(self._lines.values()):
            await line.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the bridge stops")
        await runner.cleanup()

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"] or "index.html"
        found = self._files.get(name)
        if found is None:
            self._hall.counts["no such file"] += 1
            return web.Response(status=404, text="there is no such file", headers=HEADERS)
        body, kind = found
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)

    async def _link(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") != f"https://{request.headers.get('Host')}":
            self._hall.counts["origin"] += 1
            return web.Response(status=403, text="another origin", headers=HEADERS)
        if len(self._lines) >= VISITORS:
            self._hall.counts["too many visitors"] += 1
            return web.Response(status=503, text="too many connections", headers=HEADERS)
        socket = web.WebSocketResponse(
            max_msg_size=MAX_MESSAGE_BYTES, heartbeat=HEARTBEAT_S, compress=False
        )
        if not socket.can_prepare(request):
            return web.Response(status=400, text="a WebSocket is wanted here", headers=HEADERS)
        await socket.prepare(request)
        visit = Visit(self._hall)
        line = self._lines[visit] = Line(socket, visit)
        sender = asyncio.create_task(line.run())
        evict = self._loop.call_later(PAIR_WITHIN_S, self._evict, visit)
        try:
            await self._listen(socket, visit, line)
        finally:
            evict.cancel()
            visit.leave()
            del self._lines[visit]
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sender
        return socket

    def _evict(self, visit: Visit) -> None:
        line = self._lines.get(visit)
        if line is not None and visit.client is None:
            self._hall.counts["did not pair"] += 1
            task = self._loop.create_task(line.socket.close(message=b"pair first"))
            task.add_done_callback(lambda _: None)

    async def _listen(self, socket: web.WebSocketResponse, visit: Visit, line: Line) -> None:
        async for message in socket:
            if message.type == WSMsgType.ERROR:
                too_big = getattr(message.data, "code", 0) == WSCloseCode.MESSAGE_TOO_BIG
                self._hall.counts["oversized" if too_big else "connection"] += 1
                break
            if message.type != WSMsgType.TEXT:
                self._hall.counts["malformed"] += 1
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text is wanted")
                break
            former = self._hall.seat
            taken = visit.take(message.data)
            if taken.seated and former is not None and former is not visit:
                await self._send_away(former)
            if taken.frame is not None and visit.client is not None:
                self._frames.append((visit.client, taken.frame))
            if taken.wish and visit.client is not None:
                self._wishes.append((visit.client, taken.wish))
            if taken.close:
                line.answer(*taken.answers)
                await line.flush()
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"refused")
                break
            if taken.answers:
                line.answer(*taken.answers)
            elif visit.wants_picture:
                line.wake()

    async def _send_away(self, former: Visit) -> None:
        line = self._lines.get(former)
        if line is not None:
            await line.socket.close(code=WSCloseCode.GOING_AWAY, message=b"opened elsewhere")
