"""Messages on their way out: order, what is certain and what is not, statuses, and who is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import seconds_between, word
from tests.sending import CHAT, FakeProvider, Post, open_post
from wagate.errors import (
    AccountStoppedError,
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    SendRefusedError,
    UnprocessableError,
)
from wagate.hooks import OutMessage, OutReaction, Signal
from wagate.http import NetworkError, TimedOutError
from wagate.storage.deliveries.by_hand import Round, run_again, run_all_again
from wagate.storage.owners.accounts import AccountChange, NewAccount, delete_account, patch_account

pytest_plugins = ("tests.valkey",)


async def test_a_chat_is_sent_in_order_and_each_message_is_told_once(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        ids = await post.send("1", "2", "3", metadata={"note": 7})
        view = await post.outbox.wait(ids[-1], client_id=1, seconds=60)
        assert (view.status, view.account, view.provider, view.tenant_id) == ("sent", "main", "pigeon", "default")
        assert (view.message_id, view.to, view.content) == ("pigeon.3", "5511999999999", "3")
        assert view.sent_at is not None
        assert post.provider.texts() == ["1", "2", "3"]
        told = await post.events("message.any", 3)
        assert [each.content for each in told] == ["1", "2", "3"]
        assert told[0].extra == {"source": "api", "id": ids[0], "metadata": {"note": 7}}
        assert (told[0].from_me, told[0].message_id, told[0].chat) == (True, "pigeon.1", CHAT)
        assert (await post.delivery(ids[0])).delivery.status == "delivered"


async def test_one_key_is_one_message_for_each_source(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post:
        first, again, other = await post.send("1", "2", key="k") + await post.send("1", key="l")
        assert first == again != other
        plugin = post.outbound.outbox("alarm")
        theirs = await plugin.send(OutMessage(chat=CHAT, type="text", text="1"), client_id=1, key="k")
        assert theirs.id != first
        assert len((await post.outbox.page(client_id=1, limit=10, cursor=None)).data) == 3


def round_of(post: Post) -> Round:
    """What a person's Retry gives."""
    return Round(max_retries=3, recover=3600.0, now=post.world.clock.now())


