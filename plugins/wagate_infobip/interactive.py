"""Interactive messages, and headers, which templates and cards have, too: Meta's form → Infobip's. Pure.

Sources: Infobip's OpenAPI document 3.210.0, ``/whatsapp/1/message/interactive/…``; Meta's Cloud API.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from wagate.errors import SendRefusedError
from wagate.parsing.fields import first_text, mapping, whole
from wagate_infobip.fields import camel, objects
from wagate_infobip.orders import order_details, order_status

_FILES = frozenset({"text", "image", "video", "document"})
_FLOW_KEYS = {"flow_cta": "callToActionButton", "mode": "mode", "flow_action": "flowAction"}
_WITHOUT = "unused"
"""Meta's own default of a flow's token, which Infobip requires."""
_HEADER_FILES = frozenset({"image", "video", "document", "gif"})


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    action: Callable[[dict[str, Any], str], dict[str, Any]] | None = None
    """From Meta's ``action`` and the message's file; None: Infobip wants none."""
    headers: frozenset[str] = frozenset()
    footer: bool = True
    body: bool = True
    """Whether it must have one."""


def interactive_content(interactive: dict[str, Any], file_url: str) -> tuple[str, dict[str, Any] | None]:
    """Path under ``/whatsapp/1/message/`` and the content of Meta's ``{type, header?, body, footer?, action}``.

    None: it goes without content. ``file_url`` is the header's file when it has no link.

    Raises:
        SendRefusedError: a type that Infobip has no path for, or something that it does not take.
    """
    name = first_text(interactive, "type")
    kind = _KINDS.get(name)
    if kind is None:
        raise SendRefusedError(f"Infobip can't send interactive messages of type {name[:40]!r}: {', '.join(_KINDS)}")
    if name == "call_permission_request":
        return f"interactive/{kind.path}", None
    content: dict[str, Any] = {}
    if body := first_text(mapping(interactive.get("body")), "text"):
        content["body"] = {"text": body}
    elif kind.body:
        raise SendRefusedError(f"an interactive message of type {name!r} needs body.text")
    if kind.action is not None:
        content["action"] = kind.action(mapping(interactive.get("action")), file_url)
    if header := header_of(mapping(interactive.get("header")), file_url, kind.headers):
        content["header"] = header
    if footer := first_text(mapping(interactive.get("footer")), "text"):
        if not kind.footer:
            raise SendRefusedError(f"Infobip takes no footer in an interactive message of type {name!r}")
        content["footer"] = {"text": footer}
    return f"interactive/{kind.path}", content


def _buttons(action: dict[str, Any], _file: str) -> dict[str, Any]:
    replies = [mapping(button.get("reply")) or button for button in objects(action.get("buttons"))]
    return {"buttons": [{"type": "REPLY", "id": each.get("id"), "title": each.get("title")} for each in replies]}


def _list(action: dict[str, Any], _file: str) -> dict[str, Any]:
    return {"title": first_text(action, "button"), "sections": camel(objects(action.get("sections")))}


def _url(action: dict[str, Any], _file: str) -> dict[str, Any]:
    parameters = mapping(action.get("parameters"))
    return {"displayText": first_text(parameters, "display_text"), "url": first_text(parameters, "url")}


def _flow(action: dict[str, Any], _file: str) -> dict[str, Any]:
    """Infobip's words in place of Meta's: modes and actions in capitals, the version a number."""
    parameters = mapping(action.get("parameters"))
    if not parameters.get("flow_id"):
        raise SendRefusedError("Infobip names flows by id, not by name: set action.parameters.flow_id")
    made = {"flowToken": first_text(parameters, "flow_token") or _WITHOUT, "flowId": str(parameters["flow_id"])}
    for name, theirs in _FLOW_KEYS.items():
        if text := first_text(parameters, name):
            made[theirs] = text if name == "flow_cta" else text.upper()
    version = str(parameters.get("flow_message_version", ""))
    found: dict[str, Any] = made | ({"flowMessageVersion": int(version)} if version.isdigit() else {})
    if payload := mapping(parameters.get("flow_action_payload")):
        found["flowActionPayload"] = payload
    return found


def _product(action: dict[str, Any], _file: str) -> dict[str, Any]:
    product = first_text(action, "product_retailer_id")
    return {"catalogId": first_text(action, "catalog_id"), "productRetailerId": product}


def _products(action: dict[str, Any], _file: str) -> dict[str, Any]:
    return {"catalogId": first_text(action, "catalog_id"), "sections": product_sections(action.get("sections"))}


def product_sections(sections: object) -> list[dict[str, Any]]:
    """``[{title, product_items: [{product_retailer_id}]}]`` → ``[{title, productRetailerIds}]``."""
    made = []
    for section in objects(sections):
        items = [first_text(item, "product_retailer_id") for item in objects(section.get("product_items"))]
        title = first_text(section, "title")
        made.append(({"title": title} if title else {}) | {"productRetailerIds": [item for item in items if item]})
    return made


def _carousel(action: dict[str, Any], file_url: str) -> dict[str, Any]:
    """Cards with one link each, or with quick replies; all of them the same."""
    cards = objects(action.get("cards"))
    links = [mapping(mapping(card.get("action")).get("parameters")) for card in cards]
    if any(links) and not all(links):
        raise SendRefusedError("all cards of a carousel must have a link, or all must have quick replies")
    made = [_card(card, link, file_url) for card, link in zip(cards, links, strict=True)]
    return {"type": "URL" if any(links) else "QUICK_REPLY", "cards": made}


def _card(card: dict[str, Any], link: dict[str, Any], file_url: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "header": header_of(mapping(card.get("header")), file_url, {"image", "video"}, url_key="url"),
        "body": {"text": first_text(mapping(card.get("body")), "text")},
    }
    if link:
        return made | {"button": _url({"parameters": link}, file_url)}
    buttons = objects(mapping(card.get("action")).get("buttons"))
    replies = [mapping(button.get("quick_reply")) or mapping(button.get("reply")) or button for button in buttons]
    return made | {"buttons": [{"id": each.get("id"), "title": each.get("title")} for each in replies]}


def _voice(action: dict[str, Any], _file: str) -> dict[str, Any]:
    parameters = mapping(action.get("parameters"))
    title = first_text(parameters, "display_text")
    return ({"buttonDisplayText": title} if title else {}) | call_of(parameters)


def call_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """How long a button to call us works, in minutes, and what its call brings along."""
    minutes, payload = whole(parameters.get("ttl_minutes")), first_text(parameters, "payload")
    valid = {} if minutes is None else {"callValidityPeriod": minutes}
    return valid | ({"callContextPayload": payload} if payload else {})


_KINDS: Mapping[str, _Kind] = {
    "button": _Kind(path="buttons", action=_buttons, headers=_FILES),
    "list": _Kind(path="list", action=_list, headers=frozenset({"text"})),
    "cta_url": _Kind(path="url-button", action=_url, headers=_FILES),
    "flow": _Kind(path="flow", action=_flow, headers=frozenset({"text"})),
    "location_request_message": _Kind(path="location-request", footer=False),
    "product": _Kind(path="product", action=_product, body=False),
    "product_list": _Kind(path="multi-product", action=_products, headers=frozenset({"text"})),
    "order_details": _Kind(path="order-details", action=order_details, headers=frozenset({"image"})),
    "order_status": _Kind(path="order-status", action=order_status, body=False),
    "carousel": _Kind(path="media-carousel", action=_carousel, footer=False),
    "call_permission_request": _Kind(path="call-permission-request"),
    "voice_call": _Kind(path="voice-button", action=_voice, footer=False),
    "request_contact_info": _Kind(path="request-contact-info", footer=False),
}
"""Meta's type → where Infobip takes it, and what it takes there."""


