"""``/webhooks/chatwoot`` over fakes: who may post, what is stored, what is not stored twice."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing

from tests.chatwoot_agents import (
    AGENT,
    CHAT,
    CONVERSATION,
    Office,
    body_of,
    conversation,
    message,
    office,
    signed,
    updated,
)
from wagate.hooks import Target
from wagate.testing import routes_client
from wagate_chatwoot.ledger import Handed, Place
from wagate_chatwoot.settings import Conversations
from wagate_chatwoot.to_whatsapp.webhook import make_routes

PATH = "/webhooks/chatwoot/main/shop"


async def post(
    desk: Office, document: Any, expected: int = 200, *, path: str = PATH, delivery: str = "d-1", **headers: str
) -> Any:
    body = document if isinstance(document, bytes) else body_of(document)
    given = signed(body, at=desk.fakes.clock.time(), delivery=delivery) | headers
    client = routes_client(make_routes(desk.fakes.context, desk.apps, desk.signals))
    response = await client.post(path, data=body, headers=given)
    assert response.status_code == expected, await response.get_data(as_text=True)
    return await response.get_json()


async def test_an_agents_message_is_stored_before_the_answer() -> None:
    desk = office()
    assert await post(desk, message()) == {"success": True}
    [(number, row)] = await desk.app.ledger.waiting(CONVERSATION)
    assert (number, row["content"]) == (700, "Hello")
    [(event, targets)] = desk.fakes.emitted
    assert targets == [Target(id="out/shop")]
    assert (event.kind, event.chat, event.provider_id, event.from_me) == ("chatwoot.message", CHAT, "shop/700", True)
    assert desk.fakes.messages.submitted == []


@pytest.mark.parametrize("path", ["/webhooks/chatwoot/default/shop", PATH])
async def test_the_inbox_answers_for_its_account_and_for_its_client(path: str) -> None:
    await post(office(), message(), path=path)


@pytest.mark.parametrize(
    "path", ["/webhooks/chatwoot/main/other", "/webhooks/chatwoot/second/shop", "/webhooks/chatwoot/acme/shop"]
)
async def test_other_addresses_have_no_webhook(path: str) -> None:
    desk = office()
    await post(desk, message(), 401, path=path)
    assert desk.fakes.emitted == []


async def test_forged_unsigned_and_old_webhooks_are_refused_and_store_nothing() -> None:
    desk = office()
    await post(desk, message(), 401, **{"X-Chatwoot-Signature": "sha256=" + "0" * 64})
    await post(desk, message(), 401, **{"X-Chatwoot-Signature": ""})
    old = signed(body_of(message()), at=desk.fakes.clock.time() - 301)
    await post(desk, message(), 401, **old)
    assert (desk.fakes.emitted, desk.fakes.store.rows) == ([], {})


async def test_a_server_that_does_not_sign_shows_a_token() -> None:
    desk = office(secret="", webhook_token="t0ken")
    await post(desk, message(), path=f"{PATH}?token=t0ken")
    await post(desk, message(701), 401, path=f"{PATH}?token=guess")
    await post(desk, message(702), 401)
    assert [event.provider_id for event, _ in desk.fakes.emitted] == ["shop/700"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"event":"message_created","message_type":"outgoing"}'])
async def test_what_can_not_be_read_is_a_bad_request(body: bytes) -> None:
    await post(office(), body, 400)


@pytest.mark.parametrize(
    "document",
    [
        message(private=True),
        message(message_type="incoming", source_id="wamid.1"),
        message(source_id="wamid.2"),
        {"event": "webwidget_triggered"},
        {"event": "something_new"},
        {},
    ],
)
async def test_what_is_nothing_to_us_is_answered_and_forgotten(document: Any) -> None:
    desk = office()
    await post(desk, document)
    assert (desk.fakes.emitted, desk.fakes.store.rows) == ([], {})


async def test_a_webhook_that_comes_again_after_the_message_was_sent_leaves_nothing_behind() -> None:
    desk = office()
    await desk.app.ledger.hand(700, Handed(parts=("part",)))
    await post(desk, message(), delivery="d-2")
    assert desk.fakes.emitted == []
    assert await desk.app.ledger.waiting(CONVERSATION) == []


async def test_a_webhook_that_comes_twice_has_one_name() -> None:
    desk = office()
    await post(desk, message(), delivery="d-1")
    await post(desk, message(), delivery="d-2")
    names = {(event.kind, event.provider_id, event.variant) for event, _ in desk.fakes.emitted}
    assert len(names) == 1
    assert len(await desk.app.ledger.waiting(CONVERSATION)) == 1


async def test_what_is_deleted_while_it_waits_is_not_there_any_more() -> None:
    desk = office()
    await post(desk, message())
    await post(desk, updated(content_attributes={"deleted": True}))
    assert await desk.app.ledger.waiting(CONVERSATION) == []
    assert [event.type for event, _ in desk.fakes.emitted] == ["send", "delete"]


async def test_both_updates_of_retry_are_kept_until_the_ledger_is_asked() -> None:
    desk = office()
    await desk.app.ledger.hand(700, Handed(parts=("part",)))
    await post(desk, updated(content_attributes={"external_error": None}), delivery="d-1")
    assert desk.fakes.emitted == []
    await post(desk, updated(), delivery="d-2")
    await post(desk, updated(), delivery="d-2")
    await post(desk, updated(), delivery="d-3")
    assert [(event.type, event.provider_id) for event, _ in desk.fakes.emitted] == [
        ("resend", "shop/d-2"),
        ("resend", "shop/d-2"),
        ("resend", "shop/d-3"),
    ]


async def test_an_unknown_message_with_other_changes_is_no_retry() -> None:
    desk = office()
    await post(desk, updated(content_attributes={"translations": {"de": "Hallo"}}))
    assert desk.fakes.emitted == []


async def test_a_resolved_conversation_is_not_taken_for_granted_by_the_next_message() -> None:
    desk = office(conversations=Conversations(mode="new"))
    await desk.app.ledger.put_place("main", CHAT, Place(contact=8, source_id=CHAT, conversation=CONVERSATION))
    await post(desk, {**conversation(status="open"), "event": "conversation_status_changed"})
    place = await desk.app.ledger.place("main", CHAT)
    assert place is not None
    assert place.conversation == CONVERSATION
    await post(desk, {**conversation(status="resolved"), "event": "conversation_status_changed"})
    place = await desk.app.ledger.place("main", CHAT)
    assert place is not None
    assert place.conversation is None


async def test_typing_is_told_to_whatsapp_without_being_stored(nursery: Any) -> None:
    desk = office()
    nursery.start_soon(desk.signals.run)
    for event in ("conversation_typing_on", "conversation_typing_off"):
        await post(desk, {"event": event, "user": AGENT, "conversation": conversation(), "is_private": False})
        await trio.testing.wait_all_tasks_blocked()
    assert [(each.kind, each.chat) for each in desk.fakes.messages.signals] == [("typing", CHAT), ("paused", CHAT)]
    assert desk.fakes.emitted == []


async def test_a_flood_of_typing_is_dropped_and_still_answered() -> None:
    desk = office()
    for _ in range(203):
        await post(
            desk,
            {"event": "conversation_typing_on", "user": AGENT, "conversation": conversation(), "is_private": False},
        )
    assert desk.fakes.messages.signals == []


async def test_without_its_client_an_inbox_asks_for_another_try() -> None:
    desk = office()
    desk.fakes.accounts.owners.pop(1)
    await post(desk, message(), 503)
