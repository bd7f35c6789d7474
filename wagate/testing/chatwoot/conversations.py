"""What Chatwoot does with conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wagate.testing.chatwoot import contacts
from wagate.testing.chatwoot.state import (
    Account,
    ContactInbox,
    Conversation,
    Json,
    Message,
    RefusedError,
    State,
    User,
    iso,
)

STATUSES = ("open", "resolved", "pending", "snoozed")
WORDS = {"open": "reopened", "resolved": "marked resolved", "pending": "marked as pending", "snoozed": "snoozed"}


def create(state: State, account: Account, given: Mapping[str, Any]) -> Conversation:
    """A new conversation, or the last one where the inbox allows only one. 422 and 404 as Chatwoot."""
    contact_inbox = _contact_inbox(state, account, given)
    if contact_inbox.inbox.lock_to_single_conversation:
        last = next((each for each in reversed(state.conversations) if each.contact_inbox is contact_inbox), None)
        if last is not None:
            return last
    return start(state, contact_inbox, given)


def start(state: State, contact_inbox: ContactInbox, given: Mapping[str, Any]) -> Conversation:
    """A new conversation."""
    account, now = contact_inbox.inbox.account, state.now()
    status = given.get("status") or ("pending" if contact_inbox.inbox.agent_bot else "open")
    conversation = Conversation(
        id=state.next_id(f"conversations of {account.id}"),
        account=account,
        contact_inbox=contact_inbox,
        created_at=now,
        last_activity_at=now,
        updated_at=now,
        waiting_since=now,
        status="resolved" if contact_inbox.contact.blocked else status,
        custom_attributes=dict(given.get("custom_attributes") or {}),
        additional_attributes=dict(given.get("additional_attributes") or {}),
    )
    state.conversations.append(conversation)
    state.tell("conversation_created", conversation)
    return conversation


def set_status(state: State, conversation: Conversation, status: str, user: User | None = None) -> None:
    """Resolve, re-open …: told when it changes. An agent who opens it takes it, and a line in it says what was done."""
    if status not in STATUSES:
        raise RefusedError(422, {"error": f"'{status}' is not a valid status"})
    before, conversation.status = conversation.status, status
    if before != status:
        changed = _touch(state, conversation, "status", before, status)
        state.tell("conversation_status_changed", conversation, changed=changed)
        state.tell("conversation_updated", conversation, changed=changed)
        by = f" by {user.name}" if user is not None else " due to a new message" if status != "resolved" else ""
        note(state, conversation, f"Conversation was {WORDS[status]}{by}")
    if conversation.status == "open" and user is not None and user.role == "agent":
        assign(state, conversation, user)


def note(state: State, conversation: Conversation, text: str) -> None:
    """An activity: in lists like a message, in no webhook."""
    now = state.now()
    state.messages.append(
        Message(
            id=state.next_id("messages", first=1001),
            conversation=conversation,
            message_type="activity",
            content=text,
            created_at=now,
            updated_at=now,
        )
    )


def assign(state: State, conversation: Conversation, user: User | None) -> None:
    """Give it to an agent, or to nobody."""
    before, conversation.assignee = conversation.assignee, user
    changed = _touch(state, conversation, "assignee_id", before and before.id, user and user.id)
    state.tell("conversation_updated", conversation, changed=changed)
    if before is not user:
        note(state, conversation, f"Assigned to {user.name}" if user is not None else "Conversation unassigned")


def typing(state: State, conversation: Conversation, user: object, on: bool, private: bool = False) -> None:
    """Somebody writes, or stopped."""
    state.tell(f"conversation_typing_{'on' if on else 'off'}", conversation, user=user, is_private=private)


def delete(state: State, conversation: Conversation) -> None:
    """It is gone, with its messages; no webhook tells."""
    state.conversations.remove(conversation)
    state.messages[:] = [each for each in state.messages if each.conversation is not conversation]


def _contact_inbox(state: State, account: Account, given: Mapping[str, Any]) -> ContactInbox:
    inbox = state.inbox(account, given.get("inbox_id"))
    source_id = given.get("source_id")
    known = state.by_source(inbox, source_id) if source_id else None
    if not given.get("contact_id"):
        if known is None:
            raise RefusedError(404, {"error": "Resource could not be found"})
        return known
    contact = state.contact(account, given["contact_id"])
    if known is not None and known.contact is not contact:
        raise RefusedError(422, {"error": "source_id should be unique"})
    return contacts.with_source(state, contact, inbox, source_id)


def _touch(state: State, conversation: Conversation, name: str, before: Any, after: Any) -> list[Json]:
    """What changed, which the time of the change is part of."""
    was, conversation.updated_at = conversation.updated_at, state.now()
    return [
        {name: {"previous_value": before, "current_value": after}},
        {"updated_at": {"previous_value": iso(was), "current_value": iso(conversation.updated_at)}},
    ]
