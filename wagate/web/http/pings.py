"""Pings of a WebSocket, which tell a peer that is silent from one that is gone (RFC 6455, 5.5.2)."""

from __future__ import annotations

from typing import Final

import trio
from hypercorn.protocol.events import Body, Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from wsproto.events import CloseConnection, Ping

NO_PONG: Final = 1011
"""The close code of a peer that answers no ping, as other servers have it."""


async def ping(stream: WSStream, interval: float) -> None:
    """Ping every ``interval`` seconds, until the stream ends; end it when nothing came since the last ping.

    hypercorn takes no notice of what comes back: a peer that went without a word would stay until TCP gives up. While a
    message waits for the app to take it, nothing more is read: that time counts as heard.
    """
    heard = False
    taking = 0
    handle = stream.handle

    async def listening(event: Event) -> None:
        nonlocal heard, taking
        taking += 1
        try:
            await handle(event)
        finally:
            taking -= 1
            heard = heard or isinstance(event, Data | Body)

    stream.handle = listening  # type: ignore[method-assign]
    while not stream.closed:
        heard = False
        await stream._send_wsproto_event(Ping())  # noqa: SLF001  (as its own pings)
        await trio.sleep(interval)
        if not heard and not taking and not stream.closed:
            await stream._send_wsproto_event(CloseConnection(code=NO_PONG, reason="no answer to a ping"))  # noqa: SLF001
            await stream.send(StreamClosed(stream_id=stream.stream_id))
