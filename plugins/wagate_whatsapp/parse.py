"""Lines of the engine → events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.events import NewEvent, Raw, kinds
from wagate.events.acks import DELIVERED, PLAYED, READ, ack_extra
from wagate.parsing.chats import GROUP, chat_key, is_group
from wagate.parsing.fields import fingerprint, first_text, identifier, instant, mapping, shortened
from wagate_whatsapp.content import content_of, unwrapped
from wagate_whatsapp.group_events import GROUP_LINES, group
from wagate_whatsapp.ids import Key
from wagate_whatsapp.people import Parties, Us, may_change, moment, parties, person
from wagate_whatsapp.process import Json
from wagate_whatsapp.sealed import chosen, response

_ACKS = {"DELIVERED": DELIVERED, "READ": READ, "PLAYED": PLAYED}
_READ_BY_US = frozenset({"READ", "READ_SELF"})
"""``READ_SELF``: with read receipts switched off."""
_OURS = frozenset({"n", "session", "secret", "secrets", "references"})
"""Fields of a line that are for us alone."""
_CALLS = {
    "CallOffer": kinds.CALL_RECEIVED,
    "CallAccept": kinds.CALL_ACCEPTED,
    "CallTerminate": kinds.CALL_REJECTED,
}
_ANSWERED = "accepted_elsewhere"
"""Why it rings no more here: on another device of ours, as the phone, somebody answered."""
_EMPTY = "(a message that this device can't open; open it on the phone)"


HEARD = frozenset(
    {
        "Message",
        "UndecryptableMessage",
        "Receipt",
        "CallOffer",
        "CallAccept",
        "CallTerminate",
        "ChatPresence",
        "Presence",
        "Picture",
        "Unread",
    }
    | GROUP_LINES
)
"""Lines that are events; the others say how the connection is."""


def parse(line: Json, us: Us) -> list[NewEvent]:
    """The events of one line; none when it is nobody's business but the protocol's."""
    if line["event"] == "Receipt":
        return receipt(line, us)
    if line["event"] in GROUP_LINES:
        raw = _raw(line)
        return [replace(each, raw=raw) for each in group(line, us)]
    event = _parsed(line, us)
    return [] if event is None else [event]


def of_the_past(lines: list[Json], us: Us) -> list[NewEvent]:
    """Messages that the phone gives of the past; what was done to them is in them already."""
    events = (event for line in lines for event in parse({"event": "Message", **line}, us))
    return [each for each in events if each.kind in {kinds.MESSAGE, kinds.MESSAGE_ANY}]


def _parsed(line: Json, us: Us) -> NewEvent | None:
    read = _READERS.get(line["event"])
    event = read(line, us) if read is not None else _unread(line)
    if event is None:
        return None
    if line["event"] in {"ChatPresence", "Presence"}:
        return event  # too many, and too little in them
    return replace(event, raw=_raw(line))


def _raw(line: Json) -> Raw:
    return Raw(body=msgspec.json.encode({name: value for name, value in line.items() if name not in _OURS}))


def message(line: Json, us: Us) -> NewEvent | None:
    """One message, whoever wrote it; edits, revokes, reactions and votes come in messages, too."""
    if line.get("category") == "peer":
        return None  # between our own devices
    inner, who = unwrapped(mapping(line.get("message"))), parties(line, us)
    for name, read in _INSIDE.items():
        if name in inner:
            return read(mapping(inner[name]), line, who, us)
    content = content_of(inner)
    if content is None:
        return None
    extra = dict(content.extra)
    for flag in ("view_once", "ephemeral"):
        if line.get(flag):
            extra[flag] = True
    extra |= _context(content.context)
    return replace(
        _about(line, who, kinds.MESSAGE_ANY if who.from_me else kinds.MESSAGE),
        dedupe_kind=kinds.MESSAGE,
        type="status" if who.chat == "status@broadcast" and content.type == "unknown" else content.type,
        content=content.text,
        contact_name=None if who.from_me else first_text(line, "name") or None,
        media=content.media,
        reply_to=_reply_to(content.context, who, us),
        extra=extra,
    )


def undecryptable(line: Json, us: Us) -> NewEvent:
    """What could not be opened: a placeholder. It may come again and be opened then; the first one stays."""
    who = parties(line, us)
    return replace(
        _about(line, who, kinds.UNKNOWN),
        type="unknown",
        content="",
        extra={"event": "undecryptable", "note": _EMPTY, "unavailable": line.get("unavailable") is True},
    )


def receipt(line: Json, us: Us) -> list[NewEvent]:
    """How far messages of ours got; one event for each."""
    status, who = _ACKS.get(first_text(line, "type")), parties(line, us)
    if status is None or who.from_me:
        return []
    chat = who.chat
    reader = who.sender if is_group(chat) else ""
    found = []
    for each in line.get("ids") or ():
        own = us.phone if is_group(chat) else ""
        key = Key(chat=chat, id=str(each), from_me=True, participant=own).whole
        extra = ack_extra(status)
        event = NewEvent(
            kind=kinds.MESSAGE_ACK,
            provider_id=key,
            variant=identifier(f"{extra['ack']}/{reader}" if reader else str(extra["ack"])),
            chat=chat,
            sender=us.phone,
            recipient=chat,
            message_id=key,
            reference=mapping(line.get("references")).get(str(each), ""),
            type="ack",
            from_me=True,
            timestamp=moment(line),
            extra=extra | ({"participant": reader} if reader else {}),
        )
        body = {"event": "Receipt", "ids": [each], "type": line.get("type"), "chat": line.get("chat")}
        found.append(replace(event, raw=Raw(body=msgspec.json.encode(body))))
    return found


def read_elsewhere(line: Json, us: Us) -> str:
    """The chat that somebody read on the phone, or on another device of ours; '' for any other line."""
    ours = line["event"] == "Receipt" and line.get("type") in _READ_BY_US and line.get("from_me") is True
    return parties(line, us).chat if ours else ""


def call(line: Json, us: Us) -> NewEvent:
    """A call that rings, was answered, or was not.

    What came of it is told once, so the end of a call that was answered is no event.
    """
    caller, reason = person(first_text(line, "sender"), first_text(line, "sender_alt")), first_text(line, "reason")
    call_id, kind = identifier(line.get("call")), _CALLS[line["event"]]
    if reason == _ANSWERED:
        kind = kinds.CALL_ACCEPTED
    details: dict[str, Any] = {"id": call_id, "from": caller, "isVideo": line.get("video") is True}
    if line["event"] == "CallTerminate":
        details["reason"] = reason
    return NewEvent(
        kind=kind,
        provider_id=call_id,
        dedupe_kind="" if kind == kinds.CALL_RECEIVED else "call.outcome",
        chat=caller,
        sender=caller,
        recipient=us.phone,
        message_id=call_id,
        type="call",
        timestamp=moment(line),
        extra={"call": details},
    )


def presence(line: Json, us: Us) -> NewEvent:
    """Somebody types, records, or stopped."""
    who = parties(line, us)
    word = "paused" if line.get("state") != 1 else "recording" if line.get("media") == 2 else "typing"
    return NewEvent(
        kind=kinds.PRESENCE_UPDATE,
        chat=who.chat,
        sender=who.sender,
        type="presence",
        extra={"presences": [{"participant": who.sender, "lastKnownPresence": word}]},
    )


def online(line: Json, us: Us) -> NewEvent:
    """Somebody who is watched is there, or no longer; ``lastSeen`` in Unix seconds, when they show it."""
    who = parties(line, us)
    told: Json = {"participant": who.sender, "lastKnownPresence": "online" if line.get("online") else "offline"}
    if last := line.get("last"):
        told["lastSeen"] = last
    return NewEvent(
        kind=kinds.PRESENCE_UPDATE, chat=who.chat, sender=who.sender, type="presence", extra={"presences": [told]}
    )


def picture(line: Json, us: Us) -> NewEvent | None:
    """Somebody's picture, or a group's, is another one from now on, or none."""
    phones = mapping(line.get("phones"))
    whose, by = (person(jid, first_text(phones, jid)) for jid in (first_text(line, "JID"), first_text(line, "Author")))
    if not whose or whose in us.keys:
        return None  # ours, which somebody changed on the phone
    change, stamp = "removed" if line.get("Remove") is True else "changed", instant(line.get("Timestamp"))
    about = NewEvent(
        kind=kinds.UNKNOWN,
        provider_id=fingerprint(whose, stamp.isoformat() if stamp else ""),
        variant=change,
        chat=whose,
        sender=by or whose,
        type="unknown",
        timestamp=stamp,
        extra={"event": "picture", "picture": change},
    )
    if not is_group(whose):
        return about
    told: Json = {"group": {"id": whose, "picture": change}, "type": "update", "participants": []}
    return replace(about, kind="group.v2.update", type="group", extra=told | ({"author": by} if by else {}))


def _reaction(part: Json, line: Json, who: Parties, us: Us) -> NewEvent:
    emoji, about = first_text(part, "text"), _about_key(mapping(part.get("key")), who, us).whole
    return replace(
        _about(line, who, kinds.MESSAGE_REACTION),
        variant=identifier(f"{emoji}{moment(line) or ''}"),
        message_id=about,
        type="reaction",
        content=emoji,
        extra={"reaction": {"text": emoji, "messageId": about}},
    )


def _protocol(part: Json, line: Json, who: Parties, us: Us) -> NewEvent | None:
    kind, key = first_text(part, "type"), mapping(part.get("key"))
    about = _about_key(key, who, us)
    # A type of 0, REVOKE, is the default, and left out.
    revoked = kind == "REVOKE" or (not kind and bool(key))
    if (revoked or kind == "MESSAGE_EDIT") and not may_change(about, line, who, revoked=revoked):
        return _forged(line, who, about)
    if revoked:
        return replace(
            _about(line, who, kinds.MESSAGE_REVOKED),
            provider_id=about.whole,
            variant="everyone",
            message_id=about.whole,
            type="revoked",
            extra={"revokedMessageId": about.id, "scope": "everyone"},
        )
    if kind != "MESSAGE_EDIT":
        return None  # keys, timers and the like
    content = content_of(mapping(part.get("editedMessage")))
    text = content.text if content is not None else ""
    stamp = instant(part.get("timestampMS"))
    return replace(
        _about(line, who, kinds.MESSAGE_EDITED),
        variant=fingerprint(text, stamp.isoformat() if stamp else ""),
        message_id=about.whole,
        type=content.type if content is not None else "text",
        content=text,
        extra={"editedMessageId": about.id},
    )


def _forged(line: Json, who: Parties, about: Key) -> NewEvent:
    """Kept for people to look at; nothing becomes of the message that it names."""
    extra = {"event": "forged_change", "about": about.whole}
    return replace(_about(line, who, kinds.UNKNOWN), type="unknown", extra=extra)


def _vote(part: Json, line: Json, who: Parties, us: Us) -> NewEvent:
    """A vote, as an answer to its poll; '' takes it back. It can't be opened when the poll came before this device."""
    about = _about_key(mapping(part.get("pollCreationMessageKey")), who, us).whole
    selected = chosen(part, line, us)
    vote: dict[str, Any] = {"selected": selected or [], "poll": about} | ({"failed": True} if selected is None else {})
    text = ", ".join(selected or [])
    return _answering(line, who, "poll_vote", about=about, text=text, extra={"vote": vote})


