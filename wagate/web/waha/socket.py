"""``/ws``: WAHA's WebSocket. Source: https://waha.devlike.pro/docs/how-to/events/#websockets, and WAHA's gateway."""

from __future__ import annotations

import msgspec
import trio
from quart import Blueprint, g, websocket

from wagate import __version__
from wagate.events import Event
from wagate.parsing.waha import envelope
from wagate.web.access.guard import LISTENING
from wagate.web.waha.desk import Desk
from wagate.web.waha.listeners import EVERY, Listener, Listeners, Wish

GOING_AWAY, REVOKED, TOO_SLOW = 1001, 1008, 1013
"""Close codes (RFC 6455): the process stops; the token ended; it read too slowly, and should come again."""


def socket_routes(desk: Desk, listeners: Listeners) -> Blueprint:
    """The WebSocket alone."""
    routes = Blueprint("waha_socket", __name__)

    @routes.websocket(LISTENING)
    async def listen() -> None:
        """One envelope a message; what comes is ignored."""
        with listeners.listen(_wish(desk)) as listener:
            await listeners.looked(listener)
            await websocket.accept()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ignore_what_comes)
                code, reason = await _tell(desk, listener)
                nursery.cancel_scope.cancel()
            await websocket.close(code, reason)

    return routes


async def _tell(desk: Desk, listener: Listener) -> tuple[int, str]:
    """Send what there is until there is a reason to close, with its code."""
    while True:
        await desk.clock.wait(listener.wake, EVERY)
        while True:
            if listener.closed:
                return GOING_AWAY, "the gateway is stopping"
            if not g.allowed():
                return REVOKED, "the token is no longer valid"
            if listener.behind:
                return TOO_SLOW, "events arrive faster than you read them"
            event = listener.take()
            if event is None:
                break
            await websocket.send(_shown(desk, event, listener.wish))


def _wish(desk: Desk) -> Wish:
    """What the query asks for. NotFoundError when the session is none of the token's."""
    session = websocket.args.get("session") or "*"
    account = None if session == "*" else desk.account(session)
    given = ",".join(websocket.args.getlist("events")) or "*"
    return Wish(
        frozenset(each.strip() for each in given.split(",")),
        client_id=desk.auth.identity().client_id,
        account_id=None if account is None else account.id,
    )


def _shown(desk: Desk, event: Event, wish: Wish) -> str:
    shown = envelope(
        event,
        name=wish.name_of(event) or event.kind,
        delivery_id=event.id,
        created_at=event.created_at,
        version=__version__,
        media=desk.file_of(event),
    )
    return msgspec.json.encode(shown).decode()


async def _ignore_what_comes() -> None:
    """Unread messages would keep the close from being seen."""
    while True:
        await websocket.receive()
