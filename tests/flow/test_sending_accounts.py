"""Several numbers of one client: which of them sends, and which one steps in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.sending import CHAT, FakeProvider, Post, open_post
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.events import NewEvent
from wagate.hooks import OutMessage, OutReaction, SendLimits
from wagate.storage.owners.accounts import AccountChange, NewAccount, patch_account

pytest_plugins = ("tests.valkey",)

TWO = [
    NewAccount(name="first", client_id=1, provider="pigeon", phone="15550000001", position=0),
    NewAccount(name="second", client_id=1, provider="pigeon", phone="15550000002", position=1, weight=0),
]


async def test_another_account_steps_in_only_when_it_certainly_was_not_sent(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=TWO) as post, post.running():
        post.provider.script["1"] = [NotSentError("Server error (503)")]
        post.provider.script["2"] = [OutcomeUnknownError("no answer")]
        post.provider.script["3"] = [SendRefusedError("no such template")]
        for text, status, account in (("1", "sent", "second"), ("2", "unknown", "second"), ("3", "failed", "second")):
            [sent] = await post.send(text)
            view = await post.status(sent, status)
            # After the first one was sent the chat belongs to the account that sent it.
            assert view.account == account
        assert [each.account.name for each in post.provider.asked] == ["first", "second", "second", "second"]


async def test_a_chat_stays_in_order_while_its_account_is_stopped_and_another_one_sends(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=TWO) as post:
        post.provider.always["first"] = AccountStoppedError("401 from pigeon")
        texts = [str(number) for number in range(10)]
        ids = await post.send(*texts)
        async with post.running():
            for each in ids:
                assert (await post.status(each, "sent")).account == "second"
            assert post.provider.texts() == texts
            # It was asked once, not once for every message.
            assert [each.account.name for each in post.provider.asked].count("first") == 1
            assert not (await post.target("first")).down
            [told] = [each for each in await post.events("message.any", 10) if each.content == "0"]
            assert (told.account, told.sender) == ("second", "15550000002@c.us")


class TouchySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a plugin that trips over what is stored."""

    word: str = ""

    def __post_init__(self) -> None:
        if self.word:
            raise KeyError(self.word)


async def test_another_account_steps_in_for_one_whose_settings_break_its_plugin(
    external_url: str, tmp_path: Path
) -> None:
    async with open_post(external_url, tmp_path, accounts=TWO) as post:
        post.providers.replace(replace(post.provider.provider(), settings_type=TouchySettings))
        [sent] = await post.send("1")
        change = AccountChange(settings='{"word": "old"}')
        await post.world.database.write(patch_account, "first", change, now=post.world.clock.now())
        await post.live.reload()
        async with post.running():
            assert (await post.status(sent, "sent")).account == "second"


async def test_when_no_account_can_send_the_chats_own_account_counts_as_down(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=TWO) as post, post.running():
        post.provider.always |= {"first": AccountStoppedError("401 from first"), "second": NotSentError("503")}
        [sent] = await post.send("1")
        await post.world.attempts((await post.delivery(sent)).delivery.id, 1)
        assert (await post.target("first")).last_error == "401 from first"
        assert (await post.target("first")).down
        assert (await post.view(sent)).error == "503"
        post.provider.always.clear()
        await post.world.passes(61)
        await post.status(sent, "sent")


async def test_a_message_that_names_its_account_is_sent_by_no_other(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=TWO) as post, post.running():
        post.provider.always["first"] = NotSentError("Server error (503)")
        [sent] = await post.send("1", account="first")
        await post.error(sent)
        assert {each.account.name for each in post.provider.asked} == {"first"}


async def test_a_number_that_must_slow_down_is_not_stood_in_for(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=TWO) as post, post.running():
        post.provider.script["1"] = [NotSentError("too many", slow="account", after=300)]
        [first] = await post.send("1")
        await post.error(first)
        await settled(post)
        [second] = await post.send("2", chat="5511777777777@c.us", account="first")
        [other] = await post.send("3", chat="5511777777777@c.us", account="second")
        await post.status(other, "sent")
        assert (await post.view(second)).status == "queued"
        await settled(post)
        await post.world.passes(400)
        assert (await post.status(first, "sent")).account == "first"
        assert (await post.status(second, "sent")).account == "first"


async def test_a_provider_that_answers_429_gets_that_account_s_messages_more_slowly(
    external_url: str, tmp_path: Path
) -> None:
    async with open_post(external_url, tmp_path, accounts=TWO) as post, post.running() as consumers:
        refusal = NotSentError("Client error (429)", slow="account", after=30, http_status=429)
        post.provider.script["1"] = [refusal]
        [first] = await post.send("1", account="first")
        await post.error(first)
        await settled(post)
        assert consumers._rates.room(post.sender("first")) == 0
        assert consumers._rates.wait(post.sender("first")) > 29
        assert consumers._rates.room(post.sender("second")) is None
        [other] = await post.send("2", chat="5511777777777@c.us", account="second")
        await post.status(other, "sent")
        await post.world.passes(40)
        await post.status(first, "sent")
        assert (await post.delivery(first)).delivery.attempt_count == 1
        assert consumers._rates.room(post.sender("first")) is not None


