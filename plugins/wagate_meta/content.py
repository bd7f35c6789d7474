"""What a message says: its type in our words, a text that a person would want to read, its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wagate.events import Media
from wagate.events.event import MOVED_TO
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import degrees, first_text, identifier, mapping, shortened, whole
from wagate.parsing.raw_content import answers_text, bought_lines, read_answers
from wagate.parsing.vcards import vcard_of

_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
_NOTICES = frozenset({"request_welcome"})
"""Types that nobody wrote: somebody opened the chat for the first time."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The inside of a message."""

    type: str
    text: str = ""
    media: Media | None = None
    extra: dict[str, Any] = {}
    aliases: tuple[str, ...] = ()
    """Further keys of the sender that the message tells."""
    notice: bool = False
    """WhatsApp's own word, and no message of anybody."""


def read_content(item: dict[str, Any]) -> Content:
    """By ``type``; one that is not known here keeps whatever text it has, as type ``unknown``. Never raises."""
    kind = first_text(item, "type")
    inside = mapping(item.get(kind))
    if kind in _FILES:
        return _file(kind, inside)
    read = _READERS.get(kind)
    if read is not None:
        return read(inside, item)
    extra: dict[str, Any] = {"type": kind} | ({"data": shortened(inside)} if inside else {})
    text = _any_text(inside) or _complaint(item)
    return Content(type="unknown", text=text, extra=extra, notice=kind in _NOTICES)


def _text(inside: dict[str, Any], _item: dict[str, Any]) -> Content:
    return Content(type="text", text=first_text(inside, "body"))


def _file(kind: str, inside: dict[str, Any]) -> Content:
    media = Media(
        mimetype=first_text(inside, "mime_type"),
        filename=first_text(inside, "filename") or None,
        url=first_text(inside, "url") or None,
        provider_id=identifier(inside.get("id")) or None,
        size=whole(inside.get("file_size")),
        caption=first_text(inside, "caption") or None,
    )
    extra = {"animated": True} if inside.get("animated") is True else {}
    voice = kind == "audio" and inside.get("voice") is True
    return Content(type="voice" if voice else kind, text=media.caption or "", media=media, extra=extra)


def _location(inside: dict[str, Any], _item: dict[str, Any]) -> Content:
    place: dict[str, Any] = {}
    for name in ("latitude", "longitude"):
        if (at := degrees(inside.get(name))) is not None:
            place[name] = at
    place |= {name: text for name in ("name", "address", "url") if (text := first_text(inside, name))}
    return Content(type="location", extra={"location": place})


def _contacts(_inside: dict[str, Any], item: dict[str, Any]) -> Content:
    given = item.get("contacts")
    cards = [card for card in given if isinstance(card, dict)] if isinstance(given, list) else []
    return Content(type="contacts", extra={"contacts": shortened(cards), "vcards": [vcard_of(card) for card in cards]})


def _interactive(inside: dict[str, Any], item: dict[str, Any]) -> Content:
    """A tap on a button or a row, or a form that was filled in. It may come without an object, with errors only."""
    kind = first_text(inside, "type")
    reply = mapping(inside.get(kind))
    if kind == "nfm_reply":
        return _form(reply)
    text = _permission(reply) if kind == "call_permission_reply" else first_text(reply, "title")
    text = text or first_text(reply, "response") or _any_text(reply) or _complaint(item)
    details = {"type": kind} | {name: shortened(value) for name, value in reply.items() if name != "type"}
    return Content(type="interactive", text=text, extra={"interactive": details} if kind else {})


def _permission(reply: dict[str, Any]) -> str:
    """Whether we may call, and for how long: ``accept, permanent``."""
    permanent = reply.get("is_permanent") is True
    return ", ".join(word for word in (first_text(reply, "response"), "permanent" if permanent else "") if word)


def _form(reply: dict[str, Any]) -> Content:
    """A flow's answer: what was filled in, a line for each field; else the text that WhatsApp shows."""
    answers = read_answers(reply.get("response_json"))
    extra = {"type": "nfm_reply", "name": first_text(reply, "name"), "response": shortened(answers)}
    text = answers_text(answers) or first_text(reply, "body")
    return Content(type="interactive", text=text, extra={"interactive": extra})


def _button(inside: dict[str, Any], _item: dict[str, Any]) -> Content:
    """A tap on a quick reply of a template."""
    text = first_text(inside, "text", "payload")
    chosen = {"type": "button", "id": first_text(inside, "payload"), "title": text}
    return Content(type="interactive", text=text, extra={"interactive": chosen})


def _order(inside: dict[str, Any], _item: dict[str, Any]) -> Content:
    given = inside.get("product_items")
    items = [mapping(each) for each in given] if isinstance(given, list) else []
    text = first_text(inside, "text") or ", ".join(bought_lines(items))
    return Content(type="order", text=text, extra={"order": shortened(inside)})


def _system(inside: dict[str, Any], item: dict[str, Any]) -> Content:
    """WhatsApp's own line in a chat: a new number, a new device."""
    new = chat_key(identifier(inside.get("wa_id")))
    about = {"system": shortened(inside)}
    if identity := mapping(item.get("identity")):
        about["identity"] = shortened(identity)
    if new:
        about[MOVED_TO] = new
    return Content(type="system", text=first_text(inside, "body"), extra=about, aliases=(new,) if new else ())


def _unsupported(inside: dict[str, Any], item: dict[str, Any]) -> Content:
    extra: dict[str, Any] = {"type": first_text(inside, "type") or first_text(item, "type")}
    if inside:
        extra["data"] = shortened(inside)
    return Content(type="unknown", text=_complaint(item), extra=extra)


def _any_text(inside: dict[str, Any]) -> str:
    return first_text(inside, "body", "text", "caption", "title", "name")


def _complaint(item: dict[str, Any]) -> str:
    """What Meta says about a message that it did not pass on, '' when it says nothing."""
    errors = item.get("errors")
    first = mapping(errors[0]) if isinstance(errors, list) and errors else {}
    return first_text(mapping(first.get("error_data")), "details") or first_text(first, "message", "title")


_READERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Content]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "system": _system,
    "unsupported": _unsupported,
    "unknown": _unsupported,
}
