"""What a message that came in says: its type in our words, a text that a person would read, its file.

``extra`` has the same keys, in Meta's spelling, as the events of every other provider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wagate.events import Media
from wagate.parsing.fields import degrees, first_text, shortened
from wagate.parsing.raw_content import answers_text, bought_lines, read_answers
from wagate.parsing.vcards import vcard_of
from wagate_infobip.fields import objects, snake

_FILES = frozenset({"IMAGE", "VIDEO", "AUDIO", "VOICE", "DOCUMENT", "STICKER"})
_INTERACTIVE = "INTERACTIVE_"
_SHARED = frozenset({"type", "context", "referral", "identity"})
"""Keys of a message that say nothing about its content."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The inside of a message."""

    type: str
    text: str = ""
    media: Media | None = None
    extra: dict[str, Any] = {}


def read_content(message: dict[str, Any]) -> Content:
    """By ``type``; one that is not known here keeps its text and its name, as type ``unknown``. Never raises."""
    name = first_text(message, "type").upper()
    inside = {key: value for key, value in message.items() if key not in _SHARED}
    if name in _FILES:
        return _file(name, inside)
    if name.startswith(_INTERACTIVE):
        return _interactive(name.removeprefix(_INTERACTIVE).lower(), inside)
    read = _READERS.get(name)
    if read is not None:
        return read(inside)
    extra = {"type": name.lower(), **shortened(snake(inside))}
    return Content(type="unknown", text=first_text(inside, "text", "caption", "title"), extra=extra)


def _text(inside: dict[str, Any]) -> Content:
    return Content(type="text", text=first_text(inside, "text"))


def _file(name: str, inside: dict[str, Any]) -> Content:
    """There is no MIME type: the download's Content-Type tells. A document's caption is its file's name."""
    caption = first_text(inside, "caption")
    media = Media(
        url=first_text(inside, "url") or None,
        filename=caption or None if name == "DOCUMENT" else None,
        caption=caption or None,
    )
    return Content(type=name.lower(), text=caption, media=media)


def _location(inside: dict[str, Any]) -> Content:
    place: dict[str, Any] = {}
    for name in ("latitude", "longitude"):
        if (at := degrees(inside.get(name))) is not None:
            place[name] = at
    place |= {name: text for name in ("name", "address", "url") if (text := first_text(inside, name))}
    return Content(type="location", extra={"location": place})


def _contacts(inside: dict[str, Any]) -> Content:
    cards = [snake(card) for card in objects(inside.get("contacts"))]
    return Content(type="contacts", extra={"contacts": shortened(cards), "vcards": [vcard_of(card) for card in cards]})


def _button(inside: dict[str, Any]) -> Content:
    """A tap on a quick reply of a template."""
    text = first_text(inside, "text", "payload")
    chosen = {"type": "button", "id": first_text(inside, "payload"), "title": text}
    return Content(type="interactive", text=text, extra={"interactive": chosen})


def _interactive(kind: str, inside: dict[str, Any]) -> Content:
    """A tap on a button or a row, a form, a payment, a permission: ``button_reply``, ``list_reply`` …, as Meta says."""
    if kind == "flow_reply":
        return _form(inside)
    values = list(inside.values())
    # {callPermissionReply: {…}} wraps what other replies have bare.
    inside = values[0] if len(values) == 1 and isinstance(values[0], dict) else inside
    text = first_text(inside, "title")
    if kind == "call_permission_reply":
        permanent = inside.get("permanent") is True or inside.get("isPermanent") is True
        text = ", ".join(word for word in (first_text(inside, "response"), "permanent" if permanent else "") if word)
    text = text or first_text(inside, "text", "response", "status")
    extra = {**shortened(snake(inside)), "type": kind}
    return Content(type="interactive", text=text, extra={"interactive": extra})


def _form(inside: dict[str, Any]) -> Content:
    """A flow's answer: what was filled in, a line for each field; else the text that WhatsApp shows."""
    answers = read_answers(inside.get("response"))
    extra = {"type": "nfm_reply", "name": "flow", "response": shortened(answers)}
    text = answers_text(answers) or first_text(inside, "text")
    return Content(type="interactive", text=text, extra={"interactive": extra})


def _order(inside: dict[str, Any]) -> Content:
    order = snake(inside)
    items = objects(order.get("product_items"))
    text = first_text(inside, "text") or ", ".join(bought_lines(items))
    return Content(type="order", text=text, extra={"order": shortened(order)})


_READERS: dict[str, Callable[[dict[str, Any]], Content]] = {
    "TEXT": _text,
    "LOCATION": _location,
    "CONTACT": _contacts,
    "BUTTON": _button,
    "ORDER": _order,
}
