"""What the provider reports of a message, and its echoes: forwards only, whatever comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from tests.sending import CHAT, open_post
from wagate.errors import OutcomeUnknownError
from wagate.events import NewEvent

pytest_plugins = ("tests.valkey",)


async def test_reports_of_the_provider_are_folded_and_never_go_back(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        [first] = await post.send("1")
        view = await post.status(first, "sent")
        assert view.message_id is not None
        for status, becomes in (
            ("pending", "sent"),
            ("delivered", "delivered"),
            ("sent", "delivered"),
            ("played", "read"),
            ("delivered", "read"),
            ("failed", "read"),
        ):
            await post.ack(status, view.message_id)
            assert (await post.view(first)).status == becomes
        view = await post.view(first)
        assert view.delivered_at is not None
        assert view.read_at is not None
        assert view.failed_at is None


async def test_a_report_that_is_quicker_than_the_providers_answer_is_not_lost(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        wait = trio.Event()
        post.provider.script["1"] = [wait]
        [first] = await post.send("1")
        await post.status(first, "sending")
        await post.ack("delivered", "pigeon.1")
        wait.set()
        view = await post.status(first, "delivered")
        assert view.message_id == "pigeon.1"
        await post.events("message.any")


@pytest.mark.parametrize("by", ["reference", "id"])
async def test_a_late_report_resolves_what_was_unknown_and_tells_it(
    by: str, external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        post.provider.script["1"] = [OutcomeUnknownError("no answer")]
        [first] = await post.send("1")
        await post.status(first, "unknown")
        await post.ack("delivered", "late.1", reference=first)
        view = await post.view(first)
        assert (view.status, view.message_id, view.error) == ("delivered", "late.1", None)
        await post.world.passes(4)
        [told] = await post.events("message.any")
        assert (told.message_id, told.extra["id"]) == ("late.1", first)
        if by == "id":
            await post.ack("read", "late.1")
            assert (await post.view(first)).status == "read"


async def test_another_clients_reference_changes_nothing(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post:
        [first] = await post.send("1")
        stranger = post.live.now.accounts["main"]
        event = NewEvent(kind="message.ack", message_id="x", chat=CHAT, extra={"status": "read"}, reference=first)
        await post.receiver.receive(replace(stranger, client_id=2), [event], b"")
        assert (await post.view(first)).status == "queued"


@pytest.mark.parametrize("more", [{}, {"window": True}])
async def test_a_message_that_fails_after_it_was_sent_is_told_as_failed(
    external_url: str, tmp_path: Path, database_url: str, more: dict[str, bool]
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        [first] = await post.send("1", metadata={"a": 1})
        await post.status(first, "sent")
        await post.ack("failed", "pigeon.1", why={"code": "131026", "reason": "the number has no WhatsApp"} | more)
        view = await post.status(first, "failed")
        assert (view.error, view.error_code) == ("the number has no WhatsApp", "131026")
        await post.world.passes(4)
        [told] = await post.events("message.failed")
        assert told.extra["error"] == {"code": "131026", "reason": "the number has no WhatsApp"} | more
        assert (told.extra["message"]["id"], told.extra["metadata"]) == (first, {"a": 1})
        await post.ack("read", "pigeon.1")
        assert (await post.view(first)).status == "read"


async def test_an_echo_of_the_provider_and_our_own_event_are_one(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_post(external_url, tmp_path, database_url=database_url) as post, post.running():
        wait = trio.Event()
        post.provider.script |= {"1": [wait, "e1"], "2": ["e2"]}
        echo = NewEvent(
            kind="message.any", dedupe_kind="message", provider_id="pigeon.1", message_id="pigeon.1", chat=CHAT
        )
        first, second = await post.send("1", "2")
        await post.status(first, "sending")
        await post.receiver.receive(post.live.now.accounts["main"], [echo], b"")
        wait.set()
        await post.status(second, "sent")
        late = NewEvent(kind="message.any", dedupe_kind="message", provider_id="e2", message_id="e2", chat=CHAT)
        [stored] = await post.receiver.receive(post.live.now.accounts["main"], [late], b"")
        assert stored.duplicate
        told = await post.events("message.any", 2)
        assert [each.message_id for each in told] == ["pigeon.1", "e2"]
