"""Requests larger than any answer are turned away before they are read."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

LARGEST_BODY = 64 * 1024
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class TooLarge(Exception):
    """A body is longer than it said, or than is allowed."""


class LimitedBodies:
    """ASGI middleware: 413 for bodies above a number of bytes, told or counted.

    Args:
        app: that is guarded.
        largest: bytes.
    """

    def __init__(self, app: App, largest: int = LARGEST_BODY) -> None:
        self.app, self.largest = app, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reported = dict(scope["headers"]).get(b"content-length", b"0")
        if not reported.isdigit() or int(reported) > self.largest:
            await _refuse(send)
            return
        taken, started = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.largest:
                raise TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except TooLarge:
            if not started:
                await _refuse(send)
        except ClientDisconnect:
            return  # nobody is there to be answered


class RequestLimit:
    """Requests of each link: so many a second on average, and so many at once.

    A reader's page asks for a dozen files a case; whoever asks without end is told to wait.

    Args:
        a_second: requests on average.
        at_once: requests after a pause.
        clock: seconds, for tests.

    >>> now = [0.0]; limit = RequestLimit(a_second=1, at_once=2, clock=lambda: now[0])
    >>> [limit.wait(0) for _ in range(3)], limit.wait(1)
    ([0, 0, 1], 0)
    >>> now[0] = 1.5; limit.wait(0)
    0
    """

    def __init__(
        self, a_second: float = 50, at_once: int = 500, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.a_second, self.at_once, self.clock = a_second, at_once, clock
        self._left: dict[int, tuple[float, float]] = {}

    def wait(self, link: int) -> int:
        """Seconds that a link has to wait before its next request; 0 counts this one."""
        now = self.clock()
        left, since = self._left.get(link, (float(self.at_once), now))
        left = min(self.at_once, left + (now - since) * self.a_second)
        granted = left >= 1
        self._left[link] = (left - granted, now)
        return 0 if granted else max(1, math.ceil((1 - left) / self.a_second))


async def _refuse(send: Send) -> None:
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 413, "headers": head})
    await send({"type": "http.response.body", "body": b'{"detail": "too large"}'})
