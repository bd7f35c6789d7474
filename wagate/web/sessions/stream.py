"""``/api/whatsapp/session/stream``: every change of a session, as Server-Sent Events or over a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Literal

import msgspec
import trio
from quart import Blueprint, Response, g, websocket

from wagate.clock import Clock
from wagate.errors import NotFoundError
from wagate.hooks.routes import endpoint
from wagate.web.access.streams import Streams, begun
from wagate.web.sessions.hub import SessionHub, Watcher
from wagate.web.sessions.routes import PREFIX, ListAnswer, Scope, Sessions, StatusAnswer

HEARTBEAT = 15.0
"""Seconds; proxies cut connections that are silent for longer than a minute or so."""


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which sessions."""

    session_id: str | None = None
    """Only this one."""
    user_id: str | None = None
    """Only this client's, by slug or id."""


class Gone(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session that was deleted."""

    success: Literal[True] = True
    session_id: str


class Update(msgspec.Struct, frozen=True):
    """What a watcher gets."""

    event: Annotated[str, msgspec.Meta(examples=["snapshot", "session", "gone", "heartbeat"])]
    body: ListAnswer | StatusAnswer | Gone | None


class SessionStream:
    """First a snapshot, then each session that changed, as it is when it is sent."""

    def __init__(self, sessions: Sessions, hub: SessionHub, clock: Clock, *, most: int) -> None:
        """``most``: streams at once for one client, or one view token's session."""
        self._streams = Streams(most)
        self._sessions = sessions
        self._hub = hub
        self._clock = clock

    async def tell(self, scope: Scope, only: str | None, allowed: Callable[[], bool]) -> AsyncGenerator[Update, None]:
        """Until the process stops, or the token ends; a heartbeat when nothing happens.

        At the start: NotFoundError; TooManyRequestsError, but the admin may have any number.
        """
        who = None if scope.client_id is None else (scope.client_id, scope.viewed)
        with self._streams.one(who), self._hub.watch() as watcher:
            await self._hub.looked()
            snapshot = await self._snapshot(scope, only)
            seen = {view.session_id for view in snapshot.data} if isinstance(snapshot, ListAnswer) else {only or ""}
            yield Update("snapshot", snapshot)
            sent_at = self._clock.monotonic()
            while await self._woken(watcher, sent_at + HEARTBEAT, allowed):
                for name in watcher.take():
                    update = await self._changed(name, scope, seen) if only in {None, name} else None
                    if update is not None:
                        yield update
                        sent_at = self._clock.monotonic()
                # What happens to others is no reason to beat: they don't even learn that something happened.
                if self._clock.monotonic() >= sent_at + HEARTBEAT:
                    yield Update("heartbeat", None)
                    sent_at = self._clock.monotonic()

    async def _woken(self, watcher: Watcher, until: float, allowed: Callable[[], bool]) -> bool:
        """Wait for something to tell, or until it is time to beat; False when there is nothing more to tell, ever."""
        await self._clock.wait(watcher.wake, until - self._clock.monotonic())
        return not watcher.closed and allowed()

    async def _snapshot(self, scope: Scope, only: str | None) -> ListAnswer | StatusAnswer:
        return await (self._sessions.all(scope) if only is None else self._sessions.one(only, scope))

    async def _changed(self, name: str, scope: Scope, seen: set[str]) -> Update | None:
        try:
            answer = await self._sessions.one(name, scope)
        except NotFoundError:
            # Deleted; or another client's, and then not even its name is shown.
            if name not in seen:
                return None
            seen.discard(name)
            return Update("gone", Gone(session_id=name))
        seen.add(name)
        return Update("session", answer)


def stream_routes(sessions: Sessions, stream: SessionStream) -> Blueprint:
    """The same stream in two forms."""
    routes = Blueprint("session_stream", __name__)

    @routes.get(f"{PREFIX}/stream")
    @endpoint(query=StreamQuery, answers={200: None}, problems=(404, 429), media_type="text/event-stream")
    async def events(query: StreamQuery) -> Response:
        """Server-Sent Events: `snapshot` at first, then `session` or `gone` for every change; comments in between."""
        scope = sessions.scope(query.user_id)
        updates = await begun(as_events(stream.tell(scope, query.session_id, g.allowed)))
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        response = Response(updates, headers=headers, content_type="text/event-stream; charset=utf-8")
        response.timeout = None
        return response

    @routes.websocket(f"{PREFIX}/stream")
    async def socket() -> None:
        """One JSON object a message: `event`, beside the fields that the same Server-Sent Event has."""
        query = msgspec.convert(dict(websocket.args), StreamQuery)
        scope = sessions.scope(query.user_id)
        async with aclosing(stream.tell(scope, query.session_id, g.allowed)) as updates:
            await websocket.send(as_message(await anext(updates)))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ignore_what_comes)
                async for each in updates:
                    await websocket.send(as_message(each))
                nursery.cancel_scope.cancel()

    return routes


async def as_events(updates: AsyncGenerator[Update, None]) -> AsyncGenerator[bytes, None]:
    """Bytes of Server-Sent Events."""
    async with aclosing(updates):
        async for each in updates:
            if each.body is None:
                yield b": heartbeat\n\n"
            else:
                yield b"event: %b\ndata: %b\n\n" % (each.event.encode(), msgspec.json.encode(each.body))


def as_message(update: Update) -> str:
    """Text of one WebSocket message."""
    body = {} if update.body is None else msgspec.to_builtins(update.body)
    return msgspec.json.encode({"event": update.event} | body).decode()


async def _ignore_what_comes() -> None:
    """Unread messages would keep the close from being seen."""
    while True:
        await websocket.receive()
