"""What an error of the outgoing client says about its request: whether it may have reached the other side."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest
import trio

from tests.receivers import OK, Authority, Names, answering, client, failing, read_request, serving
from wagate.http import AddressNotAllowedError, BadUrlError, NetworkError, ProtocolError, TimedOutError, TlsError
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver

pytestmark = pytest.mark.usefixtures("way")


async def test_a_request_without_a_connection_was_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client() as http:
            refused = await failing(http, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    async with client() as http:
        assert isinstance(refused, NetworkError)
        assert not refused.sent
        assert not (await failing(http, "https://nowhere.example/")).sent
        assert not (await failing(http, "http://user:secret@127.0.0.1/")).sent
        assert not (await failing(http, "http://127.0.0.1/", headers={"X": "é"})).sent
        assert not (await failing(http, "http://127.0.0.1/", headers={"X": "a\r\nb"})).sent
    async with client(guard=Guard()) as http:
        assert isinstance(await failing(http, "http://127.0.0.1/"), AddressNotAllowedError)
        assert not (await failing(http, "http://127.0.0.1/")).sent
    assert not BadUrlError("x").sent


async def test_a_header_that_h11_refuses_was_not_sent_though_the_connection_stood() -> None:
    seen: list[bytes] = []
    async with serving(answering(OK, seen)) as server, client() as http:
        error = await failing(http, server.url(), headers={"X": "a\r\nb"})
        assert isinstance(error, ProtocolError)
        assert not error.sent
        assert seen == []


async def test_a_connection_that_does_not_come_about_in_time_was_not_used() -> None:
    over = threading.Event()

    def slow(_host: str) -> list[str]:
        over.wait(60)
        return ["127.0.0.1"]

    async with client(resolver=Resolver(slow, deadline=60)) as http:
        with pytest.raises(TimedOutError) as caught:
            await http.request("POST", "http://slow.example/", timeout=0.1)
        over.set()
        assert not caught.value.sent


async def test_a_server_that_never_accepts_got_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        async with client() as http:
            with pytest.raises(TimedOutError) as caught:
                await http.request("POST", url, timeout=0.2)  # the handshake gets no answer
            assert not caught.value.sent


async def test_a_certificate_that_does_not_hold_saves_the_request_from_leaving(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(answering(OK), authority.server("other.example")) as server:
        names = Names(right_example=[["127.0.0.1"]])
        async with client(ca_file=authority.file, resolver=Resolver(names, deadline=60)) as http:
            error = await failing(http, server.url(host="right.example", scheme="https"))
    assert isinstance(error, TlsError)
    assert not error.sent


async def test_no_answer_in_time_leaves_it_open(mock_clock: trio.testing.MockClock) -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        mock_clock.jump(10)
        await trio.sleep_forever()

    async with serving(silent) as server, client() as http:
        with pytest.raises(TimedOutError) as caught:
            await http.request("POST", server.url(), timeout=10)
        assert caught.value.sent


@pytest.mark.parametrize("how", ["closes", "resets", "nonsense"])
async def test_an_answer_that_breaks_off_leaves_it_open(how: str) -> None:
    async def rude(stream: trio.SocketStream) -> None:
        await read_request(stream)
        if how == "nonsense":
            await stream.send_all(b"what?\r\n\r\n")
        if how == "resets":
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(rude) as server, client() as http:
        assert (await failing(http, server.url())).sent


async def test_a_second_try_on_a_fresh_connection_is_judged_by_itself() -> None:
    async with client() as http:
        async with serving(answering(OK)) as server:
            assert (await http.request("POST", server.url())).status == 200
            port = server.port
        [kept] = http._idle._all
        with socket.socket() as unused, trio.fail_after(60):
            unused.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            unused.bind(("127.0.0.1", port))  # nobody else gets it now
            while not kept.has_expired():  # until our end knows that the other one closed
                await trio.sleep(0.001)
            error = await failing(http, f"http://127.0.0.1:{port}/")
        assert isinstance(error, NetworkError)
        assert not error.sent