async def test_an_outcome_that_nobody_knows_is_never_sent_again_and_holds_no_chat(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.script["1"] = [OutcomeUnknownError("no answer within 10 s")]
        post.provider.script["2"] = [TimedOutError(sent=True)]
        post.provider.script["3"] = [ValueError("a bug of the provider")]
        *lost, sent = await post.send("1", "2", "3", "4")
        await post.status(sent, "sent")
        views = [await post.status(each, "unknown") for each in lost]
        assert [view.error for view in views] == [
            "no answer within 10 s",
            "Connection timeout",
            "the provider's code failed: ValueError",
        ]
        detail = await post.delivery(lost[0])
        assert (word(detail), detail.delivery.error) == ("final", "outcome unknown: no answer within 10 s")
        with pytest.raises(ConflictError, match="it may have been sent"):
            await post.world.database.write(run_again, detail.delivery.id, round_of(post))
        assert await post.world.database.write(run_all_again, [detail.delivery.id], round_of(post)) == []
        await post.world.passes(25 * 3600)
        assert len(post.provider.asked) == 4
        assert [each.content for each in post.told if each.kind == "message.failed"] == []


async def test_an_idempotent_provider_gets_it_again_with_the_same_id(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(idempotent=True)
    async with open_post(external_url, tmp_path, database_url=database_url, provider=provider) as post, post.running():
        third = trio.Event()
        provider.script["1"] = [OutcomeUnknownError("no answer within 10 s"), NotSentError("busy"), third]
        first, second = await post.send("1", "2")
        detail = await post.delivery(first)
        await post.world.attempts(detail.delivery.id, 1)
        assert (await post.view(first)).status == "sending"
        await post.world.passes(7)
        await post.world.attempts(detail.delivery.id, 2)
        assert (await post.view(first)).status == "sending"  # what the first try did is still not known
        third.set()
        await post.world.passes(13)
        await post.status(second, "sent")
        assert [each.id for each in provider.asked] == [first, first, first, second]
        assert provider.texts() == ["1", "2"]


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_crash_while_sending_leaves_it_unknown_unless_the_provider_drops_repeats(
    idempotent: bool, external_url: str, tmp_path: Path, database_url: str
) -> None:
    provider = FakeProvider(idempotent=idempotent)
    options: dict[str, Any] = {"database_url": database_url, "provider": provider, "drain": 0.0}
    async with open_post(external_url, tmp_path, **options) as post:
        async with post.running():
            provider.script["1"] = [trio.Event()]
            first, second = await post.send("1", "2")
            await post.status(first, "sending")
            await post.world.until(lambda: bool(provider.asked))  # It is marked before the provider is asked.
        assert (await post.view(first)).status == "sending"
        async with post.running(take_over=True):
            await post.status(second, "sent")
            await post.status(first, "sent" if idempotent else "unknown")
        assert [each.id for each in provider.asked] == ([first, first, second] if idempotent else [first, second])


async def test_what_was_sent_is_not_sent_again_when_its_delivery_was_not_written_down(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post:
        async with post.running():
            [first] = await post.send("1")
            await post.status(first, "sent")
            await post.world.status((await post.delivery(first)).delivery.id, "delivered")
        undone = (
            "UPDATE deliveries SET status = 'pending', settled = FALSE, attempt_count = 0 WHERE handler = 'outbound'"
        )
        await post.world.database.write(lambda db: db.execute_sql(undone).rowcount)
        async with post.running(take_over=True) as consumers:
            consumers.sweep()
            await post.world.status((await post.delivery(first)).delivery.id, "delivered")
        assert len(post.provider.asked) == 1


async def test_a_refusal_is_final_at_once_and_told_once(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        closed = SendRefusedError("outside the 24 h window", window=True, code="131047", http_status=400)
        post.provider.script["1"] = [closed]
        first, second = await post.send("1", "2")
        view = await post.outbox.wait(first, client_id=1, seconds=60)
        assert (view.status, view.error, view.error_code) == ("failed", "outside the 24 h window", "131047")
        await post.status(second, "sent")
        [told] = await post.events("message.failed")
        assert told.extra["message"]["status"] == "failed"
        assert told.extra["error"] == {"code": "131047", "reason": "outside the 24 h window", "window": True}
        detail = await post.delivery(first)
        assert (word(detail), detail.delivery.http_status) == ("final", 400)
        await post.world.passes(10)
        await post.world.passes(10)
        assert len([each for each in post.told if each.kind == "message.failed"]) == 1


async def test_what_certainly_was_not_sent_is_tried_again_by_the_schedule(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.script["1"] = [
            NotSentError("Server error (503)", http_status=503),
            NetworkError("ECONNREFUSED: x", sent=False),
        ]
        first, second = await post.send("1", "2")
        view = await post.error(first)
        assert (view.error, (await post.view(second)).status) == ("Server error (503)", "queued")
        detail = await post.delivery(first)
        await post.world.attempts(detail.delivery.id, 1)
        await post.world.passes(6.5)
        await post.world.attempts(detail.delivery.id, 2)
        await post.world.passes(13)
        await post.status(second, "sent")
        assert post.provider.texts() == ["1", "2"]
        detail = await post.delivery(first)
        assert [each.error for each in detail.attempts] == ["Server error (503)", "ECONNREFUSED: x", None]


async def test_an_account_that_is_stopped_holds_its_chats_and_sends_in_order_when_it_works_again(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.always["main"] = AccountStoppedError(
            "401 from pigeon (190): the access token is wrong or expired"
        )
        first, second = await post.send("1", "2")
        view = await post.error(first)
        assert view.error == "401 from pigeon (190): the access token is wrong or expired"
        await post.world.until_async(lambda: _down(post))
        [other] = await post.send("x", chat="5511777777777@c.us")
        for _ in range(6):
            await post.world.passes(901)
            await trio.testing.wait_all_tasks_blocked(0.05)
        detail = await post.delivery(first)
        assert detail.delivery.attempt_count == 0
        del post.provider.always["main"]
        await post.world.passes(901)
        for each in (first, second, other):
            await post.status(each, "sent")
        assert post.provider.texts() == ["1", "2"]
        assert (await post.target("main")).down is False


async def test_an_account_whose_settings_were_changed_is_asked_at_once(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.always["main"] = AccountStoppedError("401 from pigeon")
        [first] = await post.send("1")
        await post.error(first)
        await post.world.until_async(lambda: _down(post))
        await _probed_rarely(post)
        del post.provider.always["main"]
        change = AccountChange(metadata={"token": "new"})
        await post.world.database.write(patch_account, "main", change, now=post.world.clock.now())
        await post.live.reload()
        await post.status(first, "sent")


async def _down(post: Post) -> bool:
    return (await post.target("main")).down


async def _probed_rarely(post: Post) -> None:
    """Let probes fail until the next one is so far away that it can't be what sends."""
    with trio.fail_after(60):
        while (await post.target("main")).probes < 6:
            await post.world.passes(901)


async def test_what_waited_too_long_for_its_account_fails_and_is_told(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running() as consumers:
        post.provider.always["main"] = AccountStoppedError("401 from pigeon")
        first, second = await post.send("1", "2")
        await post.error(first)
        await post.world.until_async(lambda: _down(post))
        await post.world.passes(25 * 3600)
        consumers.sweep()
        for each in (first, second):
            with trio.fail_after(60):
                while (await post.view(each)).status != "failed":
                    consumers.sweep()
                    await post.world.passes(31)
        told = await post.events("message.failed", 2)
        assert sorted(each.extra["id"] for each in told) == sorted([first, second])
        assert "401 from pigeon" in (await post.view(first)).error


async def test_a_message_that_is_cancelled_while_it_waits_fails_and_is_told(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running() as consumers:
        wait = trio.Event()
        post.provider.script["1"] = [wait]
        first, second, third = await post.send("1", "2", "3")
        await post.status(first, "sending")
        await consumers.control.cancel((await post.delivery(second)).delivery.id, client_id=1)
        await post.world.passes(4)
        assert (await post.status(second, "failed")).error == "given up: cancelled"
        wait.set()
        await post.status(third, "sent")
        assert post.provider.texts() == ["1", "3"]
        [told] = await post.events("message.failed")
        assert told.extra["id"] == second


async def test_a_failed_message_that_is_run_again_by_hand_is_sent(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running() as consumers:
        post.provider.script["1"] = [SendRefusedError("no such template")] * 2
        [first] = await post.send("1")
        for count in (1, 2):
            await post.status(first, "failed")
            await post.events("message.failed", count)
            delivery = (await post.delivery(first)).delivery.id
            await post.world.status(delivery, "final")
            await consumers.control.retry(delivery, client_id=1)
            await post.status(first, "sent" if count == 2 else "failed")
        assert (await post.view(first)).error is None


async def test_what_a_provider_cannot_do_is_told_at_once(external_url: str, tmp_path: Path) -> None:
    provider = FakeProvider(abilities=frozenset({"text", "seen"}))
    async with open_post(external_url, tmp_path, provider=provider) as post, post.running():
        reaction = OutMessage(chat=CHAT, type="reaction", reaction=OutReaction(message_id="x", emoji="x"))
        with pytest.raises(UnprocessableError, match="pigeon can't send a reaction"):
            await post.outbox.send(reaction, client_id=1)
        with pytest.raises(NotFoundError):
            await post.send("1", account="another")
        with pytest.raises(UnprocessableError, match="no account can send"):
            await post.outbox.send(OutMessage(chat=CHAT, type="text", text="1"), client_id=2)
        quote = OutMessage(chat=CHAT, type="text", text="1", reply_to="wamid.1")
        view = await post.outbox.send(quote, client_id=1)
        assert view.warnings == ["pigeon can't quote messages: sent without the quote"]
        await post.status(view.id, "sent")
        assert provider.took[0].message.reply_to == ""
        await post.outbox.signal(Signal(kind="typing", chat=CHAT), client_id=1)
        await post.outbox.signal(Signal(kind="seen", chat=CHAT, message_ids=("a",)), client_id=1)
        assert provider.signals == [Signal(kind="seen", chat=CHAT, message_ids=("a",))]


async def test_a_wait_ends_when_its_seconds_are_over(external_url: str, tmp_path: Path) -> None:
    async with open_post(external_url, tmp_path) as post:
        [first] = await post.send("1")
        assert (await post.outbox.wait(first, client_id=1, seconds=0.05)).status == "queued"
        with pytest.raises(NotFoundError):
            await post.outbox.wait(first, client_id=2, seconds=1)


async def test_an_account_that_is_deleted_fails_what_waits_for_it(external_url: str, tmp_path: Path) -> None:
    accounts = [NewAccount(name=name, client_id=1, provider="pigeon") for name in ("main", "other")]
    async with open_post(external_url, tmp_path, accounts=accounts) as post:
        [first] = await post.send("1", account="other")
        await post.world.database.write(delete_account, "other")
        await post.live.reload()
        async with post.running():
            assert (await post.status(first, "failed")).error == "the account 'other' is gone"
            [told] = await post.events("message.failed")
            assert (told.account, told.extra["id"]) == ("other", first)


async def test_a_try_spends_no_attempt_when_it_is_only_slowed_down(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.script["1"] = [NotSentError("too many to this number", slow="chat", after=300)] * 3
        first, second = await post.send("1", "2")
        other = (await post.send("x", chat="5511777777777@c.us"))[0]
        await post.status(other, "sent")
        for asked in (2, 3, 4):
            await post.world.until(lambda asked=asked: len(post.provider.asked) == asked)
            await post.error(first)
            await post.world.until(lambda: not post.world.consumers._pool and post.world.consumers._consumer.told)
            await post.world.passes(200)
            assert len(post.provider.asked) == asked
            await post.world.passes(150)
        await post.status(second, "sent")
        detail = await post.delivery(first)
        assert detail.delivery.attempt_count == 1
        assert len(detail.attempts) == 1
        assert seconds_between(detail.delivery.created_at, detail.delivery.delivered_at) >= 900
