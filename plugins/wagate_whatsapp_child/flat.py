"""What the library says, as JSON: the gateway needs no protobuf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict

from wagate_whatsapp_child.library import EVENTS, Library

Json = dict[str, Any]
Phone = Callable[[str], str]
"""The phone's JID of a LID; '' when it is not known."""
THUMBNAILS = frozenset({"JPEGThumbnail", "jpegThumbnail", "pngThumbnail", "PNGThumbnail", "thumbnail"})
"""Left out: pictures of pictures."""
_DEEPEST = 30


def jid(value: Any) -> str:
    """``user:device@server``; '' for none."""
    if value.IsEmpty or not value.Server:
        return ""
    device = f":{value.Device}" if value.Device else ""
    return f"{value.User}{device}@{value.Server}"


def flat(library: Library, code: int, raw: bytes, phone: Phone) -> Json:
    """One event; ``event`` is its name."""
    name = EVENTS[code]
    found = getattr(library.types, name).FromString(raw)
    return {"event": name, **_FLAT.get(name, _plain)(library, found, phone)}


def _message(_library: Library, found: Any, phone: Phone) -> Json:
    flags = {"view_once": found.IsViewOnce or found.IsViewOnceV2, "ephemeral": found.IsEphemeral}
    body = slim(MessageToDict(found.Message, preserving_proto_field_name=True))
    return {**_info(found.Info, phone), **{key: True for key, on in flags.items() if on}, "message": body}


def _receipt(library: Library, found: Any, phone: Phone) -> Json:
    return {
        **_source(found.MessageSource, phone),
        "ids": list(found.MessageIDs),
        "time": found.Timestamp,
        "type": library.types.Receipt.ReceiptType.Name(found.Type),
    }


def _pair(_library: Library, found: Any, _phone: Phone) -> Json:
    return {"jid": jid(found.ID), "status": int(found.Status), "error": found.Error}


def _undecryptable(_library: Library, found: Any, phone: Phone) -> Json:
    return {**_info(found.Info, phone), "unavailable": found.IsUnavailable}


def _typing(_library: Library, found: Any, phone: Phone) -> Json:
    return {**_source(found.MessageSource, phone), "state": int(found.State), "media": int(found.Media)}


def _plain(_library: Library, found: Any, _phone: Phone) -> Json:
    told: Json = jids(MessageToDict(found, preserving_proto_field_name=True))
    return told


def _info(info: Any, phone: Phone) -> Json:
    return {
        **_source(info.MessageSource, phone),
        "id": info.ID,
        "time": info.Timestamp,
        "name": info.Pushname,
        "kind": info.Type,
        "media": info.MediaType,
        "edit": info.Edit,
        "category": info.Category,
    }


def _source(source: Any, phone: Phone) -> Json:
    """Who and where; a person known by LID has the phone beside it, from the message or from what was learned."""
    chat, sender = jid(source.Chat), jid(source.Sender)
    other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
    chat_alt = "" if source.IsGroup else jid(other)
    sender_alt = jid(source.SenderAlt)
    return {
        "chat": chat,
        "chat_alt": chat_alt or _learned(chat, phone),
        "sender": sender,
        "sender_alt": sender_alt or _learned(sender, phone),
        "from_me": source.IsFromMe,
        "group": source.IsGroup,
    }


def _call(_library: Library, found: Any, phone: Phone) -> Json:
    meta = found.basicCallMeta
    sender = jid(meta.callCreator)
    return {
        "sender": sender,
        "sender_alt": jid(meta.callCreatorAlt) or _learned(sender, phone),
        "call": meta.callID,
        "time": meta.timestamp,
        "video": b"video" in found.data.SerializeToString(),
        "reason": getattr(found, "reason", ""),
    }


def _learned(of: str, phone: Phone) -> str:
    return phone(of) if of.endswith("@lid") else ""


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


_FLAT: dict[str, Callable[[Library, Any, Phone], Json]] = {
    "Message": _message,
    "Receipt": _receipt,
    "PairStatus": _pair,
    "UndecryptableMessage": _undecryptable,
    "ChatPresence": _typing,
    "CallOffer": _call,
    "CallAccept": _call,
    "CallTerminate": _call,
}
"""Types with a form of their own."""
