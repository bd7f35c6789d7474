"""The server on real sockets. What stock hypercorn does as well is asked of both, to prove that it stayed."""

from __future__ import annotations

import errno
import re
import socket
import ssl
import stat
import tempfile
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
import trio_websocket
import trustme

from scripts.bench.load import fire
from tests.http_site import BIG, Client, H2Client, Server, Site, answered, ignore_broken, runs, serving
from wagate.errors import ConfigError

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["hypercorn", "wagate"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


async def test_a_hundred_requests_go_over_one_connection(kind: str) -> None:
    async with serving(kind) as server:
        request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
        load = await fire(server.addresses[0], lambda _: request, connections=1, requests=100)
        assert load.statuses == [200] * 100
        assert 0 < load.latency(50) <= load.latency(99)


async def test_pipelined_requests_are_answered_in_order(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.send(b"".join(b"GET /?%d HTTP/1.1\r\nHost: test\r\n\r\n" % n for n in range(50)))
        assert [await client.answer() for _ in range(50)] == [(200, b"%d" % n) for n in range(50)]


async def test_head_has_headers_and_no_body(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask(method="HEAD")
        assert b"content-length: 5" in await client.until(b"\r\n\r\n")
        await client.ask("/?next")
        assert await client.answer() == (200, b"next")


async def test_a_chunked_upload_arrives_whole(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/echo", "POST", "Transfer-Encoding: chunked\r\n")
        for piece in (b"one", b"t" * 70_000, b"three"):
            await client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await client.send(b"0\r\n\r\n")
        assert await client.answer() == (200, b"one" + b"t" * 70_000 + b"three")


async def test_a_client_that_expects_100_continue_gets_it_before_it_sends(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/echo", "POST", "Content-Length: 4\r\nExpect: 100-continue\r\n")
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        await client.send(b"body")
        assert await client.answer() == (200, b"body")


async def test_a_stream_of_events_is_not_held_back(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/events")
        assert b"text/event-stream" in await client.until(b"\r\n\r\n")
        server.site.go_on.set()
        assert b"data: 1" in await client.until(b"\n\n")
        server.site.go_on.set()
        assert b"data: 2" in await client.until(b"0\r\n\r\n")


async def test_a_slow_reader_gets_all_of_a_large_response(kind: str) -> None:
    async with serving(kind) as server:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            slow = trio.socket.from_stdlib_socket(sock)
            await slow.connect(server.addresses[0])
            client = Client(trio.SocketStream(slow))
            await client.ask("/big")
            await client.until(b"\r\n\r\n")
            await server.site.running.wait()
            other = await server.connect()
            await other.ask()
            assert await other.answer() == (200, b"hello")
            assert await client.take(BIG) == b"x" * BIG


async def test_an_application_hears_that_its_client_is_gone_in_mid_response(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/gone")
        await client.until(b"first")
        await client.stream.aclose()
        await server.site.disconnected.wait()
        again = await server.connect()
        await again.ask()
        assert await again.answer() == (200, b"hello")


async def test_an_idle_connection_is_closed(kind: str) -> None:
    async with serving(kind, keep_alive_timeout=0.2) as server:
        assert await (await server.client_that(answered)).closed()


async def test_a_request_outlives_the_keep_alive(kind: str) -> None:
    async with serving(kind, keep_alive_timeout=0.5) as server:
        client = await server.client_that(runs)
        await trio.sleep(0.8)  # It is time itself that must do nothing here.
        server.site.go_on.set()
        assert await client.answer() == (200, b"late")


async def test_dripped_headers_are_cut_off(kind: str) -> None:
    async with serving(kind, keep_alive_timeout=0.3) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                await client.send(b"X-Drip: 1\r\n")
                await trio.sleep(0.02)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ignore_broken, drip))
            assert await client.closed()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nX-Endless: " + b"x" * 40_000, b"\x00\x01 nonsense\r\n\r\n"])
async def test_what_is_not_a_proper_request_gets_a_4xx(kind: str, request_: bytes) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.send(request_)
        status, _ = await client.answer()
        assert 400 <= status < 500
        assert await client.closed()
        again = await server.connect()
        await again.ask()
        assert await again.answer() == (200, b"hello")


async def test_a_client_that_has_closed_its_sending_side_still_gets_its_answer(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/slow")
        await server.site.running.wait()
        assert isinstance(client.stream, trio.SocketStream)
        await client.stream.send_eof()
        server.site.go_on.set()
        assert await client.answer() == (200, b"late")
        assert await client.closed()


async def test_connection_close_is_honoured(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask(headers="Connection: close\r\n")
        assert await client.answer() == (200, b"hello")
        assert await client.closed()


async def test_every_response_says_when_it_was_made(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        for path in ("/?a", "/?b", "/?a"):
            before = int(time.time())
            await client.ask(path)
            head = (await client.until(b"\r\n\r\n")).decode()
            await client.take(1)
            [said] = re.findall(r"date: (.*)\r\n", head)
            assert before <= parsedate_to_datetime(said).timestamp() <= time.time()


@pytest.mark.parametrize("kind", ["wagate"])  # hypercorn closes as well, and does not tell.
async def test_an_answer_before_the_body_has_come_says_that_the_connection_closes(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/?whole", method="POST", headers="Content-Length: 4\r\n", body=b"body")
        assert b"connection" not in await client.until(b"\r\n\r\n")
        assert await client.take(5) == b"whole"
        await client.ask("/?early", method="POST", headers="Content-Length: 1000000\r\n", body=b"not all")
        assert b"connection: close" in await client.until(b"\r\n\r\n")
        assert await client.take(5) == b"early"
        assert await client.closed()


async def test_an_application_that_raises_answers_500(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/crash")
        assert await client.answer() == (500, b"")


async def test_a_response_broken_off_shows_as_a_connection_closed_early(kind: str) -> None:
    async with serving(kind) as server:
        client = await server.connect()
        await client.ask("/crash_late")
        assert (await client.until(b"half")).endswith(b"\r\n\r\nhalf")
        assert await client.closed()


async def test_a_websocket_talks_both_ways(kind: str) -> None:
    async with serving(kind) as server:
        host, port = server.addresses[0]
        async with trio_websocket.open_websocket(host, port, "/ws", use_ssl=False) as websocket:
            for word in ("one", "two"):
                await websocket.send_message(word)
                assert await websocket.get_message() == word.upper()
        await server.site.disconnected.wait()


async def test_http2_streams_share_a_connection(kind: str) -> None:
    async with serving(kind) as server:
        client = H2Client((await server.connect()).stream)
        slow = await client.ask(b"/slow")
        echo = await client.ask(b"/echo", b"e" * 10_000)
        big = await client.ask(b"/big")
        assert await client.answers(echo) == {echo: b"e" * 10_000}
        assert await client.answers(big) == {big: b"x" * BIG}
        server.site.go_on.set()
        assert await client.answers(slow) == {slow: b"late"}


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_tls_offers_both_protocols(kind: str, folder: Path, protocol: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols([protocol])
    async with serving(kind, certfile=str(chain), keyfile=str(key)) as server:
        raw = await trio.open_tcp_stream(*server.addresses[0])
        stream = trio.SSLStream(raw, context, server_hostname="localhost", https_compatible=True)
        await stream.do_handshake()
        assert stream.selected_alpn_protocol() == protocol
        if protocol == "h2":
            client = H2Client(stream)
            number = await client.ask(b"/echo", b"secret")
            assert await client.answers(number) == {number: b"secret"}
        else:
            plain = Client(stream)
            await plain.ask("/echo", "POST", "Content-Length: 6\r\nConnection: close\r\n", b"secret")
            assert await plain.answer() == (200, b"secret")
            assert await plain.closed()


async def test_a_graceful_stop_lets_a_running_request_finish(kind: str) -> None:
    async with serving(kind, graceful_timeout=100) as server:
        idle, busy = await server.connect(), await server.connect()
        await idle.ask()
        await idle.answer()
        await busy.ask("/slow")
        await server.site.running.wait()
        server.stop.set()
        assert await idle.closed()
        with pytest.raises(OSError, match="all attempts to connect"):
            await server.connect()
        assert not server.done.is_set()
        server.site.go_on.set()
        assert await busy.answer() == (200, b"late")
        assert await busy.closed()
        await server.done.wait()
        assert server.site.stopped


async def test_a_request_that_does_not_finish_is_cut_at_the_end_of_the_grace(kind: str) -> None:
    async with serving(kind, graceful_timeout=0.2) as server:
        client = await server.connect()
        await client.ask("/slow")
        await server.site.running.wait()
        server.stop.set()
        with trio.fail_after(30):
            await server.done.wait()
        if kind == "wagate":  # Stock hypercorn is cut before it can say so.
            assert await client.answer() == (500, b"")
        assert await client.closed()


# From here on, what stock hypercorn does not do.


async def test_a_reader_that_stopped_reading_does_not_hold_up_the_stop() -> None:
    async with serving("wagate", graceful_timeout=0.2) as server:
        client = await server.connect()
        await client.ask("/big")
        await server.site.running.wait()
        await trio.testing.wait_all_tasks_blocked(0.05)
        server.stop.set()
        with trio.fail_after(30):
            await server.done.wait()


async def test_a_large_body_that_nobody_reads_does_not_hold_the_connection_for_ever() -> None:
    async with serving("wagate") as server:
        client = await server.connect()
        await client.ask("/refuse", "POST", f"Content-Length: {BIG}\r\n")

        async def upload() -> None:
            await client.send(bytes(BIG))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore_broken, upload)
            await server.site.running.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)
            server.site.go_on.set()
            await server.site.disconnected.wait()


async def test_a_request_that_hypercorn_trips_over_does_not_take_the_server_down() -> None:
    async with serving("wagate") as server:
        stream = (await server.connect()).stream
        await H2Client(stream).ask(b"/\xff")
        while await stream.receive_some():
            pass
        again = await server.connect()
        await again.ask()
        assert await again.answer() == (200, b"hello")


async def test_a_unix_socket_listens_beside_tcp(folder: Path) -> None:
    path = folder / "wagate.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))  # What a killed process leaves behind.
    async with serving("wagate", unix_path=path) as server:
        assert server.addresses == [("127.0.0.1", server.addresses[0][1]), str(path)]
        assert server.addresses[0][1] != 0
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for client in (await server.connect(), Client(await trio.open_unix_socket(path))):
            await client.ask()
            assert await client.answer() == (200, b"hello")
            await client.stream.aclose()
        server.stop.set()
        await server.done.wait()
        assert not path.exists()


async def test_an_address_in_use_and_a_missing_certificate_are_errors_of_the_configuration(folder: Path) -> None:
    async with serving("wagate") as server:
        host, port = server.addresses[0]
        taken = Server("wagate", Site(), server.nursery, bind=[f"{host}:{port}"])
        with pytest.RaisesGroup(ConfigError, flatten_subgroups=True) as caught:
            await taken.run(trio.TASK_STATUS_IGNORED)
        assert f"{host}:{port}" in str(caught.value.exceptions[0])
        assert isinstance(caught.value.exceptions[0].__cause__, OSError)
        assert caught.value.exceptions[0].__cause__.errno == errno.EADDRINUSE
        assert "or set another server.port" in str(caught.value.exceptions[0])
        missing = Server("wagate", Site(), server.nursery, certfile=str(folder / "no.pem"), keyfile="no.pem")
        with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match="certfile"), flatten_subgroups=True):
            await missing.run(trio.TASK_STATUS_IGNORED)


async def test_a_graceful_stop_lets_an_http2_stream_finish() -> None:
    async with serving("wagate", graceful_timeout=100) as server:
        client = H2Client((await server.connect()).stream)
        slow = await client.ask(b"/slow")
        await server.site.running.wait()
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        server.site.go_on.set()
        assert await client.answers(slow) == {slow: b"late"}
        await server.done.wait()
