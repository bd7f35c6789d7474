"""WAHA's webhooks as events: one envelope is one event.

Sources: https://waha.devlike.pro/docs/how-to/events/, the webhook schemas of its OpenAPI document (2026.7.1), and the
engines' code where they differ (src/core/engines/).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.events import NewEvent, kinds
from wagate.events.acks import PARTICIPANT, STATUS_OF, ack_extra
from wagate.events.event import MEMBERS
from wagate.hooks import InboundRequest, ProviderAccount
from wagate.parsing.chats import GROUP, chat_key
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened, whole
from wagate_waha.content import content_of
from wagate_waha.envelope import Envelope, Parties, open_envelope, parties, status_event
from wagate_waha.ids import read_id

_CALLS = {
    "call.received": kinds.CALL_RECEIVED,
    "call.accepted": kinds.CALL_ACCEPTED,
    "call.rejected": kinds.CALL_REJECTED,
}

_MOST_DATA = 65_536
"""Bytes of an engine's own data that are kept as they are; of more, long texts (files in base64) are left out."""


def parse(request: InboundRequest, account: ProviderAccount) -> Sequence[NewEvent]:
    """Make the event of one webhook; always exactly one, also for names not known (kind ``unknown``).

    Raises:
        BadRequestError: no JSON object, or one without an event's name.
    """
    return [parse_envelope(open_envelope(request.json(), phone=account.phone), account.name)]


def parse_envelope(envelope: Envelope, account: str) -> NewEvent:
    """The event of an opened envelope."""
    is_status = envelope.event == "session.status"
    event = status_event(envelope, account) if is_status else _parser(envelope.event)(envelope)
    moment = event.timestamp or instant(envelope.payload.get("timestamp")) or envelope.timestamp
    return replace(event, number=envelope.session, timestamp=moment, extra=event.extra | _engine_data(event, envelope))


def _engine_data(event: NewEvent, envelope: Envelope) -> dict[str, Any]:
    """``_data`` as it came, for readers of WAHA's format; events that are only kept have it in ``data`` already."""
    data = mapping(envelope.payload.get("_data"))
    if not data or event.kind == kinds.UNKNOWN:
        return {}
    return {"_data": data if len(msgspec.json.encode(data)) <= _MOST_DATA else shortened(data)}


def message(envelope: Envelope) -> NewEvent:
    """``message``, ``message.any``: one WhatsApp message is one, under whichever name it comes first."""
    payload, who = envelope.payload, parties(envelope, envelope.payload)
    content = content_of(payload, who.id.whole)
    if content.notice:
        return notice(envelope, content.notice)
    extra = dict(content.extra)
    if source := first_text(payload, "source"):
        extra["source"] = source
    if who.broadcast:
        extra["broadcast"] = who.broadcast
    if quoted := _quoted(payload):
        extra["quoted"] = quoted
    return replace(
        _about(who, kinds.MESSAGE_ANY if who.from_me else kinds.MESSAGE),
        dedupe_kind=kinds.MESSAGE,
        type=content.type,
        content=content.text,
        contact_name=None if who.from_me else _contact_name(mapping(payload.get("_data"))),
        media=content.media,
        reply_to=_reply_to(envelope, who) or None,
        extra=extra,
    )


def notice(envelope: Envelope, word: str) -> NewEvent:
    """A placeholder, or WhatsApp's own word: no message of anybody, so it is only kept."""
    found = unknown(envelope)
    # ``message`` and ``message.any`` bring it under one id.
    return replace(
        found,
        provider_id=found.message_id or found.provider_id,
        dedupe_kind="notice",
        extra=found.extra | {"notice": word},
    )


def vote(envelope: Envelope) -> NewEvent:
    """``poll.vote``, ``poll.vote.failed``: what somebody chose, as an answer to the poll; '' takes the vote back."""
    found, poll = mapping(envelope.payload.get("vote")), mapping(envelope.payload.get("poll"))
    chosen = found.get("selectedOptions")
    options = [each for each in chosen if isinstance(each, str)] if isinstance(chosen, list) else []
    about = read_id(poll.get("id")).whole
    details: dict[str, Any] = {"selected": options, "poll": about}
    if envelope.event.endswith(".failed"):
        details["failed"] = True  # WAHA could not decrypt it
    return _answering(envelope, found, "poll_vote", about=about, text=", ".join(options), details={"vote": details})


