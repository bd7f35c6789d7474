"""hypercorn's connection, cheaper: one write per response, one keep-alive deadline, no task or channel for either.

The protocols (h11, h2, wsproto) and all that they decide stay hypercorn's; requests that leave nothing to decide are
read by `wagate.web.http.plain`. Only how bytes leave, how a quiet connection is noticed, and how events reach the
application are replaced.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import cast

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import parse_socket_addr

from wagate.web.http.accept import Stream
from wagate.web.http.channel import spawn_app
from wagate.web.http.keep_alive import KeepAlive
from wagate.web.http.pings import ping
from wagate.web.http.protocols import WRITE_TIMEOUT, Protocols

HOLD = 64 * 1024
"""Bytes that may wait for more; also the most that is written under one deadline."""
MANY = 200
"""Connections, above which none is kept for long without work."""
READ_TIMEOUT = 30.0
"""Seconds that a request's body may pause, unless ``config.read_timeout`` says otherwise."""
CLOSE_TIMEOUT = 5.0
"""Seconds for the farewell of a connection (TLS close_notify to a peer that no longer reads)."""
ARRIVED = 0.01
"""Seconds to take what has come."""
LINGER = 15.0
"""Seconds that a peer may go on sending a body that was refused; closed at once, it would lose the answer."""

GONE = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class ServerContext(WorkerContext):
    """What all connections of a server share."""

    def __init__(self) -> None:
        super().__init__(max_requests=None)
        self.connections: set[Connection] = set()
        """Those that are open."""
        self._unfinished: set[Connection] = set()
        self._wake = trio.Event()

    def flush_later(self, connection: Connection) -> None:
        """Have what the connection holds sent, unless its application finishes the response before it goes to sleep."""
        self._unfinished.add(connection)
        self._wake.set()

    async def flush_unfinished(self) -> None:
        """Send what applications left unfinished when they went to sleep; for ever, one task for all connections.

        trio wakes it only when the application that held the bytes has given up its turn, so a response that
        is made in one go is written by its application alone, in one piece.
        """
        async with trio.open_nursery() as nursery:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                unfinished, self._unfinished = self._unfinished, set()
                for connection in unfinished:
                    if connection.held and not connection.send_lock.locked():
                        nursery.start_soon(connection.guard, connection.flush)

    def crowded(self) -> bool:
        """Whether there are so many connections that idle ones are not worth their memory."""
        return len(self.connections) > MANY

    def evict(self) -> bool:
        """End the connection that has been idle for longest, to make room; False when all have work."""
        idlest = min(self.connections, key=lambda each: each.keep_alive.idle_since, default=None)
        return idlest is not None and idlest.keep_alive.expire_if_idle()

    async def stop(self, cut_at: float) -> None:
        """Close what is idle now, the rest after its response; no write lasts beyond ``cut_at`` (trio's clock)."""
        await self.terminated.set()
        for connection in self.connections:
            connection.finish(cut_at)


