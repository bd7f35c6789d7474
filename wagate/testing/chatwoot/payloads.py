"""Bodies of webhooks, as Chatwoot's ``webhook_data`` and ``push_event_data`` make them (v4.15.1)."""

from __future__ import annotations

from urllib.parse import quote

from wagate.testing.chatwoot.state import (
    SIDES,
    Account,
    Attachment,
    Contact,
    Conversation,
    Inbox,
    Json,
    Message,
    User,
    iso,
)


def message_data(base: str, message: Message, *, shown: Message | None, can_reply: bool) -> Json:
    """``message_created`` and ``message_updated``; ``shown`` is what stands in ``conversation.messages``."""
    data: Json = {
        "account": account_data(message.conversation.account),
        "additional_attributes": message.additional_attributes,
        "content_attributes": message.content_attributes,
        "content_type": message.content_type,
        "content": message.content,
        "conversation": conversation_data(base, message.conversation, shown=shown, can_reply=can_reply),
        "created_at": iso(message.created_at),
        "id": message.id,
        "inbox": _inbox(message.conversation.inbox),
        "message_type": message.message_type,
        "private": message.private,
        "sender": sender_data(message.sender),
        "source_id": message.source_id,
    }
    if message.attachments:
        data["attachments"] = [attachment_data(base, each) for each in message.attachments]
    return data


def conversation_data(base: str, conversation: Conversation, *, shown: Message | None, can_reply: bool) -> Json:
    """A conversation, at top level or inside a message."""
    reply = conversation.first_reply_created_at
    return {
        "additional_attributes": conversation.additional_attributes,
        "can_reply": can_reply,
        "channel": conversation.inbox.channel,
        "contact_inbox": _contact_inbox(conversation),
        "id": conversation.id,
        "inbox_id": conversation.inbox.id,
        "messages": [] if shown is None else [_pushed_message(base, shown)],
        "labels": conversation.labels,
        "meta": {
            "sender": pushed_contact(conversation.contact),
            "assignee": conversation.assignee and pushed_user(conversation.assignee),
            "assignee_type": conversation.assignee and "User",
            "team": None,
            "hmac_verified": False,
        },
        "status": conversation.status,
        "custom_attributes": conversation.custom_attributes,
        "snoozed_until": conversation.snoozed_until,
        "unread_count": 0,
        "first_reply_created_at": None if reply is None else iso(reply),
        "priority": conversation.priority,
        "waiting_since": int(conversation.waiting_since),
        "agent_last_seen_at": int(conversation.agent_last_seen_at),
        "contact_last_seen_at": int(conversation.contact_last_seen_at),
        "last_activity_at": int(conversation.last_activity_at),
        "timestamp": int(conversation.last_activity_at),
        "created_at": int(conversation.created_at),
        "updated_at": round(conversation.updated_at, 3),
        "account": account_data(conversation.account),
    }


def contact_data(contact: Contact) -> Json:
    """A contact at top level, or as a sender: no ``type``."""
    return {
        "account": account_data(contact.account),
        "additional_attributes": contact.additional_attributes,
        "avatar": contact.avatar_url,
        "custom_attributes": contact.custom_attributes,
        "email": contact.email,
        "id": contact.id,
        "identifier": contact.identifier,
        "name": contact.name,
        "phone_number": contact.phone_number,
        "thumbnail": contact.avatar_url,
        "blocked": contact.blocked,
    }


def sender_data(sender: User | Contact | None) -> Json | None:
    """Who wrote, in a webhook's top level."""
    if isinstance(sender, Contact):
        return contact_data(sender)
    if sender is None:
        return None
    if sender.role == "bot":
        return {"id": sender.id, "name": sender.name, "type": "agent_bot"}
    return {"id": sender.id, "name": sender.name, "email": sender.email, "type": "user"}


def attachment_data(base: str, attachment: Attachment) -> Json:
    """A file. Its URL redirects to where the file lies."""
    name = quote(attachment.filename)
    url = f"{base}/rails/active_storage/blobs/redirect/fake--{attachment.id}/{name}"
    thumb = f"{base}/rails/active_storage/representations/redirect/fake--{attachment.id}/{name}"
    audio = attachment.file_type == "audio"
    data: Json = {
        "id": attachment.id,
        "message_id": attachment.message_id,
        "file_type": attachment.file_type,
        "account_id": attachment.account_id,
        "extension": attachment.filename.rpartition(".")[2] if "." in attachment.filename else None,
        "content_type": attachment.content_type,
        "data_url": f"{url}?disposition=inline" if audio else url,
        "thumb_url": thumb if attachment.file_type == "image" else "",
        "file_size": attachment.size,
        "width": 640 if attachment.file_type == "image" else None,
        "height": 480 if attachment.file_type == "image" else None,
    }
    return data | ({"transcribed_text": ""} if audio else {})


def account_data(account: Account) -> Json:
    """Number and name."""
    return {"id": account.id, "name": account.name}


def pushed_contact(contact: Contact) -> Json:
    """A contact inside ``meta`` and ``messages``: with ``type``."""
    data = contact_data(contact)
    return {name: value for name, value in data.items() if name not in {"account", "avatar"}} | {"type": "contact"}


def pushed_user(user: User) -> Json:
    """An agent inside ``meta`` and ``messages``."""
    return {
        "id": user.id,
        "name": user.name,
        "available_name": user.name.partition(" ")[0],
        "avatar_url": "",
        "type": "user",
        "availability_status": "online",
        "thumbnail": "",
    }


def _inbox(inbox: Inbox) -> Json:
    return {"id": inbox.id, "name": inbox.name}


def _contact_inbox(conversation: Conversation) -> Json:
    row = conversation.contact_inbox
    return {
        "id": row.id,
        "contact_id": row.contact.id,
        "inbox_id": row.inbox.id,
        "source_id": row.source_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.created_at),
        "hmac_verified": False,
        "pubsub_token": row.pubsub_token,
    }


def _pushed_message(base: str, message: Message) -> Json:
    conversation = message.conversation
    data: Json = {
        "id": message.id,
        "content": message.content,
        "account_id": conversation.account.id,
        "inbox_id": conversation.inbox.id,
        "conversation_id": conversation.id,
        "message_type": SIDES.index(message.message_type),
        "created_at": int(message.created_at),
        "updated_at": iso(message.updated_at),
        "private": message.private,
        "status": message.status,
        "source_id": message.source_id,
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "sender_type": None if message.sender is None else type(message.sender).__name__,
        "sender_id": message.sender and message.sender.id,
        "external_source_ids": {},
        "additional_attributes": message.additional_attributes,
        "processed_message_content": message.content,
        "sentiment": {},
        "conversation": {
            "assignee_id": conversation.assignee and conversation.assignee.id,
            "unread_count": 0,
            "last_activity_at": int(conversation.last_activity_at),
            "contact_inbox": {"source_id": conversation.contact_inbox.source_id},
        },
    }
    if message.sender is not None:
        sender = message.sender
        data["sender"] = pushed_contact(sender) if isinstance(sender, Contact) else pushed_user(sender)
    if message.attachments:
        data["attachments"] = [attachment_data(base, each) for each in message.attachments]
    return data
