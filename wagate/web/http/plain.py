"""HTTP/1.1 as nearly all of it comes, without h11: one plain head after the other. What is not plain is h11's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import h11
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ASGIReceiveEvent, ASGISendEvent, HTTPScope
from hypercorn.utils import UnexpectedMessageError, build_and_validate_headers, suppress_body

from wagate.web.http.asgi import WHOLE
from wagate.web.http.heads import PlainHead, common_headers, plain_head, written

CLOSE = (b"connection", b"close")
ENDED = (h11.DONE, h11.MUST_CLOSE)
"""States of a response that is written."""


class NotPlainError(Exception):
    """What has come is h11's to judge."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data


class Plain:
    """One connection's requests, each read when the one before it is answered. Stands in for hypercorn's H11Protocol.

    Between two requests it may end with NotPlainError. States are told in h11's words.
    """

    def __init__(self, stand_by: H11Protocol) -> None:
        self.stand_by = stand_by
        """Goes on when something is not plain."""
        self.keep_alive_requests = 0
        self.send: Callable[[Event], Awaitable[None]] = stand_by.send
        self._unread = b""
        self._turn: Turn | None = None
        self._answered = trio.Event()
        self._closed = False

    async def initiate(self) -> None:
        """Nothing to say before the first request."""

    @property
    def connection(self) -> Plain:
        """Who tells the states."""
        return self

    @property
    def our_state(self) -> object:
        """IDLE, SEND_RESPONSE, SEND_BODY, then DONE or MUST_CLOSE."""
        return h11.IDLE if self._turn is None else self._turn.state

    @property
    def their_state(self) -> object:
        """IDLE, SEND_BODY, DONE, or ERROR: the body broke off."""
        if self._turn is None:
            return h11.IDLE
        if self._turn.broken:
            return h11.ERROR
        return h11.SEND_BODY if self._turn.left else h11.DONE

    async def handle(self, event: Event) -> None:
        """Take what came; RawData without bytes is the peer's end."""
        if isinstance(event, RawData):
            if event.data:
                self._unread += event.data
                await self._read()
            elif self._turn is not None and self._turn.left:
                await self._turn.break_off()
        elif isinstance(event, Closed):
            self._closed = True
            self._unread = b""  # Up to 64 KiB of a body, which would stay until the collector comes to old objects.
            self._answered.set()
            if self._turn is not None:
                self._turn.over = True
                await self._turn.put({"type": "http.disconnect"})

    async def _read(self) -> None:
        while self._unread and not self._closed:
            if self._turn is None:
                head = plain_head(self._unread)
                if head is None:
                    data, self._unread = self._unread, b""
                    raise NotPlainError(data)
                self._unread = self._unread[head.end :]
                await self._begin(head)
            elif self._turn.left:
                part, self._unread = self._unread[: self._turn.left], self._unread[self._turn.left :]
                await self._turn.take(part)
            else:  # The next request waits, and the peer with it.
                self._answered = trio.Event()
                await self._answered.wait()

    async def _begin(self, head: PlainHead) -> None:
        await self.send(Updated(idle=False))
        self.keep_alive_requests += 1
        self._turn = turn = Turn(self, head)
        config, tasks = self.stand_by.config, self.stand_by.task_group
        turn.put = await tasks.spawn_app(self.stand_by.app, config, self._scope(head), turn.answer)
        if not head.length:
            await turn.take(b"")

    def _scope(self, head: PlainHead) -> HTTPScope:
        path, _, query = head.target.partition(b"?")
        return {
            "type": "http",
            "http_version": "1.1",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": head.method.decode("ascii"),
            "scheme": "https" if self.stand_by.ssl else "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": self.stand_by.config.root_path,
            "headers": head.headers,
            "client": self.stand_by.client,
            "server": self.stand_by.server,
            "state": self.stand_by.connection_state.copy(),  # type: ignore[typeddict-item]
            "extensions": {WHOLE: {}} if len(self._unread) >= head.length else {},
        }

    async def write(self, data: bytes) -> None:
        """Hand out what is to be sent."""
        await self.send(RawData(data))

    async def begin_answer(self, status: int, headers: list[tuple[bytes, bytes]], *, early: bool) -> bool:
        """Write the head; whether the connection ends with this answer, which the head says then.

        It does when it begins before its request has come whole. Untold, the client would send its next request into
        the close, and lose it.
        """
        config = self.stand_by.config
        whole = (*headers, *common_headers(config, int(time.time())))
        if early or self.keep_alive_requests >= config.keep_alive_max_requests:
            whole += (CLOSE,)
        head, closes = written(status, whole)
        await self.write(head)
        return closes

    async def end(self, turn: Turn, *, last: bool) -> None:
        """Go on to the next request, or close."""
        if turn is not self._turn:
            return
        self._turn = None if not last else turn
        await turn.put({"type": "http.disconnect"})
        if last or self._closed or self.stand_by.context.terminated.is_set():
            self._closed = True
            await self.send(Closed())
        else:
            await self.send(Updated(idle=True))
        self._answered.set()


