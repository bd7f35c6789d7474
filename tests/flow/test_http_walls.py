"""What strangers do to a server: they send half of something and stay, or too much, or lines that end oddly."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog.testing
import trio
import trio.testing
import trustme

from tests.http_site import H2Client, answered, ignore_broken, serving
from wagate.web.http.accept import Gate, Spare

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: te"
HALF_A_FRAME = b"\0\0\x08\6\0\0\0\0\0only"
SHORT = 0.3
"""Seconds that a connection may be idle here."""


async def ends(stream: trio.abc.ReceiveStream) -> None:
    """Read until the server has closed."""
    await ignore_broken(lambda: drain(stream))


async def drain(stream: trio.abc.ReceiveStream) -> None:
    while await stream.receive_some():
        pass


@pytest.mark.parametrize(
    "said",
    [b"", HALF_A_HEAD, PREFACE, PREFACE + SETTINGS, PREFACE + SETTINGS + HALF_A_FRAME],
    ids=["nothing", "half a head", "a preface", "settings", "half a frame"],
)
async def test_who_says_this_and_then_nothing_is_cut_off(said: bytes) -> None:
    async with serving("wagate", keep_alive_timeout=SHORT) as server:
        client = await server.connect()
        await client.send(said)
        with trio.fail_after(20):
            await ends(client.stream)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_request_that_came_while_the_machine_had_no_turn_for_it_is_answered(tls: bool, tmp_path: Path) -> None:
    authority = trustme.CA()
    chain = tmp_path / "chain.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
    files = {"certfile": str(chain), "keyfile": str(chain)} if tls else {}
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with serving("wagate", keep_alive_timeout=1, **files) as server:

        def first() -> socket.socket:
            raw: socket.socket = socket.create_connection(server.addresses[0], timeout=20)
            client = context.wrap_socket(raw, server_hostname="127.0.0.1") if tls else raw
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.recv(1000).endswith(b"hello")
            return client

        client = await trio.to_thread.run_sync(first)
        with client:
            later = threading.Timer(0.2, client.sendall, [b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"])
            later.start()
            time.sleep(1.5)  # The loop stands still for longer than a connection may be idle.
            later.join()
            await server.site.running.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)
            server.site.go_on.set()
            assert (await trio.to_thread.run_sync(client.recv, 1000)).endswith(b"late")


async def test_an_http2_client_that_takes_its_request_back_and_stays_is_cut_off() -> None:
    async with serving("wagate", keep_alive_timeout=SHORT) as server:
        client = H2Client((await server.connect()).stream)
        stream_id = await client.ask(b"/slow")
        await server.site.running.wait()
        client.protocol.reset_stream(stream_id)
        await client.stream.send_all(client.protocol.data_to_send())
        with trio.fail_after(20):
            await ends(client.stream)


async def test_an_http2_client_that_only_pings_is_cut_off() -> None:
    async with serving("wagate", keep_alive_timeout=1) as server:
        client = H2Client((await server.connect()).stream)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:

                async def ping() -> None:
                    while True:
                        client.protocol.ping(b"12345678")
                        await client.stream.send_all(client.protocol.data_to_send())
                        await trio.sleep(0.05)

                nursery.start_soon(ignore_broken, ping)
                await ends(client.stream)
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: test\n\n",
        b"GET / HTTP/1.1\r\nHost: test\nX-Other: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\n\n",
        b"GET / HTTP/1.1\r\nHost: test\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: test\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\n\r\n",
    ],
)
async def test_a_line_that_ends_in_a_bare_lf_is_400_and_the_end(head: bytes) -> None:
    async with serving("wagate") as server:
        client = await server.connect()
        for at in range(0, len(head), 7):  # A line feed may be the first of its packet, or the last.
            await client.send(head[at : at + 7])
        if not head.startswith(b"POST"):
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        await ends(client.stream)


async def test_a_body_may_hold_any_line_feeds() -> None:
    async with serving("wagate") as server:
        client = await server.connect()
        await client.ask("/echo", "POST", "Content-Length: 4\r\n", b"a\n\n\n")
        assert await client.answer() == (200, b"a\n\n\n")


async def test_who_sends_ten_megabytes_that_nobody_reads_still_gets_the_answer() -> None:
    async with serving("wagate") as server:
        server.site.go_on.set()
        client = await server.connect()
        length = 10 * 1024 * 1024
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.ask, "/refuse", "POST", f"Content-Length: {length}\r\n", b"x" * length)
            await server.site.disconnected.wait()
        assert await client.answer() == (413, b"too much")
        await ends(client.stream)


async def test_an_http2_answer_before_the_body_leaves_the_other_streams_alone() -> None:
    async with serving("wagate") as server:
        server.site.go_on.set()
        client = H2Client((await server.connect()).stream)
        refused = client.protocol.get_next_available_stream_id()
        client.protocol.send_headers(
            refused, [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/refuse")]
        )
        client.protocol.send_data(refused, b"x" * 10_000)
        await client.stream.send_all(client.protocol.data_to_send())
        assert await client.answers(refused) == {refused: b"too much"}
        # What was on its way before the client heard of it.
        await client.stream.send_all(b"\0\0\4\0\0" + refused.to_bytes(4, "big") + b"late")
        again = await client.ask(b"/echo", b"hello")
        assert await client.answers(again) == {again: b"hello"}


async def test_of_too_many_connections_the_one_that_is_idle_for_longest_makes_room() -> None:
    async with serving("wagate", most=2) as server:
        first, second = await server.client_that(answered), await server.client_that(answered)
        third = await server.connect()
        await third.ask()
        assert (await third.answer())[0] == 200
        await ends(first.stream)
        await second.ask()
        assert (await second.answer())[0] == 200


class Broken(trio.abc.Listener[Any]):
    """A listener that finds no descriptor, as often as it is told."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.recovered = trio.Event()

    async def accept(self) -> Any:
        if self.times:
            self.times -= 1
            raise OSError(24, "Too many open files")
        self.recovered.set()
        await trio.sleep_forever()

    async def aclose(self) -> None:
        pass


async def test_a_server_without_descriptors_says_so_once_a_minute_and_takes_its_spare_ones() -> None:
    listener: Any = Broken(50)
    gate = Gate(10, lambda: False)
    spare = len(gate.spare._held)
    with structlog.testing.capture_logs() as lines, trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gate.accept, listener, ends, nursery)
            await listener.recovered.wait()
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in lines] == ["a connection can't be accepted"]
    assert spare > 0
    assert gate.spare._held == []


async def test_a_tls_handshake_that_stalls_is_cut_off(tmp_path: Any) -> None:
    trustme = pytest.importorskip("trustme")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {"certfile": str(tmp_path / "cert.pem"), "keyfile": str(tmp_path / "key.pem")}
    hello, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    async with serving("wagate", ssl_handshake_timeout=SHORT, **files) as server:
        client = await server.connect()
        await client.send(hello.read()[:100])
        with trio.fail_after(20):
            await ends(client.stream)


def test_spare_descriptors_are_not_taken_back_after_the_end() -> None:
    """By a connection that ends later: a process that starts several servers would run out of them."""
    spare, before = Spare(2), psutil.Process().num_fds()
    spare.close()
    spare.refill()
    assert psutil.Process().num_fds() == before - 2
