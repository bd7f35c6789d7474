"""The outgoing client's connections: kept, bounded, never a failed attempt for a stale one, and TLS."""

from __future__ import annotations

import socket
import struct
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
import trio
from httpcore2 import AsyncConnectionInterface

from tests.receivers import OK, Authority, Names, answering, client, failing, read_request, serving
from wagate.http.errors import (
    AddressNotAllowedError,
    TimedOutError,
    TlsError,
)
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver
from wagate.http.stream import Stream

pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# Kept connections


async def until_seen_closed(connection: AsyncConnectionInterface) -> None:
    """Until the system has told our end that the other one closed."""
    with trio.fail_after(60):
        while not connection.has_expired():
            await trio.sleep(0.001)


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with serving(answering(OK)) as server, client() as http:
        for _ in range(3):
            assert (await http.request("POST", server.url(), content=b"x")).body == b"ok"
        assert server.connections == 1


async def test_a_server_that_closes_idle_connections_costs_no_failed_attempt() -> None:
    answered, closed = trio.Event(), trio.Event()

    async def close_later(stream: trio.SocketStream) -> None:
        await read_request(stream)
        await stream.send_all(OK)
        await answered.wait()
        await trio.aclose_forcefully(stream)
        closed.set()

    async with serving(close_later) as server, client() as http:
        assert (await http.request("POST", server.url(), content=b"x")).status == 200
        assert len(http._idle) == 1
        answered.set()
        await closed.wait()
        [kept] = http._idle._all
        await until_seen_closed(kept)
        assert (await http.request("POST", server.url(), content=b"x")).status == 200
        assert server.connections == 2


class Blind(Stream):
    """A stream whose idle check sees nothing: the moment between look and write, made long."""

    made: ClassVar[list[Blind]] = []

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.made.append(self)

    def _readable(self) -> bool:
        return False


async def test_a_request_that_could_not_be_sent_goes_out_again_on_a_fresh_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wagate.http.backend.Stream", Blind)
    monkeypatch.setattr(Blind, "made", [])
    seen: list[bytes] = []
    gone = trio.Event()

    async def reset_after_one(stream: trio.SocketStream) -> None:
        seen.append(await read_request(stream) or b"")
        await stream.send_all(OK)
        if len(seen) == 1:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await trio.aclose_forcefully(stream)
            gone.set()

    async with serving(reset_after_one) as server, client() as http:
        assert (await http.request("POST", server.url(), content=b"one")).status == 200
        await gone.wait()
        [kept] = Blind.made
        with trio.fail_after(60):
            while not Stream._readable(kept):  # our end knows of the reset
                await trio.sleep(0.001)
        assert (await http.request("POST", server.url(), content=b"two")).status == 200
        assert server.connections == 2
    assert [request[-3:] for request in seen] == [b"one", b"two"]


async def test_a_request_that_was_sent_and_not_answered_is_not_sent_again() -> None:
    seen: list[bytes] = []

    async def answer_once(stream: trio.SocketStream) -> None:
        seen.append(await read_request(stream) or b"")
        await stream.send_all(OK)
        seen.append(await read_request(stream) or b"")

    async with serving(answer_once) as server, client() as http:
        assert (await http.request("POST", server.url(), content=b"one")).status == 200
        error = await failing(http, server.url(), content=b"two")
        assert server.connections == 1
    assert error.reason.startswith("ECONNRESET: ")
    assert [request[-3:] for request in seen] == [b"one", b"two"]


async def test_an_early_answer_to_a_body_that_is_not_taken_is_still_the_answer() -> None:
    async def too_large(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await stream.send_eof()
        while await stream.receive_some(65536):
            pass

    async with serving(too_large) as server, client() as http:
        assert (await http.request("POST", server.url(), content=b"x" * 2_000_000, timeout=60)).status == 413


async def test_idle_connections_are_bounded_over_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.http.client.MOST_IDLE", 2)
    async with serving(answering(OK)) as server:
        names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]], c_test=[["127.0.0.1"]])
        async with client(resolver=Resolver(names, deadline=60)) as http:
            for host in ("a.test", "b.test", "c.test", "c.test", "b.test"):
                await http.request("POST", server.url(host=host))
            assert (server.connections, len(http._idle)) == (3, 2)
            await http.request("POST", server.url(host="a.test"))
            assert (server.connections, len(http._idle)) == (4, 2)
        assert len(http._idle) == 0


