"""How long what Infobip takes may be: told here, by the field's name, before Infobip says it by its own. Pure.

Source: Infobip's OpenAPI document 3.210.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from wagate.errors import SendRefusedError

Range = tuple[int, int]
_FILE: Final = {"mediaUrl": (1, 2048), "caption": (0, 3000), "filename": (0, 240)}
_HEADER: Final = {"header.text": (1, 60), "header.mediaUrl": (1, 2048), "header.filename": (0, 240)}
_WORDS: Final = {"body.text": (1, 1024), "footer.text": (1, 60), **_HEADER}
_SECTIONS: Final = {"action.sections": (1, 10), "action.sections[].title": (0, 24)}
_ORDER: Final = {
    "order.items[].name": (1, 60),
    "order.tax.description": (0, 60),
    "order.shipping.description": (0, 60),
    "order.discount.amount.description": (0, 60),
    "order.discount.programName": (0, 60),
    "order.orderExpiration.description": (0, 120),
    "paymentConfiguration": (1, 60),
}
_CARD: Final = "templateData.carousel.cards"
LENGTHS: Final[Mapping[str, Mapping[str, Range]]] = {
    "text": {"text": (1, 4096)},
    **dict.fromkeys(("image", "video", "document", "audio", "sticker"), _FILE),
    "location": {"name": (0, 1000), "address": (0, 1000)},
    "contact": {},
    "template": {
        "templateName": (1, 512),
        "templateData.header.mediaUrl": (1, 2048),
        "templateData.header.filename": (1, 240),
        "templateData.buttons[].flowToken": (0, 3000),
        "templateData.buttons[].sections": (1, 10),
        "templateData.buttons[].sections[].title": (0, 24),
        "templateData.buttons[].callContextPayload": (1, 512),
        **{f"templateData.buttons[].action.{place}": size for place, size in _ORDER.items()},
        _CARD: (1, 10),
        f"{_CARD}[].buttons": (1, 2),
    },
    "interactive/buttons": {
        **_WORDS,
        "action.buttons": (1, 3),
        "action.buttons[].id": (1, 256),
        "action.buttons[].title": (1, 20),
    },
    "interactive/list": {
        **_WORDS,
        **_SECTIONS,
        "action.title": (1, 20),
        "action.sections[].rows[].id": (1, 200),
        "action.sections[].rows[].title": (1, 24),
        "action.sections[].rows[].description": (0, 72),
    },
    "interactive/url-button": {**_WORDS, "action.displayText": (1, 20), "action.url": (1, 2048)},
    "interactive/flow": {**_WORDS, "action.callToActionButton": (1, 20)},
    "interactive/product": _WORDS,
    "interactive/multi-product": {**_WORDS, **_SECTIONS},
    "interactive/order-details": {**_WORDS, **{f"action.{place}": size for place, size in _ORDER.items()}},
    "interactive/order-status": {**_WORDS, "action.description": (0, 120)},
    "interactive/media-carousel": {
        "body.text": (0, 1024),
        "action.cards": (2, 10),
        "action.cards[].body.text": (0, 160),
        "action.cards[].header.url": (1, 2048),
        "action.cards[].buttons[].id": (0, 20),
        "action.cards[].buttons[].title": (0, 20),
        "action.cards[].button.displayText": (0, 20),
        "action.cards[].button.url": (0, 2048),
    },
    "interactive/voice-button": {
        "body.text": (0, 1024),
        "action.buttonDisplayText": (0, 20),
        "action.callContextPayload": (1, 512),
    },
    "interactive/location-request": {"body.text": (1, 1024)},
    "interactive/request-contact-info": {"body.text": (1, 1024)},
}
"""Path of a message → place in its content → fewest and most characters of a text, or entries of a list."""
_PARAMETERS: Final = {"QUICK_REPLY": 128, "COPY_CODE": 15}
"""Type of a template's button → most characters of its parameter."""


def check_lengths(path: str, content: dict[str, Any]) -> None:
    """SendRefusedError: something is too long, or too short; it names the place, its length and the limit."""
    for place, (fewest, most) in LENGTHS.get(path, {}).items():
        for value in _found(content, place.replace("[]", "").split(".")):
            if isinstance(value, str | list) and not fewest <= len(value) <= most:
                _refuse(place, value, fewest, most)
    for button in _buttons(content):
        most = _PARAMETERS.get(str(button.get("type")), 0)
        if most and isinstance(parameter := button.get("parameter"), str) and len(parameter) > most:
            _refuse("templateData.buttons[].parameter", parameter, 1, most)


def _refuse(place: str, value: str | list[Any], fewest: int, most: int) -> None:
    what = "characters" if isinstance(value, str) else "entries"
    raise SendRefusedError(f"content.{place} has {len(value)} {what}; Infobip takes {fewest} to {most}")


def _found(value: Any, names: list[str]) -> Iterator[Any]:
    """All values at a place; lists on the way are gone through."""
    if isinstance(value, list) and names:
        for each in value:
            yield from _found(each, names)
    elif not names:
        yield value
    elif isinstance(value, dict) and names[0] in value:
        yield from _found(value[names[0]], names[1:])


def _buttons(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in ("templateData.buttons", f"{_CARD}.buttons"):
        for found in _found(content, place.split(".")):
            yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
