"""No request gets an answer that is not its own, whatever a server sends, and when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import trio

from tests.receivers import OK, Authority, client, failing, read_request, serving
from wagate.http import HttpClient, ProtocolError
from wagate.http.idle import is_reusable
from wagate.http.stream import MOST_INFORMATIONAL, Stream

pytestmark = pytest.mark.usefixtures("way")

FOREIGN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

BEHIND = {
    "a second answer": (OK, FOREIGN),
    "a second answer after a failure": (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok", FOREIGN),
    "more body than announced": (OK, b"foreign"),
    "garbage": (OK, b"\x00\xff\r\n\r\n"),
    "a blank line": (OK, b"\r\n"),
    "half a head": (OK, b"HTTP/1.1 200 OK\r\nContent-Le"),
    "an informational answer": (OK, CONTINUE),
    "an answer behind chunks": (CHUNKED + b"\r\n", FOREIGN),
    "an answer behind trailers": (CHUNKED + b"X-Sum: 1\r\n\r\n", FOREIGN),
    "an answer behind informational ones": (CONTINUE * 2 + OK, FOREIGN),
    "an answer behind a 204": (b"HTTP/1.1 204 No Content\r\n\r\n", FOREIGN),
    "a body behind a 204": (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", b"foreign"),
    "a body behind a 204 that says none": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b"foreign"),
    "chunks behind a 204": (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"7\r\nforeign\r\n0\r\n\r\n"),
    "a body behind a 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"foreign"),
    "a body behind HEAD": (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b"foreign"),
    "an answer of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", FOREIGN),
    "an answer behind both framings": (CHUNKED[:17] + b"Content-Length: 2\r\n" + CHUNKED[17:] + b"\r\n", FOREIGN),
    "an answer behind the last": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", FOREIGN),
}
"""An answer, and what comes behind it."""

BROKEN = {
    "junk for a trailer": CHUNKED + b"junk\r\n\r\n" + FOREIGN,
    "a chunk that is longer than it says": CHUNKED.replace(b"2\r\nok", b"1\r\nok") + b"\r\n" + FOREIGN,
    "a chunk that goes on in another answer": CHUNKED.replace(b"2\r\nok\r\n0\r\n", b"2\r\nok\r\nzz\r\n") + FOREIGN,
}
"""Answers whose status is told and whose body is not whole."""

NONE = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\nok" + FOREIGN,
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok" + FOREIGN,
    "an unknown framing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok" + FOREIGN,
    "garbage first": b"what?\r\n\r\n" + FOREIGN,
    "a blank line first": b"\r\n" + FOREIGN,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + FOREIGN,
    "too many informational": CONTINUE * (MOST_INFORMATIONAL + 1) + FOREIGN,
}
"""What is no answer at all."""


class Rude:
    """Answers the request ``first`` as it likes, and every other one with its own body."""

    def __init__(self, answer: bytes, behind: bytes = b"", *, late: bool = False) -> None:
        self.answer = answer
        self.behind = behind
        self.late = late
        self.go_on = trio.Event()
        self.got: list[bytes] = []

    async def __call__(self, stream: trio.abc.Stream) -> None:
        while (request := await read_request(stream)) is not None:
            body = request.partition(b"\r\n\r\n")[2]
            self.got.append(body)
            if body != b"first":
                await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                continue
            await stream.send_all(self.answer + (b"" if self.late else self.behind))
            if self.late:
                await self.go_on.wait()
                await stream.send_all(self.behind)


class Slow(Stream):
    """A stream on which ``moment`` happens between the choice of the connection and the request's first byte."""

    moment: ClassVar[Callable[[Stream], object] | None] = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        moment, Slow.moment = Slow.moment, None
        if moment is not None:
            moment(self)
            await until_readable(self)
        await super().write(buffer, timeout)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[Slow]:
    monkeypatch.setattr("wagate.http.backend.Stream", Slow)
    monkeypatch.setattr(Slow, "moment", None)
    return Slow


async def until_readable(stream: Stream) -> None:
    with trio.fail_after(60):
        while not stream.get_extra_info("is_readable"):
            await trio.sleep(0.001)


