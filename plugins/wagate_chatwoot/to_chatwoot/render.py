"""How an event of WhatsApp reads in Chatwoot. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from wagate.events import Event, kinds
from wagate.parsing.chats import digits_of, is_group
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.posts import Post
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot.markdown import escaped, to_markdown
from wagate_chatwoot.to_chatwoot.shown import body_of, say_call, say_reaction

Say = Callable[..., str]
"""`wagate_chatwoot.agents.texts.Texts`: key and values → text."""

_MESSAGES: Final = frozenset({kinds.MESSAGE, kinds.MESSAGE_ANY})
_CALLS: Final = frozenset({kinds.CALL_RECEIVED, kinds.CALL_ACCEPTED, kinds.CALL_REJECTED})
_NOTES: Final = _CALLS | {kinds.MESSAGE_REVOKED}
"""Nobody wrote these to us: a note tells the agents, and re-opens nothing."""
_QUOTED: Final = 200
"""Characters of the words that an answer is to."""
_MARK: Final = "\\"
_SYSTEM: Final = "system"
"""Nor this: WhatsApp's own word of somebody's new number, or new device."""


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """What to post."""

    post: Post
    file: bool = False
    """Whether the event's file goes with it."""
    notice: bool = False
    """Nobody wrote it to us: it goes into the last conversation, and begins none."""


def render(event: Event, say: Say, *, own: Literal["outgoing", "private", "off"]) -> Rendered | None:
    """The message for an event, in no conversation yet; None: it is not shown.

    ``own`` is how what was written on our own phone is shown.
    """
    if event.from_me and own == "off":
        return None
    file = event.kind in _MESSAGES | {kinds.MEDIA_ARRIVED} and event.media is not None
    body = _body(event, say)
    if not file and (not body.strip() or (event.kind in _MESSAGES and event.type == "unknown")):
        # Words that come with it may be the provider's: they must not look like the customer's alone.
        said = say("message.unsupported", type=event.type or "unknown")
        body = f"{said}\n{body}" if body.strip() else said
    notice = event.kind in _NOTES or event.type == _SYSTEM
    note = notice or (event.from_me and own == "private")
    if event.from_me and note and event.kind in _MESSAGES:
        # What we sent has an id of ours: by API, by another plugin, or by an agent in another inbox.
        body = say("message.own_elsewhere" if "id" in event.extra else "message.own", text=body)
    post = Post(
        content=_with_author(event, body, say),
        message_type="outgoing" if event.from_me or note else "incoming",
        private=note,
        content_attributes=_attributes(event),
        source_id=source_of(event),
        is_voice_message=file and event.type == "voice",
        # A late file stands behind what was written after its message.
        external_created_at=None if event.kind == kinds.MEDIA_ARRIVED else int(event.timestamp.timestamp()),
    )
    return Rendered(post=post, file=file, notice=notice)


def source_of(event: Event) -> str:
    """``source_id`` of what is posted for an event: the provider's id of a message; our own of what is about one."""
    return event.message_id if event.kind in _MESSAGES and event.message_id else f"wagate:{event.id}"


def quoted_id(event: Event) -> str:
    """The provider's id of the message that an event answers or is about; ''."""
    return (event.reply_to or "") if event.kind in _MESSAGES else event.message_id if event.kind not in _CALLS else ""


def replying(post: Post, quoted: Entry | None, whatsapp: str, conversation: int) -> Post:
    """The post as an answer. Chatwoot's own id threads it; the other one too, on servers that look it up."""
    if not whatsapp:
        return post
    about: dict[str, Any] = {"in_reply_to_external_id": whatsapp}
    if quoted is not None and quoted.conversation == conversation:
        about["in_reply_to"] = quoted.message
    return replace(post, content_attributes=post.content_attributes | about)


def with_words_of(post: Post, event: Event) -> Post:
    """The post below the words that it answers, as far as the provider tells them: Chatwoot does not have them."""
    words = escaped(first_text(mapping(event.extra.get("quoted")), "content"))
    if not words or event.kind not in _MESSAGES:
        return post
    shown = words if len(words) <= _QUOTED else f"{words[:_QUOTED].rstrip(_MARK)}…"
    return replace(post, content=f"> {shown}\n\n{post.content}")


def without_file(post: Post, line: str) -> Post:
    """The post when its file can't go with it: a line says why."""
    text = f"{post.content}\n\n{line}" if post.content.strip() else line
    return replace(post, content=text, is_voice_message=False)


def _body(event: Event, say: Say) -> str:
    match event.kind:
        case kinds.MESSAGE_REACTION:
            return say_reaction(event, say)
        case kinds.MESSAGE_EDITED:
            return say("message.edited", text=to_markdown(event.content))
        case kinds.MESSAGE_REVOKED:
            return say("message.revoked")
        case kinds.MEDIA_ARRIVED:
            return say("message.file_late")
    return say_call(event, say) if event.kind in _CALLS else body_of(event, say)


def _attributes(event: Event) -> dict[str, Any]:
    """Words that Chatwoot's own WhatsApp channel uses for the same things."""
    about: dict[str, Any] = {}
    if event.from_me and event.kind in _MESSAGES and "id" not in event.extra:
        about["external_echo"] = True
    if event.type == "unknown" and event.kind in _MESSAGES and not event.content and event.media is None:
        about["is_unsupported"] = True
    if isinstance(referral := event.extra.get("referral"), dict):
        about["referral"] = referral
    return about


def _with_author(event: Event, body: str, say: Say) -> str:
    """In a group, or a list, who wrote it."""
    many = is_group(event.chat) or event.chat.endswith("@broadcast")
    if event.from_me or not many or not event.sender or event.sender == event.chat:
        return body
    return say("message.author", author=author(event), text=body) if body else f"**{author(event)}**"


def author(event: Event) -> str:
    """Name and number of who wrote it."""
    number = digits_of(event.sender)
    number = f"+{number}" if event.sender.endswith("@c.us") else number
    name = escaped(event.contact_name or "")
    return f"{name} ({number})" if name and name != number else number
