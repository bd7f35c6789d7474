"""HTTP/2 without a network: a peer that opens no window for an answer."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import trio

from tests.served import KEEP_ALIVE, served
from wagate.web.http.protocols import WRITE_TIMEOUT


async def stream_without_end(scope: Any, receive: Any, send: Any) -> None:
    """Until the client is gone, as a framework does."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})

        nursery.start_soon(write)
        while (await receive())["type"] != "http.disconnect":
            pass
        nursery.cancel_scope.cancel()


async def short(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hi"})


async def until_reset(app: Any) -> float:
    """Ask with a window of nothing; the seconds until the stream is reset, and the connection has ended after it."""
    async with served(app) as one:
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        protocol.initiate_connection()
        protocol.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        headers = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/")]
        protocol.send_headers(1, headers, end_stream=True)
        await one.client.send_all(protocol.data_to_send())
        began, reset_after = trio.current_time(), 0.0
        while data := await one.client.receive_some():
            for event in protocol.receive_data(data):
                if isinstance(event, h2.events.StreamReset):
                    reset_after = trio.current_time() - began
            await one.client.send_all(protocol.data_to_send())
        assert trio.current_time() - began <= reset_after + KEEP_ALIVE + 0.1
        return reset_after


async def test_a_stream_that_takes_nothing_is_reset_and_its_connection_ends(autojump_clock: Any) -> None:
    for app in (stream_without_end, short):
        assert await until_reset(app) == pytest.approx(WRITE_TIMEOUT, abs=1)
