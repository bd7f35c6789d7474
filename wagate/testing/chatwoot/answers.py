"""What Chatwoot's API answers, as its jbuilder views render it (v4.15.1), which is not what its swagger says."""

from __future__ import annotations

from wagate.testing.chatwoot.payloads import account_data, attachment_data, pushed_contact, pushed_user
from wagate.testing.chatwoot.state import (
    SIDES,
    AccountWebhook,
    Contact,
    Conversation,
    Inbox,
    Json,
    Message,
    State,
    User,
)


def contact(state: State, row: Contact, *, inboxes: bool = True) -> Json:
    """A contact; ``contact_inboxes`` where the view shows them."""
    found: Json = {
        "additional_attributes": row.additional_attributes,
        "availability_status": "offline",
        "email": row.email,
        "id": row.id,
        "name": row.name,
        "phone_number": row.phone_number,
        "blocked": row.blocked,
        "identifier": row.identifier,
        "thumbnail": row.avatar_url,
        "custom_attributes": row.custom_attributes,
        "created_at": int(row.created_at),
    }
    if inboxes:
        sources = state.sources_of(row)
        found["contact_inboxes"] = [{"source_id": each.source_id, "inbox": slim_inbox(each.inbox)} for each in sources]
    return found


def contacts(state: State, rows: list[Contact], *, page: int, more: bool | None = None) -> Json:
    """A page of contacts; ``more`` only where the view shows it."""
    meta: Json = {"count": len(rows), "current_page": page} | ({} if more is None else {"has_more": more})
    return {"meta": meta, "payload": [contact(state, each) for each in rows]}


def slim_inbox(row: Inbox) -> Json:
    """An inbox inside others."""
    return {"id": row.id, "avatar_url": "", "channel_id": row.id, "name": row.name, "channel_type": row.channel}


def inbox(row: Inbox, user: User) -> Json:
    """An inbox; its secrets for administrators."""
    found: Json = slim_inbox(row) | {
        "greeting_enabled": bool(row.greeting),
        "enable_auto_assignment": True,
        "allow_messages_after_resolved": row.allow_messages_after_resolved,
        "lock_to_single_conversation": row.lock_to_single_conversation,
        "callback_webhook_url": None,
    }
    if row.channel == "Channel::Api":
        found |= {
            "webhook_url": row.webhook_url,
            "inbox_identifier": row.identifier,
            "additional_attributes": row.additional_attributes,
        }
        if user.role == "administrator":
            found |= {"hmac_token": row.hmac_token, "hmac_mandatory": row.hmac_mandatory, "secret": row.secret or None}
    return found


def conversation(state: State, base: str, row: Conversation) -> Json:
    """A conversation as lists and `create` show it."""
    last, spoken = state.last(row), state.shown(row)
    shown = [] if last is None else [message(base, last)]
    reply = row.first_reply_created_at
    return {
        "meta": {
            "sender": contact(state, row.contact, inboxes=False),
            "channel": row.inbox.channel,
            "assignee": row.assignee and pushed_user(row.assignee),
            "hmac_verified": False,
        },
        "id": row.id,
        "messages": shown,
        "account_id": row.account.id,
        "uuid": row.uuid,
        "additional_attributes": row.additional_attributes,
        "agent_last_seen_at": int(row.agent_last_seen_at),
        "assignee_last_seen_at": 0,
        "can_reply": state.can_reply(row),
        "contact_last_seen_at": int(row.contact_last_seen_at),
        "custom_attributes": row.custom_attributes,
        "inbox_id": row.inbox.id,
        "labels": row.labels,
        "muted": row.muted,
        "snoozed_until": row.snoozed_until,
        "status": row.status,
        "created_at": int(row.created_at),
        "updated_at": round(row.updated_at, 3),
        "timestamp": int(row.last_activity_at),
        "first_reply_created_at": 0 if reply is None else int(reply),
        "unread_count": 0,
        "last_non_activity_message": None if spoken is None else message(base, spoken),
        "last_activity_at": int(row.last_activity_at),
        "priority": row.priority,
        "waiting_since": int(row.waiting_since),
        "sla_policy_id": None,
    }


def message(base: str, row: Message) -> Json:
    """A message; ``message_type`` is a number here."""
    found: Json = {
        "id": row.id,
        "content": row.content,
        "inbox_id": row.conversation.inbox.id,
        "conversation_id": row.conversation.id,
        "message_type": SIDES.index(row.message_type),
        "content_type": row.content_type,
        "status": row.status,
        "content_attributes": row.content_attributes,
        "created_at": int(row.created_at),
        "private": row.private,
        "source_id": row.source_id,
    }
    if row.echo_id is not None:
        found["echo_id"] = row.echo_id
    if isinstance(row.sender, Contact):
        found["sender"] = pushed_contact(row.sender)
    elif row.sender is not None:
        found["sender"] = pushed_user(row.sender)
    if row.attachments:
        found["attachments"] = [attachment_data(base, each) for each in row.attachments]
    return found


def messages(state: State, base: str, row: Conversation, found: list[Message]) -> Json:
    """A list of a conversation's messages."""
    meta = {
        "labels": row.labels,
        "additional_attributes": row.additional_attributes,
        "contact": contact(state, row.contact, inboxes=False),
        "assignee": row.assignee and pushed_user(row.assignee),
        "agent_last_seen_at": int(row.agent_last_seen_at),
        "assignee_last_seen_at": 0,
    }
    return {"meta": meta, "payload": [message(base, each) for each in found]}


def profile(state: State, user: User) -> Json:
    """Who the token is."""
    return {
        "id": user.id,
        "name": user.name,
        "available_name": user.name.partition(" ")[0],
        "email": user.email,
        "account_id": user.account.id,
        "role": user.role,
        "type": None,
        "access_token": user.token,
        "accounts": [
            {"id": each.id, "name": each.name, "status": "active", "role": user.role}
            for each in state.accounts
            if each is user.account
        ],
    }


def agent(user: User) -> Json:
    """A row of the list of agents."""
    return pushed_user(user) | {"account_id": user.account.id, "email": user.email, "role": user.role}


def webhook(row: AccountWebhook) -> Json:
    """A webhook of the account."""
    return {
        "id": row.id,
        "name": row.name,
        "url": row.url,
        "account_id": row.account.id,
        "subscriptions": row.subscriptions,
        "secret": row.secret,
        "inbox": None,
        "account": account_data(row.account),
    }
