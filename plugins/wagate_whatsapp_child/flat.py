"""What the library says, as JSON: the gateway needs no protobuf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from google.protobuf.json_format import MessageToDict

from wagate_whatsapp_child.library import EVENTS, Library
from wagate_whatsapp_child.polls import Polls

Json = dict[str, Any]


class Known(Protocol):
    """What was learned before: `wagate_whatsapp_child.session.Session`."""

    polls: Polls

    def phone(self, lid: str) -> str:
        """The phone's JID of a LID; '' when it is not known."""

    def learn(self, lid: str, phone: str) -> None:
        """Note whose LID it is: only the beginning of a call says so, and the library does not keep it."""

    def secret(self, message_id: str, chats: Sequence[str], writers: Sequence[str] = ()) -> str:
        """The secret of a message in base64; '' when there is none."""


POLLS = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")
AROUND = ("ephemeralMessage", "pollCreationMessageV4")
"""Their ``message`` may be a poll, or a vote."""
SEALED = {"pollUpdateMessage": "pollCreationMessageKey", "encEventResponseMessage": "eventCreationMessageKey"}
"""Field of a message that is encrypted with another one's secret → where it names that one."""
GROUP_PEOPLE = ("Join", "Leave", "Promote", "Demote")
THUMBNAILS = frozenset({"JPEGThumbnail", "jpegThumbnail", "pngThumbnail", "PNGThumbnail", "thumbnail"})
"""Left out: pictures of pictures."""
_DEEPEST = 30


def jid(value: Any) -> str:
    """``user:device@server``; '' for none."""
    if value.IsEmpty or not value.Server:
        return ""
    device = f":{value.Device}" if value.Device else ""
    return f"{value.User}{device}@{value.Server}"


def flat(library: Library, code: int, raw: bytes, known: Known) -> Json:
    """One event; ``event`` is its name."""
    name = EVENTS[code]
    found = getattr(library.types, name).FromString(raw)
    return {"event": name, **_FLAT.get(name, _plain)(library, found, known)}


def _message(_library: Library, found: Any, known: Known) -> Json:
    flags = {"view_once": found.IsViewOnce or found.IsViewOnceV2, "ephemeral": found.IsEphemeral}
    body = slim(MessageToDict(found.Message, preserving_proto_field_name=True))
    line = {**_info(found.Info, known), **{key: True for key, on in flags.items() if on}, "message": body}
    inner = next((body[name].get("message") for name in AROUND if name in body), None) or body
    keep_poll(known.polls, line["id"], inner)
    return line | _unsealing(line, inner, known)


def keep_poll(polls: Polls, message_id: str, message: Json) -> None:
    """Note the answers of a poll, whoever asks; votes name them by hash alone."""
    for name in POLLS:
        if name in message:
            polls.keep(message_id, [str(each.get("optionName", "")) for each in message[name].get("options", ())])


def _unsealing(line: Json, message: Json, known: Known) -> Json:
    """What opens a vote or the answer to an invitation: ``secret``, and a poll's ``options``."""
    key = next((message[name].get(place, {}) for name, place in SEALED.items() if name in message), None)
    if key is None:
        return {}
    about, writer = str(key.get("ID", "")), str(key.get("participant", ""))
    writers = [writer, _learned(writer, known)] if writer else []
    found: Json = {"secret": known.secret(about, (line["chat"], line["chat_alt"]), writers), "about": writers}
    return found | ({"options": options} if (options := known.polls.options(about)) else {})


def _receipt(library: Library, found: Any, known: Known) -> Json:
    source, ids = _source(found.MessageSource, known), list(found.MessageIDs)
    chats = (source["chat"], source["chat_alt"])
    secrets = {each: secret for each in ids if not source["from_me"] and (secret := known.secret(each, chats))}
    kind = library.types.Receipt.ReceiptType.Name(found.Type)
    return {**source, "ids": ids, "time": found.Timestamp, "type": kind} | ({"secrets": secrets} if secrets else {})


def _pair(_library: Library, found: Any, _known: Known) -> Json:
    return {"jid": jid(found.ID), "status": int(found.Status), "error": found.Error}