def attendance(envelope: Envelope) -> NewEvent:
    """``event.response``, ``event.response.failed``: whether somebody comes, as an answer to the invitation."""
    found = mapping(envelope.payload.get("eventResponse"))
    about = read_id(mapping(envelope.payload.get("eventCreationKey")).get("id")).whole
    word = first_text(found, "response")
    details: dict[str, Any] = {"response": word, "event": about}
    if guests := whole(found.get("extraGuestCount")):
        details["guests"] = guests
    if envelope.event.endswith(".failed") or not word:
        details["failed"] = True
    said = word.replace("_", " ").capitalize()
    return _answering(
        envelope, envelope.payload, "event_response", about=about, text=said, details={"event_response": details}
    )


def _answering(
    envelope: Envelope, found: dict[str, Any], kind: str, *, about: str, text: str, details: dict[str, Any]
) -> NewEvent:
    """What somebody answered to a poll or an invitation, in its chat."""
    who = parties(envelope, found)
    if not who.id.bare:
        return unknown(envelope)
    moment = instant(found.get("timestamp"))
    return replace(
        _about(who, kinds.MESSAGE_ANY if who.from_me else kinds.MESSAGE),
        dedupe_kind=kind,
        # NOWEB and GOWS give each change of a vote an id of its own; this tells them apart where an engine doesn't.
        variant=fingerprint(text, moment.isoformat() if moment else ""),
        type=kind,
        content=text,
        timestamp=moment,
        reply_to=about or None,
        extra=details,
    )


def reaction(envelope: Envelope) -> NewEvent:
    """``message.reaction``: an emoji on a message; '' takes it back."""
    payload, who = envelope.payload, parties(envelope, envelope.payload)
    found = mapping(payload.get("reaction"))
    emoji, about = first_text(found, "text"), read_id(found.get("messageId"))
    moment = instant(payload.get("timestamp"))
    return replace(
        _about(who, kinds.MESSAGE_REACTION),
        # Without an id of its own it is told apart by whom it is from.
        provider_id=who.id.whole or (identifier(f"{about.whole}/{who.sender}") if about.bare else ""),
        variant=identifier(f"{emoji}{moment.isoformat() if moment else ''}"),
        message_id=about.whole,
        type="reaction",
        content=emoji,
        timestamp=moment,
        extra={"reaction": {"text": emoji, "messageId": about.whole}},
    )


def ack(envelope: Envelope) -> NewEvent:
    """``message.ack``, ``message.ack.group``: how far a message got; in a group, with each participant."""
    payload, who = envelope.payload, parties(envelope, envelope.payload)
    given = whole(payload.get("ack"))
    if given is None:
        return unknown(envelope)
    reader = chat_key(first_text(payload, "participant")) if who.chat.endswith(f"@{GROUP}") else ""
    # WEBJS names ourselves, who wrote it, when all have got that far.
    reader = "" if reader in {envelope.ours, chat_key(first_text(envelope.me, "lid"))} else reader
    extra: dict[str, Any] = {"ack": given, "ackName": "UNKNOWN", "status": "unknown"}
    if given in STATUS_OF:
        extra = ack_extra(STATUS_OF[given])
    # Shortened to WhatsApp's own id by some versions.
    about = who.id if who.id.from_me is not None else replace(who.id, chat=who.chat, from_me=who.from_me)
    return replace(
        _about(who, kinds.MESSAGE_ACK),
        provider_id=about.whole,
        message_id=about.whole,
        variant=identifier(f"{given}/{reader}" if reader else str(given)),
        type="ack",
        extra=extra | ({PARTICIPANT: reader} if reader else {}),
    )


