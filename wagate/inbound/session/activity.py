"""What happens in chats, as session engines tell it: messages, acks, reactions, edits, calls, groups.

Fields of each event: whatsapp-web.js 1.34, src/Client.js and src/structures; names of the result: WAHA's events.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from wagate.events import NewEvent, kinds
from wagate.events.acks import STATUS_OF, ack_extra
from wagate.inbound.session.content import inline_file
from wagate.inbound.session.envelope import SessionHook
from wagate.inbound.session.messages import message_event, message_key, wid
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, whole, wrong

_NEW_ACK = {"ackName": "UNKNOWN", "status": "unknown"}
_CALL_FIELDS = frozenset({"id", "from", "peerJid", "isVideo"})
_VOTE_FIELDS = frozenset({"voter", "selectedOptions", "parentMessage"})
_REACTION_FIELDS = frozenset({"msgId", "reaction", "senderId"})


def message(hook: SessionHook) -> NewEvent:
    """``message``, ``message_create``, ``media``, ``media_uploaded``: one message, whichever comes first."""
    found = message_event(hook.message(), phone=hook.phone, files=hook.object())
    return _with_file(hook, found)


def acked(hook: SessionHook) -> NewEvent:
    """``message_ack``: how far a message got."""
    given = hook.object().get("ack")
    found = hook.message()
    given = found.get("ack") if given is None else given
    ack = None if isinstance(given, str) else whole(given)
    if ack is None:
        raise wrong(hook.at("ack"), "must be a number from -1 to 4")
    return replace(
        _about(hook, found),
        kind=kinds.MESSAGE_ACK,
        variant=str(ack),
        type="ack",
        extra=ack_extra(STATUS_OF[ack]) if ack in STATUS_OF else _NEW_ACK | {"ack": ack},
    )


def reaction(hook: SessionHook) -> NewEvent:
    """``message_reaction``: an emoji on a message; '' takes it back."""
    found = hook.part("reaction", _REACTION_FIELDS) if not isinstance(hook.object().get("reaction"), str) else hook.data
    key, about = message_key(found.get("id")), message_key(found.get("msgId"))
    emoji, sender = first_text(found, "reaction", "text"), chat_key(wid(found.get("senderId")) or key.participant)
    moment = instant(found.get("timestamp"))
    return NewEvent(
        kind=kinds.MESSAGE_REACTION,
        # Without an id of its own it is told apart by whom it is from.
        provider_id=key.id or (identifier(f"{about.id}/{sender}") if about.id else ""),
        variant=identifier(f"{emoji}{moment.isoformat() if moment else ''}"),
        chat=chat_key(about.remote or key.remote) or sender,
        sender=sender,
        message_id=about.id,
        type="reaction",
        content=emoji,
        timestamp=moment,
        from_me=key.from_me is True,
        extra={"reaction": {"text": emoji, "messageId": about.id}},
    )


def vote(hook: SessionHook) -> NewEvent:
    """``vote_update``: what somebody chose, as an answer to the poll; '' takes the vote back."""
    found = hook.part("vote", _VOTE_FIELDS)
    poll = mapping(found.get("parentMessage"))
    about = message_key(found.get("parentMsgKey") or poll.get("id"))
    chosen = found.get("selectedOptions")
    names = [first_text(mapping(each), "name") for each in chosen] if isinstance(chosen, list) else []
    options = [name for name in names if name]
    # So spelled in whatsapp-web.js, src/structures/PollVote.js.
    moment = instant(found.get("interractedAtTs") or found.get("interactedAtTs"))
    voter = chat_key(wid(found.get("voter") or found.get("sender"))) or chat_key(about.participant)
    from_me = bool(hook.phone) and digits_of(voter) == hook.phone
    text = ", ".join(options)
    return NewEvent(
        kind=kinds.MESSAGE_ANY if from_me else kinds.MESSAGE,
        dedupe_kind="poll_vote",
        # It has no id of its own; who voted on what, and when, tells it from others.
        provider_id=identifier(f"{about.id}/{voter}") if about.id else "",
        variant=fingerprint(text, moment.isoformat() if moment else ""),
        chat=chat_key(about.remote) or voter,
        sender=voter,
        message_id=identifier(f"{about.id}/{voter}/{fingerprint(text, str(moment))}") if about.id else "",
        type="poll_vote",
        content=text,
        timestamp=moment,
        from_me=from_me,
        reply_to=about.id or None,
        extra={"vote": {"selected": options, "poll": about.id} | ({"failed": True} if names and not options else {})},
    )


def edited(hook: SessionHook) -> NewEvent:
    """``message_edit``: the new text of a message."""
    found = hook.message()
    data = hook.object()
    base = message_event(found, phone=hook.phone)
    text = hook.text("newBody") or base.content
    stamp = found.get("latestEditSenderTimestampMs") or mapping(found.get("_data")).get("latestEditSenderTimestampMs")
    moment = instant(stamp)
    return replace(
        base,
        kind=kinds.MESSAGE_EDITED,
        dedupe_kind="",
        # With the time of the edit: a text changed and changed back is three edits, not two.
        variant=fingerprint(text, moment.isoformat() if moment else ""),
        content=text,
        timestamp=moment,
        media=None,
        extra={"editedMessageId": base.message_id, "previous": first_text(data, "prevBody")},
    )


def revoked(hook: SessionHook) -> NewEvent:
    """``message_revoke_everyone``, ``message_revoke_me``: deleted for all, or on our side only."""
    found = hook.message()
    base = _about(hook, found)
    protocol = found.get("protocolMessageKey") or mapping(found.get("_data")).get("protocolMessageKey")
    about = message_key(protocol).id or base.message_id
    scope = "me" if hook.event.endswith("_me") else "everyone"
    return replace(
        base,
        kind=kinds.MESSAGE_REVOKED,
        provider_id=about,
        message_id=about,
        variant=scope,
        type="revoked",
        extra={"revokedMessageId": about, "scope": scope},
    )


def call(hook: SessionHook) -> NewEvent:
    """``call``: someone rings."""
    found = hook.part("call", _CALL_FIELDS)
    caller = chat_key(wid(found.get("from")) or wid(found.get("peerJid")))
    call_id = message_key(found.get("id")).id
    details = {name: found[name] for name in ("isVideo", "isGroup") if isinstance(found.get(name), bool)}
    return NewEvent(
        kind=kinds.CALL_RECEIVED,
        provider_id=call_id,
        chat=caller,
        sender=caller,
        message_id=call_id,
        type="call",
        timestamp=instant(found.get("timestamp")),
        from_me=found.get("fromMe") is True,
        extra={"call": {"id": call_id, "from": caller, **details}},
    )


def group_changed(hook: SessionHook) -> NewEvent:
    """``group_join``, ``group_leave``, ``group_update`` … as ``group.join`` …: who did what to whom."""
    found = mapping(hook.object().get("notification"))
    key = message_key(found.get("id"))
    group = chat_key(wid(found.get("chatId")) or key.remote)
    author, what = chat_key(wid(found.get("author")) or key.participant), first_text(found, "type")
    recipients = found.get("recipientIds")
    participants = [chat_key(wid(one)) for one in recipients] if isinstance(recipients, list) else []
    moment = instant(found.get("timestamp"))
    return NewEvent(
        kind=kinds.GROUP_PREFIX + hook.event.removeprefix("group_"),
        provider_id=key.id,
        # The id is not always one of its own: what happened, when, and to whom belongs to it.
        variant=fingerprint(what, moment.isoformat() if moment else "", *participants),
        chat=group,
        sender=author,
        message_id=key.id,
        type="group",
        content=first_text(found, "body"),
        timestamp=moment,
        extra={"group": {"id": group}, "type": what, "author": author, "participants": participants},
    )


def has_notification(hook: SessionHook) -> bool:
    """Whether a group event not listed here is of the known form."""
    return isinstance(mapping(hook.data).get("notification"), dict)


def _about(hook: SessionHook, found: dict[str, Any]) -> NewEvent:
    """The message that something happened to, without its text, file and time."""
    base = message_event(found, phone=hook.phone)
    return replace(base, dedupe_kind="", content="", media=None, timestamp=None, reply_to=None)


def _with_file(hook: SessionHook, found: NewEvent) -> NewEvent:
    """Say where its file is: in the raw body in base64, or still to come, by itself or when asked for by its id."""
    if found.media is None:
        return found
    media = replace(found.media, provider_id=found.media.provider_id or found.message_id or None)
    if place := inline_file(hook.object()):
        return replace(found, media=media, extra={**found.extra, "inline_file": hook.at(place)})
    return replace(found, media=media, extra=found.extra if media.url else {**found.extra, "file_follows": True})