async def own_answers(http: HttpClient, url: str, rude: Rude) -> None:
    """What comes next gets its own answer, and leaves once."""
    before = len(rude.got)
    for body in (b"second", b"third"):
        answer = await http.request("POST", url, content=body, timeout=60)
        assert (answer.status, answer.body, answer.truncated) == (200, body, False)
    assert rude.got[before:] == [b"second", b"third"]


async def first(http: HttpClient, url: str, name: str = "") -> tuple[int, bytes, bool]:
    method = "HEAD" if "HEAD" in name else "POST"
    answer = await http.request(method, url, content=b"first", timeout=60)
    return answer.status, answer.body, answer.truncated


def meant(answer: bytes) -> tuple[int, bytes, bool]:
    """Status and body of the answers above."""
    final = answer.replace(CONTINUE, b"")
    return int(final[9:12]), b"ok" if b"ok" in final else b"", False


@pytest.mark.parametrize("name", BEHIND)
async def test_what_comes_behind_an_answer_is_no_answer(name: str) -> None:
    answer, behind = BEHIND[name]
    rude = Rude(answer, behind)
    async with serving(rude) as server, client() as http:
        assert await first(http, server.url(), name) == meant(answer)
        await own_answers(http, server.url(), rude)
        assert server.connections == 2


@pytest.mark.parametrize("name", BEHIND)
async def test_what_comes_when_the_connection_is_idle_is_no_answer(name: str) -> None:
    answer, behind = BEHIND[name]
    rude = Rude(answer, behind, late=True)
    async with serving(rude) as server, client() as http:
        assert await first(http, server.url(), name) == meant(answer)
        rude.go_on.set()
        with trio.fail_after(60):
            while any(not kept.has_expired() for kept in http._idle._all):
                await trio.sleep(0.001)
        await own_answers(http, server.url(), rude)
        assert server.connections == 2


@pytest.mark.parametrize("name", BEHIND)
async def test_what_comes_before_the_next_request_leaves_is_no_answer(name: str, slow: type[Slow]) -> None:
    answer, behind = BEHIND[name]
    rude = Rude(answer, behind, late=True)
    async with serving(rude) as server, client() as http:
        assert await first(http, server.url(), name) == meant(answer)
        if len(http._idle):
            slow.moment = lambda _: rude.go_on.set()
        await own_answers(http, server.url(), rude)
        assert slow.moment is None
        assert server.connections == 2


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_breaks_off_is_its_connections_last(name: str) -> None:
    rude = Rude(BROKEN[name])
    async with serving(rude) as server, client() as http:
        status, body, truncated = await first(http, server.url())
        assert (status, body[:1], truncated) == (200, b"o", True)
        await own_answers(http, server.url(), rude)
        assert server.connections == 2


@pytest.mark.parametrize("name", NONE)
async def test_what_is_no_answer_is_a_protocol_error_and_the_connections_last(name: str) -> None:
    rude = Rude(NONE[name])
    async with serving(rude) as server, client() as http:
        error = await failing(http, server.url(), content=b"first")
        assert isinstance(error, ProtocolError)
        assert error.sent
        await own_answers(http, server.url(), rude)
        assert server.connections == 2


# Before the request


async def test_an_answer_that_is_there_before_the_request_is_none(slow: type[Slow]) -> None:
    got: list[bytes] = []

    async def hasty(stream: trio.SocketStream) -> None:
        await stream.send_all(FOREIGN)
        got.append(await read_request(stream) or b"")

    async with serving(hasty) as server, client() as http:
        slow.moment = lambda _: None
        error = await failing(http, server.url(), content=b"first")
    assert error.reason == "Protocol error: an answer came before the request"
    assert not error.sent
    assert got in ([], [b""])


async def test_an_early_answer_counts_and_is_its_connections_last() -> None:
    async def too_large(stream: trio.SocketStream) -> None:
        if server.connections > 1:
            await read_request(stream)
            await stream.send_all(OK)
            return
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        while await stream.receive_some(65536):
            pass

    async with serving(too_large) as server, client() as http:
        early = await http.request("POST", server.url(), content=b"x" * 16_000_000, timeout=60)
        assert early.status == 413
        assert (await http.request("POST", server.url(), content=b"second", timeout=60)).body == b"ok"
        assert server.connections == 2


