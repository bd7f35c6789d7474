"""Whatever a plugin asks on the network is asked on behalf of the client that the call was about."""

from __future__ import annotations

import pytest
import trio

from tests.receivers import OK, answering, client, read_request, serving
from wagate.consumers.attempt import attempt
from wagate.hooks import Delivery, Handler, Receipt
from wagate.http.owner import OWNER, on_behalf_of
from wagate.rules.states import Accepted
from wagate.testing import FakeHttp, make_delivery, make_event


def delivery_of(client_id: int) -> Delivery:
    return make_delivery(make_event(client_id=client_id))


async def test_a_handlers_requests_are_its_deliverys_clients() -> None:
    http = FakeHttp(200)

    async def handle(_: Delivery) -> Receipt:
        async with trio.open_nursery() as nursery:  # its own tasks, too
            nursery.start_soon(http.request, "POST", "https://hook.example/")
        return Receipt()

    handler = Handler(name="h", targets=lambda _: (), handle=handle, timeout=5)
    for client_id in (7, 8):
        assert isinstance(await attempt(handler, delivery_of(client_id), 60), Accepted)
    assert [sent.owner for sent in http.sent] == [7, 8]
    assert OWNER.get() is None


async def test_two_clients_hooks_on_one_host_have_connections_of_their_own() -> None:
    came: dict[bytes, set[int]] = {}

    async def host(stream: trio.SocketStream) -> None:
        number = server.connections
        while (request := await read_request(stream)) is not None:
            came.setdefault(request[-1:], set()).add(number)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with serving(host) as server, client() as http:

        async def handle(delivery: Delivery) -> Receipt:
            await http.request("POST", server.url(), content=str(delivery.event.client_id).encode())
            return Receipt()

        handler = Handler(name="h", targets=lambda _: (), handle=handle, timeout=60)
        for client_id in (1, 2, 1, 2, 2):
            await attempt(handler, delivery_of(client_id), 60)
    assert came == {b"1": {1}, b"2": {2}}


async def test_the_owner_ends_with_its_block_whatever_happens() -> None:
    with on_behalf_of(1):
        with pytest.raises(ValueError, match="inner"), on_behalf_of(2):
            raise ValueError("inner")
        assert OWNER.get() == 1
    assert OWNER.get() is None


async def test_the_gateways_own_requests_share_no_connection_with_a_clients() -> None:
    async with serving(answering(OK)) as server, client() as http:
        for _ in range(2):
            for owner in (1, 2, None):
                with on_behalf_of(owner):
                    await http.request("POST", server.url(), content=b"x")
        assert server.connections == 3


async def test_another_clients_answers_never_make_a_failing_hook_look_well() -> None:
    refused = 0

    async def host(stream: trio.SocketStream) -> None:
        nonlocal refused
        while (request := await read_request(stream)) is not None:
            if b"/twice" in request.partition(b"\r\n")[0]:
                await stream.send_all(OK + OK)
            else:
                refused += 1
                await stream.send_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    async with serving(host) as server, client() as http, trio.open_nursery() as nursery:

        async def post(owner: int, path: str, wanted: int) -> None:
            with on_behalf_of(owner):
                for _ in range(50):
                    answer = await http.request("POST", server.url(path), content=b"x", timeout=60)
                    assert answer.status == wanted

        for _ in range(4):
            nursery.start_soon(post, 1, "/twice", 200)
            nursery.start_soon(post, 2, "/fails", 500)
            nursery.start_soon(post, 1, "/fails", 500)
    assert refused == 400
