"""WAHA's WebSocket: whose events, which of them, and when it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, open_websocket_url

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.http_site import Client, serving
from tests.inprocess import PATIENCE, running_gateway
from wagate.config.tables import Limits
from wagate.events import NewEvent, kinds
from wagate.web.waha import listeners

CHAT = "15550000111@c.us"


@asynccontextmanager
async def site(folder: Path, ping: float | None = None, **limits: Any) -> AsyncIterator[ApiSite]:
    """With the accounts a and b of acme, and c of other."""
    with trio.fail_after(120):
        async with api_site(folder, limits=Limits(**limits), ping=ping) as made:
            for name, token in (("a", ACME), ("b", ACME), ("c", OTHER)):
                async with made.as_(token) as http:
                    body = {"name": name, "provider": "session", "phone": f"1555000000{ord(name) - 96}"}
                    assert (await http.post("/api/accounts", json=body)).status_code == 201
            yield made


@asynccontextmanager
async def listening(site: ApiSite, query: str = "", token: str = ACME) -> AsyncIterator[WebSocketConnection]:
    async with open_websocket_url(f"{site.url.replace('http', 'ws')}/ws?x-api-key={token}{query}") as socket:
        yield socket


async def put(site: ApiSite, account: str, *texts: str, kind: str = kinds.MESSAGE, **fields: Any) -> None:
    events = [
        NewEvent(
            kind=kind,
            provider_id=text,
            message_id=text,
            chat=CHAT,
            sender=CHAT,
            content=text,
            **{"type": "text"} | fields,
        )
        for text in texts
    ]
    await site.receiver.receive(site.live.now.accounts[account], events, b"{}")


async def heard(socket: WebSocketConnection) -> tuple[str, str, str]:
    told = json.loads(await socket.get_message())
    assert told.keys() >= {"id", "timestamp", "event", "session", "metadata", "payload", "environment"}
    return told["event"], told["session"], told["payload"].get("body", "")


async def _read_on(socket: WebSocketConnection) -> None:
    while True:
        await socket.get_message()


async def closed(socket: WebSocketConnection) -> int:
    """The code; what still comes before it does not matter."""
    with pytest.raises(ConnectionClosed) as caught:
        await _read_on(socket)
    assert caught.value.reason is not None
    return caught.value.reason.code


async def test_each_hears_its_clients_events_that_it_asked_for(tmp_path: Path) -> None:
    async with site(tmp_path) as acme:
        await put(acme, "a", "before")
        async with (
            listening(acme) as everything,
            listening(acme, "&session=b&events=message.any,nonsense") as one,
            listening(acme, "&session=*&events=poll.vote&events=message.reaction") as votes,
            listening(acme, token=OTHER) as other,
            listening(acme, token=ADMIN) as admin,
        ):
            await everything.send_message("anything")
            await put(acme, "a", "a1", "a2")
            await put(acme, "b", "mine", kind=kinds.MESSAGE_ANY, from_me=True)
            await put(acme, "b", "vote", type="poll_vote", extra={"vote": {"selected": ["x"]}})
            await put(acme, "b", "b1")
            await put(acme, "c", "c1")
            assert [await heard(everything) for _ in range(4)] == [
                ("message", "a", "a1"),
                ("message", "a", "a2"),
                ("poll.vote", "b", ""),
                ("message", "b", "b1"),
            ]
            assert [await heard(one) for _ in range(3)] == [
                ("message.any", "b", "mine"),
                ("poll.vote", "b", ""),
                ("message.any", "b", "b1"),
            ]
            assert await heard(votes) == ("poll.vote", "b", "")
            assert await heard(other) == ("message", "c", "c1")
            assert [(await heard(admin))[2] for _ in range(5)] == ["a1", "a2", "", "b1", "c1"]


async def test_who_may_not_listen_is_refused_before_it_opens(tmp_path: Path) -> None:
    async with site(tmp_path, streams=1) as acme:
        for query, token, status in (("", "wrong", 401), ("&session=c", ACME, 404), ("&session=none", ACME, 404)):
            with pytest.raises(ConnectionRejected) as caught:
                async with listening(acme, query, token):
                    pass
            assert caught.value.status_code == status
        async with acme.as_(None) as http:
            # Only there: the key in a query opens nothing else.
            assert (await http.get("/api/accounts", params={"x-api-key": ACME})).status_code == 401
        async with listening(acme):
            with pytest.raises(ConnectionRejected) as caught:
                async with listening(acme):
                    pass
            assert caught.value.status_code == 429


async def test_who_is_behind_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "MOST", 2)
    async with site(tmp_path) as acme, listening(acme) as slow, listening(acme, "&session=b") as quick:
        await put(acme, "a", *"12345")
        assert await closed(slow) == 1013
        await put(acme, "b", "6")
        assert await heard(quick) == ("message", "b", "6")


async def test_it_ends_with_the_token_and_with_the_process(tmp_path: Path) -> None:
    async with site(tmp_path) as acme, acme.as_(ADMIN) as admin:
        made = await admin.post("/api/clients/acme/tokens", json={"name": "short"})
        assert made.status_code == 201, made.text
        async with listening(acme) as stays, listening(acme, token=made.json()["token"]) as revoked:
            assert (await admin.delete(f"/api/clients/acme/tokens/{made.json()['id']}")).is_success
            assert await closed(revoked) == 1008
            await put(acme, "a", "still here")
            assert await heard(stays) == ("message", "a", "still here")
            acme.listeners.close()
            assert await closed(stays) == 1001


async def test_a_whole_gateway_tells_what_comes_in_and_says_goodbye() -> None:
    with trio.fail_after(PATIENCE):
        async with running_gateway() as gateway:
            token = (await gateway.client("acme"))["token"]
            url = f"{gateway.url.replace('http', 'ws')}/ws?x-api-key={token}&events=message"
            async with open_websocket_url(url) as socket:
                message: dict[str, Any] = {
                    "event": "message",
                    "data": {"message": {"id": {"_serialized": "false_1@c.us_A1"}}},
                }
                message["data"]["message"] |= {"from": CHAT, "body": "hi", "type": "chat", "fromMe": False}
                posted = await gateway.http.post(
                    "/api/whatsapp/webhook/a", json=message, headers={"Authorization": f"Bearer {token}"}
                )
                assert posted.status_code == 200, posted.text
                assert await heard(socket) == ("message", "a", "hi")
                gateway.stop.set()
                assert await closed(socket) == 1001


HANDSHAKE = "".join(
    f"{name}: {value}\r\n"
    for name, value in (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    )
)
PING, PONG, CLOSE = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00", b"\x88\x80\x00\x00\x00\x00"
ASKED, ANSWERED = b"\x89\x80\x00\x00\x00\x00", b"\x8a\x00"


async def test_pings_go_on_while_a_websocket_is_open_and_hold_up_no_stop(mock_clock: MockClock) -> None:
    async with serving("wagate", websocket_ping_interval=10, graceful_timeout=3600) as server:
        client = await server.connect()
        await client.ask("/ws", headers=HANDSHAKE)
        await client.until(b"\r\n\r\n")
        for _ in range(3):
            await client.until(PING)
            # Its answer to our own says that it has read what was before.
            await client.send(PONG + ASKED)
            await client.until(ANSWERED)
            mock_clock.jump(10)
        await client.until(PING)
        await client.send(CLOSE)
        await client.until(b"\x88")
        server.stop.set()
        await server.done.wait()


async def test_who_answers_no_ping_is_let_go() -> None:
    """A peer that went without a word: it reads nothing, sends nothing and closes nothing."""
    async with serving("wagate", websocket_ping_interval=0.01) as server:
        client = await server.connect()
        await client.ask("/ws", headers=HANDSHAKE)
        await server.site.disconnected.wait()
        await client.until(PING + b"\x88\x15" + (1011).to_bytes(2, "big") + b"no answer to a ping")
        assert await client.closed()


async def test_who_answers_no_ping_makes_room_for_others(tmp_path: Path) -> None:
    async with site(tmp_path, ping=0.01, streams=1) as acme:
        client = Client(await trio.open_tcp_stream("127.0.0.1", urlsplit(acme.url).port or 0))
        await client.ask(f"/ws?x-api-key={ACME}", headers=HANDSHAKE)
        await client.until(b"no answer to a ping")
        welcome = False
        while not welcome:  # The handler of the one who was let go may end a moment later.
            with suppress(ConnectionRejected):
                async with listening(acme):
                    welcome = True
