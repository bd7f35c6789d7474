"""What a proxy or a handshake comes to before a request leaves: nothing of the request had left, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.receivers import OK, Authority, Handler, Names, answering, client, read_request, serving
from wagate.http import HttpClient, HttpError, NetworkError, TimedOutError, read_proxy
from wagate.http.backend import GuardedBackend
from wagate.http.guard import Guard
from wagate.http.proxy import SocksBackend
from wagate.http.resolve import Resolver
from wagate_chatwoot.api import posts

Ask = Callable[[HttpClient, str], Awaitable[object]]
SMALL = posts.BytesFile(filename="a", mimetype="text/plain", body=b"x")
MIDDLE = posts.BytesFile(filename="a", mimetype="text/plain", body=bytes(300_000))
LARGE = posts.BytesFile(filename="a", mimetype="text/plain", body=bytes(32 * 1024 * 1024))


async def posting(http: HttpClient, url: str, *, content: bytes = b"x") -> object:
    return await http.request("POST", url, content=content, timeout=posts._PATIENCE, trust="operator")


async def uploading(http: HttpClient, url: str, *, file: posts.BytesFile = SMALL) -> object:
    return await posts.upload(http, url, headers={}, fields={}, files=[file])


WAYS = pytest.mark.parametrize("ask", [posting, uploading])


async def failing(ask: Ask, http: HttpClient, url: str) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await ask(http, url)
    return caught.value


def saying(*answers: bytes, then: str = "waits") -> Handler:
    """Reads something before each answer; then it waits, or hangs up."""

    async def handle(stream: trio.abc.Stream) -> None:
        for each in answers:
            await stream.receive_some(65536)
            await stream.send_all(each)
        if then == "waits":
            await trio.sleep_forever()
        with trio.move_on_after(0.1):  # closed with something unread, it would be reset
            await stream.receive_some(65536)

    return handle


@asynccontextmanager
async def through(scheme: str, proxy: Handler) -> AsyncIterator[HttpClient]:
    """A client that knows one name, by such a proxy."""
    names = Names(hook_test=[["127.0.0.1"]])
    async with (
        serving(proxy) as server,
        client(resolver=Resolver(names, deadline=60), proxy=f"{scheme}://127.0.0.1:{server.port}") as http,
    ):
        yield http


CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"
STALLS = [
    ("socks5", ()),
    ("socks5", (b"\5\0",)),
    ("socks5", (b"\5\0", b"\5\0\0\1\0\0\0\0\0\0")),  # the target's handshake
    ("http", ()),
    ("http", (CONNECTED[:9],)),
    ("http", (CONNECTED,)),  # the target's handshake
    ("https", ()),  # the proxy's own handshake
]


@WAYS
@pytest.mark.parametrize(("scheme", "answers"), STALLS)
async def test_nothing_left_while_a_proxy_stalls(
    ask: Ask, scheme: str, answers: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "_PATIENCE", 0.3)
    async with through(scheme, saying(*answers)) as http:
        error = await failing(ask, http, "https://hook.test/")
    assert isinstance(error, TimedOutError)
    assert not error.sent


REFUSALS = [
    ("socks5", (b"\5\0", b"\5\5\0\1\0\0\0\0\0\0")),
    ("socks5", (b"\5",)),
    ("socks5", (b"\5\0", b"\5\0\0\2\0\0\0\0\0\0")),  # an address of a kind that is none
    ("http", (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",)),
    ("http", (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",)),
    ("http", (b"what?\r\n\r\n",)),
    ("http", ()),
    ("http", (CONNECTED, b"no TLS")),
    ("https", (b"no TLS",)),
]


@WAYS
@pytest.mark.parametrize(("scheme", "answers"), REFUSALS)
async def test_nothing_left_when_a_proxy_refuses(ask: Ask, scheme: str, answers: Sequence[bytes]) -> None:
    async with through(scheme, saying(*answers, then="hangs up")) as http:
        assert not (await failing(ask, http, "https://hook.test/")).sent


@WAYS
async def test_a_proxy_that_wants_a_password_passed_nothing_on(ask: Ask) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with through("http", answering(refusal)) as http:
        error = await failing(ask, http, "http://hook.test/")
    assert isinstance(error, NetworkError)
    assert (error.reason, error.sent) == ("ECONNREFUSED: the proxy answered 407", False)
    async with serving(answering(refusal)) as server, client() as http:
        assert (await http.request("POST", server.url())).status == 407  # no proxy's


@WAYS
async def test_nothing_left_without_a_connection(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    names = Resolver(Names(right_test=[["127.0.0.1"]]), deadline=60)
    async with client(ca_file=authority.file, resolver=names) as http:
        async with serving(answering(OK)) as server:
            pass
        assert not (await failing(ask, http, server.url())).sent
        assert not (await failing(ask, http, "https://gone.test/")).sent
        async with serving(answering(OK), authority.server("other.test")) as server:
            error = await failing(ask, http, server.url(host="right.test", scheme="https"))
            assert "certificate verify failed" in error.reason
            assert not error.sent
        monkeypatch.setattr(posts, "_PATIENCE", 0.3)
        async with serving(saying()) as server:
            assert not (await failing(ask, http, server.url(scheme="https"))).sent


@pytest.mark.parametrize("ask", [partial(posting, content=LARGE.body), partial(uploading, file=LARGE)])
@pytest.mark.parametrize("how", ["breaks off", "stalls"])
async def test_a_request_of_which_half_was_sent_was_not_sent(
    ask: Ask, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(posts, "_PATIENCE", 0.5 if how == "stalls" else 30.0)
    monkeypatch.setattr(posts, "_SLOWEST", 1 << 40)

    async def rude(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        if how == "stalls":
            await trio.sleep_forever()

    authority = Authority(tmp_path)
    names = Resolver(Names(hook_test=[["127.0.0.1"]]), deadline=60)
    async with (
        serving(rude) as plain,
        serving(rude, authority.server("hook.test")) as secret,
        client(ca_file=authority.file, resolver=names) as http,
    ):
        for url in (plain.url(), secret.url(host="hook.test", scheme="https")):
            error = await failing(ask, http, url)
            assert isinstance(error, TimedOutError) == (how == "stalls")
            assert not error.sent


@pytest.mark.parametrize("ask", [partial(posting, content=MIDDLE.body), partial(uploading, file=MIDDLE)])
async def test_a_large_request_that_left_wholly_was_sent(ask: Ask) -> None:
    async def rude(stream: trio.abc.Stream) -> None:
        await read_request(stream)

    async with serving(rude) as server, client() as http:
        assert (await failing(ask, http, server.url())).sent


@WAYS
async def test_no_answer_leaves_it_open(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "_PATIENCE", 1.5)

    async def silent(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        await trio.sleep_forever()

    async def rude(stream: trio.abc.Stream) -> None:
        await read_request(stream)

    async with serving(silent) as quiet, serving(rude) as closing, client() as http:
        assert (await failing(ask, http, quiet.url())).sent
        assert (await failing(ask, http, closing.url())).sent
    async with through("socks5", saying(b"\5\0", b"\5\0\0\1\0\0\0\0\0\0")) as http:
        assert (await failing(ask, http, "http://hook.test/")).sent
    async with through("http", saying()) as http:
        assert (await failing(ask, http, "http://hook.test/")).sent  # for the proxy to pass on


async def test_the_time_to_connect_holds_for_what_a_proxy_is_asked() -> None:
    """A library's time, in its own words; ours holds for all of the request."""

    async def dribbling(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        for each in b"\5\0\5\0\0\3\xff" + bytes(257):
            await stream.send_all(bytes((each,)))
            await trio.sleep(0.1)

    async with serving(dribbling) as proxy:
        inner = GuardedBackend(Guard(), Resolver(Names()), "operator")
        backend = SocksBackend(read_proxy(f"socks5://127.0.0.1:{proxy.port}"), inner)
        with trio.fail_after(10), pytest.raises(Exception, match="no connection through the proxy in time"):
            await backend.connect_tcp("hook.test", 443, timeout=0.5)
        with pytest.raises(Exception, match="no: a name of more than 255 bytes"):
            await backend.connect_tcp("a" * 256, 443)
