"""What a message carries: type, text, file, and the rest as JSON. The fields are those of WhatsApp's ``Message``.

Source: whatsmeow, proto/waE2E/WAWebProtobufsE2E.proto.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wagate.events import Media
from wagate.parsing.fields import first_text, mapping, shortened, whole
from wagate.parsing.vcards import card_of
from wagate_whatsapp.process import Json

WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
    "editedMessage",
    "lottieStickerMessage",
    "deviceSentMessage",
    "associatedChildMessage",  # the better copy of a picture
    "pollCreationMessageV4",
    "groupStatusMessage",
    "groupStatusMessageV2",
)
"""Their ``message`` is the message."""
FILES = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}
_POLLS = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")
_UNSEEN = {"messageContextInfo", "senderKeyDistributionMessage", "albumMessage"}
"""An album only says how many pictures follow: each comes as its own message."""
_DEEPEST = 6


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a message carries."""

    type: str
    text: str = ""
    media: Media | None = None
    extra: dict[str, Any] = {}
    context: Json = {}
    """Whom it answers, mentions, and so on."""


def unwrapped(message: Json) -> Json:
    """The message inside its wrappers."""
    for _ in range(_DEEPEST):
        inner = next((mapping(mapping(message.get(name)).get("message")) for name in WRAPPERS if name in message), {})
        if not inner:
            break
        message = inner
    return message


def content_of(message: Json) -> Content | None:
    """Read a message's content; None when there is none that a person would see."""
    message = unwrapped(message)
    for name, read in _READERS.items():
        if name in message:
            part = message[name]
            content = read(name, part if isinstance(part, dict) else {"text": part})
            return msgspec.structs.replace(content, context=mapping(mapping(part).get("contextInfo")))
    seen = set(message) - _UNSEEN
    if not seen:
        return None
    return Content(type="unknown", extra={"data": shortened({name: message[name] for name in sorted(seen)})})


def _text(_name: str, part: Json) -> Content:
    extra: dict[str, Any] = {}
    if url := first_text(part, "matchedText"):
        extra["preview"] = {"url": url, **_some(part, "title", "description")}
    return Content(type="text", text=first_text(part, "text"), extra=extra)


def _file(name: str, part: Json) -> Content:
    kind = FILES[name]
    if kind == "audio" and part.get("PTT") is True:
        kind = "voice"
    caption = first_text(part, "caption")
    media = Media(
        mimetype=first_text(part, "mimetype"),
        filename=first_text(part, "fileName", "title") or None,
        # All that is needed to fetch and open it: the place, the key, the hashes.
        provider_id=_ticket(name, part) or None,
        size=whole(part.get("fileLength")),
        caption=caption or None,
    )
    extra: dict[str, Any] = {"seconds": seconds} if (seconds := whole(part.get("seconds"))) is not None else {}
    if part.get("gifPlayback") is True:
        extra["gif"] = True
    if part.get("viewOnce") is True:
        extra["view_once"] = True
    return Content(type=kind, text=caption, media=media, extra=extra)


class Ticket(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where an encrypted file is, and what opens it; kept as the file's id."""

    kind: str
    """image, video, audio or document: keys are made for one of these."""
    path: str
    key: str
    """Base64, as the hashes."""
    encrypted: str
    plain: str
    url: str = ""


def _ticket(name: str, part: Json) -> str:
    texts = {field: first_text(part, field) for field in ("directPath", "mediaKey", "fileEncSHA256", "fileSHA256")}
    if not texts["mediaKey"] or not (texts["directPath"] or first_text(part, "URL")):
        return ""
    kind = {"ptvMessage": "video", "stickerMessage": "image"}.get(name, FILES[name])
    made = Ticket(
        kind=kind,
        path=texts["directPath"],
        key=texts["mediaKey"],
        encrypted=texts["fileEncSHA256"],
        plain=texts["fileSHA256"],
        url=first_text(part, "URL"),
    )
    return msgspec.json.encode(made).decode()


def _location(name: str, part: Json) -> Content:
    place = {
        ours: part[theirs]
        for ours, theirs in (("latitude", "degreesLatitude"), ("longitude", "degreesLongitude"))
        if isinstance(part.get(theirs), int | float)
    }
    place |= _some(part, "name", "address")
    if url := first_text(part, "URL"):
        place["url"] = url
    if name == "liveLocationMessage":
        place["live"] = True
    return Content(type="location", text=first_text(part, "comment", "caption"), extra={"location": place})


def _contacts(name: str, part: Json) -> Content:
    several = part.get("contacts") if name == "contactsArrayMessage" else [part]
    cards = [first_text(mapping(each), "vcard") for each in (several if isinstance(several, list) else [])]
    cards = [card for card in cards if card]
    return Content(type="contacts", extra={"vcards": cards, "contacts": [card_of(card) for card in cards]})


def _poll(_name: str, part: Json) -> Content:
    given = part.get("options")
    options = [first_text(mapping(each), "optionName") for each in (given if isinstance(given, list) else [])]
    several = whole(part.get("selectableOptionsCount")) != 1
    name = first_text(part, "name")
    return Content(type="poll", text=name, extra={"poll": {"name": name, "options": options, "multiple": several}})


def _choice(name: str, part: Json) -> Content:
    """A button that was pressed, a row that was chosen."""
    selected = first_text(part, "selectedButtonID", "selectedID", "selectedRowID") or first_text(
        mapping(part.get("singleSelectReply")), "selectedRowID"
    )
    body = first_text(mapping(part.get("body")), "text")
    text = first_text(part, "selectedDisplayText", "title") or body or selected
    return Content(type="interactive", text=text, extra={"interactive": {"type": name, "id": selected, "title": text}})


def _named(kind: str, *fields: str) -> Callable[[str, Json], Content]:
    def read(name: str, part: Json) -> Content:
        return Content(type=kind, text=first_text(part, *fields), extra={name: shortened(part)})

    return read


def _some(part: Json, *names: str) -> dict[str, str]:
    return {name: text for name in names if (text := first_text(part, name))}


_READERS: dict[str, Callable[[str, Json], Content]] = {
    "conversation": _text,
    "extendedTextMessage": _text,
    **dict.fromkeys(FILES, _file),
    **dict.fromkeys(("locationMessage", "liveLocationMessage"), _location),
    **dict.fromkeys(("contactMessage", "contactsArrayMessage"), _contacts),
    **dict.fromkeys(_POLLS, _poll),
    **dict.fromkeys(
        (
            "buttonsResponseMessage",
            "listResponseMessage",
            "templateButtonReplyMessage",
            "interactiveResponseMessage",
        ),
        _choice,
    ),
    "eventMessage": _named("event", "name", "description"),
    "orderMessage": _named("order", "message", "orderTitle"),
    "productMessage": _named("order", "body"),
    "listMessage": _named("interactive", "description", "title"),
    "buttonsMessage": _named("interactive", "contentText", "text"),
    "templateMessage": _named("interactive"),
    "interactiveMessage": _named("interactive"),
    "groupInviteMessage": _named("interactive", "caption", "groupName"),
}
"""Field of a message → how it is read."""
