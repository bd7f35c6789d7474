"""Informational answers (1xx): passed over, and not for ever."""

from __future__ import annotations

import pytest
import trio

from tests.receivers import OK, client, failing, read_request, serving
from wagate.http.stream import MOST_INFORMATIONAL

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_informational_answers_are_passed_over(piece: int) -> None:
    wire = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * MOST_INFORMATIONAL + OK

    async def hinting(stream: trio.SocketStream) -> None:
        while await read_request(stream):
            for start in range(0, len(wire), piece):
                await stream.send_all(wire[start : start + piece])

    async with serving(hinting) as server, client() as http:
        for _ in range(2):
            answer = await http.request("POST", server.url(), content=b"x", timeout=60)
            assert (answer.status, answer.body) == (200, b"ok")
        assert server.connections == 1


async def test_endless_informational_answers_end_at_once() -> None:
    gone = trio.Event()

    async def endless(stream: trio.SocketStream) -> None:
        await read_request(stream)
        try:
            while True:
                await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        finally:
            gone.set()

    async with serving(endless) as server, client() as http:
        error = await failing(http, server.url())
        assert error.reason == f"Protocol error: more than {MOST_INFORMATIONAL} informational answers"
        with trio.fail_after(60):
            await gone.wait()
        assert len(http._idle) == 0