class Connection(TCPServer):
    """One connection. What goes wrong in it, in hypercorn's protocols too, ends it and nothing else."""

    context: ServerContext

    def __init__(
        self, app: AppWrapper, config: Config, context: ServerContext, state: ConnectionState, stream: Stream
    ) -> None:
        super().__init__(app, config, context, state, stream)  # type: ignore[arg-type]  # Plain streams too.
        self.keep_alive = KeepAlive(context, config.keep_alive_timeout, briefly=self._briefly)
        self.idle_task = self.keep_alive  # type: ignore[assignment]
        self.held = bytearray()
        """Bytes that wait for more to come, at most for the turn of the task that sent them."""
        self._greeting = trio.CancelScope()
        self._writing = trio.CancelScope()
        self._lingering = trio.CancelScope()
        self._pinging = trio.CancelScope()
        self._cut_at = inf

    def _briefly(self) -> bool:
        """Whether it is not worth keeping for long: it brought no request yet, or there are too many."""
        return self.context.crowded() or not self.protocol.protocol.keep_alive_requests

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        if self.context.terminated.is_set():
            return  # Accepted in the moment of the stop; the stream is closed by who accepted it.
        self.context.connections.add(self)
        try:
            with self._greeting:
                await self.guard(self._serve)
        finally:
            self.context.connections.discard(self)

    async def _serve(self) -> None:
        """Shake hands, choose the protocol, read to the end."""
        alpn, stream = "http/1.1", cast("Stream", self.stream)  # hypercorn's type says that it is always TLS.
        if isinstance(stream, trio.SSLStream):
            with trio.move_on_after(self.config.ssl_handshake_timeout) as patience:
                await stream.do_handshake()
            if patience.cancelled_caught:
                return
            alpn, stream = stream.selected_alpn_protocol() or alpn, stream.transport_stream
        try:
            async with TaskGroup() as self._task_group:
                self._task_group.spawn_app = partial(spawn_app, self._task_group)  # type: ignore[method-assign]
                self._task_group.spawn = partial(self._spawn, self._task_group.spawn)  # type: ignore[method-assign]
                self.protocol = self._protocols(alpn, stream.socket)
                await self.protocol.initiate()
                await self.keep_alive.restart()
                await self._read_data()
        finally:
            await self._close()

    def _protocols(self, alpn: str, sock: trio.socket.SocketType) -> Protocols:
        protocols = Protocols(
            self.app,
            self.config,
            self.context,
            self._task_group,
            ConnectionState(self.state),
            isinstance(self.stream, trio.SSLStream),
            parse_socket_addr(sock.family, sock.getpeername()),
            parse_socket_addr(sock.family, sock.getsockname()),
            self.protocol_send,
            alpn,
        )
        protocols.choose()
        return protocols

    def _spawn(self, spawn: Callable[..., None], work: Callable[..., Awaitable[None]], *args: object) -> None:
        """What hypercorn runs beside. Its pings would sleep on after the end, and the connection wait for them."""
        if getattr(work, "__func__", None) is WSStream._send_pings:  # noqa: SLF001  (nothing else tells)
            spawn(self._ping, work.__self__)  # type: ignore[attr-defined]
        else:
            spawn(work, *args)

    async def _ping(self, stream: WSStream) -> None:
        with self._pinging:
            await ping(stream, self.config.websocket_ping_interval or inf)

    async def guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``; what it raises is this connection's end, and nobody else's."""
        try:
            await work()
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # The peer is gone; it knows.
        except* Exception:  # noqa: BLE001  (the edge of the connection's task)
            await self.config.log.exception("Error in a connection")

    async def protocol_send(self, event: Event) -> None:
        """Hold what more is about to follow; send all else, and what is held before it, now."""
        if isinstance(event, Updated):  # First: to tell that an event is not of a kind costs more than that it is.
            await (self.keep_alive.restart() if event.idle else self.keep_alive.stop())
        elif isinstance(event, RawData):
            self.held += event.data
            if self._more_follows():
                self.context.flush_later(self)
            else:
                await self.flush()
        elif isinstance(event, Closed):
            await self._end_sending()
            await self.protocol.handle(event)
            self._end_reading()

    def _end_reading(self) -> None:
        """It is over for the reader, too, who may wait for the end of a response before it takes the next request.

        hypercorn would leave it waiting for ever when that response was the last: whoever sends a request before the
        one before it is answered would hold up a stop, or keep its place in the process after it has gone.
        """
        self.keep_alive.end()

    def _more_follows(self) -> bool:
        """Whether what is held may wait for the rest of an HTTP/1 response, or for the next frames of HTTP/2."""
        answering = isinstance(self.protocol.protocol, H2Protocol) or self._response_state() is h11.SEND_BODY
        return answering and len(self.held) < HOLD

    def _response_state(self) -> object:
        """Where the response stands, by h11: SEND_BODY, then DONE or MUST_CLOSE. None for HTTP/2 and WebSocket."""
        protocol = self.protocol.protocol
        return None if isinstance(protocol, H2Protocol) else protocol.connection.our_state

    def _request_state(self) -> object:
        """Where the request stands, by h11: SEND_BODY until all of it is there. None for HTTP/2 and WebSocket."""
        protocol = self.protocol.protocol
        return None if isinstance(protocol, H2Protocol) else protocol.connection.their_state

    async def flush(self) -> None:
        """Send what is held, after what others are sending. A peer that takes nothing is taken for gone."""
        if not self.held:
            return
        try:
            self.send_lock.acquire_nowait()  # The lock's own acquire would always give up the turn.
        except trio.WouldBlock:
            await self.send_lock.acquire()
        try:
            while self.held:
                data, self.held = memoryview(self.held), bytearray()
                sent = self._write_now(data)
                if sent < len(data):
                    await self._write(data[sent:])
        except GONE:  # Busy: the connection is being closed, by the task that says so to its peer.
            await self.protocol.handle(Closed())
            self._end_reading()
            await trio.lowlevel.checkpoint()  # An application that does not listen must not spin.
        finally:
            self.send_lock.release()

    def _write_now(self, data: memoryview) -> int:
        """Bytes that the system takes at once: nearly always all of a finished response, so that nobody has to wait.

        Only for those: who sends without end must give up its turn now and then, and ``send_all`` sees to that.
        """
        finished = self._response_state() in (h11.DONE, h11.MUST_CLOSE)
        if not finished or len(data) > HOLD or not isinstance(self.stream, trio.SocketStream):
            return 0
        try:
            return os.write(self.stream.socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def _write(self, data: memoryview) -> None:
        # Shielded as hypercorn's: an application's own timeout must not cut a response in two.
        with trio.CancelScope(shield=True) as self._writing:
            for start in range(0, len(data), HOLD):
                self._writing.deadline = min(trio.current_time() + WRITE_TIMEOUT, self._cut_at)
                await self.stream.send_all(data[start : start + HOLD])
        if self._writing.cancelled_caught:
            await trio.aclose_forcefully(self.stream)
            raise trio.BrokenResourceError

    def finish(self, cut_at: float) -> None:
        """Close: at once when idle or still in its TLS handshake, else after the response that runs, which says so.

        Writes end at ``cut_at``.
        """
        self._cut_at = cut_at
        self._writing.deadline = min(self._writing.deadline, cut_at)
        self.keep_alive.expire_if_idle()
        self._lingering.cancel()
        if not hasattr(self, "protocol"):
            self._greeting.cancel()
        elif not isinstance(self.protocol.protocol, H2Protocol):
            # The last request that it may have: its response gets ``Connection: close``.
            self.protocol.protocol.keep_alive_requests = self.config.keep_alive_max_requests

    async def _read_data(self) -> None:
        late: bytes | bytearray = b""
        while True:
            reading, first, late = self.keep_alive.scope, late, b""
            with reading, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                late = await self._read(reading, first)
            if not reading.cancel_called or not self.keep_alive.extend():
                break
            late = late or await self._arrived()
            if not late:
                break
        self._pinging.cancel()
        await self.protocol.handle(Closed())
        if reading.cancelled_caught or late:
            if self._is_unread():
                await self._linger()
            await self._close()

    async def _read(self, reading: trio.CancelScope, first: bytes | bytearray) -> bytes | bytearray:
        """Hand on what comes; what came when the time for it was just over is given back."""
        if first:
            await self.protocol.handle(RawData(bytes(first)))
        while data := await self._receive():
            if reading.deadline > -inf and reading.cancel_called:
                return data
            await self.protocol.handle(RawData(bytes(data)))
        await self.protocol.handle(RawData(b""))
        return b""

    async def _arrived(self) -> bytes | bytearray:
        """What waits to be read."""
        with trio.move_on_after(ARRIVED), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            return await self.stream.receive_some(MAX_RECV)
        return b""

    async def _receive(self) -> bytes | bytearray:
        """What the peer sent; nothing when it ended, or left its request's body unfinished for too long."""
        if self._request_state() is not h11.SEND_BODY:
            return await self.stream.receive_some(MAX_RECV)
        with trio.move_on_after(self.config.read_timeout or READ_TIMEOUT):
            return await self.stream.receive_some(MAX_RECV)
        return b""

    def _is_unread(self) -> bool:
        """Whether an HTTP/1 request was answered before it had come whole, or is none."""
        return self._request_state() in (h11.SEND_BODY, h11.ERROR)

    async def _linger(self) -> None:
        """Take what is still on its way, and keep nothing of it: a close with unread bytes tears the answer away."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError), self._lingering:
            self._lingering.deadline = min(trio.current_time() + LINGER, self._cut_at)
            while await self.stream.receive_some(MAX_RECV):
                pass

    async def _end_sending(self) -> None:
        # Shielded: an application may cancel its own tasks when it hears that its request is over, and one of them is
        # closing here (quart-trio, when it answers before the body has come). Half closed, the client would wait.
        with trio.CancelScope(shield=True):
            await self.flush()
        if isinstance(self.stream, trio.abc.HalfCloseableStream):
            with trio.move_on_after(CLOSE_TIMEOUT, shield=True), suppress(*GONE):
                await self.stream.send_eof()

    async def _close(self) -> None:
        await self._end_sending()
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await self.stream.aclose()
