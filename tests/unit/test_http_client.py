"""The outgoing client against real servers: raw sockets that do what receivers do, and worse."""

from __future__ import annotations

import socket
import struct
import time
import tracemalloc
from itertools import chain, repeat

import pytest
import trio

from tests.receivers import OK, Names, answering, client, failing, read_request, serving
from wagate.http.answer import Response
from wagate.http.client import HttpClient
from wagate.http.errors import (
    NameNotFoundError,
    NetworkError,
    ProtocolError,
    TimedOutError,
)
from wagate.http.resolve import Resolver

# What is sent and what comes back


async def test_a_post_arrives_as_it_was_given_and_the_answer_comes_back() -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello"
    async with serving(answering(answer, seen)) as server, client() as http:
        started = time.perf_counter()
        headers = {"Content-Type": "application/json", "Host": "evil", "Content-Length": "1", "X-Custom": "yes"}
        response = await http.request("POST", server.url("/hook?a=b"), headers=headers, content=b'{"a":1}')
        passed_ms = (time.perf_counter() - started) * 1000
    assert (response.status, response.body, response.truncated) == (201, b"hello", False)
    assert response.headers["x-a"] == "1, 2"
    assert 0 < response.duration_ms <= passed_ms
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook?a=b HTTP/1.1"
    assert body == b'{"a":1}'
    assert b"Host: 127.0.0.1:%d" % server.port in lines
    assert b"Content-Length: 7" in lines
    assert b"X-Custom: yes" in lines
    assert any(line.startswith(b"User-Agent: wagate/") for line in lines)
    assert b"evil" not in head


async def test_a_body_of_many_megabytes_is_sent_whole() -> None:
    seen: list[bytes] = []
    content = bytes(range(256)) * 16384
    async with serving(answering(OK, seen)) as server, client() as http:
        assert (await http.request("POST", server.url(), content=content)).status == 200
    assert seen[0].partition(b"\r\n\r\n")[2] == content


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
async def test_an_error_status_is_an_answer_and_not_an_error(status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n" % status
    async with serving(answering(answer)) as server, client() as http:
        response = await http.request("POST", server.url(), content=b"{}")
    assert response.status == status
    assert response.headers["retry-after"] == "7"


async def test_a_redirect_is_not_followed() -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer, seen)) as server, client() as http:
        assert (await http.request("POST", server.url())).status == 302
    assert len(seen) == 1


async def test_the_environments_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(answering(OK)) as server, client() as http:
        assert (await http.request("POST", server.url())).status == 200
        async with http.guarded_httpx() as httpx_client:
            assert (await httpx_client.get(server.url())).status_code == 200


# The status line decides; the deadline holds for all


async def test_headers_that_do_not_come_in_time_are_a_timeout() -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        await trio.sleep_forever()

    async with serving(silent) as server, client() as http:
        with pytest.raises(TimedOutError) as caught:
            await http.request("POST", server.url(), timeout=0.2)
    assert caught.value.reason == "Connection timeout"


async def test_a_head_that_drips_for_ever_is_cut_at_the_deadline() -> None:
    async def drip(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        for byte in chain(b"HTTP/1.1 200 OK\r\nX-Drip: ", repeat(ord("x"))):
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.05)

    async with serving(drip) as server, client() as http:
        with trio.fail_after(60), pytest.raises(TimedOutError):
            await http.request("POST", server.url(), timeout=0.4)


async def beginning_in_time(http: HttpClient, url: str) -> Response:
    """An answer whose head came before the deadline: with more time where the machine stood still too long."""
    for seconds in (0.4, 2.0, 10.0):
        try:
            return await http.request("POST", url, timeout=seconds)
        except TimedOutError:
            continue
    return await http.request("POST", url, timeout=30)


