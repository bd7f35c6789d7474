"""Files of messages that came in: fetched, tried again, given up; on both databases."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from tests.media_site import JPEG, StillClock, media_site
from tests.rows import event
from wagate.errors import (
    AccountStoppedError,
    NotFoundError,
    NotSentError,
    SendRefusedError,
    StorageError,
    UnavailableError,
)
from wagate.events import Media
from wagate.hooks.providers import MediaRequest, ProviderAccount
from wagate.http import Guard
from wagate.media.pace import MOST_OF_ACCOUNT
from wagate.storage import media as rows
from wagate.storage.database import Database
from wagate.storage.media import INTERRUPTED, Kept, has_file
from wagate.storage.upkeep.retention import forget_media
from wagate.testing.rest import at_rest
from wagate.testing.server import Fault, Reply

PICTURE = Media(mimetype="image/jpeg", filename="a.jpg", provider_id="77")


async def test_a_file_is_fetched_with_the_providers_token_and_kept_by_its_hash(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path) as site:
        one, two = await site.comes(), await site.comes()
        row, twin = await site.until(one, "stored"), await site.until(two, "stored")
        assert (row.mimetype, row.filename, row.size, row.error, row.attempts) == (
            "image/jpeg",
            "a.jpg",
            len(JPEG),
            None,
            1,
        )
        assert (row.direction, row.account, row.client_id, row.created_at) == ("in", "main", 1, one.created_at)
        assert site.server.seen[0].headers["authorization"] == "Bearer t"
        assert await site.body(one) == JPEG
        assert row.sha256 == twin.sha256
        assert site.on_disk == [row.sha256]
        held = await site.parts.store.open(one)
        assert held.path.stat().st_mode & 0o777 == 0o600
        assert {folder.stat().st_mode & 0o777 for folder in (held.path.parent, held.path.parent.parent)} == {0o700}


async def test_only_messages_with_a_file_have_a_row_and_duplicates_have_none(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        without = event()
        acked = event(kind="message.ack", media=PICTURE)
        ours = event(
            kind="message.any", from_me=True, media=PICTURE, extra={"source": "api", "id": "1", "metadata": {}}
        )
        nowhere = event(media=Media(mimetype="image/jpeg"))
        first, again = event(media=PICTURE), event(media=PICTURE)
        for each in (without, acked, ours, nowhere):
            assert not (await site.put(each)).file
            assert not has_file(each)
            assert site.parts.store.url(each) is None
            with pytest.raises(NotFoundError):
                await site.row(each)
        assert (await site.put(first, dedupe_key="k")).file
        assert (await site.put(again, dedupe_key="k")).duplicate
        assert (await site.row(first)).status == "pending"
        with pytest.raises(NotFoundError):
            await site.row(again)


async def test_a_provider_is_asked_again_after_five_seconds_for_where_it_is(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.server.fail(Fault(reply=Reply(status=404)))
        made = await site.comes()
        row = await site.until(made, "pending", attempts=1)
        assert row.error == "it was answered with 404"
        assert row.next_at is not None
        assert row.next_at - row.updated_at == timedelta(seconds=5)
        await site.passes(6)
        assert (await site.until(made, "stored")).attempts == 2


async def test_after_six_tries_it_is_given_up_with_the_reason(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=404)
        made = await site.comes()
        for attempts in range(1, 6):
            await site.until(made, "pending", attempts=attempts)
            await site.passes(5 * 4 ** (attempts - 1) + 1)
        row = await site.until(made, "failed")
        assert (row.attempts, row.error, row.next_at) == (6, "it was answered with 404", None)
        assert len(site.server.seen) == 6
        with pytest.raises(NotFoundError, match="could not be fetched: it was answered with 404"):
            await site.parts.store.open(made)


async def test_a_host_in_trouble_for_hours_costs_no_file(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=503)
        made = await site.comes()
        for attempts in range(1, 12):
            await site.until(made, "pending", attempts=attempts)
            await site.passes(1281)
        site.replies["/file"] = Reply(body=JPEG)
        await site.passes(1281)
        assert (await site.until(made, "stored")).attempts > 11


@pytest.mark.parametrize("before", [0, 25], ids=["came while we ran", "came before"])
async def test_a_file_is_tried_for_a_day_in_which_we_run(database: Database, tmp_path: Path, before: int) -> None:
    """Who comes back after a day finds many a server that is still starting."""
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=500)
        made = event(media=PICTURE, provider="fake", created_at=site.clock.now() - timedelta(hours=before))
        site.parts.fetcher.ring([await site.put(made)])
        await site.until(made, "pending", attempts=1)
        await site.passes(25 * 3600)
        assert (await site.until(made, "failed")).attempts == 2


async def test_a_day_for_which_the_machine_slept_is_no_day_in_which_a_file_was_tried(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=500)
        made = await site.comes()
        await site.until(made, "pending", attempts=1)
        await at_rest()
        site.clock.suspend(25 * 3600)
        for attempts in (2, 3):
            await site.passes(1281)
            await site.until(made, "pending", attempts=attempts)
        await site.passes(25 * 3600)
        await site.until(made, "failed")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SendRefusedError("the provider has no such file"), "failed"),
        (AccountStoppedError("the token is wrong"), "pending"),
        (NotSentError("busy", after=60), "pending"),
        (RuntimeError("a bug"), "pending"),
    ],
)
async def test_what_a_provider_raises_decides(
    database: Database, tmp_path: Path, error: Exception, status: str
) -> None:
    async def locate(_media: Media, _account: ProviderAccount) -> MediaRequest:
        raise error

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        row = await site.until(made := await site.comes(), status, attempts=1)
        assert not site.server.seen
        if isinstance(error, NotSentError):
            assert row.next_at is not None
            assert row.next_at - row.updated_at == timedelta(seconds=60)
        if isinstance(error, RuntimeError):
            assert row.error == "fetching failed; see the log"
        else:
            assert row.error == str(error)
        assert (await site.row(made)).id == made.id


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(body=b"x" * 1_048_577), "the file is over 1048576 bytes"),
        (Reply(status=302, headers={"Location": "http://10.0.0.1/"}), None),
        (
            Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
            "a text page arrived instead of image/jpeg",
        ),
        (Reply(body=b""), "it arrived empty"),
    ],
)
async def test_what_is_no_file_leaves_nothing_on_disk(
    database: Database, tmp_path: Path, reply: Reply, error: str | None
) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = reply
        row = await site.until(await site.comes(), "pending", "failed", attempts=1)
        assert (error or "Address not allowed") in (row.error or "")
        assert row.status == ("failed" if error and "over" in error else "pending")
        assert site.on_disk == []


async def test_a_connection_that_breaks_leaves_nothing_and_is_tried_again(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.server.fail(Fault(drop=True))
        made = await site.comes()
        await site.until(made, "pending", attempts=1)
        assert site.on_disk == []
        await site.passes(6)
        await site.until(made, "stored")


async def test_an_account_in_trouble_is_asked_for_one_file_at_a_time_and_others_are_not_delayed(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=500)
        bad = [await site.comes() for _ in range(5)]
        for made in bad[:1]:
            await site.until(made, "pending", attempts=1)
        await at_rest()  # several may have begun at once: the others are over, too
        tried = len(site.server.seen)
        assert tried <= MOST_OF_ACCOUNT
        site.replies["/good"] = Reply(body=JPEG)
        other = await site.comes(account="another", media=Media(mimetype="image/jpeg", url=f"{site.server.url}/good"))
        await site.until(other, "stored")
        assert len(site.server.seen) == tried + 1
        site.replies["/file"] = Reply(body=JPEG)
        await site.passes(321)
        for made in bad:
            await site.passes(0)
            await site.until(made, "stored")


async def test_without_a_provider_that_locates_it_the_messages_own_url_is_used(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path) as site:
        made = await site.comes(provider="engine", media=Media(url=f"{site.server.url}/file", filename="../pic"))
        row = await site.until(made, "stored")
        assert (row.mimetype, row.filename) == ("image/jpeg", "pic.jpg")
        lost = await site.comes(provider="engine", media=Media(provider_id="1"))
        assert "it arrived without a URL" in str((await site.until(lost, "failed")).error)


async def test_a_url_into_the_network_is_refused(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, guard=Guard()) as site:
        made = await site.comes(provider="engine", media=Media(url=f"{site.server.url}/file"))
        assert "Address not allowed" in str((await site.until(made, "pending", attempts=1)).error)
        assert not site.server.seen


async def test_a_file_inside_the_webhooks_body_is_decoded(database: Database, tmp_path: Path) -> None:
    text = base64.b64encode(JPEG).decode()
    raw = json.dumps({"data": {"messageMedia": {"data": text, "mimetype": "image/jpeg"}}}).encode()
    async with media_site(database, tmp_path) as site:
        extra = {"inline_file": "data.messageMedia"}
        media = Media(mimetype="image/jpeg")
        made = await site.comes(raw, kind="unknown", extra=extra, media=media)
        await site.until(made, "stored")
        assert await site.body(made) == JPEG
        assert not site.server.seen
        broken = await site.comes(raw.replace(b"/9j/", b"!!!!"), kind="message", extra=extra, media=media)
        assert (await site.until(broken, "failed")).error == "the file in the message's body is not base64"
        nowhere = await site.comes(b'{"data": 5}', kind="message", extra=extra, media=media)
        assert "no longer contains it" in str((await site.until(nowhere, "failed")).error)


async def test_a_pending_file_goes_on_after_a_restart(database: Database, tmp_path: Path) -> None:
    clock = StillClock()
    async with media_site(database, tmp_path, clock=clock) as site:
        site.server.fail(Fault(wait=3600))
        made = await site.comes()
        await site.server.until(lambda: bool(site.server.seen))
        assert (await site.row(made)).error == INTERRUPTED
        (tmp_path / "media" / "incoming" / "left").write_bytes(b"half")
    assert not [path for path in (tmp_path / "media" / "incoming").iterdir() if path.name != "left"]
    async with media_site(database, tmp_path, clock=clock) as site:
        if database.dialect == "postgres":
            await site.passes(16 * 60)  # another process could still be at it
        assert (await site.until(made, "stored")).attempts == 2
        if database.dialect == "sqlite":
            assert [name for name in site.on_disk if name.startswith("incoming")] == []


async def test_an_attempt_belongs_to_one_process(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        made = event(media=PICTURE, provider="fake")
        await site.put(made)
        row, now = await site.row(made), site.clock.now()
        until = now + timedelta(minutes=15)
        assert await database.write(rows.claim, row, now=now, until=until)
        assert not await database.write(rows.claim, row, now=now, until=until)
        again = await site.row(made)
        assert not await database.write(rows.claim, again, now=now, until=until), "not even with a fresh look"
        assert await database.write(rows.claim, again, now=until, until=until + timedelta(minutes=15))


async def test_who_asks_for_a_pending_file_has_it_fetched_now(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetch=False) as site:
        made = await site.comes()
        await at_rest()
        assert (await site.row(made)).status == "pending"
        assert not site.server.seen, "media.fetch is off: nobody asked yet"
        assert await site.body(made) == JPEG
        assert len(site.server.seen) == 1


async def test_who_asks_waits_only_so_long_and_does_not_hammer(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=500)
        made = await site.comes()
        await site.until(made, "pending", attempts=1)
        with pytest.raises(UnavailableError) as caught:
            await site.parts.store.open(made, patience=0.5)
        assert caught.value.retry_after == 10
        assert len(site.server.seen) == 1
        async with trio.open_nursery() as nursery:
            got: list[bytes] = []

            async def ask() -> None:
                got.append(await site.body(made))

            for _ in range(3):
                nursery.start_soon(ask)
            site.replies["/file"] = Reply(body=JPEG)
            await site.passes(6)
        assert got == [JPEG] * 3
        assert len(site.server.seen) == 2


async def test_a_file_that_is_missing_on_disk_is_fetched_again(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        made = await site.comes()
        await site.until(made, "stored")
        (await site.parts.store.open(made)).path.unlink()
        assert await site.body(made) == JPEG
        assert len(site.server.seen) == 2


async def test_old_files_go_but_not_those_that_a_younger_message_has(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        old = await site.comes()
        await site.until(old, "stored")
        site.clock.shift(20 * 86400)
        young = await site.comes()
        await site.until(young, "stored")
        site.clock.shift(15 * 86400)
        before = site.clock.now() - timedelta(days=30)
        assert (await database.write(forget_media, before)).gone == 1
        assert (await database.write(forget_media, before)).gone == 0
        assert await site.parts.sweep(site.clock.now()) == 0
        with pytest.raises(NotFoundError, match=r"retention\.media"):
            await site.parts.store.open(old)
        assert await site.body(young) == JPEG
        assert (await database.write(forget_media, site.clock.now())).gone == 1
        assert await site.parts.sweep(site.clock.now()) == 1
        assert site.on_disk == []


async def test_a_young_file_without_a_row_is_left_alone_for_an_hour(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path, fetching=False) as site:
        async with site.parts.files.writing() as writing:
            await writing.write(b"no row yet")
            written = await writing.finish()
        assert await site.parts.sweep(site.clock.now()) == 0
        assert site.on_disk == [written.sha256]
        site.clock.shift(3700)
        assert await site.parts.sweep(site.clock.now()) == 1
        assert site.on_disk == []


async def test_a_file_that_the_database_did_not_take_is_written_down_when_it_does(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with media_site(database, tmp_path) as site:
        late, failed = site.parts.fetcher._late, list[str]()
        real = late.keep

        async def keep(media_id: str, kept: Kept) -> None:
            if len(failed) < 2:
                failed.append(media_id)
                raise StorageError("disk I/O error")
            await real(media_id, kept)

        monkeypatch.setattr(late, "keep", keep)
        made = await site.comes()
        for _ in range(2):
            await site.passes(6)
        row = await site.until(made, "stored")
        assert (len(failed), row.attempts, len(site.server.seen)) == (2, 1, 1)
