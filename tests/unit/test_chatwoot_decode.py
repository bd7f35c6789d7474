"""What webhooks of Chatwoot say that somebody did."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chatwoot_agents import (
    ACCOUNT,
    AGENT,
    CONVERSATION,
    INBOX,
    SOURCE,
    attachment,
    body_of,
    conversation,
    inbox,
    message,
    updated,
)
from wagate.errors import BadRequestError
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.to_whatsapp.actions import Assigned, Command, Delete, Ignore, Moved, Resend, Send, Typing
from wagate_chatwoot.to_whatsapp.decode import decode


def read(document: Any) -> Any:
    return decode(body_of(document), inbox())


def test_an_agents_message_is_to_be_sent_with_all_that_belongs_to_it() -> None:
    send = read(
        message(
            content="**Hi**",
            content_attributes={"in_reply_to": 690, "in_reply_to_external_id": "wamid.Q"},
            attachments=[attachment("a.png", "image/png", "image")],
        )
    )
    assert isinstance(send, Send)
    assert (send.message, send.content, send.author, send.email) == (700, "**Hi**", "Rosa", "rosa@shop.example")
    assert (send.where.conversation, send.where.source, send.where.phone) == (CONVERSATION, SOURCE, "+34600111222")
    assert (send.reply_to, send.reply_to_source) == (690, "wamid.Q")
    assert [(each.file_type, each.content_type, each.extension) for each in send.attachments] == [
        ("image", "image/png", "png")
    ]


def test_the_conversations_last_message_is_never_taken_for_the_events() -> None:
    assert read(message(content=None)).content == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"message_type": "incoming"}, "not an agent's message"),
        ({"message_type": "activity"}, "not an agent's message"),
        ({"message_type": 0}, "not an agent's message"),
        ({"message_type": None}, "not an agent's message"),
        ({"private": True}, "private"),
        ({"private": "yes"}, "private"),
        ({"source_id": "wamid.X"}, "came from WhatsApp"),
        ({"inbox": {"id": INBOX + 1}}, "another inbox"),
        ({"conversation": conversation(inbox_id=INBOX + 1)}, "another inbox"),
        ({"account": {"id": ACCOUNT + 1}}, "another Chatwoot account"),
        ({"event": "webwidget_triggered"}, "nothing to do"),
        ({"event": "contact_updated"}, "nothing to do"),
        ({"event": None}, "nothing to do"),
    ],
)
def test_what_is_not_for_customers_of_this_inbox_is_left_alone(changes: dict[str, Any], why: str) -> None:
    for document in (message(**changes), {"event": "message_updated", **updated(), **changes}):
        action = read(document)
        assert isinstance(action, Ignore)
        assert why in action.reason


@pytest.mark.parametrize("kind", ["outgoing", "template", 1, 3])
def test_agents_and_automations_both_write_to_customers(kind: Any) -> None:
    assert isinstance(read(message(message_type=kind)), Send)


def test_old_servers_leave_out_most_keys() -> None:
    send = read({"event": "message_created", "id": 5, "conversation": {"id": 2}, "message_type": "outgoing"})
    assert isinstance(send, Send)
    assert (send.message, send.where.conversation, send.where.source, send.content) == (5, 2, "", "")


def test_automations_and_bots_sign_with_no_name() -> None:
    for sender in (None, {"id": 1, "name": "Bot", "type": "agent_bot"}, {"id": 2, "name": "Customer"}):
        assert read(message(sender=sender, message_type="template")).author == ""


def test_a_deleted_message_is_recognised_in_its_update_and_in_its_late_creation() -> None:
    for event in ("message_updated", "message_created"):
        action = read(message(event=event, content_attributes={"deleted": True}))
        assert isinstance(action, Delete)
        assert (action.message, action.where.conversation) == (700, CONVERSATION)


def test_the_update_that_retry_leaves_behind_may_be_one() -> None:
    action = read(updated())
    assert isinstance(action, Resend)
    assert (action.send.message, action.send.content, action.bare) == (700, "Hello", True)


@pytest.mark.parametrize("error", [None, "131026: not on WhatsApp", ""])
def test_a_status_that_we_wrote_never_looks_like_retry(error: str | None) -> None:
    assert isinstance(read(updated(content_attributes={"external_error": error})), Ignore)


def test_an_update_with_other_attributes_is_not_bare() -> None:
    assert read(updated(content_attributes={"translations": {"de": "Hallo"}})).bare is False


@pytest.mark.parametrize("on", [True, False])
def test_an_agents_typing(on: bool) -> None:
    event = f"conversation_typing_{'on' if on else 'off'}"
    action = read({"event": event, "user": AGENT, "conversation": conversation(), "is_private": False})
    assert isinstance(action, Typing)
    assert action.on is on


@pytest.mark.parametrize(
    "changes",
    [{"is_private": True}, {"user": {"id": 8, "name": "Customer"}}, {"user": None}, {"conversation": None}],
)
def test_typing_of_customers_and_of_notes_is_left_alone(changes: dict[str, Any]) -> None:
    typing = {"event": "conversation_typing_on", "user": AGENT, "conversation": conversation(), "is_private": False}
    assert isinstance(read(typing | changes), Ignore)


def test_a_conversation_that_was_resolved() -> None:
    action = read({**conversation(status="resolved"), "event": "conversation_status_changed"})
    assert isinstance(action, Moved)
    assert (action.where.conversation, action.status) == (CONVERSATION, "resolved")


def test_a_conversation_that_somebody_took() -> None:
    took = [{"assignee_id": {"previous_value": None, "current_value": 9}}]
    left = [{"assignee_id": {"previous_value": 9, "current_value": None}}]
    assert isinstance(read({**conversation(), "event": "conversation_updated", "changed_attributes": took}), Assigned)
    others: list[Any] = [left, None, [{"labels": {}}], "?"]
    for other in others:
        document = {**conversation(), "event": "conversation_updated", "changed_attributes": other}
        assert isinstance(read(document), Ignore)


def test_what_is_written_to_wagate_itself_is_a_command() -> None:
    there = conversation(contact_inbox={"source_id": STATUS_SOURCE})
    action = read(message(content="status", conversation=there))
    assert isinstance(action, Command)
    assert (action.text, action.email) == ("status", "rosa@shop.example")
    assert isinstance(read(updated(conversation=there)), Ignore)


@pytest.mark.parametrize(
    "document",
    [message(id=None), message(id="x"), message(id=0), message(conversation=None), message(conversation={"id": -1})],
)
def test_a_message_without_its_ids_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="id"):
        read(document)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"event":NaN}', b"[" * 200 + b"]" * 200])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError):
        decode(body, inbox())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EVENTS = ["message_created", "message_updated", "conversation_typing_on", "conversation_updated"]
KEYS = sorted(
    {*message(), "user", "is_private", "changed_attributes", "attachments", "status", "meta", "contact_inbox"}
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=6), st.sampled_from(EVENTS))
def test_whatever_comes_is_an_action_or_a_bad_request(changes: dict[str, Any], event: str) -> None:
    try:
        action = decode(body_of({**message(), "event": event, **changes}), inbox())
    except BadRequestError:
        return
    assert isinstance(action, Send | Delete | Resend | Command | Typing | Moved | Assigned | Ignore)
    if isinstance(action, Send | Delete | Resend | Command):
        assert msgspec.convert(msgspec.to_builtins(action), type(action)) == action


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_an_action_or_a_bad_request(body: bytes) -> None:
    with suppress(BadRequestError):
        assert isinstance(decode(body, inbox()), Ignore)


@pytest.mark.parametrize("attributes", [{"in_reply_to": 690}, {"in_reply_to": None, "in_reply_to_external_id": "a"}])
def test_retry_of_newer_versions_keeps_what_the_message_answers(attributes: dict[str, Any]) -> None:
    action = read(updated(content_attributes=attributes))
    assert isinstance(action, Resend)
    assert action.bare
