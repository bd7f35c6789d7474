"""Links of others: an engine inside gets the file, never the link; and our own deliveries don't come in again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.media_site import JPEG, media_site
from tests.rows import event, intake, route
from tests.sending import open_post
from wagate.errors import ConflictError, NotSentError, SendRefusedError, UnprocessableError
from wagate.hooks import OutMedia, OutMessage
from wagate.http import AddressNotAllowedError
from wagate.http.guard import Guard
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.media import Kept, insert_outbound
from wagate.storage.owners.clients import ensure_default_client
from wagate.testing.server import Reply
from wagate.web.http.asgi import Request
from wagate.web.inbound.intake import OwnDeliveries

pytest_plugins = ("tests.valkey",)


def picture(url: str) -> OutMessage:
    return OutMessage(chat="1@c.us", type="image", media=OutMedia(url=url, mimetype="image/jpeg"))


async def test_what_an_engine_inside_is_to_fetch_is_fetched_by_ourselves(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, public_url="https://wa.example") as site:
        link = f"{site.server.url}/file"
        file = await site.parts.store.file_of(picture(link), 1, True)
        assert file is not None
        assert file.path is not None
        assert await trio.Path(file.path).read_bytes() == JPEG
        assert link not in file.url
        assert file.url.startswith("https://wa.example/")
        provider = await site.parts.store.file_of(picture(link), 1, False)
        assert provider is not None
        assert (provider.url, provider.path) == (link, None)
        again = await site.parts.store.file_of(picture(file.url), 1, True)
        assert again is not None
        assert again.url == file.url
        site.replies["/gone"] = Reply(status=404)
        with pytest.raises(NotSentError, match="its link answers 404"):
            await site.parts.store.file_of(picture(f"{site.server.url}/gone"), 1, True)


async def test_a_file_without_a_byte_is_never_handed_over(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/nothing"] = Reply()
        with pytest.raises(SendRefusedError, match="leads to an empty file"):
            await site.parts.store.file_of(picture(f"{site.server.url}/nothing"), 1, True)
        assert site.on_disk == []
        async with site.parts.files.writing() as writing:  # as one was kept before such links were refused
            written = await writing.finish()
        kept = Kept(sha256=written.sha256, mimetype="image/jpeg", filename="a.jpg", size=0)
        await database.write(insert_outbound, "old", 1, kept, now=event().created_at)
        message = OutMessage(chat="1@c.us", type="image", media=OutMedia(media_id="old"))
        for fetch in (True, False):
            with pytest.raises(SendRefusedError, match="it is empty"):
                await site.parts.store.file_of(message, 1, fetch)


async def test_a_link_that_leads_inside_is_not_fetched_for_an_engine(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, guard=Guard()) as site:
        with pytest.raises(SendRefusedError, match="Address not allowed"):
            await site.parts.store.file_of(picture(f"{site.server.url}/file"), 1, True)
        assert site.on_disk == []


async def test_a_plugins_message_with_a_link_that_leads_inside_is_refused(external_url: str, tmp_path: Path) -> None:
    async def nowhere(url: str) -> None:
        raise AddressNotAllowedError(f"Address not allowed: {url}")

    async with open_post(external_url, tmp_path, check_link=nowhere) as post:
        with pytest.raises(UnprocessableError, match="Address not allowed"):
            await post.outbound.outbox("chatwoot").send(picture("http://10.0.0.1/x"), client_id=1)
        assert (await post.outbox.page(client_id=1, limit=9)).data == []


async def test_a_delivery_of_our_own_does_not_come_in_again(database: Database) -> None:
    await database.write(ensure_default_client, now=event().created_at)
    stored = await database.write_bulk(store, intake(routes=(route(),)))
    own = OwnDeliveries(database)
    with pytest.raises(ConflictError, match="leads back into it"):
        await own.refuse(asked(stored.deliveries[0].delivery_id))
    for own_id in ("msg_of_somebody_else", None):
        await own.refuse(asked(own_id))


def asked(own_id: str | None) -> Request:
    headers = [] if own_id is None else [(b"webhook-id", own_id.encode())]
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, "client": ("1.1.1.1", 1)}
    return Request(scope, ())