async def settled(post: Post) -> None:
    """Until the queue was told what waits, and how long."""
    consumers = post.world.consumers
    assert consumers is not None
    await post.world.until(lambda: not consumers._pool and consumers._consumer.told)
    await consumers.stats()


async def test_a_chat_keeps_its_number(external_url: str, tmp_path: Path, database_url: str) -> None:
    accounts = [NewAccount(name=f"n{i}", client_id=1, provider="pigeon", position=i) for i in range(4)]
    async with open_post(external_url, tmp_path, database_url=database_url, accounts=accounts) as post, post.running():
        chats = [f"55119000{number:05}@c.us" for number in range(40)]
        first = [(await post.view((await post.send("a", chat=chat))[0])).account for chat in chats]
        assert len(set(first)) > 1
        again = [(await post.view((await post.send("b", chat=chat))[0])).account for chat in chats]
        assert again == first
        # Where a customer wrote to last counts from then on.
        hello = NewEvent(kind="message", message_id="x", provider_id="x", chat=CHAT, sender=CHAT, type="text")
        await post.receiver.receive(post.live.now.accounts["n3"], [hello], b"")
        assert (await post.view((await post.send("c"))[0])).account == "n3"


async def test_a_plugin_chooses_and_one_that_fails_does_not(external_url: str, tmp_path: Path) -> None:
    def choose(message: OutMessage, accounts: Any) -> str | None:
        if message.text == "broken":
            raise ValueError("a bug of the plugin")
        names = [account.name for account in accounts]
        assert names == ["first", "second"]
        return {"b": "second", "x": "nobody"}.get(message.text)

    async with open_post(external_url, tmp_path, accounts=TWO) as post:
        post.outbound.ask([choose])
        for text, account in {"a": "first", "b": "second", "x": "first", "broken": "first"}.items():
            [sent] = await post.send(text, chat=f"1555000{len(text)}{ord(text[0])}@c.us")
            assert (await post.view(sent)).account == account


async def test_only_an_account_that_can_send_this_kind_is_chosen(external_url: str, tmp_path: Path) -> None:
    plain = FakeProvider(name="plain", abilities=frozenset({"text"}))
    accounts = [
        NewAccount(name="plain", client_id=1, provider="plain", position=0, weight=100),
        NewAccount(name="rich", client_id=1, provider="pigeon", position=1),
    ]
    async with open_post(external_url, tmp_path, accounts=accounts, others=[plain]) as post, post.running():
        reaction = OutMessage(chat=CHAT, type="reaction", reaction=OutReaction(message_id="x", emoji="👍"))
        post.provider.script[""] = [NotSentError("503")]
        view = await post.outbox.send(reaction, client_id=1)
        assert view.account == "rich"
        await post.error(view.id)
        assert plain.asked == []  # it could not step in
        await post.world.attempts((await post.delivery(view.id)).delivery.id, 1)
        await post.world.passes(7)
        await post.status(view.id, "sent")
        [told] = await post.events("message.reaction")
        assert told.extra["reaction"] == {"text": "👍", "messageId": "x"}


@pytest.mark.parametrize("kind", ["account", "chat"])
async def test_a_provider_is_not_asked_faster_than_its_limits(
    kind: str, external_url: str, tmp_path: Path, database_url: str
) -> None:
    limits = SendLimits(chat_per_second=0.0005, chat_burst=2)
    if kind == "account":
        limits = SendLimits(per_second=0.0005, burst=2)
    provider = FakeProvider(limits=limits)
    async with open_post(external_url, tmp_path, database_url=database_url, provider=provider) as post, post.running():
        texts = [str(number) for number in range(6)]
        await post.send(*texts)
        other = (await post.send("x", chat="5511777777777@c.us"))[0]
        if kind == "chat":
            await post.status(other, "sent")
        came = 2
        while provider.texts() != texts:
            await post.world.until(
                lambda came=came: len(provider.texts()) >= min(came, 6) or len(provider.took) >= came
            )
            await settled(post)
            assert len(provider.took) <= came + 1
            await post.world.passes(2010)
            came += 1
        assert provider.texts() == texts
        deliveries = await post.world.sql("SELECT attempt_count FROM deliveries WHERE handler = 'outbound' AND settled")
        assert {count for (count,) in deliveries} == {1}
