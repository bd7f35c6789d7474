"""Streams: opened by the hundred, never read, kept beyond their token, and across a name that changes hands."""

from __future__ import annotations

import trio

from tests.attack.case import HELD_UP, Case, Client, Target, new_client
from tests.http_site import Client as Connection

STREAM = "/api/whatsapp/session/stream"
MOST = 100
"""`limits.streams`, as it is by default."""
SOON = 30.0
MORE = 60
"""Megabytes by which memory may grow meanwhile."""


async def opened(target: Target, client: Client, query: str = "") -> Connection:
    """A stream that was asked for."""
    connection = await target.connect()
    head = f"GET {STREAM}{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n\r\n"
    await connection.send(head.encode())
    return connection


async def many_at_once(target: Target) -> str:
    """More streams than a client may have, asked for at the same moment, in both ways."""
    said = []
    async with new_client(target) as client:
        for query in ("", f"?sessionId={client.slug}-a"):
            await client.http.post("/api/accounts", json={"name": f"{client.slug}-a", "provider": "session"})
            statuses: list[int] = []

            async def one(query: str = query, statuses: list[int] = statuses) -> None:
                connection = await opened(target, client, query)
                statuses.append(int((await connection.until(b"\r\n\r\n"))[9:12]))
                await trio.sleep_forever()

            with trio.move_on_after(SOON):
                async with trio.open_nursery() as nursery:
                    for _ in range(3 * MOST):
                        nursery.start_soon(one)
                    while len(statuses) < 3 * MOST:
                        await trio.sleep(0.05)
                    nursery.cancel_scope.cancel()
            assert statuses.count(200) <= MOST, f"{statuses.count(200)} streams of one client are open"
            assert set(statuses) == {200, 429}, sorted(set(statuses))
            said.append(f"{statuses.count(200)} of {len(statuses)}")
            await freed(target, client)
    return f"{' and '.join(said)} were opened"


async def freed(target: Target, client: Client) -> None:
    """Those who went are counted no more: as many can be opened again."""
    with trio.fail_after(SOON):
        while True:
            connection = await opened(target, client)
            answer = await connection.until(b"\r\n\r\n")
            await connection.stream.aclose()
            if answer.startswith(b"HTTP/1.1 200"):
                return
            await trio.sleep(0.2)


async def never_read(target: Target) -> str:
    """Streams that nobody reads while a session changes again and again."""
    before = target.memory()
    async with new_client(target) as client:
        name = f"{client.slug}-a"
        await client.ask("POST", "/api/accounts", 201, json={"name": name, "provider": "session"})
        connections = [await opened(target, client) for _ in range(target.times(MOST, 40))]
        turns = target.times(600, 100)
        for turn in range(turns):
            note = {"turn": turn, "fill": "x" * 3000}
            await client.ask("PATCH", f"/api/accounts/{name}", json={"metadata": note, "weight": turn % 9})
            qr = {"event": "session.status", "data": {"status": ("CONNECTED", "DISCONNECTED")[turn % 2]}}
            await client.http.post(f"/api/whatsapp/webhook/{name}", json=qr)
        took, grown = await target.answers(), target.memory() - before
        for connection in connections:
            await connection.stream.aclose()
    assert grown < MORE, f"{grown:.0f} MB more"
    assert took < HELD_UP, f"the loop was held up for {took:.0f} ms"
    return f"{len(connections)} streams, {turns} changes: {grown:+.0f} MB, the loop was held up for {took:.0f} ms"


async def names_on_streams(target: Target) -> str:
    """Who watches an account is told that it is gone, and nothing of the one that another client makes of its name."""
    async with new_client(target) as first, new_client(target) as second:
        name = f"shop{target.random.randrange(10**9)}"
        await first.ask("POST", "/api/accounts", 201, json={"name": name, "provider": "session"})
        made = await first.ask("POST", f"/api/whatsapp/session/{name}/view-token", 201, json={})
        watching = [await opened(target, first), await opened(target, first, f"?sessionId={name}")]
        viewer = await target.connect()
        head = f"GET {STREAM}?sessionId={name}&token={made['token']} HTTP/1.1\r\nHost: x\r\n\r\n"
        await viewer.send(head.encode())
        for each in (*watching, viewer):
            assert b" 200 " in await each.until(b"event: snapshot"), "no snapshot"
        await first.ask("DELETE", f"/api/accounts/{name}", 204)
        await second.ask(
            "POST", "/api/accounts", 201, json={"name": name, "provider": "session", "metadata": {"of": "second"}}
        )
        body = {"event": "session.status", "data": {"status": "QR_GENERATED", "qr": "secret-of-second"}}
        await second.http.post(f"/api/whatsapp/webhook/{name}", json=body)
        theirs = await opened(target, second)
        await theirs.until(b"event: snapshot")
        said = []
        for each in watching:
            with trio.fail_after(SOON):
                said.append(await each.until(b"event: gone"))
        with trio.move_on_after(3):
            async with trio.open_nursery() as nursery:
                for each in watching:
                    nursery.start_soon(to_the_end, each)  # what comes is in its buffer
        for told, each in zip(said, watching, strict=True):
            assert b"secret-of-second" not in told + each.buffer, "the first client sees the second's QR"
        with trio.fail_after(SOON):
            told = await to_the_end(viewer)
        assert b"secret-of-second" not in told, "a view token outlives its account"
        again = await first.http.get(f"/api/whatsapp/session/status/{name}")
        assert again.status_code == 404, again.text
        again = await first.http.get(f"/api/whatsapp/session/status/{name}", params={"token": made["token"]})
        assert again.status_code == 404, again.text
    return "three who watch are told that it is gone, and no more"


async def to_the_end(connection: Connection) -> bytes:
    """All that comes before the answer's last chunk, or before the other side closes."""
    while not connection.buffer.endswith(b"\r\n0\r\n\r\n") and (data := await connection.stream.receive_some()):
        connection.buffer += data
    return connection.buffer


CASES = (
    Case("many streams", "a client has limits.streams of them at most, however it asks", many_at_once),
    Case("unread streams", "who does not read costs nobody memory", never_read),
    Case("names on streams", "a name that changes hands shows its old owner nothing", names_on_streams),
)
