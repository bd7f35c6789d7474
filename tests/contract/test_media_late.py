"""Whose fault it is that a file is not there, and who is told when it comes after all; on both databases."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio

from tests.media_site import JPEG, MediaSite, StillClock, media_site
from wagate.errors import AccountStoppedError, NotFoundError, NotSentError, SendError, SendRefusedError
from wagate.events import Event, Media, kinds
from wagate.hooks.providers import MediaRequest, ProviderAccount
from wagate.storage import media as rows
from wagate.storage.database import Database
from wagate.storage.events.listing import get_event
from wagate.storage.media import Kept
from wagate.testing.rest import at_rest
from wagate.testing.server import Fault, Reply

KEPT = Kept(sha256="0" * 64, mimetype="image/jpeg", filename="a.jpg", size=5)


def linked(site: MediaSite, name: str, **fields: str) -> Media:
    return Media(mimetype="image/jpeg", url=f"{site.server.url}/{name}", **fields)


async def own_url(media: Media, _account: ProviderAccount) -> MediaRequest:
    return MediaRequest(url=media.url or "", headers={"Authorization": "Bearer t"})


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_what_is_wrong_with_one_file_slows_no_other(database: Database, tmp_path: Path, status: int) -> None:
    async with media_site(database, tmp_path) as site:
        site.locate = own_url
        site.replies["/bad"] = Reply(status=status)
        bad = [await site.comes(media=linked(site, "bad")) for _ in range(9)]
        for each in bad:
            await site.until(each, "failed" if status == 410 else "pending", attempts=1)
        good = await site.comes(media=linked(site, "file"))
        await site.until(good, "stored")  # the clock stands still: nothing rested


@pytest.mark.parametrize(
    "error",
    [
        SendRefusedError("gone"),
        NotSentError("the engine has not posted it yet"),
        NotSentError("odd", http_status=400),
    ],
)
async def test_what_a_provider_says_of_one_file_slows_no_other(
    database: Database, tmp_path: Path, error: SendError
) -> None:
    async def locate(media: Media, account: ProviderAccount) -> MediaRequest:
        if media.filename == "bad":
            raise error
        return await own_url(media, account)

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        for _ in range(9):
            bad = await site.comes(media=linked(site, "file", filename="bad"))
            await site.until(bad, "pending", "failed", attempts=1)
        await site.until(await site.comes(media=linked(site, "file")), "stored")


@pytest.mark.parametrize(
    "error",
    [
        AccountStoppedError("the token is wrong", http_status=401),
        NotSentError("slower", slow="account"),
        NotSentError("down", http_status=503),
    ],
)
async def test_what_a_provider_says_of_itself_slows_its_account(
    database: Database, tmp_path: Path, error: SendError
) -> None:
    async def locate(_media: Media, _account: ProviderAccount) -> MediaRequest:
        raise error

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        first = await site.comes()
        await site.until(first, "pending", attempts=1)
        second = await site.comes()
        await at_rest()
        assert (await site.row(second)).attempts == 0
        site.locate = None
        await site.passes(6)
        await site.until(second, "stored")
        await site.until(first, "stored")


@pytest.mark.parametrize("fault", [Fault(reply=Reply(status=500)), Fault(reply=Reply(status=429)), Fault(drop=True)])
async def test_another_host_in_trouble_slows_only_what_lies_there(
    database: Database, tmp_path: Path, fault: Fault
) -> None:
    async with media_site(database, tmp_path) as site:
        elsewhere = site.server.url.replace("127.0.0.1", "localhost")
        site.server.chance = lambda seen: fault if "localhost" in seen.headers["host"] else None
        bad = [await site.comes(provider="engine", media=Media(url=f"{elsewhere}/file")) for _ in range(6)]
        with trio.fail_after(60):
            while not any([(await site.row(each)).attempts for each in bad]):  # whichever was asked for first
                await trio.sleep(0.01)
        good = await site.comes(provider="engine", media=linked(site, "file"))
        await site.until(good, "stored")
        await at_rest()
        asked = [seen for seen in site.server.seen if "localhost" in seen.headers["host"]]
        assert len(asked) <= 4, "the others wait until the host has rested"
        site.server.chance = lambda _seen: None
        await site.passes(321)
        for each in bad:
            await site.passes(6)
            await site.until(each, "stored")


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_when_its_link_is_dead_a_file_is_asked_for_by_its_id(
    database: Database, tmp_path: Path, status: int
) -> None:
    async def locate(media: Media, account: ProviderAccount) -> MediaRequest:
        if media.url is None:
            assert media.provider_id == "77"
            return MediaRequest(url=f"{site.server.url}/file", headers={"Authorization": "Bearer t"})
        return await own_url(media, account)

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        site.replies["/dead"] = Reply(status=status)
        made = await site.comes(media=linked(site, "dead", provider_id="77"))
        assert (await site.until(made, "stored")).attempts == 1
        assert [seen.path for seen in site.server.seen] == ["/dead", "/file"]


async def test_a_link_that_lapsed_at_once_is_asked_for_again(database: Database, tmp_path: Path) -> None:
    links = iter(["lapsed", "file"])

    async def locate(_media: Media, _account: ProviderAccount) -> MediaRequest:
        return MediaRequest(url=f"{site.server.url}/{next(links)}", headers={"Authorization": "Bearer t"})

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        site.replies["/lapsed"] = Reply(status=410)
        made = await site.comes(media=Media(mimetype="image/jpeg", provider_id="77"))
        assert (await site.until(made, "stored")).attempts == 1
        assert [seen.path for seen in site.server.seen] == ["/lapsed", "/file"]


async def test_a_file_over_the_limit_is_said_to_be_too_large_and_not_asked_for(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path) as site:
        size = site.parts.store.max_size + 1
        made = await site.comes(media=Media(mimetype="video/mp4", provider_id="77", size=size))
        failed = await site.until(made, "failed")
        assert str(failed.error) == f"it has {size} bytes, over media.max_size ({site.parts.store.max_size})"
        assert not site.server.seen


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"messageMedia": {"mimetype": "image/jpeg", "data": base64.b64encode(JPEG * 20).decode()}}, None),
        ({"messageMedia": {"mimetype": "image/jpeg", "data": "!!!!" * 30_000}}, "no file in base64"),
        ({"success": True}, "does not hold the file"),
        ([1], "no file in base64"),
    ],
)
async def test_a_file_inside_an_answer_is_taken_out_of_it(
    database: Database, tmp_path: Path, answer: object, error: str | None
) -> None:
    async def locate(_media: Media, _account: ProviderAccount) -> MediaRequest:
        return MediaRequest(url=f"{site.server.url}/inside", content=b'{"id":1}', inside="messageMedia")

    async with media_site(database, tmp_path) as site:
        site.locate = locate
        site.replies["/inside"] = Reply(json=answer)
        made = await site.comes()
        if error is None:
            await site.until(made, "stored")
            assert await site.body(made) == JPEG * 20
        else:
            assert error in str((await site.until(made, "pending", attempts=1)).error)
            assert site.on_disk == []
        [asked] = site.server.seen
        assert (asked.method, asked.body) == ("POST", b'{"id":1}')


async def test_who_follows_a_file_is_told_in_its_chat_when_it_comes(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        site.replies["/file"] = Reply(status=404)
        made = await site.comes(content="look", extra={"aliases": ["1@lid"], "forwarded": True})
        await site.until(made, "pending", attempts=1)
        store = site.parts.store
        for target in ("in/one", "in/two", "in/one"):
            assert await store.follow(made, handler="chatwoot", target=target)
        site.replies["/file"] = Reply(body=JPEG)
        await site.passes(6)
        await site.until(made, "stored")
        assert not await store.follow(made, handler="chatwoot", target="in/one"), "it is here"
        with trio.fail_after(60):
            while not site.told:
                await trio.sleep(0.01)
        [told] = site.told
        assert [each.target_id for each in told.deliveries] == ["chatwoot:in/one", "chatwoot:in/two"]
        event = await database.read(get_event, told.event_id)
        assert (event.kind, event.chat, event.message_id) == (kinds.MEDIA_ARRIVED, made.chat, made.message_id)
        assert (event.content, event.extra) == ("", {"aliases": ["1@lid"], "media_id": made.id})
        assert event.media is not None
        assert event.media.size == len(JPEG)
        assert store.url(event) == store.url(msgspec.structs.replace(made, created_at=event.created_at))
        assert await site.body(event) == JPEG


async def test_who_follows_is_told_after_a_restart_and_of_what_was_given_up(database: Database, tmp_path: Path) -> None:
    clock = StillClock()
    async with media_site(database, tmp_path, clock=clock) as site:
        site.replies["/file"] = Reply(status=410)
        lost, made = await site.comes(), await site.comes()
        await site.until(lost, "failed")
        await site.until(made, "failed")
        assert await site.parts.store.follow(made, handler="chatwoot", target="in/one")
    async with media_site(database, tmp_path, clock=clock) as site:
        await site.parts.store.came(made.id, KEPT)
        assert len(site.told) == 1
        assert (await site.row(made)).status == "stored"
        await site.parts.store.came(made.id, KEPT)
        await site.parts.store.came(lost.id, KEPT)
        assert len(site.told) == 1, "nobody followed the other, and once is enough"


async def test_what_brought_no_file_can_not_be_followed(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        plain = await site.comes(media=None, type="text")
        assert not await site.parts.store.follow(plain, handler="chatwoot", target="in/one")
        await site.parts.store.came(plain.id, KEPT)
        with pytest.raises(NotFoundError):
            await site.row(plain)


async def test_a_file_that_comes_by_itself_is_not_asked_for_too_soon(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        made = await site.comes(extra={"file_follows": True})
        row = await site.row(made)
        assert row.next_at is not None
        assert row.next_at - row.created_at == rows.FOLLOWS_WITHIN > timedelta(0)
        with pytest.raises(Exception, match="still being fetched"):
            await site.parts.store.open(made, patience=0.2)
        assert site.server.seen == []
        await site.passes(9)
        await site.until(made, "stored")


async def test_an_edit_with_a_file_has_a_link_of_its_own(database: Database, tmp_path: Path) -> None:
    async with media_site(database, tmp_path) as site:
        made: Event = await site.comes(kind=kinds.MESSAGE_EDITED)
        await site.until(made, "stored")
        assert (site.parts.store.url(made) or "").startswith("https://wa.example/media/")


async def test_what_somebody_follows_is_fetched_also_where_nothing_is_fetched_unasked(
    database: Database, tmp_path: Path
) -> None:
    async with media_site(database, tmp_path, fetch=False) as site:
        site.replies["/file"] = Reply(status=404)
        followed, other = await site.comes(), await site.comes()
        assert await site.parts.store.follow(followed, handler="chatwoot", target="in/one")
        await site.until(followed, "pending", attempts=1)
        site.replies["/file"] = Reply(body=JPEG)
        await site.passes(6)
        await site.until(followed, "stored")
        assert (await site.row(other)).attempts == 0
