"""Messages, and our own sent from the phone (echoes): who wrote what in which chat."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from wagate.events import NewEvent, kinds
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened
from wagate_meta.change import Change, group_key
from wagate_meta.content import Content, read_content


def message_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """A message that came in; None when nothing says who wrote it, or what it is.

    Since the middle of 2026 it may come without a phone: then by the business-scoped id alone.
    """
    person = change.person(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))
    if not person.key or not (identifier(item.get("id")) or first_text(item, "type")):
        return None
    base = NewEvent(
        kind=kinds.MESSAGE,
        dedupe_kind=kinds.MESSAGE,
        chat=group_key(item.get("group_id")) or person.key,
        sender=person.key,
        recipient=change.ours,
        contact_name=person.name,
        aliases=person.aliases,
        extra={"username": person.username} if person.username else {},
    )
    return _about(item, base)


def echo_event(item: dict[str, Any], change: Change) -> NewEvent | None:
    """A message of our own, sent from the Business app beside us; None when nothing says to whom."""
    person = change.person(item.get("to"), item.get("to_user_id"), item.get("to_parent_user_id"))
    chat = group_key(item.get("group_id")) or person.key
    if not chat:
        return None
    base = NewEvent(
        kind=kinds.MESSAGE_ANY,
        dedupe_kind=kinds.MESSAGE,
        chat=chat,
        sender=change.ours or change.person(item.get("from"), None).key,
        recipient=person.key or chat,
        from_me=True,
    )
    return _about(item, base)


def _about(item: dict[str, Any], base: NewEvent) -> NewEvent:
    """The event of what the item is: a message, a reaction, an edit, or a deletion."""
    found = identifier(item.get("id"))
    base = replace(base, provider_id=found, message_id=found, timestamp=instant(item.get("timestamp")))
    match item.get("type"):
        case "reaction":
            return _reaction(mapping(item.get("reaction")), base)
        case "edit":
            return _edited(mapping(item.get("edit")), base)
        case "revoke":
            return _revoked(mapping(item.get("revoke")), base)
    return _with_content(base, read_content(item), item)


def _with_content(base: NewEvent, content: Content, item: dict[str, Any]) -> NewEvent:
    context = mapping(item.get("context"))
    extra = base.extra | content.extra | _context(context)
    for name in ("referral", "errors"):
        if item.get(name):
            extra[name] = shortened(item[name])
    if content.notice:
        base = replace(base, kind=kinds.UNKNOWN, dedupe_kind="notice")
    return replace(
        base,
        type=content.type,
        content=content.text,
        media=content.media,
        reply_to=identifier(context.get("id")) or None,
        aliases=base.aliases + tuple(key for key in content.aliases if key not in (base.sender, *base.aliases)),
        extra=extra,
    )


def _context(context: dict[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        extra["forwarded"] = True
    if product := mapping(context.get("referred_product")):
        extra["referredProduct"] = shortened(product)
    return extra


def _reaction(reaction: dict[str, Any], base: NewEvent) -> NewEvent:
    """An emoji on a message; taken back: the emoji is '' or absent."""
    emoji, about = first_text(reaction, "emoji"), identifier(reaction.get("message_id"))
    moment = base.timestamp
    return replace(
        base,
        kind=kinds.MESSAGE_REACTION,
        dedupe_kind="",
        variant=identifier(f"{emoji}{moment.isoformat() if moment else ''}"),
        message_id=about,
        type="reaction",
        content=emoji,
        extra=base.extra | {"reaction": {"text": emoji, "messageId": about}},
    )


def _edited(edit: dict[str, Any], base: NewEvent) -> NewEvent:
    about, message = identifier(edit.get("original_message_id")), mapping(edit.get("message"))
    after = _with_content(base, read_content(message), message)
    moment = base.timestamp
    return replace(
        after,
        kind=kinds.MESSAGE_EDITED,
        dedupe_kind="",
        variant=fingerprint(after.content, moment.isoformat() if moment else ""),
        message_id=about,
        extra=after.extra | {"editedMessageId": about},
    )


def _revoked(revoke: dict[str, Any], base: NewEvent) -> NewEvent:
    about = identifier(revoke.get("original_message_id"))
    return replace(
        base,
        kind=kinds.MESSAGE_REVOKED,
        dedupe_kind="",
        provider_id=base.provider_id or about,
        variant="everyone",
        message_id=about,
        type="revoked",
        extra=base.extra | {"revokedMessageId": about, "scope": "everyone"},
    )
