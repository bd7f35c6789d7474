"""A proxy that speaks SOCKS 5: named like one by HTTP, refused in words, and one client for each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio

from tests.receivers import OK, Authority, Handler, Names, answering, client, failing, serving
from wagate.http.errors import AddressNotAllowedError
from wagate.http.guard import Guard
from wagate.http.proxy import read_proxy
from wagate.http.resolve import Resolver

NAMED = b"\1\1u\1p"


async def exactly(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += await stream.receive_some(size - len(got))
    return got


def proxying(asked: list[str], *, way: int = 2, refused: int = 0, code: int = 0) -> Handler:
    """A proxy; ``way``: how it wants one to sign in. Each answer comes byte by byte."""

    async def say(stream: trio.abc.SendStream, answer: Sequence[int]) -> None:
        for each in answer:
            await stream.send_all(bytes((each,)))

    async def handle(stream: trio.SocketStream | trio.SSLStream) -> None:
        await exactly(stream, (await exactly(stream, 2))[1])
        await say(stream, (5, way))
        if way == 2:
            assert await exactly(stream, len(NAMED)) == NAMED
            await say(stream, (1, refused))
        kind = (await exactly(stream, 4))[3]
        host = await exactly(stream, (await exactly(stream, 1))[0]) if kind == 3 else b"an address"
        port = int.from_bytes(await exactly(stream, 2), "big")
        asked.append(host.decode())
        await say(stream, (5, code, 0, 3, 1, 65, 0, 0) if not code else (5, code, 0, 1, 0, 0, 0, 0, 0, 0))
        if code:
            return
        upstream = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, stream, upstream)
            nursery.start_soon(pump, upstream, stream)

    return handle


async def pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
        while data := await source.receive_some(65536):
            await sink.send_all(data)
    await sink.aclose()


async def test_the_name_goes_to_the_proxy_once_it_was_judged_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    ca, asked = Authority(tmp_path_factory.mktemp("ca")), list[str]()
    names = Names(hook_test=[["93.184.216.34"]], in_test=[["10.0.0.1"]])
    options = {"guard": Guard(), "resolver": Resolver(names, deadline=60), "ca_file": ca.file}
    async with (
        serving(proxying(asked)) as proxy,
        serving(answering(OK), ca.server("hook.test")) as server,
        client(**options) as plain,
    ):
        http = plain.through(f"socks5://u:p@127.0.0.1:{proxy.port}")
        assert plain.through("") is plain
        assert plain.through(f"socks5://u:p@127.0.0.1:{proxy.port}") is http
        url = server.url(host="hook.test", scheme="https")
        for _ in range(2):
            assert (await http.request("POST", url, content=b"x")).body == b"ok"
        assert (proxy.connections, server.connections, asked) == (1, 1, ["hook.test"])
        assert isinstance(await failing(http, "https://in.test/"), AddressNotAllowedError)
        async with http.guarded_httpx() as httpx_client:
            assert (await httpx_client.get(url)).text == "ok"
        assert (proxy.connections, asked) == (2, ["hook.test"] * 2)


@pytest.mark.parametrize("told", [{"way": 255}, {"refused": 1}, {"code": 5}])
async def test_a_proxy_that_says_no_was_asked_for_nothing(told: dict[str, int]) -> None:
    names = Names(hook_test=[["127.0.0.1"]])
    async with (
        serving(proxying([], **told)) as proxy,
        serving(answering(OK)) as server,
        client(resolver=Resolver(names, deadline=60), proxy=f"socks5://u:p@127.0.0.1:{proxy.port}") as http,
    ):
        error = await failing(http, server.url(host="hook.test"))
        assert (error.reason, error.sent) == ("ECONNREFUSED: the proxy answered no", False)
        assert server.connections == 0


def test_a_proxys_url_is_looked_at() -> None:
    with pytest.raises(ValueError, match="at most 255 bytes"):
        read_proxy(f"socks5://u:{'p' * 256}@a:1")
    assert read_proxy(f"http://u:{'p' * 256}@a:1").hostname == "a"