async def test_a_connection_of_the_operator_is_not_lent_to_the_public() -> None:
    async with serving(answering(OK)) as server, client(guard=Guard()) as http:
        assert (await http.request("POST", server.url(), trust="operator")).status == 200
        error = await failing(http, server.url())
    assert isinstance(error, AddressNotAllowedError)


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    came, ended = trio.Event(), trio.Event()

    async def wait_for_end(stream: trio.SocketStream) -> None:
        await read_request(stream)
        came.set()
        await stream.receive_some(1)
        ended.set()

    async with serving(wait_for_end) as server, client() as http:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(http.request, "POST", server.url(), timeout=60))
                await came.wait()
                nursery.cancel_scope.cancel()
            await ended.wait()
        assert len(http._idle) == 0


async def test_many_requests_at_once_all_get_their_own_answer() -> None:
    async def echo(stream: trio.SocketStream) -> None:
        while (request := await read_request(stream)) is not None:
            body = request.partition(b"\r\n\r\n")[2]
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(echo) as server, client() as http:

        async def post(number: int) -> None:
            for turn in range(5):
                content = b"%d-%d" % (number, turn)
                assert (await http.request("POST", server.url(), content=content)).body == content

        async with trio.open_nursery() as nursery:
            for number in range(32):
                nursery.start_soon(post, number)
        assert server.connections <= 32


# TLS


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(ca: Authority) -> None:
    seen: list[bytes] = []
    async with serving(answering(OK, seen), ca.server("hook.test")) as server:
        async with client(resolver=Resolver(Names(hook_test=[["127.0.0.1"]]), deadline=60), ca_file=ca.file) as http:
            for _ in range(2):
                response = await http.request("POST", server.url(host="hook.test", scheme="https"), content=b"x")
                assert response.body == b"ok"
        assert server.connections == 1
    assert b"Host: hook.test:%d\r\n" % server.port in seen[0]


async def test_a_certificate_of_another_name_is_a_tls_error(ca: Authority) -> None:
    resolver = Resolver(Names(hook_test=[["127.0.0.1"]]), deadline=60)
    tls = ca.server("other.test")
    async with serving(answering(OK), tls) as server, client(resolver=resolver, ca_file=ca.file) as http:
        error = await failing(http, server.url(host="hook.test", scheme="https"))
    assert isinstance(error, TlsError)
    assert error.reason.startswith("TLS error: certificate verify failed: Hostname mismatch")


async def test_an_expired_certificate_is_a_tls_error(ca: Authority) -> None:
    context = ca.server("127.0.0.1", ended=datetime.now(UTC) - timedelta(days=1))
    async with serving(answering(OK), context) as server, client(ca_file=ca.file) as http:
        error = await failing(http, server.url(scheme="https"))
    assert error.reason == "TLS error: certificate verify failed: certificate has expired"


async def test_a_certificate_of_an_unknown_authority_is_a_tls_error(ca: Authority) -> None:
    async with serving(answering(OK), ca.server("127.0.0.1")) as server, client() as http:
        error = await failing(http, server.url(scheme="https"), trust="operator")
    assert isinstance(error, TlsError)


async def test_https_to_a_plain_server_is_a_tls_error() -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as server, client() as http:
        error = await failing(http, server.url(scheme="https"))
    assert isinstance(error, TlsError)


async def test_a_handshake_that_does_not_end_is_a_timeout() -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(silent) as server, client() as http:
        with pytest.raises(TimedOutError):
            await http.request("POST", server.url(scheme="https"), timeout=0.2)
