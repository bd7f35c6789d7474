"""Files to send, and files as senders and plugins get them; on both databases."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.media_site import JPEG, media_site
from tests.rows import event
from wagate.errors import NotFoundError, SendRefusedError, TooLargeError, UnprocessableError
from wagate.events import Media
from wagate.hooks.messages import OutFile, OutMedia, OutMessage
from wagate.storage.database import Database
from wagate.storage.owners.clients import add_client
from wagate.testing import FakeMedia

CHAT = "5511999999999@c.us"


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def message(**media: str) -> OutMessage:
    return OutMessage(chat=CHAT, type="image", media=OutMedia(**media))


async def test_a_file_that_was_taken_in_is_ready_to_be_sent(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        store = site.parts.store
        kept = await store.keep(chunks(JPEG[:10], JPEG[10:]), client_id=1, filename="my photo")
        assert (kept.mimetype, kept.filename, kept.url) == ("image/jpeg", "my photo.jpg", "")
        file = await store.file_of(message(media_id=kept.media_id), 1)
        assert file is not None
        assert (file.mimetype, file.filename, file.size) == ("image/jpeg", "my photo.jpg", len(JPEG))
        assert file.path is not None
        assert file.path.read_bytes() == JPEG
        assert file.url.startswith(f"https://wa.example/media/{kept.media_id}/my%20photo.jpg?exp=")
        named = await store.file_of(message(media_id=kept.media_id, filename="other.jpg"), 1)
        assert named is not None
        assert named.filename == "other.jpg"


async def test_without_a_public_url_a_file_has_only_its_path(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False, public_url="") as site:
        kept = await site.parts.store.keep(chunks(JPEG), client_id=1)
        file = await site.parts.store.file_of(message(media_id=kept.media_id), 1)
        assert file is not None
        assert (file.url, file.filename) == ("", "file.jpg")
        assert file.path is not None


async def test_a_url_is_left_as_it_is(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        url = "https://cdn.example/a/photo%201.png?x=1"
        assert await site.parts.store.file_of(message(url=url, mimetype="image/png"), 1) == OutFile(
            mimetype="image/png", filename="photo 1.png", url=url
        )
        assert await site.parts.store.file_of(OutMessage(chat=CHAT, type="text", text="x"), 1) is None
        assert not site.server.seen


async def test_a_file_that_is_another_clients_or_gone_is_refused(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        other = await database.write(lambda db: add_client(db, slug="other", name="", now=site.clock.now()))
        kept = await site.parts.store.keep(chunks(JPEG), client_id=1)
        for media_id, client_id in ((kept.media_id, other.id), ("nothing", 1)):
            with pytest.raises(SendRefusedError, match="no such file"):
                await site.parts.store.file_of(message(media_id=media_id), client_id)
        (await site.parts.store.open_id(kept.media_id)).path.unlink()
        with pytest.raises(SendRefusedError, match="no longer on this machine's disk"):
            await site.parts.store.file_of(message(media_id=kept.media_id), 1)


async def test_a_message_may_pass_on_a_file_that_came_in(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        came = await site.comes()
        file = await site.parts.store.file_of(message(media_id=came.id), 1)
        assert file is not None
        assert file.size == len(JPEG)


async def test_what_we_sent_links_to_the_file_that_was_sent(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        store = site.parts.store
        kept = await store.keep(chunks(JPEG), client_id=1, filename="a.jpg")
        media = Media(mimetype="image/jpeg", filename="a.jpg")
        extra = {"source": "chatwoot", "id": "1", "metadata": {}}
        ours = {"kind": "message.any", "from_me": True, "extra": extra}
        sent = event(**ours | {"media": media, "extra": extra | {"media_id": kept.media_id}})
        assert str(store.url(sent)).startswith(f"https://wa.example/media/{kept.media_id}/a.jpg?")
        assert (await store.open(sent)).size == len(JPEG)
        by_url = event(**ours, media=Media(url="https://cdn.example/a.jpg"))
        assert store.url(by_url) is None
        with pytest.raises(NotFoundError):
            await store.open(by_url)


async def test_too_much_and_nothing_are_refused_and_leave_no_file(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        with pytest.raises(TooLargeError, match="1048576 bytes"):
            await site.parts.store.keep(chunks(*[b"x" * 1000] * 1049), client_id=1)
        with pytest.raises(UnprocessableError, match="empty"):
            await site.parts.store.keep(chunks(b""), client_id=1)
        assert site.on_disk == []


async def test_a_file_on_its_way_in_outlives_the_clearing_at_start_whatever_its_time_says(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        files, incoming = site.parts.files, tmp_path / "media" / "incoming"
        async with files.writing() as writing:
            await writing.write(JPEG)
            (incoming / "left").write_bytes(b"half")
            for path in incoming.iterdir():
                os.utime(path, (0, 0))
            assert await files.clear_before_start() == 1
            written = await writing.finish()
        assert site.on_disk == [written.sha256]


@pytest.mark.parametrize("fake", [False, True], ids=["store", "fake"])
async def test_the_fake_holds_what_the_store_promises(database: Database, tmp_path: Path, fake: bool) -> None:
    async with media_site(database, tmp_path) as site:
        store = FakeMedia() if fake else site.parts.store
        kept = await store.keep(chunks(JPEG[:9], JPEG[9:]), client_id=1, filename="a.jpg", mimetype="image/jpeg")
        assert (kept.mimetype, kept.filename, bool(kept.media_id)) == ("image/jpeg", "a.jpg", True)
        without = event()
        assert store.url(without) is None
        with pytest.raises(NotFoundError):
            await store.open(without)
        came = await site.comes()
        assert store.url(came) == store.url(came)
        if not fake:
            held = await site.parts.store.open(came)
            assert b"".join([chunk async for chunk in held.chunks()]) == JPEG


async def test_a_file_at_a_link_is_kept_once_however_often_it_is_fetched(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        other = await database.write(add_client, slug="other", name="", now=site.clock.now())
        link = OutMedia(url=f"{site.server.url}/file", mimetype="image/jpeg")
        first = await site.parts.store.at_hand(link, 1)
        site.clock.shift(3600)
        assert await site.parts.store.at_hand(link, 1) == first
        named = await site.parts.store.at_hand(replace(link, filename="bill.jpg"), 1)
        others = await site.parts.store.at_hand(link, other.id)
        assert len({first.media_id, named.media_id, others.media_id}) == 3
        row = await site.parts.store.get(first.media_id, client_id=1)
        assert row.created_at == site.clock.now().replace(microsecond=row.created_at.microsecond)
        await site.parts.store.delete(first.media_id, client_id=1)
        assert (await site.parts.store.at_hand(link, 1)).media_id != first.media_id
