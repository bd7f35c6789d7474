"""Chats with people who never wrote to the number: a few at once, then one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sending import FakeProvider, Post, open_post
from wagate.errors import NotSentError
from wagate.events import NewEvent
from wagate.events.kinds import MESSAGE
from wagate.hooks import SendLimits
from wagate.outbound.new_chats import LOOK
from wagate.rules.states import Policy
from wagate.storage.owners.accounts import NewAccount

pytest_plugins = ("tests.valkey",)

BURST = 2
GENTLE = SendLimits(new_chats_per_hour=2, new_chats_burst=BURST)
HALF_AN_HOUR = 1800.0
WAITS = "waits for its turn: a new chat, and the number begins 2 an hour"
TWO = [
    NewAccount(name="first", client_id=1, provider="pigeon", phone="15550000001", position=0),
    NewAccount(name="second", client_id=1, provider="pigeon", phone="15550000002", position=1, weight=0),
]


def stranger(number: int) -> str:
    return f"551190000000{number}@c.us"


async def writes(post: Post, chat: str, **fields: Any) -> None:
    """Somebody writes to the number."""
    event = NewEvent(kind=MESSAGE, message_id=f"in.{chat}", chat=chat, sender=chat, type="text", content="hi", **fields)
    await post.receiver.receive(post.live.now.accounts["main"], [event], b"")


async def in_line(post: Post, count: int) -> list[str]:
    """Send to so many strangers, each when the one before has left or has its place in the line."""
    ids = []
    for number in range(count):
        [sent] = await post.send(f"{number}", chat=stranger(number))
        await (post.status(sent, "sent") if number < BURST else post.error(sent))
        ids.append(sent)
    return ids


async def lets(post: Post, seconds: float) -> None:
    """Time passes, in steps in which those that wait ask again."""
    for _ in range(round(seconds / LOOK)):
        await post.world.passes(LOOK + 0.5)


async def test_strangers_wait_in_order_spend_no_attempt_and_never_fail(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(limits=GENTLE)
    async with open_post(external_url, tmp_path, database_url=database_url, provider=provider) as post, post.running():
        ids = await in_line(post, 5)
        took: list[str] = []
        for count in (2, 3, 4, 5):
            await post.world.until(lambda count=count: len(provider.took) >= count)  # type: ignore[misc]
            took = [each.message.text for each in provider.took]
            assert took == [str(number) for number in range(count)]
            for waiting in ids[count:]:
                assert (await post.error(waiting)).error == WAITS
            await lets(post, HALF_AN_HOUR)
        for each in ids:
            assert (await post.status(each, "sent")).error is None
        deliveries = await post.world.sql("SELECT attempt_count FROM deliveries WHERE handler = 'outbound' AND settled")
        assert [count for (count,) in deliveries] == [1] * 5


async def test_the_time_in_the_line_is_none_in_which_a_message_is_given_up(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(limits=SendLimits(new_chats_per_hour=2, new_chats_burst=1))
    options: dict[str, Any] = {"database_url": database_url, "policy": Policy(recover=1000.0)}
    async with open_post(external_url, tmp_path, provider=provider, **options) as post, post.running():
        for number in range(3):
            [late] = await post.send(f"{number}", chat=stranger(number))
        await post.error(late)
        for _ in range(16):  # in steps that are no absence of the gateway
            await post.world.passes(250)
            assert (await post.view(late)).status in {"queued", "sending", "sent"}
        assert (await post.status(late, "sent")).error is None
        assert len(provider.took) == 3


async def test_who_wrote_or_was_written_to_and_groups_do_not_wait(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(limits=GENTLE)
    async with open_post(external_url, tmp_path, database_url=database_url, provider=provider) as post, post.running():
        await writes(post, stranger(7))
        await writes(post, "123456789@lid", aliases=(stranger(8),))
        await in_line(post, 3)
        for chat in (stranger(0), stranger(7), stranger(8), "123456789@lid", "120363000000000001@g.us"):
            [sent] = await post.send("more", chat=chat)
            await post.status(sent, "sent")
        assert [each.message.text for each in provider.took].count("2") == 0


async def test_who_writes_while_a_message_to_them_waits_ends_its_wait(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(limits=SendLimits(new_chats_per_hour=1 / 24, new_chats_burst=1))
    async with open_post(external_url, tmp_path, database_url=database_url, provider=provider) as post, post.running():
        await post.status((await post.send("0", chat=stranger(0)))[0], "sent")
        [waiting] = await post.send("1", chat=stranger(1))
        await post.error(waiting)
        await writes(post, stranger(1))
        await post.world.passes(LOOK + 1)
        await post.status(waiting, "sent")


async def test_an_account_that_steps_in_begins_only_what_it_may_begin_now(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(limits=SendLimits(new_chats_per_hour=1, new_chats_burst=1))
    async with (
        open_post(external_url, tmp_path, database_url=database_url, provider=provider, accounts=TWO) as post,
        post.running(),
    ):
        [spent] = await post.send("spent", chat=stranger(0), account="second")
        await post.status(spent, "sent")
        provider.script["1"] = [NotSentError("Server error (503)")]
        [sent] = await post.send("1", chat=stranger(1))
        await post.world.until(lambda: "1" in [each.message.text for each in provider.asked])
        await post.world.attempts((await post.delivery(sent)).delivery.id, 1)
        await post.world.passes(7)
        # It began the chat when it failed: its second try takes no other turn.
        assert (await post.status(sent, "sent")).account == "first"
        assert [each.account.name for each in provider.asked] == ["second", "first", "first"]
        assert await post.world.sql("SELECT COUNT(*) FROM new_chats") == [(2,)]


async def test_other_providers_look_nothing_up(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        for number in range(5):
            await post.status((await post.send(f"{number}", chat=stranger(number)))[0], "sent")
        assert await post.world.sql("SELECT COUNT(*) FROM new_chats") == [(0,)]


async def test_what_is_behind_a_message_that_waits_has_as_long(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider, policy = FakeProvider(limits=GENTLE), Policy(recover=3600.0)
    async with (
        open_post(external_url, tmp_path, database_url=database_url, provider=provider, policy=policy) as post,
        post.running(),
    ):
        for number in range(6):
            await post.send(f"{number}", chat=stranger(number))
        (behind,) = await post.send("picture", chat=stranger(5))
        for _ in range(5):
            await lets(post, HALF_AN_HOUR)
        assert (await post.status(behind, "sent")).error is None