def header_of(
    header: dict[str, Any],
    file_url: str,
    allowed: Collection[str],
    *,
    text_key: str = "text",
    url_key: str = "mediaUrl",
) -> dict[str, Any]:
    """``{type: image, image: {link}}`` → ``{type: IMAGE, mediaUrl}``; {} for none.

    ``text_key`` and ``url_key`` are what a text and a URL are called there: it differs from place to place.
    ``file_url`` is the header's file when it has no link.

    Raises:
        SendRefusedError: Infobip takes no such header there, or it has a media id of Meta's, or no file at all.
    """
    kind = first_text(header, "type").lower()
    if not kind:
        return {}
    if kind not in allowed:
        raise SendRefusedError(
            f"Infobip takes no header of type {kind[:40]!r} here, but {' or '.join(sorted(allowed))}"
        )
    part = mapping(header.get(kind))
    if kind == "text":
        return {"type": "TEXT", text_key: first_text(header, "text")}
    if kind in _HEADER_FILES:
        return _file(kind, part, file_url, url_key)
    return {"type": "LOCATION", "latitude": _degrees(part, "latitude"), "longitude": _degrees(part, "longitude")}


def _file(kind: str, part: dict[str, Any], file_url: str, url_key: str) -> dict[str, Any]:
    url = first_text(part, "link") or file_url
    if not url:
        given = "Infobip takes no media ids" if part.get("id") else "the header has no file"
        raise SendRefusedError(f"{given}: give {kind}.link, a URL that anyone can fetch")
    made = {"type": kind.upper(), url_key: url}
    return made | {"filename": first_text(part, "filename") or name_in(url)} if kind == "document" else made


def name_in(url: str) -> str:
    """A document's name, which Infobip requires: the last part of its URL when that is one, else ``document``."""
    try:
        path = PurePosixPath(unquote(urlsplit(url).path))
    except ValueError:
        return "document"
    return path.name[:240] if path.suffix else "document"


def _degrees(part: dict[str, Any], name: str) -> float:
    try:
        return float(part.get(name, ""))
    except (TypeError, ValueError):
        raise SendRefusedError(f"the header's location needs its {name}: a number") from None
