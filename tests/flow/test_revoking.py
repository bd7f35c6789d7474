"""Messages that were sent are taken back, or edited: at once, by the account that sent them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.sending import CHAT, FakeProvider, open_post
from wagate.errors import ConflictError, NotSentError, OutcomeUnknownError, SendRefusedError, UnprocessableError
from wagate.http import NetworkError, TimedOutError
from wagate.storage.owners.accounts import delete_account

pytest_plugins = ("tests.valkey",)


async def test_what_was_sent_is_revoked_by_who_sent_it_and_what_was_not_is_not(
    external_url: str, tmp_path: Path
) -> None:
    provider = FakeProvider(abilities=frozenset({"text", "revoke"}))
    async with open_post(external_url, tmp_path, provider=provider) as post, post.running():
        held = trio.Event()
        provider.script["2"] = [held]
        provider.script["3"] = [SendRefusedError("no")]
        provider.script["4"] = [OutcomeUnknownError("500")]
        first, second, third, fourth, waiting = await post.send("1", "2", "3", "4", "5")
        await post.status(second, "sending")
        await post.outbox.revoke(first, client_id=1)
        for message_id, why in ((second, "being sent"), (waiting, "not been sent yet")):
            with pytest.raises(ConflictError, match=why):
                await post.outbox.revoke(message_id, client_id=1)
        held.set()
        await post.status(waiting, "sent")
        for message_id, why in ((third, "it failed"), (fourth, "it is unknown")):
            with pytest.raises(ConflictError, match=why):
                await post.outbox.revoke(message_id, client_id=1)
        assert provider.revoked == [((await post.view(first)).message_id, CHAT, "main")]


async def test_a_revocation_that_does_not_work_says_what_is_certain(external_url: str, tmp_path: Path) -> None:
    provider = FakeProvider(abilities=frozenset({"text", "revoke"}))
    async with open_post(external_url, tmp_path, provider=provider) as post, post.running():
        [first] = await post.send("1")
        await post.status(first, "sent")
        for error, judged in (
            (NetworkError("ECONNREFUSED", sent=False), NotSentError),
            (TimedOutError(sent=True), OutcomeUnknownError),
            (ValueError("a bug"), OutcomeUnknownError),
        ):
            provider.unwilling = error
            with pytest.raises(judged):
                await post.outbox.revoke(first, client_id=1)
        await post.world.database.write(delete_account, "main")
        await post.live.reload()
        with pytest.raises(UnprocessableError, match="'main' of pigeon that sent it no longer exists"):
            await post.outbox.revoke(first, client_id=1)


async def test_what_was_sent_is_edited_by_who_sent_it(external_url: str, tmp_path: Path) -> None:
    provider = FakeProvider(abilities=frozenset({"text", "edit"}), longest_text=10)
    async with open_post(external_url, tmp_path, provider=provider) as post, post.running():
        provider.script["2"] = [SendRefusedError("no")]
        first, second = await post.send("1", "2")
        await post.status(second, "failed")
        await post.outbox.edit(first, "one", client_id=1)
        with pytest.raises(ConflictError, match="it failed"):
            await post.outbox.edit(second, "two", client_id=1)
        with pytest.raises(UnprocessableError, match="at most 10 characters"):
            await post.outbox.edit(first, "x" * 11, client_id=1)
        assert provider.edited == [((await post.view(first)).message_id, CHAT, "one", "main")]
        provider.unwilling = TimedOutError(sent=True)
        with pytest.raises(OutcomeUnknownError):
            await post.outbox.edit(first, "one", client_id=1)


async def test_a_provider_that_cannot_revoke_is_named(external_url: str, tmp_path: Path) -> None:
    async with open_post(external_url, tmp_path) as post, post.running():
        [first] = await post.send("1")
        await post.status(first, "sent")
        with pytest.raises(UnprocessableError, match=r"^pigeon can't revoke messages$"):
            await post.outbox.revoke(first, client_id=1)
