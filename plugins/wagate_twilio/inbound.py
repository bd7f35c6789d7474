"""A message that came in, as Twilio's form says it. Older bodies lack ProfileName, WaId and MessageType."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from wagate.events import Media, NewEvent, kinds
from wagate.parsing.chats import chat_key, digits_of
from wagate.parsing.fields import degrees, identifier, mapping, shortened, whole
from wagate.parsing.raw_content import answers_text, read_answers

_FAMILIES = frozenset({"image", "video", "audio"})
_TYPES = {
    "text": "text",
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "file": "document",
    "sticker": "sticker",
    "contacts": "contacts",
    "location": "location",
    "interactive": "interactive",
    "button": "interactive",
    "order": "order",
}
_REFERRAL = {
    "ReferralBody": "body",
    "ReferralHeadline": "headline",
    "ReferralSourceId": "source_id",
    "ReferralSourceType": "source_type",
    "ReferralSourceUrl": "source_url",
    "ReferralCtwaClid": "ctwa_clid",
    "ReferralMediaUrl": "media_url",
    "ReferralMediaContentType": "media_type",
    "ReferralMediaId": "media_id",
}
"""Twilio's parameters and Meta's words for what an advertisement brought."""
_KNOWN = frozenset(
    {
        *_REFERRAL,
        *[
            "MessageSid",
            "SmsMessageSid",
            "SmsSid",
            "AccountSid",
            "ApiVersion",
            "MessagingServiceSid",
            "From",
            "To",
            "Body",
            "NumMedia",
            "NumSegments",
            "SmsStatus",
            "MessageStatus",
            "MessageType",
            "ProfileName",
            "WaId",
            "ExternalUserId",
            "ButtonText",
            "ButtonPayload",
            "ListId",
            "ListTitle",
            "Latitude",
            "Longitude",
            "Address",
            "Label",
            "Forwarded",
            "FrequentlyForwarded",
            "OriginalRepliedMessageSid",
            "OriginalRepliedMessageSender",
            "ReferralNumMedia",
            "FromCountry",
            "FromState",
            "FromCity",
            "FromZip",
            "ToCountry",
            "ToState",
            "ToCity",
            "ToZip",
        ],
    }
)
"""Parameters that are read here, or say nothing of WhatsApp."""
_FILE = re.compile(r"Media(?:Url|ContentType)\d+")
_MOST_PARAMETERS = 50
_IDS = re.compile(r"/Messages/([A-Za-z0-9]+)/Media/([A-Za-z0-9]+)$")
MOST_FILES = 10
"""Files of one message (source: Twilio's page on its incoming webhook: MediaUrl0 to MediaUrl9)."""


def message_events(form: dict[str, str], at: datetime | None = None) -> list[NewEvent]:
    """One event, and one more for each further file: ``SM…#1``.

    Twilio's webhooks tell no time, its API does: ``at``.
    """
    first = _message(form, at)
    others = [media for n in range(1, _count(form)) if (media := _media(form, n)) is not None]
    return [first, *(_further(first, media, n) for n, media in enumerate(others, 1))]


def _message(form: dict[str, str], at: datetime | None) -> NewEvent:
    sid = identifier(form.get("MessageSid") or form.get("SmsMessageSid") or form.get("SmsSid"))
    sender, ours = chat_key(form.get("From", "")), chat_key(form.get("To", ""))
    others = (chat_key(form.get(name, "")) for name in ("WaId", "ExternalUserId"))
    keys = [key for key in dict.fromkeys((sender, *others)) if key]
    media = _media(form, 0) if _count(form) else None
    kind_of = _type(form, media)
    return NewEvent(
        kind=kinds.MESSAGE,
        provider_id=sid,
        message_id=sid,
        chat=keys[0] if keys else "",
        sender=keys[0] if keys else "",
        aliases=tuple(keys[1:]),
        recipient=ours,
        number=digits_of(ours),
        type=kind_of,
        content=_content(form),
        timestamp=at,
        contact_name=form.get("ProfileName") or None,
        media=media,
        reply_to=form.get("OriginalRepliedMessageSid") or None,
        extra=_extra(form, kind_of),
    )


def _further(first: NewEvent, media: Media, n: int) -> NewEvent:
    found = f"{first.provider_id}#{n}" if first.provider_id else ""
    kind_of = _type({}, media)
    return replace(first, provider_id=found, message_id=found, type=kind_of, content="", media=media, extra={})


def _count(form: dict[str, str]) -> int:
    told = whole(form.get("NumMedia", "")) or 0
    return min(told or int("MediaUrl0" in form), MOST_FILES)


def _media(form: dict[str, str], n: int) -> Media | None:
    url = form.get(f"MediaUrl{n}")
    if not url:
        return None
    # …/Messages/MM…/Media/ME…: the ids of the message and of its file.
    found = _IDS.search(url)
    return Media(
        url=url,
        mimetype=form.get(f"MediaContentType{n}", ""),
        provider_id=f"{found[1]}/{found[2]}" if found is not None else None,
    )


def _type(form: dict[str, str], media: Media | None) -> str:
    """As Twilio says; else by what is there. A voice note is audio in Ogg, a sticker is WebP."""
    stated = form.get("MessageType", "").lower()
    if stated and stated not in _TYPES and (media is None or not media.mimetype):
        return "unknown"
    of_file = stated in {"", "text", "image", "audio"} or stated not in _TYPES
    if media is not None and (media.mimetype or not stated) and of_file:
        return _type_of_file(media.mimetype.partition(";")[0].strip().lower())
    if stated and stated != "text":
        return _TYPES[stated]
    if form.get("Latitude") and form.get("Longitude"):
        return "location"
    return "interactive" if form.get("ButtonText") or form.get("ListId") else "text"


def _type_of_file(mimetype: str) -> str:
    match mimetype:
        case "audio/ogg":
            return "voice"
        case "image/webp":
            return "sticker"
        case "text/vcard" | "text/x-vcard":
            return "contacts"
    family = mimetype.partition("/")[0]
    return family if family in _FAMILIES else "document"


def _content(form: dict[str, str]) -> str:
    if text := form.get("Body"):
        return text
    return form.get("ButtonText") or form.get("ListTitle") or answers_text(_answers(form))


def _answers(form: dict[str, str]) -> Any:
    """What was filled in in a flow; {} when it was none."""
    answers = read_answers(form.get("FlowData") or form.get("InteractiveData") or "")
    inner = mapping(answers).get("response_json")
    return read_answers(inner) if inner else answers


def _extra(form: dict[str, str], kind_of: str) -> dict[str, Any]:
    """In Meta's words, as the events of every other provider."""
    extra: dict[str, Any] = {}
    if kind_of == "location":
        extra["location"] = _place(form)
    if form.get("ListId"):
        extra["interactive"] = {"type": "list_reply", "id": form["ListId"], "title": form.get("ListTitle", "")}
    elif form.get("ButtonText") or form.get("ButtonPayload"):
        text = form.get("ButtonText") or form.get("Body", "")
        extra["interactive"] = {"type": "button", "id": form.get("ButtonPayload", ""), "title": text}
    elif answers := _answers(form):
        extra["interactive"] = {"type": "nfm_reply", "response": shortened(answers)}
    if about := form.get("ListDescription"):
        extra.setdefault("interactive", {})["description"] = about
    if others := {name: shortened(text) for name, text in form.items() if name not in _KNOWN and not _FILE.match(name)}:
        # Twilio adds parameters without notice.
        extra["parameters"] = dict(list(others.items())[:_MOST_PARAMETERS])
    if kind_of == "unknown":
        extra["type"] = form.get("MessageType", "").lower()
    if referral := {ours: form[theirs] for theirs, ours in _REFERRAL.items() if form.get(theirs)}:
        extra["referral"] = referral
    if "true" in {form.get("Forwarded", "").lower(), form.get("FrequentlyForwarded", "").lower()}:
        extra["forwarded"] = True
    return extra


def _place(form: dict[str, str]) -> dict[str, Any]:
    place: dict[str, Any] = {}
    for name, theirs in (("latitude", "Latitude"), ("longitude", "Longitude")):
        if (at := degrees(form.get(theirs))) is not None:
            place[name] = at
    return place | {ours: form[key] for ours, key in (("name", "Label"), ("address", "Address")) if form.get(key)}