def edited(envelope: Envelope) -> NewEvent:
    """``message.edited``: the new text; ``editedMessageId`` is a bare id, ``message_id`` the whole one."""
    payload, who = envelope.payload, parties(envelope, envelope.payload)
    bare = read_id(payload.get("editedMessageId")).bare
    about = replace(who.id, bare=bare).whole if bare else who.id.whole
    text, content = first_text(payload, "body"), content_of(payload, about)
    # Without a word of its file it may be the same one still: that one has its link.
    media = content.media if payload.get("hasMedia") is True or mapping(payload.get("media")) else None
    stamp = mapping(payload.get("_data")).get("latestEditSenderTimestampMs")
    # GOWS and NOWEB give an edit an id of its own; WEBJS the message's, with the time of the edit inside.
    moment = instant(stamp)
    return replace(
        _about(who, kinds.MESSAGE_EDITED),
        provider_id=who.id.whole or about,
        variant=fingerprint(text, moment.isoformat() if moment else ""),
        message_id=about,
        type=content.type,
        content=text,
        timestamp=moment,
        media=media,
        extra={"editedMessageId": bare},
    )


def revoked(envelope: Envelope) -> NewEvent:
    """``message.revoked``: with ``revokedMessageId`` (a bare id), or in its older form only before and after."""
    before, after = mapping(envelope.payload.get("before")), mapping(envelope.payload.get("after"))
    who = parties(envelope, after or before)
    bare = read_id(envelope.payload.get("revokedMessageId")).bare
    about = who.id
    if before.get("id"):
        about = parties(envelope, before).id
    elif bare:
        about = replace(who.id, bare=bare)
    return replace(
        _about(who, kinds.MESSAGE_REVOKED),
        provider_id=about.whole,
        variant="everyone",
        message_id=about.whole,
        type="revoked",
        timestamp=instant((after or before).get("timestamp")),
        extra={"revokedMessageId": about.bare, "scope": "everyone"},
    )


def call(envelope: Envelope) -> NewEvent:
    """``call.received``, ``call.accepted``, ``call.rejected``."""
    payload = envelope.payload
    caller, call_id = chat_key(first_text(payload, "from")), identifier(payload.get("id"))
    details = {name: payload[name] for name in ("isVideo", "isGroup") if isinstance(payload.get(name), bool)}
    return NewEvent(
        kind=_CALLS[envelope.event],
        provider_id=call_id,
        chat=caller,
        sender=caller,
        recipient=envelope.ours,
        message_id=call_id,
        type="call",
        extra={"call": {"id": call_id, "from": caller, **details}},
    )


def presence(envelope: Envelope) -> NewEvent:
    """``presence.update``: who types, who is online; ``content`` is WAHA's word for it, like ``typing``."""
    chat = chat_key(first_text(envelope.payload, "id"))
    given = envelope.payload.get("presences")
    presences = [mapping(each) for each in given] if isinstance(given, list) else []
    latest = presences[0] if presences else {}
    return NewEvent(
        kind=kinds.PRESENCE_UPDATE,
        provider_id=_event_id(envelope),
        chat=chat,
        sender=chat_key(first_text(latest, "participant")) or chat,
        recipient=envelope.ours,
        type="presence",
        content=first_text(latest, "lastKnownPresence"),
        extra={"presences": shortened(presences)},
    )


def group(envelope: Envelope) -> NewEvent:
    """``group.v2.join``, ``.leave``, ``.update``, ``.participants``, under their own names."""
    payload = envelope.payload
    key = chat_key(first_text(mapping(payload.get("group")), "id") or first_text(payload, "id"))
    what, people = first_text(payload, "type"), payload.get("participants")
    subject = first_text(mapping(payload.get("group")), "subject")
    members = mapping(payload.get("group")).get("participants")
    ids = [mapping(one).get("id") for one in people] if isinstance(people, list) else []
    return NewEvent(
        kind=envelope.event,
        provider_id=_event_id(envelope),
        chat=key,
        type="group",
        extra={
            "group": shortened(mapping(payload.get("group"))) | {"id": key},
            "type": what or envelope.event.rpartition(".")[2],
            "participants": [chat_key(one) for one in ids if isinstance(one, str)],
            MEMBERS: len(members) if isinstance(members, list) else 0,
        }
        | ({"group_name": subject} if subject else {}),
    )


