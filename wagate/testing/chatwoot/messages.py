"""What Chatwoot does with messages: create, status, delete, retry; and what each does to the conversation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wagate.testing.chatwoot import conversations
from wagate.testing.chatwoot.state import (
    SIDES,
    Attachment,
    Contact,
    Conversation,
    Json,
    Message,
    RefusedError,
    Side,
    State,
    User,
)

LONGEST = 150_000
MOST_FILES = 15
STATUSES = ("sent", "delivered", "read", "failed")
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp"})
VIDEOS = frozenset({"video/ogg", "video/mp4", "video/webm", "video/quicktime"})
"""All others (HEIC, TIFF, SVG, 3GPP) are files (app/helpers/file_type_helper.rb)."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that comes with a message."""

    filename: str
    content_type: str
    content: bytes
    size: int = 0
    """0: of ``content``."""
    sha256: str = ""
    """'': of ``content``."""


def post(
    state: State, conversation: Conversation, user: User, given: Mapping[str, Any], files: Sequence[Upload] = ()
) -> Message:
    """Create one over the API. 422 as Chatwoot."""
    side: Side = given.get("message_type") or "outgoing"
    if side not in SIDES[:2]:
        raise _unmade(f"'{side}' is not a valid message_type")
    if side == "incoming" and conversation.inbox.channel != "Channel::Api":
        raise _unmade("Incoming messages are only allowed in Api inboxes")
    attributes = _attributes(given.get("content_attributes"))
    if given.get("external_created_at"):
        attributes["external_created_at"] = given["external_created_at"]
    extra = {"template_params": given["template_params"]} if given.get("template_params") else {}
    return write(
        state,
        conversation,
        side,
        given.get("content"),
        sender=conversation.contact if side == "incoming" else user,
        private=str(given.get("private", "")).lower() == "true",
        files=files,
        voice=str(given.get("is_voice_message", "")).lower() == "true",
        source_id=given.get("source_id"),
        content_type=given.get("content_type") or "text",
        content_attributes=attributes,
        additional_attributes=extra,
        echo_id=given.get("echo_id"),
        by_api=True,
    )


def write(
    state: State,
    conversation: Conversation,
    side: Side,
    content: str | None,
    *,
    sender: User | Contact | None,
    files: Sequence[Upload] = (),
    voice: bool = False,
    **fields: Any,
) -> Message:
    """Store a message, and do to its conversation what it does."""
    _check(state, conversation, content, files)
    now = state.now()
    message = Message(
        id=state.next_id("messages", first=1001),
        conversation=conversation,
        message_type=side,
        content=content,
        sender=sender,
        created_at=now,
        updated_at=now,
        **fields,
    )
    message.attachments = [_attach(state, message, each, voice) for each in files]
    _thread(state, message)
    state.messages.append(message)
    conversation.last_activity_at = now
    state.tell("message_created", message)
    _stir(state, message)
    return message


def set_status(state: State, message: Message, status: str | None, error: str | None = None) -> None:
    """Accepts every change but read → delivered. Told when anything changed."""
    if status not in STATUSES or (message.status == "read" and status == "delivered"):
        return
    before = (message.status, dict(message.content_attributes))
    message.status = status
    told = error if status == "failed" else None
    message.content_attributes.pop("external_error", None)
    if told or state.null_errors:
        message.content_attributes["external_error"] = told
    if before != (message.status, message.content_attributes):
        changed(state, message)


def changed(state: State, message: Message) -> None:
    """Tell of it."""
    message.updated_at = state.now()
    state.tell("message_updated", message)


def delete(state: State, message: Message) -> None:
    """What an agent's Delete does."""
    message.content = "This message was deleted"
    message.content_type = "text"
    message.content_attributes = {"deleted": True}
    message.attachments = []
    changed(state, message)


