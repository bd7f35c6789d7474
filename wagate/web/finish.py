"""What a request changes is done to its end, also when its client goes away in the middle of it."""

from __future__ import annotations

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Request
from quart.asgi import ASGIHTTPConnection
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection

from wagate.running import RUNNING, Running


class Connection(TrioASGIHTTPConnection):
    """One request. Quart breaks it off when its client has gone; here, unless it is to be finished.

    One that had just revoked a token would have done so in the database alone, and its act would stand in no audit.
    """

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer."""
        self._running = Running(within=RUNNING.get())
        before = RUNNING.set(self._running)
        try:
            await super().__call__(receive, send)
        finally:
            RUNNING.reset(before)

    async def handle_messages(  # type: ignore[override]  # as quart-trio has it
        self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable
    ) -> None:
        """Until the client has gone."""
        await ASGIHTTPConnection.handle_messages(self, request, receive)
        if not self._running.finishes:
            nursery.cancel_scope.cancel()


class Finishing(QuartTrio):
    """Quart, whose requests may say with `wagate.hooks.routes.finish` that they go on without their client."""

    asgi_http_class = Connection
