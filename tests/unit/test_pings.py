"""Whom a WebSocket's pings take for gone."""

from __future__ import annotations

from typing import Any

import trio
from hypercorn.protocol.events import Data, Event, StreamClosed
from trio.testing import MockClock

from wagate.web.http.pings import ping


class Stream:
    """What `ping` needs of hypercorn's; what comes in waits until the app takes it."""

    stream_id = 1

    def __init__(self) -> None:
        self.closed = False
        self.taken = trio.Event()

    async def handle(self, event: Event) -> None:
        await self.taken.wait()

    async def _send_wsproto_event(self, event: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def send(self, event: Event) -> None:
        self.closed = isinstance(event, StreamClosed)


async def test_a_peer_whose_message_waits_for_the_app_is_not_silent(autojump_clock: MockClock) -> None:
    """Its pongs are behind the message: they are read once it is taken, and it has a whole interval from there."""
    stream: Any = Stream()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ping, stream, 10.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(stream.handle, Data(stream_id=1, data=b"a message"))
        await trio.sleep(99)
        assert not stream.closed
        stream.taken.set()
        await trio.sleep(10)
        assert not stream.closed
    assert stream.closed, "then it is silent"