def unknown(envelope: Envelope) -> NewEvent:
    """All else, kept with its data, in its chat if it has one: labels, archived chats, what is not decrypted."""
    payload = envelope.payload
    about = mapping(payload.get("vote")) or payload
    who = parties(envelope, about)
    chat = who.chat or chat_key(first_text(payload, "chatId"))
    if not chat and "@" in (text := first_text(payload, "id")):
        chat = chat_key(text)
    named = who.id.from_me is not None
    return NewEvent(
        kind=kinds.UNKNOWN,
        provider_id=_event_id(envelope),
        chat=chat,
        sender=who.sender if named else "",
        recipient=who.recipient if named else "",
        message_id=who.id.whole if named else "",
        type="unknown",
        timestamp=instant(about.get("timestamp")),
        from_me=who.from_me,
        aliases=who.aliases if named else (),
        extra={"event": shortened(envelope.event), "data": shortened(payload)},
    )


def _event_id(envelope: Envelope) -> str:
    """The envelope's id; without one its content, if that says when it was, else '': then each is a new one."""
    payload = envelope.payload
    moments = (
        envelope.timestamp,
        *(instant(each.get("timestamp")) for each in (payload, mapping(payload.get("vote")))),
    )
    dated = next(filter(None, moments), None)
    if envelope.id or dated is None:
        return envelope.id
    return fingerprint(envelope.event, dated.isoformat(), msgspec.json.encode(payload).decode())


def _about(who: Parties, kind: str) -> NewEvent:
    return NewEvent(
        kind=kind,
        provider_id=who.id.whole,
        chat=who.chat,
        sender=who.sender,
        recipient=who.recipient,
        message_id=who.id.whole,
        from_me=who.from_me,
        aliases=who.aliases,
    )


def _contact_name(data: dict[str, Any]) -> str | None:
    """GOWS, NOWEB, WEBJS, in this order."""
    return first_text(mapping(data.get("Info")), "PushName") or first_text(data, "pushName", "notifyName") or None


def _reply_to(envelope: Envelope, who: Parties) -> str:
    """The id of the message that it answers, whole where WAHA says who wrote that one."""
    quoted = mapping(envelope.payload.get("replyTo"))
    found, writer = read_id(quoted.get("id")), chat_key(first_text(quoted, "participant"))
    if found.from_me is not None or not found.bare or not writer or not who.id.chat:
        return found.whole
    ours = {envelope.ours, chat_key(first_text(envelope.me, "lid"))} - {""}
    if not ours:
        return found.bare
    participant = ""
    if who.chat.endswith(f"@{GROUP}"):
        participant = first_text(envelope.me, "id") if writer in ours else writer
    return replace(found, chat=who.id.chat, participant=participant, from_me=writer in ours).whole


def _quoted(payload: dict[str, Any]) -> dict[str, Any]:
    """What it answers, as far as WAHA tells: the writer, the words."""
    quoted = mapping(payload.get("replyTo"))
    words = first_text(quoted, "body") or content_of({"_data": {"message": quoted.get("_data")}}, "").text
    writer = chat_key(first_text(quoted, "participant"))
    return {name: text for name, text in (("sender", writer), ("content", shortened(words))) if text}


def _parser(event: str) -> Callable[[Envelope], NewEvent]:
    if event.startswith(kinds.GROUP_PREFIX):
        return group
    return _PARSERS.get(event, unknown)


_PARSERS: dict[str, Callable[[Envelope], NewEvent]] = {
    "message": message,
    "message.any": message,
    "message.reaction": reaction,
    "message.ack": ack,
    "message.ack.group": ack,
    "message.edited": edited,
    "message.revoked": revoked,
    **dict.fromkeys(_CALLS, call),
    "presence.update": presence,
    **dict.fromkeys(("poll.vote", "poll.vote.failed"), vote),
    **dict.fromkeys(("event.response", "event.response.failed"), attendance),
}
