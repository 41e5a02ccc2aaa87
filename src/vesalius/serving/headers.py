"""Headers that every response to a browser carries."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.serving.limits import App, Message, Receive, Send

STRICT = {"Strict-Transport-Security": "max-age=31536000"}
"""Sent where TLS is on: browsers keep to it for a year."""

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self' blob: data:; "
    "worker-src 'self' blob:; font-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


class WithHeaders:
    """ASGI middleware: the same headers on every response, instead of those of the same name.

    Args:
        app: whose responses they are.
        headers: by name.
    """

    def __init__(self, app: App, headers: Mapping[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), text.encode()) for name, text in headers.items()]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, and add to the head of its response."""
        names = {name for name, _ in self.headers}

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
                message = {**message, "headers": [*own, *self.headers]}
            await send(message)

        await self.app(scope, receive, headed)
