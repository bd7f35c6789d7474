"""The command line's questions to a gateway get their own answers."""

from __future__ import annotations

from typing import Any

import trio

from tests.receivers import read_request, serving
from wagate.cli.gateway import required
from wagate.cli.options import Call


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_an_answer_behind_another_is_not_the_next_questions() -> None:
    asked: list[bytes] = []

    async def twice(stream: trio.SocketStream) -> None:
        while (request := await read_request(stream)) is not None:
            path = request.split(b" ")[1]
            asked.append(path)
            await stream.send_all(answer(b'"%b"' % path) + answer(b'"foreign"'))

    def ask(url: str) -> list[Any]:
        with required(Call(url=url, token="a token of some length")) as gateway:
            return [gateway.ask("GET", path) for path in ("/a", "/b", "/c")]

    async with serving(twice) as server:
        assert await trio.to_thread.run_sync(ask, server.url("")) == ["/a", "/b", "/c"]
    assert asked == [b"/a", b"/b", b"/c"]
