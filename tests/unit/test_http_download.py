"""Downloads against real servers: whole files, redirects, limits, and what breaks on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_network

import pytest
import trio

from wagate.http import (
    AddressNotAllowedError,
    BadUrlError,
    Downloaded,
    Guard,
    HttpClient,
    HttpError,
    NetworkError,
    ProtocolError,
    TimedOutError,
    TooLongError,
    Trust,
)
from wagate.http.download import _next_hop
from wagate.testing.server import FakeServer, Fault, Reply, Seen, running

HERE = Guard(allow_networks=(ip_network("127.0.0.0/8"),))
SECRETS = {"Authorization": "Bearer s", "D360-API-KEY": "k", "User-Agent": "tests", "Accept": "image/*"}


class Site:
    """Some servers and a client."""

    def __init__(self, http: HttpClient, servers: Sequence[FakeServer]) -> None:
        self.http = http
        self.servers = servers
        self.got = bytearray()
        self.largest = 0

    async def sink(self, chunk: bytes) -> None:
        self.got += chunk
        self.largest = max(self.largest, len(chunk))

    async def get(
        self,
        path: str = "/file",
        *,
        limit: int = 10_000_000,
        idle: float = 60.0,
        timeout: float = 60.0,
        trust: Trust = "public",
    ) -> Downloaded:
        url = self.servers[0].url + path
        return await self.http.download(
            url, self.sink, headers=SECRETS, limit=limit, idle=idle, timeout=timeout, trust=trust
        )


class Sites:
    """So many servers that answer ``replies`` by path; {0}, {1} in a Location are their URLs."""

    def __init__(self, count: int, replies: dict[str, Reply], *, guard: Guard = HERE, allow_http: bool = True) -> None:
        self._count, self._replies, self._guard, self._allow_http = count, replies, guard, allow_http
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Site:
        async def answer(seen: Seen) -> Reply:
            reply = self._replies[seen.path]
            headers = dict(reply.headers)
            if "Location" in headers:
                headers["Location"] = re.sub(r"\{(\d)\}", lambda m: servers[int(m[1])].url, headers["Location"])
            return Reply(status=reply.status, body=reply.body, chunks=reply.chunks, headers=headers)

        servers = [FakeServer(answer) for _ in range(self._count)]
        for server in servers:
            await self._stack.enter_async_context(running(server))
        http = HttpClient(guard=self._guard, allow_http=self._allow_http)
        self._stack.push_async_callback(http.aclose)
        return Site(http, servers)

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


def to(location: str, status: int = 302) -> Reply:
    return Reply(status=status, body=b"elsewhere", headers={"Location": location})


async def test_a_file_comes_chunk_by_chunk_and_whole() -> None:
    body = bytes(range(256)) * 12_000
    async with Sites(1, {"/file": Reply(body=body, headers={"Content-Type": "image/jpeg"})}) as site:
        got = await site.get()
        assert (got.status, got.content_type, got.size) == (200, "image/jpeg", len(body))
        assert site.got == body
        assert site.largest <= 1 << 17
        [seen] = site.servers[0].seen
        assert {name: seen.headers[name.lower()] for name in SECRETS} == SECRETS
        assert seen.headers["accept-encoding"] == "identity"


async def test_without_headers_it_says_who_we_are() -> None:
    async with Sites(1, {"/file": Reply(body=b"x")}) as site:
        await site.http.download(site.servers[0].url + "/file", site.sink, limit=10)
        assert site.servers[0].seen[0].headers["user-agent"].startswith("wagate/")


async def test_another_status_is_told_and_nothing_is_sunk() -> None:
    async with Sites(1, {"/file": Reply(status=404, body=b"gone", headers={"Retry-After": "7"})}) as site:
        got = await site.get()
        assert (got.status, got.size, got.headers["retry-after"]) == (404, 0, "7")
        assert not site.got


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_followed_without_secrets(status: int) -> None:
    replies = {"/file": to("{1}/cdn", status), "/cdn": Reply(body=b"the file")}
    async with Sites(2, replies) as site:
        assert (await site.get()).status == 200
        assert site.got == b"the file"
        headers = site.servers[1].seen[0].headers
        assert "authorization" not in headers
        assert "d360-api-key" not in headers
        assert (headers["user-agent"], headers["accept"]) == ("tests", "image/*")


async def test_a_redirect_on_the_same_host_keeps_them() -> None:
    replies = {"/file": to("../b/file2?x=1"), "/b/file2": Reply(body=b"the file")}
    async with Sites(1, replies) as site:
        await site.get()
        assert site.servers[0].seen[1].headers["authorization"] == "Bearer s"
        assert site.servers[0].seen[1].query == {"x": "1"}


async def test_redirects_end() -> None:
    replies = {f"/{number}": to(f"/{number + 1}") for number in range(7)} | {"/5": Reply(body=b"there")}
    async with Sites(1, replies) as site:
        assert (await site.get("/0")).size == 5
    async with Sites(1, {"/file": to("/file")}) as site:
        with pytest.raises(ProtocolError, match="more than 5 redirects"):
            await site.get()
        assert len(site.servers[0].seen) == 6


@pytest.mark.parametrize("trust", ["public", "operator"])
async def test_a_redirect_to_a_private_address_is_refused(trust: Trust) -> None:
    """Whoever was trusted: what the server says is nobody's word. 127.0.0.1 is let in here, 10.0.0.1 is not."""
    async with Sites(1, {"/file": to("http://10.0.0.1/secret")}) as site:
        with pytest.raises(AddressNotAllowedError):
            await site.get(trust=trust)


