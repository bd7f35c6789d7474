"""What one client may keep, with the figure in the answer; intake is never refused for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.api_site import ACME, ADMIN, OTHER, api_site
from tests.media_site import JPEG, media_site
from tests.rows import NOW
from wagate.config.tables import Limits
from wagate.config.units import Size
from wagate.errors import ConflictError, NoRoomError, TooManyRequestsError
from wagate.storage.database import Database
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.endpoints import NewWebhook, create_webhook
from wagate.web.access.streams import Streams


async def test_uploads_are_counted_and_make_room_when_they_are_deleted(tmp_path: Path) -> None:
    async with (
        api_site(tmp_path, limits=Limits(uploads=2)) as there,
        there.as_(ACME) as acme,
        there.as_(OTHER) as other,
    ):
        first = (await acme.post("/api/media", content=b"one")).json()["id"]
        assert (await acme.post("/api/media", content=b"two")).status_code == 201
        refused = await acme.post("/api/media", content=b"three")
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "the client stores 2 files to send, its limit (limits.uploads)",
        )
        assert (await other.post("/api/media", content=b"three")).status_code == 201
        assert (await other.delete(f"/api/media/{first}")).status_code == 404
        assert (await acme.delete(f"/api/media/{first}")).status_code == 204
        assert (await acme.delete(f"/api/media/{first}")).status_code == 404
        assert (await acme.get(f"/media/{first}/x")).status_code == 404
        assert (await acme.post("/api/media", content=b"three")).status_code == 201


async def test_the_bytes_of_a_clients_files_are_capped(tmp_path: Path) -> None:
    async with api_site(tmp_path, limits=Limits(stored=Size("1KiB"))) as there, there.as_(ACME) as acme:
        assert (await acme.post("/api/media", content=b"a" * 1000)).status_code == 201
        refused = await acme.post("/api/media", content=b"b" * 25)
        assert refused.status_code == 507
        assert "1KiB" in refused.json()["detail"] or "1024" in refused.json()["detail"]
        assert (await acme.post("/api/media", content=b"b" * 24)).status_code == 201


async def test_the_last_of_the_disk_is_for_what_comes_in(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, limits=Limits(reserve=Size("1000000GiB"))) as there:
        with pytest.raises(NoRoomError, match=r"limits\.reserve"):
            await there.parts.store.keep(one(), client_id=1)
        came = await there.comes()
        await there.until(came, "stored")
        assert await there.body(came) == JPEG


async def one() -> AsyncIterator[bytes]:
    yield b"x"


async def test_tokens_are_capped(tmp_path: Path) -> None:
    async with api_site(tmp_path, limits=Limits(tokens=3)) as there, there.as_(ADMIN) as admin:
        made = [(await admin.post("/api/clients/acme/tokens")).status_code for _ in range(3)]
        assert made == [201, 201, 409]


async def test_webhooks_are_capped_for_each_client_and_connector(database: Database) -> None:
    client = (await database.write(ensure_default_client, now=NOW)).id

    async def register(connector: str, name: str) -> None:
        new = NewWebhook(
            client_id=client,
            phone_number="*",
            name=name,
            webhook_url="https://hooks.example/in",
            max_retries=3,
            events=["message"],
            metadata={},
        )
        await database.write(create_webhook, connector, new, now=NOW, most=2)

    await register("webhook", "a")
    await register("webhook", "b")
    with pytest.raises(ConflictError, match="the client has 2 webhooks, its limit"):
        await register("webhook", "c")
    await register("other", "c")


def test_streams_are_capped_for_each_client_and_session_shown_and_not_for_the_admin() -> None:
    streams = Streams(1)
    with streams.one(1), streams.one((1, "shop")), streams.one(2), streams.one(None), streams.one(None):
        for who in (1, (1, "shop"), 2):
            with pytest.raises(TooManyRequestsError, match="1 streams are already open"), streams.one(who):
                pass
    with streams.one(1):
        pass


@pytest.mark.parametrize("path", ["/api/whatsapp/session/stream", "/api/whatsapp/session/stream?sessionId=main"])
async def test_streams_that_begin_together_are_counted_too(tmp_path: Path, path: str) -> None:
    async with api_site(tmp_path, limits=Limits(streams=2)) as there, there.as_(ACME) as acme:
        made = await acme.post("/api/accounts", json={"name": "main", "provider": "session"})
        assert made.status_code == 201, made.text
        statuses: list[int] = []

        async def watch() -> None:
            async with there.as_(ACME) as client, client.stream("GET", path) as answer:
                statuses.append(answer.status_code)
                await trio.sleep_forever()

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(12):
                    nursery.start_soon(watch)
                while len(statuses) < 12:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
        assert sorted(statuses) == [200] * 2 + [429] * 10
