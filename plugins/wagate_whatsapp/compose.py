"""A message on its way out, as WhatsApp's ``Message`` in JSON."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks import OutFile, OutMessage
from wagate.parsing.chats import GROUP
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.vcards import vcard_of
from wagate_whatsapp.ids import jid_of, key_of, proto_key
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import Json

VOICE_TYPE = "audio/ogg; codecs=opus"
_FIELDS = {
    "image": "imageMessage",
    "sticker": "stickerMessage",
    "video": "videoMessage",
    "audio": "audioMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
}
UPLOADED_AS = {"sticker": "image", "voice": "audio"}
"""Type of a message → what its file is encrypted as, where that differs."""


def composed(message: OutMessage, us: Us, file: OutFile | None = None, uploaded: Json | None = None) -> Json:
    """The message. SendRefusedError: there is no such message."""
    if message.type == "reaction":
        return _reaction(message)
    context = _context(message, us)
    if message.type == "text":
        return _text(message, context)
    if message.type in _FIELDS and file is not None and uploaded is not None:
        return _file(message, file, uploaded, context)
    if message.type == "location" and message.location is not None:
        place = message.location
        body: dict[str, Any] = {"degreesLatitude": place.latitude, "degreesLongitude": place.longitude}
        body |= {name: text for name, text in (("name", place.name), ("address", place.address)) if text}
        return {"locationMessage": body | context}
    if message.type == "contacts":
        return _contacts(message, context)
    raise SendRefusedError(f"WhatsApp's linked devices can't send messages of type {message.type!r}")


def revocation(message_id: str) -> Json:
    """Takes a message of ours back from everyone."""
    return {"protocolMessage": {"type": "REVOKE", "key": proto_key(key_of(message_id))}}


def _text(message: OutMessage, context: Json) -> Json:
    if not context:
        return {"conversation": message.text}
    return {"extendedTextMessage": {"text": message.text} | context}


def _reaction(message: OutMessage) -> Json:
    assert message.reaction is not None
    return {"reactionMessage": {"key": proto_key(key_of(message.reaction.message_id)), "text": message.reaction.emoji}}


def _file(message: OutMessage, file: OutFile, uploaded: Json, context: Json) -> Json:
    body: dict[str, Any] = {"mimetype": file.mimetype, **uploaded, **context}
    if message.type == "voice":
        body |= {"PTT": True, "mimetype": VOICE_TYPE if file.mimetype.startswith("audio/ogg") else file.mimetype}
    if message.type == "document":
        body |= {"fileName": file.filename, "title": file.filename}
    if message.text and message.type in {"image", "video", "document"}:
        body["caption"] = message.text
    wrapped: Json = {_FIELDS[message.type]: body}
    if message.type == "document" and message.text:
        return {"documentWithCaptionMessage": {"message": wrapped}}
    return wrapped


def _contacts(message: OutMessage, context: Json) -> Json:
    cards = [{"displayName": _name(each), "vcard": vcard_of(each)} for each in message.contacts]
    if len(cards) == 1:
        return {"contactMessage": cards[0] | context}
    return {"contactsArrayMessage": {"displayName": f"{len(cards)} contacts", "contacts": cards} | context}


def _name(card: dict[str, Any]) -> str:
    name = mapping(card.get("name"))
    given = " ".join(filter(None, (first_text(name, "first_name"), first_text(name, "last_name"))))
    return first_text(name, "formatted_name") or given or "Contact"


def _context(message: OutMessage, us: Us) -> Json:
    """Whom it answers, whom it mentions."""
    context: dict[str, Any] = {}
    if message.reply_to:
        key = key_of(message.reply_to)
        writer = key.participant or (us.phone if key.from_me else key.chat)
        # An empty text: without the quoted message WhatsApp shows no quote at all.
        context |= {"stanzaID": key.id, "participant": jid_of(writer), "quotedMessage": {"conversation": ""}}
        if key.chat != message.chat:
            context["remoteJID"] = jid_of(key.chat)
    if message.mentions and message.chat.endswith(f"@{GROUP}"):
        context["mentionedJID"] = [jid_of(each) for each in message.mentions if each != "all"]
    return {"contextInfo": context} if context else {}