async def test_a_private_address_is_refused_at_once_unless_the_operator_named_it() -> None:
    async with Sites(1, {"/file": Reply(body=b"x")}, guard=Guard()) as site:
        with pytest.raises(AddressNotAllowedError):
            await site.get()
        assert (await site.get(trust="operator")).status == 200


async def test_no_redirect_leads_out_of_https() -> None:
    with pytest.raises(BadUrlError, match="from https to http"):
        _next_hop("https://a.example/x", "http://a.example/x", {}, "operator")
    with pytest.raises(BadUrlError):
        _next_hop("https://a.example/x", "ftp://a.example/x", {}, "operator")
    assert _next_hop("https://a.example/x", "//b.example/y", {"Cookie": "c"}, "operator") == (
        "https://b.example/y",
        {},
        "public",
    )


async def test_a_file_over_the_limit_is_refused_before_it_comes_when_its_length_is_told() -> None:
    async with Sites(1, {"/file": Reply(body=b"x" * 1001)}) as site:
        with pytest.raises(TooLongError, match="over 1000 bytes"):
            await site.get(limit=1000)
        assert not site.got
        assert (await site.get(limit=1001)).size == 1001


async def test_a_file_over_the_limit_without_a_length_is_cut() -> None:
    async with Sites(1, {"/file": Reply(chunks=[b"x" * 600] * 1000)}) as site:
        with pytest.raises(TooLongError):
            await site.get(limit=1000)
        assert len(site.got) <= 1000


async def test_a_connection_that_breaks_off_is_an_error() -> None:
    async def broken(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it")
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, broken, [listener])
        http, got = HttpClient(guard=HERE, allow_http=True), bytearray()

        async def sink(chunk: bytes) -> None:
            got.extend(chunk)

        with pytest.raises((NetworkError, ProtocolError)):
            await http.download(f"http://127.0.0.1:{listener.socket.getsockname()[1]}/", sink, limit=5000)
        nursery.cancel_scope.cancel()


async def test_a_body_that_stalls_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with Sites(1, {"/file": Reply(body=b"slow")}) as site:
        site.servers[0].fail(Fault(drip=40.0))
        with pytest.raises(TimedOutError):
            await site.get(idle=30.0, timeout=600.0)


async def test_the_whole_time_holds_for_a_body_that_drips() -> None:
    async with Sites(1, {"/file": Reply(body=b"slow" * 100)}) as site:
        site.servers[0].fail(Fault(drip=0.05))
        with pytest.raises(TimedOutError):
            await site.get(timeout=0.5)


async def test_what_comes_compressed_is_refused() -> None:
    async with Sites(1, {"/file": Reply(body=b"zzz", headers={"Content-Encoding": "gzip"})}) as site:
        with pytest.raises(ProtocolError, match="compressed"):
            await site.get()


async def test_what_the_sink_raises_passes_and_the_connection_is_not_used_again() -> None:
    async with Sites(1, {"/file": Reply(body=b"x" * 500_000)}) as site:

        async def full(_chunk: bytes) -> None:
            raise OSError(28, "no space left")

        with pytest.raises(OSError, match="no space"):
            await site.http.download(site.servers[0].url + "/file", full, limit=1_000_000)
        assert (await site.get()).size == 500_000


async def test_dead_hosts_and_dropped_connections_are_told_apart_from_answers() -> None:
    async with Sites(1, {"/file": Reply(body=b"x")}) as site:
        site.servers[0].fail(Fault(drop=True))
        with pytest.raises(HttpError):
            await site.get()
        assert (await site.get()).status == 200