def _attendance(part: Json, line: Json, who: Parties, us: Us) -> NewEvent:
    """Whether somebody comes, as an answer to the invitation."""
    about = _about_key(mapping(part.get("eventCreationMessageKey")), who, us).whole
    word, guests = response(part, line, us) or ("", 0)
    told: dict[str, Any] = {"response": word, "event": about}
    told |= {"guests": guests} if guests else {}
    told |= {} if word else {"failed": True}
    said = word.replace("_", " ").capitalize()
    return _answering(line, who, "event_response", about=about, text=said, extra={"event_response": told})


def _answering(line: Json, who: Parties, kind: str, *, about: str, text: str, extra: dict[str, Any]) -> NewEvent:
    return replace(
        _about(line, who, kinds.MESSAGE_ANY if who.from_me else kinds.MESSAGE),
        dedupe_kind=kind,
        type=kind,
        content=text,
        contact_name=None if who.from_me else first_text(line, "name") or None,
        reply_to=about,
        extra=extra,
    )


_INSIDE: dict[str, Callable[[Json, Json, Parties, Us], NewEvent | None]] = {
    "reactionMessage": _reaction,
    "protocolMessage": _protocol,
    "pollUpdateMessage": _vote,
    "encEventResponseMessage": _attendance,
}
"""Field of a message that is no message itself → how it is read."""