def retry(state: State, message: Message, *, newer: bool = False) -> None:
    """What an agent's Retry does: two updates, and nothing is sent by Chatwoot itself.

    ``newer``: as later versions do it, in one update that takes out the error and keeps the rest; only what failed.
    """
    if not newer:
        set_status(state, message, "sent")
        message.content_attributes = {}
        changed(state, message)
    elif message.status == "failed":
        set_status(state, message, "sent")


def _answer_by_itself(state: State, conversation: Conversation) -> None:
    """Out of office, then the greeting: messages of nobody's (app/services/message_templates/…)."""
    inbox, others = conversation.inbox, state.messages_of(conversation)
    ours = [each for each in others if each.message_type in {"outgoing", "template"} and not each.private]
    first, now = not ours, state.now()
    recent = any(each.created_at > now - 300 for each in ours if each.message_type == "outgoing")
    today = any(each.created_at > now - 86_400 for each in ours if each.message_type == "template")
    texts = [inbox.out_of_office] if inbox.out_of_office and not recent and not today else []
    texts += [inbox.greeting] if inbox.greeting and first and not texts else []
    for text in texts:
        write(state, conversation, "template", text, sender=None)


def _check(state: State, conversation: Conversation, content: str | None, files: Sequence[Upload]) -> None:
    if len(content or "") > LONGEST:
        raise _unmade(f"Validation failed: Content is too long (maximum is {LONGEST} characters)")
    if len(files) > MOST_FILES:
        raise _unmade("Validation failed: Attachments exceeded maximum allowed")
    since = state.now() - 60
    recent = sum(1 for each in state.messages_of(conversation) if each.created_at > since)
    if state.flood is not None and recent >= state.flood:
        raise _unmade("Validation failed: Too many messages")


def _unmade(why: str) -> RefusedError:
    return RefusedError(422, {"error": why})


def _attributes(given: Any) -> Json:
    """An object, or one written as JSON, as forms have it."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = {}
    return dict(given) if isinstance(given, dict) else {}


def _attach(state: State, message: Message, file: Upload, voice: bool) -> Attachment:
    plain = file.content_type.partition(";")[0].strip().lower()
    kind = "image" if plain in IMAGES else "video" if plain in VIDEOS else "audio" if "audio/" in plain else "file"
    return Attachment(
        id=state.next_id("attachments", first=501),
        message_id=message.id,
        account_id=message.conversation.account.id,
        file_type=kind,
        filename=file.filename,
        content_type=file.content_type.partition(";")[0],
        content=file.content,
        size=file.size or len(file.content),
        sha256=file.sha256 or hashlib.sha256(file.content).hexdigest(),
        voice=voice and kind == "audio",
    )


def _thread(state: State, message: Message) -> None:
    """A reply named by one id gets the other; both are null when it is not of the same conversation."""
    attributes = message.content_attributes
    wanted, external = attributes.get("in_reply_to"), attributes.get("in_reply_to_external_id")
    if not wanted and not external:
        return
    others = state.messages_of(message.conversation)
    found = [each for each in others if (str(each.id) == str(wanted) if wanted else each.source_id == external)]
    attributes["in_reply_to"] = found[0].id if found else None
    attributes["in_reply_to_external_id"] = found[0].source_id if found else None


def _stir(state: State, message: Message) -> None:
    """Who waits for whom, and the re-opening by what comes in."""
    conversation = message.conversation
    if message.message_type == "incoming":
        conversation.waiting_since = conversation.waiting_since or message.created_at
        if (
            conversation.status in {"resolved", "snoozed"}
            and not conversation.muted
            and not conversation.contact.blocked
        ):
            conversations.set_status(state, conversation, "pending" if conversation.inbox.agent_bot else "open")
        _answer_by_itself(state, conversation)
    elif message.message_type == "outgoing" and not message.private and isinstance(message.sender, User):
        conversation.waiting_since = 0.0
        if conversation.first_reply_created_at is None:
            conversation.first_reply_created_at = message.created_at
            state.tell("conversation_updated", conversation, changed=[])