async def test_a_body_that_drips_for_ever_is_cut_at_the_deadline_and_the_status_holds() -> None:
    async def drip(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        while True:
            await trio.sleep(0.05)
            await stream.send_all(b"x")

    async with serving(drip) as server, client() as http:
        for _ in range(2):
            with trio.fail_after(120):
                response = await beginning_in_time(http, server.url())
            assert (response.status, response.truncated) == (200, True)
            assert response.body.startswith(b"abc")
            assert len(http._idle) == 0


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"],
    ids=["breaks off", "bad chunk"],
)
async def test_a_body_that_fails_midway_changes_nothing(rest: bytes) -> None:
    answer = answering(b"HTTP/1.1 200 OK\r\n" + rest, then_close=True)
    async with serving(answer) as server, client() as http:
        response = await http.request("POST", server.url())
    assert (response.status, response.body, response.truncated) == (200, b"abc", True)


async def test_a_body_over_the_limit_is_cut_and_its_connection_not_used_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30000
    async with serving(answering(answer)) as server, client() as http:
        for limit, truncated in ((100, True), (20_000, True), (30_000, False), (30_001, False)):
            response = await http.request("POST", server.url(), body_limit=limit)
            assert (len(response.body), response.truncated) == (min(limit, 30000), truncated)
        assert server.connections == 3  # the last two bodies were whole


async def test_an_endless_body_costs_no_memory() -> None:
    sent = 0

    async def endless(stream: trio.abc.Stream) -> None:
        nonlocal sent
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        block = b"x" * 65536
        while True:
            await stream.send_all(block)
            sent += len(block)

    async with serving(endless) as server, client() as http:
        await http.request("POST", server.url())
        tracemalloc.start()
        try:
            while sent < 40 * 2**20:
                response = await http.request("POST", server.url())
                assert (response.status, len(response.body), response.truncated) == (200, 20_000, True)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 2 * 2**20
        assert len(http._idle) == 0


# What goes wrong


async def test_nobody_listening_is_econnrefused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client() as http:
            error = await failing(http, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert isinstance(error, NetworkError)
    assert error.reason == "ECONNREFUSED: connection refused"


async def test_a_reset_is_econnreset() -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await read_request(stream)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(reset) as server, client() as http:
        error = await failing(http, server.url())
    assert error.reason == "ECONNRESET: connection reset by peer"


async def test_a_connection_closed_without_an_answer_is_econnreset() -> None:
    async with serving(read_request) as server, client() as http:
        error = await failing(http, server.url())
        assert server.connections == 1
    assert isinstance(error, NetworkError)
    assert error.reason == "ECONNRESET: the connection was closed before an answer came"


@pytest.mark.parametrize(
    "garbage",
    [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n", b"x" * 300_000],
    ids=["ssh", "no status", "zeros", "no end"],
)
async def test_an_answer_that_is_not_http_is_a_protocol_error(garbage: bytes) -> None:
    async with serving(answering(garbage, then_close=True)) as server, client() as http:
        error = await failing(http, server.url())
    assert isinstance(error, ProtocolError)
    assert error.reason.startswith("Protocol error: ")


async def test_headers_are_bounded_in_size_and_number() -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(500))
    answer = b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as server, client() as http:
        assert len((await http.request("POST", server.url())).headers) == 100
    huge = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"
    async with serving(answering(huge, then_close=True)) as server, client() as http:
        assert isinstance(await failing(http, server.url()), ProtocolError)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "é", "\x00"])
async def test_a_header_that_can_not_be_sent_is_refused_and_nothing_injected(value: str) -> None:
    seen: list[bytes] = []
    async with serving(answering(OK, seen)) as server, client() as http:
        error = await failing(http, server.url(), headers={"X-A": value})
    assert isinstance(error, ProtocolError)
    assert seen == []


async def test_an_unknown_name_is_enotfound() -> None:
    async with client(resolver=Resolver(Names(), deadline=60)) as http:
        error = await failing(http, "https://nowhere.test/")
    assert isinstance(error, NameNotFoundError)
    assert error.reason == "ENOTFOUND: nowhere.test: name or service not known"