def _about(line: Json, who: Parties, kind: str) -> NewEvent:
    key = who.key(first_text(line, "id")).whole
    return NewEvent(
        kind=kind,
        provider_id=key,
        chat=who.chat,
        sender=who.sender,
        recipient=who.recipient,
        message_id=key,
        from_me=who.from_me,
        aliases=who.aliases,
        timestamp=moment(line),
    )


def _about_key(key: Json, who: Parties, us: Us) -> Key:
    """The message that another one is about. ``fromMe`` is meant by who wrote that other one."""
    writer = chat_key(first_text(key, "participant"))
    if who.chat.endswith(f"@{GROUP}"):
        ours = writer in us.keys if writer else (key.get("fromMe") is True) == who.from_me and who.from_me
        participant = us.phone if ours else writer or who.sender
        if participant in who.aliases:
            participant = who.sender
        return Key(chat=who.chat, id=first_text(key, "ID"), from_me=ours, participant=participant)
    theirs_is_mine = key.get("fromMe") is True
    return Key(chat=who.chat, id=first_text(key, "ID"), from_me=theirs_is_mine == who.from_me)


def _reply_to(context: Json, who: Parties, us: Us) -> str | None:
    """The id of the message that is quoted."""
    quoted = first_text(context, "stanzaID")
    if not quoted:
        return None
    writer = chat_key(first_text(context, "participant"))
    ours = writer in us.keys
    participant = ""
    if who.chat.endswith(f"@{GROUP}"):
        participant = us.phone if ours else writer
    return Key(chat=who.chat, id=quoted, from_me=ours, participant=participant).whole


def _context(context: Json) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    mentioned = context.get("mentionedJID")
    if isinstance(mentioned, list) and mentioned:
        extra["mentions"] = [chat_key(each) for each in mentioned if isinstance(each, str)]
    if context.get("isForwarded") is True:
        extra["forwarded"] = True
    if ad := mapping(context.get("externalAdReply")):
        extra["ad"] = shortened(ad)
    return extra


def _unread(line: Json) -> NewEvent:
    raw = first_text(line, "raw")
    return NewEvent(
        kind=kinds.UNKNOWN,
        type="unknown",
        provider_id=fingerprint(raw) if raw else "",
        extra={"event": identifier(line["event"]), "code": line.get("code"), "error": first_text(line, "error")},
    )


_READERS: dict[str, Callable[[Json, Us], NewEvent | None]] = {
    "Message": message,
    "UndecryptableMessage": undecryptable,
    "CallOffer": call,
    "CallAccept": call,
    "CallTerminate": call,
    "ChatPresence": presence,
    "Presence": online,
    "Picture": picture,
}
