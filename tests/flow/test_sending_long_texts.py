"""Texts that are too long for one message: several messages, in order, of which none goes without the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sending import CHAT, FakeProvider, open_post
from wagate.errors import NotSentError, SendRefusedError, UnprocessableError
from wagate.hooks import OutMedia, OutMessage
from wagate.storage.owners.accounts import NewAccount

pytest_plugins = ("tests.valkey",)

ONE, TWO, THREE = "one " * 4 + "end", "two " * 4 + "end", "three " * 3 + "end"
LONG = f"{ONE}\n\n{TWO}\n\n{THREE}"


def short() -> FakeProvider:
    return FakeProvider(longest_text=25)


async def test_a_long_text_is_sent_in_parts_in_order_under_one_key(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    options = {"database_url": database_url, "provider": short()}
    async with open_post(external_url, tmp_path, **options) as post, post.running():
        message = OutMessage(chat=CHAT, type="text", text=LONG, reply_to="wamid.Q")
        first = await post.outbox.send(message, client_id=1, key="k", metadata={"order": 1})
        assert (await post.outbox.send(message, client_id=1, key="k")).id == first.id
        assert first.part is not None
        ids = [first.id, *first.part.rest]
        views = [await post.status(each, "sent") for each in ids]
        assert post.provider.texts() == [each.content for each in views] == [ONE, TWO, THREE]
        assert [each.message.reply_to for each in post.provider.took] == ["wamid.Q", "", ""]
        parts = [each.part for each in views if each.part is not None]
        assert [(each.number, each.of, each.after) for each in parts] == [(1, 3, ""), (2, 3, ids[0]), (3, 3, ids[1])]
        told = await post.events("message.any", 3)
        assert [each.extra["metadata"] for each in told] == [{"order": 1}] * 3
        page = await post.outbox.page(client_id=1, limit=10)
        assert [each.id for each in reversed(page.data)] == ids


async def test_after_a_part_that_failed_none_goes_and_each_says_so(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    options = {"database_url": database_url, "provider": short()}
    async with open_post(external_url, tmp_path, **options) as post, post.running() as consumers:
        post.provider.script[TWO] = [SendRefusedError("not allowed", code="7")]
        first = await post.outbox.send(OutMessage(chat=CHAT, type="text", text=LONG), client_id=1)
        assert first.part is not None
        second, third = first.part.rest
        await post.status(third, "failed")
        assert (await post.view(third)).error == "part 2 of 3 was not sent: not allowed"
        assert post.provider.texts() == [ONE]
        await post.events("message.failed", 2)
        for each in (second, third):
            delivery = (await post.delivery(each)).delivery.id
            await post.world.status(delivery, "final")
            await consumers.control.retry(delivery, client_id=1)
            await post.status(each, "sent")
        assert post.provider.texts() == [ONE, TWO, THREE]


async def test_a_part_goes_to_no_account_that_takes_shorter_texts(external_url: str, tmp_path: Path) -> None:
    tiny = FakeProvider(name="sparrow", longest_text=10)
    accounts = [
        NewAccount(name="main", client_id=1, provider="pigeon"),
        NewAccount(name="b", client_id=1, provider="sparrow", weight=0, position=1),
    ]
    options = {"provider": short(), "others": [tiny], "accounts": accounts}
    async with open_post(external_url, tmp_path, **options) as post, post.running():
        post.provider.script["main"] = [NotSentError("away")]
        text = OutMessage(chat=CHAT, type="text", text=LONG)
        chosen = await post.outbox.send(text, client_id=1)
        assert chosen.part is not None
        await post.error(chosen.id)
        await post.world.passes(10)
        await post.status(chosen.part.rest[-1], "sent")
        assert (tiny.took, post.provider.texts()) == ([], [ONE, TWO, THREE])


async def test_of_a_long_caption_the_first_part_goes_with_the_file_and_the_rest_as_texts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    options = {"database_url": database_url, "provider": FakeProvider(longest_text=25, longest_caption=20)}
    async with open_post(external_url, tmp_path, **options) as post, post.running():
        media = OutMedia(url="https://files.example/a.png")
        message = OutMessage(chat=CHAT, type="image", media=media, text=LONG, reply_to="wamid.Q")
        first = await post.outbox.send(message, client_id=1)
        assert first.part is not None
        for each in (first.id, *first.part.rest):
            await post.status(each, "sent")
        assert [(each.message.type, each.message.text) for each in post.provider.took] == [
            ("image", ONE),
            ("text", TWO),
            ("text", THREE),
        ]
        assert [each.message.media for each in post.provider.took] == [media, None, None]
        assert [each.message.reply_to for each in post.provider.took] == ["wamid.Q", "", ""]


async def test_a_link_that_no_message_can_hold_is_refused_before_anything_is_stored(
    external_url: str, tmp_path: Path
) -> None:
    async with open_post(external_url, tmp_path, provider=short()) as post:
        with pytest.raises(UnprocessableError, match="a link"):
            await post.send(f"see https://shop.example/{'a' * 40}")
        assert (await post.outbox.page(client_id=1, limit=10)).data == []