class Turn:
    """One request and its answer."""

    put: Callable[[ASGIReceiveEvent], Awaitable[None]]
    """Into the application's inbox."""

    def __init__(self, protocol: Plain, head: PlainHead) -> None:
        self._protocol = protocol
        self._method = head.method.decode("ascii")
        self.left = head.length
        """Bytes of the body that have not come."""
        self.broken = False
        """Whether the peer ended before that."""
        self.over = False
        """Whether the connection has ended."""
        self.state: object = h11.SEND_RESPONSE
        self._last = False
        self._due: int | None = 0
        """Bytes that the answer's body must still have; None: it is chunked."""
        self._silent = False
        """Whether the answer has a head alone."""

    async def take(self, part: bytes) -> None:
        """A part of the body; the last one says that it is."""
        self.left -= len(part)
        await self.put({"type": "http.request", "body": part, "more_body": self.left > 0})

    async def break_off(self) -> None:
        """The peer ended in the middle of its request."""
        self.broken = True
        if self.state is h11.SEND_RESPONSE:
            await self._fail(400)
        else:
            await self._protocol.end(self, last=True)

    async def answer(self, message: ASGISendEvent | None) -> None:
        """ASGI's send; None: the application has ended."""
        if self.broken:
            await trio.lowlevel.checkpoint()  # An application that does not listen must not spin.
        elif message is None:
            await self._leave()
        elif message["type"] == "http.response.start" and self.state is h11.SEND_RESPONSE:
            await self._start(message["status"], build_and_validate_headers(message.get("headers", [])))
        elif message["type"] == "http.response.body" and self.state is h11.SEND_BODY:
            await self._body(bytes(message.get("body", b"")), more=message.get("more_body", False))
        else:
            raise UnexpectedMessageError(self.state, message["type"])  # type: ignore[arg-type]  # h11's words.

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        self._due = int(lengths[0]) if lengths else None
        self._silent = suppress_body(self._method, status)
        self.state = h11.SEND_BODY
        self._last = await self._protocol.begin_answer(status, headers, early=self.left > 0)

    async def _body(self, data: bytes, *, more: bool) -> None:
        framed = b"" if self._silent else self._framed(data, more=more)
        if not more:
            self.state = h11.MUST_CLOSE if self._last else h11.DONE
        if framed or not more:
            await self._protocol.write(framed)
        if not more:
            await self._protocol.end(self, last=self._last)

    def _framed(self, data: bytes, *, more: bool) -> bytes:
        if self._due is None:
            chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        self._due -= len(data)
        if self._due < 0 or (self._due and not more):
            raise h11.LocalProtocolError("the body is not as long as its Content-Length says")
        return data

    async def _leave(self) -> None:
        if self.over or self.state in ENDED:
            return
        if self.state is h11.SEND_RESPONSE:
            await self._fail(500)
        else:
            await self._protocol.end(self, last=True)

    async def _fail(self, status: int) -> None:
        """An answer of ours, which ends the connection."""
        await self._start(status, [(b"content-length", b"0"), CLOSE])
        await self._body(b"", more=False)
