"""A message on its way out, as WhatsApp's ``Message`` in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks import Edit, OutFile, OutMessage, OutPoll
from wagate.parsing.chats import GROUP
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.vcards import vcard_of
from wagate_whatsapp.ids import jid_of, key_of, proto_key
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import Json

EVERYONE = "all"
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


def composed(
    message: OutMessage,
    us: Us,
    file: OutFile | None = None,
    uploaded: Json | None = None,
    *,
    members: Sequence[str] = (),
) -> Json:
    """The message; ``members``: whom ``all`` mentions. SendRefusedError: there is no such message."""
    if message.type == "reaction":
        return _reaction(message)
    context = _context(message, us, members)
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
    if message.type == "poll" and message.poll is not None:
        return _poll(message.poll, context)
    raise SendRefusedError(f"WhatsApp's linked devices can't send messages of type {message.type!r}")


def revocation(message_id: str) -> Json:
    """Takes a message of ours back from everyone."""
    return {"protocolMessage": {"type": "REVOKE", "key": proto_key(key_of(message_id))}}


def edition(edit: Edit, now: float) -> Json:
    """Changes the text of a message of ours; ``now`` in Unix seconds. SendRefusedError: it is a caption."""
    if edit.type != "text":
        raise SendRefusedError("only texts can be edited here, captions can't")
    told = {
        "type": "MESSAGE_EDIT",
        "key": proto_key(key_of(edit.message_id)),
        "editedMessage": {"conversation": edit.text},
        "timestampMS": str(int(now * 1000)),
    }
    return {"editedMessage": {"message": {"protocolMessage": told}}}


def quote_of(message_id: str, chat: str, us: Us) -> Json:
    """``contextInfo`` of an answer in a chat to a message; {} without one."""
    if not message_id:
        return {}
    key = key_of(message_id)
    writer = key.participant or (us.phone if key.from_me else key.chat)
    # An empty text: without the quoted message WhatsApp shows no quote at all.
    context = {"stanzaID": key.id, "participant": jid_of(writer), "quotedMessage": {"conversation": ""}}
    return {"contextInfo": context | ({"remoteJID": jid_of(key.chat)} if key.chat != chat else {})}


def mentions_all(message: OutMessage) -> bool:
    """Whether everybody in a group is mentioned."""
    return EVERYONE in message.mentions and message.chat.endswith(f"@{GROUP}")


def _text(message: OutMessage, context: Json) -> Json:
    body: Json = {"text": message.text} | context
    if preview := message.preview:
        body |= {"matchedText": preview.url, "title": preview.title}
        body |= {"description": preview.description} if preview.description else {}
        body |= {"JPEGThumbnail": preview.thumbnail} if preview.thumbnail else {}
    return {"extendedTextMessage": body} if len(body) > 1 else {"conversation": message.text}


def _poll(poll: OutPoll, context: Json) -> Json:
    """One answer alone is another field: so whatsmeow and WhatsApp Web write it."""
    field = "pollCreationMessage" if poll.multiple else "pollCreationMessageV3"
    several = len(poll.options) if poll.multiple else 1
    options = [{"optionName": each} for each in poll.options]
    return {field: {"name": poll.name, "options": options, "selectableOptionsCount": several} | context}


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


def _context(message: OutMessage, us: Us, members: Sequence[str]) -> Json:
    """Whom it answers, whom it mentions."""
    context: dict[str, Any] = dict(quote_of(message.reply_to, message.chat, us).get("contextInfo", {}))
    if message.mentions and message.chat.endswith(f"@{GROUP}"):
        named = [jid_of(each) for each in message.mentions if each != EVERYONE]
        context["mentionedJID"] = list(dict.fromkeys([*named, *members]))
    return {"contextInfo": context} if context else {}
