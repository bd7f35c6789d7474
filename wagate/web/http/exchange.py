"""One streamed request and its answer, for plain ASGI apps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import msgspec
import trio

from wagate.errors import WagateError
from wagate.web.access.cors import Cors
from wagate.web.http.asgi import ClientGoneError, Receive, Request, Send, respond
from wagate.web.problems import problem_of

_NOTHING: Mapping[str, str] = {}


class Exchange:
    """Answers once. Bodies are left out when HEAD asks."""

    def __init__(self, request: Request, receive: Receive, send: Send, cors: Cors) -> None:
        self.request = request
        self.receive = receive
        self.status = 0
        """0 until the answer begins."""
        self._gone = False
        self._send = send
        self._cors = {name.lower(): text for name, text in cors.headers(request.headers.get("origin")).items()}

    async def send_json(self, status: int, answer: msgspec.Struct) -> None:
        """The whole answer."""
        await self._whole(int(status), msgspec.json.encode(answer), {"content-type": "application/json"})

    async def send_nothing(self) -> None:
        """204."""
        await self._whole(204, b"", {})

    async def refuse(self, error: WagateError, more: Mapping[str, str] = _NOTHING) -> None:
        """A problem document. Raises the error when the answer has begun: then the connection is cut."""
        if self.status:
            raise error
        status, headers, body = problem_of(error, self.request.path)
        await self._whole(status, body, {**headers, **more})

    async def _whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        usual = {"cache-control": "no-store", "x-content-type-options": "nosniff", **self._cors}
        await respond(self._send, status, b"" if self.request.method == "HEAD" else body, {**usual, **headers})

    async def stream(self, status: int, headers: Mapping[str, str], body: AsyncGenerator[bytes, None] | None) -> None:
        """Chunk by chunk: the next one is made when the connection took the last.

        Raises:
            ClientGoneError: nobody takes the rest.
        """
        self.status = status
        lines = {**headers, **self._cors}.items()
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        if body is not None:
            async with aclosing(body), trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, nursery.cancel_scope)
                async for chunk in body:
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                nursery.cancel_scope.cancel()
        if self._gone:
            raise ClientGoneError
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Stop when nobody listens any more: what is sent then goes nowhere."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        scope.cancel()