async def test_a_large_request_that_was_taken_before_its_answer_keeps_the_connection() -> None:
    rude = Rude(OK)
    large = b"x" * 2_000_000
    async with serving(rude) as server, client() as http:
        for _ in range(2):
            assert (await http.request("POST", server.url(), content=large, body_limit=len(large))).body == large
        assert (len(rude.got), server.connections) == (2, 1)


async def test_a_request_that_still_waits_here_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second wall: should a connection with bytes in the parser ever be kept, it is seen when they are taken."""
    monkeypatch.setattr("wagate.http.client.is_reusable", lambda *_: True)
    rude = Rude(OK, FOREIGN)
    async with serving(rude) as server, client() as http:
        assert await first(http, server.url()) == (200, b"ok", False)
        answer = await http.request("POST", server.url(), content=b"second", timeout=60)
        assert answer.body == b"second"
        assert rude.got == [b"first", b"second"]


# Under TLS


class Gathering(trio.abc.SendStream):
    """Lets what was written leave as one piece: several records in one packet."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.held = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.held += bytes(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await self.stream.aclose()


@pytest.mark.parametrize("when", ["in one record", "in a record of its own", "when idle"])
async def test_bytes_behind_an_answer_are_seen_under_tls(when: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    rude = Rude(OK, FOREIGN, late=when != "in one record")
    if when == "in a record of its own":
        rude.go_on.set()

    async def serve(wire: trio.SSLStream[trio.SocketStream]) -> None:
        await wire.do_handshake()
        if when == "in a record of its own" and server.connections == 1:
            await together(wire, await read_request(wire) or b"")
        else:
            await rude(wire)

    async def together(wire: trio.SSLStream[trio.SocketStream], request: bytes) -> None:
        rude.got.append(request[-5:])
        below = wire.transport_stream
        gathering = Gathering(below)
        wire.transport_stream = gathering  # type: ignore[assignment]
        await wire.send_all(OK)
        await wire.send_all(FOREIGN)
        wire.transport_stream = below
        await below.send_all(gathering.held)
        await wire.receive_some(1)

    async with serving(serve, authority.server("127.0.0.1")) as server, client(ca_file=authority.file) as http:
        url = server.url(scheme="https")
        assert await first(http, url) == (200, b"ok", False)
        if when == "when idle":
            [kept] = http._idle._all
            rude.go_on.set()
            with trio.fail_after(60):
                while not kept.has_expired():
                    await trio.sleep(0.001)
        else:
            assert len(http._idle) == 0
        await own_answers(http, url, rude)
        assert server.connections == 2


# httpx behind the guard


async def test_guarded_httpx_keeps_no_connection() -> None:
    rude = Rude(OK, FOREIGN)
    async with serving(rude) as server, client() as http, http.guarded_httpx() as httpx:
        for body in (b"first", b"second", b"third"):
            answer = await httpx.post(server.url(), content=body)
            assert answer.content == (b"ok" if body == b"first" else body)
        assert (rude.got, server.connections) == ([b"first", b"second", b"third"], 3)


async def test_a_parser_that_is_not_found_means_no_reuse(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []

    def without_parser(connection: object, *rest: object) -> bool:
        monkeypatch.delattr(connection, "_h11_state")
        kept.append(is_reusable(connection, *rest))  # type: ignore[arg-type]
        return False

    monkeypatch.setattr("wagate.http.client.is_reusable", without_parser)
    async with serving(Rude(OK)) as server, client() as http:
        await http.request("POST", server.url(), content=b"x")
    assert kept == [False]


async def test_without_a_parser_to_be_found_each_request_has_its_own_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wagate.http.direct.left_in_parser", lambda _: True)
    monkeypatch.setattr("wagate.http.idle.left_in_parser", lambda _: True)
    rude = Rude(OK)
    async with serving(rude) as server, client() as http:
        await own_answers(http, server.url(), rude)
        assert server.connections == 2
