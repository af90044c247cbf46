"""Line: what goes out to one page. Newest-only, so that a slow page sees the present or nothing."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web

from rove_teleop.webxr.messages import ToPage, encode, encode_picture
from rove_teleop.webxr.visit import Visit

ANSWERS = 64  # that wait at most; who asks faster than it reads loses the oldest


class Line:
    """The outgoing half of a connection: answers in order, then the newest status and picture.

    Args:
        socket: of the page.
        visit: decides whether a picture may go.

    Attributes:
        skipped: pictures that a newer one replaced before there was room for them.
    """

    def __init__(self, socket: web.WebSocketResponse, visit: Visit) -> None:
        self.socket, self.visit, self.skipped = socket, visit, 0
        self._answers: deque[ToPage] = deque(maxlen=ANSWERS)
        self._status: ToPage | None = None
        self._picture: tuple[int, bytes] | None = None
        self._news = asyncio.Event()

    def answer(self, *messages: ToPage) -> None:
        """Send messages in order."""
        self._answers.extend(messages)
        self._news.set()

    def show(self, status: ToPage | None, picture: tuple[int, bytes] | None) -> None:
        """Replace the status and the picture (stamp, JPEG) that wait."""
        if status is not None:
            self._status = status
        if picture is not None:
            self.skipped += self._picture is not None
            self._picture = picture
        self._news.set()

    def wake(self) -> None:
        """The page has drawn a picture: there may be room for the next."""
        self._news.set()

    async def flush(self) -> None:
        """Send the answers that wait, before the connection ends."""
        while self._answers:
            await self.socket.send_str(encode(self._answers.popleft()))

    async def run(self) -> None:
        """Send until the connection ends; sending waits while the socket is full."""
        while not self.socket.closed:
            await self._news.wait()
            self._news.clear()
            await self.flush()
            if (status := self._status) is not None:
                self._status = None
                await self.socket.send_str(encode(status))
            if (picture := self._picture) is not None and self.visit.wants_picture:
                self._picture = None
                self.visit.picture_sent()
                await self.socket.send_bytes(encode_picture(*picture))