def _undecryptable(_library: Library, found: Any, known: Known) -> Json:
    return {**_info(found.Info, known), "unavailable": found.IsUnavailable}


def _typing(_library: Library, found: Any, known: Known) -> Json:
    return {**_source(found.MessageSource, known), "state": int(found.State), "media": int(found.Media)}


def _online(_library: Library, found: Any, known: Known) -> Json:
    """Somebody is there, or no longer; ``last``: Unix seconds, 0 when it is not told."""
    who = jid(found.From)
    alt = _learned(who, known)
    there: Json = {"chat": who, "chat_alt": alt, "sender": who, "sender_alt": alt, "from_me": False, "group": False}
    return there | {"online": not found.Unavailable, "last": max(0, found.LastSeen)}


def _group(library: Library, found: Any, known: Known) -> Json:
    """A change of a group or a picture; ``phones`` has the phones behind LIDs in it, as far as they were learned."""
    told = _plain(library, found, known)
    people = [told.get(name, "") for name in ("Sender", "JID", "Author")]
    people += [each for name in GROUP_PEOPLE for each in told.get(name, ())]
    phones = {each: phone for each in people if (phone := _learned(each, known))}
    return told | ({"phones": phones} if phones else {})


def _plain(_library: Library, found: Any, _known: Known) -> Json:
    told: Json = jids(MessageToDict(found, preserving_proto_field_name=True))
    return told


def _info(info: Any, known: Known) -> Json:
    return {
        **_source(info.MessageSource, known),
        "id": info.ID,
        "time": info.Timestamp,
        "name": info.Pushname,
        "kind": info.Type,
        "media": info.MediaType,
        "edit": info.Edit,
        "category": info.Category,
    }


def _source(source: Any, known: Known) -> Json:
    """Who and where; a person known by LID has the phone beside it, from the message or from what was learned."""
    chat, sender = jid(source.Chat), jid(source.Sender)
    other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
    chat_alt = "" if source.IsGroup else jid(other)
    sender_alt = jid(source.SenderAlt)
    return {
        "chat": chat,
        "chat_alt": chat_alt or _learned(chat, known),
        "sender": sender,
        "sender_alt": sender_alt or _learned(sender, known),
        "from_me": source.IsFromMe,
        "group": source.IsGroup,
    }


def _call(_library: Library, found: Any, known: Known) -> Json:
    meta = found.basicCallMeta
    sender, alt = jid(meta.callCreator), jid(meta.callCreatorAlt)
    if sender.endswith("@lid") and alt:
        known.learn(sender, alt)
    return {
        "sender": sender,
        "sender_alt": alt or _learned(sender, known),
        "call": meta.callID,
        "time": meta.timestamp,
        "video": b"video" in found.data.SerializeToString(),
        "reason": getattr(found, "reason", ""),
    }


def _learned(of: str, known: Known) -> str:
    return known.phone(of) if of.endswith("@lid") else ""


def slim(value: Any, depth: int = 0) -> Any:
    """The same without thumbnails."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {key: slim(each, depth + 1) for key, each in value.items() if key not in THUMBNAILS}
    if isinstance(value, list):
        return [slim(each, depth + 1) for each in value]
    return value


def jids(value: Any) -> Any:
    """The same, with each JID that is an object as a text."""
    if isinstance(value, list):
        return [jids(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "Server" in value and "RawAgent" in value:
        device = f":{value['Device']}" if value.get("Device") else ""
        return "" if value.get("IsEmpty") else f"{value.get('User', '')}{device}@{value['Server']}"
    return {key: jids(each) for key, each in value.items()}


_FLAT: dict[str, Callable[[Library, Any, Known], Json]] = {
    "Message": _message,
    "Receipt": _receipt,
    "PairStatus": _pair,
    "UndecryptableMessage": _undecryptable,
    "ChatPresence": _typing,
    "Presence": _online,
    "GroupInfoEvent": _group,
    "Picture": _group,
    "CallOffer": _call,
    "CallAccept": _call,
    "CallTerminate": _call,
}
"""Types with a form of their own."""
